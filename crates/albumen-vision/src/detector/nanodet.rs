//! NanoDet-g (github.com/RangiLyu/nanodet, config/legacy_v0.x_configs/nanodet-g.yml): a CSP
//! backbone without depthwise convolutions (Wang et al. 2019, "CSPNet"), a path aggregation neck
//! that only adds, and one small head a level that predicts class scores and, for each side of the
//! box, a distribution over distances (Li et al. 2020, "Generalized Focal Loss", section 3.2).
//!
//! One image at a time, (c, h, w).

use candle_core::{Result as TensorResult, Tensor};

use crate::arrays::Arrays;
use crate::error::{Result, VisionError};
use crate::ops::{Activation, Add, AddBias, Patches};

/// Side of the input in pixels.
pub(super) const RESOLUTION: usize = 416;
pub(super) const CLASSES: usize = 80;
/// Distances 0 to 10, in units of the level's stride.
pub(super) const DISTANCES: usize = 11;
/// Pixels between the cells of each level of the pyramid.
pub(super) const STRIDES: [usize; 3] = [8, 16, 32];

const NECK_CHANNELS: usize = 128;

/// The cells of one level: probabilities of (classes, cells) and logits of (4 * distances, cells).
pub(super) struct Level {
    pub(super) stride: usize,
    pub(super) scores: Vec<Vec<f32>>,
    pub(super) distances: Vec<Vec<f32>>,
}

/// The detector with its weights.
pub(super) struct NanoDetG {
    stem: Conv,
    stages: [Stage; 4],
    laterals: [Conv; 3],
    heads: [[Conv; 2]; 3],
}

impl NanoDetG {
    /// Convolutions are numbered as in the graph; `load` takes them in that order.
    pub(super) fn load(weights: &mut Arrays) -> Result<Self> {
        let mut next = 0..34;
        let mut conv = |c_in, c_out, k, stride, activation| {
            let number = next.next().unwrap_or_default();
            Conv::load(weights, number, [c_out, c_in, k, k], stride, activation)
        };
        let stem = conv(3, 32, 3, 2, Activation::LeakyRelu)?;
        let mut stage =
            |c_in, c_mid, stride, blocks| Stage::load(&mut conv, c_in, c_mid, stride, blocks);
        let stages = [
            stage(32, 32, 1, 1)?,
            stage(64, 64, 2, 2)?,
            stage(128, 128, 2, 2)?,
            stage(256, 256, 2, 3)?,
        ];
        let mut lateral = |c_in| conv(c_in, NECK_CHANNELS, 1, 1, Activation::Linear);
        let laterals = [lateral(128)?, lateral(256)?, lateral(512)?];
        let mut head = || {
            let hidden = conv(NECK_CHANNELS, NECK_CHANNELS, 3, 1, Activation::LeakyRelu)?;
            let out = conv(
                NECK_CHANNELS,
                CLASSES + 4 * DISTANCES,
                1,
                1,
                Activation::Linear,
            )?;
            Ok::<_, VisionError>([hidden, out])
        };
        let heads = [head()?, head()?, head()?];
        Ok(Self {
            stem,
            stages,
            laterals,
            heads,
        })
    }

    /// An image of (3, 416, 416) -> the cells of three levels.
    pub(super) fn forward(&self, image: &Tensor) -> TensorResult<Vec<Level>> {
        let x = self.stem.forward(image)?; // (32, 208, 208)
        let x = max_pool(&x)?; // (32, 104, 104)
        let [stage1, stage2, stage3, stage4] = &self.stages;
        let c2 = stage1.forward(&x)?; // (64, 104, 104)
        let c3 = stage2.forward(&c2)?; // (128, 52, 52)
        let c4 = stage3.forward(&c3)?; // (256, 26, 26)
        let c5 = stage4.forward(&c4)?; // (512, 13, 13)

        // Top-down, then bottom-up, each level (128, s, s).
        let [lateral3, lateral4, lateral5] = &self.laterals;
        let p3 = lateral3.forward(&c3)?; // s = 52
        let p4 = lateral4.forward(&c4)?; // s = 26
        let p5 = lateral5.forward(&c5)?; // s = 13
        p4.inplace_op2(&double(&p5)?, &Add)?;
        p3.inplace_op2(&double(&p4)?, &Add)?;
        p4.inplace_op2(&halve(&p3)?, &Add)?;
        p5.inplace_op2(&halve(&p4)?, &Add)?;

        let mut levels = Vec::new();
        for ((p, [hidden, out]), stride) in [p3, p4, p5].iter().zip(&self.heads).zip(STRIDES) {
            let y = out.forward(&hidden.forward(p)?)?; // (80 + 44, s, s)
            let y = y.flatten_from(1)?; // (80 + 44, s * s)
            levels.push(Level {
                stride,
                scores: candle_nn::ops::sigmoid(&y.narrow(0, 0, CLASSES)?)?.to_vec2()?,
                distances: y.narrow(0, CLASSES, 4 * DISTANCES)?.to_vec2()?,
            });
        }
        Ok(levels)
    }
}

/// A cross-stage partial stage: x -> concat(transition(blocks(x)), x).
struct Stage {
    down: Conv,
    /// Each y -> concat(b(a(y)), a(y)).
    blocks: Vec<[Conv; 2]>,
    transition: Conv,
}

impl Stage {
    fn load(
        conv: &mut impl FnMut(usize, usize, usize, usize, Activation) -> Result<Conv>,
        c_in: usize,
        c: usize,
        stride: usize,
        blocks: usize,
    ) -> Result<Self> {
        let activation = Activation::LeakyRelu;
        let down = conv(c_in, c, 3, stride, activation)?;
        let blocks = (0..blocks)
            .map(|_| {
                Ok([
                    conv(c, c / 2, 3, 1, activation)?,
                    conv(c / 2, c / 2, 3, 1, activation)?,
                ])
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            down,
            blocks,
            transition: conv(c, c, 3, 1, activation)?,
        })
    }

    /// (c_in, h, w) -> (2 c, h / stride, w / stride)
    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        let x = self.down.forward(x)?; // (c, h / stride, w / stride)
        let mut y = x.clone();
        for [a, b] in &self.blocks {
            let half = a.forward(&y)?; // (c / 2, ..)
            y = Tensor::cat(&[&b.forward(&half)?, &half], 0)?; // (c, ..)
        }
        Tensor::cat(&[&self.transition.forward(&y)?, &x], 0)
    }
}

/// A k x k convolution with padding k / 2, bias and activation.
struct Conv {
    /// (c_out, c_in * k * k)
    weight: Tensor,
    bias: AddBias,
    patches: Patches,
}

impl Conv {
    fn load(
        weights: &mut Arrays,
        number: usize,
        shape: [usize; 4],
        stride: usize,
        activation: Activation,
    ) -> Result<Self> {
        let (weight, bias) = weights.convolution(number, shape)?;
        let patches = Patches {
            k: shape[2],
            stride,
        };
        Ok(Self {
            weight: weight.flatten_from(1)?,
            bias: AddBias { bias, activation },
            patches,
        })
    }

    /// (c_in, h, w) -> (c_out, h / stride, w / stride)
    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        let (_, h, w) = x.dims3()?;
        let (c_out, _) = self.weight.dims2()?;
        let (oh, ow) = (
            h.div_ceil(self.patches.stride),
            w.div_ceil(self.patches.stride),
        );
        let columns = self.patches.forward(x)?; // (c_in * k * k, oh * ow)
        let y = self.weight.matmul(&columns)?; // (c_out, oh * ow)
        y.inplace_op1(&self.bias)?;
        y.reshape((c_out, oh, ow))
    }
}

/// 3 x 3 maximum of stride 2: (c, h, w) -> (c, h / 2, w / 2). The input follows a leaky ReLU, so
/// the border is padded with a number below all of it.
fn max_pool(x: &Tensor) -> TensorResult<Tensor> {
    let (c, h, w) = x.dims3()?;
    let values: Vec<f32> = x.flatten_all()?.to_vec1()?;
    let (oh, ow) = (h / 2, w / 2);
    let mut out = Vec::with_capacity(c * oh * ow);
    for plane in values.chunks_exact(h * w) {
        for oy in 0..oh {
            let rows = (2 * oy).saturating_sub(1)..(2 * oy + 2).min(h);
            for ox in 0..ow {
                let columns = (2 * ox).saturating_sub(1)..(2 * ox + 2).min(w);
                let cells = rows.clone().flat_map(|y| &plane[y * w..][columns.clone()]);
                out.push(cells.fold(f32::NEG_INFINITY, |m, &v| m.max(v)));
            }
        }
    }
    Tensor::from_vec(out, (c, oh, ow), x.device())
}

/// Bilinear enlargement by two with half-pixel centres: (c, s, s) -> (c, 2 s, 2 s). Each new pixel
/// takes 3/4 of the nearer old one and 1/4 of the farther, along each axis.
fn double(x: &Tensor) -> TensorResult<Tensor> {
    let mut x = x.clone();
    for axis in [1, 2] {
        let n = x.dim(axis)?;
        let before = Tensor::cat(&[&x.narrow(axis, 0, 1)?, &x.narrow(axis, 0, n - 1)?], axis)?;
        let after = Tensor::cat(
            &[&x.narrow(axis, 1, n - 1)?, &x.narrow(axis, n - 1, 1)?],
            axis,
        )?;
        let near = (&x * 0.75)?;
        let even = (&near + (before * 0.25)?)?;
        let odd = (&near + (after * 0.25)?)?;
        x = Tensor::stack(&[even, odd], axis + 1)?.flatten(axis, axis + 1)?;
    }
    x.contiguous()
}

/// Bilinear reduction by two with half-pixel centres, which is the mean of 2 x 2:
/// (c, 2 s, 2 s) -> (c, s, s).
fn halve(x: &Tensor) -> TensorResult<Tensor> {
    let (c, h, w) = x.dims3()?;
    let x = x.reshape((c, h / 2, 2, w / 2, 2))?; // (c, s, 2, s, 2)
    x.mean(4)?.mean(2)?.contiguous()
}
