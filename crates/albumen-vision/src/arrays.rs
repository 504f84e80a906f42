//! Named arrays of a checkpoint that is not in safetensors.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::error::{Result, VisionError};

/// The f32 tensors of one file.
pub(crate) struct Arrays {
    /// Where they come from.
    pub(crate) path: PathBuf,
    /// Shape and row-major numbers by name.
    pub(crate) by_name: HashMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Arrays {
    /// Takes an array of this shape out, so that no weight is held twice.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        match self.by_name.remove(name) {
            Some((found, values)) if found == shape => Ok(values),
            other => Err(VisionError::Checkpoint {
                path: self.path.clone(),
                tensor: name.to_owned(),
                expected: shape.to_vec(),
                found: other.map_or("nothing".to_owned(), |(found, _)| format!("{found:?}")),
            }),
        }
    }
}
