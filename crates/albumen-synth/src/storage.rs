//! `sampled.parquet` and `curated.parquet`: what generation and curation leave behind.
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string | `album-000042` |
//! | `index` | uint64 | position in the sampling order |
//! | `summary` | string | without its length prefix |
//! | `captions` | list of string | one a photo, in order |
//! | `raw_summary` | string | the summary model's continuation, unparsed |
//! | `truncated` | bool | whether a text ran into its token limit |
//! | `reason` | string | `curated.parquet` only: [`Reason::name`] |
//! | `detail` | string | `curated.parquet` only: what was seen |
//! | `also` | list of string | `curated.parquet` only: other filters of the text that it failed |
//! | `coherence`, `sameness`, `score` | float32, nullable | `curated.parquet` only: [`Scores`] |
//! | `grade` | uint8, nullable | `curated.parquet` only |
//! | `grade_reason`, `topic` | string, nullable | `curated.parquet` only |
//!
//! A score is null where it was not measured. Snappy-compressed, in the order sampled.

use std::path::Path;
use std::sync::Arc;

use albumen_schema::{Curated, Reason, Scores, SyntheticAlbum, Verdict};
use arrow::array::{
    Array, ArrayRef, BooleanArray, Float32Array, StringArray, UInt8Array, UInt64Array,
};

use crate::error::Result;
use crate::table::{self, Columns};

/// Rows turned into columns at a time; bounds memory.
const BATCH_ROWS: usize = 8192;

/// Writes `sampled.parquet`, whole or not at all.
///
/// # Errors
/// [`crate::SynthError::Io`] or [`crate::SynthError::Table`].
pub fn write_sampled(path: &Path, albums: &[SyntheticAlbum]) -> Result<()> {
    let batch = |albums: &[SyntheticAlbum]| {
        table::batch(path, album_columns(&albums.iter().collect::<Vec<_>>()))
    };
    table::write(
        path,
        batch(&[])?.schema(),
        albums.chunks(BATCH_ROWS).map(batch),
    )
}

/// Reads `sampled.parquet`.
///
/// # Errors
/// [`crate::SynthError::Io`], or [`crate::SynthError::Table`] for a file that is cut short or has
/// other columns.
pub fn read_sampled(path: &Path) -> Result<Vec<SyntheticAlbum>> {
    let mut albums = Vec::new();
    for batch in table::read(path)? {
        let batch = batch?;
        albums.extend(albums_of(&Columns::new(path, &batch))?);
    }
    Ok(albums)
}

/// Writes `curated.parquet`, whole or not at all.
///
/// # Errors
/// As [`write_sampled`].
pub fn write_curated(path: &Path, curated: &[Curated]) -> Result<()> {
    let batch = |curated: &[Curated]| {
        let mut columns = album_columns(&curated.iter().map(|c| &c.album).collect::<Vec<_>>());
        columns.extend(verdict_columns(
            &curated.iter().map(|c| &c.verdict).collect::<Vec<_>>(),
        ));
        table::batch(path, columns)
    };
    table::write(
        path,
        batch(&[])?.schema(),
        curated.chunks(BATCH_ROWS).map(batch),
    )
}

/// Reads `curated.parquet`.
///
/// # Errors
/// As [`read_sampled`], and for a reason that this version does not know.
pub fn read_curated(path: &Path) -> Result<Vec<Curated>> {
    let mut curated = Vec::new();
    for batch in table::read(path)? {
        let batch = batch?;
        let columns = Columns::new(path, &batch);
        let verdicts = verdicts_of(&columns)?;
        let albums = albums_of(&columns)?.into_iter();
        curated.extend(
            albums
                .zip(verdicts)
                .map(|(album, verdict)| Curated { album, verdict }),
        );
    }
    Ok(curated)
}

fn album_columns(albums: &[&SyntheticAlbum]) -> Vec<table::Column> {
    let each = || albums.iter();
    vec![
        ("id", table::strings(each().map(|a| a.id.as_str())), false),
        (
            "index",
            Arc::new(each().map(|a| Some(a.index)).collect::<UInt64Array>()) as ArrayRef,
            false,
        ),
        (
            "summary",
            table::strings(each().map(|a| a.summary.as_str())),
            false,
        ),
        (
            "captions",
            table::string_lists(each().map(|a| a.captions.as_slice())),
            false,
        ),
        (
            "raw_summary",
            table::strings(each().map(|a| a.raw_summary.as_str())),
            false,
        ),
        (
            "truncated",
            Arc::new(each().map(|a| Some(a.truncated)).collect::<BooleanArray>()) as ArrayRef,
            false,
        ),
    ]
}

fn verdict_columns(verdicts: &[&Verdict]) -> Vec<table::Column> {
    let each = || verdicts.iter();
    let floats = |of: fn(&Verdict) -> Option<f32>| -> ArrayRef {
        Arc::new(each().map(|v| of(v)).collect::<Float32Array>())
    };
    let texts = |of: fn(&Verdict) -> &Option<String>| -> ArrayRef {
        let texts = each().map(|v| of(v).as_deref());
        Arc::new(texts.collect::<StringArray>())
    };
    let also: Vec<Vec<String>> = each()
        .map(|v| v.also.iter().map(|r| r.name().to_owned()).collect())
        .collect();
    let grades = each().map(|v| v.scores.grade).collect::<UInt8Array>();
    vec![
        (
            "reason",
            table::strings(each().map(|v| v.reason.name())),
            false,
        ),
        (
            "detail",
            table::strings(each().map(|v| v.detail.as_str())),
            false,
        ),
        (
            "also",
            table::string_lists(also.iter().map(Vec::as_slice)),
            false,
        ),
        ("coherence", floats(|v| v.coherence), true),
        ("sameness", floats(|v| v.scores.sameness), true),
        ("score", floats(|v| v.scores.score), true),
        ("grade", Arc::new(grades), true),
        ("grade_reason", texts(|v| &v.scores.grade_reason), true),
        ("topic", texts(|v| &v.scores.topic), true),
    ]
}

fn verdicts_of(columns: &Columns<'_>) -> Result<Vec<Verdict>> {
    let known = |name: &str| {
        Reason::from_name(name).ok_or_else(|| columns.invalid(&format!("unknown reason `{name}`")))
    };
    let reasons = columns.strings("reason")?;
    let details = columns.strings("detail")?;
    let also = columns.string_lists("also")?;
    let floats = |name| columns.get::<Float32Array>(name, "float32");
    let [coherence, sameness, score] =
        [floats("coherence")?, floats("sameness")?, floats("score")?];
    let grades = columns.get::<UInt8Array>("grade", "uint8")?;
    let [grade_reasons, topics] = [columns.strings("grade_reason")?, columns.strings("topic")?];
    let float = |array: &Float32Array, i| array.is_valid(i).then(|| array.value(i));
    let text = |array: &StringArray, i| array.is_valid(i).then(|| array.value(i).to_owned());
    also.iter()
        .enumerate()
        .map(|(i, also)| {
            Ok(Verdict {
                reason: known(reasons.value(i))?,
                detail: details.value(i).to_owned(),
                coherence: float(coherence, i),
                also: also.iter().map(|n| known(n)).collect::<Result<_>>()?,
                scores: Scores {
                    sameness: float(sameness, i),
                    score: float(score, i),
                    grade: grades.is_valid(i).then(|| grades.value(i)),
                    grade_reason: text(grade_reasons, i),
                    topic: text(topics, i),
                },
            })
        })
        .collect()
}

fn albums_of(columns: &Columns<'_>) -> Result<Vec<SyntheticAlbum>> {
    let ids = columns.strings("id")?;
    let indices = columns.get::<UInt64Array>("index", "uint64")?;
    let summaries = columns.strings("summary")?;
    let captions = columns.string_lists("captions")?;
    let raw = columns.strings("raw_summary")?;
    let truncated = columns.get::<BooleanArray>("truncated", "bool")?;
    Ok(captions
        .into_iter()
        .enumerate()
        .map(|(i, captions)| SyntheticAlbum {
            id: ids.value(i).to_owned(),
            index: indices.value(i),
            summary: summaries.value(i).to_owned(),
            captions,
            raw_summary: raw.value(i).to_owned(),
            truncated: truncated.value(i),
        })
        .collect())
}

/// How many albums fell to what, in [`Reason::ALL`]'s order; reasons without albums are included.
pub fn count_by_reason(curated: &[Curated]) -> Vec<(Reason, usize)> {
    let count = |reason| {
        curated
            .iter()
            .filter(|c| c.verdict.reason == reason)
            .count()
    };
    Reason::ALL.map(|reason| (reason, count(reason))).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn albums() -> Vec<SyntheticAlbum> {
        (0..3)
            .map(|index| SyntheticAlbum {
                id: SyntheticAlbum::id_of(index),
                index,
                summary: format!("Summary {index} \u{1f4f7}"),
                captions: (0..index).map(|i| format!("caption, \"{i}\"")).collect(),
                raw_summary: " 2 photos:".to_owned(),
                truncated: index == 1,
            })
            .collect()
    }

    fn curated() -> Vec<Curated> {
        let reasons = [Reason::Passed, Reason::Length, Reason::Incoherent];
        let verdict = |reason: Reason| Verdict {
            coherence: (reason != Reason::Length).then_some(0.25),
            also: vec![Reason::WordList; usize::from(reason == Reason::Length)],
            scores: match reason {
                Reason::Passed => Scores {
                    sameness: Some(0.5),
                    score: Some(0.75),
                    grade: Some(4),
                    grade_reason: Some("all fits".to_owned()),
                    topic: Some("dog, cat".to_owned()),
                },
                _ => Scores::default(),
            },
            ..Verdict::new(reason, reason.name())
        };
        let pairs = albums().into_iter().zip(reasons);
        pairs
            .map(|(album, reason)| Curated {
                album,
                verdict: verdict(reason),
            })
            .collect()
    }

    #[test]
    fn tables_survive_the_round_trip_and_are_the_same_bytes_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let (sampled, kept) = (
            dir.path().join("sampled.parquet"),
            dir.path().join("c.parquet"),
        );
        write_sampled(&sampled, &albums()).unwrap();
        write_curated(&kept, &curated()).unwrap();
        assert_eq!(read_sampled(&sampled).unwrap(), albums());
        assert_eq!(read_curated(&kept).unwrap(), curated());
        let once = std::fs::read(&kept).unwrap();
        write_curated(&kept, &curated()).unwrap();
        assert_eq!(std::fs::read(&kept).unwrap(), once);
        write_sampled(&sampled, &[]).unwrap();
        assert_eq!(read_sampled(&sampled).unwrap(), []);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn files_that_are_no_such_table_are_refused_with_their_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("curated.parquet");
        let refusal = |path: &Path| read_curated(path).unwrap_err().to_string();
        assert!(refusal(&path).contains("curated.parquet"));
        write_sampled(&path, &albums()).unwrap();
        assert!(refusal(&path).contains("`reason`"), "{}", refusal(&path));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(refusal(&path).contains("curated.parquet"));
    }

    #[test]
    fn counts_name_every_reason() {
        let counts = count_by_reason(&curated());
        assert_eq!(counts.len(), Reason::ALL.len());
        assert_eq!(counts[0], (Reason::Passed, 1));
        assert_eq!(counts.iter().map(|(_, n)| n).sum::<usize>(), 3);
    }
}
