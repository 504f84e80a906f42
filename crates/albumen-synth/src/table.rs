//! Parquet tables: columns in, columns out, errors that name the file.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ListArray, ListBuilder, RecordBatch, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::error::{Result, SynthError, io_error};
use crate::files;

/// Name, values, and whether null is allowed.
pub(crate) type Column = (&'static str, ArrayRef, bool);

pub(crate) fn strings<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub(crate) fn string_lists<'a>(values: impl Iterator<Item = &'a [String]>) -> ArrayRef {
    let item = Field::new("item", DataType::Utf8, false);
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(item);
    for list in values {
        for text in list {
            lists.values().append_value(text);
        }
        lists.append(true);
    }
    Arc::new(lists.finish())
}

pub(crate) fn batch(path: &Path, columns: Vec<Column>) -> Result<RecordBatch> {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns
        .into_iter()
        .map(|(name, array, null)| (Field::new(name, array.data_type().clone(), null), array))
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|e| invalid(path, &e))
}

/// Writes a table, whole or not at all.
pub(crate) fn write(
    path: &Path,
    schema: SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<()> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    files::write_whole(path, |file| {
        let refused = |e| invalid(path, &e);
        let mut writer =
            ArrowWriter::try_new(&mut *file, schema, Some(properties)).map_err(refused)?;
        for batch in batches {
            writer.write(&batch?).map_err(refused)?;
        }
        writer.close().map_err(refused)?;
        file.flush().map_err(io_error("write", path))
    })
}

/// The batches of a table.
pub(crate) fn read(path: &Path) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
    let file = File::open(path).map_err(io_error("read", path))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|e| invalid(path, &e))?;
    Ok(reader.map(move |batch| batch.map_err(|e| invalid(path, &e))))
}

/// The columns of a batch by name, with their types checked.
pub(crate) struct Columns<'a> {
    path: &'a Path,
    batch: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    pub(crate) fn new(path: &'a Path, batch: &'a RecordBatch) -> Self {
        Self { path, batch }
    }

    pub(crate) fn invalid(&self, reason: &str) -> SynthError {
        invalid(self.path, &reason)
    }

    pub(crate) fn get<A: 'static>(&self, name: &str, kind: &str) -> Result<&'a A> {
        let column = self
            .batch
            .column_by_name(name)
            .ok_or_else(|| self.invalid(&format!("it has no column `{name}`")))?;
        column.as_any().downcast_ref().ok_or_else(|| {
            self.invalid(&format!(
                "column `{name}` holds {}, not {kind}",
                column.data_type()
            ))
        })
    }

    pub(crate) fn strings(&self, name: &str) -> Result<&'a StringArray> {
        self.get(name, "strings")
    }

    pub(crate) fn string_lists(&self, name: &str) -> Result<Vec<Vec<String>>> {
        let lists = self.get::<ListArray>(name, "lists of strings")?;
        (0..lists.len())
            .map(|i| {
                let list = lists.value(i);
                let texts = list
                    .as_any()
                    .downcast_ref::<StringArray>()
                    .ok_or_else(|| self.invalid(&format!("column `{name}` holds no strings")))?;
                Ok(texts
                    .iter()
                    .map(|t| t.unwrap_or_default().to_owned())
                    .collect())
            })
            .collect()
    }
}

pub(crate) fn invalid(path: &Path, reason: &impl ToString) -> SynthError {
    SynthError::Table {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
