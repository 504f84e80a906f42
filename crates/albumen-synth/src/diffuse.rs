//! Drawing with a text-to-image model.

use albumen_diffusion::{Noise, NoiseKey, Request, SchedulerKind, Settings, TextToImage};
use albumen_schema::SyntheticAlbum;
use albumen_schema::config::RenderConfig;
use image::RgbImage;

use crate::error::{Result, SynthError};
use crate::render::Painter;
use crate::style::AlbumStyle;

/// A text-to-image model with the settings of `[render]`.
pub struct DiffusionPainter {
    model: TextToImage,
    settings: Settings,
    negative_prompt: String,
    batch: usize,
    album_noise: f64,
    album_style: bool,
}

impl DiffusionPainter {
    /// Takes a loaded model and the settings.
    ///
    /// # Errors
    /// [`SynthError::Renderer`] where the model cannot draw with these settings.
    pub fn new(model: TextToImage, config: &RenderConfig) -> Result<Self> {
        let settings = settings(config)?;
        model.check(&settings).map_err(|e| renderer(&e))?;
        Ok(Self {
            model,
            settings,
            negative_prompt: config.negative_prompt.clone(),
            batch: config.batch.max(1),
            album_noise: config.album_noise,
            album_style: config.album_style,
        })
    }
}

/// The settings of a picture.
///
/// # Errors
/// [`SynthError::Renderer`] for a scheduler that is not there.
pub fn settings(config: &RenderConfig) -> Result<Settings> {
    let scheduler = match config.scheduler.as_str() {
        "" => None,
        name => Some(name.parse::<SchedulerKind>().map_err(|e| renderer(&e))?),
    };
    Ok(Settings {
        width: config.width,
        height: config.height,
        steps: config.steps,
        guidance: config.guidance,
        scheduler,
    })
}

fn renderer(error: &albumen_diffusion::DiffusionError) -> SynthError {
    SynthError::Renderer(error.to_string())
}

impl Painter for DiffusionPainter {
    /// A second album at a time would double the memory of activations, and one already keeps the
    /// device, or every core, busy.
    fn albums_at_once(&self) -> Option<usize> {
        Some(1)
    }

    fn paint(
        &self,
        album: &SyntheticAlbum,
        wanted: &[usize],
        seed: u64,
        size: (u32, u32),
        done: &mut dyn FnMut(usize, &RgbImage) -> Result<()>,
    ) -> Result<()> {
        let style = self.album_style.then(|| AlbumStyle::of(album, seed));
        let mut settings = self.settings.clone();
        (settings.width, settings.height) = size;
        for photos in wanted.chunks(self.batch) {
            let requests: Vec<Request> = photos
                .iter()
                .map(|&photo| Request {
                    prompt: match &style {
                        Some(style) => style.prompt(&album.captions[photo]),
                        None => album.captions[photo].clone(),
                    },
                    negative_prompt: self.negative_prompt.clone(),
                    noise: Noise::Stream(NoiseKey {
                        seed,
                        album: album.index,
                        photo: photo as u64,
                        album_weight: self.album_noise,
                    }),
                })
                .collect();
            let pictures =
                self.model
                    .draw(&requests, &settings)
                    .map_err(|e| SynthError::Paint {
                        album: album.id.clone(),
                        reason: e.to_string(),
                    })?;
            for (&photo, picture) in photos.iter().zip(&pictures) {
                done(photo, picture)?;
            }
        }
        Ok(())
    }
}
