//! T5's encoder (Raffel et al., arXiv:1910.10683) as transformers' `T5EncoderModel`.

use std::path::Path;

use candle_core::{Device, Tensor};
use candle_nn::Activation;
use candle_transformers::models::t5::{Config, T5EncoderModel};

use super::{Words, token_tensor, weight_dtype};
use crate::checkpoint::Component;
use crate::error::Result;
use crate::settings::LoadOptions;

/// The encoder and its tokenizer, loaded.
pub(crate) struct T5Text {
    words: Words,
    model: T5EncoderModel,
    config: Config,
    length: usize,
    device: Device,
}

impl T5Text {
    /// Loads the component, and the tokenizer in `tokenizer`; texts become `length` tokens.
    ///
    /// # Errors
    /// [`crate::DiffusionError::Unsupported`] where it is no T5 encoder, and those of the tokenizer and
    /// the weights.
    pub(crate) fn load(
        component: &Component,
        tokenizer: &Path,
        length: usize,
        options: &LoadOptions,
    ) -> Result<Self> {
        let class = component.class().unwrap_or("without architectures");
        if class != "T5EncoderModel" {
            return Err(component.unsupported("the text encoder", class, "T5EncoderModel"));
        }
        let config: Config = component.config()?;
        let network = &config.feed_forward_proj;
        if !network.gated && network.activation != Activation::Relu {
            let found = format!("{:?}", network.activation);
            let supported = "gated-gelu, gated-silu, relu";
            return Err(component.unsupported("feed_forward_proj", found, supported));
        }
        let words = Words::load(tokenizer)?;
        let dtype = weight_dtype(component, options);
        let model = component.build(dtype, &options.device, |vb| {
            T5EncoderModel::load(vb, &config)
        })?;
        Ok(Self {
            words,
            model,
            config,
            length,
            device: options.device.clone(),
        })
    }

    /// Width of the states.
    pub(crate) fn width(&self) -> usize {
        self.config.d_model
    }

    /// A text as tokens: its first `length - 1`, the end, padding.
    ///
    /// # Errors
    /// [`crate::DiffusionError::Tokenizer`].
    pub(crate) fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        let mut tokens = self.words.encode(text)?;
        tokens.truncate(self.length - 1);
        tokens.push(self.config.eos_token_id as u32);
        tokens.resize(self.length, self.config.pad_token_id as u32);
        Ok(tokens)
    }

    /// The states of texts, padding attended to: (b, length, d).
    ///
    /// # Errors
    /// Those of tokens, and the device's.
    pub(crate) fn encode(&self, texts: &[&str]) -> Result<Tensor> {
        let tokens = texts.iter().map(|text| self.tokens(text));
        let tokens = tokens.collect::<Result<Vec<_>>>()?;
        let tokens = token_tensor(&tokens, self.config.vocab_size, &self.device)?;
        // The library's type keeps a cache for decoders, and asks for `&mut`; a clone shares the weights.
        Ok(self.model.clone().forward(&tokens)?)
    }
}
