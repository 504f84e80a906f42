//! Captions each photo of a folder and says how fast, and what memory it took beside the estimate:
//! `cargo run --release -p albumen-captioner --example caption_photos -- MODEL_DIR PHOTO_DIR [ROUNDS]`
//! With ROUNDS the photos are captioned so often, and only the pace is printed.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::PathBuf;
use std::time::Instant;

use albumen_captioner::{CaptionSettings, Captioner, DType, Device, estimate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(model), Some(folder)) = (arguments.first(), arguments.get(1)) else {
        return Err("usage: caption_photos MODEL_DIR PHOTO_DIR [ROUNDS]".into());
    };
    let rounds = arguments.get(2).map(|r| r.parse::<usize>()).transpose()?;
    let settings = CaptionSettings {
        max_tokens: 32,
        ..CaptionSettings::default()
    };
    let counted = estimate(model.as_ref(), DType::F32, &settings)?;

    let started = Instant::now();
    let captioner = Captioner::load(model.as_ref(), &Device::Cpu, DType::F32)?;
    let loading = started.elapsed().as_secs_f64();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|p| {
        p.extension()
            .is_some_and(|e| ["png", "jpg", "jpeg", "webp"].iter().any(|k| e == *k))
    });
    paths.sort();

    let (mut photos, mut seconds) = (0, 0.0);
    for _ in 0..rounds.unwrap_or(1) {
        for batch in paths.chunks(16) {
            let images = batch
                .iter()
                .map(|path| Ok(image::open(path)?.to_rgb8()))
                .collect::<Result<Vec<_>, image::ImageError>>()?;
            let started = Instant::now();
            let captions = captioner.caption(&images, &settings)?;
            seconds += started.elapsed().as_secs_f64();
            photos += images.len();
            for (path, caption) in batch.iter().zip(captions).filter(|_| rounds.is_none()) {
                println!(
                    "{}\t{caption}",
                    path.file_name().unwrap_or_default().to_string_lossy()
                );
            }
        }
    }
    println!(
        "{}: loaded in {loading:.2} s; {photos} photos at {:.1} a second; {} parameters; weights {}, a photo's \
         activations {} and cache {} by count; peak {}",
        captioner.architecture(),
        f64::from(u32::try_from(photos)?) / seconds,
        counted.parameters,
        size(counted.weights_bytes),
        size(counted.activations_bytes),
        size(counted.cache_bytes),
        peak().map_or_else(|| "unknown".to_owned(), size),
    );
    Ok(())
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// The process's largest resident size, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
