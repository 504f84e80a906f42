//! With unit `owner` an album without an owner must not pass for one.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::fs;

use albumen_corpus::{CorpusError, ingest_stage};
use albumen_schema::Unit;
use albumen_schema::config::{CorpusConfig, InputFormat, OwnerlessAlbums};

const NAMED: &str = r#"{"album_id": "a", "owner_id": " ann ", "photos": [{"caption": "A cat."}]}"#;
const OWNERLESS: &str = r#"{"album_id": "b", "photos": [{"caption": "A dog."}]}"#;

fn stage(text: &str, unit: Unit, ownerless_albums: OwnerlessAlbums) -> Result<(), CorpusError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("albums.jsonl");
    fs::write(&path, text).unwrap();
    let config = CorpusConfig {
        path,
        format: InputFormat::Jsonl,
        ownerless_albums,
        max_bad_photos: 0,
        max_pixels: 1_000_000,
        max_photos_per_album: 12,
    };
    ingest_stage(&config, unit, dir.path())
}

#[test]
fn an_album_without_an_owner_is_refused_where_owners_are_the_unit() {
    let both = format!("{NAMED}\n{OWNERLESS}\n");
    let refused = stage(&both, Unit::Owner, OwnerlessAlbums::Refuse).unwrap_err();
    assert!(matches!(refused, CorpusError::Ownerless));
    let message = refused.to_string();
    assert!(message.contains("an album without an owner"), "{message}");

    stage(&both, Unit::Owner, OwnerlessAlbums::OwnOwner).unwrap();
    stage(&both, Unit::Album, OwnerlessAlbums::Refuse).unwrap();
    stage(NAMED, Unit::Owner, OwnerlessAlbums::Refuse).unwrap();
}
