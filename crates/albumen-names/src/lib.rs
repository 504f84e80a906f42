//! Names of models, as a configuration has them: one grammar, parsed once.
//!
//! A [`ModelName`] keeps the text that was written, which is what is written again, beside what it
//! means: a [`Source`], or why it names nothing. Nothing here looks behind a name.

mod endpoint;
mod hub;
mod model;

pub use endpoint::{EndpointName, is_loopback};
pub use hub::HubModel;
pub use model::{ModelName, NameError, NameProblem, Source, is_gguf, shown};
