//! The illustration renderer: what it plans, what it paints, and what it refuses.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test may panic as the test itself may"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use albumen_illustrations::{
    AlbumStyle, AlbumText, IllustrationError, Illustrator, Scene, Shot, TimeOfDay, Weather,
};
use albumen_vision::Embedder;
use image::RgbImage;
use rayon::prelude::*;

const SIZE: (u32, u32) = (256, 256);

/// A file of a downloaded asset; fails with the mend where it is absent.
fn asset(name: &str, file: &str) -> PathBuf {
    let home = albumen_assets::Home::locate().expect("a home folder");
    home.require(name, file).unwrap_or_else(|e| panic!("{e}"))
}

fn icons() -> PathBuf {
    asset("fluent-emoji-flat", "icons.json")
}

fn embedder() -> Arc<Embedder> {
    static ONCE: OnceLock<Arc<Embedder>> = OnceLock::new();
    ONCE.get_or_init(|| {
        let weights = asset("all-minilm-l6-v2", "model.safetensors");
        let dir = weights.parent().expect("a file has a folder");
        Arc::new(Embedder::load(dir).expect("the embedder loads"))
    })
    .clone()
}

/// Loaded once: the tests of this file run as threads or as processes, both work.
fn illustrator() -> &'static Illustrator {
    static ONCE: OnceLock<Illustrator> = OnceLock::new();
    ONCE.get_or_init(|| {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("icon_names.safetensors");
        Illustrator::load(&icons(), embedder(), Some(&cache)).expect("the renderer loads")
    })
}

fn album(summary: &str, captions: &[&str], seed: u64) -> (AlbumStyle, Vec<String>) {
    let captions: Vec<String> = captions.iter().map(|&c| c.to_owned()).collect();
    let text = AlbumText {
        summary,
        captions: &captions,
        seed,
    };
    (illustrator().plan_album(&text).unwrap(), captions)
}

fn scene(caption: &str) -> Scene {
    let (style, _) = album("A sunny day", &[caption], 3);
    illustrator().scene(&style, caption, 0, SIZE).unwrap()
}

/// The icons that the caption named, in order of name.
fn subjects(scene: &Scene) -> Vec<&str> {
    let mut names: Vec<&str> = scene
        .items
        .iter()
        .filter(|i| !i.prop)
        .map(|i| i.icon.as_str())
        .collect();
    names.sort_unstable();
    names
}

fn mean_colour(picture: &RgbImage) -> [f64; 3] {
    let n = f64::from(picture.width() * picture.height());
    let mut sum = [0.0; 3];
    for p in picture.pixels() {
        for (s, v) in sum.iter_mut().zip(p.0) {
            *s += f64::from(v) / n;
        }
    }
    sum
}

#[test]
fn counts_are_drawn() {
    assert_eq!(subjects(&scene("two dogs in the park")), ["dog", "dog"]);
    assert_eq!(
        subjects(&scene("a cat and three birds")),
        ["bird", "bird", "bird", "cat"]
    );
    assert_eq!(subjects(&scene("A photo of cows, in daylight")), ["cow"; 3]);
    assert_eq!(subjects(&scene("4 boats on the sea")), ["sailboat"; 4]);
    assert_eq!(
        subjects(&scene("an orange and two lemons")),
        ["lemon", "lemon", "tangerine"]
    );
    assert_eq!(subjects(&scene("A photo of a tent, in orange")), ["tent"]);
}

#[test]
fn words_without_an_icon_get_their_kind_s() {
    for (caption, icon) in [
        ("A photo of a golden retriever", "dog"),
        ("A photo of a tench", "fish"),
        ("A photo of a monastery", "church"),
        ("A photo of a cello, in dim light", "violin"),
        ("A photo of a Granny Smith", "green-apple"),
        ("A photo of a wolf spider", "spider"),
        // No table knows these: the embeddings do.
        ("A photo of a mandolin", "guitar"),
        ("A photo of a sloop", "ship"),
        ("A photo of a biscuit", "cookie"),
    ] {
        assert_eq!(subjects(&scene(caption)), [icon], "{caption}");
    }
}

#[test]
fn a_kind_is_drawn_as_one_of_its_icons() {
    let (style, _) = album("Tools", &[], 1);
    let drawn: BTreeSet<String> = (0..24)
        .map(|n| {
            let s = illustrator()
                .scene(&style, "A photo of a tool", n, SIZE)
                .unwrap();
            assert_eq!(s.background.place, "workshop");
            subjects(&s).join(" ")
        })
        .collect();
    assert!(drawn.len() >= 3 && drawn.contains("hammer"), "{drawn:?}");
}

#[test]
fn words_that_only_begin_like_an_icon_s_are_not_drawn_as_it() {
    // Cosines of 0.54 and 0.52 with "hamster" and "bullseye": spelling, not meaning.
    assert!(subjects(&scene("A photo of a hammock")).is_empty());
    assert!(subjects(&scene("A photo of a bullock cart")) != ["bullseye"]);
}

#[test]
fn a_guess_is_drawn_only_where_nothing_is_sure() {
    assert_eq!(
        subjects(&scene("A photo of a church, perhaps a palace")),
        ["church"]
    );
    assert_eq!(subjects(&scene("Perhaps a palace")), ["castle"]);
}

#[test]
fn place_light_and_weather_follow_the_caption() {
    let s = scene("Two people and a dog by a lake at sunset").background;
    assert_eq!((s.place.as_str(), s.time), ("lake", TimeOfDay::Dusk));
    let s = scene("A tent in the forest at night").background;
    assert_eq!((s.place.as_str(), s.time), ("forest", TimeOfDay::Night));
    let s = scene("A car in a rainy street").background;
    assert_eq!((s.place.as_str(), s.weather), ("street", Weather::Rain));
    let s = scene("Close-up of a shark").background;
    assert_eq!((s.place.as_str(), s.shot), ("underwater", Shot::Close));
    // A place that no table names: the description nearest in meaning.
    assert_eq!(scene("Heat and dust everywhere").background.place, "desert");
}

#[test]
fn caption_colours_reach_the_subject() {
    let red = scene("A red car on the road");
    let car = red.items.iter().find(|i| i.icon == "automobile").unwrap();
    let to = car.recolour.unwrap().to;
    assert!(to.r > 0.7 && to.g < 0.4 && to.b < 0.4, "{to:?}");
    let gold = scene("A photo of a goldfish, mostly black");
    let to = gold
        .items
        .iter()
        .find(|i| i.icon == "fish")
        .and_then(|i| i.recolour)
        .unwrap()
        .to;
    assert!(to.r > 0.8 && to.b < 0.4, "a goldfish is orange: {to:?}");
    assert_eq!(
        scene("A photo of a beach, mostly blue and grey")
            .background
            .colours
            .len(),
        2
    );
    // "mostly green" is not the colour of the elephant.
    let grey = scene("A photo of an elephant, mostly green");
    assert!(
        grey.items
            .iter()
            .any(|i| i.icon == "elephant" && i.recolour.is_none())
    );
}

#[test]
fn subjects_are_large_inside_the_frame_and_apart() {
    for caption in [
        "A photo of a church and a fountain, in bright daylight, mostly blue and grey",
        "six dogs",
        "A pizza and a glass of wine on the table",
        "a family with a dog and a ball on the beach",
        "three jellyfish and a shark",
    ] {
        let (style, _) = album("", &[caption], 5);
        for photo in 0..12 {
            let s = illustrator().scene(&style, caption, photo, SIZE).unwrap();
            for i in s.items.iter().filter(|i| !i.prop) {
                assert!(i.scale > 0.09, "{caption}: {i:?}");
                assert!(
                    (0.05..0.95).contains(&i.x) && i.y <= 1.03,
                    "{caption}: {i:?}"
                );
                assert!(i.y - i.scale > -0.1, "{caption}: {i:?}");
            }
            let all: Vec<_> = s.items.iter().filter(|i| !i.prop).collect();
            for (n, i) in all.iter().enumerate() {
                for j in &all[..n] {
                    let apart = (i.x - j.x).abs().max((i.y - j.y).abs());
                    assert!(apart > 0.05, "{caption}: {i:?} hides {j:?}");
                }
            }
        }
    }
}

#[test]
fn people_keep_their_looks_through_an_album() {
    let captions = ["a woman walking in the park", "a woman by a lake at night"];
    let look = |seed: u64| {
        let (style, captions) = album("A family outing", &captions, seed);
        let looks: Vec<(String, String)> = captions
            .iter()
            .enumerate()
            .map(|(n, c)| {
                let s = illustrator().scene(&style, c, n as u64, SIZE).unwrap();
                let she = s
                    .items
                    .iter()
                    .find(|i| i.icon.starts_with("woman-"))
                    .unwrap();
                let tone = she.icon.splitn(3, '-').nth(2).unwrap().to_owned();
                (tone, format!("{:?}", she.recolour.unwrap().to))
            })
            .collect();
        assert_eq!(looks[0], looks[1], "seed {seed}");
        looks[0].clone()
    };
    let all: BTreeSet<(String, String)> = (0..12).map(look).collect();
    assert!(all.len() > 3, "albums have different people: {all:?}");
}

#[test]
fn the_summary_s_people_stand_in_where_a_caption_names_nobody() {
    let (style, _) = album("A dog at the beach", &["Resting on the sand"], 1);
    let s = illustrator()
        .scene(&style, "Resting on the sand", 0, SIZE)
        .unwrap();
    assert_eq!(
        (subjects(&s), s.background.place.as_str()),
        (vec!["dog"], "beach")
    );
}

#[test]
fn pictures_depend_on_text_seed_and_index_alone() {
    let captions = [
        "two dogs in the snow",
        "a boat on a lake at sunset",
        "a guitar on stage",
        "fruit on the kitchen table",
        "",
    ];
    let (style, captions) = album("A winter week with friends", &captions, 7);
    let draw = |n: usize| {
        illustrator()
            .draw(&style, &captions[n], n as u64, SIZE)
            .unwrap()
    };
    let forward: Vec<RgbImage> = (0..captions.len()).map(draw).collect();
    // Another loading, another order, many threads.
    let fresh = Illustrator::load(&icons(), embedder(), None).unwrap();
    let text = AlbumText {
        summary: "A winter week with friends",
        captions: &captions,
        seed: 7,
    };
    let again = fresh.plan_album(&text).unwrap();
    let backward: Vec<RgbImage> = (0..captions.len())
        .into_par_iter()
        .rev()
        .map(|n| fresh.draw(&again, &captions[n], n as u64, SIZE).unwrap())
        .collect();
    for (n, picture) in backward.iter().rev().enumerate() {
        assert!(forward[n] == *picture, "photo {n} differs");
    }
    let other = illustrator().draw(&style, &captions[0], 1, SIZE).unwrap();
    assert!(
        forward[0] != other,
        "two photos of one caption are two pictures"
    );
}

#[test]
fn any_size_and_an_empty_caption_draw() {
    let (style, _) = album("", &[], 0);
    for size in [(64, 64), (320, 200), (200, 320), (1, 1)] {
        let picture = illustrator().draw(&style, "", 0, size).unwrap();
        assert_eq!(picture.dimensions(), size);
    }
    let picture = illustrator().draw(&style, "", 0, SIZE).unwrap();
    let shades: BTreeSet<[u8; 3]> = picture.pixels().map(|p| p.0).collect();
    assert!(
        shades.len() > 100,
        "a background is there: {} shades",
        shades.len()
    );
    let refused = illustrator()
        .draw(&style, "", 0, (0, 10))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("0 x 10"), "{refused}");
}

#[test]
fn photos_of_one_album_share_a_palette() {
    // The same caption and photo index in many albums: within an album the photos' mean colours
    // are nearer to one another than to other albums'.
    let caption = "a dog in the meadow in bright daylight";
    let means: Vec<Vec<[f64; 3]>> = (0..8_u64)
        .into_par_iter()
        .map(|seed| {
            let summary = [
                "A safari in the desert",
                "Snow in the mountains",
                "A concert",
                "Boats at the coast",
            ][seed as usize % 4];
            let (style, _) = album(summary, &[], seed);
            (0..4)
                .map(|n| mean_colour(&illustrator().draw(&style, caption, n, (96, 96)).unwrap()))
                .collect()
        })
        .collect();
    let distance = |a: &[f64; 3], b: &[f64; 3]| {
        a.iter()
            .zip(b)
            .map(|(x, y)| (x - y).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let (mut within, mut between) = (Vec::new(), Vec::new());
    for (i, a) in means.iter().enumerate() {
        for (j, b) in means.iter().enumerate().skip(i) {
            for (m, x) in a.iter().enumerate() {
                for (n, y) in b.iter().enumerate() {
                    if i != j {
                        between.push(distance(x, y));
                    } else if m < n {
                        within.push(distance(x, y));
                    }
                }
            }
        }
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (within, between) = (mean(&within), mean(&between));
    assert!(
        within * 1.6 < between,
        "within {within:.1}, between {between:.1}"
    );
}

#[test]
fn signs_and_symbols_are_never_drawn() {
    let banned = [
        "flag",
        "-button",
        "keycap",
        "left-arrow",
        "right-arrow",
        "oclock",
        "-thirty",
        "heart",
        "-square",
        "-circle",
        "-sign",
        "aries",
        "taurus",
        "gemini",
        "virgo",
        "libra",
        "scorpio",
        "capricorn",
        "pisces",
        "face-with",
        "hand-with",
        "hands",
        "finger",
        "input-",
        "mark",
    ];
    let allowed = ["flag-in-hole", "litter-in-bin-sign", "scorpion", "handbag"];
    for name in illustrator().icon_names() {
        let bad = banned.iter().any(|b| name.contains(b)) && !allowed.contains(&name.as_str());
        assert!(!bad, "{name} is in the pool");
        assert!(
            !name.ends_with("-light") && !name.ends_with("-dark"),
            "{name} is a variant"
        );
    }
    let pool: BTreeSet<&String> = illustrator().icon_names().iter().collect();
    for caption in [
        "a red heart",
        "the number 7",
        "a capricorn",
        "an arrow to the left",
        "a thumb",
    ] {
        for i in scene(caption).items {
            let base = i.icon.split("-medium").next().unwrap();
            let base = base
                .trim_end_matches("-light")
                .trim_end_matches("-dark")
                .to_owned();
            assert!(pool.contains(&base), "{caption}: {}", i.icon);
        }
    }
}

#[test]
fn damaged_icon_files_are_named_with_the_mend() {
    let dir = tempfile::tempdir().unwrap();
    let load = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let error = Illustrator::load(&path, embedder(), None)
            .err()
            .expect("refused");
        assert!(matches!(error, IllustrationError::Format { .. }), "{error}");
        error.to_string()
    };
    let cut = load("cut.json", "{\"icons\": {\n\"dog\": {\"body\": \"<path");
    assert!(cut.contains("cut.json") && cut.contains("line 2"), "{cut}");
    let other = load(
        "other.json",
        r#"{"icons": {"home-outline": {"body": "<path/>"}}}"#,
    );
    assert!(other.contains("Fluent emoji"), "{other}");
    let empty = load("empty.json", "");
    assert!(empty.contains("EOF"), "{empty}");
    let missing = Illustrator::load(&dir.path().join("none.json"), embedder(), None)
        .err()
        .unwrap();
    assert!(
        matches!(missing, IllustrationError::MissingFile { .. }),
        "{missing}"
    );
}

#[test]
fn a_damaged_icon_is_named_when_it_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("icons.json");
    std::fs::write(
        &path,
        r#"{"icons": {"dog": {"body": "<path d="}}, "width": 32, "height": 32}"#,
    )
    .unwrap();
    let one = Illustrator::load(&path, embedder(), None).unwrap();
    let text = AlbumText {
        summary: "",
        captions: &[],
        seed: 0,
    };
    let style = one.plan_album(&text).unwrap();
    let error = one.draw(&style, "a dog", 0, SIZE).unwrap_err().to_string();
    assert!(error.contains("`dog`"), "{error}");
}

#[test]
fn a_stale_or_damaged_cache_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("icons.json");
    let few = r#"{"icons": {"dog": {"body": "<circle r='9' cx='9' cy='9' fill='#a00'/>"}}}"#;
    std::fs::write(&path, few).unwrap();
    let cache = dir.path().join("names.safetensors");
    std::fs::write(&cache, b"not a cache").unwrap();
    let first = Illustrator::load(&path, embedder(), Some(&cache)).unwrap();
    let written = std::fs::read(&cache).unwrap();
    assert!(
        written.len() > 1000,
        "the cache is whole: {} bytes",
        written.len()
    );
    let second = Illustrator::load(&path, embedder(), Some(&cache)).unwrap();
    assert_eq!(
        first.nearest_icon("a puppy").unwrap().unwrap().1.to_bits(),
        second.nearest_icon("a puppy").unwrap().unwrap().1.to_bits()
    );
    assert_eq!(written, std::fs::read(&cache).unwrap());
    // As many icons, but others: the length alone does not tell them apart.
    std::fs::write(&path, few.replace("dog", "cat")).unwrap();
    let third = Illustrator::load(&path, embedder(), Some(&cache)).unwrap();
    assert_eq!(third.icon_names(), ["cat"]);
    assert_ne!(written, std::fs::read(&cache).unwrap());
}
