//! Reads a state dict from PyTorch's legacy (pre-1.6, non-zip) file format.
//!
//! The file is: the pickled magic number, the pickled protocol number (1001), a pickled dict of
//! system facts, the pickled state dict (tensors refer to storages by persistent id), the pickled
//! list of storage keys, and then for each key an i64 element count and the raw little-endian
//! elements (`_legacy_save` in torch/serialization.py). Pickle is a program for a stack machine
//! (Python's pickletools.py); this reader knows only the instructions and the four globals that a
//! state dict needs, builds plain values and never calls anything. Values live in one flat arena,
//! so neither cycles nor deep nesting in a hostile file can exhaust the stack.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use self::machine::{Kind, Machine, Parsed, Reader, TensorRef, Value};
use crate::error::{Result, VisionError, read_file};

mod machine;

/// The first pickle of every legacy file: protocol 2, the 80-bit magic number, stop.
const MAGIC: [u8; 15] = [
    0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.',
];
const PROTOCOL: i64 = 1001;

/// A dense row-major f32 tensor of a state dict.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Sizes of the dimensions.
    pub shape: Vec<usize>,
    /// The elements, last dimension fastest.
    pub values: Vec<f32>,
}

/// The f32 tensors of the legacy PyTorch file at `path`, by name. Integer tensors (batch-norm
/// step counts) are checked and left out.
///
/// # Errors
/// [`VisionError::Format`] with the byte offset, for anything that is not exactly a state dict of
/// strided f32 and i64 tensors in this format, a truncated file included.
pub fn read_state_dict(path: &Path) -> Result<BTreeMap<String, Array>> {
    let bytes = read_file(path)?;
    parse(&bytes).map_err(|fault| VisionError::Format {
        path: path.to_owned(),
        format: "legacy PyTorch",
        offset: fault.offset,
        reason: fault.reason,
    })
}

fn parse(bytes: &[u8]) -> Parsed<BTreeMap<String, Array>> {
    let mut reader = Reader { bytes, at: 0 };
    if !bytes.starts_with(&MAGIC) {
        return reader.fault("the magic number of the legacy format is missing");
    }
    reader.at = MAGIC.len();

    let protocol = Machine::run(&mut reader)?;
    if protocol.integer(protocol.result) != Some(PROTOCOL) {
        return reader.fault("the protocol number is not 1001");
    }
    let system = Machine::run(&mut reader)?;
    let little_endian = system.entries(system.result).is_some_and(|entries| {
        entries.iter().any(|&(k, v)| {
            system.text(k) == Some("little_endian") && matches!(system.values[v], Value::Bool(true))
        })
    });
    if !little_endian {
        return reader.fault("the file was not written on a little-endian machine");
    }
    let program = Machine::run(&mut reader)?;
    let keys = Machine::run(&mut reader)?;
    let Value::List(keys_listed) = &keys.values[keys.result] else {
        return reader.fault("the list of storage keys is missing");
    };

    // Where each storage's elements begin, and how many there are.
    let mut storages: HashMap<&str, (usize, usize)> = HashMap::new();
    for &key in keys_listed {
        let Some(key) = keys.text(key) else {
            return reader.fault("a storage key is not a string");
        };
        let Some(&kind) = program.storage_kinds.get(key) else {
            return reader.fault(format!("storage {key} belongs to no tensor"));
        };
        let count = u64::from_le_bytes(reader.array()?);
        let size_bytes = usize::try_from(count)
            .ok()
            .and_then(|n| n.checked_mul(kind.size_bytes()));
        let Some(size_bytes) = size_bytes else {
            return reader.fault(format!("storage {key} claims {count} elements"));
        };
        let start = reader.at;
        reader.take(size_bytes)?;
        storages.insert(key, (start, count as usize));
    }
    if reader.at != bytes.len() {
        return reader.fault("there are bytes after the last storage");
    }

    let Some(entries) = program.entries(program.result) else {
        return reader.fault("the pickled object is not a dict");
    };
    let mut arrays = BTreeMap::new();
    for &(name, value) in entries {
        let (Some(name), Value::Tensor(tensor)) = (program.text(name), &program.values[value])
        else {
            return reader.fault("an entry of the state dict is not a named tensor");
        };
        let Some(&(start, count)) = storages.get(tensor.storage.as_str()) else {
            return reader.fault(format!("tensor {name} has no storage"));
        };
        let Some(elements) = element_offsets(tensor, count) else {
            return reader.fault(format!("tensor {name} reaches beyond its storage"));
        };
        if tensor.kind == Kind::Float {
            let values = elements.into_iter().map(|element| {
                let b = &bytes[start + element * 4..][..4];
                f32::from_le_bytes([b[0], b[1], b[2], b[3]])
            });
            let array = Array {
                shape: tensor.shape.clone(),
                values: values.collect(),
            };
            arrays.insert(name.to_owned(), array);
        }
    }
    Ok(arrays)
}

/// Where each element of the tensor lies in its storage of `count` elements, in row-major order
/// (converted checkpoints hold transposed views); `None` where one lies outside, or where the
/// tensor claims more elements than its storage has.
fn element_offsets(tensor: &TensorRef, count: usize) -> Option<Vec<usize>> {
    let length = tensor
        .shape
        .iter()
        .try_fold(1_usize, |n, &d| n.checked_mul(d))?;
    if length == 0 {
        return Some(Vec::new());
    }
    if length > count {
        return None;
    }
    let mut offsets = vec![tensor.offset];
    for (&d, &stride) in tensor.shape.iter().zip(&tensor.strides) {
        let mut next = Vec::with_capacity(offsets.len() * d);
        for offset in offsets {
            for i in 0..d {
                next.push(i.checked_mul(stride)?.checked_add(offset)?);
            }
        }
        offsets = next;
    }
    offsets
        .iter()
        .all(|&offset| offset < count)
        .then_some(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by torch.save with `_use_new_zipfile_serialization=False`
    /// (scripts/golden/vision_efficientnet.py).
    const TINY: &[u8] = include_bytes!("../../tests/golden/tiny_legacy.pth");

    #[test]
    fn a_small_file_is_read() {
        let arrays = parse(TINY).unwrap();
        assert_eq!(arrays["a"].shape, [2, 3]);
        assert_eq!(arrays["a"].values, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(
            arrays["b"].values,
            [1.0, 3.0, 2.0, 4.0],
            "a transposed view"
        );
        assert_eq!(arrays.len(), 2, "the integer tensor is left out");
    }

    /// Every byte is a place to break the reader: errors, never panics.
    #[test]
    fn no_damage_panics_and_every_cut_is_an_error() {
        for at in 0..TINY.len() {
            assert!(parse(&TINY[..at]).is_err(), "cut at {at}");
            let mut damaged = TINY.to_vec();
            for byte in 0..=255 {
                damaged[at] = byte;
                let _ = parse(&damaged);
            }
        }
    }

    #[test]
    fn a_tensor_may_not_claim_what_its_storage_lacks() {
        let tensor = |offset, shape: &[usize], strides: &[usize]| TensorRef {
            storage: String::new(),
            kind: Kind::Float,
            offset,
            shape: shape.to_vec(),
            strides: strides.to_vec(),
        };
        assert_eq!(
            element_offsets(&tensor(1, &[2, 2], &[1, 2]), 5),
            Some(vec![1, 3, 2, 4])
        );
        assert_eq!(element_offsets(&tensor(1, &[2, 2], &[1, 2]), 4), None);
        assert_eq!(element_offsets(&tensor(0, &[1 << 40], &[0]), 4), None);
        assert_eq!(element_offsets(&tensor(0, &[2], &[usize::MAX]), 4), None);
        assert_eq!(
            element_offsets(&tensor(0, &[usize::MAX, 0], &[1, 1]), 4),
            Some(vec![])
        );
    }
}
