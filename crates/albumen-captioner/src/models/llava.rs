//! LLaVA 1.5 (Liu et al. 2023, arXiv:2310.03744) as `transformers` lays it out: a CLIP tower whose
//! second-to-last layer's patches go through a small perceptron into a Llama.
//!
//! The tower is candle-transformers'. Its LLaVA takes the last layer where -2 is asked for and needs
//! the configuration of version 1.6, so the rest is here.

use candle_core::{DType, Device, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear_b};
use candle_transformers::models::clip::text_model::Activation as ClipActivation;
use candle_transformers::models::clip::vision_model::{ClipVisionConfig, ClipVisionTransformer};

use super::decoder::{Decoder, DecoderConfig, text_positions};
use super::{Seen, VisionLanguage, check_size, expand, with_photo};
use crate::config::Section;
use crate::error::Result;
use crate::memory::Shape;
use crate::nn::{Activation, Cache, Mask};
use crate::pixels::{ImageProcessor, Pixels};
use crate::tokenizer::Tokenizer;

const PLACEHOLDER: &str = "<image>";

/// The conversation that LLaVA 1.5 was tuned on.
const TEMPLATE: &str = "USER: <image>\n{} ASSISTANT:";

#[derive(Clone, Debug)]
pub(crate) struct LlavaConfig {
    vision: ClipVisionConfig,
    /// The layer whose output is taken, counted from 1.
    layer: usize,
    /// Whether the class token goes along.
    with_class: bool,
    activation: Activation,
    bias: bool,
    text: DecoderConfig,
    photo: u32,
    stops: Vec<u32>,
}

impl LlavaConfig {
    pub(crate) fn read(
        root: &Section,
        processor: &ImageProcessor,
        stops: Vec<u32>,
    ) -> Result<Self> {
        let v = root.section("vision_config")?;
        let kind = v.string("model_type", "clip_vision_model")?;
        v.require("model_type", &kind, &["clip_vision_model"])?;
        let activation = v.string("hidden_act", "quick_gelu")?;
        v.require("hidden_act", &activation, &["quick_gelu"])?;
        if v.f64("layer_norm_eps", 1e-5)? != 1e-5 {
            return Err(v.error("layer_norm_eps", "is supported at 1e-5 only"));
        }
        let vision = ClipVisionConfig {
            embed_dim: v.size("hidden_size", 768)?,
            activation: ClipActivation::QuickGelu,
            intermediate_size: v.size("intermediate_size", 3072)?,
            num_hidden_layers: v.size("num_hidden_layers", 12)?,
            num_attention_heads: v.size("num_attention_heads", 12)?,
            projection_dim: v.size("projection_dim", 512)?,
            num_channels: 3,
            image_size: v.size("image_size", 224)?,
            patch_size: v.size("patch_size", 32)?,
        };
        check_size(root, processor, vision.image_size)?;
        let layers = vision.num_hidden_layers as i64;
        let asked = root
            .get("vision_feature_layer")
            .map_or(Some(-2), serde_json::Value::as_i64);
        // 0 is the embeddings, -1 the last layer.
        let layer = asked.map(|l| if l < 0 { layers + 1 + l } else { l });
        let Some(layer) = layer.filter(|l| (1..=layers).contains(l)) else {
            return Err(root.error("vision_feature_layer", "must be one of the tower's layers"));
        };
        let strategy = root.string("vision_feature_select_strategy", "default")?;
        root.require(
            "vision_feature_select_strategy",
            &strategy,
            &["default", "full"],
        )?;
        let photo = root.token("image_token_id", 32_000)?;
        Ok(Self {
            vision,
            layer: layer as usize,
            with_class: strategy == "full",
            activation: Activation::read(root, "projector_hidden_act", "gelu")?,
            bias: root.bool("multimodal_projector_bias", true)?,
            text: DecoderConfig::read(root, &["llama"], "llama")?,
            photo: root.token("image_token_index", photo)?,
            stops,
        })
    }

    pub(crate) fn shape(&self) -> Shape {
        let v = &self.vision;
        let patches = (v.image_size / v.patch_size).pow(2);
        let tower = [v.embed_dim, v.intermediate_size, v.num_attention_heads];
        Shape::of(
            &self.text,
            patches + 1,
            tower,
            patches + usize::from(self.with_class),
        )
    }
}

/// The network.
pub(crate) struct Llava {
    config: LlavaConfig,
    vision: ClipVisionTransformer,
    projector: [Linear; 2],
    text: Decoder,
    dtype: DType,
    device: Device,
}

impl Llava {
    pub(crate) fn new(config: LlavaConfig, vb: &VarBuilder) -> candle_core::Result<Self> {
        let (from, to) = (config.vision.embed_dim, config.text.width);
        let projector = vb.pp("multi_modal_projector");
        // candle-transformers would draw a random one.
        vb.get(from, "vision_tower.embeddings.class_embedding")?;
        Ok(Self {
            vision: ClipVisionTransformer::new(vb.pp("vision_tower"), &config.vision)?,
            projector: [
                linear_b(from, to, config.bias, projector.pp("linear_1"))?,
                linear_b(to, to, config.bias, projector.pp("linear_2"))?,
            ],
            text: Decoder::new(config.text.clone(), vb)?,
            config,
            dtype: vb.dtype(),
            device: vb.device().clone(),
        })
    }
}

impl VisionLanguage for Llava {
    fn default_prompt(&self) -> &'static str {
        "Describe this photo in one short sentence."
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
        let states = self.vision.output_hidden_states(&values.unsqueeze(0)?)?;
        let state = states[self.config.layer - 1].squeeze(0)?;
        let class = usize::from(!self.config.with_class);
        let vision = state
            .narrow(0, class, state.dim(0)? - class)?
            .contiguous()?;
        let hidden = self
            .config
            .activation
            .forward(&vision.apply(&self.projector[0])?)?;
        let projected = hidden.apply(&self.projector[1])?;
        Ok(Seen::projected(vision, projected))
    }

    fn prompt(&self, text: &str, seen: &Seen, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        let (_, count) = seen.tokens()?;
        let tokens = tokenizer.encode(&expand(text, PLACEHOLDER, TEMPLATE, count), true)?;
        tokenizer.photo_run(&tokens, self.config.photo, count)?;
        Ok(tokens)
    }

    fn read(&self, seen: &Seen, prompt: &[u32], room: usize) -> Result<(Tensor, Cache)> {
        let (projected, _) = seen.tokens()?;
        let (x, _) = with_photo(&self.text, prompt, self.config.photo, projected)?;
        let mut cache = Cache::new(self.text.config().layers, room);
        cache.position = prompt.len();
        let mask = Mask::Causal {
            offset: 0,
            window: None,
        };
        let positions = text_positions(0, prompt.len());
        let logits = self
            .text
            .read(x, &positions, mask, &mut cache, &|_, x| Ok(x))?;
        Ok((logits, cache))
    }

    fn step(&self, token: u32, cache: &mut Cache) -> Result<Tensor> {
        Ok(self.text.step(token, cache)?)
    }
}
