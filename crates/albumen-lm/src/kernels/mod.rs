//! Numeric kernels with their backward, behind one trait; the schedule over them is in
//! `crate::model` and `crate::gradient`.

pub mod candle;
pub mod cpu;
mod decode;
pub mod rope;

use std::ops::Range;

use crate::config::Activation;
use crate::error::LmError;
use crate::lora::Site;

pub use candle::Candle;
pub use cpu::Cpu;
pub use decode::{Cache, Decode, Feed};

/// The number format of products with frozen weights. Everything else is f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// f32 operands.
    F32,
    /// bf16 operands and f32 sums where the processor has them in hardware, f32 elsewhere.
    Bf16,
    /// 8-bit weights and activations with a scale for every 32 numbers, for decoding only: the
    /// gradients have no such products.
    Int8,
}

/// The shape of one layer's attention. A row of `qkv` holds the query heads, then the key heads,
/// then the value heads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionShape {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Multiplies q.k.
    pub scale: f32,
    /// `c * tanh(x / c)` on the scaled scores.
    pub soft_cap: Option<f32>,
    /// How many tokens, itself included, a token sees at most.
    pub window: Option<usize>,
}

impl AttentionShape {
    /// Columns of a `qkv` row.
    pub fn width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    /// Column where key head `i` starts.
    pub fn key(&self, i: usize) -> usize {
        (self.heads + i) * self.head_dim
    }

    /// Column where value head `i` starts.
    pub fn value(&self, i: usize) -> usize {
        (self.heads + self.kv_heads + i) * self.head_dim
    }
}

/// A causal run of packed rows that also sees the `context` rows from its sequence's `origin` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedRun {
    /// First row of the sequence.
    pub origin: usize,
    /// First row of the run.
    pub start: usize,
    /// Rows in the run.
    pub len: usize,
    /// Rows from `origin` on that every row of the run sees.
    pub context: usize,
}

/// The adapter's numbers that a kernel needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoraScale {
    /// Rank of every block.
    pub rank: usize,
    /// `alpha / rank`.
    pub scale: f32,
    /// Numbers at the front of the parameters that have no gradients: none, or all A matrices.
    pub frozen: usize,
}

/// The operations of a decoder with LoRA, forward and backward, over row-major f32 matrices whose
/// rows are tokens. All sequences of a micro-batch lie packed back to back, without padding.
///
/// Sizes are the caller's duty: an implementation may panic where they contradict each other.
///
/// # Errors
/// A method fails only where its device does.
#[expect(
    private_interfaces,
    reason = "sites are made by this crate's layouts only"
)]
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
pub trait Kernels: Send + Sync + Sized {
    /// A matrix of activations or parameters.
    type Matrix: Send + Sync;
    /// A frozen (out, in) weight, laid out for products in both directions.
    type Weight: Send + Sync;

    /// A matrix with these rows.
    fn upload(&self, data: &[f32], cols: usize) -> Result<Self::Matrix, LmError>;
    /// All numbers of a matrix, row by row.
    fn download(&self, x: &Self::Matrix) -> Result<Vec<f32>, LmError>;
    /// A matrix of zeros.
    fn zeros(&self, rows: usize, cols: usize) -> Result<Self::Matrix, LmError>;
    /// A copy.
    fn copy(&self, x: &Self::Matrix) -> Result<Self::Matrix, LmError>;
    /// Lends row `row` to `f`.
    fn with_row(
        &self,
        x: &Self::Matrix,
        row: usize,
        f: &mut dyn FnMut(&[f32]),
    ) -> Result<(), LmError>;
    /// Freezes an (out, in) weight.
    fn weight(&self, data: Vec<f32>, out: usize, input: usize) -> Result<Self::Weight, LmError>;

    /// Rows `tokens` of an embedding times `scale`: (tokens, hidden).
    fn embed(
        &self,
        embedding: &Self::Weight,
        tokens: &[u32],
        scale: f32,
    ) -> Result<Self::Matrix, LmError>;
    /// Rows of `x` by index.
    fn gather(&self, x: &Self::Matrix, rows: &[u32]) -> Result<Self::Matrix, LmError>;
    /// The transpose of `gather`: a matrix of `count` rows with `g`'s added at `rows`.
    fn scatter(
        &self,
        g: &Self::Matrix,
        rows: &[u32],
        count: usize,
    ) -> Result<Self::Matrix, LmError>;
    /// `x += y`.
    fn add(&self, x: &mut Self::Matrix, y: &Self::Matrix) -> Result<(), LmError>;
    /// `x += bias` on every row.
    fn add_bias(&self, x: &mut Self::Matrix, bias: &Self::Matrix) -> Result<(), LmError>;

    /// `x W^T`, added to `onto` where given.
    fn linear(
        &self,
        x: &Self::Matrix,
        w: &Self::Weight,
        onto: Option<Self::Matrix>,
    ) -> Result<Self::Matrix, LmError>;
    /// `g W`: the gradient of `linear`'s input.
    fn linear_backward(&self, g: &Self::Matrix, w: &Self::Weight) -> Result<Self::Matrix, LmError>;

    /// Zhang & Sennrich 2019 (arXiv:1910.07467): `y = x r w` with `r = (mean x^2 + eps)^-1/2`;
    /// gives y and r (rows, 1).
    fn rms_norm(
        &self,
        x: &Self::Matrix,
        w: &Self::Matrix,
        eps: f32,
    ) -> Result<(Self::Matrix, Self::Matrix), LmError>;
    /// y of `rms_norm` again, from x and r.
    fn rms_norm_again(
        &self,
        x: &Self::Matrix,
        r: &Self::Matrix,
        w: &Self::Matrix,
    ) -> Result<Self::Matrix, LmError>;
    /// The gradient of `rms_norm`'s input, added to `onto` where given.
    fn rms_norm_backward(
        &self,
        x: &Self::Matrix,
        r: &Self::Matrix,
        w: &Self::Matrix,
        g: &Self::Matrix,
        onto: Option<Self::Matrix>,
    ) -> Result<Self::Matrix, LmError>;
    /// `rms_norm` of each query and key head, in place; gives the inverse norms
    /// (rows, heads + kv_heads).
    fn head_norm(
        &self,
        qkv: &mut Self::Matrix,
        shape: &AttentionShape,
        w: (&Self::Matrix, &Self::Matrix),
        eps: f32,
    ) -> Result<Self::Matrix, LmError>;
    /// Turns the gradient of `head_norm`'s output into that of its input, in place. `qkv` is the
    /// input.
    fn head_norm_backward(
        &self,
        g: &mut Self::Matrix,
        qkv: &Self::Matrix,
        r: &Self::Matrix,
        shape: &AttentionShape,
        w: (&Self::Matrix, &Self::Matrix),
    ) -> Result<(), LmError>;
    /// Rotates the query and key heads in place by the angles of [`rope::table`]; backwards for the
    /// gradient.
    fn rope(
        &self,
        qkv: &mut Self::Matrix,
        shape: &AttentionShape,
        table: &Self::Matrix,
        backward: bool,
    ) -> Result<(), LmError>;

    /// Attention within each run: (rows, heads * head_dim), and for the backward the log of each softmax
    /// denominator. Runs cover all rows in order; those of one sequence are neighbours. Every row also
    /// sees the keys and values of `before`, rows like those of `qkv`, as if they stood before its
    /// sequence.
    fn attention(
        &self,
        qkv: &Self::Matrix,
        before: Option<&Self::Matrix>,
        shape: &AttentionShape,
        runs: &[PackedRun],
    ) -> Result<(Self::Matrix, Self::Matrix), LmError>;
    /// The gradient of `qkv` from that of `attention`'s output. Probabilities are formed again from
    /// the logs, as in Dao et al. 2022 (arXiv:2205.14135, section 3.1). `before` is constant.
    fn attention_backward(
        &self,
        qkv: &Self::Matrix,
        before: Option<&Self::Matrix>,
        log_sum: &Self::Matrix,
        g: &Self::Matrix,
        shape: &AttentionShape,
        runs: &[PackedRun],
    ) -> Result<Self::Matrix, LmError>;

    /// `act(gate) * up` of rows (gate, up) (Shazeer 2020, arXiv:2002.05202).
    fn gate(&self, gate_up: &Self::Matrix, act: Activation) -> Result<Self::Matrix, LmError>;
    /// The gradient of `gate`'s input.
    fn gate_backward(
        &self,
        gate_up: &Self::Matrix,
        g: &Self::Matrix,
        act: Activation,
    ) -> Result<Self::Matrix, LmError>;

    /// `weights[i] * -log softmax(x_i head^T)[targets[i]]` for each row, and where `backward` the
    /// gradient of their sum with respect to x. Logits exist for a few rows at a time only.
    fn cross_entropy(
        &self,
        x: &Self::Matrix,
        head: &Self::Weight,
        targets: &[u32],
        weights: &[f32],
        soft_cap: Option<f32>,
        backward: bool,
    ) -> Result<(Vec<f32>, Option<Self::Matrix>), LmError>;

    /// Adds `scale x A^T B^T` of each block to its columns of `y`; gives `u = x A^T`
    /// (rows, blocks * rank).
    fn lora(
        &self,
        x: &Self::Matrix,
        params: &Self::Matrix,
        site: &Site,
        lora: LoraScale,
        y: &mut Self::Matrix,
    ) -> Result<Self::Matrix, LmError>;
    /// The gradient of `u`: `scale g B` of each block, (rows, blocks * rank).
    fn lora_backward(
        &self,
        g: &Self::Matrix,
        params: &Self::Matrix,
        site: &Site,
        lora: LoraScale,
    ) -> Result<Self::Matrix, LmError>;
    /// Adds the gradient of `lora`'s input, `du A`, to `dx`.
    fn lora_input(
        &self,
        du: &Self::Matrix,
        params: &Self::Matrix,
        site: &Site,
        dx: &mut Self::Matrix,
    ) -> Result<(), LmError>;
    /// Writes each unit's gradients of A, `du^T x`, and B, `scale g^T u`, summed over the unit's
    /// rows, into its row of `gradients` (units, trained parameters). `a` is (x, du), and nothing where
    /// A is frozen.
    fn lora_gradients(
        &self,
        a: Option<(&Self::Matrix, &Self::Matrix)>,
        u: &Self::Matrix,
        g: &Self::Matrix,
        site: &Site,
        lora: LoraScale,
        units: &[Range<usize>],
        gradients: &mut Self::Matrix,
    ) -> Result<(), LmError>;
}

/// Runs `f` on a worker of the thread pool: each parallel loop that starts from outside the pool
/// costs a wake-up.
pub(crate) fn on_pool<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| f())
}
