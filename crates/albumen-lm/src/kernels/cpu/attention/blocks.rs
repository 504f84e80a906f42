//! Queries in blocks, and the keys that a block may see.

use crate::kernels::PackedRun;
use crate::kernels::cpu::buffer::Matrix;

/// Queries in a block: the block's scores against a few hundred keys stay in cache, and keys after
/// the block are not touched.
const BLOCK: usize = 64;

/// Where keys and values lie: rows like those of `qkv`.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'a> {
    /// The sequences' own rows, packed.
    pub(crate) qkv: &'a Matrix,
    /// What stands before every sequence.
    pub(crate) before: Option<&'a Matrix>,
}

impl Keys<'_> {
    /// The matrix that a piece's rows are of.
    pub(super) fn of(&self, piece: &Piece) -> &Matrix {
        match self.before {
            Some(before) if piece.before => before,
            _ => self.qkv,
        }
    }

    pub(super) fn before(&self) -> usize {
        self.before.map_or(0, Matrix::rows)
    }
}

/// Neighbouring keys: `rows` rows from `row` on, `col` columns into the scores.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    pub(super) before: bool,
    pub(super) row: usize,
    pub(super) rows: usize,
    pub(super) col: usize,
}

/// Queries `start..start + len` (rows) of a run, with the keys they may see: those before every
/// sequence, `context` rows from `origin` on, then `own` rows from the run's start on. Key j of these
/// has position j, and the first query has position `position`.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) start: usize,
    pub(super) len: usize,
    position: usize,
    /// (first row, rows).
    pieces: [(usize, usize); 3],
}

impl Block {
    pub(super) fn keys(&self) -> usize {
        self.pieces.iter().map(|p| p.1).sum()
    }

    /// Keys that query i sees.
    pub(super) fn visible(&self, i: usize, window: Option<usize>) -> (usize, usize) {
        let end = self.position + i + 1;
        (window.map_or(0, |w| end.saturating_sub(w)), end)
    }

    /// Each piece that is not empty.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece> {
        let mut col = 0;
        let pieces = self.pieces.into_iter().enumerate();
        let pieces = pieces.map(move |(i, (row, rows))| {
            col += rows;
            Piece {
                before: i == 0,
                row,
                rows,
                col: col - rows,
            }
        });
        pieces.filter(|p| p.rows > 0)
    }
}

/// The queries of some runs that `before` keys stand before.
pub(super) fn blocks(runs: &[PackedRun], before: usize) -> impl Iterator<Item = Block> {
    runs.iter().flat_map(move |run| {
        (0..run.len).step_by(BLOCK).map(move |first| {
            let len = BLOCK.min(run.len - first);
            Block {
                start: run.start + first,
                len,
                position: before + run.context + first,
                pieces: [
                    (0, before),
                    (run.origin, run.context),
                    (run.start, first + len),
                ],
            }
        })
    })
}
