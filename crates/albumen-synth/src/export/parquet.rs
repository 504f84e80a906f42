//! `parquet/albums-NNNNN.parquet`: the rows with their pictures' bytes.
//!
//! The schema's `huggingface` key tells the `datasets` library that `images` are pictures, so that it
//! decodes them; to every other reader they are a list of `{bytes, path}`. The file names hold no
//! word that the library takes for a split.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Array, ListArray, ListBuilder, RecordBatch, StringBuilder,
    StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use serde_json::json;

use super::PARQUET_DIR;
use super::rows::{Pictures, Row};
use super::shards;
use crate::error::{Result, io_error};
use crate::{files, table};

/// Bytes of pictures in a row group: what a reader holds to show one row, and what writing holds.
const GROUP_BYTES: u64 = 32_000_000;

/// Writes the shards into `release` and returns their names.
pub(super) fn write(
    rows: &[Row<'_>],
    pictures: &Pictures,
    release: &Path,
    shard_bytes: u64,
) -> Result<Vec<String>> {
    let schema = schema();
    let mut names = Vec::new();
    for (i, shard) in shards::of(rows, pictures, shard_bytes).iter().enumerate() {
        let name = format!("{PARQUET_DIR}/albums-{i:05}.parquet");
        write_shard(&release.join(&name), &schema, shard, pictures, release)?;
        names.push(name);
    }
    Ok(names)
}

fn write_shard(
    path: &Path,
    schema: &SchemaRef,
    rows: &[Row<'_>],
    pictures: &Pictures,
    release: &Path,
) -> Result<()> {
    let refused = |e: parquet::errors::ParquetError| table::invalid(path, &e);
    files::write_whole(path, |file| {
        let mut writer = ArrowWriter::try_new(&mut *file, schema.clone(), Some(properties()))
            .map_err(refused)?;
        for group in shards::of(rows, pictures, GROUP_BYTES) {
            writer
                .write(&batch(path, schema, group, release)?)
                .and_then(|()| writer.flush())
                .map_err(refused)?;
        }
        writer.close().map(|_| ()).map_err(refused)
    })
}

/// JPEG does not shrink further, and no two pictures are alike: neither compression nor dictionary.
fn properties() -> WriterProperties {
    let bytes = ColumnPath::from(
        ["images", "list", "item", "bytes"]
            .map(str::to_owned)
            .to_vec(),
    );
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_column_compression(bytes.clone(), Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(bytes, false)
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "huggingface".to_owned(),
            features(),
        )]))
        .build()
}

/// The `datasets` library's description of the columns.
fn features() -> String {
    let text = json!({"dtype": "string", "_type": "Value"});
    let list = |feature| json!({"feature": feature, "_type": "List"});
    json!({"info": {"features": {
        "id": text,
        "summary": text,
        "n_photos": {"dtype": "int32", "_type": "Value"},
        "captions": list(text.clone()),
        "images": list(json!({"_type": "Image"})),
    }}})
    .to_string()
}

fn picture_fields() -> Fields {
    Fields::from(vec![
        Field::new("bytes", DataType::Binary, true),
        Field::new("path", DataType::Utf8, true),
    ])
}

fn picture_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Struct(picture_fields()), true))
}

/// Everything may be null, though nothing is: the `datasets` library takes its description of a column
/// only where the column's type equals its own, which is nullable throughout.
fn schema() -> SchemaRef {
    let caption = Arc::new(Field::new("item", DataType::Utf8, true));
    let fields = vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("summary", DataType::Utf8, true),
        Field::new("n_photos", DataType::Int32, true),
        Field::new("captions", DataType::List(caption), true),
        Field::new("images", DataType::List(picture_item()), true),
    ];
    let metadata = HashMap::from([("huggingface".to_owned(), features())]);
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

fn batch(path: &Path, schema: &SchemaRef, rows: &[Row<'_>], release: &Path) -> Result<RecordBatch> {
    let refused = |e: arrow::error::ArrowError| table::invalid(path, &e);
    let (mut bytes, mut paths) = (BinaryBuilder::new(), StringBuilder::new());
    for name in rows.iter().flat_map(|row| &row.file_names) {
        let picture = release.join(name);
        bytes.append_value(fs::read(&picture).map_err(io_error("read", &picture))?);
        paths.append_value(name);
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(bytes.finish()), Arc::new(paths.finish())];
    let pictures = StructArray::try_new(picture_fields(), columns, None).map_err(refused)?;
    let lengths = OffsetBuffer::from_lengths(rows.iter().map(|row| row.file_names.len()));
    let lists =
        ListArray::try_new(picture_item(), lengths, Arc::new(pictures), None).map_err(refused)?;
    let mut captions = ListBuilder::new(StringBuilder::new());
    for row in rows {
        captions.append_value(row.captions.iter().map(Some));
    }
    let counts: Int32Array = rows.iter().map(|r| Some(r.n_photos as i32)).collect();
    let columns: Vec<ArrayRef> = vec![
        table::strings(rows.iter().map(|r| r.id)),
        table::strings(rows.iter().map(|r| r.summary)),
        Arc::new(counts),
        Arc::new(captions.finish()),
        Arc::new(lists),
    ];
    RecordBatch::try_new(schema.clone(), columns).map_err(refused)
}
