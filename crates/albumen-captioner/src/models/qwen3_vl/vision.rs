//! The vision tower: patches of a photo of any shape, learned positions interpolated to its grid,
//! rotary positions in two directions, and mergers that make one token of a square of patches.

use candle_core::{DType, Device, Tensor};
use candle_nn::{LayerNorm, Linear, Module, VarBuilder, layer_norm, linear};

use crate::config::Section;
use crate::error::Result;
use crate::nn::{self, Activation, Mask, Mlp};

/// Of every norm of the tower.
const EPS: f64 = 1e-6;

#[derive(Clone, Debug)]
pub(crate) struct VisionConfig {
    pub(crate) width: usize,
    pub(crate) hidden: usize,
    layers: usize,
    pub(crate) heads: usize,
    pub(crate) patch: usize,
    pub(crate) frames: usize,
    pub(crate) merge: usize,
    pub(crate) output: usize,
    /// Rows and columns of the learned positions.
    side: usize,
    /// Layers whose states the language model gets too.
    deepstack: Vec<usize>,
    activation: Activation,
    theta: f64,
}

impl VisionConfig {
    pub(crate) fn read(v: &Section) -> Result<Self> {
        let positions = v.size("num_position_embeddings", 2304)?;
        let side = positions.isqrt();
        let (width, heads) = (v.size("hidden_size", 1152)?, v.size("num_heads", 16)?);
        if side * side != positions {
            return Err(v.error("num_position_embeddings", "must be a square"));
        }
        if !width.is_multiple_of(4 * heads) {
            return Err(v.error(
                "num_heads",
                "must divide hidden_size into multiples of four",
            ));
        }
        let rope = v.section("rope_parameters")?;
        Ok(Self {
            width,
            hidden: v.size("intermediate_size", 4304)?,
            layers: v.size("depth", 27)?,
            heads,
            patch: v.size("patch_size", 16)?,
            frames: v.size("temporal_patch_size", 2)?,
            merge: v.size("spatial_merge_size", 2)?,
            output: v.size("out_hidden_size", 3584)?,
            side,
            deepstack: v
                .optional_list("deepstack_visual_indexes")?
                .unwrap_or_else(|| vec![8, 16, 24]),
            activation: Activation::read(v, "hidden_act", "gelu_pytorch_tanh")?,
            theta: rope.f64("rope_theta", 10_000.0)?,
        })
    }
}

/// The tower.
pub(crate) struct Vision {
    config: VisionConfig,
    patches: Linear,
    positions: Tensor,
    layers: Vec<Layer>,
    merger: Merger,
    deepstack: Vec<Merger>,
    frequencies: Vec<f32>,
}

/// What the tower gives.
pub(crate) struct Features {
    /// (patches, d) after the last layer.
    pub(crate) states: Tensor,
    /// (tokens, language model's d)
    pub(crate) merged: Tensor,
    /// The same of earlier layers.
    pub(crate) deepstack: Vec<Tensor>,
}

struct Layer {
    norm1: LayerNorm,
    qkv: Linear,
    projection: Linear,
    norm2: LayerNorm,
    mlp: Mlp,
    heads: usize,
}

/// A square of patches to one token.
struct Merger {
    norm: LayerNorm,
    mlp: Mlp,
    width: usize,
    /// Whether the norm spans the square, or each patch.
    norm_square: bool,
}

impl Merger {
    fn new(c: &VisionConfig, norm_square: bool, vb: &VarBuilder) -> candle_core::Result<Self> {
        let width = c.width * c.merge * c.merge;
        let layers = ["linear_fc1", "linear_fc2"];
        Ok(Self {
            norm: layer_norm(
                if norm_square { width } else { c.width },
                EPS,
                vb.pp("norm"),
            )?,
            mlp: Mlp::new([width, width, c.output], Activation::Gelu, layers, vb)?,
            width,
            norm_square,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (patches, d) = x.dims2()?;
        let tokens = patches * d / self.width;
        let x = if self.norm_square {
            x.reshape((tokens, self.width))?.apply(&self.norm)?
        } else {
            x.apply(&self.norm)?.reshape((tokens, self.width))?
        };
        self.mlp.forward(&x)
    }
}

impl Vision {
    pub(crate) fn new(config: VisionConfig, vb: &VarBuilder) -> candle_core::Result<Self> {
        let c = &config;
        let kernel = vb.get(
            (c.width, 3, c.frames, c.patch, c.patch),
            "patch_embed.proj.weight",
        )?;
        let bias = vb.get(c.width, "patch_embed.proj.bias")?;
        let layer = |i: usize| {
            let vb = vb.pp(format!("blocks.{i}"));
            let names = ["linear_fc1", "linear_fc2"];
            Ok(Layer {
                norm1: layer_norm(c.width, EPS, vb.pp("norm1"))?,
                qkv: linear(c.width, 3 * c.width, vb.pp("attn.qkv"))?,
                projection: linear(c.width, c.width, vb.pp("attn.proj"))?,
                norm2: layer_norm(c.width, EPS, vb.pp("norm2"))?,
                mlp: Mlp::new(
                    [c.width, c.hidden, c.width],
                    c.activation,
                    names,
                    &vb.pp("mlp"),
                )?,
                heads: c.heads,
            })
        };
        let deepstack = (0..c.deepstack.len())
            .map(|i| Merger::new(c, true, &vb.pp(format!("deepstack_merger_list.{i}"))));
        Ok(Self {
            patches: Linear::new(kernel.flatten_from(1)?, Some(bias)),
            positions: vb.get((c.side * c.side, c.width), "pos_embed.weight")?,
            layers: (0..c.layers)
                .map(layer)
                .collect::<candle_core::Result<_>>()?,
            merger: Merger::new(c, false, &vb.pp("merger"))?,
            deepstack: deepstack.collect::<candle_core::Result<_>>()?,
            frequencies: nn::inverse_frequencies(c.theta, c.width / c.heads / 2),
            config,
        })
    }

    /// (patches, pixels) of a rows x cols grid, squares together.
    pub(crate) fn forward(
        &self,
        pixels: &Tensor,
        grid: (usize, usize),
    ) -> candle_core::Result<Features> {
        let c = &self.config;
        let places = places(grid, c.merge);
        let mut x = (pixels.apply(&self.patches)? + self.interpolated(&places, grid)?)?;
        let angles: Vec<f32> = places
            .iter()
            .flat_map(|&(row, col)| {
                let turn = move |at: usize| self.frequencies.iter().map(move |f| at as f32 * f);
                turn(row).chain(turn(col))
            })
            .collect();
        let turns = nn::cos_sin(&angles, 2 * self.frequencies.len(), x.dtype(), x.device())?;
        let mut deepstack = Vec::new();
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, &turns)?;
            if let Some(at) = c.deepstack.iter().position(|l| *l == i) {
                deepstack.push(self.deepstack[at].forward(&x)?);
            }
        }
        Ok(Features {
            merged: self.merger.forward(&x)?,
            states: x,
            deepstack,
        })
    }

    /// Learned positions at each place, (patches, d): bilinear over the square grid, corners aligned.
    fn interpolated(
        &self,
        places: &[(usize, usize)],
        (rows, cols): (usize, usize),
    ) -> candle_core::Result<Tensor> {
        let side = self.config.side;
        let (rows, cols) = (along(rows, side), along(cols, side));
        let mut sum: Option<Tensor> = None;
        for corner in 0..4 {
            let (mut index, mut weight) = (Vec::new(), Vec::new());
            for &(row, col) in places {
                let (r, wr) = rows[row][corner / 2];
                let (c, wc) = cols[col][corner % 2];
                index.push((r * side + c) as u32);
                weight.push(wr * wc);
            }
            let device = self.positions.device();
            let index = Tensor::from_vec(index, places.len(), device)?;
            let weight = Tensor::from_vec(weight, (places.len(), 1), &Device::Cpu)?
                .to_dtype(self.positions.dtype())?
                .to_device(device)?;
            let part = self
                .positions
                .index_select(&index, 0)?
                .broadcast_mul(&weight)?;
            sum = Some(match sum {
                Some(sum) => (sum + part)?,
                None => part,
            });
        }
        sum.map_or_else(
            || Tensor::zeros((0, self.config.width), DType::F32, &Device::Cpu),
            Ok,
        )
    }
}

/// For each of `count` places: the two learned positions beside it, with their weights.
fn along(count: usize, side: usize) -> Vec<[(usize, f32); 2]> {
    let step = if count > 1 {
        (side - 1) as f32 / (count - 1) as f32
    } else {
        0.0
    };
    // As torch.linspace: from both ends.
    let at = |i: usize| {
        if i < count / 2 || count == 1 {
            step * i as f32
        } else {
            (side - 1) as f32 - step * (count - 1 - i) as f32
        }
    };
    (0..count)
        .map(|i| {
            let x = at(i);
            let low = (x as usize).min(side - 1);
            let share = x - low as f32;
            [(low, 1.0 - share), ((low + 1).min(side - 1), share)]
        })
        .collect()
}

/// Row and column of each patch in the order of the processor: squares of merge x merge together.
fn places((rows, cols): (usize, usize), merge: usize) -> Vec<(usize, usize)> {
    let mut all = Vec::with_capacity(rows * cols);
    for top in (0..rows).step_by(merge) {
        for left in (0..cols).step_by(merge) {
            for row in top..top + merge {
                all.extend((left..left + merge).map(|col| (row, col)));
            }
        }
    }
    all
}

impl Layer {
    fn forward(&self, x: &Tensor, (cos, sin): &(Tensor, Tensor)) -> candle_core::Result<Tensor> {
        let (_, d) = x.dims2()?;
        let qkv = x.apply(&self.norm1)?.apply(&self.qkv)?;
        let part = |i: usize| nn::split_heads(&qkv.narrow(1, i * d, d)?.contiguous()?, self.heads);
        let q = nn::rotate(&part(0)?, cos, sin)?;
        let k = nn::rotate(&part(1)?, cos, sin)?;
        let scale = ((d / self.heads) as f64).powf(-0.5);
        let mixed = nn::attend(&q, &k, &part(2)?, scale, None, Mask::None)?;
        let x = (x + mixed.apply(&self.projection)?)?;
        &x + self.mlp.forward(&x.apply(&self.norm2)?)?
    }
}
