use crate::plan::Clipping;
use crate::{DpError, Sensitive};

/// Lattice points per clipping norm, as a power of two: contributions and noise are whole multiples
/// of `C * 2^-22`.
pub(crate) const LATTICE_BITS: u32 = 22;

/// Squared length of the longest contribution allowed, in lattice units.
const MAX_SQUARED_NORM: u128 = 1 << (2 * LATTICE_BITS);

/// The sum of a batch's clipped gradients: private, additive, and consumed by adding noise.
///
/// # Guarantee
/// Adding or removing one unit moves the sum by a vector of L2 norm at most C, exactly: rows are
/// rounded towards zero to a lattice and their norm is checked in whole numbers, and whole numbers
/// add without error. Non-finite rows count as zero.
///
/// # Citations
/// Abadi et al. 2016, algorithm 1; Bu et al. 2023 (AUTO-S); Casacuberta et al. 2022 on sensitivity
/// lost to floating-point sums. Proof note: proofs/clipping.md.
///
/// The sum cannot be read before noise is added:
/// ```compile_fail,E0616
/// fn read(sum: albumen_dp::ClippedSum) -> i64 {
///     sum.total[0]
/// }
/// ```
/// nor noised twice:
/// ```compile_fail,E0382
/// fn twice(
///     training: &mut albumen_dp::DpTraining,
///     first: albumen_dp::Batch,
///     second: albumen_dp::Batch,
///     sum: albumen_dp::ClippedSum,
/// ) {
///     let _ = training.update(first, sum);
///     let _ = training.update(second, sum);
/// }
/// ```
/// nor copied, printed or serialised:
/// ```compile_fail,E0599
/// fn copy(sum: &albumen_dp::ClippedSum) -> albumen_dp::ClippedSum {
///     sum.clone()
/// }
/// ```
/// ```compile_fail,E0277
/// fn print(sum: &albumen_dp::ClippedSum) -> String {
///     format!("{sum:?}")
/// }
/// ```
pub struct ClippedSum {
    pub(crate) total: Vec<i64>,
    pub(crate) ticket: u64,
    clipping: Clipping,
    added: Vec<bool>,
    metrics: BatchMetrics,
    row: Vec<i32>,
}

/// What happened to a batch's gradients; private, for `--show-private-metrics` only.
#[derive(Clone, Copy, Default)]
pub struct BatchMetrics {
    /// Units in the sum.
    pub units: usize,
    /// Units whose gradient was longer than the clipping norm.
    pub clipped: usize,
    /// Units whose gradient was not finite and counted as zero.
    pub non_finite: usize,
    /// Sum of the gradients' norms before clipping, over the finite ones.
    pub norm_total: f64,
}

impl ClippedSum {
    pub(crate) fn new(dimension: usize, units: usize, clipping: Clipping, ticket: u64) -> Self {
        Self {
            total: vec![0; dimension],
            ticket,
            clipping,
            added: vec![false; units],
            metrics: BatchMetrics::default(),
            row: vec![0; dimension],
        }
    }

    /// Adds the gradient of the unit at `position` in the batch, clipped.
    ///
    /// `gradient` is one unit's whole gradient (`[dimension]`): for an owner, its albums' rows are
    /// averaged first. It may depend on the parameters and on that unit only.
    ///
    /// # Errors
    /// [`DpError::WrongDimension`], [`DpError::OutsideBatch`], [`DpError::RepeatedUnit`]; the sum is
    /// then unchanged.
    pub fn add_unit(&mut self, position: usize, gradient: &[f32]) -> Result<(), DpError> {
        if gradient.len() != self.total.len() {
            return Err(DpError::WrongDimension {
                expected: self.total.len(),
                found: gradient.len(),
            });
        }
        let added = self.added.get_mut(position).ok_or(DpError::OutsideBatch)?;
        if std::mem::replace(added, true) {
            return Err(DpError::RepeatedUnit);
        }
        self.metrics.units += 1;
        let norm = squared_norm(gradient).sqrt();
        if !norm.is_finite() {
            self.metrics.non_finite += 1;
            return Ok(());
        }
        self.metrics.norm_total += norm;
        self.metrics.clipped += usize::from(norm > self.clipping.norm());
        to_lattice(gradient, norm, self.clipping, &mut self.row);
        for (total, &row) in self.total.iter_mut().zip(&self.row) {
            *total += i64::from(row);
        }
        Ok(())
    }

    /// Counts of clipped and non-finite gradients so far; private.
    pub fn metrics(&self) -> Sensitive<BatchMetrics> {
        Sensitive::new(self.metrics)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.added.iter().all(|&added| added)
    }
}

/// Clips and rounds towards zero, so that the row's length is at most `2^LATTICE_BITS`.
fn to_lattice(gradient: &[f32], norm: f64, clipping: Clipping, row: &mut [i32]) {
    // A little below the exact factor, so that rounding in `norm` and in the products cannot make
    // the row too long; the loop's whole-number check is what the guarantee rests on.
    let mut scale = clipping.factor(norm) / clipping.norm()
        * f64::from(1_u32 << LATTICE_BITS)
        * (1.0 - 2_f64.powi(-30));
    loop {
        for (lattice, &g) in row.iter_mut().zip(gradient) {
            *lattice = (f64::from(g) * scale) as i32;
        }
        if squared_length(row) <= MAX_SQUARED_NORM {
            return;
        }
        scale *= 0.999;
    }
}

/// Sum of squares in `f64`, in eight lanes; not finite exactly where a coordinate is not.
fn squared_norm(gradient: &[f32]) -> f64 {
    let mut lanes = [0_f64; 8];
    let (chunks, rest) = gradient.as_chunks::<8>();
    for chunk in chunks {
        for (lane, &g) in lanes.iter_mut().zip(chunk) {
            let g = f64::from(g);
            *lane += g * g;
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>()
}

/// Exact squared length.
fn squared_length(row: &[i32]) -> u128 {
    // Squares are below 2^62, so a block of two fits an u64; longer blocks go through u128.
    row.iter()
        .map(|&r| u128::from(r.unsigned_abs()).pow(2))
        .sum()
}
