//! Answers of a stage that is under way, so that a killed run does not ask for them again.
//!
//! Each answer is a line `{"key": ..., "text": ...}` of a file under the run's `private/`, with mode
//! 0600: it is private data in full. Keys are hashes of what was asked about (a photo's bytes, an
//! album's prompt), so that an answer serves whatever else is in the corpus. Who finishes the stage
//! removes the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use albumen_files::{append_private, sha256_hex};
use serde::{Deserialize, Serialize};

use crate::CorpusError;

/// Where a stage keeps its answers, and what they depend on beside the thing asked about.
#[derive(Clone, Copy, Debug)]
pub struct JournalPlace<'a> {
    /// The file.
    pub path: &'a Path,
    /// Model and settings. Answers under other settings are dropped.
    pub settings: &'a str,
}

/// The answers so far.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    answers: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    settings: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: String,
    text: String,
}

/// The key of a text.
pub(crate) fn key(text: &str) -> String {
    sha256_hex(text)
}

impl Journal {
    /// Opens the journal, or begins it anew where it is of other settings. A line that was cut off by a
    /// kill, and whatever follows it, is dropped.
    pub(crate) fn open(place: JournalPlace<'_>) -> Result<Self, CorpusError> {
        let failed = |e: std::io::Error| unwritable(place.path, &e);
        let mut file = append_private(place.path).map_err(|e| failed(e.source))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (answers, whole) = parse(&bytes, place.settings);
        file.set_len(whole).map_err(failed)?;
        let mut journal = Self {
            path: place.path.to_owned(),
            file,
            answers,
        };
        if whole == 0 {
            let settings = place.settings.to_owned();
            journal.append(&Head { settings })?;
        }
        Ok(journal)
    }

    /// The answer under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.answers.get(key).map(String::as_str)
    }

    /// Keeps an answer.
    pub(crate) fn add(&mut self, key: &str, text: String) -> Result<(), CorpusError> {
        let line = Line {
            key: key.to_owned(),
            text,
        };
        self.append(&line)?;
        self.answers.insert(line.key, line.text);
        Ok(())
    }

    /// One write a line: another process sees whole lines, but for a kill in the middle of one.
    fn append(&mut self, line: &impl Serialize) -> Result<(), CorpusError> {
        let mut bytes = serde_json::to_vec(line).map_err(|e| unwritable(&self.path, &e.into()))?;
        bytes.push(b'\n');
        self.file
            .write_all(&bytes)
            .map_err(|e| unwritable(&self.path, &e))
    }
}

/// The answers of a journal of these settings, and how many bytes of it are whole lines.
fn parse(bytes: &[u8], settings: &str) -> (BTreeMap<String, String>, u64) {
    let mut answers = BTreeMap::new();
    let mut lines = bytes.split_inclusive(|&b| b == b'\n');
    let whole = |line: &[u8]| line.ends_with(b"\n");
    let head = lines.next().filter(|line| whole(line));
    let head = head.map(|line| (line, serde_json::from_slice::<Head>(line)));
    let mut length = match head {
        Some((line, Ok(head))) if head.settings == settings => line.len(),
        _ => return (answers, 0),
    };
    for line in lines.take_while(|line| whole(line)) {
        let Ok(Line { key, text }) = serde_json::from_slice(line) else {
            break;
        };
        answers.insert(key, text);
        length += line.len();
    }
    (answers, length as u64)
}

fn unwritable(path: &Path, error: &std::io::Error) -> CorpusError {
    CorpusError::Table {
        path: path.to_owned(),
        problem: format!("{error}; check that you may write there and that the disk has room"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, settings: &str) -> Journal {
        Journal::open(JournalPlace { path, settings }).unwrap()
    }

    #[test]
    fn answers_outlive_a_kill_and_other_settings_drop_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("caption.journal");
        let mut journal = open(&path, "a");
        journal.add("k1", "two\nlines".to_owned()).unwrap();
        journal.add("k2", String::new()).unwrap();
        drop(journal);
        // Killed inside of a line.
        let whole = std::fs::read(&path).unwrap();
        let torn = [&whole[..], b"{\"key\": \"k3\", \"te"].concat();
        std::fs::write(&path, torn).unwrap();
        let mut journal = open(&path, "a");
        assert_eq!(journal.get("k1"), Some("two\nlines"));
        assert_eq!((journal.get("k2"), journal.get("k3")), (Some(""), None));
        journal.add("k3", "three".to_owned()).unwrap();
        drop(journal);
        assert_eq!(open(&path, "a").get("k3"), Some("three"));
        assert!(open(&path, "b").get("k1").is_none());
        assert!(open(&path, "a").get("k1").is_none());
    }

    #[test]
    fn what_is_no_journal_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        for bytes in [&b""[..], b"\n", b"{\"settings\": \"a\"}", b"\xff\xfe\n"] {
            std::fs::write(&path, bytes).unwrap();
            open(&path, "a").add("k", "t".to_owned()).unwrap();
            assert_eq!(open(&path, "a").get("k"), Some("t"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        drop(open(&path, "a"));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
