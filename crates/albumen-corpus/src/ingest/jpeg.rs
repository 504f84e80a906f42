//! Whether a JPEG is whole. Decoders fill the missing part of one that was cut short with grey and
//! say nothing; a private photo library has many of those, and grey is not what anyone took.

/// Whether the image data run up to an end-of-image marker (ITU-T T.81, B.1). Bytes after it, as
/// cameras append for motion photos, do not matter.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xff, marker]) = bytes.get(at..at + 2).and_then(|b| b.first_chunk()) {
        at += 2;
        match marker {
            // End of image.
            0xd9 => return true,
            // A fill byte before a marker.
            0xff => at -= 1,
            // Markers that stand alone.
            0x01 | 0xd0..=0xd8 => {}
            // Every other segment begins with its own length, so an embedded thumbnail's markers
            // are passed over.
            _ => {
                let Some(length) = bytes.get(at..at + 2) else {
                    return false;
                };
                at += usize::from(u16::from_be_bytes([length[0], length[1]]));
                if marker == 0xda {
                    at = end_of_scan(bytes, at);
                }
            }
        }
    }
    false
}

/// Where the first marker after a scan's entropy-coded data stands; in these, 0xff is followed by
/// zero or a restart marker.
fn end_of_scan(bytes: &[u8], from: usize) -> usize {
    let data = bytes.get(from..).unwrap_or_default();
    let marker = |w: &[u8]| w[0] == 0xff && !matches!(w[1], 0 | 0xd0..=0xd7 | 0xff);
    data.windows(2)
        .position(marker)
        .map_or(bytes.len(), |i| from + i)
}
