//! Privacy loss distributions: certified bounds on epsilon(delta) and delta(epsilon).
//!
//! Each mechanism's privacy loss is cut to a grid twice, once above and once below itself
//! ([`discretise`]); both compositions are computed in one FFT under an exponential tilt that puts
//! the epsilon in question at the centre ([`compose`]), so that a delta of 1e-12 is as accurate as
//! one of 0.1, and a composition of T steps costs one power per Fourier coefficient, whatever T is.
//! What truncation, wrap-around and floating-point rounding can do is charged to the bounds. Proof
//! note: proofs/pld.md.

mod cells;
mod compose;
mod convolve;
mod cumulant;
mod discretise;
mod law;
mod search;

pub(crate) use law::{Direction, Law};
pub(crate) use search::Problem;
