//! Hierarchical sampling: a summary first, then the captions under it.
//!
//! Reads released adapters and public settings only. Every album has its own random streams,
//! derived from (seed, album index), so its text does not depend on batch size, shard or threads.

use std::collections::BTreeMap;

use albumen_lm::sampler::{Sampler, SamplingParams};
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{
    Adapter, AnyLm, AnyPrefix, Branch, Budget, DecodeOptions, Example, Generation, LmError,
    Request, Sequence, Stop,
};
use albumen_schema::config::{
    GenerateConfig, MAX_ALBUMS, MAX_CANDIDATES, MAX_PHOTOS, MAX_TRIES, Sampling,
};
use albumen_schema::{SyntheticAlbum, format};

use crate::flat;

/// Bits of a random stream's number: album index, then attempt, then photo (0: the summary).
const PHOTO_BITS: u32 = 12;
const ATTEMPT_BITS: u32 = 8;

// The configuration's bounds are the most that these bits tell apart.
const _: () = assert!(MAX_PHOTOS == (1 << PHOTO_BITS) - 1 && MAX_TRIES == (1 << ATTEMPT_BITS) - 1);
const _: () =
    assert!((MAX_ALBUMS as u128 * MAX_CANDIDATES as u128) <= 1 << (64 - PHOTO_BITS - ATTEMPT_BITS));

/// The public language model with its released adapters.
#[derive(Clone, Copy)]
pub struct AlbumModel<'a> {
    /// The frozen model.
    pub lm: &'a AnyLm,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// What was trained.
    pub writers: Writers<'a>,
}

/// The models of a layout.
#[derive(Clone, Copy)]
pub enum Writers<'a> {
    /// Two models.
    Hierarchical {
        /// Writes summaries.
        summary: Writer<'a>,
        /// Writes captions given a summary.
        caption: Writer<'a>,
    },
    /// One model that writes whole albums.
    Flat(Writer<'a>),
}

/// One model.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    /// What was trained; `None` is the public model.
    pub adapter: Option<Adapter<'a>>,
    /// What stands before everything it writes, as in its training.
    pub preamble: Option<&'a AnyPrefix>,
}

/// How far generation is: texts that need no further try. Synthetic counts are public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerateProgress {
    /// Summaries written, of all.
    Summaries(usize, usize),
    /// Captions written, of all.
    Captions(usize, usize),
}

/// Samples `config.candidates` candidates for each of `config.albums` places, in the order of their
/// index, which is place x candidates + candidate.
///
/// An album's number of photos is drawn from the summary model's own distribution over the heads
/// ` {n} photos:`, n up to `config.max_photos`; then the summary proper, then the captions. A text
/// that does not end is sampled again, up to `config.tries` times in all, and cut after its last
/// whole sentence where the last try does not end either. An album that still breaks the format
/// is kept as it is, and curation names the fault.
///
/// # Errors
/// Where the model, an adapter or an option do not fit together.
pub fn generate(
    model: &AlbumModel<'_>,
    config: &GenerateConfig,
    progress: &mut dyn FnMut(GenerateProgress),
) -> Result<Vec<SyntheticAlbum>, LmError> {
    let (summary, caption) = match model.writers {
        Writers::Hierarchical { summary, caption } => (summary, caption),
        Writers::Flat(writer) => return flat::generate(model, writer, config, progress),
    };
    let mut albums: Vec<SyntheticAlbum> = (0..sampled(config)).map(empty_album).collect();
    let sizes = draw_sizes(model, summary, config, &albums)?;
    write_summaries(model, summary, config, &sizes, &mut albums, progress)?;
    write_captions(model, caption, config, &mut albums, progress)?;
    Ok(albums)
}

/// How many albums are sampled: every candidate of every place.
pub(crate) fn sampled(config: &GenerateConfig) -> u64 {
    config.albums.saturating_mul(u64::from(config.candidates))
}

pub(crate) fn empty_album(index: u64) -> SyntheticAlbum {
    SyntheticAlbum {
        id: SyntheticAlbum::id_of(index),
        index,
        summary: String::new(),
        captions: Vec::new(),
        raw_summary: String::new(),
        truncated: true,
    }
}

/// The random stream of a text: a function of album, attempt and photo alone. Within the ranges of the
/// configuration no two texts have the same.
pub(crate) fn stream(album: u64, attempt: u32, photo: usize) -> u64 {
    (album << (PHOTO_BITS + ATTEMPT_BITS)) | (u64::from(attempt) << PHOTO_BITS) | photo as u64
}

/// Draws the number of photos of each album, given the format.
pub(crate) fn draw_sizes(
    model: &AlbumModel<'_>,
    writer: Writer<'_>,
    config: &GenerateConfig,
    albums: &[SyntheticAlbum],
) -> Result<Vec<usize>, LmError> {
    let prompt = model.tokenizer.encode(format::SUMMARY_PROMPT, false)?;
    let heads = (1..=config.max_photos)
        .map(|size| {
            let head = model.tokenizer.encode(&format::summary_head(size), false)?;
            Sequence::builder()
                .context(&prompt)
                .target(&head, 1.0)
                .build()
        })
        .collect::<Result<Vec<_>, _>>()?;
    let examples: Vec<Example<'_>> = heads.iter().map(Example::from).collect();
    let Writer { adapter, preamble } = writer;
    let losses = model
        .lm
        .losses(adapter, preamble, &examples, Budget::default())?;
    let sampling = SamplingParams {
        temperature: config.summary.temperature,
        ..SamplingParams::default()
    };
    albums
        .iter()
        .map(|album| {
            let mut logits: Vec<f32> = losses.iter().map(|loss| -loss).collect();
            let stream = stream(album.index, 0, 0);
            let mut sampler = Sampler::from_seed(sampling.clone(), config.seed, stream)?;
            Ok(sampler.next(&mut logits, &[]) as usize + 1)
        })
        .collect()
}

/// Writes the summaries, each after its head.
fn write_summaries(
    model: &AlbumModel<'_>,
    writer: Writer<'_>,
    config: &GenerateConfig,
    sizes: &[usize],
    albums: &mut [SyntheticAlbum],
    progress: &mut dyn FnMut(GenerateProgress),
) -> Result<(), LmError> {
    let options = options(model, config, &config.summary, config.max_summary_tokens);
    let total = albums.len();
    for attempt in 1..=config.tries {
        let open: Vec<usize> = (0..total).filter(|&i| albums[i].truncated).collect();
        let requests = open
            .iter()
            .map(|&i| {
                let head = format!(
                    "{}{}",
                    format::SUMMARY_PROMPT,
                    format::summary_head(sizes[i])
                );
                let trunk = model.tokenizer.encode(&head, false)?;
                let stream = stream(albums[i].index, attempt, 0);
                let prompt = Vec::new();
                let branches = vec![Branch { prompt, stream }];
                Ok(Request { trunk, branches })
            })
            .collect::<Result<Vec<_>, LmError>>()?;
        let mut finished = total - open.len();
        let last = attempt == config.tries;
        let written = run(model, writer, &requests, &options, &mut |generation| {
            let text = read(model, generation, last)?;
            finished += usize::from(text.ended || last);
            progress(GenerateProgress::Summaries(finished, total));
            Ok(text)
        })?;
        for (i, _, text) in written {
            let (album, size) = (&mut albums[open[i]], sizes[open[i]]);
            album.raw_summary = format!("{}{}", format::summary_head(size), text.text);
            if let Some((_, summary)) = format::parse_summary(&album.raw_summary) {
                album.summary = format::one_line(&summary);
                album.captions = vec![String::new(); size];
                album.truncated = !text.ended;
            }
        }
    }
    Ok(())
}

/// What a generation wrote, and whether it came to an end.
struct Text {
    text: String,
    ended: bool,
}

/// Reads a generation; on the last try a text that ran on is cut after its last whole sentence.
fn read(model: &AlbumModel<'_>, generation: &Generation, last: bool) -> Result<Text, LmError> {
    let mut text = model.tokenizer.decode(&generation.tokens)?;
    let mut ended = matches!(generation.stop, Stop::Token(_)) && !text.trim().is_empty();
    if let Some(end) = text.rfind(['.', '!', '?']).filter(|_| last && !ended) {
        text.truncate(end + 1);
        ended = true;
    }
    Ok(Text { text, ended })
}

/// Writes the captions under each finished summary.
fn write_captions(
    model: &AlbumModel<'_>,
    writer: Writer<'_>,
    config: &GenerateConfig,
    albums: &mut [SyntheticAlbum],
    progress: &mut dyn FnMut(GenerateProgress),
) -> Result<(), LmError> {
    let options = options(model, config, &config.caption, config.max_caption_tokens);
    let mut open: Vec<(usize, Vec<usize>)> = (0..albums.len())
        .filter(|&i| !albums[i].truncated)
        .map(|i| (i, (1..=albums[i].captions.len()).collect()))
        .collect();
    let total: usize = open.iter().map(|(_, photos)| photos.len()).sum();
    let mut finished = 0;
    for attempt in 0..config.tries {
        let requests = open
            .iter()
            .map(|(i, photos)| request_captions(model, &albums[*i], photos, attempt))
            .collect::<Result<Vec<_>, _>>()?;
        let last = attempt + 1 == config.tries;
        let written = run(model, writer, &requests, &options, &mut |generation| {
            let text = model.tokenizer.decode(&generation.tokens)?;
            let ended = matches!(generation.stop, Stop::Token(_)) && !text.trim().is_empty();
            finished += usize::from(ended || last);
            progress(GenerateProgress::Captions(finished, total));
            Ok(Text { text, ended })
        })?;
        let mut again: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (request, branch, Text { text, ended }) in written {
            let (album, photo) = (open[request].0, open[request].1[branch]);
            text.trim()
                .clone_into(&mut albums[album].captions[photo - 1]);
            if !ended {
                again.entry(album).or_default().push(photo);
            }
        }
        for photos in again.values_mut() {
            photos.sort_unstable();
        }
        open = again.into_iter().collect();
    }
    for (album, _) in open {
        albums[album].truncated = true;
    }
    Ok(())
}

/// One trunk, the summary, and a branch for each photo that is wanted.
fn request_captions(
    model: &AlbumModel<'_>,
    album: &SyntheticAlbum,
    wanted: &[usize],
    attempt: u32,
) -> Result<Request, LmError> {
    let photos = album.captions.len();
    let trunk = format::caption_trunk(photos, &album.summary);
    let branches = wanted
        .iter()
        .map(|&photo| {
            let prompt = format::caption_prompt(photo, photos);
            Ok(Branch {
                prompt: model.tokenizer.encode(&prompt, false)?,
                stream: stream(album.index, attempt, photo),
            })
        })
        .collect::<Result<_, LmError>>()?;
    Ok(Request {
        trunk: model.tokenizer.encode(&trunk, false)?,
        branches,
    })
}

/// Every text with its request and branch, as `read` takes it from each generation that ends.
fn run(
    model: &AlbumModel<'_>,
    writer: Writer<'_>,
    requests: &[Request],
    options: &DecodeOptions,
    read: &mut dyn FnMut(&Generation) -> Result<Text, LmError>,
) -> Result<Vec<(usize, usize, Text)>, LmError> {
    let mut written = Vec::new();
    let mut failed = Ok(());
    if requests.is_empty() {
        return Ok(written);
    }
    model.lm.generate(
        writer.adapter,
        writer.preamble,
        requests,
        options,
        &mut |request, branch, generation| match read(&generation) {
            Ok(text) => written.push((request, branch, text)),
            Err(e) => failed = Err(e),
        },
    )?;
    failed.map(|()| written)
}

pub(crate) fn options(
    model: &AlbumModel<'_>,
    config: &GenerateConfig,
    sampling: &Sampling,
    max_new_tokens: usize,
) -> DecodeOptions {
    // Texts are one line: a line break ends them as the end of text does.
    let mut stop_tokens = model.tokenizer.newline_ids().to_vec();
    stop_tokens.push(model.tokenizer.eos_id());
    DecodeOptions {
        batch: config.batch,
        max_new_tokens,
        stop_tokens,
        sampling: SamplingParams {
            temperature: sampling.temperature,
            top_k: sampling.top_k,
            top_p: sampling.top_p,
            min_p: 0.0,
            repetition_penalty: sampling.repetition_penalty,
        },
        seed: config.seed,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn streams_differ_up_to_the_bounds_and_meet_beyond_them() {
        let mut seen = HashSet::new();
        for album in 0..3 {
            for attempt in 0..=MAX_TRIES {
                for photo in 0..=MAX_PHOTOS {
                    assert!(seen.insert(stream(album, attempt, photo)));
                }
            }
        }
        assert_eq!(stream(0, 0, MAX_PHOTOS + 1), stream(0, 1, 0));
        assert_eq!(stream(0, MAX_TRIES + 1, 0), stream(1, 0, 0));
        let last = MAX_ALBUMS * u64::from(MAX_CANDIDATES) - 1;
        let whole = stream(last, MAX_TRIES, MAX_PHOTOS);
        assert_eq!(whole >> (PHOTO_BITS + ATTEMPT_BITS), last);
        assert!(seen.insert(whole));
    }

    #[test]
    fn streams_keep_their_numbers() {
        assert_eq!(stream(0, 1, 0), 4096);
        assert_eq!(stream(3, 2, 1), 3 * 1_048_576 + 2 * 4096 + 1);
    }
}
