//! What can go wrong, with the values and what would mend it.

use std::path::PathBuf;

use thiserror::Error;

/// Every error of this crate.
#[derive(Debug, Error)]
pub enum LmError {
    /// A checkpoint that cannot be loaded.
    #[error(transparent)]
    Load(#[from] crate::weights::LoadError),
    /// A file could not be read or written.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The checkpoint's files contradict each other or their format.
    #[error("{path}: {reason}")]
    Checkpoint {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong, and what would mend it.
        reason: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error(
        "tensor {name} holds {found} numbers where {expected} are needed; the checkpoint and its configuration do not belong together"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// Its length.
        found: usize,
        /// The length that the configuration implies.
        expected: usize,
    },
    /// The configuration of the adapter cannot be used with this model.
    #[error("LoRA configuration: {0}")]
    LoraConfig(String),
    /// A parameter vector of another length than its layout.
    #[error(
        "the adapter has {found} parameters where its layout needs {expected}; load it with the layout it was trained with"
    )]
    Parameters {
        /// Length of the vector.
        found: usize,
        /// Length of the layout.
        expected: usize,
    },
    /// A file of adapter weights that does not fit the layout.
    #[error("adapter file: {0}")]
    AdapterFile(String),
    /// A sequence that no model can be trained or run on.
    #[error("sequence: {0}")]
    Sequence(String),
    /// A token outside the vocabulary.
    #[error(
        "token {token} is outside the vocabulary of {vocab_size}; was it made with this model's tokenizer?"
    )]
    Token {
        /// The token.
        token: u32,
        /// The model's vocabulary.
        vocab_size: usize,
    },
    /// A sequence longer than the model can see.
    #[error("a text is longer than the {max_position} positions of the model; shorten it")]
    TooLong {
        /// The model's limit.
        max_position: usize,
    },
    /// Gradients were asked of a model in 8-bit precision.
    #[error("a model in 8-bit precision can only decode; load it in f32 or bf16 for training")]
    DecodingOnly,
    /// The device refused, or ran out of memory.
    #[error(
        "the device refused: {0}; where memory is short, lower `micro_batch_tokens` or take a smaller model"
    )]
    Device(#[from] candle_core::Error),
    /// No device has this name.
    #[error("there is no device {0:?}; write cpu, cuda, cuda:1 or metal")]
    DeviceName(String),
    /// A device that is not in this build or not in this machine.
    #[error("device {device}: {reason}")]
    NoDevice {
        /// The device.
        device: crate::device::Device,
        /// What is wrong, and what would mend it.
        reason: String,
    },
    /// Cached states that do not belong to the sequence or the adapter.
    #[error("cached states: {0}; compute them again with `Lm::prefix_states`")]
    States(String),
    /// Sampling or decoding settings out of range.
    #[error("decoding settings: {0}")]
    Decoding(String),
    /// The tokenizer could not be built or refused a text.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
}
