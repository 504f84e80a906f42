//! The freely usable photos of the educational suite GCompris: which of the pictures in its Qt
//! resource containers its own READMEs place in the public domain or under CC0, and by whom.

use std::collections::BTreeMap;
use std::path::Path;

use crate::files::Fingerprint;
use crate::unpack::{RccEntry, read_rcc};
use crate::{Error, Result};

/// Author, licence and source of one photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// Stable name: group and file name, such as `farm-cow`.
    pub id: String,
    /// Author as the package names them.
    pub author: String,
    /// `CC0-1.0` or `Public Domain`.
    pub licence: String,
    /// Where the package took the photo from.
    pub source: String,
    /// Changes the package's makers say they made; empty if they name none.
    pub changes: String,
    /// Path in the package's resource container.
    pub package_path: String,
    /// Size of the photo's file.
    pub size_bytes: u64,
    /// SHA-256 of the photo's file.
    pub sha256: String,
}

impl Attribution {
    /// The photo's file, from the asset's folder.
    pub fn file(&self) -> String {
        format!("photos/{}.webp", self.id)
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::new(self.size_bytes, &self.sha256)
    }
}

/// Folders of photos in the containers, and what the photos of each are called here.
const GROUPS: &[(&str, &str)] = &[
    ("categorization/resource/images/fishes", "fish"),
    ("categorization/resource/images/monuments", "world"),
    ("categorization/resource/images/others", "home"),
    ("categorization/resource/images/renewable", "energy"),
    ("categorization/resource/images/tools", "tool"),
    ("erase/resource", "nature"),
    ("explore_farm_animals/resource/animals", "farm"),
    ("explore_monuments/resource/egypt", "egypt"),
    ("explore_monuments/resource/france", "france"),
    ("explore_monuments/resource/germany", "germany"),
    ("explore_monuments/resource/india", "india"),
    ("explore_monuments/resource/usa", "usa"),
    ("explore_monuments/resource/wonders", "wonder"),
    ("explore_world_animals/resource/animals", "wild"),
    ("explore_world_music/resource/music", "music"),
];
const ROOT: &str = "gcompris/src/activities/";
/// Free, but no photo: a computer-made picture.
const NOT_A_PHOTO: &[&str] = &["home-erasers"];

/// The photos of one container that may be used freely, with their bytes.
///
/// # Errors
/// What is wrong with the container, in words.
pub(crate) fn free_photos(container: &[u8]) -> Result<Vec<(Attribution, Vec<u8>)>, String> {
    let wanted = |path: &str| {
        let file = path.rsplit('/').next().unwrap_or_default();
        file == "README" || file.strip_suffix(".webp").is_some()
    };
    let entries = read_rcc(container, &wanted)?;
    let credits = credits(&entries);
    let mut photos = Vec::new();
    for entry in entries {
        let Some((folder, file)) = entry.path.rsplit_once('/') else {
            continue;
        };
        let group = GROUPS
            .iter()
            .find(|(path, _)| folder.strip_prefix(ROOT) == Some(path));
        let (Some((_, group)), Some(stem)) = (group, file.strip_suffix(".webp")) else {
            continue;
        };
        let Some(Some(credit)) = credits.get(&entry.path) else {
            continue;
        };
        let Some(licence) = free_licence(&credit.licence) else {
            continue;
        };
        if credit.author.is_empty() || credit.source.is_empty() {
            continue;
        }
        let id = format!("{group}-{}", kebab(stem));
        if NOT_A_PHOTO.contains(&id.as_str()) {
            continue;
        }
        let Fingerprint { size_bytes, sha256 } = Fingerprint::of_bytes(&entry.bytes);
        let attribution = Attribution {
            id,
            author: credit.author.clone(),
            licence: licence.to_owned(),
            source: credit.source.clone(),
            changes: credit.changes.clone(),
            package_path: entry.path,
            size_bytes,
            sha256,
        };
        photos.push((attribution, entry.bytes));
    }
    Ok(photos)
}

/// Only these two, spelt out: anything else, or nothing, is not free enough.
fn free_licence(licence: &str) -> Option<&'static str> {
    if licence.eq_ignore_ascii_case("public domain") {
        Some("Public Domain")
    } else if licence.eq_ignore_ascii_case("CC0-1.0") {
        Some("CC0-1.0")
    } else {
        None
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Credit {
    author: String,
    licence: String,
    source: String,
    changes: String,
}

/// The credit of each file named in the READMEs, by the file's path in the container. A file that
/// is named twice with different credits has none.
fn credits(entries: &[RccEntry]) -> BTreeMap<String, Option<Credit>> {
    let mut credits: BTreeMap<String, Option<Credit>> = BTreeMap::new();
    for entry in entries {
        let Some(folder) = entry.path.strip_suffix("/README") else {
            continue;
        };
        let text = String::from_utf8_lossy(&entry.bytes);
        for (credit, files) in text.replace('\r', "").split("\n\n").map(parse_paragraph) {
            for file in files {
                credits
                    .entry(format!("{folder}/{file}"))
                    .and_modify(|c| {
                        if c.as_ref() != Some(&credit) {
                            *c = None;
                        }
                    })
                    .or_insert_with(|| Some(credit.clone()));
            }
        }
    }
    credits
}

/// A paragraph of a README: `Field: value` lines in any order; `Files:` goes on over lines of one
/// file name each.
fn parse_paragraph(paragraph: &str) -> (Credit, Vec<String>) {
    let (mut credit, mut files, mut in_files) = (Credit::default(), Vec::new(), false);
    for line in paragraph.lines() {
        let (field, value) = line.split_once(':').unwrap_or(("", line));
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        in_files = field == "Files" || (in_files && field.is_empty());
        match field {
            "Copyright" => credit.author = value,
            "License" => credit.licence = value,
            "Source" => credit.source = value,
            "Comments" => credit.changes = value,
            _ if in_files && !value.is_empty() => files.push(value),
            _ => {}
        }
    }
    (credit, files)
}

/// `arcDeTriomphe` to `arc-de-triomphe`.
fn kebab(stem: &str) -> String {
    let mut out = String::new();
    let mut before = '-';
    for c in stem.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
                out.push('-');
            }
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('-') {
            out.push('-');
        }
        before = c;
    }
    out.trim_matches('-').to_owned()
}

const HEADER: &str = "id\tauthor\tlicence\tsource\tchanges\tpackage_path\tsize_bytes\tsha256";

/// The table as tab-separated text, a header and a row a photo in the order of ids.
pub(crate) fn write_table(photos: &mut [Attribution]) -> String {
    photos.sort_by(|a, b| a.id.cmp(&b.id));
    let mut text = format!("{HEADER}\n");
    for p in photos.iter() {
        let size = p.size_bytes.to_string();
        let cells = [
            &p.id,
            &p.author,
            &p.licence,
            &p.source,
            &p.changes,
            &p.package_path,
            &size,
            &p.sha256,
        ];
        let cells: Vec<String> = cells.iter().map(|c| c.replace(['\t', '\n'], " ")).collect();
        text.push_str(&cells.join("\t"));
        text.push('\n');
    }
    text
}

/// Reads the `attribution.tsv` of the photo asset.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Attribution`] if a line is not as written.
pub fn read_attribution(path: &Path) -> Result<Vec<Attribution>> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let bad = |line, reason: &str| Error::Attribution {
        path: path.to_owned(),
        line,
        reason: reason.into(),
    };
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(bad(1, "the header is not the expected one"));
    }
    let row = |(i, line): (usize, &str)| {
        let cells: Vec<&str> = line.split('\t').collect();
        let &[
            id,
            author,
            licence,
            source,
            changes,
            package_path,
            size,
            sha256,
        ] = cells.as_slice()
        else {
            return Err(bad(i + 2, "a row has eight cells"));
        };
        Ok(Attribution {
            id: id.into(),
            author: author.into(),
            licence: licence.into(),
            source: source.into(),
            changes: changes.into(),
            package_path: package_path.into(),
            size_bytes: size
                .parse()
                .map_err(|_| bad(i + 2, "size_bytes is not a number"))?,
            sha256: sha256.into(),
        })
    };
    lines.enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unpack::test_container;

    const DIR: &str = "gcompris/src/activities/explore_farm_animals/resource/animals";

    /// Ids and licences of what is taken from a container with these pictures and this README.
    fn taken(files: &[&str], readme: &str) -> Vec<(String, String)> {
        let mut all: Vec<(&str, &[u8])> = files.iter().map(|f| (*f, &b"RIFF"[..])).collect();
        all.push(("README", readme.as_bytes()));
        let photos = free_photos(&test_container(DIR, &all)).unwrap();
        photos.into_iter().map(|(a, _)| (a.id, a.licence)).collect()
    }

    fn credit(licence: &str, files: &str) -> String {
        format!("Copyright: A\nSource: commons\nLicense: {licence}\nFiles:{files}\n\n")
    }

    #[test]
    fn only_public_domain_and_cc0_are_taken() {
        for (licence, kept) in [
            ("Public Domain", Some("Public Domain")),
            ("Public domain", Some("Public Domain")),
            ("CC0-1.0", Some("CC0-1.0")),
            ("CC0", None),
            ("CC-BY-SA 4.0", None),
            ("CC-BY-2.0", None),
            ("GPLv2+", None),
            ("Public Domain in some countries", None),
            ("not Public Domain", None),
            ("", None),
        ] {
            let got = taken(&["cow.webp"], &credit(licence, " cow.webp"));
            assert_eq!(got.first().map(|p| p.1.as_str()), kept, "{licence}");
        }
    }

    #[test]
    fn a_photo_without_a_clear_licence_line_is_left() {
        let free = credit("CC0-1.0", " cow.webp");
        assert_eq!(taken(&["cow.webp"], &free).len(), 1);
        for readme in [
            String::new(),
            // Misspelt file, no author, no source.
            credit("CC0-1.0", " cov.webp"),
            free.replace("Copyright: A\n", ""),
            free.replace("Source: commons\n", ""),
            // Another paragraph says otherwise.
            format!("{free}{}", credit("CC-BY-SA 4.0", " cow.webp")),
            // The licence belongs to the paragraph before.
            "License: CC0-1.0\n\nCopyright: A\nSource: x\nFiles: cow.webp".into(),
        ] {
            assert_eq!(taken(&["cow.webp"], &readme), [], "{readme}");
        }
    }

    #[test]
    fn paragraphs_may_order_their_fields_and_list_files_over_lines() {
        let readme = "Files:\n  cow.webp\n  redPig_2.webp\nLicense:  CC0-1.0\nComments: cropped, sharpened\n\
                      Source: https://example.org/a:b\nCopyright: A  B\r\n\r\n";
        let all = [
            ("cow.webp", &b"1"[..]),
            ("redPig_2.webp", b"2"),
            ("README", readme.as_bytes()),
        ];
        let photos = free_photos(&test_container(DIR, &all)).unwrap();
        let (a, b) = (&photos[0].0, &photos[1].0);
        assert_eq!(
            (a.id.as_str(), b.id.as_str()),
            ("farm-cow", "farm-red-pig-2")
        );
        assert_eq!(
            (a.author.as_str(), a.source.as_str()),
            ("A B", "https://example.org/a:b")
        );
        assert_eq!(
            (a.changes.as_str(), a.size_bytes),
            ("cropped, sharpened", 1)
        );
        assert_eq!(a.package_path, format!("{DIR}/cow.webp"));
    }

    #[test]
    fn the_table_survives_the_round_trip() {
        let all = [
            ("b.webp", &b"1"[..]),
            ("a.webp", b"2"),
            ("README", credit("CC0-1.0", "\na.webp\nb.webp").as_bytes()),
        ]
        .map(|(f, b)| (f, b.to_vec()));
        let all: Vec<(&str, &[u8])> = all.iter().map(|(f, b)| (*f, &b[..])).collect();
        let photos = free_photos(&test_container(DIR, &all)).unwrap();
        let mut rows: Vec<Attribution> = photos.into_iter().map(|(a, _)| a).collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("attribution.tsv");
        std::fs::write(&path, write_table(&mut rows)).unwrap();
        assert_eq!(rows[0].id, "farm-a");
        assert_eq!(read_attribution(&path).unwrap(), rows);

        std::fs::write(&path, format!("{HEADER}\na\tb\n")).unwrap();
        let message = read_attribution(&path).unwrap_err().to_string();
        assert!(message.ends_with(
            "attribution.tsv, line 2: a row has eight cells; run `albumen assets fetch` to mend it"
        ));
    }
}
