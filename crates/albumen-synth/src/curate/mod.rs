//! Curation: a verdict and its reason for every sampled album, from its text alone.
//!
//! The filters run in [`Reason::ALL`]'s order and the first that fails names the verdict. Each
//! reads the synthetic albums and public rules (a word list, patterns, configured thresholds) and
//! has no way to read anything else.

mod coherence;
mod format;
mod minhash;
mod personal;
mod repetition;
mod text;
mod words;

use albumen_schema::config::CurateConfig;
use albumen_schema::{Curated, Reason, SyntheticAlbum, Verdict};
use rayon::prelude::*;

pub use coherence::SentenceEmbedding;
pub use words::WordList;

use crate::Result;
use minhash::NearDuplicates;

/// What a filter saw: why an album falls, in words.
type Finding = (Reason, String);

/// The filter chain, ready to judge any number of albums.
pub struct Curator<'a> {
    config: CurateConfig,
    words: words::Matcher,
    embedder: Option<&'a dyn SentenceEmbedding>,
}

impl<'a> Curator<'a> {
    /// Makes the filters ready.
    ///
    /// Without an `embedder` no album is called incoherent, and kept albums carry no coherence.
    ///
    /// # Errors
    /// [`crate::SynthError::WordList`] if the list is too long to be matched.
    pub fn new(
        config: &CurateConfig,
        word_list: &WordList,
        embedder: Option<&'a dyn SentenceEmbedding>,
    ) -> Result<Self> {
        Ok(Self {
            config: config.clone(),
            words: word_list.matcher(&config.allowed_words)?,
            embedder,
        })
    }

    /// One verdict for every album, in the order given.
    ///
    /// The result is a function of the albums, their order, the configuration and the word list:
    /// it does not depend on threads. Of near-duplicates the first in order stays.
    ///
    /// # Errors
    /// [`crate::SynthError::Embedding`] where the embedder fails.
    pub fn curate(&self, albums: &[SyntheticAlbum]) -> Result<Vec<Curated>> {
        let mut findings: Vec<Option<Finding>> =
            albums.par_iter().map(|album| self.read(album)).collect();
        self.drop_near_duplicates(albums, &mut findings);
        let coherence = self.drop_incoherent(albums, &mut findings)?;
        self.drop_beyond_target(&mut findings);
        Ok(albums
            .iter()
            .zip(findings.into_iter().zip(coherence))
            .map(|(album, (finding, coherence))| {
                let (reason, detail) =
                    finding.unwrap_or_else(|| (Reason::Passed, "every check passed".to_owned()));
                Curated {
                    album: album.clone(),
                    verdict: Verdict {
                        reason,
                        detail,
                        coherence,
                    },
                }
            })
            .collect())
    }

    /// The filters that need one album alone, cheapest first.
    fn read(&self, album: &SyntheticAlbum) -> Option<Finding> {
        let found = |reason| move |detail| (reason, detail);
        format::check(album)
            .map(found(Reason::BrokenFormat))
            .or_else(|| self.length(album).map(found(Reason::Length)))
            .or_else(|| {
                repetition::check(album, self.config.max_repetition).map(found(Reason::Repetition))
            })
            .or_else(|| self.words.check(album).map(found(Reason::WordList)))
            .or_else(|| personal::check(album).map(found(Reason::PersonalData)))
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

    fn drop_near_duplicates(&self, albums: &[SyntheticAlbum], findings: &mut [Option<Finding>]) {
        let shingled: Vec<Option<minhash::Shingled>> = albums
            .par_iter()
            .zip(&*findings)
            .map(|(album, finding)| {
                finding
                    .is_none()
                    .then(|| minhash::Shingled::new(album, self.config.near_duplicate))
            })
            .collect();
        let mut kept = NearDuplicates::new(self.config.near_duplicate);
        for (i, shingled) in shingled.into_iter().enumerate() {
            let Some(shingled) = shingled else { continue };
            if let Some((first, similarity)) = kept.find_or_insert(i, shingled) {
                findings[i] = Some((
                    Reason::NearDuplicate,
                    format!(
                        "Jaccard similarity {similarity:.2} of word trigrams with {}, at least {}",
                        albums[first].id, self.config.near_duplicate
                    ),
                ));
            }
        }
    }

    fn drop_incoherent(
        &self,
        albums: &[SyntheticAlbum],
        findings: &mut [Option<Finding>],
    ) -> Result<Vec<Option<f32>>> {
        let mut coherence = vec![None; albums.len()];
        let Some(embedder) = self.embedder else {
            return Ok(coherence);
        };
        let alive: Vec<usize> = (0..albums.len())
            .filter(|&i| findings[i].is_none())
            .collect();
        let chosen: Vec<&SyntheticAlbum> = alive.iter().map(|&i| &albums[i]).collect();
        for (i, cosine) in alive.into_iter().zip(coherence::of(&chosen, embedder)?) {
            coherence[i] = Some(cosine);
            if f64::from(cosine) < self.config.min_coherence {
                findings[i] = Some((
                    Reason::Incoherent,
                    format!(
                        "mean cosine similarity {cosine:.3} of captions to summary, below {}",
                        self.config.min_coherence
                    ),
                ));
            }
        }
        Ok(coherence)
    }

    fn drop_beyond_target(&self, findings: &mut [Option<Finding>]) {
        let target = self.config.target;
        if target == 0 {
            return;
        }
        for finding in findings.iter_mut().filter(|f| f.is_none()).skip(target) {
            *finding = Some((
                Reason::BeyondTarget,
                format!("{target} albums were kept before this one"),
            ));
        }
    }
}
