//! Album summaries by a public model, from the album's captions alone.
//!
//! The model is frozen and every album is summarised in a request of its own: see [`SummaryWriter`].

mod language_model;
pub(crate) mod prompt;
mod sentence;

use std::collections::BTreeMap;

use albumen_schema::AlbumText;

use crate::CorpusError;
use crate::journal::{Journal, key};

pub use language_model::{LmSummarizer, MAX_PROMPT_TOKENS, SUMMARIES_AT_ONCE};

/// Where a summary came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SummarySource {
    /// The model's answer.
    Model,
    /// Made from the captions' words, because the model's answer broke the format.
    Extractive,
}

/// Takes the answer to the prompt of an index.
pub type Answered<'a> = dyn FnMut(usize, String) -> Result<(), CorpusError> + 'a;

/// Answers the public prompt about an album's captions. The model behind it is frozen and public.
///
/// An answer must depend on its own prompt alone, not on those beside it: a summary may tell of its own
/// album only, since the guarantee rests on that.
pub trait SummaryWriter {
    /// Answers each prompt, and hands over each answer as soon as it is there, in any order. What is
    /// answered may be anything: it is judged and cleaned by whoever asks.
    ///
    /// # Errors
    /// Where the model fails, and whatever `answered` returns.
    fn write(&self, prompts: &[&str], answered: &mut Answered<'_>) -> Result<(), CorpusError>;
}

/// One summary for each album. `progress` gets the finished share, 0 to 1.
pub(crate) fn summarize_albums(
    albums: &[AlbumText],
    writer: &dyn SummaryWriter,
    journal: &mut Journal,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<(String, SummarySource)>, CorpusError> {
    let prompts: Vec<String> = albums
        .iter()
        .map(|album| prompt::album_prompt(&album.captions))
        .collect();
    let keys: Vec<String> = prompts.iter().map(|prompt| key(prompt)).collect();
    // One answer for each distinct prompt.
    let todo: BTreeMap<&str, &str> = keys
        .iter()
        .zip(&prompts)
        .map(|(key, prompt)| (key.as_str(), prompt.as_str()))
        .filter(|(key, _)| journal.get(key).is_none())
        .collect();
    let (todo_keys, todo_prompts): (Vec<&str>, Vec<&str>) = todo.into_iter().unzip();
    let mut done = 0_usize;
    let mut write = || {
        writer.write(&todo_prompts, &mut |index, answer| {
            journal.add(todo_keys[index], answer)?;
            done += 1;
            progress(done as f64 / todo_keys.len() as f64);
            Ok(())
        })
    };
    if !todo_keys.is_empty() {
        write()?;
    }
    let summary = |(album, key): (&AlbumText, &String)| {
        let answer = journal.get(key).unwrap_or_default();
        match sentence::accept(answer, &album.captions) {
            Some(sentence) => (sentence, SummarySource::Model),
            None => (
                sentence::extract(&album.captions),
                SummarySource::Extractive,
            ),
        }
    };
    Ok(albums.iter().zip(&keys).map(summary).collect())
}
