//! The architecture that a GGUF file names in its metadata.
//!
//! Layout: magic `GGUF`, version (u32), counts of tensors and of key/value pairs (u64 each), then the
//! pairs: a text key, a type (u32) and the value, all little-endian (GGUF specification, versions 2
//! and 3).

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::error::Error;

const KEY: &[u8] = b"general.architecture";
const TEXT: u32 = 8;
const LIST: u32 = 9;
/// No key or architecture is longer; a damaged length must not reserve memory.
const MAX_TEXT: u64 = 1 << 16;
/// Nor has a file more pairs.
const MAX_PAIRS: u64 = 1 << 16;

/// `general.architecture` of a GGUF file.
pub(crate) fn architecture(path: &Path) -> Result<String, Error> {
    let file = File::open(path).map_err(|source| Error::Io {
        path: path.into(),
        source,
    })?;
    find(&mut Reader(BufReader::new(file))).map_err(|reason| Error::Malformed {
        path: path.into(),
        reason,
    })
}

struct Reader<R>(R);

impl<R: Read> Reader<R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).map_err(|e| e.to_string())?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<Vec<u8>, String> {
        let length = self.u64()?;
        if length > MAX_TEXT {
            return Err(format!("it claims a text of {length} bytes"));
        }
        let mut text = vec![0; length as usize];
        self.0.read_exact(&mut text).map_err(|e| e.to_string())?;
        Ok(text)
    }

    fn skip(&mut self, count: u64) -> Result<(), String> {
        let skipped = std::io::copy(&mut (&mut self.0).take(count), &mut std::io::sink());
        match skipped {
            Ok(n) if n == count => Ok(()),
            Ok(_) => Err("it ends within its metadata".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn skip_value(&mut self, kind: u32) -> Result<(), String> {
        match kind {
            TEXT => {
                let length = self.u64()?;
                self.skip(length)
            }
            LIST => {
                let (of, count) = (self.u32()?, self.u64()?);
                if let Some(width) = width(of) {
                    return self.skip(width.saturating_mul(count));
                }
                if of != TEXT {
                    return Err(format!("it has a list of values of type {of}"));
                }
                (0..count).try_for_each(|_| self.skip_value(TEXT))
            }
            other => match width(other) {
                Some(width) => self.skip(width),
                None => Err(format!("it has a value of type {other}")),
            },
        }
    }
}

/// Bytes of a number of this type.
fn width(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

fn find<R: Read>(reader: &mut Reader<R>) -> Result<String, String> {
    if reader.bytes()? != *b"GGUF" {
        return Err("it does not begin with GGUF".into());
    }
    let version = reader.u32()?;
    if !(2..=3).contains(&version) {
        return Err(format!("its version is {version}; known are 2 and 3"));
    }
    reader.u64()?;
    let pairs = reader.u64()?;
    for _ in 0..pairs.min(MAX_PAIRS) {
        let key = reader.text()?;
        let kind = reader.u32()?;
        if key == KEY && kind == TEXT {
            return String::from_utf8(reader.text()?).map_err(|e| e.to_string());
        }
        reader.skip_value(kind)?;
    }
    Err("its metadata names no general.architecture".into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
    }

    fn file() -> Vec<u8> {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend(3_u64.to_le_bytes());
        bytes.extend([text("tokens"), LIST.to_le_bytes().to_vec()].concat());
        bytes.extend([&TEXT.to_le_bytes()[..], &2_u64.to_le_bytes()].concat());
        bytes.extend([text("a"), text("bc")].concat());
        bytes.extend([text("rope"), 6_u32.to_le_bytes().to_vec(), vec![0; 4]].concat());
        bytes.extend([KEY.len() as u64].map(u64::to_le_bytes).concat());
        bytes.extend([KEY, &TEXT.to_le_bytes()[..], &text("qwen3")].concat());
        bytes
    }

    #[test]
    fn the_architecture_is_found_behind_other_pairs() {
        let bytes = file();
        assert_eq!(find(&mut Reader(&bytes[..])).unwrap(), "qwen3");
        for cut in 0..bytes.len() {
            assert!(find(&mut Reader(&bytes[..cut])).is_err(), "{cut}");
        }
    }

    #[test]
    fn false_lengths_and_types_are_refused() {
        let mut bytes = file();
        bytes[24..32].copy_from_slice(&u64::MAX.to_le_bytes());
        let error = find(&mut Reader(&bytes[..])).unwrap_err();
        assert!(error.contains("claims a text"), "{error}");
        let mut bytes = file();
        bytes[4] = 9;
        let error = find(&mut Reader(&bytes[..])).unwrap_err();
        assert!(error.contains("version is 9"), "{error}");
        let mut bytes = file();
        bytes[38] = 77;
        let error = find(&mut Reader(&bytes[..])).unwrap_err();
        assert!(error.contains("type 77"), "{error}");
    }
}
