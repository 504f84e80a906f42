//! Public albums that a configuration names: readable, and outside the private corpus.

use std::path::Path;

use albumen_schema::Config;
use albumen_train::read_public;
use anyhow::Context;

use super::preamble;

/// Fails where the public albums that the configuration names cannot be read, or are private ones.
pub(crate) fn check_public(config: &Config) -> anyhow::Result<()> {
    if let Some(public) = &config.train.public {
        ensure_apart("train.public.path", &public.path, &config.corpus.path)?;
        read_public(&public.path).context("[train.public]")?;
    }
    if let Some(path) = config.train.preamble_file() {
        ensure_apart("train.preamble", path, &config.corpus.path)?;
        preamble::albums(&config.train.preamble)?;
    }
    Ok(())
}

/// Refuses public albums that lie in the private corpus: they would be learnt without protection.
pub(crate) fn ensure_apart(key: &str, public: &Path, corpus: &Path) -> anyhow::Result<()> {
    // What is not there is refused where it is read.
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    anyhow::ensure!(
        !whole(public).starts_with(whole(corpus)),
        "`{key}` {} lies inside `corpus.path` {}: albums of the \
         private corpus are not public\n  hint: keep the public albums in a file outside the corpus",
        public.display(),
        corpus.display()
    );
    Ok(())
}
