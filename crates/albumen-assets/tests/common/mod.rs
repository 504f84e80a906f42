//! Tiny packages and shell scripts that stand for pip, npm and apt-get, so that fetching is tested
//! without a network.
#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use albumen_assets::{
    Client, Clients, Contents, Error, Fetcher, FilePin, Home, Outcome, Pin, Progress,
};

pub(crate) use albumen_files::sha256_hex as sha256;

/// Pins live as long as the program; those of a test do too.
fn leak(text: impl Into<String>) -> &'static str {
    Box::leak(text.into().into_boxed_str())
}

/// A pin of one file in a package.
pub(crate) fn pin(asset: &str, client: Client, package: &[u8], entry: &str, file: &[u8]) -> Pin {
    Pin {
        asset: leak(asset),
        client,
        package: leak(format!("the-{asset}")),
        version: "1.2.3",
        size_bytes: package.len() as u64,
        sha256: leak(sha256(package)),
        licence: "MIT",
        purpose: "tests",
        contents: Contents::Files(Box::leak(Box::new([FilePin {
            entry: leak(entry),
            file: "model.bin",
            size_bytes: file.len() as u64,
            sha256: leak(sha256(file)),
        }]))),
    }
}

pub(crate) fn wheel(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A tar archive; names go in unchecked, as an attacker would write them.
pub(crate) fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

pub(crate) fn deb(data_name: &str, data: &[u8]) -> Vec<u8> {
    let mut ar = ar::Builder::new(Vec::new());
    for (name, bytes) in [("debian-binary", &b"2.0\n"[..]), (data_name, data)] {
        ar.append(&ar::Header::new(name.into(), bytes.len() as u64), bytes)
            .unwrap();
    }
    ar.into_inner().unwrap()
}

/// A home in a temporary folder with clients whose behaviour a test sets.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) home: Home,
    pub(crate) clients: Clients,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        let program = |name: &str| dir.path().join(name);
        let clients = Clients {
            python: program("python3"),
            npm: program("npm"),
            apt_get: program("apt-get"),
            apt_update: false,
        };
        Self { dir, home, clients }
    }

    /// Sets what `python3`, `npm` or `apt-get` does. It runs in the folder that packages belong in;
    /// each run adds its arguments to a log.
    pub(crate) fn client(&self, name: &str, script: &str) {
        let path = self.dir.path().join(name);
        let log = self.dir.path().join("log");
        let text = format!(
            "#!/bin/sh\necho \"{name} $*\" >> '{}'\n{script}\n",
            log.display()
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A client that delivers `package` as a file of this name.
    pub(crate) fn serves(&self, client: &str, file: &str, package: &[u8]) {
        let path = self.dir.path().join(format!("{client}-{file}"));
        fs::write(&path, package).unwrap();
        self.client(client, &format!("cp '{}' '{file}'", path.display()));
    }

    /// Client runs so far, a line each.
    pub(crate) fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        let home = self.home.root().display().to_string();
        text.lines().map(|l| l.replace(&home, "HOME")).collect()
    }

    pub(crate) fn fetch(&self, pins: &[Pin]) -> Result<Vec<Outcome>, Error> {
        let outcomes = std::sync::Mutex::new(Vec::new());
        let fetcher = Fetcher {
            home: &self.home,
            clients: self.clients.clone(),
            pins,
        };
        fetcher.fetch(&[], &|p| {
            if let Progress::Done(_, outcome) = p {
                outcomes.lock().unwrap().push(outcome);
            }
        })?;
        Ok(outcomes.into_inner().unwrap())
    }

    pub(crate) fn message(&self, pins: &[Pin]) -> String {
        let text = self.fetch(pins).unwrap_err().to_string();
        text.replace(&self.dir.path().display().to_string(), "DIR")
    }
}

/// Every file under a folder, relative to it and sorted.
pub(crate) fn tree(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, root: &Path, out: &mut Vec<String>) {
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, out);
            } else {
                out.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    let mut out = Vec::new();
    walk(dir, dir, &mut out);
    out.sort();
    out
}
