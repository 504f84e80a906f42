//! EfficientNet-Lite0 (Tan & Le 2019, "EfficientNet", table 1; the Lite variant of TensorFlow's
//! models/official/efficientnet/lite: no squeeze-and-excitation, ReLU6 for swish, stem and head
//! of fixed width). Batch normalisation is folded into the convolutions at load.
//!
//! One image at a time, (c, h, w): the result cannot depend on a batch.

use std::path::Path;

use candle_core::{Device, Result as TensorResult, Tensor};

use super::checkpoint;
use crate::arrays::Arrays;
use crate::error::Result;
use crate::ops::{Activation, Add, AddBias, Depthwise, same_padding};

/// Side of the input in pixels.
pub(super) const RESOLUTION: usize = 224;
/// Channels of the head, and length of the pooled features.
pub const FEATURE_DIM: usize = 1280;
pub(super) const CLASSES: usize = 1000;

const STEM_CHANNELS: usize = 32;
/// TensorFlow's batch-norm epsilon, not PyTorch's 1e-5.
const BN_EPSILON: f32 = 1e-3;

/// A row of table 1: layers, kernel size, stride of the first layer, expansion ratio, channels.
struct Stage {
    layers: usize,
    k: usize,
    stride: usize,
    expansion: usize,
    channels: usize,
}

const STAGES: [Stage; 7] = [
    Stage {
        layers: 1,
        k: 3,
        stride: 1,
        expansion: 1,
        channels: 16,
    }, // 112 x 112
    Stage {
        layers: 2,
        k: 3,
        stride: 2,
        expansion: 6,
        channels: 24,
    }, // 56 x 56
    Stage {
        layers: 2,
        k: 5,
        stride: 2,
        expansion: 6,
        channels: 40,
    }, // 28 x 28
    Stage {
        layers: 3,
        k: 3,
        stride: 2,
        expansion: 6,
        channels: 80,
    }, // 14 x 14
    Stage {
        layers: 3,
        k: 5,
        stride: 1,
        expansion: 6,
        channels: 112,
    }, // 14 x 14
    Stage {
        layers: 4,
        k: 5,
        stride: 2,
        expansion: 6,
        channels: 192,
    }, // 7 x 7
    Stage {
        layers: 1,
        k: 3,
        stride: 1,
        expansion: 6,
        channels: 320,
    }, // 7 x 7
];

/// The classifier with its weights.
pub(super) struct EfficientNetLite0 {
    stem: Stem,
    blocks: Vec<Block>,
    head: Pointwise,
    /// (classes, features)
    fc_weight: Tensor,
    /// (classes, 1)
    fc_bias: Tensor,
}

impl EfficientNetLite0 {
    /// Loads the legacy PyTorch checkpoint `efficientnet-lite0-57934424.pth`.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let mut weights = checkpoint::load(path)?;
        let stem = Stem::load(&mut weights)?;
        let mut blocks = Vec::new();
        let mut c_in = STEM_CHANNELS;
        for stage in &STAGES {
            for layer in 0..stage.layers {
                let prefix = format!("_blocks.{}", blocks.len());
                let stride = if layer == 0 { stage.stride } else { 1 };
                blocks.push(Block::load(&mut weights, &prefix, stage, c_in, stride)?);
                c_in = stage.channels;
            }
        }
        let head = Pointwise::load(
            &mut weights,
            "_conv_head",
            "_bn1",
            [c_in, FEATURE_DIM],
            Activation::Relu6,
        )?;
        let fc = weights.take("_fc.weight", &[CLASSES, FEATURE_DIM])?;
        let bias = weights.take("_fc.bias", &[CLASSES])?;
        Ok(Self {
            stem,
            blocks,
            head,
            fc_weight: Tensor::from_vec(fc, (CLASSES, FEATURE_DIM), &Device::Cpu)?,
            fc_bias: Tensor::from_vec(bias, (CLASSES, 1), &Device::Cpu)?,
        })
    }

    /// An image of (3, 224, 224) -> pooled features of (1280, 1).
    pub(super) fn features(&self, image: &Tensor) -> TensorResult<Tensor> {
        let mut x = self.stem.forward(image)?; // (32, 112, 112)
        for block in &self.blocks {
            x = block.forward(&x)?; // (c, h, w)
        }
        let x = self.head.forward(&x)?; // (1280, 7, 7)
        let (c, h, w) = x.dims3()?;
        x.reshape((c, h * w))?.mean_keepdim(1) // (1280, 1)
    }

    /// Pooled features of (1280, 1) -> logits of (1000).
    pub(super) fn classify(&self, features: &Tensor) -> TensorResult<Tensor> {
        (self.fc_weight.matmul(features)? + &self.fc_bias)?.squeeze(1)
    }
}

/// 3 x 3 convolution of stride 2, 3 -> 32 channels.
struct Stem {
    /// (32, 3, 3, 3)
    weight: Tensor,
    bias: AddBias,
}

impl Stem {
    fn load(weights: &mut Arrays) -> Result<Self> {
        let shape = [STEM_CHANNELS, 3, 3, 3];
        let (weight, bias) = weights.take_folded("_conv_stem", "_bn0", &shape)?;
        Ok(Self {
            weight: Tensor::from_vec(weight, shape.as_slice(), &Device::Cpu)?,
            bias: AddBias {
                bias,
                activation: Activation::Relu6,
            },
        })
    }

    /// (3, h, w) -> (32, h / 2, w / 2)
    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        let (_, h, w) = x.dims3()?;
        let ((top, total_h), (left, total_w)) = (same_padding(h, 3, 2), same_padding(w, 3, 2));
        let x = x
            .pad_with_zeros(1, top, total_h - top)?
            .pad_with_zeros(2, left, total_w - left)?;
        let x = x
            .unsqueeze(0)?
            .conv2d(&self.weight, 0, 2, 1, 1)?
            .squeeze(0)?;
        x.inplace_op1(&self.bias)?;
        Ok(x)
    }
}

/// MBConv (section 4, after MobileNetV2): expand, depthwise, project, and the skip connection
/// where input and output have the same shape.
struct Block {
    /// Absent where the expansion ratio is 1.
    expand: Option<Pointwise>,
    depthwise: Depthwise,
    project: Pointwise,
    skip: bool,
}

impl Block {
    fn load(
        weights: &mut Arrays,
        prefix: &str,
        stage: &Stage,
        c_in: usize,
        stride: usize,
    ) -> Result<Self> {
        let name = |part: &str| format!("{prefix}.{part}");
        let (hidden, c_out, k) = (c_in * stage.expansion, stage.channels, stage.k);
        let expand = if stage.expansion == 1 {
            None
        } else {
            let (conv, bn) = (name("_expand_conv"), name("_bn0"));
            Some(Pointwise::load(
                weights,
                &conv,
                &bn,
                [c_in, hidden],
                Activation::Relu6,
            )?)
        };
        let (weight, bias) =
            weights.take_folded(&name("_depthwise_conv"), &name("_bn1"), &[hidden, 1, k, k])?;
        let depthwise = Depthwise {
            weight,
            bias,
            k,
            stride,
        };
        let (conv, bn) = (name("_project_conv"), name("_bn2"));
        let project = Pointwise::load(weights, &conv, &bn, [hidden, c_out], Activation::Linear)?;
        Ok(Self {
            expand,
            depthwise,
            project,
            skip: stride == 1 && c_in == c_out,
        })
    }

    /// (c_in, h, w) -> (c_out, h / stride, w / stride)
    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        let hidden = match &self.expand {
            Some(expand) => expand.forward(x)?, // (c_in * expansion, h, w)
            None => x.clone(),
        };
        let hidden = self.depthwise.forward(&hidden)?; // (c_in * expansion, h / stride, w / stride)
        let y = self.project.forward(&hidden)?; // (c_out, h / stride, w / stride)
        if self.skip {
            y.inplace_op2(x, &Add)?;
        }
        Ok(y)
    }
}

/// 1 x 1 convolution: a matrix product over the channels; then ReLU6 but after a projection.
struct Pointwise {
    /// (c_out, c_in)
    weight: Tensor,
    bias: AddBias,
}

impl Pointwise {
    fn load(
        weights: &mut Arrays,
        conv: &str,
        bn: &str,
        [c_in, c_out]: [usize; 2],
        activation: Activation,
    ) -> Result<Self> {
        let (weight, bias) = weights.take_folded(conv, bn, &[c_out, c_in, 1, 1])?;
        Ok(Self {
            weight: Tensor::from_vec(weight, (c_out, c_in), &Device::Cpu)?,
            bias: AddBias { bias, activation },
        })
    }

    /// (c_in, h, w) -> (c_out, h, w)
    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        let (c_in, h, w) = x.dims3()?;
        let (c_out, _) = self.weight.dims2()?;
        let y = self.weight.matmul(&x.reshape((c_in, h * w))?)?; // (c_out, h * w)
        y.inplace_op1(&self.bias)?;
        y.reshape((c_out, h, w))
    }
}

impl Arrays {
    /// A bias-free convolution and the batch normalisation after it, as one convolution:
    /// w' = w g / sqrt(var + eps), b' = beta - mean g / sqrt(var + eps).
    fn take_folded(
        &mut self,
        conv: &str,
        bn: &str,
        shape: &[usize; 4],
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let c_out = shape[0];
        let mut weight = self.take(&format!("{conv}.weight"), shape)?;
        let gamma = self.take(&format!("{bn}.weight"), &[c_out])?;
        let mut bias = self.take(&format!("{bn}.bias"), &[c_out])?;
        let mean = self.take(&format!("{bn}.running_mean"), &[c_out])?;
        let variance = self.take(&format!("{bn}.running_var"), &[c_out])?;
        let per_channel = weight.len() / c_out;
        for (channel, filter) in weight.chunks_exact_mut(per_channel).enumerate() {
            let scale = gamma[channel] / (variance[channel] + BN_EPSILON).sqrt();
            for w in filter {
                *w *= scale;
            }
            bias[channel] -= mean[channel] * scale;
        }
        Ok((weight, bias))
    }
}
