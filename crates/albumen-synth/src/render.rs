//! Kept albums become pictures: `images/<album-id>/<photo, from 01>.<extension>`.

mod endpoint;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use albumen_illustrations::{AlbumText, IllustrationError, Illustrator};
use albumen_schema::config::RenderConfig;
use albumen_schema::{SyntheticAlbum, TOOL};
use image::RgbImage;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::{Result, SynthError, io_error};
use crate::files;

pub use endpoint::EndpointPainter;

/// Holds the hash of what the pictures beside it were made from.
const INPUTS_FILE: &str = "inputs.sha256";

/// Extension and format of the pictures.
pub const EXTENSION: &str = "jpg";

/// JPEG quality, 1 to 100.
const QUALITY: u8 = 88;

/// What draws the photos of an album from its text.
pub trait Painter: Sync {
    /// Draws the photos `wanted` (from 0) at `size` (width, height) and hands each to `done` as
    /// soon as it is ready. A picture depends on the album's text, `seed` and the photo's index
    /// alone.
    ///
    /// # Errors
    /// [`SynthError::Paint`], and whatever `done` returns.
    fn paint(
        &self,
        album: &SyntheticAlbum,
        wanted: &[usize],
        seed: u64,
        size: (u32, u32),
        done: &mut dyn FnMut(usize, &RgbImage) -> Result<()>,
    ) -> Result<()>;

    /// How many albums to draw at once; `None`: one a processor.
    fn albums_at_once(&self) -> Option<usize> {
        None
    }
}

impl Painter for Illustrator {
    fn paint(
        &self,
        album: &SyntheticAlbum,
        wanted: &[usize],
        seed: u64,
        size: (u32, u32),
        done: &mut dyn FnMut(usize, &RgbImage) -> Result<()>,
    ) -> Result<()> {
        let failed = |e: IllustrationError| SynthError::Paint {
            album: album.id.clone(),
            reason: e.to_string(),
        };
        let text = AlbumText {
            summary: &album.summary,
            captions: &album.captions,
            seed,
        };
        let style = self.plan_album(&text).map_err(failed)?;
        for &photo in wanted {
            let caption = &album.captions[photo];
            let picture = self
                .draw(&style, caption, photo as u64, size)
                .map_err(failed)?;
            done(photo, &picture)?;
        }
        Ok(())
    }
}

/// How far rendering has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Pictures that lie finished.
    pub done: usize,
    /// Pictures in all.
    pub total: usize,
}

/// What a call of [`render`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Pictures drawn now.
    pub drawn: usize,
    /// Pictures that an earlier call had finished.
    pub reused: usize,
}

/// Where the picture of photo `photo` (from 0) of an album lies, relative to the images' directory.
pub fn image_path(album_id: &str, photo: usize) -> String {
    format!("{album_id}/{:02}.{EXTENSION}", photo + 1)
}

/// Draws every photo of `albums` into `images`, albums side by side where the painter allows it.
///
/// `model` identifies the renderer's weights.
///
/// A picture that lies there finished is not drawn again, so a killed call goes on where it
/// stopped; where the directory was made from other texts, settings, weights or seeds, it is emptied
/// first.
/// Pictures depend on the album's text, `seed` and the photo's index alone, not on threads, shards
/// or the other albums. `progress` is called from several threads.
///
/// # Errors
/// [`SynthError::Paint`] or [`SynthError::Io`]; the pictures finished before stay.
pub fn render(
    albums: &[&SyntheticAlbum],
    painter: &dyn Painter,
    config: &RenderConfig,
    model: &str,
    seed: u64,
    images: &Path,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Rendered> {
    claim(images, &fingerprint(albums, config, model, seed)?)?;
    let size = (config.width, config.height);
    let total = albums.iter().map(|album| album.captions.len()).sum();
    let done = AtomicUsize::new(0);
    let drawn = AtomicUsize::new(0);
    let step = |count: usize| {
        let done = done.fetch_add(count, Ordering::Relaxed) + count;
        progress(Progress { done, total });
    };
    let draw = |album: &&SyntheticAlbum| {
        let place = |photo| images.join(image_path(&album.id, photo));
        let wanted: Vec<usize> = (0..album.captions.len())
            .filter(|&photo| !place(photo).exists())
            .collect();
        step(album.captions.len() - wanted.len());
        if wanted.is_empty() {
            return Ok(());
        }
        painter.paint(
            album,
            &wanted,
            album_seed(seed, album.index),
            size,
            &mut |photo, picture| {
                files::write_bytes(&place(photo), &encode(picture, &place(photo))?)?;
                drawn.fetch_add(1, Ordering::Relaxed);
                step(1);
                Ok(())
            },
        )
    };
    let draw_all = || albums.par_iter().try_for_each(draw);
    match painter.albums_at_once() {
        None => draw_all(),
        Some(threads) => rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| SynthError::Threads(e.to_string()))?
            .install(draw_all),
    }?;
    let drawn = drawn.into_inner();
    Ok(Rendered {
        drawn,
        reused: total - drawn,
    })
}

/// The seed of one album's own random stream.
fn album_seed(seed: u64, index: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"albumen render");
    hash.update(seed.to_le_bytes());
    hash.update(index.to_le_bytes());
    let hash = hash.finalize();
    hash.iter()
        .take(8)
        .fold(0, |seed, &byte| seed << 8 | u64::from(byte))
}

/// What pictures are a function of.
fn fingerprint(
    albums: &[&SyntheticAlbum],
    config: &RenderConfig,
    model: &str,
    seed: u64,
) -> Result<String> {
    let settings = serde_json::to_vec(&config.drawn()).map_err(SynthError::Json)?;
    let mut hash = albumen_files::Hasher::default();
    let mut field = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(TOOL.as_bytes());
    field(&settings);
    field(model.as_bytes());
    field(&seed.to_le_bytes());
    for album in albums {
        field(album.id.as_bytes());
        field(&album.index.to_le_bytes());
        field(album.summary.as_bytes());
        field(&(album.captions.len() as u64).to_le_bytes());
        for caption in &album.captions {
            field(caption.as_bytes());
        }
    }
    Ok(hash.hex())
}

/// Makes the directory ready for pictures of this fingerprint.
fn claim(images: &Path, fingerprint: &str) -> Result<()> {
    let inputs = images.join(INPUTS_FILE);
    if std::fs::read_to_string(&inputs).is_ok_and(|found| found == fingerprint) {
        return Ok(());
    }
    if images.exists() {
        std::fs::remove_dir_all(images).map_err(io_error("remove", images))?;
    }
    files::write_bytes(&inputs, fingerprint.as_bytes())
}

fn encode(picture: &RgbImage, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(
            &mut bytes, QUALITY,
        ))
        .map_err(|e| SynthError::Encode {
            path: PathBuf::from(path),
            reason: e.to_string(),
        })?;
    Ok(bytes)
}
