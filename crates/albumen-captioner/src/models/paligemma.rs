//! PaliGemma 1 and 2 (Beyer et al. 2024, arXiv:2407.07726; Steiner et al. 2024, arXiv:2412.03555): a
//! SigLIP tower, a linear projector and Gemma, which sees the photo and the prompt in both directions.
//!
//! The tower is candle-transformers'. Its PaliGemma divides the photo's tokens by their length and has
//! neither Gemma 2 nor the checkpoints' names, so the rest is here.

use candle_core::{DType, Device, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear};
use candle_transformers::models::siglip;

use super::decoder::{Decoder, DecoderConfig, text_positions};
use super::{Seen, VisionLanguage, check_size, expand, with_photo};
use crate::config::Section;
use crate::error::Result;
use crate::memory::Shape;
use crate::nn::{Cache, Mask};
use crate::pixels::{ImageProcessor, Pixels};
use crate::tokenizer::Tokenizer;

const PLACEHOLDER: &str = "<image>";

#[derive(Clone, Debug)]
pub(crate) struct PaliGemmaConfig {
    vision: siglip::VisionConfig,
    text: DecoderConfig,
    photo: u32,
    stops: Vec<u32>,
}

impl PaliGemmaConfig {
    pub(crate) fn read(
        root: &Section,
        processor: &ImageProcessor,
        stops: Vec<u32>,
    ) -> Result<Self> {
        let v = root.section("vision_config")?;
        let kind = v.string("model_type", "siglip_vision_model")?;
        v.require("model_type", &kind, &["siglip_vision_model"])?;
        let activation = v.string("hidden_act", "gelu_pytorch_tanh")?;
        v.require("hidden_act", &activation, &["gelu_pytorch_tanh"])?;
        let vision = siglip::VisionConfig {
            hidden_size: v.size("hidden_size", 768)?,
            intermediate_size: v.size("intermediate_size", 3072)?,
            num_hidden_layers: v.size("num_hidden_layers", 12)?,
            num_attention_heads: v.size("num_attention_heads", 12)?,
            num_channels: 3,
            image_size: v.size("image_size", 224)?,
            patch_size: v.size("patch_size", 16)?,
            hidden_act: candle_nn::Activation::GeluPytorchTanh,
            layer_norm_eps: v.f64("layer_norm_eps", 1e-6)?,
        };
        check_size(root, processor, vision.image_size)?;
        let photo = root.token("image_token_id", 256_000)?;
        Ok(Self {
            vision,
            text: DecoderConfig::read(root, &["gemma", "gemma2"], "gemma")?,
            photo: root.token("image_token_index", photo)?,
            stops,
        })
    }

    fn patches(&self) -> usize {
        (self.vision.image_size / self.vision.patch_size).pow(2)
    }

    pub(crate) fn shape(&self) -> Shape {
        let v = &self.vision;
        let tower = [v.hidden_size, v.intermediate_size, v.num_attention_heads];
        Shape::of(&self.text, self.patches(), tower, self.patches())
    }
}

/// The network.
pub(crate) struct PaliGemma {
    config: PaliGemmaConfig,
    vision: siglip::VisionModel,
    projector: Linear,
    text: Decoder,
    dtype: DType,
    device: Device,
}

impl PaliGemma {
    pub(crate) fn new(config: PaliGemmaConfig, vb: &VarBuilder) -> candle_core::Result<Self> {
        let (from, to) = (config.vision.hidden_size, config.text.width);
        Ok(Self {
            vision: siglip::VisionModel::new(&config.vision, false, vb.pp("vision_tower"))?,
            projector: linear(from, to, vb.pp("multi_modal_projector.linear"))?,
            text: Decoder::new(config.text.clone(), vb)?,
            config,
            dtype: vb.dtype(),
            device: vb.device().clone(),
        })
    }
}

impl VisionLanguage for PaliGemma {
    fn default_prompt(&self) -> &'static str {
        "caption en"
    }

    fn stops(&self) -> &[u32] {
        &self.config.stops
    }

    fn max_positions(&self) -> usize {
        self.text.config().max_positions
    }

    fn see(&self, pixels: &Pixels) -> Result<Seen> {
        let values = pixels
            .values
            .to_dtype(self.dtype)?
            .to_device(&self.device)?;
        let vision = self.vision.forward(&values.unsqueeze(0)?)?.squeeze(0)?;
        let projected = vision.apply(&self.projector)?;
        Ok(Seen::projected(vision, projected))
    }

    fn prompt(&self, text: &str, seen: &Seen, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        let (_, count) = seen.tokens()?;
        let text = expand(text, PLACEHOLDER, "<image><bos>{}\n", count);
        let tokens = tokenizer.encode(&text, false)?;
        tokenizer.photo_run(&tokens, self.config.photo, count)?;
        Ok(tokens)
    }

    fn read(&self, seen: &Seen, prompt: &[u32], room: usize) -> Result<(Tensor, Cache)> {
        let (projected, _) = seen.tokens()?;
        let (x, _) = with_photo(&self.text, prompt, self.config.photo, projected)?;
        let mut cache = Cache::new(self.text.config().layers, room);
        // Positions start at 1; nothing of the prompt is hidden from any of it.
        cache.position = 1 + prompt.len();
        let positions = text_positions(1, prompt.len());
        let logits = self
            .text
            .read(x, &positions, Mask::None, &mut cache, &|_, x| Ok(x))?;
        Ok((logits, cache))
    }

    fn step(&self, token: u32, cache: &mut Cache) -> Result<Tensor> {
        Ok(self.text.step(token, cache)?)
    }
}
