use std::path::Path;

use albumen_files::sha256_hex;
use serde::{Deserialize, Serialize};

use super::{LEDGER_VERSION, LedgerError};
use crate::{AccountingError, Event, Guarantee, TuningRuns, Unit, account_tuned};

/// The first line of a ledger: what the guarantee is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Format version; see [`LEDGER_VERSION`].
    pub version: u32,
    /// The run's name.
    pub run: String,
    /// What adjacency adds or removes.
    pub unit: Unit,
    /// The adjacency relation; always `add_remove`.
    pub adjacency: String,
    /// The public number that stands for the corpus's size.
    pub declared_units: u64,
    /// The delta at which the total is stated.
    pub delta: f64,
    /// Name and version of the tool that began the ledger.
    pub tool: String,
    /// True where private randomness came from a seed instead of the operating system: the
    /// guarantee does not hold then.
    pub insecure_seed: bool,
    /// How many runs the release is chosen from; one where absent. It stands in the header so that it
    /// is fixed before the first release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning_runs: Option<TuningRuns>,
}

impl Header {
    /// A header of the newest version under add/remove adjacency.
    pub fn new(run: impl Into<String>, unit: Unit, declared_units: u64, delta: f64) -> Self {
        Self {
            version: LEDGER_VERSION,
            run: run.into(),
            unit,
            adjacency: "add_remove".to_owned(),
            declared_units,
            delta,
            tool: concat!("albumen ", env!("CARGO_PKG_VERSION")).to_owned(),
            insecure_seed: false,
            tuning_runs: None,
        }
    }
}

/// A later line of a ledger: one release and its price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Position in the ledger, from 0.
    pub index: u64,
    /// The stage that released something.
    pub stage: String,
    /// What was run on the private data.
    pub event: Event,
    /// SHA-256 of the released bytes, lower-case hexadecimal.
    pub artefact_sha256: String,
    /// SHA-256 of the line before, lower-case hexadecimal.
    pub prev: String,
}

/// A ledger's verified content.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    header: Header,
    entries: Vec<Entry>,
    head: String,
}

impl History {
    /// Reads and verifies a ledger without locking or changing it.
    ///
    /// # Errors
    /// Every way in which the file differs from an intact ledger; see [`LedgerError`].
    pub fn read(path: &Path) -> Result<Self, LedgerError> {
        let bytes = std::fs::read(path).map_err(|source| LedgerError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&bytes).map(|(history, _)| history)
    }

    /// Verifies a ledger's bytes; returns its content and how many bytes of it count.
    ///
    /// A last line without its newline is what a killed writer leaves. Where it is cut short its
    /// append never returned, so nothing was released for it, and it is ignored; where only the
    /// newline is missing it counts, so that no release is ever free.
    ///
    /// # Errors
    /// As [`History::read`].
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), LedgerError> {
        let (mut history, complete) = Self::parse_lines(bytes)?;
        let rest = &bytes[complete..];
        if serde_json::from_slice::<Entry>(rest).is_ok() {
            history.check_and_push(rest)?;
            return Ok((history, bytes.len()));
        }
        Ok((history, complete))
    }

    fn parse_lines(bytes: &[u8]) -> Result<(Self, usize), LedgerError> {
        let complete = bytes
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1);
        let mut lines = bytes[..complete].split_inclusive(|&b| b == b'\n');
        let first = lines.next().ok_or(LedgerError::NoHeader)?;
        let header = parse_header(first)?;
        let mut history = Self {
            header,
            entries: Vec::new(),
            head: sha256_hex(trim(first)),
        };
        for line in lines {
            history.check_and_push(line)?;
        }
        Ok((history, complete))
    }

    fn check_and_push(&mut self, line: &[u8]) -> Result<(), LedgerError> {
        let at = self.entries.len();
        let number = at + 2;
        let entry: Entry = parse_line(line, number)?;
        if entry.index != at as u64 {
            return Err(LedgerError::WrongIndex {
                line: number,
                expected: at as u64,
                found: entry.index,
            });
        }
        if entry.prev != self.head {
            return Err(LedgerError::BrokenChain {
                line: number,
                expected: self.head.clone(),
                found: entry.prev,
            });
        }
        let invalid = |source| LedgerError::Invalid {
            line: number,
            source,
        };
        entry.event.validate().map_err(invalid)?;
        self.push(entry, trim(line));
        Ok(())
    }

    /// What the guarantee is about.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The releases in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The events in order, for the accountant.
    pub fn events(&self) -> Vec<Event> {
        self.entries.iter().map(|e| e.event.clone()).collect()
    }

    /// What the events guarantee together, the charge for tuning included.
    ///
    /// # Errors
    /// As [`crate::account_tuned`]; a verified ledger has no event out of range.
    pub fn guarantee(&self) -> Result<Guarantee, AccountingError> {
        account_tuned(
            &self.events(),
            self.header.delta,
            self.header.tuning_runs.as_ref(),
        )
    }

    /// SHA-256 of the last line, lower-case hexadecimal: it fixes every line.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Checks the head against a recorded one.
    ///
    /// # Errors
    /// [`LedgerError::WrongHead`].
    pub fn verify_head(&self, expected: &str) -> Result<(), LedgerError> {
        if self.head == expected {
            Ok(())
        } else {
            Err(LedgerError::WrongHead {
                expected: expected.to_owned(),
                found: self.head.clone(),
            })
        }
    }

    /// Whether the ledger paid for these bytes at this stage.
    pub fn contains(&self, stage: &str, artefact_sha256: &str) -> bool {
        self.entries
            .iter()
            .any(|e| e.stage == stage && e.artefact_sha256 == artefact_sha256)
    }

    pub(super) fn begin(header: Header, line: &[u8]) -> Self {
        Self {
            header,
            entries: Vec::new(),
            head: sha256_hex(line),
        }
    }

    pub(super) fn push(&mut self, entry: Entry, line: &[u8]) {
        self.head = sha256_hex(line);
        self.entries.push(entry);
    }
}

fn parse_header(line: &[u8]) -> Result<Header, LedgerError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    // The version alone decides how the rest is read.
    let Version { version } = parse_line(line, 1)?;
    if version > LEDGER_VERSION {
        return Err(LedgerError::NewerVersion {
            found: version,
            newest: LEDGER_VERSION,
        });
    }
    let header: Header = parse_line(line, 1)?;
    validate_header(&header)?;
    Ok(header)
}

pub(super) fn validate_header(header: &Header) -> Result<(), LedgerError> {
    let invalid = |source| LedgerError::Invalid { line: 1, source };
    crate::event::check(
        "delta",
        header.delta,
        header.delta > 0.0 && header.delta < 1.0,
        "above 0 and below 1",
    )
    .map_err(invalid)?;
    crate::event::check(
        "declared_units",
        header.declared_units as f64,
        header.declared_units > 0,
        "at least 1",
    )
    .map_err(invalid)?;
    if let Some(runs) = &header.tuning_runs {
        crate::tuning::validate(runs).map_err(invalid)?;
    }
    let malformed = |reason: String| Err(LedgerError::Malformed { line: 1, reason });
    if header.version < 2 && header.tuning_runs.is_some() {
        return malformed("version 1 knows no `tuning_runs`".to_owned());
    }
    if header.adjacency != "add_remove" {
        return malformed(format!(
            "adjacency `{}` is not `add_remove`",
            header.adjacency
        ));
    }
    Ok(())
}

fn parse_line<'a, T: Deserialize<'a>>(line: &'a [u8], number: usize) -> Result<T, LedgerError> {
    serde_json::from_slice(trim(line)).map_err(|e| LedgerError::Malformed {
        line: number,
        reason: e.to_string(),
    })
}

fn trim(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}
