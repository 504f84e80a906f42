//! The licence that a checkpoint's own model card states.

use std::path::Path;

/// `license` of the card's front matter (README.md beside the weights), as the hub keeps it; `None`
/// where there is no card or it states none.
pub fn licence(path: &Path) -> Option<String> {
    let directory = if path.is_dir() { path } else { path.parent()? };
    let card = std::fs::read_to_string(directory.join("README.md")).ok()?;
    let mut lines = card.lines();
    lines.next().filter(|first| first.trim_end() == "---")?;
    lines
        .take_while(|line| line.trim_end() != "---")
        .find_map(|line| line.strip_prefix("license:"))
        .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::licence;

    #[test]
    fn only_the_front_matter_counts() {
        let folder = tempfile::tempdir().unwrap();
        let says = |card: &str| {
            std::fs::write(folder.path().join("README.md"), card).unwrap();
            licence(folder.path())
        };
        assert_eq!(
            says("---\nlanguage: en\nlicense: apache-2.0\n---\n# A\n").as_deref(),
            Some("apache-2.0")
        );
        assert_eq!(says("---\nlicense: \"mit\"\n---\n").as_deref(), Some("mit"));
        assert_eq!(says("---\nlicense:\n---\n"), None);
        assert_eq!(says("---\nlanguage: en\n---\nlicense: mit\n"), None);
        assert_eq!(says("license: mit\n"), None);
        std::fs::remove_file(folder.path().join("README.md")).unwrap();
        assert_eq!(licence(folder.path()), None);
    }
}
