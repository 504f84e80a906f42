//! Draws albums as contact sheets: `illustrate ASSETS OUT_DIR < albums.txt`.
//!
//! ASSETS is the folder `$ALBUMEN_HOME/assets`. The input holds one album a paragraph: its summary
//! on the first line, a caption on each line after it.

use std::error::Error;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use albumen_illustrations::{AlbumText, Illustrator};
use albumen_vision::Embedder;
use image::RgbImage;
use rayon::prelude::*;

const SIDE: u32 = 384;
const GAP: u32 = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(assets), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("usage: illustrate ASSETS OUT_DIR < albums.txt".into());
    };
    std::fs::create_dir_all(&out)?;
    let embedder = Arc::new(Embedder::load(&assets.join("all-minilm-l6-v2"))?);
    let icons = assets.join("fluent-emoji-flat/icons.json");
    let cache = out.join("names.safetensors");
    let illustrator = Illustrator::load(&icons, embedder, Some(&cache))?;
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    for (i, album) in text
        .split("\n\n")
        .filter(|a| !a.trim().is_empty())
        .enumerate()
    {
        let mut lines = album.trim().lines().map(str::to_owned);
        let summary = lines.next().unwrap_or_default();
        let captions: Vec<String> = lines.collect();
        let album = AlbumText {
            summary: &summary,
            captions: &captions,
            seed: 1,
        };
        let style = illustrator.plan_album(&album)?;
        let photos = captions
            .par_iter()
            .enumerate()
            .map(|(n, caption)| illustrator.draw(&style, caption, n as u64, (SIDE, SIDE)))
            .collect::<Result<Vec<RgbImage>, _>>()?;
        sheet(&photos).save(out.join(format!("album_{i:02}.png")))?;
    }
    Ok(())
}

/// Photos side by side, four a row.
fn sheet(photos: &[RgbImage]) -> RgbImage {
    let columns = photos.len().clamp(1, 4) as u32;
    let rows = (photos.len() as u32).div_ceil(columns).max(1);
    let step = SIDE + GAP;
    let mut out = RgbImage::from_pixel(
        columns * step - GAP,
        rows * step - GAP,
        image::Rgb([255; 3]),
    );
    for (i, photo) in photos.iter().enumerate() {
        let (x, y) = (i as u32 % columns * step, i as u32 / columns * step);
        image::imageops::replace(&mut out, photo, i64::from(x), i64::from(y));
    }
    out
}
