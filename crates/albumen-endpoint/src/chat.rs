//! `chat/completions`: texts in, one text out, with a picture or without.

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Problem;

/// Who says something in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The one who asks.
    User,
    /// The model, as it should have answered: an example.
    Assistant,
}

/// Something said in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub text: String,
    /// A picture shown with it, as a `data:` address ([`crate::data_url`]).
    pub picture: Option<String>,
}

impl Turn {
    fn message(&self) -> Value {
        let content = match &self.picture {
            // A plain string where it will do: not every chat template takes a list of parts.
            None => json!(self.text),
            Some(url) => json!([
                {"type": "image_url", "image_url": {"url": url}},
                {"type": "text", "text": self.text},
            ]),
        };
        json!({"role": self.role, "content": content})
    }
}

/// The request's body. The most likely words are asked for, which leaves nothing to chance but the
/// server's arithmetic.
pub(crate) fn body(
    model: Option<&str>,
    turns: &[Turn],
    max_tokens: usize,
    seed: Option<u64>,
) -> Value {
    let messages: Vec<Value> = turns.iter().map(Turn::message).collect();
    let mut body = json!({
        "messages": messages,
        "max_tokens": max_tokens,
        "temperature": 0,
        "stream": false,
    });
    if let Some(model) = model {
        body["model"] = json!(model);
    }
    if let Some(seed) = seed {
        body["seed"] = json!(seed);
    }
    body
}

/// The answer's text, without what the model thought to itself before. It may be empty: a model may
/// have nothing to say.
///
/// A message without content is what some servers give for one that they will not answer.
pub(crate) fn answer(bytes: &[u8]) -> Result<String, Problem> {
    let answer: Value = serde_json::from_slice(bytes).map_err(|_| Problem::NotJson)?;
    let choice = &answer["choices"][0];
    let ran_out = choice["finish_reason"] == "length";
    if choice["finish_reason"] == "content_filter" {
        return Err(Problem::Withheld);
    }
    let text = match &choice["message"]["content"] {
        Value::String(text) => without_thoughts(text),
        // Where thoughts come apart from the answer and use up the tokens, there is no answer.
        Value::Null if ran_out => "",
        Value::Null if choice["message"].is_object() => return Err(Problem::Withheld),
        _ => return Err(Problem::Missing("choices[0].message.content")),
    };
    if ran_out && text.is_empty() {
        return Err(Problem::NothingSaid);
    }
    Ok(text.to_owned())
}

fn without_thoughts(text: &str) -> &str {
    let text = text.trim();
    if !text.starts_with("<think>") {
        return text;
    }
    text.split_once("</think>")
        .map_or("", |(_, answer)| answer.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &Value, reason: &str) -> Result<String, Problem> {
        let body = json!({"choices": [{"message": {"content": content}, "finish_reason": reason}]});
        answer(body.to_string().as_bytes())
    }

    #[test]
    fn answers_are_read_without_thoughts() {
        assert_eq!(read(&json!(" A dog. "), "stop").unwrap(), "A dog.");
        let thought = json!("<think>\nhm\n</think>\n\nA dog.");
        assert_eq!(read(&thought, "stop").unwrap(), "A dog.");
        assert_eq!(read(&json!("A dog and"), "length").unwrap(), "A dog and");
        assert_eq!(read(&json!(""), "stop").unwrap(), "");
    }

    #[test]
    fn answers_that_are_none_are_told_apart() {
        let thinking = json!("<think>\nwell");
        assert_eq!(read(&thinking, "length"), Err(Problem::NothingSaid));
        assert_eq!(read(&Value::Null, "length"), Err(Problem::NothingSaid));
        let missing = Err(Problem::Missing("choices[0].message.content"));
        for (content, reason) in [
            (Value::Null, "stop"),
            (Value::Null, "content_filter"),
            (json!(""), "content_filter"),
            (json!("A dog and"), "content_filter"),
        ] {
            assert_eq!(read(&content, reason), Err(Problem::Withheld), "{content}");
        }
        let bare = answer(br#"{"choices": [{"message": {"refusal": "No."}}]}"#);
        assert_eq!(bare, Err(Problem::Withheld));
        assert_eq!(read(&json!(["a"]), "stop"), missing);
        assert_eq!(answer(b"{}"), missing);
        assert_eq!(answer(b"[1]"), missing);
        assert_eq!(answer(b"{\"choices\": [{\"mess"), Err(Problem::NotJson));
    }

    #[test]
    fn requests_hold_what_was_asked_and_nothing_unasked() {
        let turn = Turn {
            role: Role::User,
            text: "What is it?".to_owned(),
            picture: Some("data:image/jpeg;base64,AAAA".to_owned()),
        };
        assert_eq!(
            body(Some("m"), &[turn], 7, None),
            json!({
                "model": "m",
                "messages": [{"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}},
                    {"type": "text", "text": "What is it?"},
                ]}],
                "max_tokens": 7, "temperature": 0, "stream": false,
            })
        );
        assert_eq!(body(None, &[], 7, Some(3))["seed"], 3);
    }
}
