//! Where assets lie on this machine.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The folder that holds fetched assets: `assets/<asset>/<file>`, and `downloads/` while fetching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// `$ALBUMEN_HOME`, else `$XDG_CACHE_HOME/albumen`, else `~/.cache/albumen`. Empty variables
    /// count as unset, and a relative `XDG_CACHE_HOME` is ignored as its specification asks.
    ///
    /// # Errors
    /// [`Error::NoHome`] if none of the variables is set.
    pub fn locate() -> Result<Self> {
        Self::locate_with(|name| env::var_os(name))
    }

    fn locate_with(var: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let var = |name| var(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(root) = var("ALBUMEN_HOME") {
            let root = std::path::absolute(&root).map_err(Error::io("resolve", &root))?;
            return Ok(Self { root });
        }
        let cache = var("XDG_CACHE_HOME")
            .filter(|p| p.is_absolute())
            .or_else(|| var("HOME").map(|home| home.join(".cache")))
            .ok_or(Error::NoHome)?;
        Ok(Self {
            root: cache.join("albumen"),
        })
    }

    /// A home at a given folder, which need not exist yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        // Clients run in another folder, so a relative path would change its meaning.
        Self {
            root: std::path::absolute(&root).unwrap_or(root),
        }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of one asset.
    pub fn asset_dir(&self, asset: &str) -> PathBuf {
        self.root.join("assets").join(asset)
    }

    /// Where a file of an asset belongs, whether or not it is there.
    pub fn path(&self, asset: &str, file: &str) -> PathBuf {
        self.asset_dir(asset).join(file)
    }

    /// The path of a file of an asset that must be there. The file's hash was checked when it was
    /// fetched; it is not read again here.
    ///
    /// # Errors
    /// [`Error::NotFetched`] if it is not there.
    pub fn require(&self, asset: &str, file: &str) -> Result<PathBuf> {
        let path = self.path(asset, file);
        if path.is_file() {
            Ok(path)
        } else {
            Err(Error::NotFetched {
                asset: asset.to_owned(),
                path,
            })
        }
    }

    /// Packages wait here until they are unpacked; one brought by hand is found here too.
    pub fn downloads(&self) -> PathBuf {
        self.root.join("downloads")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(vars: &[(&str, &str)]) -> Option<PathBuf> {
        let var = |name: &str| vars.iter().find(|v| v.0 == name).map(|v| v.1.into());
        Home::locate_with(var).ok().map(|home| home.root)
    }

    #[test]
    fn the_first_variable_that_is_set_wins() {
        let all = [
            ("ALBUMEN_HOME", "/a"),
            ("XDG_CACHE_HOME", "/x"),
            ("HOME", "/h"),
        ];
        assert_eq!(located(&all), Some("/a".into()));
        assert_eq!(located(&all[1..]), Some("/x/albumen".into()));
        assert_eq!(located(&all[2..]), Some("/h/.cache/albumen".into()));
        let odd = [
            ("ALBUMEN_HOME", ""),
            ("XDG_CACHE_HOME", "relative"),
            ("HOME", "/h"),
        ];
        assert_eq!(located(&odd), Some("/h/.cache/albumen".into()));
        assert_eq!(located(&[]), None);
        let here = env::current_dir().unwrap();
        assert_eq!(
            located(&[("ALBUMEN_HOME", "cache")]),
            Some(here.join("cache"))
        );
    }
}
