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

/// Collects the tensors of one layer.
struct Layer<'a> {
    config: &'a ModelConfig,
    naming: Naming,
    index: usize,
    wanted: Vec<(Wanted, Slot)>,
}

impl Layer<'_> {
    /// One tensor by the ends of its names in the two formats.
    fn add(&mut self, hugging_face: &str, gguf: &str, shape: &[usize], kind: Kind, slot: Slot) {
        let index = self.index;
        let name = match self.naming {
            Naming::HuggingFace => format!("model.layers.{index}.{hugging_face}"),
            Naming::Gguf => format!("blk.{index}.{gguf}"),
        };
        let shape = shape.to_vec();
        self.wanted.push((Wanted { name, shape, kind }, slot));
    }

    /// A projection (rows, columns), and its bias where the family has one.
    fn project(
        &mut self,
        names: [&str; 2],
        shape: [usize; 2],
        kind: Kind,
        slot: Slot,
        bias: Option<Slot>,
    ) {
        let [hugging_face, gguf] = names;
        let name = |end: &str| (format!("{hugging_face}.{end}"), format!("{gguf}.{end}"));
        let (long, short) = name("weight");
        self.add(&long, &short, &shape, kind, slot);
        if let Some(bias) = bias {
            let (long, short) = name("bias");
            self.add(&long, &short, &shape[..1], kind, bias);
        }
    }

    fn norm(&mut self, names: [&str; 2], width: usize, slot: Slot) {
        let [hugging_face, gguf] = names.map(|n| format!("{n}.weight"));
        self.add(&hugging_face, &gguf, &[width], Kind::Norm, slot);
    }

    fn attention(&mut self) {
        let c = self.config;
        let (hidden, d) = (c.hidden_size, c.head_dim);
        let (q, kv) = (c.num_heads * d, c.num_kv_heads * d);
        let by_query = Kind::Rotated { heads: c.num_heads };
        let by_key = Kind::Rotated {
            heads: c.num_kv_heads,
        };
        let qkv_bias = |slot: Slot| c.qkv_bias.then_some(slot);
        let q_bias = qkv_bias(|l| l.q_bias.get_or_insert_default());
        let k_bias = qkv_bias(|l| l.k_bias.get_or_insert_default());
        let v_bias = qkv_bias(|l| l.v_bias.get_or_insert_default());
        let o_bias: Slot = |l| l.o_bias.get_or_insert_default();
        let o_bias = c.o_bias.then_some(o_bias);
        self.project(
            ["self_attn.q_proj", "attn_q"],
            [q, hidden],
            by_query,
            |l| &mut l.q,
            q_bias,
        );
        self.project(
            ["self_attn.k_proj", "attn_k"],
            [kv, hidden],
            by_key,
            |l| &mut l.k,
            k_bias,
        );
        self.project(
            ["self_attn.v_proj", "attn_v"],
            [kv, hidden],
            Kind::Plain,
            |l| &mut l.v,
            v_bias,
        );
        self.project(
            ["self_attn.o_proj", "attn_output"],
            [hidden, q],
            Kind::Plain,
            |l| &mut l.o,
            o_bias,
        );
        if c.qk_norm {
            self.norm(["self_attn.q_norm", "attn_q_norm"], d, |l| {
                l.q_norm.get_or_insert_default()
            });
            self.norm(["self_attn.k_norm", "attn_k_norm"], d, |l| {
                l.k_norm.get_or_insert_default()
            });
        }
    }

    fn feed_forward(&mut self) {
        let c = self.config;
        let (hidden, inner) = (c.hidden_size, c.intermediate_size);
        let bias = |slot: Slot| c.mlp_bias.then_some(slot);
        let gate_bias = bias(|l| l.gate_bias.get_or_insert_default());
        let up_bias = bias(|l| l.up_bias.get_or_insert_default());
        let down_bias = bias(|l| l.down_bias.get_or_insert_default());
        self.project(
            ["mlp.gate_proj", "ffn_gate"],
            [inner, hidden],
            Kind::Plain,
            |l| &mut l.gate,
            gate_bias,
        );
        self.project(
            ["mlp.up_proj", "ffn_up"],
            [inner, hidden],
            Kind::Plain,
            |l| &mut l.up,
            up_bias,
        );
        self.project(
            ["mlp.down_proj", "ffn_down"],
            [hidden, inner],
            Kind::Plain,
            |l| &mut l.down,
            down_bias,
        );
    }

    /// Hugging Face's `post_attention_layernorm` stands before the feed-forward block in most
    /// families, but in Gemma 2 and 3 it norms attention's output.
    fn norms(&mut self) {
        let hidden = self.config.hidden_size;
        self.norm(["input_layernorm", "attn_norm"], hidden, |l| {
            &mut l.input_norm
        });
        if !self.config.output_norms {
            self.norm(["post_attention_layernorm", "ffn_norm"], hidden, |l| {
                &mut l.mlp_norm
            });
            return;
        }
        self.norm(["pre_feedforward_layernorm", "ffn_norm"], hidden, |l| {
            &mut l.mlp_norm
        });
        self.norm(
            ["post_attention_layernorm", "post_attention_norm"],
            hidden,
            |l| l.attention_output_norm.get_or_insert_default(),
        );
        self.norm(
            ["post_feedforward_layernorm", "post_ffw_norm"],
            hidden,
            |l| l.mlp_output_norm.get_or_insert_default(),
        );
    }
}

/// The tensors of one layer with their places.
pub(super) fn layer(config: &ModelConfig, naming: Naming, index: usize) -> Vec<(Wanted, Slot)> {
    let mut layer = Layer {
        config,
        naming,
        index,
        wanted: Vec::new(),
    };
    layer.norms();
    layer.attention();
    layer.feed_forward();
    layer.wanted
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
