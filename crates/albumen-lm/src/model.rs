//! The network: frozen weights laid out for the kernels, and one layer's forward pass.
//!
//! Shapes: n tokens, hidden width h, heads * head_dim = q, kv_heads * head_dim = kv, feed-forward
//! width i. Architecture: Touvron et al. 2023 (arXiv:2302.13971, section 2.2), with the features
//! of later families where the configuration asks for them.

use crate::config::{ModelConfig, Rope};
use crate::error::LmError;
use crate::kernels::{AttentionShape, Cpu, Kernels, LoraScale, PackedRun, Precision, rope};
use crate::layer::{Layer, expect_len};
use crate::lora::{Adapter, LayerSites, Site};
use crate::weights::Weights;

/// A frozen language model over kernels `K`.
pub struct Lm<K: Kernels = Cpu> {
    pub(crate) config: ModelConfig,
    pub(crate) kernels: K,
    pub(crate) embedding: K::Weight,
    head: Option<K::Weight>,
    pub(crate) final_norm: K::Matrix,
    pub(crate) layers: Vec<Layer<K>>,
    /// The rotary embeddings in use, each once.
    ropes: Vec<Rope>,
}

/// An adapter as the kernels see it.
pub(crate) struct DeviceAdapter<'a, K: Kernels> {
    pub(crate) adapter: Adapter<'a>,
    /// (1, parameters).
    pub(crate) params: K::Matrix,
    pub(crate) scale: LoraScale,
}

/// The rotation angles of one pass's tokens, for each rotary embedding of the model.
pub(crate) struct Angles<K: Kernels>(Vec<K::Matrix>);

/// What the tokens of a pass see.
pub(crate) struct Seen<'a, K: Kernels> {
    /// Of one another.
    pub(crate) runs: &'a [PackedRun],
    /// Before every sequence: rows of queries, keys and values, a matrix for each layer.
    pub(crate) before: Option<&'a [K::Matrix]>,
}

impl<K: Kernels> Clone for Seen<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Kernels> Copy for Seen<'_, K> {}

impl<'a, K: Kernels> Seen<'a, K> {
    /// What stands before every sequence in a layer.
    pub(crate) fn before(&self, layer: usize) -> Option<&'a K::Matrix> {
        self.before.and_then(|layers| layers.get(layer))
    }
}

/// Attention from rows of queries, keys and values; see [`Lm::layer_with`].
pub(crate) type Attend<'a, K> = dyn FnMut(
        &<K as Kernels>::Matrix,
        &AttentionShape,
    ) -> Result<(<K as Kernels>::Matrix, <K as Kernels>::Matrix), LmError>
    + 'a;

/// What the backward pass needs of one layer's forward pass.
pub(crate) struct Saved<K: Kernels> {
    /// The layer's input, (n, h).
    pub(crate) h: K::Matrix,
    /// Inverse norms of `h`, (n, 1).
    pub(crate) h_inverse: K::Matrix,
    /// Queries, keys and values, rotated, (n, q + 2 kv).
    pub(crate) qkv: K::Matrix,
    /// Before the norms of heads, and their inverse norms.
    pub(crate) heads: Option<(K::Matrix, K::Matrix)>,
    pub(crate) log_sum: K::Matrix,
    /// Attention's output, (n, q).
    pub(crate) y: K::Matrix,
    /// o's output and its inverse norms, where it is normalised.
    pub(crate) attention_output: Option<(K::Matrix, K::Matrix)>,
    /// Between the blocks, (n, h), and its inverse norms.
    pub(crate) m: K::Matrix,
    pub(crate) m_inverse: K::Matrix,
    /// Gate and up, (n, 2 i).
    pub(crate) gate_up: K::Matrix,
    /// down's output and its inverse norms, where it is normalised.
    pub(crate) mlp_output: Option<(K::Matrix, K::Matrix)>,
    /// `x A^T` of each adapted site.
    pub(crate) u_qkv: Option<K::Matrix>,
    pub(crate) u_o: Option<K::Matrix>,
    pub(crate) u_gate_up: Option<K::Matrix>,
    pub(crate) u_down: Option<K::Matrix>,
}

impl Lm<Cpu> {
    /// Lays `weights` out for this machine's processor.
    ///
    /// # Errors
    /// Where a tensor's length contradicts the configuration.
    pub fn new(weights: Weights, precision: Precision) -> Result<Self, LmError> {
        Self::with_kernels(weights, Cpu::new(precision))
    }
}

impl<K: Kernels> Lm<K> {
    /// Lays `weights` out for `kernels`.
    ///
    /// # Errors
    /// Where a tensor's length contradicts the configuration, or the device refuses.
    pub fn with_kernels(weights: Weights, kernels: K) -> Result<Self, LmError> {
        let Weights {
            config,
            embedding,
            head,
            final_norm,
            layers,
        } = weights;
        let (vocab, h) = (config.vocab_size, config.hidden_size);
        expect_len("embedding", &embedding, vocab * h)?;
        expect_len("final_norm", &final_norm, h)?;
        if layers.len() != config.num_layers || config.attention.len() != config.num_layers {
            let (found, expected) = (layers.len(), config.num_layers);
            return Err(LmError::Shape {
                name: "layers".into(),
                found,
                expected,
            });
        }
        let head = head
            .map(|head| {
                expect_len("head", &head, vocab * h)?;
                kernels.weight(head, vocab, h)
            })
            .transpose()?;
        let mut ropes: Vec<Rope> = Vec::new();
        for attention in &config.attention {
            if !ropes.contains(&attention.rope) {
                ropes.push(attention.rope);
            }
        }
        let layers = layers.into_iter().enumerate();
        let layers = layers
            .map(|(i, layer)| Layer::new(&kernels, &config, &ropes, i, layer))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            embedding: kernels.weight(embedding, vocab, h)?,
            head,
            final_norm: kernels.upload(&final_norm, h)?,
            layers,
            ropes,
            config,
            kernels,
        })
    }

    /// Shape and features.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The kernels it runs on.
    pub fn kernels(&self) -> &K {
        &self.kernels
    }

    pub(crate) fn head(&self) -> &K::Weight {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    pub(crate) fn eps(&self) -> f32 {
        self.config.rms_norm_eps as f32
    }

    pub(crate) fn device_adapter<'a>(
        &self,
        adapter: Adapter<'a>,
    ) -> Result<DeviceAdapter<'a, K>, LmError> {
        adapter.layout.check(&self.config, adapter.params)?;
        let frozen = adapter.layout.frozen();
        let all = [frozen, adapter.params].concat();
        let params = self.kernels.upload(&all, all.len())?;
        let rank = adapter.layout.config().rank;
        Ok(DeviceAdapter {
            adapter,
            params,
            scale: LoraScale {
                rank,
                scale: adapter.layout.scale(),
                frozen: frozen.len(),
            },
        })
    }

    /// The angles of tokens at these positions.
    pub(crate) fn angles(&self, positions: &[u32]) -> Result<Angles<K>, LmError> {
        let d = self.config.head_dim;
        let tables = self
            .ropes
            .iter()
            .map(|r| rope::table(r, d, positions.iter().copied()));
        Ok(Angles(
            tables
                .map(|t| self.kernels.upload(&t, d))
                .collect::<Result<_, _>>()?,
        ))
    }

    /// One layer of packed sequences, from `h` (n, h) to its output and, where `save`, what its
    /// backward pass needs.
    pub(crate) fn layer(
        &self,
        index: usize,
        h: K::Matrix,
        seen: Seen<'_, K>,
        angles: &Angles<K>,
        adapter: Option<&DeviceAdapter<'_, K>>,
        save: bool,
    ) -> Result<(K::Matrix, Option<Saved<K>>), LmError> {
        let (runs, before) = (seen.runs, seen.before(index));
        let mut attend = |qkv: &K::Matrix, shape: &AttentionShape| {
            self.kernels.attention(qkv, before, shape, runs)
        };
        self.layer_with(index, h, angles, adapter, save, &mut attend)
    }

    /// One layer with attention left to `attend`, which gives its output (n, q) and the logs of the
    /// softmax's denominators.
    pub(crate) fn layer_with(
        &self,
        index: usize,
        h: K::Matrix,
        angles: &Angles<K>,
        adapter: Option<&DeviceAdapter<'_, K>>,
        save: bool,
        attend: &mut Attend<'_, K>,
    ) -> Result<(K::Matrix, Option<Saved<K>>), LmError> {
        let (k, l, eps) = (&self.kernels, &self.layers[index], self.eps());
        let none = LayerSites::default();
        let sites = adapter.map_or(&none, |a| a.adapter.layout.sites(index));
        let with = |site| Option::zip(Option::as_ref(site), adapter);

        let (x, h_inverse) = k.rms_norm(&h, &l.input_norm, eps)?; // (n, h)
        let (mut qkv, u_qkv) = project(k, &x, l.qkv(), with(&sites.qkv), None)?; // (n, q + 2 kv)
        drop(x);
        let mut heads = None;
        if let Some((wq, wk)) = &l.head_norms {
            let raw = if save { Some(k.copy(&qkv)?) } else { None };
            let inverse = k.head_norm(&mut qkv, &l.shape, (wq, wk), eps)?;
            heads = raw.map(|raw| (raw, inverse));
        }
        k.rope(&mut qkv, &l.shape, angles.of(l), false)?;
        let (y, log_sum) = attend(&qkv, &l.shape)?; // (n, q)

        let kept = if save { Some(k.copy(&h)?) } else { None };
        let (m, u_o, attention_output) = self.onto_residual(
            &y,
            l.o(),
            with(&sites.o),
            l.attention_output_norm.as_ref(),
            h,
        )?;
        let (x, m_inverse) = k.rms_norm(&m, &l.mlp_norm, eps)?; // (n, h)
        let (gate_up, u_gate_up) = project(k, &x, l.gate_up(), with(&sites.gate_up), None)?;
        drop(x);
        let z = k.gate(&gate_up, self.config.activation)?; // (n, i)
        let m_kept = if save { Some(k.copy(&m)?) } else { None };
        let (out, u_down, mlp_output) = self.onto_residual(
            &z,
            l.down(),
            with(&sites.down),
            l.mlp_output_norm.as_ref(),
            m,
        )?;
        let saved = kept.zip(m_kept).map(|(h, m)| Saved {
            h,
            h_inverse,
            qkv,
            heads,
            log_sum,
            y,
            attention_output,
            m,
            m_inverse,
            gate_up,
            mlp_output,
            u_qkv,
            u_o,
            u_gate_up,
            u_down,
        });
        Ok((out, saved))
    }

    /// `residual + norm(x W^T)`, the norm where there is one; gives `x A^T` and what the norm's
    /// backward needs too.
    #[expect(clippy::type_complexity, reason = "three results of one step")]
    fn onto_residual(
        &self,
        x: &K::Matrix,
        weight: (&K::Weight, Option<&K::Matrix>),
        site: Option<(&Site, &DeviceAdapter<'_, K>)>,
        norm: Option<&K::Matrix>,
        residual: K::Matrix,
    ) -> Result<(K::Matrix, Option<K::Matrix>, Option<(K::Matrix, K::Matrix)>), LmError> {
        let k = &self.kernels;
        let Some(norm) = norm else {
            let (out, u) = project(k, x, weight, site, Some(residual))?;
            return Ok((out, u, None));
        };
        let (raw, u) = project(k, x, weight, site, None)?;
        let (mut out, inverse) = k.rms_norm(&raw, norm, self.eps())?;
        k.add(&mut out, &residual)?;
        Ok((out, u, Some((raw, inverse))))
    }
}

impl<K: Kernels> Angles<K> {
    /// Those of a layer.
    pub(crate) fn of(&self, layer: &Layer<K>) -> &K::Matrix {
        &self.0[layer.rope]
    }
}

/// `x W^T + b`, with the adapter's update, onto `onto`; gives `x A^T` too.
fn project<K: Kernels>(
    k: &K,
    x: &K::Matrix,
    (w, bias): (&K::Weight, Option<&K::Matrix>),
    site: Option<(&Site, &DeviceAdapter<'_, K>)>,
    onto: Option<K::Matrix>,
) -> Result<(K::Matrix, Option<K::Matrix>), LmError> {
    let mut y = k.linear(x, w, onto)?;
    if let Some(bias) = bias {
        k.add_bias(&mut y, bias)?;
    }
    let u = site
        .map(|(site, a)| k.lora(x, &a.params, site, a.scale, &mut y))
        .transpose()?;
    Ok((y, u))
}
