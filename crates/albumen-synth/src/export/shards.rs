//! Which albums go into which shard.

use super::rows::{Pictures, Row};

/// Splits the rows, in order, into runs of whole albums with at most `most_bytes` of pictures each;
/// an album above that has a shard of its own.
pub(super) fn of<'r, 'a>(
    rows: &'r [Row<'a>],
    pictures: &Pictures,
    most_bytes: u64,
) -> Vec<&'r [Row<'a>]> {
    let mut shards = Vec::new();
    let (mut start, mut filled) = (0, 0);
    for (i, row) in rows.iter().enumerate() {
        let names = row.file_names.iter();
        let bytes: u64 = names.filter_map(|n| pictures.get(n)).map(|p| p.bytes).sum();
        if i > start && filled + bytes > most_bytes {
            shards.push(&rows[start..i]);
            (start, filled) = (i, 0);
        }
        filled += bytes;
    }
    if start < rows.len() {
        shards.push(&rows[start..]);
    }
    shards
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::rows::Picture;
    use super::*;

    #[test]
    fn shards_hold_whole_albums_in_order_up_to_their_size() {
        let sizes = [4, 4, 3, 50, 1, 9, 1];
        let names: Vec<String> = (0..sizes.len()).map(|i| format!("{i}.jpg")).collect();
        let picture = |bytes| Picture {
            sha256: String::new(),
            bytes,
            width: 1,
            height: 1,
        };
        let pictures: BTreeMap<String, Picture> =
            names.iter().cloned().zip(sizes.map(picture)).collect();
        let rows: Vec<Row<'_>> = names
            .iter()
            .map(|name| Row {
                file_names: vec![name.clone()],
                id: name,
                summary: "",
                n_photos: 1,
                captions: &[],
            })
            .collect();
        let lengths = |most| -> Vec<usize> {
            let shards = of(&rows, &pictures, most);
            let ids: Vec<&str> = shards.iter().flat_map(|s| s.iter().map(|r| r.id)).collect();
            assert_eq!(ids, names);
            shards.iter().map(|s| s.len()).collect()
        };
        assert_eq!(lengths(10), [2, 1, 1, 2, 1]);
        assert_eq!(lengths(11), [3, 1, 3]);
        assert_eq!(lengths(1), [1; 7]);
        assert_eq!(lengths(u64::MAX), [7]);
        assert!(of(&[], &pictures, 10).is_empty());
    }
}
