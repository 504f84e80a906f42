//! Tiles of f32 products: a few rows times one packed panel of columns, kept in registers.
//!
//! Every kernel forms an output number in the same way: from zero, one fused multiply-add for each k
//! in order, in a lane of its own. So the bits depend neither on the kernel, nor on the tile's
//! height, nor on what else is in the tile.

#[cfg(target_arch = "x86_64")]
use super::simd::features;
use super::simd::simd;

#[cfg(target_arch = "x86_64")]
mod x86;

/// Output columns in a panel: two AVX-512 registers.
pub(crate) const PANEL: usize = 32;
/// Rows of the largest tile: 12 x 2 sums, two registers of the panel and a broadcast fill 27 of the
/// 32 registers of AVX-512.
pub(crate) const TILE: usize = 12;

/// What becomes of a tile's sums: `c = scale sum`, or `c += scale sum` where `add`.
#[derive(Clone, Copy)]
pub(crate) struct Store {
    pub(crate) scale: f32,
    pub(crate) add: bool,
}

impl Store {
    /// The sums as they are.
    pub(crate) const PLAIN: Self = Self {
        scale: 1.0,
        add: false,
    };
}

simd! {
    /// Stores sums in part of a row.
    pub(crate) fn store_row(store: Store, sums: &[f32], c: &mut [f32]) {
        for (c, sum) in c.iter_mut().zip(sums) {
            *c = if store.add {
                store.scale.mul_add(*sum, *c)
            } else {
                store.scale * sum
            };
        }
    }
}

/// A strided left operand: number (i, k) lies at `start + i rows + k cols`.
#[derive(Clone, Copy)]
pub(crate) struct Left {
    pub(crate) start: *const f32,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
}

/// The height of the next tile of `left` rows.
pub(crate) fn tile_height(left: usize) -> usize {
    [TILE, 8, 4, 2]
        .into_iter()
        .find(|&h| h <= left)
        .unwrap_or(1)
}

/// `height` rows of `a` times a panel (k, 32), to `c`, whose rows are `stride` apart. Where `narrow`,
/// the panel's first 16 columns only: `kernel(height, narrow, a, panel, c, stride, store)`.
///
/// # Safety
/// The processor has the kernel's instructions; `height` is one of [`tile_height`]'s; `a` has so many
/// rows and k columns to read; at `c` there are `height` rows of 32 numbers (16 where `narrow`) that
/// no one else touches.
pub(crate) type Kernel = unsafe fn(usize, bool, Left, &[f32], *mut f32, usize, Store);

/// Each kernel and whether the processor has its instructions, the fastest last.
pub(crate) fn kernels() -> impl DoubleEndedIterator<Item = (bool, Kernel)> {
    let plain = [(true, plain as Kernel)];
    #[cfg(target_arch = "x86_64")]
    {
        let features = features();
        let avx2 = (features.avx2, x86::tile_avx2 as Kernel);
        let avx512 = (features.avx512, x86::tile_avx512 as Kernel);
        plain.into_iter().chain([avx2, avx512])
    }
    #[cfg(not(target_arch = "x86_64"))]
    plain.into_iter()
}

/// The fastest kernel that the processor has.
pub(crate) fn fastest() -> Kernel {
    kernels().rev().find(|k| k.0).map_or(plain, |k| k.1)
}

/// The kernel of any processor.
///
/// # Safety
/// As for a [`Kernel`], of any height.
unsafe fn plain(
    height: usize,
    narrow: bool,
    a: Left,
    panel: &[f32],
    c: *mut f32,
    stride: usize,
    store: Store,
) {
    for i in 0..height {
        let mut sums = [0.0_f32; PANEL];
        for (k, b) in panel.as_chunks::<PANEL>().0.iter().enumerate() {
            // SAFETY: row i and column k of `a` are there to read.
            let x = unsafe { *a.start.add(i * a.rows + k * a.cols) };
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = x.mul_add(*b, *sum);
            }
        }
        let width = if narrow { PANEL / 2 } else { PANEL };
        // SAFETY: row i at `c` has so many numbers that no one else touches.
        let c = unsafe { std::slice::from_raw_parts_mut(c.add(i * stride), width) };
        store_row(store, &sums, c);
    }
}
