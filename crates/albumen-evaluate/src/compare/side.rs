//! The measures on texts of one kind.

use std::collections::BTreeSet;

use albumen_topics::class_tf_idf;
use nalgebra::DMatrix;

use super::classifier::Classifier;
use super::copying::Corpus;
use super::divergence::Profile;
use super::evaluation::{EvaluationSettings, KindEvaluation, Measured, Topic, bootstrap};
use super::frechet::frechet;
use super::intervals::{weighted_mean, weighted_median};
use super::kmeans::{Clusters, KMeans};
use super::listing;
use super::matrix::{beside, single};
use super::mauve::quantize;
use super::measure::Measure;
use super::neighbours::{NEIGHBOURS, closest, manifolds};
use super::sets::{Drawn, Kind, Role, Texts};
use crate::error::{EvaluateError, Result};
use albumen_report::synthetic::texts::words;

/// Texts of the smaller set for each topic, at least.
const TEXTS_PER_TOPIC: usize = 10;
/// Tries and iterations of the topics' k-means.
const TOPIC_RESTARTS: usize = 5;
const TOPIC_ITERATIONS: usize = 100;
/// Words of a topic's name.
const NAME_WORDS: usize = 4;
/// Bins of the distances' histogram.
const DISTANCE_BINS: usize = 28;
/// Where the histogram ends; two unrelated unit vectors are 2^(1/2) apart.
const DISTANCE_END: f64 = 1.4;
/// Share of the held-out texts that count as close to a record.
const CLOSE: f64 = 0.05;

/// Both sides of the comparison on one kind of text, with what all sets share.
pub(super) struct Side<'a> {
    kind: Kind,
    real: &'a Drawn,
    drawn: &'a [(Role, Drawn)],
    settings: &'a EvaluationSettings,
    /// Texts of a set that are compared with as many real ones, at most.
    texts: usize,
    /// Topics of reference and sampled texts together.
    topics: Clusters,
    /// Topics of the summaries and of the captions of the reference half: the labels of the transfer.
    labels: [Clusters; 2],
    corpus: Corpus,
    /// Distance of each set's texts to the closest of the reference half.
    closest: Vec<Vec<(usize, f64)>>,
    /// Distance below which a text is as close as the closest held-out ones.
    close: f64,
}

impl<'a> Side<'a> {
    pub(super) fn new(
        kind: Kind,
        real: &'a Drawn,
        drawn: &'a [(Role, Drawn)],
        settings: &'a EvaluationSettings,
    ) -> Result<Self> {
        let reference = real.texts(kind);
        // The sets after curation may be far smaller; they alone are measured at their own size.
        let whole = drawn.iter().filter(|(role, _)| match role {
            Role::HeldOut | Role::Sampled => true,
            Role::Kept | Role::Floor | Role::FloorKept => false,
        });
        let texts = whole.map(|(_, set)| set.texts(kind).len());
        let texts = texts.chain([reference.len()]).min().unwrap_or(0);
        if texts < 2 {
            return Err(EvaluateError::TooFew { kind: kind.title() });
        }
        let fit = |points: &DMatrix<f64>, texts: usize| {
            KMeans {
                clusters: (texts / TEXTS_PER_TOPIC).clamp(2, settings.topics.max(2)),
                restarts: TOPIC_RESTARTS,
                iterations: TOPIC_ITERATIONS,
                seed: settings.seed,
            }
            .fit(&single(points))
        };
        let sampled = drawn.iter().find(|(role, _)| *role == Role::Sampled);
        let joint = reference.features(texts);
        let joint = sampled.map_or_else(
            || joint.clone(),
            |(_, set)| beside(&joint, &set.texts(kind).features(texts)),
        );
        let closest: Vec<Vec<(usize, f64)>> = drawn
            .iter()
            .map(|(_, set)| closest(&reference.features, &set.texts(kind).features))
            .collect();
        let held_out = drawn.iter().zip(&closest);
        let held_out = held_out.filter(|((role, _), _)| *role == Role::HeldOut);
        let mut distances: Vec<f64> = held_out
            .flat_map(|(_, pairs)| pairs.iter().map(|(_, distance)| *distance))
            .collect();
        distances.sort_by(f64::total_cmp);
        let fifth = (distances.len() as f64 * CLOSE) as usize;
        Ok(Self {
            kind,
            real,
            drawn,
            settings,
            texts,
            topics: fit(&joint, texts),
            labels: [&real.summaries, &real.captions].map(|t| fit(&t.features, t.len())),
            corpus: Corpus::new(reference.all.iter().map(String::as_str)),
            close: distances.get(fifth).copied().unwrap_or(0.0),
            closest,
        })
    }

    /// Measures every set; `step` is called after each.
    pub(super) fn evaluate(&self, step: &mut dyn FnMut()) -> KindEvaluation {
        let mut measured = Vec::new();
        for (i, (role, set)) in self.drawn.iter().enumerate() {
            let n = self.texts.min(set.texts(self.kind).len());
            if n >= 2 {
                measured.extend(self.measure(*role, set, n, &self.closest[i]));
            }
            step();
        }
        let main = self.main().map(|set| set.texts(self.kind));
        let halves = [Some(self.real), self.held_out()].into_iter().flatten();
        let records: Vec<&Texts> = halves.map(|half| half.texts(self.kind)).collect();
        KindEvaluation {
            kind: self.kind,
            measured,
            topics: self.topic_table(),
            majority: self.majority(),
            distances: self.histograms(),
            distance_end: DISTANCE_END,
            closest: main.map_or_else(Vec::new, |set| listing::closest_pairs(&records, set)),
            copied: main.map_or_else(Vec::new, |set| listing::copied_runs(&records, set)),
        }
    }

    /// The set whose texts are listed: what is published, or else what was sampled.
    fn main(&self) -> Option<&Drawn> {
        let find = |wanted| self.drawn.iter().find(|(role, _)| *role == wanted);
        find(Role::Kept)
            .filter(|(_, set)| set.texts(self.kind).len() > 0)
            .or_else(|| find(Role::Sampled))
            .map(|(_, set)| set)
    }

    fn held_out(&self) -> Option<&Drawn> {
        let mut sets = self.drawn.iter();
        sets.find(|(role, _)| *role == Role::HeldOut)
            .map(|(_, set)| set)
    }

    /// Every measure of the first `n` texts of a set against the first `n` of the reference.
    fn measure(
        &self,
        role: Role,
        set: &Drawn,
        n: usize,
        closest: &[(usize, f64)],
    ) -> Vec<Measured> {
        let (real, texts) = (self.real.texts(self.kind), set.texts(self.kind));
        let (p, q) = (real.features(n), texts.features(n));
        let (p_groups, q_groups) = (real.groups(n), texts.groups(n));
        let both = bootstrap(&p_groups, &q_groups, self.settings);
        let all_groups = texts.groups(texts.len());
        let all = bootstrap(&all_groups, &all_groups, self.settings);
        let mut found = Vec::new();
        let mut add = |measure: Measure, texts: usize, estimate: Option<_>| {
            found.extend(estimate.map(|estimate| Measured {
                measure,
                role,
                texts,
                estimate,
            }));
        };

        let clusters = quantize(&p, &q, self.settings.seed);
        let m = Measure::Mauve;
        add(m, n, both.estimate(m.range(), |p, q| clusters.mauve(p, q)));

        let distance = frechet(&p, &q);
        let m = Measure::Frechet;
        add(
            m,
            n,
            both.estimate(m.range(), |p, q| distance.reweighted(p, q)),
        );

        let balls = manifolds(&p, &q, NEIGHBOURS);
        for (m, values) in [
            (Measure::Precision, &balls.precise),
            (Measure::Density, &balls.dense),
        ] {
            add(
                m,
                n,
                both.estimate(m.range(), |_, q| weighted_mean(values, q)),
            );
        }
        for (m, values) in [
            (Measure::Recall, &balls.recalled),
            (Measure::Coverage, &balls.covered),
        ] {
            add(
                m,
                n,
                both.estimate(m.range(), |p, _| weighted_mean(values, p)),
            );
        }

        for (m, profile) in self.profiles(real, texts, n) {
            add(
                m,
                n,
                both.estimate(m.range(), |p, q| profile.divergence(p, q)),
            );
        }

        let m = Measure::TransferAccuracy;
        if let Some(right) = self.transfer(set)
            && let Some(held_out) = self.held_out()
        {
            let groups = held_out.captions.groups(right.len());
            let tests = bootstrap(&groups, &groups, self.settings);
            add(
                m,
                set.captions.len().min(self.real.captions.len()),
                tests.estimate(m.range(), |p, _| weighted_mean(&right, p)),
            );
        }

        let distances: Vec<f64> = closest.iter().map(|(_, distance)| *distance).collect();
        let m = Measure::ClosestDistance;
        let median = |_: &[f64], q: &[f64]| weighted_median(&distances, q);
        add(m, texts.len(), all.estimate(m.range(), median));
        let close: Vec<f64> = distances
            .iter()
            .map(|&distance| f64::from(distance <= self.close))
            .collect();
        let m = Measure::CloserShare;
        let share = |_: &[f64], q: &[f64]| weighted_mean(&close, q);
        add(m, texts.len(), all.estimate(m.range(), share));

        let runs: Vec<f64> = texts
            .all
            .iter()
            .map(|text| self.corpus.longest_run(text).length as f64)
            .collect();
        let m = Measure::CopiedWords;
        let mean = |_: &[f64], q: &[f64]| weighted_mean(&runs, q);
        add(m, texts.len(), all.estimate(m.range(), mean));
        found
    }

    /// What the first `n` texts of both sides hold.
    fn profiles(&self, real: &Texts, texts: &Texts, n: usize) -> [(Measure, Profile); 4] {
        let topics = |t: &Texts| {
            let labels = self.topics.assign(&single(&t.features(n)));
            labels.into_iter().map(|label| [label]).collect::<Vec<_>>()
        };
        let split =
            |t: &Texts| -> Vec<Vec<String>> { t.all[..n].iter().map(|text| words(text)).collect() };
        let (p, q) = (split(real), split(texts));
        let pairs = |texts: &[Vec<String>]| -> Vec<Vec<Vec<String>>> {
            let text = |words: &Vec<String>| words.windows(2).map(<[String]>::to_vec).collect();
            texts.iter().map(text).collect()
        };
        let lengths = |texts: &[Vec<String>]| -> Vec<[usize; 1]> {
            texts.iter().map(|words| [words.len()]).collect()
        };
        [
            (
                Measure::TopicDivergence,
                Profile::new(topics(real), topics(texts)),
            ),
            (
                Measure::BigramDivergence,
                Profile::new(pairs(&p), pairs(&q)),
            ),
            (
                Measure::LengthDivergence,
                Profile::new(lengths(&p), lengths(&q)),
            ),
            (Measure::WordDivergence, Profile::new(p, q)),
        ]
    }

    /// Input and label of each caption for the transfer.
    ///
    /// On captions: from a caption, the topic of its album's summary. On summaries: from a summary,
    /// the topic of one of its captions. Topics are k-means clusters of the reference half.
    fn task(&self, set: &Drawn, n: usize) -> (DMatrix<f64>, Vec<usize>) {
        let places = &set.captions.summary[..n];
        let summaries = set.summaries.features.select_columns(places);
        let captions = set.captions.features(n);
        let (input, labelled, topics) = match self.kind {
            Kind::Summaries => (summaries, captions, &self.labels[1]),
            Kind::Captions => (captions, summaries, &self.labels[0]),
        };
        (input, topics.assign(&single(&labelled)))
    }

    /// 1 for each held-out text that a classifier trained on `set` gets right. The ceiling trains on
    /// the reference half, since it is the held-out half that tests.
    fn transfer(&self, set: &Drawn) -> Option<Vec<f64>> {
        let held_out = self.held_out()?;
        let train = if std::ptr::eq(set, held_out) {
            self.real
        } else {
            set
        };
        let n = train.captions.len().min(self.real.captions.len());
        let (input, labels) = self.task(train, n);
        let classifier = Classifier::fit(&input, &labels)?;
        let (input, labels) = self.task(held_out, held_out.captions.len());
        let guesses = classifier.predict(&input);
        let pairs = guesses.iter().zip(&labels);
        Some(
            pairs
                .map(|(guess, label)| f64::from(guess == label))
                .collect(),
        )
    }

    fn majority(&self) -> f64 {
        let Some(held_out) = self.held_out() else {
            return 0.0;
        };
        let (_, labels) = self.task(held_out, held_out.captions.len());
        let count = |label| labels.iter().filter(|l| **l == label).count();
        let different: BTreeSet<usize> = labels.iter().copied().collect();
        let most = different.into_iter().map(count).max().unwrap_or(0);
        most as f64 / labels.len().max(1) as f64
    }

    fn topic_table(&self) -> Vec<Topic> {
        let count = self.topics.centroids.ncols();
        let labels = |t: &Texts| self.topics.assign(&single(&t.features));
        let real = self.real.texts(self.kind);
        let real_labels = labels(real);
        let sets: Vec<(Role, &Texts, Vec<usize>)> = self
            .drawn
            .iter()
            .map(|(role, set)| (*role, set.texts(self.kind)))
            .map(|(role, texts)| (role, texts, labels(texts)))
            .collect();
        let joint = sets.iter().filter(|(role, ..)| *role == Role::Sampled);
        let joint = joint.flat_map(|(_, texts, labels)| texts.all.iter().zip(labels));
        let joint = real.all.iter().zip(&real_labels).chain(joint);
        let (texts, joint): (Vec<&String>, Vec<usize>) = joint.map(|(t, l)| (t, *l)).unzip();
        let names = class_tf_idf(&texts, &joint, count);
        let share = |labels: &[usize], topic: usize| {
            let found = labels.iter().filter(|label| **label == topic).count();
            found as f64 / labels.len().max(1) as f64
        };
        let mut topics: Vec<Topic> = names
            .into_iter()
            .enumerate()
            .map(|(topic, words)| Topic {
                words: words.into_iter().take(NAME_WORDS).map(|w| w.0).collect(),
                real: share(&real_labels, topic),
                shares: sets
                    .iter()
                    .map(|(role, _, labels)| (*role, share(labels, topic)))
                    .collect(),
            })
            .collect();
        topics.sort_by(|a, b| b.real.total_cmp(&a.real));
        topics
    }

    fn histograms(&self) -> Vec<(Role, Vec<usize>)> {
        let sets = self.drawn.iter().zip(&self.closest);
        sets.map(|((role, _), pairs)| {
            let mut bins = vec![0; DISTANCE_BINS];
            for (_, distance) in pairs {
                let bin = distance / DISTANCE_END * DISTANCE_BINS as f64;
                bins[(bin as usize).min(DISTANCE_BINS - 1)] += 1;
            }
            (*role, bins)
        })
        .collect()
    }
}
