//! A grade from 0 to 5 of how well an album hangs together, with a reason, by the public language
//! model without adapters.
//!
//! A small model's opinion of its own kind of text is weak evidence: it is written down for readers,
//! and curation lets it decide only on albums whose captions hardly agree with their summary
//! (`doubtful_coherence`).

use albumen_lm::sampler::SamplingParams;
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{AnyLm, Branch, DecodeOptions, Request};
use albumen_schema::SyntheticAlbum;
use albumen_schema::format::one_line;

use crate::error::Result;

/// The highest grade.
pub const BEST_GRADE: u8 = 5;

/// A grade and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grade {
    /// 0 to [`BEST_GRADE`].
    pub grade: u8,
    /// In the grader's words, on one line.
    pub reason: String,
}

/// Grades the coherence of albums.
pub trait Grader: Sync {
    /// A grade for each album in the order given, each from its own text alone; `None` where the
    /// grader gave no answer that reads as one.
    ///
    /// # Errors
    /// Where the model behind it fails.
    fn grade(&self, albums: &[&SyntheticAlbum]) -> Result<Vec<Option<Grade>>>;
}

/// Worked examples before each album: written for this purpose, public.
const EXAMPLES: [(&str, &str, &str); 6] = [
    (
        "A sunny day at the beach.",
        "Children build a sand castle; A sailing boat on the sea; A woman under a parasol",
        "5, because every photo shows a day at the beach",
    ),
    (
        "A trip to the mountains.",
        "A laptop on an office desk; A bowl of noodles; A printer in the corner",
        "0, because no photo shows mountains or a trip",
    ),
    (
        "A birthday party at home.",
        "Candles on a cake; A train passes a factory; Children open presents",
        "3, because two photos fit the party and the train does not",
    ),
    (
        "A dog at the lake.",
        "A lake; A lake; A lake and a lake",
        "2, because the photos repeat the lake and show no dog",
    ),
    (
        "Friends cook dinner together.",
        "A pot on the stove; Friends chop onions; A table set for six",
        "5, because all photos show cooking and dinner with friends",
    ),
    (
        "A visit to the zoo.",
        "A violin in its case; A welder at work; An elephant drinks water",
        "1, because only the elephant belongs to a zoo",
    ),
];

const HEADING: &str =
    "Grade each photo album from 0 to 5: how well do its photos fit its summary?\n";

/// Longest album in a prompt, in tokens: the end of a longer one is cut.
const MAX_ALBUM_TOKENS: usize = 300;
/// Longest answer.
const MAX_ANSWER_TOKENS: usize = 28;

/// The public model as grader: greedy, in batches.
pub struct LmGrader<'a> {
    lm: &'a AnyLm,
    tokenizer: &'a Tokenizer,
    batch: usize,
}

impl<'a> LmGrader<'a> {
    /// A grader over a frozen model; `batch` albums are in work at once, which changes no grade.
    pub fn new(lm: &'a AnyLm, tokenizer: &'a Tokenizer, batch: usize) -> Self {
        Self {
            lm,
            tokenizer,
            batch,
        }
    }

    fn request(&self, album: &SyntheticAlbum) -> Result<Request> {
        let captions: Vec<String> = (album.captions.iter())
            .map(|c| one_line(c).trim_end_matches('.').to_owned())
            .collect();
        let text = album_text(&one_line(&album.summary), &captions.join("; "));
        let mut trunk = self.tokenizer.encode(&text, false)?;
        trunk.truncate(MAX_ALBUM_TOKENS);
        trunk.extend(self.tokenizer.encode("\nGrade:", false)?);
        let prompt = Vec::new();
        let branches = vec![Branch { prompt, stream: 0 }];
        Ok(Request { trunk, branches })
    }
}

impl Grader for LmGrader<'_> {
    fn grade(&self, albums: &[&SyntheticAlbum]) -> Result<Vec<Option<Grade>>> {
        let mut grades = vec![None; albums.len()];
        if albums.is_empty() {
            return Ok(grades);
        }
        let mut text = HEADING.to_owned();
        for (summary, captions, grade) in EXAMPLES {
            text.push_str(&album_text(summary, captions));
            text.push_str("\nGrade: ");
            text.push_str(grade);
            text.push('\n');
        }
        let prefix = self.tokenizer.encode(&text, false)?;
        let prefix = self.lm.prefix(None, &prefix)?;
        let requests = albums
            .iter()
            .map(|album| self.request(album))
            .collect::<Result<Vec<_>>>()?;
        let mut stop_tokens = self.tokenizer.newline_ids().to_vec();
        stop_tokens.push(self.tokenizer.eos_id());
        let options = DecodeOptions {
            batch: self.batch,
            max_new_tokens: MAX_ANSWER_TOKENS,
            stop_tokens,
            sampling: SamplingParams::greedy(),
            seed: 0,
        };
        let mut answers = vec![Vec::new(); albums.len()];
        self.lm
            .generate(None, Some(&prefix), &requests, &options, &mut |i, _, g| {
                answers[i] = g.tokens;
            })?;
        for (grade, tokens) in grades.iter_mut().zip(answers) {
            *grade = parse(&self.tokenizer.decode(&tokens)?);
        }
        Ok(grades)
    }
}

fn album_text(summary: &str, captions: &str) -> String {
    format!("\nAlbum: {summary}\nPhotos: {captions}")
}

/// Reads ` 4, because ...`.
fn parse(answer: &str) -> Option<Grade> {
    let answer = one_line(answer);
    let answer = answer.trim();
    let digits = answer.chars().take_while(char::is_ascii_digit).count();
    let grade: u8 = answer[..digits].parse().ok()?;
    if grade > BEST_GRADE {
        return None;
    }
    let reason = answer[digits..].trim_start_matches(|c: char| !c.is_alphanumeric());
    let reason = reason.strip_prefix("because ").unwrap_or(reason).trim();
    (!reason.is_empty()).then(|| Grade {
        grade,
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_read_as_a_grade_and_a_reason_or_not_at_all() {
        let grade = parse(" 4, because most photos\nfit.").unwrap();
        assert_eq!(
            (grade.grade, grade.reason.as_str()),
            (4, "most photos fit.")
        );
        for no_answer in [
            "",
            "because",
            "7, because it is grand",
            "3",
            " 3.",
            "-1, no",
        ] {
            assert_eq!(parse(no_answer), None, "{no_answer}");
        }
    }
}
