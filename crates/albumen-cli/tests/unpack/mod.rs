//! What packed files hold, for searches: Parquet's strings, PNG's compressed texts, pictures and
//! other data inside base64.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::util::display::array_value_to_string;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression as Codec;
use parquet::file::properties::WriterProperties;

/// Whether `bytes` hold `text`.
pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

/// Everything packed inside a file, one after the other.
pub(crate) fn unpacked(path: &Path, bytes: &[u8]) -> Vec<u8> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("parquet") => parquet_values(path),
        Some("png") => png_texts(bytes),
        _ => base64_runs(bytes),
    }
}

fn parquet_values(path: &Path) -> Vec<u8> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap())
        .unwrap()
        .build()
        .unwrap();
    let mut text = String::new();
    for batch in reader {
        let batch = batch.unwrap();
        for column in batch.columns() {
            for row in 0..column.len() {
                text.push_str(&array_value_to_string(column, row).unwrap());
                text.push('\n');
            }
        }
    }
    text.into_bytes()
}

/// The compressed texts of `zTXt` and `iTXt` chunks (PNG specification, 11.3.3).
fn png_texts(bytes: &[u8]) -> Vec<u8> {
    let mut texts = Vec::new();
    let mut rest = &bytes[8..];
    while let Some((head, after)) = rest.split_at_checked(8) {
        let length = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
        if matches!(&head[4..], b"zTXt" | b"iTXt") {
            // The stream starts after a keyword and a few fields; every start is tried.
            for start in 0..length {
                let mut text = Vec::new();
                if ZlibDecoder::new(&after[start..length])
                    .read_to_end(&mut text)
                    .is_ok()
                {
                    texts.extend(text);
                }
            }
        }
        rest = &after[length + 4..];
    }
    texts
}

/// What long runs of base64 stand for: the thumbnails of a report.
fn base64_runs(bytes: &[u8]) -> Vec<u8> {
    let in_run = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    let mut found = Vec::new();
    for run in bytes.split(|b| !in_run(b)).filter(|run| run.len() >= 16) {
        if let Ok(data) = STANDARD.decode(run) {
            found.extend(data);
        }
    }
    found
}

/// One packed file of each kind that holds `text`, in which the text cannot be read as it is.
pub(crate) fn samples(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    // Overlapping parts first: Snappy then writes the whole as references to them.
    let parts = (text.as_bytes().windows(6)).map(|w| String::from_utf8(w.to_vec()).unwrap());
    let values: Vec<String> = parts.chain([text.to_owned()]).collect();
    let column: ArrayRef = Arc::new(StringArray::from(values));
    let batch = RecordBatch::try_from_iter([("text", column)]).unwrap();
    let mut table = Vec::new();
    let properties = WriterProperties::builder()
        .set_compression(Codec::SNAPPY)
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
        .build();
    let mut writer = ArrowWriter::try_new(&mut table, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();

    let mut stream = ZlibEncoder::new(b"Comment\0\0".to_vec(), Compression::best());
    stream.write_all(text.as_bytes()).unwrap();
    let stream = stream.finish().unwrap();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend((stream.len() as u32).to_be_bytes());
    png.extend(b"zTXt");
    png.extend(stream);
    png.extend([0; 4]);
    vec![
        ("table.parquet", table),
        ("picture.png", png),
        (
            "page.html",
            format!("\"{}\"", STANDARD.encode(text)).into_bytes(),
        ),
    ]
}
