//! The loss of albums that were not trained on.

use albumen_lm::{Adapter, Example, LmError, Sequence};
use albumen_schema::UnitTexts;

use crate::sequences::{AlbumWeights, album_sequence, tokens_of_unit};
use crate::{Engine, Model, TrainError};

/// A loss over albums, in nats.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// Of each album: its summed loss and how many tokens have one.
    pub albums: Vec<(f64, usize)>,
}

impl HeldOut {
    /// Nats a token, over all tokens.
    pub fn per_token(&self) -> f64 {
        let tokens: usize = self.albums.iter().map(|a| a.1).sum();
        self.albums.iter().map(|a| a.0).sum::<f64>() / tokens.max(1) as f64
    }
}

/// What `model` loses on the text it writes, of albums that are declared public or whose numbers stay
/// private: with adapter parameters, or (`None`) as the public model. No noise is added: the result
/// is as private as the albums.
///
/// # Errors
/// [`TrainError::LanguageModel`].
pub fn held_out(
    engine: &Engine<'_>,
    model: Model,
    params: Option<&[f32]>,
    albums: &[UnitTexts],
) -> Result<HeldOut, TrainError> {
    let sequences = albums
        .iter()
        .map(|unit| tokens_of_unit(model, unit, engine.tokenizer, engine.lengths));
    measure(engine, params, &flat(sequences)?)
}

/// What the flat layout's model loses on summaries and on captions, each with its end: the tokens
/// that the summary model's and the caption model's losses count, at the same positions of the text.
///
/// # Errors
/// [`TrainError::LanguageModel`].
pub fn held_out_by_part(
    engine: &Engine<'_>,
    params: Option<&[f32]>,
    albums: &[UnitTexts],
) -> Result<[HeldOut; 2], TrainError> {
    let of = |summary: f32, caption: f32| {
        let weights = AlbumWeights {
            summary,
            prompt: 0.0,
            caption,
        };
        let sequences = albums.iter().map(|unit| {
            let one = |album| album_sequence(album, engine.tokenizer, engine.lengths, weights);
            unit.iter().map(one).collect()
        });
        measure(engine, params, &flat(sequences)?)
    };
    Ok([of(1.0, 0.0)?, of(0.0, 1.0)?])
}

fn flat(
    units: impl Iterator<Item = Result<Vec<Sequence>, LmError>>,
) -> Result<Vec<Sequence>, LmError> {
    let units: Vec<Vec<Sequence>> = units.collect::<Result<_, _>>()?;
    Ok(units.into_iter().flatten().collect())
}

fn measure(
    engine: &Engine<'_>,
    params: Option<&[f32]>,
    sequences: &[Sequence],
) -> Result<HeldOut, TrainError> {
    let examples: Vec<Example<'_>> = sequences.iter().map(Example::from).collect();
    let layout = engine.layout;
    let adapter = params.map(|params| Adapter { layout, params });
    let losses = engine
        .lm
        .losses(adapter, engine.preamble, &examples, engine.budget)?;
    let tokens = |s: &Sequence| s.weights().iter().filter(|w| **w != 0.0).count();
    Ok(HeldOut {
        albums: losses
            .into_iter()
            .map(f64::from)
            .zip(sequences.iter().map(tokens))
            .collect(),
    })
}
