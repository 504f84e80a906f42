//! A topic model: centres in the space of sentence embeddings, with words and a name each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Result, TopicsError};
use crate::kmeans::{KMeans, nearest};
use crate::words::{class_tf_idf, distinct_words};

/// Words that name a topic.
const WORDS_IN_NAME: usize = 3;
/// Words that are kept of a topic.
const WORDS: usize = 10;

/// One topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Its three heaviest words; unlike any other topic's.
    pub name: String,
    /// Its heaviest words by class TF-IDF, heaviest first.
    pub words: Vec<String>,
    /// How many of the texts that it was fitted on lie in it.
    pub texts: usize,
    /// The mean of those texts' embeddings.
    pub centre: Vec<f32>,
}

/// Topics, the largest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicModel {
    topics: Vec<Topic>,
}

impl TopicModel {
    /// Clusters the texts by their embeddings, `rows` (n of d numbers each, in the order of the
    /// texts), and names each cluster.
    ///
    /// # Errors
    /// As [`KMeans::fit`], and where texts and rows do not pair up.
    pub fn fit<T: AsRef<str>>(texts: &[T], rows: &[Vec<f32>], settings: &KMeans) -> Result<Self> {
        if texts.len() != rows.len() {
            return Err(TopicsError::Unpaired {
                texts: texts.len(),
                rows: rows.len(),
            });
        }
        let clustering = settings.fit(rows)?;
        let weighed = class_tf_idf(texts, &clustering.labels, settings.clusters);
        let mut topics: Vec<Topic> = clustering
            .centres
            .into_iter()
            .zip(&weighed)
            .enumerate()
            .map(|(i, (centre, weighed))| {
                let words = distinct_words(weighed, WORDS);
                Topic {
                    name: words[..words.len().min(WORDS_IN_NAME)].join(", "),
                    words,
                    texts: clustering.labels.iter().filter(|&&l| l == i).count(),
                    centre,
                }
            })
            .collect();
        topics.sort_by(|a, b| b.texts.cmp(&a.texts).then_with(|| a.name.cmp(&b.name)));
        tell_apart(&mut topics);
        Ok(Self { topics })
    }

    /// The topics, in the order of [`TopicModel::assign`]'s positions.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// The names, in order.
    pub fn names(&self) -> Vec<String> {
        self.topics.iter().map(|t| t.name.clone()).collect()
    }

    /// The topic whose centre is nearest to an embedding of d numbers; of equally near ones the
    /// first. `None` for an embedding of another length or with numbers that are not finite.
    ///
    /// It depends on this embedding alone.
    pub fn assign(&self, row: &[f32]) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (i, topic) in self.topics.iter().enumerate() {
            if topic.centre.len() != row.len() {
                return None;
            }
            let (_, distance) = nearest(row, std::slice::from_ref(&topic.centre));
            if distance.is_finite() && best.is_none_or(|(_, least)| distance < least) {
                best = Some((i, distance));
            }
        }
        best.map(|(i, _)| i)
    }

    /// The model as JSON; the same model gives the same bytes.
    ///
    /// # Errors
    /// [`TopicsError::NoModel`] where a number has no JSON form, which no fitted model holds.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| TopicsError::NoModel(e.to_string()))
    }

    /// Reads what [`TopicModel::to_json`] wrote.
    ///
    /// # Errors
    /// [`TopicsError::NoModel`] for anything else.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let model: Self =
            serde_json::from_slice(bytes).map_err(|e| TopicsError::NoModel(e.to_string()))?;
        let d = model.topics.first().map_or(0, |t| t.centre.len());
        if d == 0 || model.topics.iter().any(|t| t.centre.len() != d) {
            let reason = "its centres are none, or of unequal length".to_owned();
            return Err(TopicsError::NoModel(reason));
        }
        Ok(model)
    }
}

/// Numbers the names that several topics share, and names those without words.
fn tell_apart(topics: &mut [Topic]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for topic in topics {
        if topic.name.is_empty() {
            "no words".clone_into(&mut topic.name);
        }
        let times = seen.entry(topic.name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            topic.name = format!("{} ({times})", topic.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: KMeans = KMeans {
        clusters: 2,
        restarts: 3,
        iterations: 50,
        seed: 1,
    };

    fn fitted() -> TopicModel {
        let texts = [
            "A beach with sand.",
            "Sand and sea at the beach.",
            "The beach in summer.",
            "Snow on a mountain.",
            "A snowy mountain with snow.",
        ];
        let rows = [[1.0, 0.1], [0.9, 0.0], [1.0, 0.0], [0.0, 1.0], [0.1, 0.9]];
        TopicModel::fit(&texts, &rows.map(Vec::from), &SETTINGS).unwrap()
    }

    #[test]
    fn clusters_get_the_words_of_their_texts_largest_first() {
        let model = fitted();
        let [beach, snow] = model.topics() else {
            panic!("two topics");
        };
        assert_eq!((beach.texts, snow.texts), (3, 2));
        assert!(beach.name.starts_with("beach, sand"), "{}", beach.name);
        assert!(snow.name.contains("snow") && snow.name.contains("mountain"));
        assert_eq!(model.names().len(), 2);
    }

    #[test]
    fn an_embedding_goes_to_the_nearest_centre() {
        let model = fitted();
        assert_eq!(model.assign(&[2.0, 0.2]), Some(0));
        assert_eq!(model.assign(&[0.2, 2.0]), Some(1));
        assert_eq!(model.assign(&[f32::NAN, 0.0]), None);
        assert_eq!(model.assign(&[1.0]), None);
    }

    #[test]
    fn models_survive_the_round_trip_and_damage_is_named() {
        let model = fitted();
        let json = model.to_json().unwrap();
        assert_eq!(TopicModel::from_json(&json).unwrap(), model);
        assert_eq!(fitted().to_json().unwrap(), json);
        let cut = TopicModel::from_json(&json[..json.len() - 2]).unwrap_err();
        assert!(cut.to_string().contains("--force topics"), "{cut}");
        assert!(TopicModel::from_json(br#"{"topics": []}"#).is_err());
        let unpaired = TopicModel::fit(&["one"], &[], &SETTINGS).unwrap_err();
        assert!(matches!(unpaired, TopicsError::Unpaired { .. }));
    }

    #[test]
    fn equal_names_are_numbered() {
        let topic = |name: &str| Topic {
            name: name.to_owned(),
            words: Vec::new(),
            texts: 1,
            centre: vec![0.0],
        };
        let mut topics = ["dog", "", "dog", ""].map(topic);
        tell_apart(&mut topics);
        let names = topics.map(|t| t.name);
        assert_eq!(names, ["dog", "no words", "dog (2)", "no words (2)"]);
    }
}
