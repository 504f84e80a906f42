//! The golden pipelines of scripts/golden/diffusion_{sd3,flux,z_image}.py, for tests.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, IndexOp, Tensor};
use serde::Deserialize;

use super::{Pipeline, TextToImage};
use crate::checkpoint::Checkpoint;
use crate::noise::{Noise, NoiseKey};
use crate::settings::{LoadOptions, Request, Settings};
use crate::tests::{copy, difference, golden};

#[derive(Deserialize)]
struct Made {
    width: u32,
    height: u32,
    steps: usize,
    prompt: String,
    #[serde(default)]
    negative: String,
    guidance: f64,
}

/// A pipeline and what diffusers made of it.
pub(super) struct Golden {
    name: &'static str,
    pub(super) dir: PathBuf,
    tensors: HashMap<String, Tensor>,
    made: Made,
}

impl Golden {
    pub(super) fn open(name: &'static str) -> Self {
        let dir = golden(name);
        let made = fs::read(dir.join("settings.json")).unwrap();
        let tensors = dir.join("reference.safetensors");
        Self {
            name,
            tensors: candle_core::safetensors::load(tensors, &Device::Cpu).unwrap(),
            made: serde_json::from_slice(&made).unwrap(),
            dir,
        }
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint::open(&self.dir).unwrap()
    }

    /// The first picture's noise, (1, c, h, w).
    pub(super) fn noise(&self) -> Tensor {
        self.tensors["noise"].narrow(0, 0, 1).unwrap()
    }

    pub(super) fn prompt(&self) -> &str {
        &self.made.prompt
    }

    pub(super) fn negative(&self) -> &str {
        &self.made.negative
    }

    /// With the guidance of the reference, or another.
    pub(super) fn settings(&self, guidance: Option<f64>) -> Settings {
        Settings {
            width: self.made.width,
            height: self.made.height,
            steps: self.made.steps,
            guidance: guidance.unwrap_or(self.made.guidance),
            scheduler: None,
        }
    }

    /// The prompts, with picture `i`'s noise.
    pub(super) fn request(&self, i: usize) -> Request {
        let noise = self.tensors["noise"].i(i).unwrap();
        Request {
            prompt: self.made.prompt.clone(),
            negative_prompt: self.made.negative.clone(),
            noise: Noise::Given {
                initial: noise.flatten_all().unwrap().to_vec1().unwrap(),
                steps: Vec::new(),
            },
        }
    }

    /// The tokens of a prompt.
    pub(super) fn ids(&self, name: &str) -> Vec<u32> {
        let ids = self.tensors[name].to_vec1::<i64>().unwrap();
        ids.into_iter().map(|id| id as u32).collect()
    }

    /// Fails unless `ours` is the reference's tensor to within 1e-4 of its largest number.
    pub(super) fn holds(&self, name: &str, ours: &Tensor) {
        let found = difference(ours, &self.tensors[name]);
        println!("{} {name}: {found:.1e}", self.name);
        assert!(found < 1e-4, "{name}: {found:e}");
    }

    /// The same of one picture, in diffusers' range of 0 to 1.
    pub(super) fn draws(&self, name: &str, pipeline: &dyn Pipeline, settings: &Settings) {
        let pictures = self.tensors[name].dim(0).unwrap();
        let requests: Vec<_> = (0..pictures).map(|i| self.request(i)).collect();
        let latents = pipeline.sample(&requests, settings).unwrap();
        self.holds(name, &levels(&pipeline.decode(&latents).unwrap()));
    }

    /// How far the first picture is from the reference, drawn in another format.
    pub(super) fn strays(&self, dtype: DType, guidance: Option<f64>) -> f64 {
        let model = TextToImage::load(&self.dir, &options(dtype)).unwrap();
        let settings = self.settings(guidance);
        let latents = model
            .pipeline
            .sample(&[self.request(0)], &settings)
            .unwrap();
        let picture = levels(&model.pipeline.decode(&latents).unwrap());
        difference(&picture, &self.tensors["image"].narrow(0, 0, 1).unwrap())
    }

    /// Fails unless a picture is the same to the bit, drawn alone or beside others.
    pub(super) fn draws_alone_as_beside_others(&self) {
        let model = TextToImage::load(&self.dir, &options(DType::F32)).unwrap();
        let settings = self.settings(None);
        let request = |photo: u64| Request {
            prompt: format!("photo {photo}{}", " of a lake".repeat(photo as usize)),
            negative_prompt: self.made.negative.clone(),
            noise: Noise::Stream(NoiseKey {
                seed: 5,
                album: 1,
                photo,
                album_weight: 0.25,
            }),
        };
        let together = model.draw(&[0, 1, 2].map(request), &settings).unwrap();
        assert_ne!(together[0], together[1]);
        for photo in [2, 0, 1] {
            let alone = model.draw(&[request(photo)], &settings).unwrap();
            assert_eq!(alone[0], together[photo as usize], "photo {photo}");
        }
    }

    /// A copy of the checkpoint to damage.
    pub(super) fn copy(&self) -> tempfile::TempDir {
        copy(self.name)
    }

    /// What loading says after some damage.
    pub(super) fn refuses(&self, damage: impl Fn(&Path)) -> String {
        let copy = self.copy();
        damage(copy.path());
        let error = TextToImage::load(copy.path(), &options(DType::F32)).err();
        error.unwrap().to_string()
    }
}

/// Every `n`th token's state, as the reference keeps them: (b, m, d).
pub(super) fn every(n: usize, states: &Tensor) -> Tensor {
    let m = states.dim(1).unwrap();
    let kept = Tensor::from_iter((0..m as u32).step_by(n), &Device::Cpu).unwrap();
    states.index_select(&kept, 1).unwrap()
}

fn levels(pixels: &Tensor) -> Tensor {
    let levels = ((pixels * 0.5).unwrap() + 0.5).unwrap();
    levels.clamp(0.0, 1.0).unwrap()
}

pub(super) fn options(dtype: DType) -> LoadOptions {
    LoadOptions {
        dtype,
        ..LoadOptions::default()
    }
}

/// Replaces a piece of a text file, which must be there.
pub(super) fn replace(path: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(old), "{} lacks {old}", path.display());
    fs::write(path, text.replace(old, new)).unwrap();
}
