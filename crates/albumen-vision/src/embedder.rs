//! Sentence embeddings with all-MiniLM-L6-v2: a BERT of 6 layers and width 384, mean pooling over
//! the tokens, unit length (Reimers & Gurevych 2019, "Sentence-BERT", section 3); or with another BERT
//! that lies in a directory as sentence-transformers writes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use albumen_weights::Weights;
use candle_core::{DType, Device, Tensor};
use candle_transformers::models::bert::{BertModel, Config};
use serde::Deserialize;
use serde_json::Value;
use tokenizers::{Tokenizer, TruncationParams};

use crate::error::{Result, VisionError, read_file};

/// Length of a sentence embedding of all-MiniLM-L6-v2.
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

/// The token states that make a sentence's embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pooling {
    /// Their mean.
    Mean,
    /// The first one, `[CLS]`.
    First,
}

/// sentence-transformers' `1_Pooling/config.json`.
#[derive(Deserialize)]
struct PoolingConfig {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
}

/// sentence-transformers' `sentence_bert_config.json`.
#[derive(Deserialize)]
struct LengthConfig {
    max_seq_length: Option<usize>,
}

/// The sentence encoder.
pub struct Embedder {
    model: BertModel,
    pooling: Pooling,
    tokenizer: Tokenizer,
    tokenizer_path: PathBuf,
}

impl Embedder {
    /// The weights of all-MiniLM-L6-v2, f32.
    pub const WEIGHTS_BYTES: u64 = 4 * 22_713_216;

    /// Loads `model.safetensors` (or shards) and `tokenizer.json` from `dir`. Without a `config.json` there the
    /// model is all-MiniLM-L6-v2; with one, pooling and longest input are those of
    /// `1_Pooling/config.json` and `sentence_bert_config.json`, or else mean pooling and the least of
    /// 256 tokens and the model's positions.
    ///
    /// # Errors
    /// A file that is missing, cut short or of another architecture.
    pub fn load(dir: &Path) -> Result<Self> {
        let weights = Weights::open(dir, false, str::to_owned)?;
        let (config, pooling, max_tokens) = settings(dir)?;
        let model = weights.build(DType::F32, &Device::Cpu, |vb| BertModel::load(vb, &config))?;

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
                max_length: max_tokens,
                ..Default::default()
            }))
            .map_err(refused)?;
        Ok(Self {
            model,
            pooling,
            tokenizer,
            tokenizer_path,
        })
    }

    /// One unit-length row of the model's width ([`EMBEDDING_DIM`]) for each text, in the order given; their
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
        let pooled = match self.pooling {
            Pooling::Mean => states.mean(1)?,           // (b, d)
            Pooling::First => states.get_on_dim(1, 0)?, // (b, d)
        };
        let norm = pooled.sqr()?.sum_keepdim(1)?.sqrt()?; // (b, 1)
        Ok(pooled.broadcast_div(&norm)?.to_vec2()?)
    }
}

/// Architecture, pooling and longest input of the model in `dir`.
fn settings(dir: &Path) -> Result<(Config, Pooling, usize)> {
    let path = dir.join("config.json");
    if !path.exists() {
        let config: Value = parse(&path, CONFIG.as_bytes())?;
        return Ok((from_value(&path, config)?, Pooling::Mean, MAX_TOKENS));
    }
    let value: Value = parse(&path, &read_file(&path)?)?;
    if let Some(kind) = value.get("model_type").and_then(Value::as_str)
        && kind != "bert"
    {
        return Err(VisionError::Format {
            path,
            format: "BERT configuration",
            offset: 0,
            reason: format!("the architecture is `{kind}`; embedders are of `bert`"),
        });
    }
    let config: Config = from_value(&path, value)?;
    let path = dir.join("1_Pooling/config.json");
    let mut pooling = Pooling::Mean;
    if path.exists() {
        let found: PoolingConfig = parse(&path, &read_file(&path)?)?;
        pooling = match (found.pooling_mode_mean_tokens, found.pooling_mode_cls_token) {
            (true, false) => Pooling::Mean,
            (false, true) => Pooling::First,
            _ => {
                return Err(VisionError::Format {
                    path,
                    format: "pooling configuration",
                    offset: 0,
                    reason: "pooling is by neither the mean nor the first token alone".to_owned(),
                });
            }
        };
    }
    let path = dir.join("sentence_bert_config.json");
    let mut longest = MAX_TOKENS;
    if path.exists() {
        let found: LengthConfig = parse(&path, &read_file(&path)?)?;
        longest = found.max_seq_length.unwrap_or(longest);
    }
    let longest = longest.min(config.max_position_embeddings);
    Ok((config, pooling, longest))
}

fn parse<T: for<'a> Deserialize<'a>>(path: &Path, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| not_json(path, &e))
}

fn from_value(path: &Path, value: Value) -> Result<Config> {
    serde_json::from_value(value).map_err(|e| not_json(path, &e))
}

fn not_json(path: &Path, e: &serde_json::Error) -> VisionError {
    VisionError::Format {
        path: path.to_owned(),
        format: "BERT configuration",
        offset: 0,
        reason: e.to_string(),
    }
}
