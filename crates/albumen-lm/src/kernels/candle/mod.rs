//! The kernels on any candle device: CUDA and Metal where compiled in, and candle's own processor
//! backend, on which the tests run.
//!
//! Forward and backward are written out over tensor operations; autograd is the tests' oracle only.
//! Work is laid out for a device that likes few large launches: sequences and units of like length
//! are padded into batched products (see `batches`), and scores and logits exist for a bounded
//! piece at a time. Padding repeats rows of the same sequence or unit, so that not even a
//! non-finite number passes from one unit into another's gradient.

mod attention;
mod batches;
mod cache;
mod gate;
mod lora;
mod loss;
mod norm;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::{AttentionShape, Kernels, LoraScale, PackedRun, Precision};
use crate::config::Activation;
use crate::error::LmError;
use crate::lora::Site;
use crate::memory::LOGITS;
use attention::{AttentionPlan, PlanKey};
use batches::{Recent, UnitPlan};
use cache::{SharedPool, Step, StepKey};

/// Kernels on a candle device. Products with frozen weights have operands of the chosen precision;
/// with bf16 the device sums in f32 and rounds each result to bf16. All else is f32.
pub struct Candle {
    device: Device,
    precision: Precision,
    limits: Limits,
    attention_plans: Recent<PlanKey, AttentionPlan>,
    unit_plans: Recent<Vec<Range<usize>>, UnitPlan>,
    steps: Recent<StepKey, Step>,
    cached: SharedPool,
}

/// How many numbers of a kind exist at once.
#[derive(Clone, Copy)]
struct Limits {
    scores: usize,
    logits: usize,
}

impl Default for Limits {
    /// As many scores as logits.
    fn default() -> Self {
        Self {
            scores: LOGITS,
            logits: LOGITS,
        }
    }
}

impl Candle {
    /// Kernels on this device. 8-bit products are the processor kernels' own; here they are bf16.
    pub fn new(device: Device, precision: Precision) -> Self {
        Self {
            device,
            precision: match precision {
                Precision::Int8 => Precision::Bf16,
                other => other,
            },
            limits: Limits::default(),
            attention_plans: Recent::default(),
            unit_plans: Recent::default(),
            steps: Recent::default(),
            cached: SharedPool::default(),
        }
    }

    /// The precision in use.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The device in use.
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn dtype(&self) -> DType {
        match self.precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 | Precision::Int8 => DType::BF16,
        }
    }

    fn indices(&self, rows: &[u32]) -> Result<Tensor, LmError> {
        Ok(Tensor::from_slice(rows, rows.len(), &self.device)?)
    }

    fn attention_plan(
        &self,
        shape: &AttentionShape,
        before: Option<&Tensor>,
        runs: &[PackedRun],
    ) -> Result<Arc<AttentionPlan>, LmError> {
        let key = PlanKey {
            runs: runs.to_vec(),
            before: before.map_or(0, rows),
            heads: shape.heads,
            window: shape.window,
        };
        let limit = self.limits.scores;
        self.attention_plans
            .get(key, |key| AttentionPlan::new(key, limit, &self.device))
    }

    /// `x w` in the weights' precision, as f32.
    fn product(&self, x: &Tensor, w: &Tensor) -> Result<Tensor, LmError> {
        let x = x.to_dtype(self.dtype())?.contiguous()?;
        Ok(x.matmul(w)?.to_dtype(DType::F32)?)
    }
}

/// Rows of a matrix.
fn rows(x: &Tensor) -> usize {
    x.dims().first().copied().unwrap_or(0)
}

#[expect(
    private_interfaces,
    reason = "sites are made by this crate's layouts only"
)]
impl Kernels for Candle {
    /// (rows, columns) in f32, contiguous. Operations make new tensors, so that a copy may share
    /// memory with its original; only `lora_gradients` writes in place.
    type Matrix = Tensor;
    /// (out, in) in the precision of products.
    type Weight = Tensor;

    fn upload(&self, data: &[f32], cols: usize) -> Result<Tensor, LmError> {
        let rows = data.len() / cols.max(1);
        Ok(Tensor::from_slice(data, (rows, cols), &self.device)?)
    }

    fn download(&self, x: &Tensor) -> Result<Vec<f32>, LmError> {
        Ok(x.flatten_all()?.to_vec1()?)
    }

    fn zeros(&self, rows: usize, cols: usize) -> Result<Tensor, LmError> {
        Ok(Tensor::zeros((rows, cols), DType::F32, &self.device)?)
    }

    fn copy(&self, x: &Tensor) -> Result<Tensor, LmError> {
        Ok(x.clone())
    }

    fn with_row(&self, x: &Tensor, row: usize, f: &mut dyn FnMut(&[f32])) -> Result<(), LmError> {
        f(&x.get(row)?.to_vec1::<f32>()?);
        Ok(())
    }

    fn weight(&self, data: Vec<f32>, out: usize, input: usize) -> Result<Tensor, LmError> {
        // Rounded before it is copied: the device need not hold the f32 form even for a moment.
        let w = Tensor::from_vec(data, (out, input), &Device::Cpu)?.to_dtype(self.dtype())?;
        Ok(w.to_device(&self.device)?)
    }

    fn embed(&self, embedding: &Tensor, tokens: &[u32], scale: f32) -> Result<Tensor, LmError> {
        let rows = self.gather(embedding, tokens)?.to_dtype(DType::F32)?;
        Ok((rows * f64::from(scale))?)
    }

    fn gather(&self, x: &Tensor, rows: &[u32]) -> Result<Tensor, LmError> {
        if rows.is_empty() {
            return self.zeros(0, x.dim(1)?);
        }
        Ok(x.contiguous()?.index_select(&self.indices(rows)?, 0)?)
    }

    fn scatter(&self, g: &Tensor, rows: &[u32], count: usize) -> Result<Tensor, LmError> {
        let zeros = self.zeros(count, g.dim(1)?)?;
        if rows.is_empty() {
            return Ok(zeros);
        }
        Ok(zeros.index_add(&self.indices(rows)?, &g.contiguous()?, 0)?)
    }

    fn add(&self, x: &mut Tensor, y: &Tensor) -> Result<(), LmError> {
        *x = x.add(y)?;
        Ok(())
    }

    fn add_bias(&self, x: &mut Tensor, bias: &Tensor) -> Result<(), LmError> {
        *x = x.broadcast_add(bias)?;
        Ok(())
    }

    fn linear(&self, x: &Tensor, w: &Tensor, onto: Option<Tensor>) -> Result<Tensor, LmError> {
        if rows(x) == 0 {
            return self.zeros(0, w.dim(0)?);
        }
        let y = self.product(x, &w.t()?)?;
        match onto {
            Some(onto) => Ok((onto + y)?),
            None => Ok(y),
        }
    }

    fn linear_backward(&self, g: &Tensor, w: &Tensor) -> Result<Tensor, LmError> {
        if rows(g) == 0 {
            return self.zeros(0, w.dim(1)?);
        }
        self.product(g, w)
    }

    fn rms_norm(&self, x: &Tensor, w: &Tensor, eps: f32) -> Result<(Tensor, Tensor), LmError> {
        let r = norm::inverse(x, eps)?;
        Ok((norm::apply(x, &r, w)?, r))
    }

    fn rms_norm_again(&self, x: &Tensor, r: &Tensor, w: &Tensor) -> Result<Tensor, LmError> {
        norm::apply(x, r, w)
    }

    fn rms_norm_backward(
        &self,
        x: &Tensor,
        r: &Tensor,
        w: &Tensor,
        g: &Tensor,
        onto: Option<Tensor>,
    ) -> Result<Tensor, LmError> {
        let dx = norm::backward(x, r, w, g)?;
        match onto {
            Some(onto) => Ok((onto + dx)?),
            None => Ok(dx),
        }
    }

    fn head_norm(
        &self,
        qkv: &mut Tensor,
        shape: &AttentionShape,
        w: (&Tensor, &Tensor),
        eps: f32,
    ) -> Result<Tensor, LmError> {
        let (y, r) = norm::head_norm(qkv, shape, w, eps)?;
        *qkv = y;
        Ok(r)
    }

    fn head_norm_backward(
        &self,
        g: &mut Tensor,
        qkv: &Tensor,
        r: &Tensor,
        shape: &AttentionShape,
        w: (&Tensor, &Tensor),
    ) -> Result<(), LmError> {
        *g = norm::head_norm_backward(g, qkv, r, shape, w)?;
        Ok(())
    }

    fn rope(
        &self,
        qkv: &mut Tensor,
        shape: &AttentionShape,
        table: &Tensor,
        backward: bool,
    ) -> Result<(), LmError> {
        *qkv = norm::rope(qkv, shape, table, backward)?;
        Ok(())
    }

    fn attention(
        &self,
        qkv: &Tensor,
        before: Option<&Tensor>,
        shape: &AttentionShape,
        runs: &[PackedRun],
    ) -> Result<(Tensor, Tensor), LmError> {
        if rows(qkv) == 0 {
            return Ok((
                self.zeros(0, shape.heads * shape.head_dim)?,
                self.zeros(1, 0)?,
            ));
        }
        let plan = self.attention_plan(shape, before, runs)?;
        attention::forward(qkv, before, shape, &plan)
    }

    fn attention_backward(
        &self,
        qkv: &Tensor,
        before: Option<&Tensor>,
        log_sum: &Tensor,
        g: &Tensor,
        shape: &AttentionShape,
        runs: &[PackedRun],
    ) -> Result<Tensor, LmError> {
        if rows(qkv) == 0 {
            return self.zeros(0, shape.width());
        }
        let plan = self.attention_plan(shape, before, runs)?;
        attention::backward(qkv, before, log_sum, g, shape, &plan)
    }

    fn gate(&self, gate_up: &Tensor, act: Activation) -> Result<Tensor, LmError> {
        gate::forward(gate_up, act)
    }

    fn gate_backward(
        &self,
        gate_up: &Tensor,
        g: &Tensor,
        act: Activation,
    ) -> Result<Tensor, LmError> {
        gate::backward(gate_up, g, act)
    }

    fn cross_entropy(
        &self,
        x: &Tensor,
        head: &Tensor,
        targets: &[u32],
        weights: &[f32],
        soft_cap: Option<f32>,
        backward: bool,
    ) -> Result<(Vec<f32>, Option<Tensor>), LmError> {
        loss::cross_entropy(self, x, head, targets, weights, soft_cap, backward)
    }

    fn lora(
        &self,
        x: &Tensor,
        params: &Tensor,
        site: &Site,
        lora: LoraScale,
        y: &mut Tensor,
    ) -> Result<Tensor, LmError> {
        if rows(x) == 0 {
            return self.zeros(0, site.blocks.len() * lora.rank);
        }
        lora::forward(x, params, site, lora, y)
    }

    fn lora_backward(
        &self,
        g: &Tensor,
        params: &Tensor,
        site: &Site,
        lora: LoraScale,
    ) -> Result<Tensor, LmError> {
        if rows(g) == 0 {
            return self.zeros(0, site.blocks.len() * lora.rank);
        }
        lora::backward(g, params, site, lora)
    }

    fn lora_input(
        &self,
        du: &Tensor,
        params: &Tensor,
        site: &Site,
        dx: &mut Tensor,
    ) -> Result<(), LmError> {
        if rows(du) > 0 {
            *dx = lora::input(du, params, site, dx)?;
        }
        Ok(())
    }

    fn lora_gradients(
        &self,
        a: Option<(&Tensor, &Tensor)>,
        u: &Tensor,
        g: &Tensor,
        site: &Site,
        lora: LoraScale,
        units: &[Range<usize>],
        gradients: &mut Tensor,
    ) -> Result<(), LmError> {
        let plan = self
            .unit_plans
            .get(units.to_vec(), |units| UnitPlan::new(units, &self.device))?;
        lora::gradients(a, u, g, site, lora, &plan, gradients)
    }
}
