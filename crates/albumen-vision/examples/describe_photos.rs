//! Prints each photo's sentence by the tagger alone and with the detector beside it, and how long
//! either takes:
//! `cargo run --release -p albumen-vision --example describe_photos -- ASSETS FOLDER [EVERY START]`
//! where ASSETS holds efficientnet-lite0/ and nanodet/. Of the photos in the order of their names,
//! every EVERYth from START on is taken (all where not given), at most 30. With `VERBOSE` set, tags
//! and detections follow each photo.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use albumen_vision::describe::{THRESHOLD, describe};
use albumen_vision::facts::Facts;
use albumen_vision::{Detector, Tagger};

/// Most photos that are taken.
const MOST: usize = 30;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: describe_photos ASSETS FOLDER [EVERY START]";
    let (assets, folder, every, start) = match &arguments[..] {
        [assets, folder] => (assets, folder, 1, 0),
        [assets, folder, every, start] => (assets, folder, every.parse()?, start.parse()?),
        _ => return Err(usage.into()),
    };
    let (assets, verbose) = (PathBuf::from(assets), std::env::var_os("VERBOSE").is_some());
    let tagger = Tagger::load(&assets.join("efficientnet-lite0/efficientnet-lite0-57934424.pth"))?;
    let detector = Detector::load(&assets.join("nanodet"))?;
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    let (mut alone, mut beside) = (Duration::ZERO, Duration::ZERO);
    let chosen: Vec<_> = (paths.iter().skip(start).step_by(every))
        .take(MOST)
        .collect();
    for path in &chosen {
        let image = image::open(path)?.to_rgb8();
        let started = Instant::now();
        let tags = tagger.tags(std::slice::from_ref(&image))?.remove(0);
        let facts = Facts::of(&image)?;
        let before = describe(&facts, &tags, &[]);
        alone += started.elapsed();
        let started = Instant::now();
        let found = detector
            .detect(std::slice::from_ref(&image), THRESHOLD)?
            .remove(0);
        let after = describe(&facts, &tags, &found);
        beside += started.elapsed();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        println!("{name}\t{before}\t{after}");
        if verbose {
            let tags = (tags.iter().take(6)).map(|t| {
                let broad = format!("{} {:.2}", t.broad, t.broad_probability);
                format!("{} {:.2} ({broad})", t.noun, t.probability)
            });
            println!("\t{}", tags.collect::<Vec<_>>().join(", "));
            let found = found.iter().take(12);
            let found = found.map(|d| format!("{} {:.2} ({:.3})", d.noun(), d.score, d.area()));
            println!("\t{}", found.collect::<Vec<_>>().join(", "));
        }
    }
    let each = |time: Duration| time.as_secs_f64() / chosen.len().max(1) as f64;
    println!(
        "{} photos: {:.3} s a photo by the tagger alone, {:.3} s with the detector",
        chosen.len(),
        each(alone),
        each(alone + beside)
    );
    Ok(())
}
