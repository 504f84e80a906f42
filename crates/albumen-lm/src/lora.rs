//! Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685): `y = x W^T + (alpha / rank) x A^T B^T`.
//!
//! All parameters lie in one flat vector, the A matrices before the B matrices, so that what clips and
//! sums gradients need know nothing of the model. [`LoraLayout`] says where each matrix is. Where A is
//! frozen, the trained parameters are the vector's rear part, and only they leave this crate.

mod files;

use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::config::ModelConfig;
use crate::error::LmError;

/// A projection that can be adapted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Queries.
    Q,
    /// Keys.
    K,
    /// Values.
    V,
    /// Attention's output.
    O,
    /// The feed-forward block's gate.
    Gate,
    /// The feed-forward block's first matrix.
    Up,
    /// The feed-forward block's second matrix.
    Down,
}

impl Target {
    /// The module's name in Hugging Face checkpoints.
    pub fn module(self) -> &'static str {
        match self {
            Self::Q => "self_attn.q_proj",
            Self::K => "self_attn.k_proj",
            Self::V => "self_attn.v_proj",
            Self::O => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }
}

/// What is adapted, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraConfig {
    /// Rank of the update.
    pub rank: usize,
    /// The update is scaled by `alpha / rank`.
    pub alpha: f32,
    /// Adapted projections.
    pub targets: Vec<Target>,
    /// Only the last so many layers; all where absent.
    #[serde(default)]
    pub layers: Option<usize>,
    /// Leave the A matrices as this public seed draws them and train B alone (FFA-LoRA, Sun et al. 2024,
    /// arXiv:2403.12313): noise falls on fewer parameters, and never on both factors of a product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_a: Option<u64>,
}

/// One matrix in the flat vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoraTensor {
    /// Its name in a PEFT checkpoint.
    pub name: String,
    /// (rank, in) for A, (out, rank) for B, row-major.
    pub shape: [usize; 2],
    /// Where it starts in the flat vector, frozen matrices counted.
    pub offset: usize,
}

impl LoraTensor {
    fn is_b(&self) -> bool {
        self.name.ends_with("lora_B.weight")
    }

    fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.shape[0] * self.shape[1]
    }
}

/// One adapted projection within a [`Site`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where B, (out, rank), starts in the flat vector. A site's follow each other.
    pub(crate) b: usize,
    /// Columns of the site's output that belong to this projection.
    pub(crate) columns: Range<usize>,
}

/// A place where the model multiplies by a (fused) weight, with the adapted projections in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// Width of the input.
    pub(crate) input: usize,
    /// Where the A matrices, stacked to (blocks * rank, input), start in the flat vector.
    pub(crate) a: usize,
    /// The adapted projections, never none.
    pub(crate) blocks: Vec<Block>,
}

/// The adapted places of one layer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LayerSites {
    pub(crate) qkv: Option<Site>,
    pub(crate) o: Option<Site>,
    pub(crate) gate_up: Option<Site>,
    pub(crate) down: Option<Site>,
}

/// Where every LoRA matrix of a model lies in the flat parameter vector.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraLayout {
    config: LoraConfig,
    tensors: Vec<LoraTensor>,
    /// The front of the flat vector, where it is frozen.
    frozen: Vec<f32>,
    /// Numbers in A and B matrices.
    len: [usize; 2],
    first_layer: usize,
    sites: Vec<LayerSites>,
}

impl LoraLayout {
    /// The layout of `config` on a model.
    ///
    /// # Errors
    /// Where the rank is 0 or above the smallest width, alpha is not positive, no projection or one
    /// twice is named, or `layers` is 0 or more than the model has.
    pub fn new(model: &ModelConfig, config: &LoraConfig) -> Result<Self, LmError> {
        let mut layout = Self::placed(model, config)?;
        if let Some(seed) = config.frozen_a {
            layout.frozen = layout.draw_a(seed);
        }
        Ok(layout)
    }

    /// The layout without the numbers that are frozen.
    fn placed(model: &ModelConfig, config: &LoraConfig) -> Result<Self, LmError> {
        let layers = config.layers.unwrap_or(model.num_layers);
        check(model, config, layers)?;
        let mut layout = Self {
            config: config.clone(),
            tensors: Vec::new(),
            frozen: Vec::new(),
            len: [0; 2],
            first_layer: model.num_layers - layers,
            sites: vec![LayerSites::default(); model.num_layers],
        };
        let (h, i) = (model.hidden_size, model.intermediate_size);
        let (q, kv) = (
            model.num_heads * model.head_dim,
            model.num_kv_heads * model.head_dim,
        );
        for layer in layout.first_layer..model.num_layers {
            use Target::{Down, Gate, K, O, Q, Up, V};
            layout.sites[layer] = LayerSites {
                qkv: layout.site(layer, h, &[(Q, q), (K, kv), (V, kv)]),
                o: layout.site(layer, q, &[(O, h)]),
                gate_up: layout.site(layer, h, &[(Gate, i), (Up, i)]),
                down: layout.site(layer, i, &[(Down, h)]),
            };
        }
        layout.put_b_after_a();
        Ok(layout)
    }

    fn put_b_after_a(&mut self) {
        let [a, _] = self.len;
        for tensor in self.tensors.iter_mut().filter(|t| t.is_b()) {
            tensor.offset += a;
        }
        self.tensors.sort_by_key(|t| t.offset);
        for layer in &mut self.sites {
            let LayerSites {
                qkv,
                o,
                gate_up,
                down,
            } = layer;
            let sites = [qkv, o, gate_up, down].into_iter().flatten();
            sites.flat_map(|s| &mut s.blocks).for_each(|b| b.b += a);
        }
    }

    fn site(&mut self, layer: usize, input: usize, parts: &[(Target, usize)]) -> Option<Site> {
        let rank = self.config.rank;
        let mut start = 0;
        let mut adapted = Vec::new();
        for &(target, out) in parts {
            if self.config.targets.contains(&target) {
                adapted.push((target, start..start + out));
            }
            start += out;
        }
        if adapted.is_empty() {
            return None;
        }
        let a = self.len[0];
        for (target, _) in &adapted {
            self.push(layer, *target, 0, [rank, input]);
        }
        let mut blocks = Vec::with_capacity(adapted.len());
        for (target, columns) in adapted {
            let b = self.push(layer, target, 1, [columns.len(), rank]);
            blocks.push(Block { b, columns });
        }
        Some(Site { input, a, blocks })
    }

    /// Adds an A (0) or a B (1) after the others of its kind, and gives its place among them.
    fn push(&mut self, layer: usize, target: Target, kind: usize, shape: [usize; 2]) -> usize {
        let (module, part) = (target.module(), ["lora_A", "lora_B"][kind]);
        let name = format!("base_model.model.model.layers.{layer}.{module}.{part}.weight");
        let offset = self.len[kind];
        self.len[kind] += shape[0] * shape[1];
        self.tensors.push(LoraTensor {
            name,
            shape,
            offset,
        });
        offset
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// Every matrix, in the order of the flat vector.
    pub fn tensors(&self) -> &[LoraTensor] {
        &self.tensors
    }

    /// How many parameters are trained, never 0: the whole flat vector, or its B matrices alone.
    #[expect(clippy::len_without_is_empty, reason = "no layout is empty")]
    pub fn len(&self) -> usize {
        let [a, b] = self.len;
        a + b - self.frozen.len()
    }

    /// The numbers before the trained ones in the flat vector.
    pub(crate) fn frozen(&self) -> &[f32] {
        &self.frozen
    }

    /// The lowest adapted layer; training touches nothing below it.
    pub fn first_layer(&self) -> usize {
        self.first_layer
    }

    /// `alpha / rank`.
    pub fn scale(&self) -> f32 {
        self.config.alpha / self.config.rank as f32
    }

    pub(crate) fn sites(&self, layer: usize) -> &LayerSites {
        &self.sites[layer]
    }

    /// Fresh parameters: A, unless it is frozen, uniform in `+-1/sqrt(in)` (Kaiming with a = sqrt 5, as
    /// PEFT has it), B zero, so that the adapted model starts as the frozen one. The seed is public.
    pub fn init(&self, seed: u64) -> Vec<f32> {
        let mut params = if self.frozen.is_empty() {
            self.draw_a(seed)
        } else {
            Vec::new()
        };
        params.resize(self.len(), 0.0);
        params
    }

    fn draw_a(&self, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut params = vec![0.0; self.len[0]];
        for tensor in self.tensors.iter().filter(|t| !t.is_b()) {
            let bound = 1.0 / (tensor.shape[1] as f32).sqrt();
            for p in &mut params[tensor.range()] {
                *p = rng.random_range(-bound..bound);
            }
        }
        params
    }

    /// Whether the layout belongs to this model and the parameters to the layout.
    pub(crate) fn check(&self, model: &ModelConfig, params: &[f32]) -> Result<(), LmError> {
        // What is frozen follows from the rest, and is not drawn again at every step.
        let again = Self::placed(model, &self.config)?;
        if (&again.tensors, &again.sites) != (&self.tensors, &self.sites) {
            let why = "the layout was made for a model of another shape; make it with this model's";
            return Err(LmError::LoraConfig(why.into()));
        }
        self.check_len(params)
    }

    fn check_len(&self, params: &[f32]) -> Result<(), LmError> {
        if params.len() == self.len() {
            return Ok(());
        }
        Err(LmError::Parameters {
            found: params.len(),
            expected: self.len(),
        })
    }
}

fn check(model: &ModelConfig, config: &LoraConfig, layers: usize) -> Result<(), LmError> {
    let refuse = |why: String| Err(LmError::LoraConfig(why));
    let widest = model.hidden_size.min(model.num_kv_heads * model.head_dim);
    if config.rank == 0 || config.rank > widest {
        return refuse(format!("rank {} is not within 1 and {widest}", config.rank));
    }
    if !(config.alpha > 0.0 && config.alpha.is_finite()) {
        return refuse(format!("alpha {} must be positive", config.alpha));
    }
    if layers == 0 || layers > model.num_layers {
        return refuse(format!(
            "layers {layers} is not within 1 and {}",
            model.num_layers
        ));
    }
    let mut targets = config.targets.clone();
    targets.sort_unstable();
    targets.dedup();
    if targets.is_empty() || targets.len() != config.targets.len() {
        return refuse(format!(
            "targets {:?} must name projections, each once",
            config.targets
        ));
    }
    Ok(())
}

/// LoRA parameters with their layout.
#[derive(Debug, Clone, Copy)]
pub struct Adapter<'a> {
    /// Where everything is.
    pub layout: &'a LoraLayout,
    /// The trained parameters, `layout.len()` of them.
    pub params: &'a [f32],
}
