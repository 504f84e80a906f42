//! Prints how alike pictures are within and across albums, for each renderer with and without its
//! album options: mean cosine similarity of EfficientNet features, with bootstrap intervals over
//! albums.
//! `cargo run --release -p albumen-synth --example album_coherence -- ASSETS CHECKPOINT`
//! where ASSETS holds efficientnet-lite0/, all-minilm-l6-v2/ and fluent-emoji-flat/, and CHECKPOINT is
//! a text-to-image model in the layout of diffusers. The albums are invented here.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::PathBuf;
use std::sync::Arc;

use albumen_diffusion::{LoadOptions, TextToImage};
use albumen_illustrations::Illustrator;
use albumen_schema::SyntheticAlbum;
use albumen_schema::config::RenderConfig;
use albumen_synth::diffuse::DiffusionPainter;
use albumen_synth::render::Painter;
use albumen_vision::{Embedder, Tagger};
use image::RgbImage;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

type Failure = Box<dyn std::error::Error>;

const SEED: u64 = 20_261_126;
const RESAMPLES: usize = 1000;

/// What an album is about, and captions about it.
const THEMES: [(&str, [&str; 6]); 8] = [
    (
        "A day at the beach with the dog",
        [
            "A dog runs along the beach.",
            "A woman and a dog by the sea.",
            "Waves roll onto the beach at dusk.",
            "The dog sleeps in the sand.",
            "A boat far out on the water.",
            "A woman throws a ball for the dog.",
        ],
    ),
    (
        "A family hike in the mountains",
        [
            "A family on a path below a mountain.",
            "A boy points at the mountain.",
            "A small cabin beside the forest.",
            "The family rests by a lake.",
            "Clouds over the mountain.",
            "A cow on the meadow.",
        ],
    ),
    (
        "A walk through the old town",
        [
            "A narrow street with flowers.",
            "A church behind the square.",
            "A couple in front of the church.",
            "A bicycle leans on a wall in the street.",
            "The tower at sunset.",
            "A cat on a window sill.",
        ],
    ),
    (
        "A birthday party in the garden",
        [
            "A girl blows out candles on a cake.",
            "Children run through the garden.",
            "Balloons hang over the garden table.",
            "A grandmother hugs the girl.",
            "A plate of fruit on the table.",
            "The children open a present.",
        ],
    ),
    (
        "A weekend on a farm",
        [
            "A horse behind a fence.",
            "Sheep on a hill.",
            "A boy feeds the horse.",
            "Hens in front of the house.",
            "A man drives a truck.",
            "A calf in the straw.",
        ],
    ),
    (
        "An evening of cooking at home",
        [
            "A man cuts vegetables in the kitchen.",
            "Soup in a pot on the stove.",
            "A woman tastes the soup.",
            "Bread on the kitchen table.",
            "A cat waits below the kitchen table.",
            "A man and a woman eat together.",
        ],
    ),
    (
        "A trip by boat",
        [
            "A boat at a jetty in the morning.",
            "A bridge over the river.",
            "People on the deck of the boat.",
            "A gull on a post.",
            "The boat passes a castle.",
            "A man looks at the river.",
        ],
    ),
    (
        "Snow in the park",
        [
            "A child with a sledge in the park.",
            "Snow on the trees of the park.",
            "A dog jumps through the snow.",
            "A child builds a snowman.",
            "A frozen pond.",
            "The dog and the child by the pond.",
        ],
    ),
];
/// Albums of each theme, and photos of each album.
const ALBUMS_EACH: usize = 4;
const PHOTOS: usize = 4;

fn albums() -> Vec<SyntheticAlbum> {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let mut albums = Vec::new();
    for (theme, captions) in THEMES {
        for _ in 0..ALBUMS_EACH {
            let index = albums.len() as u64;
            let mut left: Vec<&str> = captions.to_vec();
            let chosen = (0..PHOTOS).map(|_| {
                let at = rng.next_u64() as usize % left.len();
                left.swap_remove(at).to_owned()
            });
            let captions: Vec<String> = chosen.collect();
            albums.push(SyntheticAlbum {
                id: SyntheticAlbum::id_of(index),
                index,
                summary: format!("{theme}."),
                captions,
                raw_summary: String::new(),
                truncated: false,
            });
        }
    }
    albums
}

/// The pictures of every album.
fn draw(
    painter: &dyn Painter,
    albums: &[SyntheticAlbum],
    size: (u32, u32),
) -> Result<Vec<Vec<RgbImage>>, Failure> {
    let draw = |album: &SyntheticAlbum| {
        let mut pictures = Vec::new();
        let wanted: Vec<usize> = (0..album.captions.len()).collect();
        let seed = SEED ^ album.index.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        painter.paint(album, &wanted, seed, size, &mut |_, picture| {
            pictures.push(picture.clone());
            Ok(())
        })?;
        Ok(pictures)
    };
    albums.iter().map(draw).collect()
}

/// Each photo as an album of its own: nothing is shared.
fn draw_apart(
    painter: &dyn Painter,
    albums: &[SyntheticAlbum],
    size: (u32, u32),
) -> Result<Vec<Vec<RgbImage>>, Failure> {
    let alone = |album: &SyntheticAlbum, photo: usize| {
        let index = 1000 + album.index * PHOTOS as u64 + photo as u64;
        SyntheticAlbum {
            id: SyntheticAlbum::id_of(index),
            index,
            summary: album.captions[photo].clone(),
            captions: vec![album.captions[photo].clone()],
            ..album.clone()
        }
    };
    albums
        .iter()
        .map(|album| {
            let apart: Vec<_> = (0..album.captions.len()).map(|p| alone(album, p)).collect();
            Ok(draw(painter, &apart, size)?.concat())
        })
        .collect()
}

/// Mean cosines: of the pairs within each album, and of the pairs of each two albums.
struct Cosines {
    within: Vec<f64>,
    across: Vec<Vec<f64>>,
}

fn cosines(tagger: &Tagger, albums: &[Vec<RgbImage>]) -> Result<Cosines, Failure> {
    let mut vectors = Vec::new();
    for album in albums {
        let mut features = tagger.features(album)?;
        for vector in &mut features {
            let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            for x in vector.iter_mut() {
                *x /= norm;
            }
        }
        vectors.push(features);
    }
    let cosine = |a: &[f32], b: &[f32]| f64::from(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>());
    let mean = |pairs: Vec<f64>| pairs.iter().sum::<f64>() / pairs.len() as f64;
    let within = vectors.iter().map(|album| {
        let pairs = (0..album.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        mean(pairs.map(|(i, j)| cosine(&album[i], &album[j])).collect())
    });
    let across = vectors.iter().map(|a| {
        let with = |b: &Vec<Vec<f32>>| {
            let pairs = a.iter().flat_map(|x| b.iter().map(move |y| cosine(x, y)));
            mean(pairs.collect())
        };
        vectors.iter().map(with).collect()
    });
    Ok(Cosines {
        within: within.collect(),
        across: across.collect(),
    })
}

/// Mean within, mean across and their difference for a choice of albums.
fn means(cosines: &Cosines, chosen: &[usize]) -> [f64; 3] {
    let within = chosen.iter().map(|&a| cosines.within[a]).sum::<f64>() / chosen.len() as f64;
    let (mut sum, mut pairs) = (0.0, 0);
    for (i, &a) in chosen.iter().enumerate() {
        for &b in &chosen[..i] {
            if a != b {
                sum += cosines.across[a][b];
                pairs += 1;
            }
        }
    }
    let across = sum / f64::from(pairs.max(1));
    [within, across, within - across]
}

fn print_row(name: &str, cosines: &Cosines) {
    let n = cosines.within.len();
    let all: Vec<usize> = (0..n).collect();
    let point = means(cosines, &all);
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let mut samples: Vec<[f64; 3]> = (0..RESAMPLES)
        .map(|_| {
            let chosen: Vec<usize> = (0..n).map(|_| rng.next_u64() as usize % n).collect();
            means(cosines, &chosen)
        })
        .collect();
    let cells: Vec<String> = (0..3)
        .map(|k| {
            samples.sort_by(|a, b| a[k].total_cmp(&b[k]));
            let at = |share: f64| samples[(share * (RESAMPLES - 1) as f64) as usize][k];
            format!("{:.3} ({:.3} to {:.3})", point[k], at(0.025), at(0.975))
        })
        .collect();
    println!("| {name} | {} |", cells.join(" | "));
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [assets, checkpoint] = &arguments[..] else {
        return Err("usage: album_coherence ASSETS CHECKPOINT".into());
    };
    let tagger = Tagger::load(&assets.join("efficientnet-lite0/efficientnet-lite0-57934424.pth"))?;
    let albums = albums();
    println!("{} albums of {PHOTOS} photos", albums.len());
    println!("| renderer | within | across | within - across |\n|---|---|---|---|");

    let embedder = Arc::new(Embedder::load(&assets.join("all-minilm-l6-v2"))?);
    let icons = assets.join("fluent-emoji-flat/icons.json");
    let illustrator = Illustrator::load(&icons, embedder, None)?;
    let size = (256, 192);
    let pictures = draw_apart(&illustrator, &albums, size)?;
    print_row(
        "illustrations, each photo planned alone",
        &cosines(&tagger, &pictures)?,
    );
    let pictures = draw(&illustrator, &albums, size)?;
    print_row(
        "illustrations, planned by album",
        &cosines(&tagger, &pictures)?,
    );

    for (name, album_noise, album_style) in [
        ("diffusion, no album options", 0.0, false),
        ("diffusion, album_style", 0.0, true),
        ("diffusion, album_noise 0.2", 0.2, false),
        ("diffusion, both (the defaults)", 0.2, true),
        ("diffusion, album_style, album_noise 0.5", 0.5, true),
        ("diffusion, album_style, album_noise 0.9", 0.9, true),
    ] {
        let config = RenderConfig {
            width: 128,
            height: 96,
            steps: 8,
            album_noise,
            album_style,
            ..RenderConfig::default()
        };
        let model = TextToImage::load(checkpoint, &LoadOptions::default())?;
        let painter = DiffusionPainter::new(model, &config)?;
        let pictures = draw(&painter, &albums, (config.width, config.height))?;
        print_row(name, &cosines(&tagger, &pictures)?);
    }
    Ok(())
}
