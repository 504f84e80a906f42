//! A unit's albums as the sequences of DESIGN's two models.

use albumen_corpus::{AlbumText, UnitTexts};
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{LmError, Sequence};
use albumen_schema::format;

/// Which of the two models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Writes album summaries.
    Summary,
    /// Writes a photo's caption given its album's summary.
    Caption,
}

impl Model {
    /// The name used in files, ledgers and the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Caption => "caption",
        }
    }
}

/// Public bounds on text, in tokens; longer text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Longest summary.
    pub summary_tokens: usize,
    /// Longest caption.
    pub caption_tokens: usize,
}

/// One sequence for each album of the unit.
///
/// Weights make a sequence's loss the mean over its target tokens, and the unit's loss the mean
/// over its albums: the rows of a unit are averaged before its gradient is clipped.
pub(crate) fn of_unit(
    model: Model,
    unit: &UnitTexts,
    tokenizer: &Tokenizer,
    lengths: Lengths,
) -> Result<Vec<Sequence>, LmError> {
    let share = 1.0 / unit.len().max(1) as f32;
    unit.iter()
        .map(|album| {
            let mut sequence = match model {
                Model::Summary => summary_sequence(album, tokenizer, lengths),
                Model::Caption => caption_sequence(album, tokenizer, lengths),
            }?;
            sequence.scale_weights(share / sequence.total_weight());
            Ok(sequence)
        })
        .collect()
}

/// `Album of` -> ` {n} photos: {summary}<eos>`.
fn summary_sequence(
    album: &AlbumText,
    tokenizer: &Tokenizer,
    lengths: Lengths,
) -> Result<Sequence, LmError> {
    let text = format::summary_target(album.captions.len(), &album.summary);
    let mut target = tokenizer.encode(&text, false)?;
    target.truncate(lengths.summary_tokens);
    target.push(tokenizer.eos_id());
    Sequence::builder()
        .context(&tokenizer.encode(format::SUMMARY_PROMPT, false)?)
        .target(&target, 1.0)
        .build()
}

/// The trunk `Album of {n} photos: {summary}\n`, and every photo as a branch
/// `Photo {i} of {n}:` -> ` {caption}<eos>`.
fn caption_sequence(
    album: &AlbumText,
    tokenizer: &Tokenizer,
    lengths: Lengths,
) -> Result<Sequence, LmError> {
    let photos = album.captions.len();
    let mut trunk = tokenizer.encode(&format::caption_trunk(photos, &album.summary), false)?;
    trunk.truncate(lengths.summary_tokens + tokenizer.encode(format::SUMMARY_PROMPT, false)?.len());
    let mut builder = Sequence::builder().context(&trunk);
    for (i, caption) in album.captions.iter().enumerate() {
        let mut target = tokenizer.encode(&format::caption_target(caption), false)?;
        target.truncate(lengths.caption_tokens);
        target.push(tokenizer.eos_id());
        builder = builder
            .branch()
            .context(&tokenizer.encode(&format::caption_prompt(i + 1, photos), false)?)
            .target(&target, 1.0);
    }
    builder.build()
}
