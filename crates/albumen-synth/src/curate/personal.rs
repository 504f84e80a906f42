//! Patterns of personal data: public rules that find what has a form, not names.

use std::sync::LazyLock;

use albumen_schema::SyntheticAlbum;
use regex::Regex;

use super::text;

/// Digits that make a number with separators a telephone or account number.
const FEWEST_PHONE_DIGITS: usize = 7;

/// What was found, or `None`. The finding names the kind and the text, not the characters found.
pub(super) fn check(album: &SyntheticAlbum) -> Option<String> {
    text::parts(album).find_map(|(part, text)| {
        let kind = KINDS
            .iter()
            .find(|(_, pattern)| pattern.is_match(text))
            .map(|(kind, _)| *kind)
            .or_else(|| has_phone_number(text).then_some("a telephone number"))?;
        Some(format!("{part} holds {kind}"))
    })
}

static KINDS: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    [
        ("an e-mail address", EMAIL),
        ("a web address", URL),
        ("a user name", HANDLE),
        ("coordinates", COORDINATES),
        ("a street address", ADDRESS),
        ("an account number", ACCOUNT),
        ("a long run of digits", r"\d{6,}"),
    ]
    .map(|(kind, pattern)| (kind, text::constant(pattern)))
    .into()
});

const EMAIL: &str = r"(?xi)
    [\p{L}0-9._%+-]+@[\p{L}0-9-]+(?:\.[\p{L}0-9-]+)*\.\p{L}{2,}
    | \b[\w.-]+\s*(?:\(at\)|\[at\]|\sat\s)\s*[\w-]+\s*(?:\(dot\)|\[dot\]|\sdot\s)\s*[a-z]{2,}\b";

const URL: &str = r"(?xi)
    \b(?:https?|ftp)://\S | \bwww\.\S
    | \b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|edu|gov|info|biz|io|app|dev|me|tv|ly
        |co\.uk|de|fr|it|es|nl|eu|ru|cn|jp)(?:/\S*|\b)";

const HANDLE: &str = r"(?:^|[\s(])@[A-Za-z0-9_]{2,}";

// Decimal degrees in pairs; degrees with minutes or a compass letter ("90° turn" is neither).
const COORDINATES: &str = r"(?x)
    -?\b\d{1,3}\.\d{3,}\s*°?\s*[NSEWnsew]?\s*[,;/\s]\s*-?\d{1,3}\.\d{3,}
    | \b\d{1,3}(?:\.\d+)?\s?°\s?(?:[NSEW]\b|\d{1,2}(?:\.\d+)?\s?['′’])";

// House number, one to three capitalised words, kind of street, as English, or one lower-case word
// where the number cannot count it ("12 main street", but not "2 way street" or "3 lane road");
// then the German, French, Spanish and Italian order, boxes and British postcodes.
const ADDRESS: &str = r"(?x)
    \b\d{1,5}[A-Za-z]?,?\s+(?:(?:\p{Lu}[\p{L}'.-]*|\d{1,3}(?:st|nd|rd|th))\s+){1,3}
        (?i:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl|square
        |sq|way|terrace|highway|hwy|parkway|pkwy|crescent|close)\b
    | \b\d{2,5}[a-z]?\s+[a-z]{3,}\s+(?:street|avenue|road|boulevard|st|ave|rd|blvd|ln|drive)\b
    | (?i:\b(?:\p{L}{3,}(?:straße|strasse|gasse|platz|allee|weg)|\p{L}{3,}str\.)\s+\d{1,4}[a-z]?\b)
    | \b\d{1,4},?\s+(?i:rue|avenue|boulevard|place)\s+\p{L}
    | (?i:\b(?:calle|via|piazza|rua)\s+(?:\p{L}+\s+){1,3}\d{1,4}\b)
    | (?i:\bp\.?\s?o\.?\s?box\s+\d)
    | \b[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}\b";

// IBAN, and social security numbers in groups.
const ACCOUNT: &str = r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){3,}|\b\d{3}-\d{2}-\d{4}\b";

static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| text::constant(r"(?:\+|\(|\b)\d(?:[\s().-]{0,2}\d){4,}"));

// Dates and spans of years have as many digits as a telephone number.
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    text::constant(
        r"(?x)^\(?(?:\d{4}[.-]\d{1,2}[.-]\d{1,2} | \d{1,2}[.-]\d{1,2}[.-](?:19|20)\d{2}
        | (?:1\d|20)\d{2}\s?-\s?(?:1\d|20)\d{2})$",
    )
});

fn has_phone_number(text: &str) -> bool {
    NUMBER.find_iter(text).any(|found| {
        let digits = found.as_str().chars().filter(char::is_ascii_digit).count();
        digits >= FEWEST_PHONE_DIGITS && !DATE.is_match(found.as_str())
    })
}
