//! The languages of a release's texts, as the hub names them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use whatlang::{Detector, Info, Lang};

use super::rows::Row;

/// A language of at least this share of the albums is common, and named.
const COMMON: f64 = 0.1;

/// The common languages of the albums, by share, the largest first: ISO 639-1 codes.
///
/// A few words may not show for sure which of seventy languages they are in. So the languages in question
/// are found first: the `expected` ones (ISO 639-3), those that an album is surely in, and the one that
/// more than half of the albums seem to be in. Each album then counts for the one of these that it is
/// nearest to; one without letters of any of them does not count.
pub(super) fn of(rows: &[Row<'_>], expected: &[String]) -> Vec<&'static str> {
    let texts: Vec<String> = rows.iter().map(text).collect();
    let seen: Vec<Info> = texts
        .iter()
        .filter_map(|text| whatlang::detect(text))
        .collect();
    let sure = seen
        .iter()
        .filter(|info| info.is_reliable())
        .map(Info::lang);
    let albums_in = |lang: &Lang| seen.iter().filter(|info| info.lang() == *lang).count();
    let expected = expected.iter().filter_map(Lang::from_code);
    let mut in_question: Vec<Lang> = sure.chain(expected).collect();
    let most = Lang::all().iter().copied().max_by_key(albums_in);
    let leads = |lang: &Lang| 2 * albums_in(lang) > seen.len();
    in_question.extend(most.filter(|lang| in_question.is_empty() || leads(lang)));

    let detector = Detector::with_allowlist(in_question);
    let mut albums: BTreeMap<&str, usize> = BTreeMap::new();
    for lang in texts.iter().filter_map(|text| detector.detect_lang(text)) {
        *albums.entry(code(lang)).or_default() += 1;
    }
    let counted: usize = albums.values().sum();
    let mut common: Vec<(&str, usize)> = albums.into_iter().collect();
    common.retain(|(_, n)| *n as f64 >= COMMON * counted as f64);
    common.sort_by_key(|(_, n)| Reverse(*n));
    common.into_iter().map(|(code, _)| code).collect()
}

/// Everything that an album says, a line each.
fn text(row: &Row<'_>) -> String {
    let mut text = format!("{}\n", row.summary);
    for caption in row.captions {
        text.push_str(caption);
        text.push('\n');
    }
    text
}

/// ISO 639-1; Mandarin and Iranian Persian go by the codes of Chinese and Persian.
fn code(lang: Lang) -> &'static str {
    match lang {
        Lang::Afr => "af",
        Lang::Aka => "ak",
        Lang::Amh => "am",
        Lang::Ara => "ar",
        Lang::Aze => "az",
        Lang::Bel => "be",
        Lang::Ben => "bn",
        Lang::Bul => "bg",
        Lang::Cat => "ca",
        Lang::Ces => "cs",
        Lang::Cmn => "zh",
        Lang::Cym => "cy",
        Lang::Dan => "da",
        Lang::Deu => "de",
        Lang::Ell => "el",
        Lang::Eng => "en",
        Lang::Epo => "eo",
        Lang::Est => "et",
        Lang::Fin => "fi",
        Lang::Fra => "fr",
        Lang::Guj => "gu",
        Lang::Heb => "he",
        Lang::Hin => "hi",
        Lang::Hrv => "hr",
        Lang::Hun => "hu",
        Lang::Hye => "hy",
        Lang::Ind => "id",
        Lang::Ita => "it",
        Lang::Jav => "jv",
        Lang::Jpn => "ja",
        Lang::Kan => "kn",
        Lang::Kat => "ka",
        Lang::Khm => "km",
        Lang::Kor => "ko",
        Lang::Lat => "la",
        Lang::Lav => "lv",
        Lang::Lit => "lt",
        Lang::Mal => "ml",
        Lang::Mar => "mr",
        Lang::Mkd => "mk",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Nld => "nl",
        Lang::Nob => "nb",
        Lang::Ori => "or",
        Lang::Pan => "pa",
        Lang::Pes => "fa",
        Lang::Pol => "pl",
        Lang::Por => "pt",
        Lang::Ron => "ro",
        Lang::Rus => "ru",
        Lang::Sin => "si",
        Lang::Slk => "sk",
        Lang::Slv => "sl",
        Lang::Sna => "sn",
        Lang::Spa => "es",
        Lang::Srp => "sr",
        Lang::Swe => "sv",
        Lang::Tam => "ta",
        Lang::Tel => "te",
        Lang::Tgl => "tl",
        Lang::Tha => "th",
        Lang::Tuk => "tk",
        Lang::Tur => "tr",
        Lang::Ukr => "uk",
        Lang::Urd => "ur",
        Lang::Uzb => "uz",
        Lang::Vie => "vi",
        Lang::Yid => "yi",
        Lang::Zul => "zu",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str =
        "Two children build a castle of sand while the dog runs through the waves.";
    const GERMAN: &str =
        "Zwei Kinder bauen eine Burg aus Sand, und der Hund läuft durch die Wellen.";
    const FRENCH: &str =
        "Deux enfants construisent un château de sable pendant que le chien court dans les vagues.";

    fn named(summaries: &[&str], expected: &[&str]) -> Vec<&'static str> {
        let rows = summaries.iter().map(|summary| Row {
            file_names: Vec::new(),
            id: "album-000000",
            summary,
            n_photos: 0,
            captions: &[],
        });
        let expected: Vec<String> = expected.iter().map(|&code| code.to_owned()).collect();
        of(&rows.collect::<Vec<_>>(), &expected)
    }

    #[test]
    fn common_languages_are_named_by_share() {
        assert_eq!(named(&[ENGLISH; 3], &[]), ["en"]);
        assert_eq!(named(&[GERMAN], &[]), ["de"]);
        assert_eq!(named(&[ENGLISH, GERMAN, GERMAN], &["eng"]), ["de", "en"]);
        let mut many = vec![ENGLISH; 17];
        many.extend([FRENCH, FRENCH, GERMAN]);
        assert_eq!(named(&many, &[]), ["en", "fr"]);
        let cyrillic = "Двое детей строят замок из песка, а собака бежит по волнам.";
        assert_eq!(named(&[cyrillic], &[]), ["ru"]);
        // The texts decide, whatever the filter lets through.
        assert_eq!(named(&[GERMAN], &["eng"]), ["de"]);
    }

    #[test]
    fn captions_count_as_the_summary_does() {
        let captions = [GERMAN.to_owned(), GERMAN.to_owned()];
        let row = Row {
            file_names: Vec::new(),
            id: "album-000000",
            summary: "",
            n_photos: 2,
            captions: &captions,
        };
        assert_eq!(of(&[row], &[]), ["de"]);
    }

    #[test]
    fn few_words_count_for_the_nearest_language_in_question() {
        let short = ["A dog on a beach.", "The sun over the hills.", "Two cats."];
        for text in short {
            assert!(!whatlang::detect(text).unwrap().is_reliable());
        }
        assert_eq!(named(&short, &["eng"]), ["en"]);
        assert_eq!(named(&short, &["deu", "eng"])[0], "en");
        assert!(named(&["123", "?!"], &["eng"]).is_empty());
        assert_eq!(named(&["123", GERMAN], &[]), ["de"]);
    }

    #[test]
    fn every_language_has_a_code_of_its_own() {
        let mut codes: Vec<&str> = Lang::all().iter().map(|&l| code(l)).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Lang::all().len());
        assert!(codes.iter().all(|code| code.len() == 2));
    }
}
