use crate::plan::Clipping;
use crate::{DpError, Sensitive};

/// Lattice points per clipping norm, as a power of two: contributions and noise are whole multiples
/// of `C * 2^-22`.
pub(crate) const LATTICE_BITS: u32 = 22;

/// Largest coordinate of a contribution, in lattice units.
const LIMIT: f64 = (1_u32 << LATTICE_BITS) as f64;

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
/// ```compile_fail,E0308
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
            // Cannot wrap: fewer than 2^40 rows of coordinates up to 2^22.
            *total = total.wrapping_add(i64::from(row));
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
            // A coordinate beyond the clamp would be refused below; clamped, its square fits.
            *lattice = (f64::from(g) * scale).clamp(-LIMIT, LIMIT) as i32;
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

/// Exact squared length of a row of coordinates up to [`LIMIT`].
fn squared_length(row: &[i32]) -> u128 {
    // 4096 squares below 2^45 fit an u64 with room, so nothing wraps.
    let block = |rows: &[i32]| {
        rows.iter().fold(0_u64, |sum, &r| {
            let r = u64::from(r.unsigned_abs());
            sum.wrapping_add(r.wrapping_mul(r))
        })
    };
    row.chunks(4096).map(|rows| u128::from(block(rows))).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lattice_row(gradient: &[f32], clipping: Clipping) -> Vec<i32> {
        let mut sum = ClippedSum::new(gradient.len(), 1, clipping, 0);
        sum.add_unit(0, gradient).unwrap();
        sum.total.iter().map(|&t| t as i32).collect()
    }

    fn clippings() -> impl Strategy<Value = Clipping> {
        (1e-3..1e3, 1e-6..10.0, any::<bool>()).prop_map(|(norm, gamma, flat)| {
            if flat {
                Clipping::Flat { norm }
            } else {
                Clipping::Normalize { norm, gamma }
            }
        })
    }

    proptest! {
        #[test]
        fn one_unit_moves_the_sum_by_at_most_c(
            rows in prop::collection::vec(prop::collection::vec(any::<f32>(), 7), 1..6),
            clipping in clippings(),
            which in 0_usize..6,
        ) {
            let which = which % rows.len();
            let sum = |skip: Option<usize>| {
                let kept: Vec<_> = (0..rows.len()).filter(|i| Some(*i) != skip).collect();
                let mut sum = ClippedSum::new(7, kept.len(), clipping, 0);
                for (position, &row) in kept.iter().enumerate() {
                    sum.add_unit(position, &rows[row]).unwrap();
                }
                sum.total
            };
            let moved: u128 = sum(None)
                .iter()
                .zip(sum(Some(which)))
                .map(|(a, b)| u128::from(a.abs_diff(b)).pow(2))
                .sum();
            prop_assert!(moved <= MAX_SQUARED_NORM, "{moved}");
        }

        #[test]
        fn clipping_keeps_direction_and_length(
            gradient in prop::collection::vec(-10.0_f32..10.0, 20),
            clipping in clippings(),
        ) {
            let norm = squared_norm(&gradient).sqrt();
            let factor = clipping.factor(norm) / clipping.norm() * LIMIT;
            for (&g, r) in gradient.iter().zip(lattice_row(&gradient, clipping)) {
                // Rounded towards zero by less than one lattice unit.
                let exact = f64::from(g) * factor;
                prop_assert!((exact - f64::from(r)).abs() <= 1.01 && f64::from(r).abs() <= exact.abs());
            }
        }
    }

    #[test]
    fn long_vectors_reach_the_bound_and_do_not_pass_it() {
        for d in [1, 3, 1000, 100_000] {
            let gradient: Vec<f32> = (0..d).map(|i| 1.0 + (i % 7) as f32).collect();
            let length = squared_length(&lattice_row(&gradient, Clipping::Flat { norm: 0.1 }));
            assert!(length <= MAX_SQUARED_NORM);
            assert!(
                length as f64 > 0.999 * MAX_SQUARED_NORM as f64,
                "{d} {length}"
            );
        }
    }

    #[test]
    fn non_finite_gradients_count_as_zero() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let row = lattice_row(&[1.0, bad, 2.0], Clipping::Flat { norm: 1.0 });
            assert_eq!(row, [0, 0, 0]);
        }
        // The largest finite values are clipped, not dropped.
        let row = lattice_row(&[f32::MAX, f32::MAX], Clipping::Flat { norm: 1.0 });
        assert!(row.iter().all(|&r| r > 2_900_000), "{row:?}");
    }
}
