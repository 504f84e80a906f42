//! Numeric kernels with their backward.

/// The number format of products with frozen weights. Everything else is f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// f32 operands.
    F32,
    /// bf16 operands and f32 sums where the processor has them in hardware, f32 elsewhere.
    Bf16,
}
