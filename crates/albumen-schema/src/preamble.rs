//! Public albums that stand before everything the models read and write: the format, shown to the
//! frozen model by example, so that the privacy budget need not teach it.
//!
//! A preamble is public text: made up by us, or written by the public model, and never taken from a
//! corpus.

use serde::{Deserialize, Serialize};

use crate::format;

/// A public album.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreambleAlbum {
    /// Its summary.
    pub summary: String,
    /// One caption a photo, in order.
    pub captions: Vec<String>,
}

/// The albums of `preamble = "builtin"`, written for this purpose.
pub fn builtin() -> Vec<PreambleAlbum> {
    let album = |(summary, captions): &(&str, &[&str])| PreambleAlbum {
        summary: (*summary).to_owned(),
        captions: captions.iter().map(|c| (*c).to_owned()).collect(),
    };
    BUILTIN.iter().map(album).collect()
}

/// In the manner of the embedded describer's captions and of the summariser.
const BUILTIN: &[(&str, &[&str])] = &[
    (
        "A windmill, a canal and a row of tulips.",
        &[
            "A photo of a windmill by a canal, in daylight.",
            "A wide photo of tulips, in bright daylight, mostly red.",
            "A bicycle on a bridge, in daylight, mostly grey.",
        ],
    ),
    (
        "A visit to a harbour with fishing boats and gulls.",
        &[
            "A fishing boat in a harbour, in daylight, mostly blue.",
            "A photo of a gull on a post.",
            "Two people at a market stall, in daylight.",
            "A photo of a lighthouse at dusk, mostly orange.",
        ],
    ),
    (
        "A guitar, a drum and a trumpet.",
        &[
            "A photo of a guitar on a plain white background.",
            "A drum, in the dark, mostly brown.",
        ],
    ),
    (
        "A winter walk with snow, a fox and a frozen lake.",
        &[
            "A wide photo of a frozen lake, in daylight, mostly white.",
            "A photo of a fox in snow.",
            "A cabin at night, mostly black.",
            "A person with a sledge, in daylight.",
            "A photo of a pine tree, in bright daylight.",
        ],
    ),
    (
        "An old town with a cathedral, a fountain and a market square.",
        &[
            "A cathedral, in daylight, mostly grey.",
            "A photo of a fountain in a square, in daylight.",
            "A photo of a clock tower at dusk.",
        ],
    ),
    (
        "A safari with elephants and a giraffe.",
        &[
            "A photo of an elephant by a river, in daylight.",
            "A tall photo of a giraffe, in daylight, mostly yellow.",
            "Three zebras in a field.",
        ],
    ),
];

/// What stands before the summary model's text: each part a text, after which it ends.
pub fn summary_parts(albums: &[PreambleAlbum]) -> Vec<String> {
    let part = |a: &PreambleAlbum| format::summary_text(a.captions.len(), &a.summary);
    albums.iter().map(part).collect()
}

/// What stands before the caption model's text: of each album its trunk and one photo, as the model
/// sees no photo's siblings.
pub fn caption_parts(albums: &[PreambleAlbum]) -> Vec<String> {
    let part = |(i, a): (usize, &PreambleAlbum)| {
        let photos = a.captions.len();
        let photo = i % photos.max(1);
        format!(
            "{}{}{}",
            format::caption_trunk(photos, &a.summary),
            format::caption_prompt(photo + 1, photos),
            format::caption_target(a.captions.get(photo).map_or("", String::as_str)),
        )
    };
    albums.iter().enumerate().map(part).collect()
}

/// What stands before the text of the one model of the flat layout: whole albums.
pub fn album_parts(albums: &[PreambleAlbum]) -> Vec<String> {
    let part = |a: &PreambleAlbum| {
        format!(
            "{}{}",
            format::SUMMARY_PROMPT,
            format::album_target(&a.summary, &a.captions)
        )
    };
    albums.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_in_the_formats() {
        let albums = builtin();
        let summaries = summary_parts(&albums);
        assert_eq!(
            summaries[0],
            "Album of 3 photos: A windmill, a canal and a row of tulips."
        );
        let captions = caption_parts(&albums);
        assert_eq!(
            captions[1],
            "Album of 4 photos: A visit to a harbour with fishing boats and gulls.\n\
             Photo 2 of 4: A photo of a gull on a post."
        );
        let whole = album_parts(&albums);
        let raw = whole[2].strip_prefix(format::SUMMARY_PROMPT);
        let (summary, read) = raw.and_then(format::parse_album).unwrap_or_default();
        assert_eq!(
            (summary, read),
            (albums[2].summary.clone(), albums[2].captions.clone())
        );
    }

    #[test]
    fn builtin_albums_are_one_line_texts_of_several_sizes() {
        let albums = builtin();
        let sizes: std::collections::BTreeSet<usize> =
            albums.iter().map(|a| a.captions.len()).collect();
        assert!(sizes.len() >= 3, "{sizes:?}");
        for album in albums {
            for text in album.captions.iter().chain([&album.summary]) {
                assert_eq!(*text, format::one_line(text));
            }
        }
    }
}
