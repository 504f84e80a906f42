//! The tagger's checkpoint: PyTorch's legacy (pre-1.6, non-zip) format, read with candle's pickle
//! machine.
//!
//! The file is: the pickled magic number, the pickled protocol number, a pickled dict of system
//! facts, the pickled state dict (tensors refer to storages by key), the pickled list of storage
//! keys, and then for each key an i64 element count and the raw little-endian elements
//! (`_legacy_save` in torch/serialization.py). Pickle is a program, and candle's machine trusts it:
//! a hostile one can exhaust the memory. Only the one file whose hash is known gets that far.

use std::collections::HashMap;
use std::path::Path;

use candle_core::pickle::{Object, Stack, TensorInfo};
use candle_core::{DType, Result as TensorResult, bail};
use sha2::{Digest, Sha256};

use crate::arrays::Arrays;
use crate::error::{Result, VisionError, read_file};

/// The hash of `efficientnet-lite0-57934424.pth`, as albumen-assets pins it.
const SHA256: &str = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db";

/// The first pickle: protocol 2, the magic number of 80 bits (more than candle's integers hold), stop.
const MAGIC: [u8; 15] = [
    0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.',
];

/// The f32 tensors of the checkpoint.
pub(super) fn load(path: &Path) -> Result<Arrays> {
    let bytes = read_file(path)?;
    let found = format!("{:x}", Sha256::digest(&bytes));
    if found != SHA256 {
        return Err(VisionError::OtherFile {
            path: path.to_owned(),
            expected: SHA256,
            found,
        });
    }
    Ok(Arrays {
        path: path.to_owned(),
        by_name: parse(&bytes)?,
    })
}

/// Shape and numbers of each tensor.
type Tensors = HashMap<String, (Vec<usize>, Vec<f32>)>;

fn parse(bytes: &[u8]) -> TensorResult<Tensors> {
    let Some(mut rest) = bytes.strip_prefix(&MAGIC) else {
        bail!("the magic number of PyTorch's legacy format is missing")
    };
    let mut pickle = || {
        let mut stack = Stack::empty();
        stack.read_loop(&mut rest)?;
        stack.finalize()
    };
    let (_protocol, _system) = (pickle()?, pickle()?);
    let (Object::Dict(entries), Object::List(keys)) = (pickle()?, pickle()?) else {
        bail!("no state dict with its list of storages")
    };
    let views = entries.into_iter().filter_map(|(name, value)| {
        // What is no tensor, such as the dict's `_metadata`, gives nothing.
        value.into_tensor_info(name, Path::new("")).transpose()
    });
    let views: Vec<TensorInfo> = views.collect::<TensorResult<_>>()?;

    let mut storages = HashMap::new();
    for key in keys {
        let key = format!("/{}", String::try_from(key)?);
        let Some(view) = views.iter().find(|view| view.path == key) else {
            bail!("storage {key} belongs to no tensor")
        };
        let Some((count, elements)) = rest.split_first_chunk() else {
            bail!("storage {key} is cut off")
        };
        let size_bytes = usize::try_from(u64::from_le_bytes(*count))
            .ok()
            .and_then(|count| count.checked_mul(view.dtype.size_in_bytes()));
        let Some((elements, after)) = size_bytes.and_then(|n| elements.split_at_checked(n)) else {
            bail!("storage {key} is cut off")
        };
        storages.insert(key, elements);
        rest = after;
    }

    let mut arrays = HashMap::new();
    // Integer tensors are batch normalisation's step counts.
    for view in views.into_iter().filter(|view| view.dtype == DType::F32) {
        let storage = storages.get(&view.path).copied().unwrap_or_default();
        let (numbers, _) = storage.as_chunks::<4>();
        let number = |at: usize| numbers.get(at).map(|bytes| f32::from_le_bytes(*bytes));
        let values: Option<Vec<f32>> = elements(&view).into_iter().map(number).collect();
        let Some(values) = values else {
            bail!("tensor {} reaches beyond its storage", view.name)
        };
        arrays.insert(view.name, (view.layout.dims().to_vec(), values));
    }
    Ok(arrays)
}

/// Where each element of a tensor lies in its storage, in row-major order: converted checkpoints hold
/// transposed views.
fn elements(view: &TensorInfo) -> Vec<usize> {
    // Here, as nowhere else, candle counts the offset in bytes.
    let start = view.layout.start_offset() / view.dtype.size_in_bytes();
    let axes = view.layout.dims().iter().zip(view.layout.stride());
    axes.fold(vec![start], |offsets, (&size, &stride)| {
        let along = |offset: usize| (0..size).map(move |i| offset + i * stride);
        offsets.into_iter().flat_map(along).collect()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// Written by torch.save with `_use_new_zipfile_serialization=False`
    /// (scripts/golden/vision_efficientnet.py).
    const TINY: &[u8] = include_bytes!("../../tests/golden/tiny_legacy.pth");

    #[test]
    fn a_small_file_is_read() {
        let arrays = parse(TINY).unwrap();
        let expected = vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(arrays["a"], (vec![2, 3], expected));
        let (_, transposed) = &arrays["b"];
        assert_eq!(*transposed, [1.0, 3.0, 2.0, 4.0], "a transposed view");
        assert_eq!(arrays.len(), 2, "the integer tensor is left out");
    }

    #[test]
    fn every_cut_is_an_error() {
        for at in 0..TINY.len() {
            assert!(parse(&TINY[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_hash_is_the_one_that_the_assets_pin() {
        let pin = albumen_assets::PINS
            .iter()
            .find(|pin| pin.asset == "efficientnet-lite0");
        let albumen_assets::Contents::Files(files) = pin.unwrap().contents else {
            panic!("no files")
        };
        let checkpoint = files
            .iter()
            .find(|f| f.file == "efficientnet-lite0-57934424.pth");
        assert_eq!(checkpoint.unwrap().sha256, SHA256);
    }
}
