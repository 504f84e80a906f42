//! CPU kernels that candle lacks. Its grouped convolution runs one small matrix product a channel,
//! many times slower for the hundreds of channels here; and its elementwise operators each pass
//! through a pool of spinning threads, which costs more than the sums when images already run in
//! parallel.

use candle_core::{
    CpuStorage, CustomOp1, InplaceOp1, InplaceOp2, Layout, Result, Shape, Tensor, bail,
};
use rayon::prelude::*;

/// One k x k filter and bias a channel, TensorFlow's `SAME` padding, then ReLU6.
pub(crate) struct Depthwise {
    /// (c, k, k), row-major.
    pub(crate) weight: Vec<f32>,
    /// (c)
    pub(crate) bias: Vec<f32>,
    pub(crate) k: usize,
    pub(crate) stride: usize,
}

impl Depthwise {
    /// (c, h, w) -> (c, ceil(h / stride), ceil(w / stride))
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op1_no_bwd(self)
    }
}

/// `SAME` padding along one axis: zeros before the first element, and in total. The odd one goes
/// to the end, unlike PyTorch's symmetric padding.
pub(crate) fn same_padding(n: usize, k: usize, stride: usize) -> (usize, usize) {
    let total = ((n.div_ceil(stride) - 1) * stride + k).saturating_sub(n);
    (total / 2, total)
}

impl CustomOp1 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise-relu6"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (c, h, w) = layout.shape().dims3()?;
        let (Some((start, end)), k, stride) = (layout.contiguous_offsets(), self.k, self.stride)
        else {
            bail!("depthwise convolution needs a contiguous input")
        };
        if c != self.bias.len() || h == 0 || w == 0 {
            bail!(
                "depthwise convolution of {} channels on ({c}, {h}, {w})",
                self.bias.len()
            )
        }
        let x = &storage.as_slice::<f32>()?[start..end];
        let (oh, ow) = (h.div_ceil(stride), w.div_ceil(stride));
        let (top, total_h) = same_padding(h, k, stride);
        let (left, total_w) = same_padding(w, k, stride);
        let padded_w = w + total_w;
        let mut out = vec![0_f32; c * oh * ow];
        out.par_chunks_exact_mut(oh * ow).enumerate().for_each_init(
            || vec![0_f32; (h + total_h) * padded_w],
            |padded, (channel, plane)| {
                for (y, row) in x[channel * h * w..][..h * w].chunks_exact(w).enumerate() {
                    padded[(y + top) * padded_w + left..][..w].copy_from_slice(row);
                }
                let filter = &self.weight[channel * k * k..][..k * k];
                for (y, row) in plane.chunks_exact_mut(ow).enumerate() {
                    row.fill(self.bias[channel]);
                    for (ky, taps) in filter.chunks_exact(k).enumerate() {
                        let line = &padded[(y * stride + ky) * padded_w..][..padded_w];
                        for (kx, &tap) in taps.iter().enumerate() {
                            add_scaled(row, &line[kx..], tap, stride);
                        }
                    }
                    for value in row {
                        *value = value.clamp(0.0, 6.0);
                    }
                }
            },
        );
        Ok((CpuStorage::F32(out), Shape::from((c, oh, ow))))
    }
}

/// The patches under a k x k filter with padding k / 2, as columns, so that a convolution is one
/// matrix product: whole rows are copied, which candle's own tiling does pixel by pixel.
pub(crate) struct Patches {
    pub(crate) k: usize,
    pub(crate) stride: usize,
}

impl Patches {
    /// (c, h, w) -> (c * k * k, ceil(h / stride) * ceil(w / stride)) for odd k
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op1_no_bwd(self)
    }
}

impl CustomOp1 for Patches {
    fn name(&self) -> &'static str {
        "patches"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (c, h, w) = layout.shape().dims3()?;
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("patches need a contiguous input")
        };
        let x = &storage.as_slice::<f32>()?[start..end];
        let (k, stride, pad) = (self.k, self.stride, self.k / 2);
        let (oh, ow) = (h.div_ceil(stride), w.div_ceil(stride));
        let mut out = vec![0_f32; c * k * k * oh * ow];
        out.par_chunks_exact_mut(oh * ow)
            .enumerate()
            .for_each(|(row, patch)| {
                let (channel, ky, kx) = (row / (k * k), row / k % k, row % k);
                let plane = &x[channel * h * w..][..h * w];
                for (oy, line) in patch.chunks_exact_mut(ow).enumerate() {
                    let y = oy * stride + ky;
                    if y < pad || y - pad >= h {
                        continue;
                    }
                    let source = &plane[(y - pad) * w..][..w];
                    // The first output column whose input column, ox * stride + kx - pad, exists.
                    let first = pad.saturating_sub(kx).div_ceil(stride);
                    let inside = source[first * stride + kx - pad..].iter().step_by(stride);
                    for (value, &v) in line[first..].iter_mut().zip(inside) {
                        *value = v;
                    }
                }
            });
        Ok((CpuStorage::F32(out), Shape::from((c * k * k, oh * ow))))
    }
}

/// What follows a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Activation {
    Linear,
    /// min(max(x, 0), 6)
    Relu6,
    /// max(x, 0.1 x)
    LeakyRelu,
}

/// Adds each channel's bias in place, then the activation.
pub(crate) struct AddBias {
    /// (c)
    pub(crate) bias: Vec<f32>,
    pub(crate) activation: Activation,
}

impl InplaceOp1 for AddBias {
    fn name(&self) -> &'static str {
        "add-bias"
    }

    /// On (c, ...).
    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let x = contiguous(storage, layout)?;
        if !x.len().is_multiple_of(self.bias.len()) || x.is_empty() {
            bail!("{} biases for {:?}", self.bias.len(), layout.shape())
        }
        let per_channel = x.len() / self.bias.len();
        for (channel, bias) in x.chunks_exact_mut(per_channel).zip(&self.bias) {
            match self.activation {
                Activation::Linear => map(channel, |v| v + bias),
                Activation::Relu6 => map(channel, |v| (v + bias).clamp(0.0, 6.0)),
                Activation::LeakyRelu => map(channel, |v| (v + bias).max(0.1 * (v + bias))),
            }
        }
        Ok(())
    }
}

fn map(values: &mut [f32], f: impl Fn(f32) -> f32) {
    for value in values {
        *value = f(*value);
    }
}

/// `x += y` in place, for tensors of one shape.
pub(crate) struct Add;

impl InplaceOp2 for Add {
    fn name(&self) -> &'static str {
        "add-in-place"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        x_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<()> {
        let Some((start, end)) = y_layout.contiguous_offsets() else {
            bail!("addition in place needs contiguous tensors")
        };
        let (x, y) = (contiguous(x, x_layout)?, &y.as_slice::<f32>()?[start..end]);
        if x.len() != y.len() {
            bail!(
                "addition of {:?} to {:?}",
                y_layout.shape(),
                x_layout.shape()
            )
        }
        for (x, y) in x.iter_mut().zip(y) {
            *x += y;
        }
        Ok(())
    }
}

fn contiguous<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("an operation in place needs a contiguous f32 tensor"),
    }
}

/// `row[i] += tap * line[i * stride]`; the case of stride 1 is apart so that it vectorises.
fn add_scaled(row: &mut [f32], line: &[f32], tap: f32, stride: usize) {
    if stride == 1 {
        for (value, x) in row.iter_mut().zip(line) {
            *value += tap * x;
        }
    } else {
        for (value, x) in row.iter_mut().zip(line.iter().step_by(stride)) {
            *value += tap * x;
        }
    }
}
