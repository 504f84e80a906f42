//! Products with low-rank matrices, and each unit's gradients of them.

use candle_core::{DType, Tensor};

use super::batches::UnitPlan;
use crate::error::LmError;
use crate::kernels::LoraScale;
use crate::lora::{Block, Site};

/// The stacked A matrices, (blocks * rank, input).
fn a(params: &Tensor, site: &Site, width: usize) -> Result<Tensor, LmError> {
    let a = params.narrow(1, site.a, width * site.input)?;
    Ok(a.reshape((width, site.input))?)
}

/// A block's B, (out, rank).
fn b(params: &Tensor, block: &Block, rank: usize) -> Result<Tensor, LmError> {
    let out = block.columns.len();
    Ok(params
        .narrow(1, block.b, out * rank)?
        .reshape((out, rank))?)
}

/// A block's columns of the site's output.
fn columns(x: &Tensor, block: &Block) -> Result<Tensor, LmError> {
    let last = x.rank() - 1;
    Ok(x.narrow(last, block.columns.start, block.columns.len())?
        .contiguous()?)
}

/// `u = x A^T`, `y += scale u B^T`.
pub(super) fn forward(
    x: &Tensor,
    params: &Tensor,
    site: &Site,
    lora: LoraScale,
    y: &mut Tensor,
) -> Result<Tensor, LmError> {
    let (rank, (n, width)) = (lora.rank, y.dims2()?);
    let u = x.matmul(&a(params, site, site.blocks.len() * rank)?.t()?)?;
    let scaled = (&u * f64::from(lora.scale))?;
    // One addition over all columns; those of projections that are not adapted get zeros.
    let (mut parts, mut end) = (Vec::with_capacity(2 * site.blocks.len() + 1), 0);
    let zeros = |cols| Tensor::zeros((n, cols), DType::F32, x.device());
    for (i, block) in site.blocks.iter().enumerate() {
        if block.columns.start > end {
            parts.push(zeros(block.columns.start - end)?);
        }
        let u = scaled.narrow(1, i * rank, rank)?.contiguous()?;
        parts.push(u.matmul(&b(params, block, rank)?.t()?)?);
        end = block.columns.end;
    }
    if end < width {
        parts.push(zeros(width - end)?);
    }
    *y = y.add(&Tensor::cat(&parts, 1)?)?;
    Ok(u)
}

/// `du = scale g B`.
pub(super) fn backward(
    g: &Tensor,
    params: &Tensor,
    site: &Site,
    lora: LoraScale,
) -> Result<Tensor, LmError> {
    let parts = site.blocks.iter().map(|block| {
        let du = columns(g, block)?.matmul(&b(params, block, lora.rank)?)?;
        Ok((du * f64::from(lora.scale))?)
    });
    Ok(Tensor::cat(
        &parts.collect::<Result<Vec<_>, LmError>>()?,
        1,
    )?)
}

/// `dx + du A`.
pub(super) fn input(
    du: &Tensor,
    params: &Tensor,
    site: &Site,
    dx: &Tensor,
) -> Result<Tensor, LmError> {
    let (_, width) = du.dims2()?;
    Ok((dx + du.matmul(&a(params, site, width)?)?)?)
}

/// See `Kernels::lora_gradients`; one batched product a batch of units and matrix.
pub(super) fn gradients(
    a: Option<(&Tensor, &Tensor)>,
    u: &Tensor,
    g: &Tensor,
    site: &Site,
    lora: LoraScale,
    plan: &UnitPlan,
    gradients: &mut Tensor,
) -> Result<(), LmError> {
    if plan.batches.is_empty() {
        return Ok(());
    }
    let rank = lora.rank;
    let transposed = |t: Tensor| t.transpose(1, 2)?.contiguous();
    let write = |results: Vec<Tensor>, at: usize| {
        let width = results[0].dim(1)?;
        let by_unit = plan.by_unit(results, width)?.contiguous()?;
        Ok::<_, LmError>(gradients.slice_set(&by_unit, 1, at)?)
    };
    if let Some((x, du)) = a {
        let results = plan.batches.iter().map(|batch| {
            let du = transposed(batch.take_zero_padded(du)?)?;
            Ok(du.matmul(&batch.take(x)?)?.flatten_from(1)?)
        });
        write(results.collect::<Result<_, LmError>>()?, site.a)?;
    }
    let results = plan.batches.iter().map(|batch| {
        let g = batch.take(g)?; // (units, rows, out)
        let u = batch.take_zero_padded(u)?; // (units, rows, blocks * rank)
        let parts = site.blocks.iter().enumerate().map(|(i, block)| {
            let u = u.narrow(2, i * rank, rank)?.contiguous()?;
            let db = transposed(columns(&g, block)?)?.matmul(&u)?; // (units, out, rank)
            Ok((db.flatten_from(1)? * f64::from(lora.scale))?)
        });
        Ok(Tensor::cat(
            &parts.collect::<Result<Vec<_>, LmError>>()?,
            1,
        )?)
    });
    let at = site.blocks[0].b - lora.frozen;
    write(results.collect::<Result<_, LmError>>()?, at)
}
