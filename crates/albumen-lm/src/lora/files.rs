//! Adapters as files, in PEFT's form.

use std::ops::Range;

use super::{LoraLayout, LoraTensor};
use crate::error::LmError;

impl LoraLayout {
    /// The parameters, frozen ones too, as a safetensors file with PEFT's tensor names.
    ///
    /// # Errors
    /// Where `params` is not of this layout's length.
    pub fn to_safetensors(&self, params: &[f32]) -> Result<Vec<u8>, LmError> {
        self.check_len(params)?;
        let all = self.frozen.iter().chain(params);
        let bytes: Vec<u8> = all.flat_map(|p| p.to_le_bytes()).collect();
        let mut views = Vec::with_capacity(self.tensors.len());
        for tensor in &self.tensors {
            let Range { start, end } = tensor.range();
            let (data, shape) = (&bytes[4 * start..4 * end], tensor.shape.to_vec());
            let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, data)
                .map_err(|e| LmError::AdapterFile(e.to_string()))?;
            views.push((tensor.name.as_str(), view));
        }
        safetensors::serialize(views, None).map_err(|e| LmError::AdapterFile(e.to_string()))
    }

    /// Reads parameters written by [`LoraLayout::to_safetensors`] or by PEFT (f32).
    ///
    /// # Errors
    /// Where the file is broken, a tensor is missing or of another shape or type, or a frozen one has
    /// other numbers.
    pub fn from_safetensors(&self, bytes: &[u8]) -> Result<Vec<f32>, LmError> {
        let refuse = |why: String| LmError::AdapterFile(why);
        let file =
            safetensors::SafeTensors::deserialize(bytes).map_err(|e| refuse(e.to_string()))?;
        if file.len() != self.tensors.len() {
            let (found, expected) = (file.len(), self.tensors.len());
            return Err(refuse(format!(
                "it has {found} tensors where {expected} are needed; its rank, targets or layers differ"
            )));
        }
        let mut params = vec![0.0; self.frozen.len() + self.len()];
        for tensor in &self.tensors {
            let LoraTensor { name, shape, .. } = tensor;
            let view = file.tensor(name).map_err(|e| refuse(e.to_string()))?;
            if view.shape() != shape || view.dtype() != safetensors::Dtype::F32 {
                let (found, dtype) = (view.shape(), view.dtype());
                return Err(refuse(format!(
                    "{name} is {dtype:?} {found:?} where F32 {shape:?} is needed"
                )));
            }
            for (p, b) in params[tensor.range()]
                .iter_mut()
                .zip(view.data().chunks_exact(4))
            {
                *p = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            }
        }
        let trained = params.split_off(self.frozen.len());
        if params != self.frozen {
            return Err(refuse(
                "its A matrices are not those that the seed of the frozen ones draws".into(),
            ));
        }
        Ok(trained)
    }
}
