//! Captions and summaries by a server: where private photos and captions leave this process.
//!
//! A request holds one photo, or one album's prompt, and public words. So an answer depends on that
//! photo or album alone, as far as the server keeps nothing from one request for another
//! (docs/pitfalls.md). A server that refuses one of them does not end the run, whose outcome would then
//! tell of it: the answer is empty, as that of a model in this process that cannot take a photo.

use std::io::Write;
use std::path::{Path, PathBuf};

use albumen_endpoint::{Client, EndpointError, Role, Turn, data_url, public_picture};
use albumen_schema::format::one_line;
use image::RgbImage;
use serde_json::json;

use crate::CorpusError;
use crate::caption::{Captioned, PhotoCaptioner, Photos};
use crate::summarize::prompt::{EXAMPLES, HEADING, album_prompt, long_prompt};
use crate::summarize::{Answered, SummaryWriter};

/// What is asked of a photo where the configuration does not say.
const QUESTION: &str = "Describe this photo in one short sentence.";
/// Longest caption, in words: a server may not keep to the tokens it was allowed.
const MAX_CAPTION_WORDS: usize = 60;
/// Longest prompt about an album, in characters: twenty words each of twelve captions fit.
const MAX_PROMPT_CHARS: usize = 4000;

/// A server that has answered a public question.
struct Rehearsed {
    client: Client,
    /// Longest answer, in tokens.
    max_tokens: usize,
    /// The public question.
    public: Vec<Turn>,
    /// What was refused, a line of JSON each: as private as what was asked.
    refusals: PathBuf,
}

impl Rehearsed {
    fn new(
        client: Client,
        max_tokens: usize,
        public: Vec<Turn>,
        refusals: &Path,
    ) -> Result<Self, CorpusError> {
        client.rehearse(&public, max_tokens)?;
        Ok(Self {
            client,
            max_tokens,
            public,
            refusals: refusals.to_owned(),
        })
    }

    /// The answer to a private question; empty where the server refuses that one.
    fn ask(&self, turns: &[Turn]) -> Result<String, CorpusError> {
        match self.client.complete(turns, self.max_tokens) {
            Err(error) if error.is_refusal() => self.refused(&error),
            answer => Ok(answer?),
        }
    }

    /// Nothing, where the server still answers in public: what ends the run is never one photo or text.
    fn refused(&self, error: &EndpointError) -> Result<String, CorpusError> {
        self.client.rehearse(&self.public, self.max_tokens)?;
        let words = String::from_utf8_lossy(error.server_words().unwrap_or_default());
        let line = json!({"refused": error.to_string(), "words": words});
        let written = append(&self.refusals, &format!("{line}\n"));
        written.map_err(|error| CorpusError::Table {
            path: self.refusals.clone(),
            problem: error.to_string(),
        })?;
        Ok(String::new())
    }
}

/// Writes at the end of a private file.
fn append(path: &Path, line: &str) -> std::io::Result<()> {
    albumen_files::append_private(path)?.write_all(line.as_bytes())
}

/// A captioner behind a server.
pub struct EndpointCaptioner {
    server: Rehearsed,
    /// What is asked of each photo.
    question: String,
}

impl EndpointCaptioner {
    /// A captioner whose server has captioned a public picture. `prompt` is what is asked of each photo,
    /// `max_tokens` its longest caption; what the server refuses is written down in the private file
    /// `refusals`.
    ///
    /// # Errors
    /// [`CorpusError::Endpoint`] where the server does not answer: nothing private was sent then.
    pub fn rehearsed(
        client: Client,
        prompt: Option<&str>,
        max_tokens: usize,
        refusals: &Path,
    ) -> Result<Self, CorpusError> {
        let question = prompt.unwrap_or(QUESTION).to_owned();
        let side = client.photo_side();
        let public = vec![shown(&question, &public_picture(side), side)?];
        Ok(Self {
            server: Rehearsed::new(client, max_tokens, public, refusals)?,
            question,
        })
    }

    /// The caption of the photo that `load` gives; the pixels are gone before the server is asked.
    fn ask(
        &self,
        load: impl FnOnce() -> Result<RgbImage, CorpusError>,
    ) -> Result<String, CorpusError> {
        let side = self.server.client.photo_side();
        let answer = match shown(&self.question, &load()?, side) {
            Ok(turn) => self.server.ask(&[turn])?,
            Err(error) => self.server.refused(&error)?,
        };
        let line = one_line(&answer);
        let words: Vec<&str> = line.split(' ').take(MAX_CAPTION_WORDS).collect();
        Ok(words.join(" "))
    }
}

/// The question about a photo.
fn shown(question: &str, photo: &RgbImage, side: u32) -> Result<Turn, EndpointError> {
    Ok(Turn {
        role: Role::User,
        text: question.to_owned(),
        picture: Some(data_url(photo, side)?),
    })
}

impl PhotoCaptioner for EndpointCaptioner {
    fn caption(&self, images: &[RgbImage]) -> Result<Vec<String>, CorpusError> {
        let mut captions = vec![String::new(); images.len()];
        let ask = |image: &RgbImage| self.ask(|| Ok(image.clone()));
        self.server.client.ask_all(images, ask, |index, caption| {
            captions[index] = caption;
            Ok(())
        })?;
        Ok(captions)
    }

    /// Without batches: a slow answer holds up no other photo.
    fn caption_all(
        &self,
        photos: &Photos<'_>,
        captioned: &mut Captioned<'_>,
    ) -> Result<(), CorpusError> {
        let indices: Vec<usize> = (0..photos.len()).collect();
        let ask = |index: &usize| self.ask(|| photos.load(*index));
        self.server.client.ask_all(&indices, ask, captioned)
    }
}

/// A summariser behind a server.
pub struct EndpointSummarizer {
    server: Rehearsed,
}

impl EndpointSummarizer {
    /// A summariser whose server has summed up a public album. `max_tokens` is its longest answer; what the
    /// server refuses is written down in the private file `refusals`.
    ///
    /// # Errors
    /// [`CorpusError::Endpoint`] where the server does not answer: nothing private was sent then.
    pub fn rehearsed(
        client: Client,
        max_tokens: usize,
        refusals: &Path,
    ) -> Result<Self, CorpusError> {
        let public = conversation(&long_prompt());
        let server = Rehearsed::new(client, max_tokens, public, refusals)?;
        Ok(Self { server })
    }
}

impl SummaryWriter for EndpointSummarizer {
    fn write(&self, prompts: &[&str], answered: &mut Answered<'_>) -> Result<(), CorpusError> {
        let ask = |prompt: &&str| self.server.ask(&conversation(prompt));
        self.server.client.ask_all(prompts, ask, answered)
    }
}

/// Heading, examples and prompt as a conversation. The heading goes into the first question, since
/// not every chat template knows a system's part.
fn conversation(prompt: &str) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut say = |role, text: &str| {
        turns.push(Turn {
            role,
            text: text.trim_start().to_owned(),
            picture: None,
        });
    };
    for (index, (captions, summary)) in EXAMPLES.iter().enumerate() {
        let head = if index == 0 { HEADING } else { "" };
        say(Role::User, &format!("{head}{}", album_prompt(captions)));
        say(Role::Assistant, summary);
    }
    // The cut keeps the end, which asks for the answer.
    let cut = prompt.char_indices().rev().nth(MAX_PROMPT_CHARS - 1);
    say(Role::User, &prompt[cut.map_or(0, |(at, _)| at)..]);
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_alternates_and_ends_with_the_album() {
        let prompt = album_prompt(&["A photo of a lion.", "A photo of a zebra."]);
        let turns = conversation(&prompt);
        assert_eq!(turns.len(), 2 * EXAMPLES.len() + 1);
        for (index, turn) in turns.iter().enumerate() {
            let expected = [Role::User, Role::Assistant][index % 2];
            assert_eq!(turn.role, expected);
        }
        assert!(turns[0].text.starts_with(HEADING));
        assert_eq!(
            turns.last().unwrap().text,
            "Photos: a lion; a zebra\nAlbum:"
        );
    }

    #[test]
    fn no_album_asks_for_more_than_a_server_takes() {
        let endless = album_prompt(&["\u{e9}".repeat(100_000)]);
        let text = conversation(&endless).pop().unwrap().text;
        assert_eq!(text.chars().count(), MAX_PROMPT_CHARS);
        assert!(text.ends_with("\nAlbum:"));
    }
}
