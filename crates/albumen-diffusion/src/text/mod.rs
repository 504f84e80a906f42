//! The text encoders beside CLIP: T5 and Qwen 3, with their tokenizers. The networks are
//! candle-transformers'.

mod qwen3;
mod t5;

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use tokenizers::Tokenizer;

use crate::checkpoint::Component;
use crate::error::{DiffusionError, Result};
use crate::settings::LoadOptions;

pub(crate) use qwen3::QwenText;
pub(crate) use t5::T5Text;

/// The classes of component that these encoders load.
const CLASSES: [&str; 3] = ["T5EncoderModel", "Qwen3Model", "Qwen3ForCausalLM"];

/// The format that a network of a pipeline other than its autoencoder is loaded in.
///
/// T5 and Qwen 3 leave the range of f16, and take bf16 in its place. On the processor they are f32:
/// candle's softmax sums there in the format of the scores, and a sum of hundreds of terms stalls in
/// bf16.
pub(crate) fn weight_dtype(component: &Component, options: &LoadOptions) -> DType {
    match component.class() {
        Some(class) if CLASSES.contains(&class) && options.device.is_cpu() => DType::F32,
        Some(class) if CLASSES.contains(&class) && options.dtype == DType::F16 => DType::BF16,
        _ => options.dtype,
    }
}

/// A `tokenizer.json`, that neither pads nor truncates.
#[derive(Debug)]
struct Words {
    tokenizer: Tokenizer,
    path: PathBuf,
}

impl Words {
    fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("tokenizer.json");
        if !path.is_file() {
            let hint = if dir.join("spiece.model").is_file() {
                "spiece.model alone is not read: add the checkpoint's tokenizer.json, or write it \
                 once with transformers (AutoTokenizer.from_pretrained(...).save_pretrained(...))"
            } else {
                "fetch the checkpoint again, with its tokenizers"
            };
            return Err(DiffusionError::Missing {
                what: "the tokenizer".into(),
                path,
                hint: hint.into(),
            });
        }
        let failed = |e: tokenizers::Error| DiffusionError::Tokenizer {
            path: path.clone(),
            reason: e.to_string(),
        };
        let mut tokenizer = Tokenizer::from_file(&path).map_err(failed)?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(failed)?;
        Ok(Self { tokenizer, path })
    }

    /// The tokens of a text alone, without those that a model puts around it.
    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false);
        match encoding {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(e) => Err(DiffusionError::Tokenizer {
                path: self.path.clone(),
                reason: e.to_string(),
            }),
        }
    }
}

/// Texts of one length as a tensor (b, t), each token within the vocabulary.
fn token_tensor(texts: &[Vec<u32>], vocab_size: usize, device: &Device) -> Result<Tensor> {
    if let Some(token) = texts.iter().flatten().find(|&&i| i as usize >= vocab_size) {
        return Err(DiffusionError::Settings(format!(
            "token {token} is outside the text encoder's vocabulary of {vocab_size}\n  hint: the \
             tokenizer is not this checkpoint's"
        )));
    }
    let t = texts.first().map_or(0, Vec::len);
    Ok(Tensor::new(texts.concat(), device)?.reshape((texts.len(), t))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::tests::golden;

    #[test]
    fn encoders_that_leave_the_range_of_f16_are_loaded_wider() {
        let half = LoadOptions {
            dtype: DType::F16,
            ..LoadOptions::default()
        };
        for (pipeline, name, expected) in [
            ("sd3", "text_encoder", DType::F16),
            ("sd3", "text_encoder_3", DType::F32),
            ("sd3", "transformer", DType::F16),
            ("z_image", "text_encoder", DType::F32),
        ] {
            let checkpoint = Checkpoint::open(&golden(pipeline)).unwrap();
            let component = checkpoint.component(name).unwrap();
            assert_eq!(weight_dtype(&component, &half), expected, "{name}");
        }
    }
}
