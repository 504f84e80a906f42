//! Memory of the stages that see and draw pictures with models of the user's.

use std::path::{Path, PathBuf};

use albumen_diffusion::DType;
use albumen_lm::Device;
use albumen_schema::Config;
use albumen_synth::diffuse::settings;
use tempfile::TempDir;

use super::{Basis, Need};
use crate::models::{self, Look, Models};
use crate::stages::{caption_settings, captioner_format, renderer};

/// A directory to estimate: the model's own, or one with its published shape.
enum Directory {
    Own(PathBuf),
    Sketch(TempDir),
}

impl Directory {
    fn of(look: &Look) -> anyhow::Result<Option<Self>> {
        Ok(match look {
            Look::There(found) => found.path().ok().map(|path| Self::Own(path.to_owned())),
            Look::ToFetch { known: None, .. } => None,
            Look::ToFetch {
                known: Some(known), ..
            } => {
                let dir = tempfile::tempdir()?;
                known.sketch(dir.path())?;
                Some(Self::Sketch(dir))
            }
        })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Own(path) => path,
            Self::Sketch(dir) => dir.path(),
        }
    }

    fn basis(&self) -> Basis {
        match self {
            Self::Own(_) => Basis::Headers,
            Self::Sketch(_) => Basis::Published,
        }
    }
}

/// `caption` with a vision-language model: photos one at a time on a device, one a thread on the
/// processor.
pub(super) fn captioning(config: &Config, look: &Look) -> anyhow::Result<Need> {
    let device = models::device(&config.compute)?;
    let need = |basis| Need::new("caption", look.name(), &device, basis);
    let Some(directory) = Directory::of(look)? else {
        return Ok(need(look.is_endpoint().then_some(Basis::Headers)));
    };
    let photos = match device {
        Device::Cpu => std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
        _ => 1,
    };
    let dtype = captioner_format(&config.compute, device);
    let settings = caption_settings(&config.caption);
    let estimate = albumen_captioner::estimate(directory.path(), dtype, &settings)?;
    Ok(need(Some(directory.basis()))
        .with("weights", estimate.weights_bytes)
        .with("activations", photos * estimate.activations_bytes)
        .with("caches", photos * estimate.cache_bytes))
}

/// `render` with a text-to-image model; `None` for the illustrator, which takes little.
pub(super) fn rendering(config: &Config, models: &Models) -> anyhow::Result<Option<Need>> {
    let render = &config.render;
    if render.is_illustration() {
        return Ok(None);
    }
    let device = models::device(&config.compute)?;
    let look = models.look(&render.model)?;
    let need = |basis| Need::new("render", look.name(), &device, basis);
    let Some(directory) = Directory::of(&look)? else {
        return Ok(Some(need(look.is_endpoint().then_some(Basis::Headers))));
    };
    // On the processor pictures are drawn one after another.
    let batch = if device == Device::Cpu {
        1
    } else {
        render.batch
    };
    // Counted as on the processor, which draws no bf16 (as wide as f16) and holds T5 in f32: of models
    // with a T5 a device takes less than this.
    let mut options = renderer::options(render);
    if device != Device::Cpu && options.dtype == DType::BF16 {
        options.dtype = DType::F16;
    }
    let settings = settings(render)?;
    let estimate = albumen_diffusion::estimate(directory.path(), &options, &settings, batch)?;
    Ok(Some(
        need(Some(directory.basis()))
            .with("weights", estimate.weight_bytes())
            .with("activations", estimate.activation_bytes),
    ))
}
