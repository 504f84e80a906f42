//! What models are for, and the architectures that can be loaded.

use std::fmt;

use serde::Serialize;

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Continues a text.
    Language,
    /// Puts a photo into words.
    Captioner,
    /// Makes a picture of a text.
    TextToImage,
    /// Names what is on a photo, by a fixed list.
    Tagger,
    /// Makes a vector of a text.
    Embedder,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Language,
        Self::Captioner,
        Self::TextToImage,
        Self::Tagger,
        Self::Embedder,
    ];

    /// For people, with its article.
    pub fn title(self) -> &'static str {
        match self {
            Self::Language => "a language model",
            Self::Captioner => "a captioner",
            Self::TextToImage => "a text-to-image model",
            Self::Tagger => "an image tagger",
            Self::Embedder => "a sentence embedder",
        }
    }

    /// Where a configuration names a model of this kind; empty where it names none.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Language => &["train.model", "summarize.model"],
            Self::Captioner | Self::Tagger => &["caption.model"],
            Self::TextToImage => &["render.model"],
            Self::Embedder => &[],
        }
    }

    /// The architectures of this kind that can be loaded.
    pub fn supported(self) -> impl Iterator<Item = &'static Architecture> {
        SUPPORTED.iter().filter(move |a| a.kind == self)
    }

    /// Their names, for messages.
    pub fn supported_names(self) -> String {
        let names: Vec<_> = self.supported().map(|a| a.class).collect();
        names.join(", ")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Language => "language model",
            Self::Captioner => "captioner",
            Self::TextToImage => "text-to-image",
            Self::Tagger => "tagger",
            Self::Embedder => "embedder",
        })
    }
}

/// One architecture that can be loaded.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Architecture {
    /// What it is for.
    pub kind: Kind,
    /// Its class in `config.json` (`architectures`) or `model_index.json` (`_class_name`); for assets
    /// of other formats, what their makers call it.
    pub class: &'static str,
    /// `model_type` in `config.json`, for checkpoints that name no class; empty for pipelines.
    #[serde(skip)]
    pub model_type: &'static str,
    /// `general.architecture` of its GGUF files; empty where none can be loaded.
    #[serde(skip)]
    pub gguf: &'static str,
    /// Models that have it.
    pub models: &'static str,
}

const fn language(
    class: &'static str,
    model_type: &'static str,
    gguf: &'static str,
    models: &'static str,
) -> Architecture {
    Architecture {
        kind: Kind::Language,
        class,
        model_type,
        gguf,
        models,
    }
}

const fn captioner(
    class: &'static str,
    model_type: &'static str,
    models: &'static str,
) -> Architecture {
    Architecture {
        kind: Kind::Captioner,
        class,
        model_type,
        gguf: "",
        models,
    }
}

const fn pipeline(class: &'static str, models: &'static str) -> Architecture {
    Architecture {
        kind: Kind::TextToImage,
        class,
        model_type: "",
        gguf: "",
        models,
    }
}

/// Every architecture that can be loaded.
pub const SUPPORTED: [Architecture; 19] = [
    language(
        "LlamaForCausalLM",
        "llama",
        "llama",
        "Llama 2, 3.x; SmolLM 1 and 2",
    ),
    language("MistralForCausalLM", "mistral", "", "Mistral (dense)"),
    language("Qwen2ForCausalLM", "qwen2", "qwen2", "Qwen 2, 2.5 (dense)"),
    language("Qwen3ForCausalLM", "qwen3", "qwen3", "Qwen 3 (dense)"),
    language("Gemma2ForCausalLM", "gemma2", "gemma2", "Gemma 2"),
    language(
        "Gemma3ForCausalLM",
        "gemma3_text",
        "gemma3",
        "Gemma 3 (text)",
    ),
    language(
        "Gemma3ForConditionalGeneration",
        "gemma3",
        "",
        "Gemma 3 (its text part)",
    ),
    captioner(
        "BlipForConditionalGeneration",
        "blip",
        "BLIP captioning, base and large",
    ),
    captioner(
        "Qwen3VLForConditionalGeneration",
        "qwen3_vl",
        "Qwen3-VL (dense)",
    ),
    captioner(
        "PaliGemmaForConditionalGeneration",
        "paligemma",
        "PaliGemma 1 and 2",
    ),
    captioner("LlavaForConditionalGeneration", "llava", "LLaVA 1.5"),
    pipeline("StableDiffusionPipeline", "Stable Diffusion 1.5 and 2.1"),
    pipeline("StableDiffusionXLPipeline", "SDXL, SDXL-Turbo"),
    pipeline("StableDiffusion3Pipeline", "Stable Diffusion 3 and 3.5"),
    pipeline("FluxPipeline", "FLUX.1 schnell and dev"),
    pipeline("ZImagePipeline", "Z-Image"),
    Architecture {
        kind: Kind::Tagger,
        class: "EfficientNet-Lite0",
        model_type: "",
        gguf: "",
        models: "the asset efficientnet-lite0",
    },
    Architecture {
        kind: Kind::Tagger,
        class: "NanoDet",
        model_type: "",
        gguf: "",
        models: "the asset nanodet",
    },
    Architecture {
        kind: Kind::Embedder,
        class: "BertModel",
        model_type: "bert",
        gguf: "",
        models: "the asset all-minilm-l6-v2",
    },
];

/// The architecture of a class.
pub fn by_class(class: &str) -> Option<&'static Architecture> {
    SUPPORTED.iter().find(|a| a.class == class)
}

/// The architecture of a `model_type`.
pub fn by_model_type(model_type: &str) -> Option<&'static Architecture> {
    let named = |a: &&Architecture| !model_type.is_empty() && a.model_type == model_type;
    SUPPORTED.iter().find(named)
}

/// The architecture of a GGUF file.
pub fn by_gguf(name: &str) -> Option<&'static Architecture> {
    let named = |a: &&Architecture| !name.is_empty() && a.gguf == name;
    SUPPORTED.iter().find(named)
}
