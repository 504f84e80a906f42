//! Qwen 3 (Qwen Team, arXiv:2505.09388) as the text encoder of Z-Image: the states before its last
//! layer, of the prompt in the model's chat format.

use std::path::Path;

use candle_core::{Device, Tensor};
use candle_transformers::models::z_image::{TextEncoderConfig, ZImageTextEncoder};
use serde_json::Value;

use super::{CLASSES, Words, token_tensor, weight_dtype};
use crate::checkpoint::Component;
use crate::error::{DiffusionError, Result};
use crate::settings::LoadOptions;

/// The most tokens of a prompt in its chat format, as in diffusers' pipeline.
const LENGTH: usize = 512;

/// The encoder and its tokenizer, loaded.
pub(crate) struct QwenText {
    words: Words,
    model: ZImageTextEncoder,
    config: TextEncoderConfig,
    device: Device,
}

impl QwenText {
    /// Loads the component, and the tokenizer in `tokenizer`.
    ///
    /// # Errors
    /// [`DiffusionError::Unsupported`] where it is no Qwen 3 or of a variant that is not there, and
    /// those of the tokenizer and the weights.
    pub(crate) fn load(
        component: &Component,
        tokenizer: &Path,
        options: &LoadOptions,
    ) -> Result<Self> {
        let class = component.class().unwrap_or("without architectures");
        if !CLASSES[1..].contains(&class) {
            let supported = CLASSES[1..].join(", ");
            return Err(component.unsupported("the text encoder", class, &supported));
        }
        let config = config(component)?;
        let words = Words::load(tokenizer)?;
        let dtype = weight_dtype(component, options);
        let model = component.build(dtype, &options.device, |vb| {
            // The network asks for `model.layers...`; a `Qwen3Model` is saved without the prefix.
            let bare = vb.contains_tensor("embed_tokens.weight");
            let vb = vb.rename_f(move |name| match name.strip_prefix("model.") {
                Some(rest) if bare => rest.to_owned(),
                _ => name.to_owned(),
            });
            ZImageTextEncoder::new(&config, vb)
        })?;
        Ok(Self {
            words,
            model,
            config,
            device: options.device.clone(),
        })
    }

    /// Width of the states.
    pub(crate) fn width(&self) -> usize {
        self.config.hidden_size
    }

    /// A prompt as tokens: a user's message and the head of the answer, with which the template of
    /// Qwen 3 leaves the model free to think.
    ///
    /// # Errors
    /// [`DiffusionError::Tokenizer`].
    pub(crate) fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        let chat = format!("<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n");
        let mut tokens = self.words.encode(&chat)?;
        tokens.truncate(LENGTH);
        Ok(tokens)
    }

    /// The states of one prompt: (tokens, d).
    ///
    /// # Errors
    /// Those of tokens, and the device's.
    pub(crate) fn encode(&self, text: &str) -> Result<Tensor> {
        let tokens = token_tensor(&[self.tokens(text)?], self.config.vocab_size, &self.device)?;
        Ok(self.model.forward(&tokens)?.squeeze(0)?)
    }
}

/// The configuration, with the base of the rotary frequencies where transformers 5 writes it.
fn config(component: &Component) -> Result<TextEncoderConfig> {
    let mut value: Value = component.config()?;
    let rope = [&value["rope_parameters"], &value["rope_scaling"]].map(Clone::clone);
    for rope in rope {
        let kind = rope.get("rope_type").and_then(Value::as_str);
        if let Some(kind) = kind.filter(|kind| *kind != "default") {
            return Err(component.unsupported("rope_type", kind, "default"));
        }
        if let Some(theta) = rope.get("rope_theta") {
            value["rope_theta"] = theta.clone();
        }
    }
    if value["use_sliding_window"] == true {
        return Err(component.unsupported("use_sliding_window", true, "false"));
    }
    let config: TextEncoderConfig =
        serde_json::from_value(value).map_err(|e| DiffusionError::Config {
            path: component.file().into(),
            reason: e.to_string(),
        })?;
    if config.num_hidden_layers < 2 {
        let layers = config.num_hidden_layers;
        return Err(component.unsupported("num_hidden_layers", layers, "2 and more"));
    }
    Ok(config)
}
