//! The language filter: trigrams and alphabets (the crate whatlang), on the whole album's text.
//!
//! A caption of six words is too short to be sure of its language; an album's texts together are
//! not. So an album falls where all its text together, or one text of it on its own, is surely in a
//! language that is not allowed, or where most letters are of an alphabet of no allowed language.
//! What nobody can be sure of stays.

use albumen_schema::SyntheticAlbum;
use whatlang::{Lang, Script};

use super::text;
use crate::error::{Result, SynthError};

/// The languages that albums may be in.
pub(super) struct Languages {
    allowed: Vec<Lang>,
    scripts: Vec<Script>,
}

impl Languages {
    /// Reads ISO 639-3 codes; none lets every language through.
    pub(super) fn new(codes: &[String]) -> Result<Self> {
        let allowed = codes
            .iter()
            .map(|code| {
                Lang::from_code(code.as_str()).ok_or_else(|| SynthError::Language(code.clone()))
            })
            .collect::<Result<Vec<Lang>>>()?;
        let of_allowed = |script: &&Script| script.langs().iter().any(|l| allowed.contains(l));
        let scripts = Script::all().iter().filter(of_allowed).copied().collect();
        Ok(Self { allowed, scripts })
    }

    /// What is foreign, or `None`.
    pub(super) fn check(&self, album: &SyntheticAlbum) -> Option<String> {
        if self.allowed.is_empty() {
            return None;
        }
        let mut whole = String::new();
        for (_, text) in text::parts(album) {
            whole.push_str(text);
            whole.push('\n');
        }
        self.foreign(&whole)
            .map(|what| format!("the album {what}"))
            .or_else(|| {
                text::parts(album)
                    .find_map(|(part, text)| Some(format!("{part} {}", self.foreign(text)?)))
            })
    }

    fn foreign(&self, text: &str) -> Option<String> {
        let info = whatlang::detect(text)?;
        if !self.scripts.contains(&info.script()) {
            return Some(format!("is written in {} letters", info.script().name()));
        }
        let (lang, sure) = (info.lang(), info.is_reliable());
        (sure && !self.allowed.contains(&lang)).then(|| {
            format!(
                "reads as {}, with confidence {:.2}",
                lang.eng_name(),
                info.confidence()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use albumen_schema::config::LANGUAGES;

    use super::*;

    #[test]
    fn the_configuration_knows_every_language_that_is_told_apart() {
        let mut codes: Vec<&str> = Lang::all().iter().map(Lang::code).collect();
        codes.sort_unstable();
        assert_eq!(codes, LANGUAGES);
    }

    fn album(summary: &str, captions: &[&str]) -> SyntheticAlbum {
        SyntheticAlbum {
            id: SyntheticAlbum::id_of(0),
            index: 0,
            summary: summary.to_owned(),
            captions: captions.iter().map(|&c| c.to_owned()).collect(),
            raw_summary: String::new(),
            truncated: false,
        }
    }

    #[test]
    fn allowed_languages_pass_and_doubt_is_no_fault() {
        let german = album(
            "Ein Tag am Meer mit der Familie.",
            &[
                "Zwei Kinder bauen eine Burg aus Sand.",
                "Der Hund läuft durch die Wellen.",
            ],
        );
        let check = |codes: &[&str], album: &SyntheticAlbum| {
            let codes: Vec<String> = codes.iter().map(|&c| c.to_owned()).collect();
            Languages::new(&codes).unwrap().check(album)
        };
        let found = check(&["eng"], &german).unwrap();
        assert!(found.starts_with("the album reads as German"), "{found}");
        assert_eq!(check(&["eng", "deu"], &german), None);
        assert_eq!(check(&[], &german), None);
        // Too short to be sure of.
        assert_eq!(check(&["deu"], &album("A dog.", &["A red dog."])), None);
        let russian = album("День на пляже.", &["Собака бежит."]);
        let found = check(&["eng"], &russian).unwrap();
        assert!(found.contains("Cyrillic"), "{found}");
        assert_eq!(check(&["bul"], &russian), None);
        assert!(Languages::new(&["xx".to_owned()]).is_err());
    }
}
