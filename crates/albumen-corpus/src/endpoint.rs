//! Captions and summaries by a server: where private photos and captions leave this process.
//!
//! A request holds one photo, or one album's prompt, and public words. So an answer depends on that
//! photo or album alone, as far as the server keeps nothing from one request for another
//! (docs/pitfalls.md).

use albumen_endpoint::{Client, EndpointError, Role, Turn, data_url};
use albumen_schema::format::one_line;
use image::RgbImage;

use crate::CorpusError;
use crate::caption::{Captioned, PhotoCaptioner, Photos};
use crate::summarize::prompt::{EXAMPLES, HEADING, album_prompt};
use crate::summarize::{Answered, SummaryWriter};

/// What is asked of a photo where the configuration does not say.
const QUESTION: &str = "Describe this photo in one short sentence.";
/// Longest caption, in words: a server may not keep to the tokens it was allowed.
const MAX_CAPTION_WORDS: usize = 60;
/// Longest prompt about an album, in characters: twenty words each of twelve captions fit.
const MAX_PROMPT_CHARS: usize = 4000;

/// A captioner behind a server.
pub struct EndpointCaptioner {
    /// The server.
    pub client: Client,
    /// What is asked of each photo; a default question where there is none.
    pub prompt: Option<String>,
    /// Longest caption, in tokens.
    pub max_tokens: usize,
}

impl EndpointCaptioner {
    /// The caption of the photo that `load` gives; the pixels are gone before the server is asked.
    fn ask(
        &self,
        load: impl FnOnce() -> Result<RgbImage, CorpusError>,
    ) -> Result<String, CorpusError> {
        let picture = data_url(&load()?, self.client.photo_side())?;
        let turn = Turn {
            role: Role::User,
            text: self.prompt.as_deref().unwrap_or(QUESTION).to_owned(),
            picture: Some(picture),
        };
        let answer = self.client.complete(&[turn], self.max_tokens)?;
        let line = one_line(&answer);
        let words: Vec<&str> = line.split(' ').take(MAX_CAPTION_WORDS).collect();
        Ok(words.join(" "))
    }
}

impl PhotoCaptioner for EndpointCaptioner {
    fn caption(&self, images: &[RgbImage]) -> Result<Vec<String>, CorpusError> {
        let mut captions = vec![String::new(); images.len()];
        let ask = |image: &RgbImage| self.ask(|| Ok(image.clone()));
        self.client.ask_all(images, ask, |index, caption| {
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
        self.client.ask_all(&indices, ask, captioned)
    }
}

/// A summariser behind a server.
pub struct EndpointSummarizer {
    /// The server.
    pub client: Client,
    /// Longest answer, in tokens.
    pub max_tokens: usize,
}

impl SummaryWriter for EndpointSummarizer {
    fn write(&self, prompts: &[&str], answered: &mut Answered<'_>) -> Result<(), CorpusError> {
        let ask = |prompt: &&str| -> Result<String, EndpointError> {
            self.client.complete(&conversation(prompt), self.max_tokens)
        };
        let ask = |prompt: &&str| ask(prompt).map_err(CorpusError::from);
        self.client.ask_all(prompts, ask, answered)
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
