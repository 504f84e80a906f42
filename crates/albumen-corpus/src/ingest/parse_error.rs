//! What a parser says about private input, without the input.
//!
//! serde's messages quote the value that did not fit: a caption, a name. Errors end on a terminal
//! and in logs, so only the key, the kind of value and what was expected stay.

/// A serde message without the user's own text: its place is told apart from it.
pub(super) fn without_content(message: &str) -> String {
    let message = message.trim_end();
    for start in ["invalid type: ", "invalid value: ", "invalid length "] {
        if let Some(rest) = message.strip_prefix(start) {
            // The value may hold anything, these words included; what was expected is ours.
            let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, ""));
            let kind = found.split(['`', '"', '\'']).next().unwrap_or_default();
            let kind = kind.trim_end();
            return format!("{start}{kind}, expected {expected}");
        }
    }
    for start in ["unknown field `", "unknown variant `"] {
        if let Some(rest) = message.strip_prefix(start) {
            let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, ""));
            let key = found.strip_suffix('`').unwrap_or(found);
            let what = start.trim_end_matches(" `");
            let mut known = expected.split('`').skip(1).step_by(2);
            let named = if known.any(|known| near(key, known)) {
                format!("{what} `{key}`")
            } else {
                what.to_owned()
            };
            return format!("{named}, expected {expected}");
        }
    }
    // Keys of ours, and a sentence of ours.
    let ours = [
        "missing field `",
        "duplicate field `",
        "`text` must be text",
    ];
    if ours.iter().any(|start| message.starts_with(start)) {
        return message.to_owned();
    }
    // Any other message: up to the first quotation.
    let plain = message
        .split(['`', '"', '\'', '\n'])
        .next()
        .unwrap_or_default();
    plain.trim_end().to_owned()
}

/// Whether a key is a known one misspelt, and so may be shown.
pub(super) fn near(key: &str, known: &str) -> bool {
    strsim::jaro_winkler(key, known) >= 0.85 && key.len() <= known.len() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_keys_stay_and_values_go() {
        for (message, expected) in [
            (
                "invalid type: string \"Ann, expected at `noon` 0123\", expected a sequence",
                "invalid type: string, expected a sequence",
            ),
            (
                "invalid type: integer `48151623`, expected a string",
                "invalid type: integer, expected a string",
            ),
            (
                "invalid type: map, expected a string",
                "invalid type: map, expected a string",
            ),
            (
                "unknown field `owner`, expected one of `album_id`, `owner_id`",
                "unknown field `owner`, expected one of `album_id`, `owner_id`",
            ),
            (
                "unknown field `Ann's 40th`, expected `owner` or `title`",
                "unknown field, expected `owner` or `title`",
            ),
            (
                "unknown field `Zanzibar`, expected `owner` or `title`",
                "unknown field, expected `owner` or `title`",
            ),
            ("duplicate field `title`", "duplicate field `title`"),
            (
                "`text` must be text or a list of texts",
                "`text` must be text or a list of texts",
            ),
            ("missing field `caption`", "missing field `caption`"),
            ("duplicate key `Ann` in document root", "duplicate key"),
            ("EOF while parsing a value", "EOF while parsing a value"),
        ] {
            assert_eq!(without_content(message), expected);
        }
    }
}
