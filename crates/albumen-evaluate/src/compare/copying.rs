//! The longest run of words that a text has in common with a corpus.

use std::collections::HashMap;

use albumen_report::synthetic::texts::words;

/// A corpus, ready to be searched for runs of words.
///
/// A suffix array over numbered words; a number of its own ends each record, so that runs do not cross
/// records.
#[derive(Clone, Debug)]
pub struct Corpus {
    numbers: HashMap<String, u32>,
    words: Vec<u32>,
    /// Record of each place in `words`.
    record: Vec<usize>,
    /// Places in `words`, by what stands there.
    suffixes: Vec<u32>,
}

/// A run of words that a text shares with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First word in the text.
    pub start: usize,
    /// Number of words.
    pub length: usize,
    /// A record that holds the run.
    pub record: usize,
}

impl Corpus {
    /// Reads the records.
    pub fn new<'a>(records: impl IntoIterator<Item = &'a str>) -> Self {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut all = Vec::new();
        let mut record = Vec::new();
        let mut ends = u32::MAX;
        for (i, text) in records.into_iter().enumerate() {
            for word in words(text) {
                let next = numbers.len() as u32;
                all.push(*numbers.entry(word).or_insert(next));
            }
            // Numbers from above: no text that is searched for has them.
            all.push(ends);
            ends -= 1;
            record.resize(all.len(), i);
        }
        let mut suffixes: Vec<u32> = (0..all.len() as u32).collect();
        suffixes.sort_unstable_by(|&a, &b| all[a as usize..].cmp(&all[b as usize..]));
        Self {
            numbers,
            words: all,
            record,
            suffixes,
        }
    }

    /// The longest run of the text's words that a record holds, the first of several; words are
    /// compared without case and punctuation. Length 0 where no word occurs.
    pub fn longest_run(&self, text: &str) -> Run {
        // A word that the corpus lacks matches nothing.
        let missing = u32::MAX / 2;
        let text: Vec<u32> = words(text)
            .iter()
            .map(|word| self.numbers.get(word).copied().unwrap_or(missing))
            .collect();
        let mut best = Run {
            start: 0,
            length: 0,
            record: 0,
        };
        for start in 0..text.len() {
            if text.len() - start <= best.length {
                break;
            }
            let wanted = &text[start..];
            let at = self
                .suffixes
                .partition_point(|&s| &self.words[s as usize..] < wanted);
            // The longest common start is beside the place where the text would be put in.
            for place in [at.checked_sub(1), Some(at)].into_iter().flatten() {
                let Some(&suffix) = self.suffixes.get(place) else {
                    continue;
                };
                let suffix = suffix as usize;
                let pairs = self.words[suffix..].iter().zip(wanted);
                let length = pairs.take_while(|(a, b)| a == b).count();
                if length > best.length {
                    best = Run {
                        start,
                        length,
                        record: self.record[suffix],
                    };
                }
            }
        }
        best
    }
}
