//! Decoding in overlapping tiles that are blended linearly, as diffusers' `tiled_decode`: a tile's
//! side is that of the autoencoder's training pictures, a quarter of it overlaps.

use candle_core::{Result, Tensor};

/// Latents `z` (b, c, h, w) to pixels by tiles of `side` latents; `factor` pixels a latent.
pub(crate) fn decode(
    z: &Tensor,
    side: usize,
    factor: usize,
    decoder: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let (_, _, h, w) = z.dims4()?;
    let stride = side * 3 / 4;
    let blend = side * factor / 4;
    let keep = side * factor - blend;
    let mut above: Vec<Tensor> = Vec::new();
    let mut rows = Vec::new();
    for top in (0..h).step_by(stride) {
        let mut row: Vec<Tensor> = Vec::new();
        for (j, left) in (0..w).step_by(stride).enumerate() {
            let tile = z
                .narrow(2, top, side.min(h - top))?
                .narrow(3, left, side.min(w - left))?
                .contiguous()?;
            let mut tile = decoder(&tile)?;
            if let Some(above) = above.get(j) {
                tile = blended(above, &tile, blend, 2)?;
            }
            if let Some(before) = row.last() {
                tile = blended(before, &tile, blend, 3)?;
            }
            row.push(tile);
        }
        let kept: Vec<Tensor> = row
            .iter()
            .map(|tile| {
                let (_, _, h, w) = tile.dims4()?;
                tile.narrow(2, 0, keep.min(h))?.narrow(3, 0, keep.min(w))
            })
            .collect::<Result<_>>()?;
        rows.push(Tensor::cat(&kept, 3)?);
        above = row;
    }
    Tensor::cat(&rows, 2)
}

/// `next` with its first `extent` lines along `dim` mixed with the last ones of `before`.
fn blended(before: &Tensor, next: &Tensor, extent: usize, dim: usize) -> Result<Tensor> {
    let (old, new) = (before.dim(dim)?, next.dim(dim)?);
    let extent = extent.min(old).min(new);
    let ramp: Vec<f32> = (0..extent).map(|i| i as f32 / extent as f32).collect();
    let mut shape = [1; 4];
    shape[dim] = extent;
    let ramp = Tensor::from_vec(ramp, shape.as_slice(), next.device())?.to_dtype(next.dtype())?;
    let fading = ramp.affine(-1.0, 1.0)?;
    let mixed = before
        .narrow(dim, old - extent, extent)?
        .broadcast_mul(&fading)?
        .add(&next.narrow(dim, 0, extent)?.broadcast_mul(&ramp)?)?;
    Tensor::cat(&[mixed, next.narrow(dim, extent, new - extent)?], dim)
}
