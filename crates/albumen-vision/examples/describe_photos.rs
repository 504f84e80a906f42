//! Prints the tagger's sentence and its tags for each photo of a folder:
//! `cargo run --release -p albumen-vision --example describe_photos -- CHECKPOINT.pth FOLDER`
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::PathBuf;
use std::time::Instant;

use albumen_vision::describe::describe;
use albumen_vision::facts::Facts;
use albumen_vision::tagger::Tagger;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [checkpoint, folder] = &arguments[..] else {
        return Err("usage: describe_photos CHECKPOINT.pth FOLDER".into());
    };
    let tagger = Tagger::load(checkpoint)?;
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
        for ((path, image), tags) in batch.iter().zip(&images).zip(tagger.tags(&images)?) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            println!("{name}\t{}", describe(&Facts::of(image)?, &tags));
            let tags: Vec<_> = tags
                .iter()
                .take(5)
                .map(|t| format!("{} {:.2}", t.noun, t.probability))
                .collect();
            println!("\t{}", tags.join(", "));
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
