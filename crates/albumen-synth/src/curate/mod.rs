//! Curation: a verdict and its reason for every sampled album, from its text alone.
//!
//! The filters run in [`Reason::ALL`]'s order and the first that fails names the verdict; the others
//! of the text alone are noted beside it. Each reads the synthetic albums, public models and public
//! rules (word lists, patterns, configured thresholds) and, where topics are steered, a histogram
//! that was released with noise; it has no way to read anything else.

mod format;
mod grade;
mod language;
mod measures;
mod minhash;
mod personal;
mod quota;
mod repetition;
mod select;
mod summary;
mod target;
mod text;
mod words;

use albumen_schema::config::CurateConfig;
use albumen_schema::{Curated, Reason, SyntheticAlbum, Verdict};
use albumen_topics::TopicModel;
use rayon::prelude::*;

pub use grade::{BEST_GRADE, Grade, Grader, LmGrader};
pub use measures::SentenceEmbedding;
pub use summary::{CurationSummary, FunnelStep, TopicRow, jensen_shannon};
pub use target::TopicTarget;
pub use words::WordList;

use crate::Result;
use language::Languages;

/// The filter chain, ready to judge any number of albums.
pub struct Curator<'a> {
    config: CurateConfig,
    words: words::Matcher,
    languages: Languages,
    embedder: Option<&'a dyn SentenceEmbedding>,
    grader: Option<&'a dyn Grader>,
    topics: Option<&'a TopicModel>,
    target: Option<&'a TopicTarget>,
    candidates: u32,
}

impl<'a> Curator<'a> {
    /// Makes the filters ready.
    ///
    /// Without an `embedder` no album is called incoherent or has a topic, and kept albums carry no
    /// scores.
    ///
    /// # Errors
    /// [`crate::SynthError::WordList`] if the list is too long to be matched,
    /// [`crate::SynthError::Language`] for a code that is none.
    pub fn new(
        config: &CurateConfig,
        word_list: &WordList,
        embedder: Option<&'a dyn SentenceEmbedding>,
    ) -> Result<Self> {
        let words = word_list.matcher(&config.allowed_words, &config.refused_words)?;
        Ok(Self {
            words,
            languages: Languages::new(&config.languages)?,
            config: config.clone(),
            embedder,
            grader: None,
            topics: None,
            target: None,
            candidates: 1,
        })
    }

    /// Albums come as `candidates` for each place, by their index: the best that passes stays.
    #[must_use]
    pub fn with_candidates(mut self, candidates: u32) -> Self {
        self.candidates = candidates.max(1);
        self
    }

    /// Every album that passed the filters of text and embedding is graded.
    #[must_use]
    pub fn with_grader(mut self, grader: &'a dyn Grader) -> Self {
        self.grader = Some(grader);
        self
    }

    /// Every album gets a public topic, of which at most a share is kept; and their numbers follow
    /// `target`, where there is one.
    #[must_use]
    pub fn with_topics(mut self, topics: &'a TopicModel, target: Option<&'a TopicTarget>) -> Self {
        self.topics = Some(topics);
        self.target = target;
        self
    }

    /// One verdict for every album, in the order given.
    ///
    /// The result is a function of the albums, their order, the configuration, the word list and the
    /// public models: it does not depend on threads. Of near-duplicates the first in order stays.
    ///
    /// # Errors
    /// [`crate::SynthError::Embedding`] where the embedder fails, and whatever the grader says.
    pub fn curate(&self, albums: &[SyntheticAlbum]) -> Result<Vec<Curated>> {
        let mut verdicts: Vec<Verdict> = albums.par_iter().map(|album| self.read(album)).collect();
        let topics = self.measure(albums, &mut verdicts)?;
        self.grade(albums, &mut verdicts)?;
        self.choose_candidates(albums, &mut verdicts);
        self.choose_topics(&topics, &mut verdicts);
        Ok(albums
            .iter()
            .zip(verdicts)
            .map(|(album, verdict)| Curated {
                album: album.clone(),
                verdict,
            })
            .collect())
    }

    /// The filters that need one album's text alone.
    fn read(&self, album: &SyntheticAlbum) -> Verdict {
        let found = [
            (Reason::BrokenFormat, format::check(album)),
            (Reason::Length, self.length(album)),
            (
                Reason::Repetition,
                repetition::check(album, self.config.max_repetition),
            ),
            (Reason::Language, self.languages.check(album)),
            (Reason::WordList, self.words.check(album)),
            (Reason::PersonalData, personal::check(album)),
        ];
        let mut found = found
            .into_iter()
            .filter_map(|(reason, detail)| Some((reason, detail?)));
        let Some((reason, detail)) = found.next() else {
            return Verdict::new(Reason::Passed, "every check passed");
        };
        Verdict {
            also: found.map(|(reason, _)| reason).collect(),
            ..Verdict::new(reason, detail)
        }
    }

    fn length(&self, album: &SyntheticAlbum) -> Option<String> {
        let config = &self.config;
        if album.captions.len() < config.min_photos {
            return Some(format!(
                "{} photos, fewer than {}",
                album.captions.len(),
                config.min_photos
            ));
        }
        text::parts(album).find_map(|(part, text)| {
            let words = text::words(text).count();
            let most = match part {
                text::Part::Summary => config.max_summary_words,
                text::Part::Caption(_) => config.max_caption_words,
            };
            let bound = if words < config.min_words {
                format!("fewer than {}", config.min_words)
            } else if words > most {
                format!("more than {most}")
            } else {
                return None;
            };
            Some(format!("{part} has {words} words, {bound}"))
        })
    }

    /// Measures what passed so far, and drops what is incoherent; gives each album's topic.
    fn measure(
        &self,
        albums: &[SyntheticAlbum],
        verdicts: &mut [Verdict],
    ) -> Result<Vec<Option<usize>>> {
        let mut topics = vec![None; albums.len()];
        let Some(embedder) = self.embedder else {
            return Ok(topics);
        };
        let alive = alive(verdicts);
        let chosen: Vec<&SyntheticAlbum> = alive.iter().map(|&i| &albums[i]).collect();
        let measured = measures::of(&chosen, embedder, self.topics)?;
        for (i, measures) in alive.into_iter().zip(measured) {
            let verdict = &mut verdicts[i];
            let cosine = measures.coherence;
            verdict.coherence = Some(cosine);
            verdict.scores.sameness = measures.sameness;
            verdict.scores.score = Some(measures.score());
            topics[i] = measures.topic;
            let named = self.topics.zip(measures.topic);
            verdict.scores.topic = named.map(|(model, t)| model.topics()[t].name.clone());
            if f64::from(cosine) < self.config.min_coherence {
                verdict.reason = Reason::Incoherent;
                verdict.detail = format!(
                    "mean cosine similarity {cosine:.3} of captions to summary, below {}",
                    self.config.min_coherence
                );
            }
        }
        Ok(topics)
    }

    /// Grades what passed so far; a low grade drops only albums whose coherence is doubtful as well.
    fn grade(&self, albums: &[SyntheticAlbum], verdicts: &mut [Verdict]) -> Result<()> {
        let Some(grader) = self.grader else {
            return Ok(());
        };
        let alive = alive(verdicts);
        let chosen: Vec<&SyntheticAlbum> = alive.iter().map(|&i| &albums[i]).collect();
        for (i, grade) in alive.into_iter().zip(grader.grade(&chosen)?) {
            let Some(Grade { grade, reason }) = grade else {
                continue;
            };
            let verdict = &mut verdicts[i];
            let doubtful = verdict
                .coherence
                .is_none_or(|c| f64::from(c) < self.config.doubtful_coherence);
            if grade < self.config.min_grade && doubtful {
                verdict.reason = Reason::LowGrade;
                let cosine = verdict
                    .coherence
                    .map_or_else(|| "unknown".to_owned(), |c| format!("{c:.3}"));
                verdict.detail = format!(
                    "grade {grade}, below {}, at a cosine similarity of {cosine}, below {}: {reason}",
                    self.config.min_grade, self.config.doubtful_coherence
                );
            }
            let scores = &mut verdict.scores;
            let penalty = f32::from(BEST_GRADE - grade) * GRADE_WEIGHT;
            scores.score = scores.score.map(|score| score - penalty);
            scores.grade = Some(grade);
            scores.grade_reason = Some(reason);
        }
        Ok(())
    }
}

/// What one step of the grade counts in the score of candidates, which is a cosine's.
const GRADE_WEIGHT: f32 = 0.02;

/// Positions of the albums that no filter has dropped.
fn alive(verdicts: &[Verdict]) -> Vec<usize> {
    let alive = verdicts.iter().enumerate().filter(|(_, v)| v.kept());
    alive.map(|(i, _)| i).collect()
}
