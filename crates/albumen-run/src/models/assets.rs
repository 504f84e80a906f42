//! Which of the pinned assets are models, and of which kind.

use albumen_assets::{PINS, Pin};
use albumen_models::Architecture;
use albumen_models::kind::by_class;
use albumen_names::ModelName;

/// An asset that is a model.
#[derive(Clone, Copy)]
pub struct AssetModel {
    /// Its row of the table.
    pub pin: &'static Pin,
    /// The file with its weights.
    pub file: &'static str,
    /// Its public name.
    pub name: &'static str,
    /// What it is.
    pub architecture: &'static Architecture,
}

impl AssetModel {
    /// The version that is pinned.
    pub fn revision(&self) -> String {
        format!("{} {}", self.pin.package, self.pin.version)
    }

    /// The pin's licence.
    pub fn licence(&self) -> String {
        self.pin.licence.to_owned()
    }
}

/// Asset, weights, public name, architecture.
const MODELS: [(&str, &str, &str, &str); 4] = [
    (
        "smollm2-135m-instruct",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "SmolLM2-135M-Instruct",
        "LlamaForCausalLM",
    ),
    (
        "efficientnet-lite0",
        "efficientnet-lite0-57934424.pth",
        "EfficientNet-Lite0",
        "EfficientNet-Lite0",
    ),
    ("nanodet", "nanodet.bin", "NanoDet", "NanoDet"),
    (
        "all-minilm-l6-v2",
        "model.safetensors",
        "all-MiniLM-L6-v2",
        "BertModel",
    ),
];

/// Every asset that is a model.
pub fn models() -> impl Iterator<Item = AssetModel> {
    MODELS.iter().filter_map(|(asset, file, name, class)| {
        Some(AssetModel {
            pin: PINS.iter().find(|pin| pin.asset == *asset)?,
            file,
            name,
            architecture: by_class(class)?,
        })
    })
}

/// The model of a name such as `asset:nanodet`.
pub fn of_name(name: &ModelName) -> Option<AssetModel> {
    model(name.asset()?)
}

/// The model of this asset.
pub fn model(asset: &str) -> Option<AssetModel> {
    models().find(|m| m.pin.asset == asset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use albumen_assets::Contents;

    #[test]
    fn every_row_is_a_pinned_file_of_a_known_architecture() {
        assert_eq!(models().count(), MODELS.len());
        for model in models() {
            let Contents::Files(files) = model.pin.contents else {
                panic!("{} is no files", model.pin.asset)
            };
            assert!(files.iter().any(|f| f.file == model.file), "{}", model.file);
        }
    }

    #[test]
    fn the_language_models_that_can_be_named_are_those_that_can_be_loaded() {
        let named = albumen_models::Kind::Language.supported().map(|a| a.class);
        let named = named.filter(|class| *class != "Gemma3ForConditionalGeneration");
        let loaded = albumen_lm::Family::ALL.map(albumen_lm::Family::architecture);
        assert!(named.eq(loaded));
    }
}
