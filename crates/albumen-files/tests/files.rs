//! Modes, leftovers of killed processes, and hashes.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use albumen_files::{
    FileError, Part, append_private, create_private, make_private_dir, part_of, remove_leftover,
    sha256_hex, sha256_of_file, write_private, write_whole, write_whole_with,
};

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
fn file_of_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, "old").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_whole_file_replaces_the_old_one_and_leaves_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    for text in ["one", "two"] {
        write_whole(&path, text.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        write_private(&path, text.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(names(dir.path()), ["a.json"]);
}

#[test]
fn a_failed_write_keeps_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    write_whole(&path, b"old").unwrap();
    let failed = write_whole_with(&path, |file| {
        file.write_all(b"half of").unwrap();
        Err::<(), _>(FileError::at("make", &path)(std::io::Error::other("no")))
    });
    assert_eq!(failed.unwrap_err().action, "make");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(dir.path()), ["a.json"]);
}

#[test]
fn what_a_killed_writer_left_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.bin");
    fs::write(part_of(&path), "a longer text, half written").unwrap();
    write_whole(&path, b"short").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "short");
    fs::write(part_of(&path), "secret").unwrap();
    remove_leftover(&path).unwrap();
    remove_leftover(&path).unwrap();
    assert_eq!(names(dir.path()), ["a.bin"]);
}

#[cfg(unix)]
#[test]
fn a_leftover_does_not_lend_its_mode_to_a_private_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("escrow");
    file_of_mode(&part_of(&path), 0o644);
    file_of_mode(&path, 0o644);
    write_private(&path, b"private").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read_to_string(&path).unwrap(), "private");
}

#[cfg(unix)]
#[test]
fn a_private_file_is_written_beside_one_that_another_still_reads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("escrow");
    file_of_mode(&path, 0o644);
    let mut open_before = fs::File::open(&path).unwrap();
    write_private(&path, b"private").unwrap();
    let mut seen = String::new();
    open_before.read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "old");
}

#[cfg(unix)]
#[test]
fn an_ordinary_file_has_the_mode_of_any_new_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("any"), "").unwrap();
    let path = dir.path().join("release.json");
    write_private(&path, b"").unwrap();
    write_whole(&path, b"").unwrap();
    assert_eq!(mode(&path), mode(&dir.path().join("any")));
}

#[cfg(unix)]
#[test]
fn an_older_file_is_closed_to_others_before_it_is_appended_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metrics.jsonl");
    append_private(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    file_of_mode(&path, 0o644);
    let mut file = append_private(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    file.write_all(b" and new").unwrap();
    drop(file);
    let mut text = String::new();
    let mut file = append_private(&path).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "old and new");
    // A journal drops a line that was cut off.
    file.set_len(3).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
}

#[cfg(unix)]
#[test]
fn a_new_private_file_takes_nothing_from_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("albums.parquet");
    file_of_mode(&path, 0o666);
    create_private(&path).unwrap().write_all(b"n").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read_to_string(&path).unwrap(), "n");
}

#[cfg(unix)]
#[test]
fn a_private_directory_is_closed_to_others_even_where_it_was_open() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let private = dir.path().join("run/private");
    make_private_dir(&private).unwrap();
    assert_eq!(mode(&private), 0o700);
    fs::set_permissions(&private, fs::Permissions::from_mode(0o755)).unwrap();
    make_private_dir(&private).unwrap();
    assert_eq!(mode(&private), 0o700);
}

#[test]
fn a_directory_has_its_name_only_once_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("stage");
    let part = Part::start(&target).unwrap();
    fs::create_dir(part.path().join("images")).unwrap();
    fs::write(part.path().join("images/1.png"), "1").unwrap();
    drop(part);
    assert_eq!(names(dir.path()), ["stage.part"]);

    let part = Part::resume(&target).unwrap();
    assert!(part.path().join("images/1.png").exists());
    part.finish().unwrap();
    assert_eq!(names(dir.path()), ["stage"]);

    let part = Part::start(&target).unwrap();
    fs::write(part.path().join("new"), "2").unwrap();
    assert!(target.join("images/1.png").exists());
    part.finish().unwrap();
    assert_eq!(names(dir.path()), ["stage"]);
    assert_eq!(names(&target), ["new"]);
}

#[test]
fn a_killed_try_is_removed_and_so_is_what_it_had_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("stage");
    for name in ["stage.part", "stage.old"] {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("half"), "").unwrap();
    }
    let part = Part::start(&target).unwrap();
    assert!(names(part.path()).is_empty());
    part.finish().unwrap();
    assert_eq!(names(dir.path()), ["stage"]);
}

#[test]
fn hashes_are_those_of_the_standard() {
    // FIPS 180-2, appendix B.1.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(sha256_hex("abc"), abc);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("abc");
    fs::write(&path, "abc").unwrap();
    assert_eq!(sha256_of_file(&path).unwrap(), abc);
    // FIPS 180-2, appendix B.3: longer than any buffer.
    fs::write(&path, "a".repeat(1_000_000)).unwrap();
    assert_eq!(
        sha256_of_file(&path).unwrap(),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    );
}

#[test]
fn an_error_says_what_where_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nowhere/a");
    let error = write_whole(&path, b"").unwrap_err();
    assert_eq!(error.action, "write");
    assert_eq!(error.path, part_of(&path));
    assert_eq!(error.hint(), "check the path");
    assert_eq!(sha256_of_file(&path).unwrap_err().path, path);
    let io: std::io::Error = error.into();
    assert_eq!(io.kind(), std::io::ErrorKind::NotFound);
    assert!(io.to_string().contains("nowhere"), "{io}");
}
