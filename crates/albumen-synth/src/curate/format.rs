//! Broken format: what the two models were to write and did not.

use std::sync::LazyLock;

use albumen_schema::{SyntheticAlbum, format};
use regex::Regex;

use super::text;

/// A "word" longer than this is a token loop, not a word.
const LONGEST_WORD: usize = 40;

/// What is broken, or `None`.
pub(super) fn check(album: &SyntheticAlbum) -> Option<String> {
    let Some((photos, _)) = format::parse_summary(&album.raw_summary) else {
        return Some("the summary does not read `{n} photos: {summary}`".to_owned());
    };
    if album.truncated {
        return Some("a text ran into its token limit without ending".to_owned());
    }
    if photos != album.captions.len() {
        return Some(format!(
            "{} captions for {photos} photos",
            album.captions.len()
        ));
    }
    text::parts(album).find_map(|(part, text)| {
        let problem = if text.trim().is_empty() {
            "is blank".to_owned()
        } else if let Some(c) = text.chars().find(|&c| is_control(c)) {
            format!("holds the control character U+{:04X}", u32::from(c))
        } else if text
            .split_whitespace()
            .any(|w| w.chars().count() > LONGEST_WORD)
        {
            format!("holds a word of more than {LONGEST_WORD} characters")
        } else if let Some(found) = MARKUP.find(text) {
            format!("holds markup: `{}`", found.as_str().trim())
        } else if let Some(found) = ECHO.find(text) {
            format!("echoes a prompt: `{}`", found.as_str().trim())
        } else {
            return None;
        };
        Some(format!("{part} {problem}"))
    })
}

/// Control characters, and invisible ones that could hide text from the other filters.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e007f}')
}

static MARKUP: LazyLock<Regex> = LazyLock::new(|| {
    text::constant(
        r"(?xi)
        </?[a-z!][^<>]*>                # HTML, XML
        | <\|.*?\|> | </?s> | \[/?inst\]  # special tokens of language models
        | &(?:\#x?[0-9a-f]+|[a-z]{2,8});  # character references
        | ``` | \*\*\S | __\S[^_]*__     # Markdown fences and emphasis
        | ^\s*(?:\#{1,6}|[-*+\x{2022}]|\d{1,2}[.)])\s   # headings and list items
        | !?\[[^\]]*\]\([^)]*\)          # links
        | \{\{ | \}\} | \{%              # templates
        | \\(?:begin|textbf|n\b)         # TeX and escaped line ends
        ",
    )
});

static ECHO: LazyLock<Regex> = LazyLock::new(|| {
    text::constant(
        r"(?xi)
        \balbum\ of\ \d+\ photos?\b
        | \bphoto\ \d+\ of\ \d+\b
        | \b\d+\ photos\s*:
        | ^\s*(?:summary|captions?|title|photos?|album|description|answer|output|text|note)\s*\d*\s*:
        | (?:^|[.!?]\s+)(?:user|assistant|system|human|ai|question|answer)\s*:
        | \bas\ an?\ (?:ai|artificial|(?:large\ )?language\ model)\b
        | \b(?:here\ is|here\s?'s|here\ are|write|provide|generate)\ (?:\w+\ ){0,3}
            (?:summary|captions?|sentences?|descriptions?)\b
        | \bthe\ (?:captions?|summary|sentence)\ (?:is|are|should|describes?|mentions?)\b
        ",
    )
});
