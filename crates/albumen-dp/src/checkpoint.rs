//! A training's state between two steps, kept on the private side so that a killed run need not
//! begin again.

use std::path::Path;

use albumen_files::{sha256_hex, write_private};
use serde::{Deserialize, Serialize};

use crate::{DpError, DpTraining, Optimizer, Plan, decode_f32, encode_f32};

/// Version of the file's layout.
const FORMAT: u32 = 1;

/// The file's first line; the optimiser's arrays follow as little-endian `f32`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: u32,
    /// Of everything that the steps so far depended on but the private data.
    identity: String,
    steps_taken: u64,
    /// Of the arrays and the number of steps: one step too few here would be one step unpaid.
    sha256: String,
}

fn checksum(arrays: &[u8], steps_taken: u64) -> String {
    sha256_hex(format!("{steps_taken}\n{}", sha256_hex(arrays)).as_bytes())
}

/// What a checkpoint must share with the training that goes on from it.
pub(crate) fn identity(
    plan: &Plan,
    optimizer: &Optimizer,
    initial: &Vec<f32>,
    insecure: bool,
) -> String {
    // Debug prints every field, and floats so that they read back the same.
    let initial = sha256_hex(encode_f32(initial));
    sha256_hex(format!("{plan:?}\n{optimizer:?}\n{initial}\n{insecure}").as_bytes())
}

impl DpTraining {
    /// Writes the parameters, the optimiser's state and the number of steps taken to the private
    /// file `path` (mode 0600), whole or not at all. `context` names what else the steps depended
    /// on (inputs, position in the ledger); [`DpTraining::restore`] wants the same words.
    ///
    /// # Guarantee
    /// Nothing is released: what is written is [`DpTraining::params`] and moments of the same noised
    /// sums, which belong under `private/` until the training is committed. No randomness is kept,
    /// so no sample and no noise can be used twice.
    ///
    /// # Errors
    /// [`DpError::Checkpoint`]; the checkpoint before, if any, is still there.
    pub fn checkpoint(&self, path: &Path, context: &str) -> Result<(), DpError> {
        let failed = |source| DpError::Checkpoint {
            path: path.to_owned(),
            source,
        };
        let arrays: Vec<u8> = self.state.arrays().flat_map(encode_f32).collect();
        let head = Head {
            format: FORMAT,
            identity: self.identity_in(context),
            steps_taken: self.steps_taken(),
            sha256: checksum(&arrays, self.steps_taken()),
        };
        let mut bytes = serde_json::to_vec(&head).map_err(|e| failed(e.into()))?;
        bytes.push(b'\n');
        bytes.extend(arrays);
        write_private(path, &bytes).map_err(|e| failed(e.source))
    }

    /// Goes on from a checkpoint of this very training, if there is one at `path`: same plan,
    /// optimizer, initial parameters and `context`. Gives whether it did; a file of another training
    /// or a damaged one changes nothing.
    ///
    /// # Guarantee
    /// The released parameters stay a function of exactly `plan.steps` noised sums. The steps that
    /// a killed process took after its last checkpoint are taken again on fresh samples with fresh
    /// noise; their first outcome was never released. A training from a known seed starts over
    /// instead: its generator would give the same noise to other steps.
    ///
    /// # Errors
    /// [`DpError::Checkpoint`] where the file is there and cannot be read, [`DpError::Started`]
    /// after the first sample.
    pub fn restore(&mut self, path: &Path, context: &str) -> Result<bool, DpError> {
        if self.sampled != 0 {
            return Err(DpError::Started);
        }
        if self.insecure {
            return Ok(false);
        }
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(source) => {
                return Err(DpError::Checkpoint {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let Some((head, arrays)) = parse(&bytes) else {
            return Ok(false);
        };
        let ours = head.identity == self.identity_in(context)
            && head.steps_taken <= self.plan().steps
            && self.state.set_arrays(&arrays);
        if ours {
            self.sampled = head.steps_taken;
            self.updated = head.steps_taken;
        }
        Ok(ours)
    }

    fn identity_in(&self, context: &str) -> String {
        sha256_hex(format!("{}\n{context}", self.identity).as_bytes())
    }
}

/// Head and arrays of a file that is whole.
fn parse(bytes: &[u8]) -> Option<(Head, Vec<f32>)> {
    let end = bytes.iter().position(|&b| b == b'\n')?;
    let head: Head = serde_json::from_slice(&bytes[..end]).ok()?;
    let arrays = &bytes[end + 1..];
    let whole = head.format == FORMAT && head.sha256 == checksum(arrays, head.steps_taken);
    whole.then(|| Some((head, decode_f32(arrays)?))).flatten()
}
