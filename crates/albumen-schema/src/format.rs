//! The public text formats of the models.
//!
//! Summary model: [`SUMMARY_PROMPT`] -> ` {n} photos: {summary}<eos>`.
//! Caption model: `Album of {n} photos: {summary}\n`, then for photo i
//! `Photo {i} of {n}:` -> ` {caption}<eos>`. Loss falls only right of the arrows. The summary
//! model writes n itself, so album sizes need no release of their own.
//!
//! The flat layout has one model: [`SUMMARY_PROMPT`] -> ` {n} photos: {summary}`, then a line
//! `Photo {i} of {n}: {caption}` for each photo, and `<eos>`.

/// What every summary starts from.
pub const SUMMARY_PROMPT: &str = "Album of";

/// The most tokens that the fixed words around a summary or a caption take, with room to spare.
pub const FIXED_TOKENS: usize = 64;

/// What the summary model is to write after [`SUMMARY_PROMPT`], without the end-of-text token.
pub fn summary_target(photos: usize, summary: &str) -> String {
    format!("{} {summary}", summary_head(photos))
}

/// A summary with its prompt, as the summary model's text reads.
pub fn summary_text(photos: usize, summary: &str) -> String {
    format!("{SUMMARY_PROMPT}{}", summary_target(photos, summary))
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
    format!("{}\n", summary_text(photos, summary))
}

/// The prompt of photo `index` (from 1) of `photos`.
pub fn caption_prompt(index: usize, photos: usize) -> String {
    format!("Photo {index} of {photos}:")
}

/// What the caption model is to write after [`caption_prompt`], without the end-of-text token.
pub fn caption_target(caption: &str) -> String {
    format!(" {caption}")
}

/// What the flat layout's model is to write after [`SUMMARY_PROMPT`], without the end-of-text token.
pub fn album_target(summary: &str, captions: &[String]) -> String {
    let photos = captions.len();
    let mut text = summary_target(photos, summary);
    for (i, caption) in captions.iter().enumerate() {
        text.push('\n');
        text.push_str(&caption_prompt(i + 1, photos));
        text.push_str(&caption_target(caption));
    }
    text
}

/// Splits what the flat layout's model wrote into summary and captions.
///
/// Returns `None` where the text is not exactly of [`album_target`]'s form, with no part blank.
pub fn parse_album(raw: &str) -> Option<(String, Vec<String>)> {
    let mut lines = raw.trim_end().lines();
    let (photos, summary) = parse_summary(lines.next()?)?;
    let mut captions = Vec::new();
    for line in lines {
        let prompt = caption_prompt(captions.len() + 1, photos);
        let caption = line.strip_prefix(&prompt)?.trim();
        if caption.is_empty() {
            return None;
        }
        captions.push(caption.to_owned());
    }
    (captions.len() == photos).then_some((summary, captions))
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
    fn a_whole_album_survives_the_round_trip_and_nothing_else_does() {
        let captions = ["A pig.", "Two hens: one asleep."]
            .map(str::to_owned)
            .to_vec();
        let raw = album_target("A day at the farm.", &captions);
        assert_eq!(
            raw,
            " 2 photos: A day at the farm.\nPhoto 1 of 2: A pig.\nPhoto 2 of 2: Two hens: one asleep."
        );
        assert_eq!(
            parse_album(&raw),
            Some(("A day at the farm.".to_owned(), captions))
        );
        for broken in [
            " 2 photos: A farm.\nPhoto 1 of 2: A pig.",
            " 1 photos: A farm.\nPhoto 1 of 1: A pig.\nPhoto 2 of 1: A hen.",
            " 2 photos: A farm.\nPhoto 2 of 2: A pig.\nPhoto 1 of 2: A hen.",
            " 1 photos: A farm.\nPhoto 1 of 1: ",
            " 1 photos: A farm.\n\nPhoto 1 of 1: A pig.",
            " 1 photos: \nPhoto 1 of 1: A pig.",
            "",
        ] {
            assert_eq!(parse_album(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn the_trunk_is_what_the_summary_model_writes() {
        assert_eq!(caption_trunk(3, "Fish."), "Album of 3 photos: Fish.\n");
        assert_eq!(caption_prompt(2, 3), "Photo 2 of 3:");
        assert_eq!(one_line(" a\n b\t c "), "a b c");
    }
}
