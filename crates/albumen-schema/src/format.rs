//! The public text formats of the two models.
//!
//! Summary model: [`SUMMARY_PROMPT`] -> ` {n} photos: {summary}<eos>`.
//! Caption model: `Album of {n} photos: {summary}\n`, then for photo i
//! `Photo {i} of {n}:` -> ` {caption}<eos>`. Loss falls only right of the arrows. The summary
//! model writes n itself, so album sizes need no release of their own.

/// What every summary starts from.
pub const SUMMARY_PROMPT: &str = "Album of";

/// What the summary model is to write after [`SUMMARY_PROMPT`], without the end-of-text token.
pub fn summary_target(photos: usize, summary: &str) -> String {
    format!("{} {summary}", summary_head(photos))
}

/// The head of what the summary model writes: ` {n} photos:`.
pub fn summary_head(photos: usize) -> String {
    format!(" {photos} photos:")
}

/// Reads the number of photos where a text begins with [`summary_head`].
pub fn parse_summary_head(raw: &str) -> Option<usize> {
    let (count, rest) = raw.strip_prefix(' ')?.split_once(' ')?;
    let photos = count.parse::<usize>().ok().filter(|n| *n >= 1)?;
    // "007" would parse: only the canonical spelling is the format.
    (rest.starts_with("photos:") && photos.to_string() == count).then_some(photos)
}

/// The trunk that every caption of an album hangs on.
pub fn caption_trunk(photos: usize, summary: &str) -> String {
    format!("{SUMMARY_PROMPT}{}\n", summary_target(photos, summary))
}

/// The prompt of photo `index` (from 1) of `photos`.
pub fn caption_prompt(index: usize, photos: usize) -> String {
    format!("Photo {index} of {photos}:")
}

/// What the caption model is to write after [`caption_prompt`], without the end-of-text token.
pub fn caption_target(caption: &str) -> String {
    format!(" {caption}")
}

/// Splits what the summary model wrote into the number of photos and the summary.
///
/// Returns `None` where the text does not read ` {n} photos: {summary}` with n at least 1 and a
/// summary that is not blank.
pub fn parse_summary(raw: &str) -> Option<(usize, String)> {
    let photos = parse_summary_head(raw)?;
    let summary = raw.strip_prefix(&summary_head(photos))?.trim();
    (!summary.is_empty()).then(|| (photos, summary.to_owned()))
}

/// One line of single-spaced text: what captions and summaries must look like before they are
/// put into a format.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_survives_the_round_trip() {
        let raw = summary_target(5, "A day at the farm.");
        assert_eq!(
            parse_summary(&raw),
            Some((5, "A day at the farm.".to_owned()))
        );
    }

    #[test]
    fn what_breaks_the_format_is_refused() {
        for raw in [
            "",
            " photos: a",
            " 0 photos: a",
            " 05 photos: a",
            " five photos: a",
            " 5 pictures: a",
            "5 photos: a",
            " 5 photos:  ",
            " -3 photos: a",
        ] {
            assert_eq!(parse_summary(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn the_trunk_is_what_the_summary_model_writes() {
        assert_eq!(caption_trunk(3, "Fish."), "Album of 3 photos: Fish.\n");
        assert_eq!(caption_prompt(2, 3), "Photo 2 of 3:");
        assert_eq!(one_line(" a\n b\t c "), "a b c");
    }
}
