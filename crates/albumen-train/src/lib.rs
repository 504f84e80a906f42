//! Corpus, plan and language model to a released adapter and its event.
//!
//! [`train`] is the whole of it: units become sequences, and the step reads in the order of the
//! paper (Abadi et al. 2016, algorithm 1): sample, clip, sum, noise, update. Everything that
//! touches privacy is done by [`albumen_dp`]; everything that touches the model by [`albumen_lm`].

mod error;
pub mod escrow;
mod evaluate;
mod public;
mod sequences;
mod settings;
#[cfg(test)]
mod tiny;
mod training;

pub use error::TrainError;
pub use evaluate::{HeldOut, held_out, held_out_by_part};
pub use public::{WarmUp, read_public, warm_up};
pub use sequences::{Lengths, Model};
pub use settings::{clipping, lora_config, optimizer, targets};
pub use training::{Checkpoints, Engine, StepMetrics, StepProgress, check_released, train};
