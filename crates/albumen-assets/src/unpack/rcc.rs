//! Qt resource containers (`.rcc`), as written by Qt's resource compiler: a header with offsets of
//! a tree of nodes, the nodes' names, and their bytes. All numbers are big-endian.

use std::io::Read;

/// A file inside a container.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RccEntry {
    /// Path from the container's root, with `/` between its parts.
    pub(crate) path: String,
    /// The file's bytes, decompressed.
    pub(crate) bytes: Vec<u8>,
}

const DIRECTORY: u16 = 2;
const ZLIB: u16 = 1;
const ZSTD: u16 = 4;
/// Bounds against containers that are damaged or made to do harm.
const MAX_ENTRY_BYTES: u64 = 64 << 20;
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 100_000;

/// Every file of a container for which `wanted` holds, in the tree's order.
///
/// # Errors
/// What is wrong with the container, in words.
pub(crate) fn read_rcc(
    bytes: &[u8],
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<RccEntry>, String> {
    let data = Bytes(bytes);
    if data.slice(0, 4)? != b"qres" {
        return Err("not a Qt resource container (no magic `qres`)".into());
    }
    let version = data.u32(4)?;
    if !(1..=3).contains(&version) {
        return Err(format!(
            "Qt resource container of unknown version {version}"
        ));
    }
    let mut walk = Walk {
        bytes: data,
        tree: data.u32(8)? as usize,
        data: data.u32(12)? as usize,
        names: data.u32(16)? as usize,
        // Version 2 added a time of modification.
        node_bytes: if version == 1 { 14 } else { 22 },
        nodes_left: MAX_NODES,
        wanted,
        found: Vec::new(),
    };
    walk.node(0, "", 0)?;
    Ok(walk.found)
}

struct Walk<'a> {
    bytes: Bytes<'a>,
    tree: usize,
    data: usize,
    names: usize,
    node_bytes: usize,
    nodes_left: usize,
    wanted: &'a dyn Fn(&str) -> bool,
    found: Vec<RccEntry>,
}

impl Walk<'_> {
    fn node(&mut self, index: u32, parent: &str, depth: usize) -> Result<(), String> {
        self.nodes_left = self.nodes_left.checked_sub(1).ok_or("too many nodes")?;
        if depth > MAX_DEPTH {
            return Err("folders nested too deeply".into());
        }
        let at = add(self.tree, mul(index as usize, self.node_bytes)?)?;
        let flags = self.bytes.u16(add(at, 4)?)?;
        let path = match (depth, parent) {
            (0, _) => String::new(),
            (_, "") => self.name(self.bytes.u32(at)? as usize)?,
            _ => format!("{parent}/{}", self.name(self.bytes.u32(at)? as usize)?),
        };
        if flags & DIRECTORY != 0 {
            let (count, first) = (self.bytes.u32(add(at, 6)?)?, self.bytes.u32(add(at, 10)?)?);
            for child in 0..count {
                let child = first.checked_add(child).ok_or(CUT_SHORT)?;
                self.node(child, &path, depth + 1)?;
            }
        } else if (self.wanted)(&path) {
            let offset = add(self.data, self.bytes.u32(add(at, 10)?)? as usize)?;
            let stored = self
                .bytes
                .slice(add(offset, 4)?, self.bytes.u32(offset)? as usize)?;
            let bytes = decompress(stored, flags).map_err(|e| format!("{path}: {e}"))?;
            self.found.push(RccEntry { path, bytes });
        }
        Ok(())
    }

    fn name(&self, offset: usize) -> Result<String, String> {
        let at = add(self.names, offset)?;
        let units = self.bytes.u16(at)? as usize;
        // Two bytes of length, then four of a hash that only Qt's own look-up needs.
        let utf16 = self.bytes.slice(add(at, 6)?, mul(units, 2)?)?;
        let units = utf16
            .chunks_exact(2)
            .map(|c| u16::from_be_bytes([c[0], c[1]]));
        char::decode_utf16(units)
            .collect::<Result<_, _>>()
            .map_err(|_| "a name is not UTF-16".into())
    }
}

fn decompress(stored: &[u8], flags: u16) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut read = |from: &mut dyn Read| {
        from.take(MAX_ENTRY_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| e.to_string())
    };
    if flags & ZLIB != 0 {
        // The first four bytes repeat the decompressed size; the limit below does not trust them.
        read(&mut flate2::read::ZlibDecoder::new(
            stored.get(4..).ok_or(CUT_SHORT)?,
        ))?;
    } else if flags & ZSTD != 0 {
        read(&mut ruzstd::decoding::StreamingDecoder::new(stored).map_err(|e| e.to_string())?)?;
    } else {
        bytes = stored.to_vec();
    }
    if bytes.len() as u64 > MAX_ENTRY_BYTES {
        return Err(format!("larger than {MAX_ENTRY_BYTES} bytes"));
    }
    Ok(bytes)
}

const CUT_SHORT: &str = "the Qt resource container is cut short or damaged";

fn add(a: usize, b: usize) -> Result<usize, String> {
    a.checked_add(b).ok_or_else(|| CUT_SHORT.into())
}

fn mul(a: usize, b: usize) -> Result<usize, String> {
    a.checked_mul(b).ok_or_else(|| CUT_SHORT.into())
}

/// Reads that check their bounds.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn slice(self, at: usize, len: usize) -> Result<&'a [u8], String> {
        self.0
            .get(at..add(at, len)?)
            .ok_or_else(|| CUT_SHORT.into())
    }

    fn u16(self, at: usize) -> Result<u16, String> {
        let b = self.slice(at, 2)?;
        Ok(u16::from_be_bytes([b[0], b[1]]))
    }

    fn u32(self, at: usize) -> Result<u32, String> {
        let b = self.slice(at, 4)?;
        Ok(u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    /// How a test stores an entry.
    #[derive(Clone, Copy)]
    pub(crate) enum Store {
        Plain,
        Zlib,
        Zstd,
    }

    /// A container with one folder `dir` that holds the files.
    pub(crate) fn container(version: u32, dir: &str, files: &[(&str, &[u8], Store)]) -> Vec<u8> {
        let (mut tree, mut names, mut data) = (Vec::new(), Vec::new(), Vec::new());
        let name = |text: &str, names: &mut Vec<u8>| {
            let at = names.len() as u32;
            let units: Vec<u16> = text.encode_utf16().collect();
            names.extend((units.len() as u16).to_be_bytes());
            names.extend([0; 4]);
            names.extend(units.iter().flat_map(|u| u.to_be_bytes()));
            at
        };
        let mut node = |name_at: u32, flags: u16, a: u32, b: u32| {
            tree.extend(name_at.to_be_bytes());
            tree.extend(flags.to_be_bytes());
            tree.extend(a.to_be_bytes());
            tree.extend(b.to_be_bytes());
            tree.extend(vec![0; if version == 1 { 0 } else { 8 }]);
        };
        node(0, DIRECTORY, 1, 1);
        node(name(dir, &mut names), DIRECTORY, files.len() as u32, 2);
        for (file, bytes, store) in files {
            let (flags, stored) = match store {
                Store::Plain => (0, bytes.to_vec()),
                Store::Zlib => {
                    let head = (bytes.len() as u32).to_be_bytes().to_vec();
                    let mut z = flate2::write::ZlibEncoder::new(head, flate2::Compression::fast());
                    z.write_all(bytes).unwrap();
                    (ZLIB, z.finish().unwrap())
                }
                Store::Zstd => {
                    let level = ruzstd::encoding::CompressionLevel::Fastest;
                    (ZSTD, ruzstd::encoding::compress_to_vec(*bytes, level))
                }
            };
            node(name(file, &mut names), flags, 0, data.len() as u32);
            data.extend((stored.len() as u32).to_be_bytes());
            data.extend(stored);
        }
        let mut out = b"qres".to_vec();
        let (tree_at, data_at) = (20, 20 + tree.len());
        for n in [version as usize, tree_at, data_at, data_at + data.len()] {
            out.extend((n as u32).to_be_bytes());
        }
        out.extend(tree);
        out.extend(data);
        out.extend(names);
        out
    }

    fn sample(version: u32) -> Vec<u8> {
        let long = b"licence ".repeat(500);
        let files = [
            ("a.txt", &b"plain"[..], Store::Plain),
            ("é.webp", &long, Store::Zlib),
            ("z", &long, Store::Zstd),
        ];
        container(version, "images", &files)
    }

    #[test]
    fn reads_every_version_and_compression() {
        for version in 1..=3 {
            let found = read_rcc(&sample(version), &|_| true).unwrap();
            let got: Vec<_> = found
                .iter()
                .map(|e| (e.path.as_str(), e.bytes.len()))
                .collect();
            assert_eq!(
                got,
                [
                    ("images/a.txt", 5),
                    ("images/é.webp", 4000),
                    ("images/z", 4000)
                ]
            );
            assert_eq!(found[0].bytes, b"plain");
            assert_eq!(found[1].bytes, found[2].bytes);
            let one = read_rcc(&sample(version), &|p| p.contains("a.txt")).unwrap();
            assert_eq!(one.len(), 1);
        }
        assert!(
            read_rcc(&sample(4), &|_| true)
                .unwrap_err()
                .contains("unknown version 4")
        );
        assert!(
            read_rcc(b"RIFF....", &|_| true)
                .unwrap_err()
                .contains("no magic")
        );
    }

    #[test]
    fn a_container_cut_short_anywhere_is_an_error() {
        let whole = sample(2);
        for n in 0..whole.len() {
            // Only the last file's name lies at the end, so every cut takes something needed.
            read_rcc(&whole[..n], &|_| true).unwrap_err();
        }
    }

    #[test]
    fn a_folder_that_holds_itself_is_an_error() {
        let mut loops = sample(1);
        // The root's first child becomes the root.
        loops[30..34].copy_from_slice(&0u32.to_be_bytes());
        assert!(
            read_rcc(&loops, &|_| true)
                .unwrap_err()
                .contains("nested too deeply")
        );
        // With many children the walk must not take for ever either.
        loops[26..30].copy_from_slice(&u32::MAX.to_be_bytes());
        read_rcc(&loops, &|_| true).unwrap_err();
    }

    #[test]
    fn an_entry_that_swells_is_an_error() {
        let zeros = vec![0; MAX_ENTRY_BYTES as usize + 1];
        for store in [Store::Zlib, Store::Zstd] {
            let bomb = container(1, "d", &[("bomb", &zeros, store)]);
            assert!(
                read_rcc(&bomb, &|_| true)
                    .unwrap_err()
                    .contains("larger than")
            );
        }
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..400, byte: u8, version in 1u32..=3) {
            let mut bytes = sample(version);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = read_rcc(&bytes, &|_| true);
        }

        #[test]
        fn garbage_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_rcc(&bytes, &|_| true);
            bytes.splice(0..0, *b"qres\0\0\0\x01\0\0\0\x14");
            let _ = read_rcc(&bytes, &|_| true);
        }
    }
}
