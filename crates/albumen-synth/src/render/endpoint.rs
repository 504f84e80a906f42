//! Pictures drawn by a server. It sees synthetic text only.

use albumen_endpoint::{Client, PictureRequest};
use albumen_schema::SyntheticAlbum;
use image::RgbImage;
use sha2::{Digest, Sha256};

use super::Painter;
use crate::error::{Result, SynthError};
use crate::style::AlbumStyle;

/// A text-to-image model behind a server.
pub struct EndpointPainter {
    /// The server.
    pub client: Client,
    /// What pictures must not show; empty for none.
    pub negative_prompt: String,
    /// Whether what the album has in common stands before each caption.
    pub album_style: bool,
}

impl Painter for EndpointPainter {
    fn paint(
        &self,
        album: &SyntheticAlbum,
        wanted: &[usize],
        seed: u64,
        size: (u32, u32),
        done: &mut dyn FnMut(usize, &RgbImage) -> Result<()>,
    ) -> Result<()> {
        let style = self.album_style.then(|| AlbumStyle::of(album, seed));
        let draw = |&photo: &usize| {
            let caption = &album.captions[photo];
            let prompt = match &style {
                Some(style) => style.prompt(caption),
                None => caption.clone(),
            };
            let request = PictureRequest {
                prompt: &prompt,
                negative_prompt: &self.negative_prompt,
                size,
                seed: photo_seed(seed, photo),
            };
            self.client
                .draw(&request)
                .map_err(|source| SynthError::Endpoint {
                    album: album.id.clone(),
                    source,
                })
        };
        self.client
            .ask_all(wanted, draw, |index, picture| done(wanted[index], &picture))
    }

    /// As many as there may be requests, however few processors there are: most of the time is spent
    /// waiting.
    fn albums_at_once(&self) -> Option<usize> {
        Some(self.client.concurrency())
    }
}

/// The seed of one picture, from its album's.
fn photo_seed(album_seed: u64, photo: usize) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"albumen endpoint picture");
    hash.update(album_seed.to_le_bytes());
    hash.update((photo as u64).to_le_bytes());
    let hash = hash.finalize();
    hash.iter()
        .take(8)
        .fold(0, |seed, &byte| seed << 8 | u64::from(byte))
}
