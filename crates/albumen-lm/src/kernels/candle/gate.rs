//! Gated activations, each written with a sigmoid: silu(x) = x sigmoid(x), and GELU's tanh form
//! (Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2) = x sigmoid(2 sqrt(2/pi) (x + 0.044715
//! x^3)).

use candle_core::Tensor;

use crate::config::Activation;
use crate::error::LmError;

/// `2 sqrt(2 / pi)` and the cubic's factor.
const GELU: (f64, f64) = (1.595_769_121_605_730_7, 0.044_715);

/// By the hyperbolic tangent, which overflows nowhere.
fn sigmoid(x: &Tensor) -> Result<Tensor, LmError> {
    Ok((((x * 0.5)?.tanh()? + 1.0)? * 0.5)?)
}

/// The sigmoid in the activation of x, and the slope of its argument.
fn inner(x: &Tensor, act: Activation) -> Result<(Tensor, Option<Tensor>), LmError> {
    match act {
        Activation::Silu => Ok((sigmoid(x)?, None)),
        Activation::GeluTanh => {
            let square = x.sqr()?;
            let argument = (x * ((&square * (GELU.0 * GELU.1))? + GELU.0)?)?;
            let slope = ((square * (3.0 * GELU.0 * GELU.1))? + GELU.0)?;
            Ok((sigmoid(&argument)?, Some(slope)))
        }
    }
}

/// Gate and up, (n, i) each.
fn split(gate_up: &Tensor) -> Result<(Tensor, Tensor), LmError> {
    let i = gate_up.dim(1)? / 2;
    let part = |at| gate_up.narrow(1, at, i)?.contiguous();
    Ok((part(0)?, part(i)?))
}

/// See `Kernels::gate`.
pub(super) fn forward(gate_up: &Tensor, act: Activation) -> Result<Tensor, LmError> {
    let (a, up) = split(gate_up)?;
    let (s, _) = inner(&a, act)?;
    Ok(((a * s)? * up)?)
}

/// See `Kernels::gate_backward`: with y = a s(v(a)), `dy/da = s + y (1 - s) dv/da`.
pub(super) fn backward(gate_up: &Tensor, g: &Tensor, act: Activation) -> Result<Tensor, LmError> {
    let (a, up) = split(gate_up)?;
    let (s, slope) = inner(&a, act)?;
    let y = (&a * &s)?;
    let mut rise = (&y * (1.0 - &s)?)?;
    if let Some(slope) = slope {
        rise = (rise * slope)?;
    }
    let da = ((g * up)? * (s + rise)?)?;
    Ok(Tensor::cat(&[da, (g * y)?], 1)?)
}
