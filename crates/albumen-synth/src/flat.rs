//! Flat sampling: a whole album in one go, by the one model of `train.layout = "flat"`.

use std::collections::BTreeMap;

use albumen_lm::{Branch, LmError, Request, Stop};
use albumen_schema::config::GenerateConfig;
use albumen_schema::{SyntheticAlbum, format};

use crate::generate::{
    AlbumModel, GenerateProgress, Writer, draw_sizes, empty_album, options, sampled, stream,
};

/// Samples every candidate of `config.albums` places, in the order of their index; see
/// [`generate`](crate::generate::generate). Texts are drawn as `config.caption` has it. An album that
/// is not of the format is sampled again, up to `config.tries` times, and kept as it is after that.
pub(crate) fn generate(
    model: &AlbumModel<'_>,
    writer: Writer<'_>,
    config: &GenerateConfig,
    progress: &mut dyn FnMut(GenerateProgress),
) -> Result<Vec<SyntheticAlbum>, LmError> {
    let mut albums: Vec<SyntheticAlbum> = (0..sampled(config)).map(empty_album).collect();
    let sizes = draw_sizes(model, writer, config, &albums)?;
    let total = albums.len();
    for attempt in 1..=config.tries {
        let last = attempt == config.tries;
        let mut open: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for i in (0..total).filter(|&i| albums[i].truncated) {
            open.entry(sizes[i]).or_default().push(i);
        }
        let mut finished = total - open.values().map(Vec::len).sum::<usize>();
        for (size, of_size) in open {
            let head = format::summary_head(size);
            let trunk = format!("{}{head}", format::SUMMARY_PROMPT);
            let trunk = model.tokenizer.encode(&trunk, false)?;
            let requests: Vec<Request> = of_size
                .iter()
                .map(|&i| Request {
                    trunk: trunk.clone(),
                    branches: vec![Branch {
                        prompt: Vec::new(),
                        stream: stream(albums[i].index, attempt, 0),
                    }],
                })
                .collect();
            let prompt = format!("\n{}", format::caption_prompt(size, size));
            let prompt = model.tokenizer.encode(&prompt, false)?.len();
            let longest = config.max_summary_tokens + size * (prompt + config.max_caption_tokens);
            let mut options = options(model, config, &config.caption, longest);
            // Line breaks are part of the text here.
            options.stop_tokens = vec![model.tokenizer.eos_id()];
            let mut failed = Ok(());
            model.lm.generate(
                writer.adapter,
                writer.preamble,
                &requests,
                &options,
                &mut |request, _, generation| match model.tokenizer.decode(&generation.tokens) {
                    Ok(text) => {
                        let album = &mut albums[of_size[request]];
                        let ended = matches!(generation.stop, Stop::Token(_));
                        read(album, format!("{head}{text}"), ended);
                        finished += usize::from(last || !album.truncated);
                        progress(GenerateProgress::Captions(finished, total));
                    }
                    Err(e) => failed = Err(e),
                },
            )?;
            failed?;
        }
    }
    Ok(albums)
}

/// Takes an album over from what the model wrote.
fn read(album: &mut SyntheticAlbum, raw: String, ended: bool) {
    let whole = format::parse_album(&raw).filter(|_| ended);
    album.truncated = whole.is_none();
    let summary = |raw: &str| Some(format::parse_summary(raw.lines().next()?)?.1);
    (album.summary, album.captions) =
        whole.unwrap_or_else(|| (summary(&raw).unwrap_or_default(), Vec::new()));
    album.summary = format::one_line(&album.summary);
    album.raw_summary = raw;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_albums_count_as_finished() {
        let raw = " 2 photos: A farm.\nPhoto 1 of 2: A pig.\nPhoto 2 of 2: A hen.";
        let mut album = empty_album(0);
        read(&mut album, raw.to_owned(), true);
        assert!(!album.truncated);
        assert_eq!(
            (album.summary.as_str(), album.captions.len()),
            ("A farm.", 2)
        );
        read(&mut album, raw.to_owned(), false);
        assert!(album.truncated && album.captions.is_empty());
        assert_eq!(album.summary, "A farm.");
        read(
            &mut album,
            " 2 photos: A farm.\nPhoto 1 of 2: A".to_owned(),
            true,
        );
        assert!(album.truncated);
        assert!(album.raw_summary.ends_with("2: A"));
    }
}
