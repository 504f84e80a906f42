//! Sentence embeddings with all-MiniLM-L6-v2: a BERT of 6 layers and width 384, mean pooling over
//! the tokens, unit length (Reimers & Gurevych 2019, "Sentence-BERT", section 3).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use tokenizers::{Tokenizer, TruncationParams};

use crate::error::{Result, VisionError, read_file};

/// Length of a sentence embedding.
pub const EMBEDDING_DIM: usize = 384;

/// Longest input in tokens, `[CLS]` and `[SEP]` included; the rest is cut off, as
/// sentence-transformers does with this model (its `max_seq_length`).
const MAX_TOKENS: usize = 256;

/// Tokens of one forward pass: large enough to keep the cores busy, small enough for the cache.
const BATCH_TOKENS: usize = 1024;

/// The hyper-parameters of all-MiniLM-L6-v2; the asset carries no config.json.
const CONFIG: &str = r#"{
    "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12,
    "intermediate_size": 1536, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
    "max_position_embeddings": 512, "type_vocab_size": 2, "initializer_range": 0.02,
    "layer_norm_eps": 1e-12, "pad_token_id": 0, "model_type": "bert"
}"#;

/// The sentence encoder.
pub struct Embedder {
    model: BertModel,
    tokenizer: Tokenizer,
    tokenizer_path: PathBuf,
}

impl Embedder {
    /// Loads `model.safetensors` and `tokenizer.json` from `dir`.
    ///
    /// # Errors
    /// A file that is missing, cut short or of another architecture.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("model.safetensors");
        let bytes = read_file(&path)?;
        let invalid = |reason: String| VisionError::Format {
            path: path.clone(),
            format: "MiniLM safetensors",
            offset: 0,
            reason,
        };
        let config: Config = serde_json::from_str(CONFIG).map_err(|e| invalid(e.to_string()))?;
        let vb = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu)
            .map_err(|e| invalid(e.to_string()))?;
        let model = BertModel::load(vb, &config).map_err(|e| invalid(e.to_string()))?;

        let tokenizer_path = dir.join("tokenizer.json");
        let bytes = read_file(&tokenizer_path)?;
        let refused = |e: tokenizers::Error| VisionError::Tokenizer {
            path: tokenizer_path.clone(),
            reason: e.to_string(),
        };
        let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(refused)?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(TruncationParams {
                max_length: MAX_TOKENS,
                ..Default::default()
            }))
            .map_err(refused)?;
        Ok(Self {
            model,
            tokenizer,
            tokenizer_path,
        })
    }

    /// One unit-length row of [`EMBEDDING_DIM`] numbers for each text, in the order given; their
    /// dot products are cosine similarities. A row does not depend on the other texts: only texts
    /// of the same token count share a forward pass, so there is no padding.
    ///
    /// # Errors
    /// Where the tokenizer refuses a text or a forward pass fails.
    pub fn embed(&self, texts: &[impl AsRef<str>]) -> Result<Vec<Vec<f32>>> {
        let mut by_length: BTreeMap<usize, Vec<(usize, Vec<u32>)>> = BTreeMap::new();
        for (i, text) in texts.iter().enumerate() {
            let encoding =
                self.tokenizer
                    .encode(text.as_ref(), true)
                    .map_err(|e| VisionError::Tokenizer {
                        path: self.tokenizer_path.clone(),
                        reason: e.to_string(),
                    })?;
            let ids = encoding.get_ids().to_vec();
            by_length.entry(ids.len()).or_default().push((i, ids));
        }
        let mut rows = vec![Vec::new(); texts.len()];
        for (length, group) in by_length {
            for batch in group.chunks((BATCH_TOKENS / length).max(1)) {
                let ids: Vec<u32> = batch
                    .iter()
                    .flat_map(|(_, ids)| ids.iter().copied())
                    .collect();
                let embedded = self.forward(ids, batch.len(), length)?;
                for ((i, _), row) in batch.iter().zip(embedded) {
                    rows[*i] = row;
                }
            }
        }
        Ok(rows)
    }

    /// `b` sequences of `t` token ids each -> `b` unit rows.
    fn forward(&self, ids: Vec<u32>, b: usize, t: usize) -> Result<Vec<Vec<f32>>> {
        let ids = Tensor::from_vec(ids, (b, t), &Device::Cpu)?; // (b, t)
        let states = self.model.forward(&ids, &ids.zeros_like()?, None)?; // (b, t, d)
        let pooled = states.mean(1)?; // (b, d)
        let norm = pooled.sqr()?.sum_keepdim(1)?.sqrt()?; // (b, 1)
        Ok(pooled.broadcast_div(&norm)?.to_vec2()?)
    }
}
