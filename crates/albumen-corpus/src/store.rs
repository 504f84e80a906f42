//! The private tables: albums, captions and summaries as Parquet files under `private/`.
//!
//! One row a photo in `albums.parquet` and `captions.parquet`, one row an album in
//! `summaries.parquet`. They are written by the stages and read back by later ones.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, UInt32Array};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use albumen_files::create_private;
use albumen_schema::{Album, AlbumText, CaptionSource, Photo, PhotoContent};

use crate::{CorpusError, SummarySource};

type Column = (&'static str, ArrayRef);

fn strings<S: AsRef<str>>(values: impl Iterator<Item = Option<S>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn write(path: &Path, columns: Vec<Column>) -> Result<(), CorpusError> {
    let failed = |e: &dyn std::fmt::Display| CorpusError::Table {
        path: path.to_owned(),
        problem: e.to_string(),
    };
    let columns = columns.into_iter().map(|(name, array)| {
        let nullable = array.null_count() > 0;
        (name, array, nullable)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).map_err(|e| failed(&e))?;
    let file = create_private(path).map_err(|e| failed(&e.source))?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).map_err(|e| failed(&e))?;
    writer.write(&batch).map_err(|e| failed(&e))?;
    let file = writer.into_inner().map_err(|e| failed(&e))?;
    file.sync_all().map_err(|e| failed(&e))
}

/// A table read whole, with typed access to its columns.
struct Table<'a> {
    path: &'a Path,
    batches: Vec<RecordBatch>,
}

impl<'a> Table<'a> {
    fn open(path: &'a Path) -> Result<Self, CorpusError> {
        let failed = |e: &dyn std::fmt::Display| CorpusError::Table {
            path: path.to_owned(),
            problem: e.to_string(),
        };
        let file = File::open(path).map_err(|e| failed(&e))?;
        let batches = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .map_err(|e| failed(&e))?
            .collect::<Result<_, _>>()
            .map_err(|e| failed(&e))?;
        Ok(Self { path, batches })
    }

    fn column<T: Array + Clone + 'static>(&self, name: &str) -> Result<Vec<T>, CorpusError> {
        self.batches
            .iter()
            .map(|batch| {
                batch
                    .column_by_name(name)
                    .and_then(|c| c.as_any().downcast_ref::<T>().cloned())
                    .ok_or_else(|| CorpusError::Table {
                        path: self.path.to_owned(),
                        problem: format!("column `{name}` is missing or of another type"),
                    })
            })
            .collect()
    }

    fn optional_strings(&self, name: &str) -> Result<Vec<Option<String>>, CorpusError> {
        let columns = self.column::<StringArray>(name)?;
        let rows = columns.iter().flat_map(|c| c.iter());
        Ok(rows.map(|v| v.map(str::to_owned)).collect())
    }

    fn strings(&self, name: &str) -> Result<Vec<String>, CorpusError> {
        let rows = self.optional_strings(name)?;
        Ok(rows.into_iter().map(Option::unwrap_or_default).collect())
    }

    fn numbers(&self, name: &str) -> Result<Vec<Option<u32>>, CorpusError> {
        let columns = self.column::<UInt32Array>(name)?;
        Ok(columns
            .iter()
            .flat_map(|c| c.iter().collect::<Vec<_>>())
            .collect())
    }

    fn times(&self, name: &str) -> Result<Vec<Option<i64>>, CorpusError> {
        let columns = self.column::<Int64Array>(name)?;
        Ok(columns
            .iter()
            .flat_map(|c| c.iter().collect::<Vec<_>>())
            .collect())
    }
}

/// The file of a photo with pixels.
type FileFacts<'a> = (&'a str, &'a str, u32, u32, u8);

fn file_of(photo: &Photo) -> Option<FileFacts<'_>> {
    match &photo.content {
        PhotoContent::File {
            path,
            sha256,
            width,
            height,
            orientation,
        } => Some((path.to_str()?, sha256, *width, *height, *orientation)),
        PhotoContent::None => None,
    }
}

/// Writes `albums.parquet`, one row a photo in album order.
///
/// # Errors
/// [`CorpusError::Table`] where the file cannot be written.
pub(crate) fn write_albums(path: &Path, albums: &[Album]) -> Result<(), CorpusError> {
    let rows: Vec<(&Album, &Photo)> = albums
        .iter()
        .flat_map(|a| a.photos.iter().map(move |p| (a, p)))
        .collect();
    let number = |f: fn(FileFacts<'_>) -> u32| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|(_, p)| file_of(p).map(f))
                .collect::<UInt32Array>(),
        )
    };
    let times: Int64Array = rows.iter().map(|(_, p)| p.taken_at).collect();
    write(
        path,
        vec![
            ("album_id", strings(rows.iter().map(|(a, _)| Some(&a.id)))),
            (
                "owner_id",
                strings(rows.iter().map(|(a, _)| Some(&a.owner_id))),
            ),
            ("title", strings(rows.iter().map(|(a, _)| a.title.as_ref()))),
            ("photo_id", strings(rows.iter().map(|(_, p)| Some(&p.id)))),
            (
                "path",
                strings(rows.iter().map(|(_, p)| file_of(p).map(|f| f.0))),
            ),
            (
                "sha256",
                strings(rows.iter().map(|(_, p)| file_of(p).map(|f| f.1))),
            ),
            ("width", number(|f| f.2)),
            ("height", number(|f| f.3)),
            ("orientation", number(|f| u32::from(f.4))),
            (
                "caption",
                strings(rows.iter().map(|(_, p)| p.caption.as_ref())),
            ),
            ("taken_at", Arc::new(times)),
        ],
    )
}

/// Reads `albums.parquet`.
pub(crate) fn read_albums(path: &Path) -> Result<Vec<Album>, CorpusError> {
    let table = Table::open(path)?;
    let album_ids = table.strings("album_id")?;
    let owner_ids = table.strings("owner_id")?;
    let titles = table.optional_strings("title")?;
    let photo_ids = table.strings("photo_id")?;
    let paths = table.optional_strings("path")?;
    let hashes = table.strings("sha256")?;
    let (widths, heights) = (table.numbers("width")?, table.numbers("height")?);
    let orientations = table.numbers("orientation")?;
    let captions = table.optional_strings("caption")?;
    let times = table.times("taken_at")?;

    let mut albums: Vec<Album> = Vec::new();
    for (i, album_id) in album_ids.into_iter().enumerate() {
        let content = match &paths[i] {
            Some(file) => PhotoContent::File {
                path: file.into(),
                sha256: hashes[i].clone(),
                width: widths[i].unwrap_or(0),
                height: heights[i].unwrap_or(0),
                orientation: orientations[i].map_or(1, |o| o as u8),
            },
            None => PhotoContent::None,
        };
        let photo = Photo {
            id: photo_ids[i].clone(),
            content,
            caption: captions[i].clone(),
            taken_at: times[i],
        };
        match albums.last_mut() {
            Some(album) if album.id == album_id => album.photos.push(photo),
            _ => albums.push(Album {
                id: album_id,
                owner_id: owner_ids[i].clone(),
                title: titles[i].clone(),
                photos: vec![photo],
            }),
        }
    }
    Ok(albums)
}

/// Writes `captions.parquet`: the captions of every album, in the albums' order.
pub(crate) fn write_captions(
    path: &Path,
    albums: &[Album],
    captions: &[Vec<(String, CaptionSource)>],
) -> Result<(), CorpusError> {
    let rows = || {
        albums.iter().zip(captions).flat_map(|(album, captions)| {
            let photos = album.photos.iter().zip(captions);
            photos.map(move |(p, c)| (album, p, c))
        })
    };
    let source = |s: CaptionSource| match s {
        CaptionSource::Given => "given",
        CaptionSource::Tagger => "tagger",
        CaptionSource::Model => "model",
    };
    write(
        path,
        vec![
            ("album_id", strings(rows().map(|(a, _, _)| Some(&a.id)))),
            (
                "owner_id",
                strings(rows().map(|(a, _, _)| Some(&a.owner_id))),
            ),
            ("photo_id", strings(rows().map(|(_, p, _)| Some(&p.id)))),
            ("caption", strings(rows().map(|(_, _, c)| Some(&c.0)))),
            ("source", strings(rows().map(|(_, _, c)| Some(source(c.1))))),
        ],
    )
}

/// Reads `captions.parquet` as albums without summaries.
pub(crate) fn read_captions(path: &Path) -> Result<Vec<AlbumText>, CorpusError> {
    let table = Table::open(path)?;
    let owners = table.strings("owner_id")?;
    let captions = table.strings("caption")?;
    let mut albums: Vec<AlbumText> = Vec::new();
    for (i, album_id) in table.strings("album_id")?.into_iter().enumerate() {
        let caption = captions[i].clone();
        match albums.last_mut() {
            Some(album) if album.album_id == album_id => album.captions.push(caption),
            _ => albums.push(AlbumText {
                album_id,
                owner_id: owners[i].clone(),
                captions: vec![caption],
                summary: String::new(),
            }),
        }
    }
    Ok(albums)
}

/// Writes `summaries.parquet`: one row an album, in the albums' order.
pub(crate) fn write_summaries(
    path: &Path,
    albums: &[AlbumText],
    summaries: &[(String, SummarySource)],
) -> Result<(), CorpusError> {
    let source = |s: SummarySource| match s {
        SummarySource::Model => "model",
        SummarySource::Extractive => "extractive",
    };
    write(
        path,
        vec![
            (
                "album_id",
                strings(albums.iter().map(|a| Some(&a.album_id))),
            ),
            ("summary", strings(summaries.iter().map(|s| Some(&s.0)))),
            (
                "source",
                strings(summaries.iter().map(|s| Some(source(s.1)))),
            ),
        ],
    )
}

/// Reads captions and summaries together: what the models are trained on.
pub(crate) fn read_texts(captions: &Path, summaries: &Path) -> Result<Vec<AlbumText>, CorpusError> {
    let mut albums = read_captions(captions)?;
    let table = Table::open(summaries)?;
    let ids = table.strings("album_id")?;
    let texts = table.strings("summary")?;
    let matches =
        ids.len() == albums.len() && albums.iter().zip(&ids).all(|(a, id)| a.album_id == *id);
    if !matches {
        return Err(CorpusError::Table {
            path: summaries.to_owned(),
            problem: "its albums are not those of captions.parquet; run the stage again".to_owned(),
        });
    }
    for (album, text) in albums.iter_mut().zip(texts) {
        album.summary = text;
    }
    Ok(albums)
}
