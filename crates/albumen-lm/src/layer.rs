//! One layer's weights.

use crate::config::{ModelConfig, Rope};
use crate::error::LmError;
use crate::kernels::{AttentionShape, Kernels};
use crate::weights::LayerWeights;

/// One layer's weights; q, k and v are one matrix, and so are gate and up.
pub(crate) struct Layer<K: Kernels> {
    pub(crate) input_norm: K::Matrix,
    pub(crate) qkv: K::Weight,
    qkv_bias: Option<K::Matrix>,
    pub(crate) head_norms: Option<(K::Matrix, K::Matrix)>,
    pub(crate) o: K::Weight,
    o_bias: Option<K::Matrix>,
    pub(crate) attention_output_norm: Option<K::Matrix>,
    pub(crate) mlp_norm: K::Matrix,
    pub(crate) gate_up: K::Weight,
    gate_up_bias: Option<K::Matrix>,
    pub(crate) down: K::Weight,
    down_bias: Option<K::Matrix>,
    pub(crate) mlp_output_norm: Option<K::Matrix>,
    pub(crate) shape: AttentionShape,
    /// Index of its rotary embedding in `Lm::ropes`.
    pub(crate) rope: usize,
}

impl<K: Kernels> Layer<K> {
    /// Layer `index` of a model whose rotary embeddings are `ropes`.
    pub(crate) fn new(
        k: &K,
        c: &ModelConfig,
        ropes: &[Rope],
        index: usize,
        w: LayerWeights,
    ) -> Result<Self, LmError> {
        let (h, i, d) = (c.hidden_size, c.intermediate_size, c.head_dim);
        let (q, kv) = (c.num_heads * d, c.num_kv_heads * d);
        let name = |part: &str| format!("layers.{index}.{part}");
        let vector = |part: &str, v: Vec<f32>, len| {
            expect_len(&name(part), &v, len)?;
            k.upload(&v, len)
        };
        let optional =
            |part: &str, v: Option<Vec<f32>>, len| v.map(|v| vector(part, v, len)).transpose();
        let matrix = |parts: [(&str, Vec<f32>, usize); 3], input: usize| {
            let mut rows = 0;
            let mut all = Vec::new();
            for (part, data, out) in parts {
                expect_len(&name(part), &data, out * input)?;
                rows += out;
                // The first part is moved, not copied, where it is the only one.
                if all.is_empty() {
                    all = data;
                } else {
                    all.extend(data);
                }
            }
            k.weight(all, rows, input)
        };
        let join = |parts: [Option<Vec<f32>>; 3]| {
            let joined: Vec<f32> = parts.into_iter().flatten().flatten().collect();
            Some(joined).filter(|b| !b.is_empty())
        };
        let none = || ("", Vec::new(), 0);
        let attention = &c.attention[index];
        Ok(Self {
            input_norm: vector("input_norm", w.input_norm, h)?,
            qkv: matrix([("q", w.q, q), ("k", w.k, kv), ("v", w.v, kv)], h)?,
            qkv_bias: optional("qkv_bias", join([w.q_bias, w.k_bias, w.v_bias]), q + 2 * kv)?,
            head_norms: optional("q_norm", w.q_norm, d)?.zip(optional("k_norm", w.k_norm, d)?),
            o: matrix([("o", w.o, h), none(), none()], q)?,
            o_bias: optional("o_bias", w.o_bias, h)?,
            attention_output_norm: optional("attention_output_norm", w.attention_output_norm, h)?,
            mlp_norm: vector("mlp_norm", w.mlp_norm, h)?,
            gate_up: matrix([("gate", w.gate, i), ("up", w.up, i), none()], h)?,
            gate_up_bias: optional("gate_bias", join([w.gate_bias, w.up_bias, None]), 2 * i)?,
            down: matrix([("down", w.down, h), none(), none()], i)?,
            down_bias: optional("down_bias", w.down_bias, h)?,
            mlp_output_norm: optional("mlp_output_norm", w.mlp_output_norm, h)?,
            shape: AttentionShape {
                heads: c.num_heads,
                kv_heads: c.num_kv_heads,
                head_dim: d,
                scale: c.attention_scale,
                soft_cap: c.attention_softcap,
                window: attention.window,
            },
            rope: ropes.iter().position(|r| *r == attention.rope).unwrap_or(0),
        })
    }

    pub(crate) fn qkv(&self) -> (&K::Weight, Option<&K::Matrix>) {
        (&self.qkv, self.qkv_bias.as_ref())
    }

    pub(crate) fn o(&self) -> (&K::Weight, Option<&K::Matrix>) {
        (&self.o, self.o_bias.as_ref())
    }

    pub(crate) fn gate_up(&self) -> (&K::Weight, Option<&K::Matrix>) {
        (&self.gate_up, self.gate_up_bias.as_ref())
    }

    pub(crate) fn down(&self) -> (&K::Weight, Option<&K::Matrix>) {
        (&self.down, self.down_bias.as_ref())
    }
}

/// Refuses a tensor of another length.
pub(crate) fn expect_len(name: &str, data: &[f32], expected: usize) -> Result<(), LmError> {
    if data.len() == expected {
        return Ok(());
    }
    Err(LmError::Shape {
        name: name.into(),
        found: data.len(),
        expected,
    })
}
