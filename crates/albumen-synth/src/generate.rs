//! Hierarchical sampling: a summary first, then the captions under it.
//!
//! Reads released adapters and public settings only. Every album has its own random streams,
//! derived from (seed, album index), so its text does not depend on batch size, shard or threads.

use albumen_lm::sampler::SamplingParams;
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{Adapter, Branch, DecodeOptions, Lm, LmError, Request, Stop};
use albumen_schema::config::{GenerateConfig, Sampling};
use albumen_schema::{SyntheticAlbum, format};

/// Random streams kept free for each album: one for the summary, one for each photo.
const STREAMS_PER_ALBUM: u64 = 1 << 12;

/// The public language model with its two released adapters.
#[derive(Clone, Copy)]
pub struct AlbumModel<'a> {
    /// The frozen model.
    pub lm: &'a Lm,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Writes summaries.
    pub summary: Adapter<'a>,
    /// Writes captions given a summary.
    pub caption: Adapter<'a>,
}

/// How far generation is. Synthetic counts are public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerateProgress {
    /// Summaries written, of all.
    Summaries(usize, usize),
    /// Captions written, of all.
    Captions(usize, usize),
}

/// Samples `config.albums` albums, in the order of their index.
///
/// An album whose summary breaks the format, or names more photos than `config.max_photos`, comes
/// back without captions: curation names the fault.
///
/// # Errors
/// Where the model, an adapter or an option do not fit together.
pub fn generate(
    model: &AlbumModel<'_>,
    config: &GenerateConfig,
    progress: &mut dyn FnMut(GenerateProgress),
) -> Result<Vec<SyntheticAlbum>, LmError> {
    let mut albums = write_summaries(model, config, progress)?;
    write_captions(model, config, &mut albums, progress)?;
    Ok(albums)
}

fn write_summaries(
    model: &AlbumModel<'_>,
    config: &GenerateConfig,
    progress: &mut dyn FnMut(GenerateProgress),
) -> Result<Vec<SyntheticAlbum>, LmError> {
    let prompt = model.tokenizer.encode(format::SUMMARY_PROMPT, false)?;
    let requests: Vec<Request> = (0..config.albums)
        .map(|index| Request {
            trunk: prompt.clone(),
            branches: vec![Branch {
                prompt: Vec::new(),
                stream: index * STREAMS_PER_ALBUM,
            }],
        })
        .collect();
    let options = options(model, config, &config.summary, config.max_summary_tokens);
    let mut written = vec![None; requests.len()];
    let mut done = 0;
    model.lm.generate(
        Some(model.summary),
        None,
        &requests,
        &options,
        &mut |album, _, generation| {
            written[album] = Some(generation);
            done += 1;
            progress(GenerateProgress::Summaries(done, requests.len()));
        },
    )?;
    let mut albums = Vec::with_capacity(written.len());
    for (index, generation) in (0u64..).zip(written) {
        let (raw_summary, finished) = match generation {
            Some(g) => (
                model.tokenizer.decode(&g.tokens)?,
                matches!(g.stop, Stop::Token(_)),
            ),
            None => (String::new(), false),
        };
        let parsed = format::parse_summary(&raw_summary);
        let (photos, summary) = parsed.unwrap_or_default();
        let captions = if photos <= config.max_photos { photos } else { 0 };
        albums.push(SyntheticAlbum {
            id: SyntheticAlbum::id_of(index),
            index,
            summary,
            captions: vec![String::new(); captions],
            raw_summary,
            truncated: !finished,
        });
    }
    Ok(albums)
}

fn write_captions(
    model: &AlbumModel<'_>,
    config: &GenerateConfig,
    albums: &mut [SyntheticAlbum],
    progress: &mut dyn FnMut(GenerateProgress),
) -> Result<(), LmError> {
    let with_photos: Vec<usize> = (0..albums.len())
        .filter(|&i| !albums[i].captions.is_empty())
        .collect();
    let requests = with_photos
        .iter()
        .map(|&i| request_captions(model, &albums[i]))
        .collect::<Result<Vec<_>, _>>()?;
    let total: usize = requests.iter().map(|r| r.branches.len()).sum();
    let options = options(model, config, &config.caption, config.max_caption_tokens);
    let mut written = Vec::with_capacity(total);
    model.lm.generate(
        Some(model.caption),
        None,
        &requests,
        &options,
        &mut |request, photo, generation| {
            written.push((with_photos[request], photo, generation));
            progress(GenerateProgress::Captions(written.len(), total));
        },
    )?;
    for (album, photo, generation) in written {
        let text = model.tokenizer.decode(&generation.tokens)?;
        text.trim().clone_into(&mut albums[album].captions[photo]);
        albums[album].truncated |= !matches!(generation.stop, Stop::Token(_));
    }
    Ok(())
}

/// One trunk, the summary, and a branch for each photo.
fn request_captions(model: &AlbumModel<'_>, album: &SyntheticAlbum) -> Result<Request, LmError> {
    let photos = album.captions.len();
    let trunk = format::caption_trunk(photos, &album.summary);
    let branches = (1..=photos)
        .map(|photo| {
            Ok(Branch {
                prompt: model
                    .tokenizer
                    .encode(&format::caption_prompt(photo, photos), false)?,
                stream: album.index * STREAMS_PER_ALBUM + photo as u64,
            })
        })
        .collect::<Result<_, LmError>>()?;
    Ok(Request {
        trunk: model.tokenizer.encode(&trunk, false)?,
        branches,
    })
}

fn options(
    model: &AlbumModel<'_>,
    config: &GenerateConfig,
    sampling: &Sampling,
    max_new_tokens: usize,
) -> DecodeOptions {
    DecodeOptions {
        batch: config.batch,
        max_new_tokens,
        stop_tokens: vec![model.tokenizer.eos_id()],
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
