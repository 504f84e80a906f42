//! Every tensor of a model: its name in both formats, its shape, and where it goes.

use super::LayerWeights;
use crate::config::ModelConfig;

/// How a format names tensors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// `model.layers.0.self_attn.q_proj.weight`.
    HuggingFace,
    /// `blk.0.attn_q.weight`.
    Gguf,
}

/// What the loader must do to a tensor besides reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A matrix or a bias.
    Plain,
    /// The factors of a norm.
    Norm,
    /// Rows (or a bias) of queries or keys, by head: GGUF files of the Llama architecture have them
    /// interleaved.
    Rotated {
        /// Heads.
        heads: usize,
    },
}

/// A tensor that the configuration asks for.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) kind: Kind,
}

/// A place in a [`LayerWeights`].
pub(super) type Slot = fn(&mut LayerWeights) -> &mut Vec<f32>;

pub(super) fn embedding(config: &ModelConfig, naming: Naming) -> Wanted {
    let name = match naming {
        Naming::HuggingFace => "model.embed_tokens.weight",
        Naming::Gguf => "token_embd.weight",
    };
    plain(name.into(), vec![config.vocab_size, config.hidden_size])
}

pub(super) fn head(config: &ModelConfig, naming: Naming) -> Option<Wanted> {
    let name = match naming {
        Naming::HuggingFace => "lm_head.weight",
        Naming::Gguf => "output.weight",
    };
    let shape = vec![config.vocab_size, config.hidden_size];
    (!config.tie_word_embeddings).then(|| plain(name.into(), shape))
}

pub(super) fn final_norm(config: &ModelConfig, naming: Naming) -> Wanted {
    let name = match naming {
        Naming::HuggingFace => "model.norm.weight",
        Naming::Gguf => "output_norm.weight",
    };
    Wanted {
        name: name.into(),
        shape: vec![config.hidden_size],
        kind: Kind::Norm,
    }
}

fn plain(name: String, shape: Vec<usize>) -> Wanted {
    Wanted {
        name,
        shape,
        kind: Kind::Plain,
    }
}

/// The tensors of one layer with their places.
pub(super) fn layer(config: &ModelConfig, naming: Naming, index: usize) -> Vec<(Wanted, Slot)> {
    let c = config;
    let (hidden, inner) = (c.hidden_size, c.intermediate_size);
    let (q, kv) = (c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim);
    let gguf = naming == Naming::Gguf;
    let mut wanted = Vec::new();
    let mut add = |hugging_face: &str, own: &str, shape: &[usize], kind: Kind, slot: Slot| {
        let name = if gguf {
            format!("blk.{index}.{own}")
        } else {
            format!("model.layers.{index}.{hugging_face}")
        };
        wanted.push((
            Wanted {
                name,
                shape: shape.to_vec(),
                kind,
            },
            slot,
        ));
    };
    let by_query_head = Kind::Rotated { heads: c.num_heads };
    let by_key_head = Kind::Rotated {
        heads: c.num_kv_heads,
    };

    add(
        "input_layernorm.weight",
        "attn_norm.weight",
        &[hidden],
        Kind::Norm,
        |l| &mut l.input_norm,
    );
    add(
        "self_attn.q_proj.weight",
        "attn_q.weight",
        &[q, hidden],
        by_query_head,
        |l| &mut l.q,
    );
    add(
        "self_attn.k_proj.weight",
        "attn_k.weight",
        &[kv, hidden],
        by_key_head,
        |l| &mut l.k,
    );
    add(
        "self_attn.v_proj.weight",
        "attn_v.weight",
        &[kv, hidden],
        Kind::Plain,
        |l| &mut l.v,
    );
    add(
        "self_attn.o_proj.weight",
        "attn_output.weight",
        &[hidden, q],
        Kind::Plain,
        |l| &mut l.o,
    );
    add(
        "mlp.gate_proj.weight",
        "ffn_gate.weight",
        &[inner, hidden],
        Kind::Plain,
        |l| &mut l.gate,
    );
    add(
        "mlp.up_proj.weight",
        "ffn_up.weight",
        &[inner, hidden],
        Kind::Plain,
        |l| &mut l.up,
    );
    add(
        "mlp.down_proj.weight",
        "ffn_down.weight",
        &[hidden, inner],
        Kind::Plain,
        |l| &mut l.down,
    );
    let before_mlp = if c.output_norms {
        "pre_feedforward_layernorm.weight"
    } else {
        "post_attention_layernorm.weight"
    };
    add(before_mlp, "ffn_norm.weight", &[hidden], Kind::Norm, |l| {
        &mut l.mlp_norm
    });
    if c.output_norms {
        add(
            "post_attention_layernorm.weight",
            "post_attention_norm.weight",
            &[hidden],
            Kind::Norm,
            |l| l.attention_output_norm.get_or_insert_default(),
        );
        add(
            "post_feedforward_layernorm.weight",
            "post_ffw_norm.weight",
            &[hidden],
            Kind::Norm,
            |l| l.mlp_output_norm.get_or_insert_default(),
        );
    }
    if c.qk_norm {
        add(
            "self_attn.q_norm.weight",
            "attn_q_norm.weight",
            &[c.head_dim],
            Kind::Norm,
            |l| l.q_norm.get_or_insert_default(),
        );
        add(
            "self_attn.k_norm.weight",
            "attn_k_norm.weight",
            &[c.head_dim],
            Kind::Norm,
            |l| l.k_norm.get_or_insert_default(),
        );
    }
    if c.qkv_bias {
        add(
            "self_attn.q_proj.bias",
            "attn_q.bias",
            &[q],
            by_query_head,
            |l| l.q_bias.get_or_insert_default(),
        );
        add(
            "self_attn.k_proj.bias",
            "attn_k.bias",
            &[kv],
            by_key_head,
            |l| l.k_bias.get_or_insert_default(),
        );
        add(
            "self_attn.v_proj.bias",
            "attn_v.bias",
            &[kv],
            Kind::Plain,
            |l| l.v_bias.get_or_insert_default(),
        );
    }
    if c.o_bias {
        add(
            "self_attn.o_proj.bias",
            "attn_output.bias",
            &[hidden],
            Kind::Plain,
            |l| l.o_bias.get_or_insert_default(),
        );
    }
    if c.mlp_bias {
        add(
            "mlp.gate_proj.bias",
            "ffn_gate.bias",
            &[inner],
            Kind::Plain,
            |l| l.gate_bias.get_or_insert_default(),
        );
        add(
            "mlp.up_proj.bias",
            "ffn_up.bias",
            &[inner],
            Kind::Plain,
            |l| l.up_bias.get_or_insert_default(),
        );
        add(
            "mlp.down_proj.bias",
            "ffn_down.bias",
            &[hidden],
            Kind::Plain,
            |l| l.down_bias.get_or_insert_default(),
        );
    }
    wanted
}

/// Every tensor of the model.
pub(super) fn all(config: &ModelConfig, naming: Naming) -> impl Iterator<Item = Wanted> + '_ {
    let outer = [
        Some(embedding(config, naming)),
        Some(final_norm(config, naming)),
        head(config, naming),
    ];
    let layers = (0..config.num_layers)
        .flat_map(move |i| layer(config, naming, i).into_iter().map(|(w, _)| w));
    outer.into_iter().flatten().chain(layers)
}
