//! How photos get captions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::{Fault, names, require};
use crate::{ModelName, ModelSource};

/// `[caption]`: how photos get captions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CaptionConfig {
    /// Use captions that come with the photos where there are any.
    pub use_given: bool,
    /// The model that captions the rest: `asset:efficientnet-lite0`, the embedded tagger, a
    /// vision-language model, `path:DIRECTORY` or `hub:OWNER/NAME@REVISION` (docs/models.md), or a
    /// server, `endpoint:http://HOST:PORT/v1#MODEL` (docs/endpoints.md).
    #[schemars(with = "String")]
    pub model: ModelName,
    /// What the model is asked of each photo, or for BLIP how a caption starts; the architecture's own
    /// words, or a default question, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Longest caption, in tokens.
    #[schemars(range(min = 1, max = 512))]
    pub max_tokens: usize,
    /// A caption does not end before so many tokens. This and what follows are for a vision-language
    /// model that runs here.
    #[schemars(range(min = 0, max = 512))]
    pub min_tokens: usize,
    /// Temperature; 0 takes the most likely token.
    #[schemars(range(min = 0, max = 100))]
    pub temperature: f32,
    /// Where tokens are drawn: from the most likely that hold this much probability.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub top_p: f32,
    /// Divide the scores of tokens that are there already by this.
    #[schemars(range(min = 1, max = 100), extend("x-usual" = "1 is none"))]
    pub repetition_penalty: f32,
    /// Where tokens are drawn: a photo's stream comes from this and its pixels.
    #[schemars(range(min = 0, max = i64::MAX))]
    pub seed: u64,
    /// Models that keep a photo's shape (Qwen3-VL) get at most so many tokens of it.
    #[schemars(range(min = 1, max = 16_384), extend("x-usual" = "256 to 1280 are usual"))]
    pub max_image_tokens: usize,
}

impl Default for CaptionConfig {
    fn default() -> Self {
        Self {
            use_given: true,
            model: "asset:efficientnet-lite0".into(),
            prompt: None,
            max_tokens: 40,
            min_tokens: 0,
            temperature: 0.0,
            top_p: 1.0,
            repetition_penalty: 1.0,
            seed: 0,
            max_image_tokens: 1024,
        }
    }
}

impl CaptionConfig {
    pub(super) fn check(&self) -> Result<(), Fault> {
        let fits = |source: &ModelSource| match source {
            ModelSource::Asset(asset) => asset == "efficientnet-lite0",
            ModelSource::Illustration => false,
            ModelSource::Path(_) | ModelSource::Hub(_) | ModelSource::Endpoint(_) => true,
        };
        names(
            &self.model,
            "caption.model",
            fits,
            "captioner",
            "use `asset:efficientnet-lite0`, `hub:OWNER/NAME@REVISION`, \
             `endpoint:http://HOST:PORT/v1#MODEL`, or `path:` and a directory with config.json, \
             safetensors, tokenizer.json and preprocessor_config.json",
        )?;
        require(
            self.min_tokens <= self.max_tokens,
            "caption.min_tokens",
            format!("is {}, more than `caption.max_tokens`", self.min_tokens),
            "use a number up to it",
        )
    }
}
