//! A unit's albums as the sequences of the models.

use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{LmError, Sequence};
use albumen_schema::{AlbumText, UnitTexts, format};

/// Which model: the first two are the hierarchical layout's, the last one is the flat layout's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Writes album summaries.
    Summary,
    /// Writes a photo's caption given its album's summary.
    Caption,
    /// Writes a whole album, summary and captions, in one sequence.
    Album,
}

impl Model {
    /// The name used in files, ledgers and the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Caption => "caption",
            Self::Album => "album",
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
    let mut sequences = tokens_of_unit(model, unit, tokenizer, lengths)?;
    for sequence in &mut sequences {
        sequence.scale_weights(share / sequence.total_weight());
    }
    Ok(sequences)
}

/// One sequence for each album of the unit, every target token with the weight 1.
pub(crate) fn tokens_of_unit(
    model: Model,
    unit: &UnitTexts,
    tokenizer: &Tokenizer,
    lengths: Lengths,
) -> Result<Vec<Sequence>, LmError> {
    let one = |album| match model {
        Model::Summary => summary_sequence(album, tokenizer, lengths),
        Model::Caption => caption_sequence(album, tokenizer, lengths),
        Model::Album => album_sequence(album, tokenizer, lengths, AlbumWeights::ALL),
    };
    unit.iter().map(one).collect()
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

/// Loss weights of a whole album's tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AlbumWeights {
    /// Of the summary, its head and its end.
    pub(crate) summary: f32,
    /// Of `Photo {i} of {n}:`.
    pub(crate) prompt: f32,
    /// Of captions and their ends.
    pub(crate) caption: f32,
}

impl AlbumWeights {
    pub(crate) const ALL: Self = Self {
        summary: 1.0,
        prompt: 1.0,
        caption: 1.0,
    };
}

/// `Album of` -> ` {n} photos: {summary}`, then ` Photo {i} of {n}: {caption}` of every photo on a line
/// of its own, `<eos>`.
pub(crate) fn album_sequence(
    album: &AlbumText,
    tokenizer: &Tokenizer,
    lengths: Lengths,
    weights: AlbumWeights,
) -> Result<Sequence, LmError> {
    let photos = album.captions.len();
    let line_end = tokenizer.encode("\n", false)?;
    let cut = |text: &str, longest: usize| {
        let mut tokens = tokenizer.encode(text, false)?;
        tokens.truncate(longest);
        Ok::<_, LmError>(tokens)
    };
    let summary = format::summary_target(photos, &album.summary);
    let mut builder = Sequence::builder()
        .context(&tokenizer.encode(format::SUMMARY_PROMPT, false)?)
        .target(&cut(&summary, lengths.summary_tokens)?, weights.summary)
        .target(&line_end, weights.summary);
    for (i, caption) in album.captions.iter().enumerate() {
        let prompt = format::caption_prompt(i + 1, photos);
        let caption = format::caption_target(caption);
        builder = builder
            .target(&tokenizer.encode(&prompt, false)?, weights.prompt)
            .target(&cut(&caption, lengths.caption_tokens)?, weights.caption);
        builder = if i + 1 < photos {
            builder.target(&line_end, weights.caption)
        } else {
            builder.target(&[tokenizer.eos_id()], weights.caption)
        };
    }
    builder.build()
}

#[cfg(test)]
mod tests;
