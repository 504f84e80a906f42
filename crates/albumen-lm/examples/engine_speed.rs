//! Times the engine on random weights of SmolLM2-135M's shape.
//!
//! `cargo run --release -p albumen-lm --example engine_speed -- [step|cached|tree|decode|all] [key=value ...]`
//! with keys `units`, `tokens` (a unit), `rounds`, `layers` (adapted) and `precision` (f32, bf16).
//! Medians over rounds. Threads: `RAYON_NUM_THREADS`.

#![expect(clippy::print_stdout, reason = "a program that prints its timings")]

use std::time::Instant;

use albumen_lm::config::{Activation, LayerAttention, ModelConfig, Rope, RopeScaling};
use albumen_lm::kernels::Cpu;
use albumen_lm::sampler::SamplingParams;
use albumen_lm::weights::{LayerWeights, Weights};
use albumen_lm::{
    Adapter, Branch, Budget, DecodeOptions, Example, Family, Lm, LmError, LoraConfig, LoraLayout,
    Precision, Request, Sequence, StateFormat, Target,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn smollm2() -> ModelConfig {
    let rope = Rope {
        theta: 100_000.0,
        scaling: RopeScaling::None,
    };
    ModelConfig {
        family: Family::Llama,
        vocab_size: 49152,
        hidden_size: 576,
        intermediate_size: 1536,
        num_layers: 30,
        num_heads: 9,
        num_kv_heads: 3,
        head_dim: 64,
        max_position: 8192,
        rms_norm_eps: 1e-5,
        activation: Activation::Silu,
        tie_word_embeddings: true,
        embedding_scale: 1.0,
        attention_scale: 0.125,
        attention_softcap: None,
        final_softcap: None,
        qkv_bias: false,
        o_bias: false,
        mlp_bias: false,
        qk_norm: false,
        output_norms: false,
        attention: vec![LayerAttention { window: None, rope }; 30],
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

fn sequences(units: usize, tokens: usize) -> Vec<Sequence> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let one = |_| {
        let text: Vec<u32> = (0..tokens).map(|_| rng.random_range(0..49152)).collect();
        // A loss at every position, as the peers' benchmarks have it.
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

fn median(rounds: usize, mut f: impl FnMut() -> Result<(), LmError>) -> Result<f64, LmError> {
    f()?;
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = Instant::now();
        f()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[rounds / 2])
}

/// The largest resident size so far, in MiB.
fn peak_mib() -> f64 {
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

fn layout(config: &ModelConfig, layers: usize) -> Result<(LoraLayout, Vec<f32>), LmError> {
    let targets = vec![Target::Q, Target::K, Target::V, Target::O];
    let config_ = LoraConfig {
        rank: 8,
        alpha: 16.0,
        targets,
        layers: Some(layers),
    };
    let layout = LoraLayout::new(config, &config_)?;
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let params = (0..layout.len())
        .map(|_| rng.random_range(-0.02..0.02))
        .collect();
    Ok((layout, params))
}

struct Settings {
    units: usize,
    tokens: usize,
    rounds: usize,
    layers: usize,
}

fn step(lm: &Lm<Cpu>, s: &Settings, cached: bool) -> Result<(), LmError> {
    let (layout, params) = layout(lm.config(), s.layers)?;
    let adapter = Adapter {
        layout: &layout,
        params: &params,
    };
    let sequences = sequences(s.units, s.tokens);
    let all: Vec<&Sequence> = sequences.iter().collect();
    let states = if cached {
        lm.prefix_states(&layout, &all, StateFormat::Bf16, Budget::default())?
    } else {
        Vec::new()
    };
    let units: Vec<_> = sequences
        .iter()
        .enumerate()
        .map(|(i, sequence)| {
            vec![Example {
                sequence,
                states: states.get(i),
            }]
        })
        .collect();
    let mut sum = vec![0.0_f32; layout.len()];
    let before = cpu_s();
    let time = median(s.rounds, || {
        sum.fill(0.0);
        lm.gradients(adapter, &units, Budget::default(), &mut |_, g, _| {
            let norm = g.iter().map(|x| x * x).sum::<f32>().sqrt();
            let factor = (1.0 / norm).min(1.0);
            sum.iter_mut().zip(g).for_each(|(s, g)| *s += factor * g);
        })
    })?;
    let tokens = (s.units * s.tokens) as f64;
    println!(
        "step {:?} {}x{} last {} layers, cached {cached}: {:.3} s, {:.0} tokens/s, {:.2} CPU s a step, peak {:.0} MiB",
        lm.kernels().precision(),
        s.units,
        s.tokens,
        s.layers,
        time,
        tokens / time,
        (cpu_s() - before) / (s.rounds + 1) as f64,
        peak_mib()
    );
    Ok(())
}

/// The caption model's albums: a summary of 40 tokens and 6 photos of 20, as one tree and as six
/// separate examples.
fn tree(lm: &Lm<Cpu>, s: &Settings) -> Result<(), LmError> {
    let (layout, params) = layout(lm.config(), s.layers)?;
    let adapter = Adapter {
        layout: &layout,
        params: &params,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut text = |n: usize| -> Vec<u32> { (0..n).map(|_| rng.random_range(0..49152)).collect() };
    let (mut trees, mut separate) = (Vec::new(), Vec::new());
    for _ in 0..s.units {
        let trunk = text(40);
        let mut tree = Sequence::builder().context(&trunk);
        for _ in 0..6 {
            let (given, predicted) = (text(5), text(15));
            tree = tree.branch().context(&given).target(&predicted, 1.0);
            let alone = Sequence::builder().context(&trunk).context(&given);
            separate.push(alone.target(&predicted, 1.0).build()?);
        }
        trees.push(tree.build()?);
    }
    let time = |sequences: &[Sequence], per_unit: usize| {
        let examples: Vec<Example<'_>> = sequences.iter().map(Example::from).collect();
        let units: Vec<_> = examples.chunks(per_unit).map(<[_]>::to_vec).collect();
        median(s.rounds, || {
            lm.gradients(adapter, &units, Budget::default(), &mut |_, _, _| {})
        })
    };
    let (one, six) = (time(&trees, 1)?, time(&separate, 6)?);
    println!(
        "tree {:?} {} albums: {one:.3} s as trees, {six:.3} s as separate examples, {:.2} times",
        lm.kernels().precision(),
        s.units,
        six / one
    );
    Ok(())
}

fn decode(lm: &Lm<Cpu>, s: &Settings) -> Result<(), LmError> {
    for (batch, prompt) in [(1, 16), (16, 16), (64, 16), (64, 120)] {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let requests: Vec<_> = (0..batch as u64)
            .map(|stream| {
                let prompt = (0..prompt).map(|_| rng.random_range(0..49152)).collect();
                Request {
                    trunk: Vec::new(),
                    branches: vec![Branch { prompt, stream }],
                }
            })
            .collect();
        let mut options = DecodeOptions {
            batch,
            max_new_tokens: 64,
            stop_tokens: Vec::new(),
            sampling: SamplingParams::default(),
            seed: 0,
        };
        let time = median(s.rounds, || {
            lm.generate(None, None, &requests, &options, &mut |_, _, _| {})
        })?;
        options.max_new_tokens = 1;
        let prefill = median(s.rounds, || {
            lm.generate(None, None, &requests, &options, &mut |_, _, _| {})
        })?;
        println!(
            "decode {:?} batch {batch} prompt {prompt} + 64: {:.3} s, {:.0} new tokens/s ({:.0} without the prompts), prompts {:.0} tokens/s",
            lm.kernels().precision(),
            time,
            batch as f64 * 64.0 / time,
            batch as f64 * 63.0 / (time - prefill),
            (batch * prompt) as f64 / prefill
        );
    }
    Ok(())
}

fn main() -> Result<(), LmError> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |key: &str| {
        args.iter()
            .find_map(|a| a.strip_prefix(key)?.strip_prefix('='))
    };
    let number = |key, default| value(key).and_then(|v| v.parse().ok()).unwrap_or(default);
    let mut s = Settings {
        units: number("units", 8),
        tokens: number("tokens", 64),
        rounds: number("rounds", 5),
        layers: number("layers", 30),
    };
    let what = args.first().map_or("all", String::as_str);
    let precisions = match value("precision") {
        Some("f32") => vec![Precision::F32],
        Some("bf16") => vec![Precision::Bf16],
        _ => vec![Precision::F32, Precision::Bf16],
    };
    for precision in precisions {
        let lm = Lm::new(random_weights(smollm2()), precision)?;
        if ["step", "all"].contains(&what) {
            step(&lm, &s, false)?;
        }
        if ["cached", "all"].contains(&what) {
            s.layers = number("layers", 8);
            step(&lm, &s, true)?;
            s.layers = number("layers", 30);
        }
        if ["tree", "all"].contains(&what) {
            tree(&lm, &s)?;
        }
        if ["decode", "all"].contains(&what) {
            decode(&lm, &s)?;
        }
    }
    Ok(())
}
