//! How instruction models write a conversation.

use serde::Serialize;

/// The known formats. Closed: a checkpoint's template is a program, and we do not run programs
/// that come with a download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ChatFormat {
    /// `<|im_start|>role ... <|im_end|>`: SmolLM, Qwen.
    ChatMl {
        /// What stands for the system's turn where the caller gives none.
        default_system: Option<String>,
    },
    /// `<|start_header_id|>role<|end_header_id|> ... <|eot_id|>`: Llama 3.
    Llama3,
    /// `<start_of_turn>role ... <end_of_turn>`, the system's turn within the user's: Gemma.
    Gemma,
}

impl ChatFormat {
    /// Tells the format by the marks in a checkpoint's chat template.
    pub fn detect(template: &str) -> Option<Self> {
        if template.contains("<|im_start|>") {
            return Some(Self::ChatMl {
                default_system: default_system(template),
            });
        }
        if template.contains("<|start_header_id|>") {
            return Some(Self::Llama3);
        }
        template.contains("<start_of_turn>").then_some(Self::Gemma)
    }

    /// The text of a conversation up to where the model's answer begins. Encode it with
    /// `add_special`, which supplies a start token where the model has one.
    pub fn prompt(&self, system: Option<&str>, user: &str) -> String {
        match self {
            Self::ChatMl { default_system } => {
                let system = system.or(default_system.as_deref());
                let system = system.map_or_else(String::new, |s| {
                    format!("<|im_start|>system\n{s}<|im_end|>\n")
                });
                format!("{system}<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n")
            }
            Self::Llama3 => {
                let turn = |role: &str, text: &str| {
                    format!("<|start_header_id|>{role}<|end_header_id|>\n\n{text}<|eot_id|>")
                };
                let system = system.map_or_else(String::new, |s| turn("system", s));
                let user = turn("user", user);
                format!("{system}{user}<|start_header_id|>assistant<|end_header_id|>\n\n")
            }
            Self::Gemma => {
                let system = system.map_or_else(String::new, |s| format!("{s}\n\n"));
                format!("<start_of_turn>user\n{system}{user}<end_of_turn>\n<start_of_turn>model\n")
            }
        }
    }
}

/// The literal system turn of a ChatML template, where it has one. A line break in the template's
/// strings may be written out or escaped.
fn default_system(template: &str) -> Option<String> {
    const START: &str = "<|im_start|>system";
    template.match_indices(START).find_map(|(at, _)| {
        let rest = &template[at + START.len()..];
        let text = rest
            .strip_prefix('\n')
            .or_else(|| rest.strip_prefix("\\n"))?;
        let text = &text[..text.find("<|im_end|>")?];
        // A quote or a brace means that the text is put together by the template, not literal.
        (!text.is_empty() && !text.contains(['\'', '"', '{', '}']))
            .then(|| text.replace("\\n", "\n"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_default_is_found_and_a_computed_one_is_not() {
        let literal =
            "{{ '<|im_start|>system\nYou are kind.<|im_end|>\n' }}{{ '<|im_start|>' + role }}";
        let escaped = r"{{- '<|im_start|>system\n' + x + '<|im_end|>' }}{{- '<|im_start|>system\nBe brief.<|im_end|>\n' }}";
        let computed = "{{ '<|im_start|>' + role + '\n' + content + '<|im_end|>' }}";
        let system = |template| match ChatFormat::detect(template) {
            Some(ChatFormat::ChatMl { default_system }) => default_system,
            other => panic!("{other:?}"),
        };
        assert_eq!(system(literal).as_deref(), Some("You are kind."));
        assert_eq!(system(escaped).as_deref(), Some("Be brief."));
        assert_eq!(system(computed), None);
        assert_eq!(ChatFormat::detect("{{ content }}"), None);
    }

    #[test]
    fn every_format_ends_where_the_answer_begins() {
        let chat_ml = ChatFormat::ChatMl {
            default_system: Some("D".into()),
        };
        let prompts = [
            (
                chat_ml.prompt(None, "U"),
                "<|im_start|>system\nD<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n",
            ),
            (
                chat_ml.prompt(Some("S"), "U"),
                "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n",
            ),
            (
                ChatFormat::Gemma.prompt(Some("S"), "U"),
                "<start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\n",
            ),
            (
                ChatFormat::Llama3.prompt(None, "U"),
                "<|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            ),
        ];
        for (made, wanted) in prompts {
            assert_eq!(made, wanted);
        }
    }
}
