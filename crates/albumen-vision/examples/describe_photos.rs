//! Prints the tagger's sentence, its tags and its detections for each photo of a folder:
//! `cargo run --release -p albumen-vision --example describe_photos -- ASSETS FOLDER`
//! where ASSETS holds efficientnet-lite0/ and nanodet/.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::PathBuf;
use std::time::Instant;

use albumen_vision::describe::describe;
use albumen_vision::facts::Facts;
use albumen_vision::{Detector, Tagger};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [assets, folder] = &arguments[..] else {
        return Err("usage: describe_photos ASSETS FOLDER".into());
    };
    let tagger = Tagger::load(&assets.join("efficientnet-lite0/efficientnet-lite0-57934424.pth"))?;
    let detector = Detector::load(&assets.join("nanodet"))?;
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    let started = Instant::now();
    for batch in paths.chunks(16) {
        let images: Vec<_> = batch
            .iter()
            .map(|path| Ok(image::open(path)?.to_rgb8()))
            .collect::<Result<_, image::ImageError>>()?;
        let tags = tagger.tags(&images)?;
        let detections = detector.detect(&images, 0.25)?;
        for (i, path) in batch.iter().enumerate() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let sentence = describe(&Facts::of(&images[i])?, &tags[i], &detections[i]);
            println!("{name}\t{sentence}");
            let tags = tags[i]
                .iter()
                .take(5)
                .map(|t| format!("{} {:.2}", t.noun, t.probability));
            println!("\t{}", tags.collect::<Vec<_>>().join(", "));
            let found = detections[i].iter().take(8);
            let found = found.map(|d| format!("{} {:.2} ({:.2})", d.noun(), d.score, d.area()));
            println!("\t{}", found.collect::<Vec<_>>().join(", "));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} photos, {:.3} s a photo",
        paths.len(),
        seconds / paths.len().max(1) as f64
    );
    Ok(())
}
