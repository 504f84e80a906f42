//! Words of a caption, and plurals made singular.

/// Lower-case words; an empty word marks the end of a clause.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for raw in text.split_whitespace() {
        let mut word = String::new();
        for c in raw.chars().flat_map(char::to_lowercase) {
            if c.is_alphanumeric() {
                word.push(c);
            } else if c == '\'' || c == '\u{2019}' {
                word.push('\'');
            } else {
                push_word(&mut out, &mut word);
                if matches!(
                    c,
                    ',' | '.' | ';' | ':' | '!' | '?' | '(' | ')' | '\u{2014}'
                ) {
                    out.push(String::new());
                }
            }
        }
        push_word(&mut out, &mut word);
    }
    out
}

fn push_word(out: &mut Vec<String>, word: &mut String) {
    let bare = word.trim_matches('\'');
    let bare = bare.strip_suffix("'s").unwrap_or(bare);
    if !bare.is_empty() {
        out.push(bare.to_owned());
    }
    word.clear();
}

/// Readings of a plural as a singular, the likeliest first.
pub(crate) fn singulars(word: &str) -> Vec<String> {
    const IRREGULAR: [(&str, &str); 16] = [
        ("men", "man"),
        ("women", "woman"),
        ("geese", "goose"),
        ("mice", "mouse"),
        ("feet", "foot"),
        ("oxen", "ox"),
        ("wolves", "wolf"),
        ("leaves", "leaf"),
        ("knives", "knife"),
        ("loaves", "loaf"),
        ("calves", "calf"),
        ("shelves", "shelf"),
        ("scarves", "scarf"),
        ("firemen", "fireman"),
        ("fishermen", "fisherman"),
        ("policemen", "policeman"),
    ];
    if let Some((_, one)) = IRREGULAR.iter().find(|(many, _)| *many == word) {
        return vec![(*one).to_owned()];
    }
    let mut out = Vec::new();
    if word.len() > 3 && !word.ends_with("ss") {
        if let Some(stem) = word.strip_suffix("ies") {
            out.push(format!("{stem}y"));
        }
        if let Some(stem) = word.strip_suffix('s') {
            out.push(stem.to_owned());
        }
        if let Some(stem) = word.strip_suffix("es") {
            out.push(stem.to_owned());
        }
    }
    out
}
