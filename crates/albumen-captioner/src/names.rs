//! Names of tensors.

/// One name for a tensor, whichever release of `transformers` saved it: the hub's checkpoints have
/// `language_model.model.` and `vision_tower.vision_model.`, Qwen3-VL's and newer ones `model.` first.
pub(crate) fn canonical(name: &str) -> String {
    let name = name.strip_prefix("model.").unwrap_or(name);
    for (old, new) in [
        ("language_model.model.", "language_model."),
        ("language_model.lm_head.", "lm_head."),
        ("vision_tower.vision_model.", "vision_tower."),
    ] {
        if let Some(rest) = name.strip_prefix(old) {
            return format!("{new}{rest}");
        }
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn names_of_every_release_are_one() {
        for (name, expected) in [
            (
                "language_model.model.layers.0.mlp.up_proj.weight",
                "language_model.layers.0.mlp.up_proj.weight",
            ),
            (
                "model.language_model.layers.0.mlp.up_proj.weight",
                "language_model.layers.0.mlp.up_proj.weight",
            ),
            ("language_model.lm_head.weight", "lm_head.weight"),
            (
                "vision_tower.vision_model.pre_layrnorm.bias",
                "vision_tower.pre_layrnorm.bias",
            ),
            (
                "model.vision_tower.pre_layrnorm.bias",
                "vision_tower.pre_layrnorm.bias",
            ),
            (
                "model.multi_modal_projector.linear.bias",
                "multi_modal_projector.linear.bias",
            ),
            ("model.visual.pos_embed.weight", "visual.pos_embed.weight"),
            (
                "vision_model.post_layernorm.bias",
                "vision_model.post_layernorm.bias",
            ),
        ] {
            assert_eq!(canonical(name), expected);
        }
    }
}
