//! What decoding asks of kernels besides a forward pass: keys and values of tokens already seen.

use super::cpu::cache::{self, Visible};
use super::{AttentionShape, Cpu, Kernels};
use crate::error::LmError;

/// Keys and values of a run of tokens in every layer.
pub trait Cache: Send + Sync {
    /// Tokens in all layers.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Counts `n` tokens as there, once every layer has them.
    fn advance(&mut self, n: usize);
}

/// Tokens to feed, the caches before them in order of position, and the cache that takes them in.
pub struct Feed<'a, C> {
    /// The tokens.
    pub tokens: &'a [u32],
    /// What stands before them and `own`.
    pub before: Vec<&'a C>,
    /// Where their keys and values go.
    pub own: &'a mut C,
}

/// Kernels that decode.
///
/// # Errors
/// A method fails only where its device does.
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
pub trait Decode: Kernels {
    /// Keys and values of some tokens.
    type Cache: Cache;

    /// An empty cache with room for `tokens`.
    fn new_cache(
        &self,
        layers: usize,
        shape: &AttentionShape,
        tokens: usize,
    ) -> Result<Self::Cache, LmError>;
    /// Writes the keys and values of `qkv`, the rows of all feeds in order, to their own caches, and
    /// gives the attention of each row to what stands before it: (rows, heads * head_dim).
    fn attend(
        &self,
        layer: usize,
        qkv: &Self::Matrix,
        shape: &AttentionShape,
        feeds: &mut [Feed<'_, Self::Cache>],
    ) -> Result<Self::Matrix, LmError>;
    /// Lends all of a matrix, row by row, to `f`, which may write to it.
    fn consume(&self, x: Self::Matrix, f: &mut dyn FnMut(&mut [f32])) -> Result<(), LmError>;
}

impl Cache for cache::Cache {
    fn len(&self) -> usize {
        self.len()
    }

    fn advance(&mut self, n: usize) {
        self.advance(n);
    }
}

impl Decode for Cpu {
    type Cache = cache::Cache;

    fn new_cache(
        &self,
        layers: usize,
        shape: &AttentionShape,
        tokens: usize,
    ) -> Result<Self::Cache, LmError> {
        Ok(cache::Cache::new(layers, shape, tokens))
    }

    fn attend(
        &self,
        layer: usize,
        qkv: &Self::Matrix,
        shape: &AttentionShape,
        feeds: &mut [Feed<'_, Self::Cache>],
    ) -> Result<Self::Matrix, LmError> {
        let (width, mut row) = (shape.width(), 0);
        for feed in feeds.iter_mut() {
            let end = row + feed.tokens.len();
            feed.own.write(layer, &qkv[row * width..end * width], shape);
            row = end;
        }
        let mut visible: Vec<Visible<'_>> = Vec::with_capacity(qkv.rows());
        for feed in feeds.iter() {
            let before: Visible<'_> = feed.before.iter().map(|c| (*c, c.len())).collect();
            for i in 0..feed.tokens.len() {
                let mut caches = before.clone();
                caches.push((&*feed.own, feed.own.len() + i + 1));
                visible.push(caches);
            }
        }
        let mut y = qkv.pool().matrix(qkv.rows(), shape.heads * shape.head_dim);
        cache::attend(qkv, shape, layer, &visible, &mut y);
        Ok(y)
    }

    fn consume(&self, mut x: Self::Matrix, f: &mut dyn FnMut(&mut [f32])) -> Result<(), LmError> {
        f(&mut x);
        Ok(())
    }
}
