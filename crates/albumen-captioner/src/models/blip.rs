//! BLIP (Li et al. 2022, arXiv:2201.12086), `BlipForConditionalGeneration`: a vision transformer, and
//! a BERT decoder that looks at all its patches in every layer.
//!
//! candle-transformers' decoder projects the photo's keys and values anew for each token, which costs
//! more than the token, and adds an f32 mask that other formats refuse; so both halves are here.

use candle_core::{DType, Device, Tensor};
use candle_nn::{LayerNorm, Linear, Module, VarBuilder, layer_norm, linear};

use super::{Seen, VisionLanguage};
use crate::config::Section;
use crate::error::Result;
use crate::memory::Shape;
use crate::nn::{self, Activation, Cache, Mask, Mlp};
use crate::pixels::{ImageProcessor, Pixels};
use crate::tokenizer::Tokenizer;

#[derive(Clone, Debug)]
pub(crate) struct BlipConfig {
    vision: VisionConfig,
    text: TextConfig,
}

#[derive(Clone, Debug)]
struct VisionConfig {
    width: usize,
    hidden: usize,
    layers: usize,
    heads: usize,
    image: usize,
    patch: usize,
    activation: Activation,
    eps: f64,
}

#[derive(Clone, Debug)]
struct TextConfig {
    vocabulary: usize,
    width: usize,
    /// Width of the vision states.
    across: usize,
    hidden: usize,
    layers: usize,
    heads: usize,
    max_positions: usize,
    activation: Activation,
    eps: f64,
    begin: u32,
    stops: Vec<u32>,
}

impl BlipConfig {
    pub(crate) fn read(root: &Section) -> Result<Self> {
        let v = root.section("vision_config")?;
        let t = root.section("text_config")?;
        let vision = VisionConfig {
            width: v.size("hidden_size", 768)?,
            hidden: v.size("intermediate_size", 3072)?,
            layers: v.size("num_hidden_layers", 12)?,
            heads: v.size("num_attention_heads", 12)?,
            image: v.size("image_size", 384)?,
            patch: v.size("patch_size", 16)?,
            activation: Activation::read(&v, "hidden_act", "gelu")?,
            eps: v.f64("layer_norm_eps", 1e-5)?,
        };
        let text = TextConfig {
            vocabulary: t.size("vocab_size", 30_524)?,
            width: t.size("hidden_size", 768)?,
            // The reference takes the vision tower's width for both, whatever stands here.
            across: vision.width,
            hidden: t.size("intermediate_size", 3072)?,
            layers: t.size("num_hidden_layers", 12)?,
            heads: t.size("num_attention_heads", 8)?,
            max_positions: t.size("max_position_embeddings", 512)?,
            activation: Activation::read(&t, "hidden_act", "gelu")?,
            eps: t.f64("layer_norm_eps", 1e-12)?,
            begin: t.token("bos_token_id", 30_522)?,
            stops: vec![t.token("sep_token_id", 102)?],
        };
        for (section, width, heads) in [
            (&v, vision.width, vision.heads),
            (&t, text.width, text.heads),
        ] {
            if width % heads != 0 {
                return Err(section.error("num_attention_heads", "must divide hidden_size"));
            }
        }
        Ok(Self { vision, text })
    }

    pub(crate) fn check(&self, root: &Section, processor: &ImageProcessor) -> Result<()> {
        super::check_size(root, processor, self.vision.image)
    }

    pub(crate) fn shape(&self) -> Shape {
        let (v, t) = (&self.vision, &self.text);
        let patches = (v.image / v.patch).pow(2) + 1;
        Shape {
            vision_tokens: patches,
            vision_width: v.width,
            vision_hidden: v.hidden,
            vision_heads: v.heads,
            text_tokens: 0,
            prompt_tokens: 4,
            text_width: t.width,
            text_hidden: t.hidden,
            text_heads: t.heads,
            vocabulary: t.vocabulary,
            cache_numbers_a_token: 2 * t.layers * t.width,
            cache_numbers_a_photo: 2 * t.layers * t.width * patches,
        }
    }
}

/// The network.
pub(crate) struct Blip {
    config: BlipConfig,
    vision: Vision,
    text: Text,
    dtype: DType,
    device: Device,
}

impl Blip {
    pub(crate) fn new(config: BlipConfig, vb: &VarBuilder) -> candle_core::Result<Self> {
        Ok(Self {
            vision: Vision::new(&config.vision, &vb.pp("vision_model"))?,
            text: Text::new(&config.text, &vb.pp("text_decoder"))?,
            config,
            dtype: vb.dtype(),
            device: vb.device().clone(),
        })
    }
}

impl VisionLanguage for Blip {
    fn default_prompt(&self) -> &'static str {
        ""
    }

    fn keeps_prompt(&self) -> bool {
        true
    }

    fn stops(&self) -> &[u32] {
        &self.config.text.stops
    }

    fn max_positions(&self) -> usize {
        self.config.text.max_positions
    }

    fn see(&self, pixels: &Pixels) -> Result<Seen> {
        let values = pixels
            .values
            .to_dtype(self.dtype)?
            .to_device(&self.device)?;
        Ok(Seen::of(self.vision.forward(&values)?))
    }

    /// The start token stands where BERT's `[CLS]` does, and the text has no end.
    fn prompt(&self, text: &str, _: &Seen, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        let mut tokens = vec![self.config.text.begin];
        if !text.is_empty() {
            let all = tokenizer.encode(text, true)?;
            tokens.extend(all.iter().skip(1).take(all.len().saturating_sub(2)));
        }
        Ok(tokens)
    }

    fn read(&self, seen: &Seen, prompt: &[u32], room: usize) -> Result<(Tensor, Cache)> {
        let mut cache = Cache::new(self.config.text.layers, room);
        cache.across = self.text.across(&seen.vision)?;
        let logits = self.text.forward(prompt, &mut cache)?;
        Ok((logits, cache))
    }

    fn step(&self, token: u32, cache: &mut Cache) -> Result<Tensor> {
        Ok(self.text.forward(&[token], cache)?)
    }
}

/// A vision transformer with a class token (Dosovitskiy et al. 2021), norms first.
struct Vision {
    patches: Linear,
    patch: usize,
    class: Tensor,
    positions: Tensor,
    layers: Vec<VisionLayer>,
    norm: LayerNorm,
}

struct VisionLayer {
    norm1: LayerNorm,
    qkv: Linear,
    projection: Linear,
    norm2: LayerNorm,
    mlp: Mlp,
    heads: usize,
}

impl Vision {
    fn new(c: &VisionConfig, vb: &VarBuilder) -> candle_core::Result<Self> {
        let e = vb.pp("embeddings");
        let kernel = e.get((c.width, 3, c.patch, c.patch), "patch_embedding.weight")?;
        let bias = e.get(c.width, "patch_embedding.bias")?;
        let tokens = (c.image / c.patch).pow(2) + 1;
        let layer = |i: usize| {
            let vb = vb.pp(format!("encoder.layers.{i}"));
            Ok(VisionLayer {
                norm1: layer_norm(c.width, c.eps, vb.pp("layer_norm1"))?,
                qkv: linear(c.width, 3 * c.width, vb.pp("self_attn.qkv"))?,
                projection: linear(c.width, c.width, vb.pp("self_attn.projection"))?,
                norm2: layer_norm(c.width, c.eps, vb.pp("layer_norm2"))?,
                mlp: Mlp::new(
                    [c.width, c.hidden, c.width],
                    c.activation,
                    ["fc1", "fc2"],
                    &vb.pp("mlp"),
                )?,
                heads: c.heads,
            })
        };
        Ok(Self {
            patches: Linear::new(kernel.flatten_from(1)?, Some(bias)),
            patch: c.patch,
            class: e.get((1, 1, c.width), "class_embedding")?.squeeze(0)?,
            positions: e
                .get((1, tokens, c.width), "position_embedding")?
                .squeeze(0)?,
            layers: (0..c.layers)
                .map(layer)
                .collect::<candle_core::Result<_>>()?,
            norm: layer_norm(c.width, c.eps, vb.pp("post_layernorm"))?,
        })
    }

    /// (3, h, w) to (1 + patches, d).
    fn forward(&self, pixels: &Tensor) -> candle_core::Result<Tensor> {
        let patches = nn::unfold(pixels, self.patch)?.apply(&self.patches)?;
        let mut x = (Tensor::cat(&[&self.class, &patches], 0)? + &self.positions)?;
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        x.apply(&self.norm)
    }
}

impl VisionLayer {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (_, d) = x.dims2()?;
        let qkv = x.apply(&self.norm1)?.apply(&self.qkv)?;
        let part = |i: usize| nn::split_heads(&qkv.narrow(1, i * d, d)?.contiguous()?, self.heads);
        let scale = ((d / self.heads) as f64).powf(-0.5);
        let mixed = nn::attend(&part(0)?, &part(1)?, &part(2)?, scale, None, Mask::None)?;
        let x = (x + mixed.apply(&self.projection)?)?;
        &x + x.apply(&self.norm2)?.apply(&self.mlp)?
    }
}

/// BERT as a decoder, norms last.
struct Text {
    words: Tensor,
    positions: Tensor,
    norm: LayerNorm,
    layers: Vec<TextLayer>,
    transform: Linear,
    activation: Activation,
    transform_norm: LayerNorm,
    head: Linear,
    heads: usize,
}

struct TextLayer {
    own: Attention,
    across: Attention,
    up: Linear,
    down: Linear,
    norm: LayerNorm,
}

/// q, k, v, output and the norm after it.
struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    norm: LayerNorm,
}

impl Attention {
    fn new(c: &TextConfig, from: usize, vb: &VarBuilder) -> candle_core::Result<Self> {
        Ok(Self {
            q: linear(c.width, c.width, vb.pp("self.query"))?,
            k: linear(from, c.width, vb.pp("self.key"))?,
            v: linear(from, c.width, vb.pp("self.value"))?,
            o: linear(c.width, c.width, vb.pp("output.dense"))?,
            norm: layer_norm(c.width, c.eps, vb.pp("output.LayerNorm"))?,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        k: &Tensor,
        v: &Tensor,
        heads: usize,
        mask: Mask,
    ) -> candle_core::Result<Tensor> {
        let q = nn::split_heads(&x.apply(&self.q)?, heads)?;
        let (_, _, d) = q.dims3()?;
        let mixed = nn::attend(&q, k, v, (d as f64).powf(-0.5), None, mask)?;
        (mixed.apply(&self.o)? + x)?.apply(&self.norm)
    }
}

impl Text {
    fn new(c: &TextConfig, vb: &VarBuilder) -> candle_core::Result<Self> {
        let e = vb.pp("bert.embeddings");
        let words = e.get((c.vocabulary, c.width), "word_embeddings.weight")?;
        let layer = |i: usize| {
            let vb = vb.pp(format!("bert.encoder.layer.{i}"));
            Ok(TextLayer {
                own: Attention::new(c, c.width, &vb.pp("attention"))?,
                across: Attention::new(c, c.across, &vb.pp("crossattention"))?,
                up: linear(c.width, c.hidden, vb.pp("intermediate.dense"))?,
                down: linear(c.hidden, c.width, vb.pp("output.dense"))?,
                norm: layer_norm(c.width, c.eps, vb.pp("output.LayerNorm"))?,
            })
        };
        let head = vb.pp("cls.predictions");
        Ok(Self {
            positions: e.get((c.max_positions, c.width), "position_embeddings.weight")?,
            norm: layer_norm(c.width, c.eps, e.pp("LayerNorm"))?,
            layers: (0..c.layers)
                .map(layer)
                .collect::<candle_core::Result<_>>()?,
            transform: linear(c.width, c.width, head.pp("transform.dense"))?,
            activation: c.activation,
            transform_norm: layer_norm(c.width, c.eps, head.pp("transform.LayerNorm"))?,
            // Tied, whether it is saved beside or not.
            head: Linear::new(words.clone(), Some(head.get(c.vocabulary, "bias")?)),
            words,
            heads: c.heads,
        })
    }

    /// Each layer's keys and values of the vision states (n, d): once a photo.
    fn across(&self, vision: &Tensor) -> candle_core::Result<Vec<(Tensor, Tensor)>> {
        let project = |layer: &TextLayer| {
            let k = nn::split_heads(&vision.apply(&layer.across.k)?, self.heads)?;
            Ok((
                k,
                nn::split_heads(&vision.apply(&layer.across.v)?, self.heads)?,
            ))
        };
        self.layers.iter().map(project).collect()
    }

    /// Reads tokens, gives the scores of the next, (vocabulary).
    fn forward(&self, tokens: &[u32], cache: &mut Cache) -> candle_core::Result<Tensor> {
        let t = tokens.len();
        let ids = Tensor::from_slice(tokens, t, self.words.device())?;
        let places = self.positions.narrow(0, cache.position, t)?;
        let mut x = (self.words.index_select(&ids, 0)? + places)?.apply(&self.norm)?;
        let mask = Mask::Causal {
            offset: cache.position,
            window: None,
        };
        for ((layer, kept), (photo_k, photo_v)) in
            self.layers.iter().zip(&mut cache.layers).zip(&cache.across)
        {
            let k = nn::split_heads(&x.apply(&layer.own.k)?, self.heads)?;
            let v = nn::split_heads(&x.apply(&layer.own.v)?, self.heads)?;
            let (k, v) = kept.append(&k, &v)?;
            x = layer.own.forward(&x, &k, &v, self.heads, mask)?;
            x = layer
                .across
                .forward(&x, photo_k, photo_v, self.heads, Mask::None)?;
            let hidden = self.activation.forward(&x.apply(&layer.up)?)?;
            x = (hidden.apply(&layer.down)? + x)?.apply(&layer.norm)?;
        }
        cache.position += t;
        cache.tokens += t;
        let last = nn::last_row(&x)?.apply(&self.transform)?;
        let last = self
            .activation
            .forward(&last)?
            .apply(&self.transform_norm)?;
        nn::scores(&last.apply(&self.head)?)
    }
}
