//! What the timing programs share: random models, random text, clocks.
#![allow(dead_code, reason = "each program uses its part")]

use std::time::Instant;

use albumen_lm::config::{Activation, LayerAttention, ModelConfig, Rope, RopeScaling};
use albumen_lm::weights::{LayerWeights, Weights};
use albumen_lm::{
    Budget, Family, Lm, LmError, LoraConfig, LoraLayout, Precision, Sequence, Target,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Arguments `key=value`.
pub(crate) struct Args(Vec<String>);

impl Args {
    pub(crate) fn new() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    pub(crate) fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        let found = |a: &String| a.strip_prefix(key).is_some_and(|v| v.starts_with('='));
        let arg = self.0.iter().find(|a| found(a))?;
        arg.split_once('=').map(|a| a.1)
    }

    pub(crate) fn number(&self, key: &str, default: usize) -> usize {
        let value = self.value(key).and_then(|v| v.parse().ok());
        value.unwrap_or(default)
    }

    /// One precision, or both where none is named.
    pub(crate) fn precisions(&self) -> Vec<Precision> {
        match self.value("precision") {
            Some("f32") => vec![Precision::F32],
            Some("bf16") => vec![Precision::Bf16],
            _ => vec![Precision::F32, Precision::Bf16],
        }
    }
}

/// The shape of SmolLM2-135M (Allal et al. 2025, arXiv:2502.02737); `10m` and `360m` are a smaller
/// and a larger sibling with the same vocabulary.
pub(crate) fn shape(name: &str) -> ModelConfig {
    let (hidden_size, intermediate_size, num_layers, num_heads, num_kv_heads) = match name {
        "10m" => (160, 416, 8, 5, 1),
        "360m" => (960, 2560, 32, 15, 5),
        _ => (576, 1536, 30, 9, 3),
    };
    let rope = Rope {
        theta: 100_000.0,
        scaling: RopeScaling::None,
    };
    let head_dim = hidden_size / num_heads;
    ModelConfig {
        family: Family::Llama,
        vocab_size: 49152,
        hidden_size,
        intermediate_size,
        num_layers,
        num_heads,
        num_kv_heads,
        head_dim,
        max_position: 8192,
        rms_norm_eps: 1e-5,
        activation: Activation::Silu,
        tie_word_embeddings: true,
        embedding_scale: 1.0,
        attention_scale: 1.0 / (head_dim as f32).sqrt(),
        attention_softcap: None,
        final_softcap: None,
        qkv_bias: false,
        o_bias: false,
        mlp_bias: false,
        qk_norm: false,
        output_norms: false,
        attention: vec![LayerAttention { window: None, rope }; num_layers],
    }
}

fn random_weights(config: ModelConfig) -> Weights {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut matrix = |out: usize, input: usize| -> Vec<f32> {
        (0..out * input)
            .map(|_| rng.random_range(-0.04..0.04))
            .collect()
    };
    let (h, i) = (config.hidden_size, config.intermediate_size);
    let (q, kv) = (
        config.num_heads * config.head_dim,
        config.num_kv_heads * config.head_dim,
    );
    let layers = (0..config.num_layers).map(|_| LayerWeights {
        input_norm: vec![1.0; h],
        mlp_norm: vec![1.0; h],
        q: matrix(q, h),
        k: matrix(kv, h),
        v: matrix(kv, h),
        o: matrix(h, q),
        gate: matrix(i, h),
        up: matrix(i, h),
        down: matrix(h, i),
        ..LayerWeights::default()
    });
    let layers = layers.collect();
    let embedding = matrix(config.vocab_size, h);
    Weights {
        embedding,
        head: None,
        final_norm: vec![1.0; h],
        layers,
        config,
    }
}

/// A model of random weights.
pub(crate) fn model(args: &Args, precision: Precision) -> Result<Lm, LmError> {
    let shape = shape(args.value("model").unwrap_or("135m"));
    Lm::new(random_weights(shape), precision)
}

/// What a command line asks of the micro-batches.
pub(crate) fn budget(args: &Args) -> Budget {
    let default = Budget::default();
    Budget {
        tokens: args.number("budget", default.tokens),
        ..default
    }
}

/// Random text with a loss at every position, as the peers' benchmarks have it.
pub(crate) fn sequences(units: usize, tokens: usize) -> Vec<Sequence> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let one = |_| {
        let text: Vec<u32> = (0..tokens).map(|_| rng.random_range(0..49152)).collect();
        let weight = 1.0 / (tokens - 1) as f32;
        Sequence::builder()
            .context(&text[..1])
            .target(&text[1..], weight)
            .build()
    };
    (0..units)
        .map(one)
        .collect::<Result<_, _>>()
        .unwrap_or_default()
}

/// The middle one.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Seconds on the wall and on all processors.
#[derive(Clone, Copy)]
pub(crate) struct Time {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

/// Times one call.
pub(crate) fn time<E>(f: impl FnOnce() -> Result<(), E>) -> Result<Time, E> {
    let (start, before) = (Instant::now(), cpu_s());
    f()?;
    Ok(Time {
        wall: start.elapsed().as_secs_f64(),
        cpu: cpu_s() - before,
    })
}

/// The largest resident size so far, in MiB.
pub(crate) fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

/// Processor seconds of this process so far, all threads (in ticks of 10 ms).
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    fields
        .skip(11)
        .take(2)
        .filter_map(|f| f.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

/// LoRA of rank 8 on q, k, v and o of the last `layers` layers, with random parameters.
pub(crate) fn layout(
    config: &ModelConfig,
    layers: usize,
) -> Result<(LoraLayout, Vec<f32>), LmError> {
    let targets = vec![Target::Q, Target::K, Target::V, Target::O];
    let config_ = LoraConfig {
        rank: 8,
        alpha: 16.0,
        targets,
        layers: Some(layers),
        frozen_a: None,
    };
    let layout = LoraLayout::new(config, &config_)?;
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let params = (0..layout.len())
        .map(|_| rng.random_range(-0.02..0.02))
        .collect();
    Ok((layout, params))
}
