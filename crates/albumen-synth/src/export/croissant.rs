//! `croissant.json`: the release described in Croissant 1.0 (Akhtar et al. 2024,
//! <https://docs.mlcommons.org/croissant/docs/croissant-spec.html>), so that its readers load albums
//! and pictures and check hashes.
//!
//! It states no date of publication, which the specification recommends: nothing of the time goes
//! into a release.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{COCO_FILE, IMAGES_DIR, PARQUET_DIR, WEBDATASET_DIR};
use crate::error::{Result, SynthError};
use crate::render;
use albumen_verify::names::{ALBUMS_FILE, METADATA_FILE};

/// What the description says of the release as a whole.
pub(super) struct About<'a> {
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    pub(super) license: &'a str,
}

/// The document, given the hashes of the files written so far by relative path.
pub(super) fn document(about: &About<'_>, hashes: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let document = json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": about.name,
        "description": about.description,
        "license": about.license,
        "version": "1.0.0",
        "distribution": distribution(hashes),
        "recordSet": [albums(), photos()],
    });
    let mut bytes = serde_json::to_vec_pretty(&document).map_err(SynthError::Json)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// A file each with its hash, but the pictures as one set: `privacy.json` has their hashes.
fn distribution(hashes: &BTreeMap<String, String>) -> Vec<Value> {
    let mut listed: Vec<Value> = hashes
        .iter()
        .filter_map(|(name, sha256)| {
            let (encoding, what) = match name.as_str() {
                ALBUMS_FILE => ("application/x-parquet", "One row an album, without pixels."),
                METADATA_FILE => ("application/jsonlines", "The rows of the imagefolder."),
                COCO_FILE => ("application/json", "COCO captions."),
                n if n.starts_with(PARQUET_DIR) => {
                    ("application/x-parquet", "Albums with the pictures' bytes.")
                }
                n if n.starts_with(WEBDATASET_DIR) => {
                    ("application/x-tar", "WebDataset shard, one sample a photo.")
                }
                _ => return None,
            };
            Some(json!({
                "@type": "cr:FileObject",
                "@id": name,
                "name": name,
                "description": what,
                "contentUrl": name,
                "encodingFormat": encoding,
                "sha256": sha256,
            }))
        })
        .collect();
    listed.push(json!({
        "@type": "cr:FileSet",
        "@id": "pictures",
        "name": "pictures",
        "description": "One picture a caption.",
        "encodingFormat": "image/jpeg",
        "includes": format!("{IMAGES_DIR}/*/*.{}", render::EXTENSION),
    }));
    listed
}

fn albums() -> Value {
    let field = |name: &str, kind: &str, what: &str, repeated: bool| {
        let mut field = json!({
            "@type": "cr:Field",
            "@id": format!("albums/{name}"),
            "name": name,
            "description": what,
            "dataType": kind,
            "source": {"fileObject": {"@id": ALBUMS_FILE}, "extract": {"column": name}},
        });
        if repeated {
            field["repeated"] = true.into();
        }
        field
    };
    json!({
        "@type": "cr:RecordSet",
        "@id": "albums",
        "name": "albums",
        "description": "One record an album.",
        "key": {"@id": "albums/id"},
        "field": [
            field("id", "sc:Text", "The album's identifier.", false),
            field("summary", "sc:Text", "What the album shows.", false),
            field("n_photos", "sc:Integer", "Number of photos.", false),
            field("captions", "sc:Text", "One caption a photo, in order.", true),
            field("images", "sc:Text", "The pictures' paths, in the captions' order.", true),
        ],
    })
}

fn photos() -> Value {
    let field = |name: &str, kind: &str, what: &str, property: &str| {
        json!({
            "@type": "cr:Field",
            "@id": format!("photos/{name}"),
            "name": name,
            "description": what,
            "dataType": kind,
            "source": {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": property}},
        })
    };
    let mut album = field(
        "album",
        "sc:Text",
        "The identifier of its album.",
        "fullpath",
    );
    album["source"]["transform"] = json!({"regex": format!(".*{IMAGES_DIR}/([^/]+)/.*")});
    json!({
        "@type": "cr:RecordSet",
        "@id": "photos",
        "name": "photos",
        "description": "One record a picture.",
        "field": [
            field("path", "sc:Text", "As in albums/images.", "fullpath"),
            album,
            field("image", "sc:ImageObject", "The picture.", "content"),
        ],
    })
}

/// The context that the specification's section on prefixes gives for version 1.0.
fn context() -> Value {
    let mut context = json!({
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "conformsTo": "dct:conformsTo",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
    });
    for term in [
        "citeAs",
        "column",
        "equivalentProperty",
        "extract",
        "field",
        "fileObject",
        "fileProperty",
        "fileSet",
        "format",
        "includes",
        "isLiveDataset",
        "jsonPath",
        "key",
        "md5",
        "parentField",
        "path",
        "recordSet",
        "references",
        "regex",
        "repeated",
        "replace",
        "samplingRate",
        "separator",
        "source",
        "subField",
        "transform",
    ] {
        context[term] = format!("cr:{term}").into();
    }
    context
}
