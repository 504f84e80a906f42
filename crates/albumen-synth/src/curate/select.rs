//! The choice among albums that are good enough: no near-duplicates, one candidate a place, quotas of
//! topics, and the target number.

use albumen_schema::{Reason, SyntheticAlbum, Verdict};
use rayon::prelude::*;

use super::minhash::{NearDuplicates, Shingled};
use super::quota::Wanted;
use super::{Curator, alive};

/// Places that are hashed together: bounds memory, changes no verdict.
const CHUNK: usize = 4096;

impl Curator<'_> {
    /// Keeps, of each place's candidates that passed, the best that is no near-duplicate of an album
    /// kept before.
    pub(super) fn choose_candidates(&self, albums: &[SyntheticAlbum], verdicts: &mut [Verdict]) {
        let threshold = self.config.near_duplicate;
        let mut kept = NearDuplicates::new(threshold);
        for places in self.places(albums, verdicts).chunks(CHUNK) {
            let shingle = |place: &Vec<usize>| -> Vec<Shingled> {
                let each = place.iter();
                each.map(|&i| Shingled::new(&albums[i], threshold))
                    .collect()
            };
            let shingled: Vec<Vec<Shingled>> = places.par_iter().map(shingle).collect();
            for (place, shingled) in places.iter().zip(shingled) {
                let mut chosen: Option<usize> = None;
                for (&i, shingled) in place.iter().zip(shingled) {
                    let verdict = &mut verdicts[i];
                    if let Some(better) = chosen {
                        verdict.reason = Reason::BetterCandidate;
                        let score =
                            |s: Option<f32>| s.map_or("none".to_owned(), |s| format!("{s:.3}"));
                        let own = score(verdict.scores.score);
                        let best = score(verdicts[better].scores.score);
                        verdicts[i].detail =
                            format!("score {own}; {} has {best}", albums[better].id);
                    } else if let Some((first, similarity)) = kept.find(&shingled) {
                        verdict.reason = Reason::NearDuplicate;
                        verdict.detail = format!(
                            "Jaccard similarity {similarity:.2} of word trigrams with {}, at least \
                             {threshold}",
                            albums[first].id
                        );
                    } else {
                        kept.keep(i, shingled);
                        chosen = Some(i);
                    }
                }
            }
        }
    }

    /// The positions of each place's candidates that passed, the best first; places in the order in
    /// which they were sampled.
    fn places(&self, albums: &[SyntheticAlbum], verdicts: &[Verdict]) -> Vec<Vec<usize>> {
        let mut places: Vec<Vec<usize>> = Vec::new();
        let mut last = None;
        for i in alive(verdicts) {
            let place = albums[i].index / u64::from(self.candidates);
            match places.last_mut() {
                Some(candidates) if last == Some(place) => candidates.push(i),
                _ => places.push(vec![i]),
            }
            last = Some(place);
        }
        let score = |i: usize| verdicts[i].scores.score.unwrap_or(0.0);
        for candidates in &mut places {
            // Stable: the first sampled stays first among equals.
            candidates.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        }
        places
    }

    /// Keeps as many of each topic as the quotas allow, and no more than the target; the first
    /// sampled stay.
    pub(super) fn choose_topics(&self, topics: &[Option<usize>], verdicts: &mut [Verdict]) {
        let alive = alive(verdicts);
        let Some(model) = self.topics else {
            self.keep_target(&alive, verdicts);
            return;
        };
        // The last place is of albums without a topic, which no embedder leaves.
        let mut have = vec![0; model.topics().len() + 1];
        let place = |i: usize| topics[i].unwrap_or(model.topics().len());
        for &i in &alive {
            have[place(i)] += 1;
        }
        let mut shares = self.target.map(|t| t.shares().to_vec());
        if let Some(shares) = &mut shares {
            shares.push(0.0);
        }
        let quotas = Wanted {
            have: &have,
            target: self.config.target,
            most_share: self.config.max_topic_share,
            shares: shares.as_deref(),
            distance: self.config.topic_distance,
        }
        .quotas();
        let mut kept = vec![0; have.len()];
        let mut stay = Vec::new();
        for i in alive {
            let topic = place(i);
            if kept[topic] < quotas.of_topic[topic] {
                kept[topic] += 1;
                stay.push(i);
                continue;
            }
            let verdict = &mut verdicts[i];
            verdict.reason = Reason::TopicQuota;
            let name = verdict.scores.topic.as_deref().unwrap_or("none");
            verdict.detail = match &shares {
                Some(shares) => format!(
                    "{} of topic `{name}` were kept, whose released share is {:.3}",
                    kept[topic], shares[topic]
                ),
                None => format!(
                    "{} of topic `{name}` were kept, and no topic may hold more than {} of the albums",
                    kept[topic], self.config.max_topic_share
                ),
            };
        }
        for &i in stay.iter().skip(quotas.total) {
            beyond(quotas.total, &mut verdicts[i]);
        }
    }

    fn keep_target(&self, alive: &[usize], verdicts: &mut [Verdict]) {
        let target = self.config.target;
        if target > 0 {
            for &i in alive.iter().skip(target) {
                beyond(target, &mut verdicts[i]);
            }
        }
    }
}

fn beyond(target: usize, verdict: &mut Verdict) {
    verdict.reason = Reason::BeyondTarget;
    verdict.detail = format!("{target} albums were kept before this one");
}
