//! Times the engine on random weights of SmolLM2's shapes.
//!
//! `cargo run --release -p albumen-lm --example engine_speed -- WHAT [key=value ...]` with WHAT
//! - `gemm`: the fastest large f32 product, by the kernels and by the `gemm` crate, against a step;
//! - `cached`: a step of the last layers from cached states against a step of all layers;
//! - `tree`: albums as trees against separate examples;
//! - `decode`: generation,
//!
//! and keys `model` (10m, 135m, 360m), `precision` (f32, bf16), `units`, `tokens` (a unit), `layers`
//! (adapted), `given` (tokens a unit without a loss), `trunk`, `prompt`, `caption`, `photos` (a tree's
//! tokens and branches), `budget` (tokens in work), `rounds`. What is compared is run in turn; figures
//! are medians over rounds, on the wall and in processor seconds. Threads: `RAYON_NUM_THREADS`.

#![expect(clippy::print_stdout, reason = "a program that prints its timings")]

mod support;

use albumen_lm::kernels::{Cpu, Kernels};
use albumen_lm::sampler::SamplingParams;
use albumen_lm::{
    Adapter, Branch, DecodeOptions, Example, Lm, LmError, Request, Sequence, StateFormat,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::{Args, Time, budget, layout, median, model, time};

/// Runs `a` and `b` in turn, once unmeasured; gives their medians and the medians of b's times over
/// a's of the same round.
fn compare(
    rounds: usize,
    mut a: impl FnMut() -> Result<(), LmError>,
    mut b: impl FnMut() -> Result<(), LmError>,
) -> Result<[Time; 3], LmError> {
    a()?;
    b()?;
    let mut pairs = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        pairs.push((time(&mut a)?, time(&mut b)?));
    }
    let of = |f: &dyn Fn(&(Time, Time)) -> f64| median(pairs.iter().map(f).collect());
    Ok([
        Time {
            wall: of(&|p| p.0.wall),
            cpu: of(&|p| p.0.cpu),
        },
        Time {
            wall: of(&|p| p.1.wall),
            cpu: of(&|p| p.1.cpu),
        },
        Time {
            wall: of(&|p| p.1.wall / p.0.wall),
            cpu: of(&|p| p.1.cpu / p.0.cpu),
        },
    ])
}

/// A step over units of one example each.
fn step(
    lm: &Lm,
    adapter: Adapter<'_>,
    units: &[Vec<Example<'_>>],
    args: &Args,
) -> Result<(), LmError> {
    lm.gradients(adapter, None, units, budget(args), &mut |_, _, _| {})
}

/// Products of a step with frozen weights, forward and backward, in floating-point operations.
fn step_flops(lm: &Lm, tokens: usize) -> f64 {
    let c = lm.config();
    let (q, kv) = (c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim);
    let layer = c.hidden_size * (2 * q + 2 * kv + 3 * c.intermediate_size);
    let head = c.hidden_size * c.vocab_size;
    // The lowest layer needs no gradient of its input.
    let lowest = c.hidden_size * (q + 2 * kv);
    2.0 * tokens as f64 * (2 * (c.num_layers * layer + head) - lowest) as f64
}

fn gemm_peak(lm: &Lm, args: &Args) -> Result<(), LmError> {
    let n = args.number("size", 1536);
    let numbers = |seed| -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n * n).map(|_| rng.random_range(-1.0..1.0)).collect()
    };
    let (a, b) = (numbers(1), numbers(2));
    let mut c = vec![0.0_f32; n * n];
    let kernels = Cpu::new(albumen_lm::Precision::F32);
    let (x, w) = (kernels.upload(&a, n)?, kernels.weight(b.clone(), n, n)?);
    let mut own = || kernels.linear_backward(&x, &w).map(drop);
    let mut peer = || {
        // SAFETY: the three slices are (n, n), row-major; `c` is borrowed alone.
        unsafe {
            gemm::gemm(
                n,
                n,
                n,
                c.as_mut_ptr(),
                1,
                n as isize,
                false,
                a.as_ptr(),
                1,
                n as isize,
                b.as_ptr(),
                1,
                n as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::Rayon(0),
            );
        }
        Ok(())
    };
    let (tokens, units) = (args.number("tokens", 64), args.number("units", 8));
    let (layout, params) = layout(lm.config(), lm.config().num_layers)?;
    let adapter = Adapter {
        layout: &layout,
        params: &params,
    };
    let sequences = support::sequences(units, tokens);
    let units: Vec<_> = sequences.iter().map(|s| vec![s.into()]).collect();
    let (mut own_rates, mut peer_rates, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    let rate = |t: Time, flops: f64| (flops / t.wall / 1e9, flops / t.cpu / 1e9);
    step(lm, adapter, &units, args)?;
    let product = 2.0 * (n as f64).powi(3);
    for _ in 0..args.number("rounds", 5) {
        let best = |f: &mut dyn FnMut() -> Result<(), LmError>| {
            let mut best = (0.0_f64, 0.0_f64);
            for _ in 0..4 {
                // Several at once, as processor time counts in hundredths of a second.
                let t = time(|| (0..6).try_for_each(|_| f()))?;
                let (wall, cpu) = rate(t, 6.0 * product);
                best = (best.0.max(wall), best.1.max(cpu));
            }
            Ok::<_, LmError>(best)
        };
        let (own, peer) = (best(&mut own)?, best(&mut peer)?);
        let t = time(|| step(lm, adapter, &units, args))?;
        let s = rate(t, step_flops(lm, sequences.len() * tokens));
        shares.push((s.0 / own.0.max(peer.0), s.1 / own.1.max(peer.1)));
        own_rates.push(own);
        peer_rates.push(peer);
    }
    let medians = |v: &[(f64, f64)]| {
        let of = |f: &dyn Fn(&(f64, f64)) -> f64| median(v.iter().map(f).collect());
        (of(&|x| x.0), of(&|x| x.1))
    };
    let (own, peer, share) = (medians(&own_rates), medians(&peer_rates), medians(&shares));
    println!(
        "largest f32 product: own {:.0} GFLOP/s ({:.0} a processor second), gemm crate {:.0} ({:.0}); the {:?} step reaches {:.2} of the larger ({:.2} by processor time)",
        own.0,
        own.1,
        peer.0,
        peer.1,
        lm.kernels().precision(),
        share.0,
        share.1
    );
    Ok(())
}

/// The last layers from cached states against all layers; some of a unit's tokens have no loss.
fn cached(lm: &Lm, args: &Args) -> Result<(), LmError> {
    let (tokens, units) = (args.number("tokens", 64), args.number("units", 8));
    let (given, layers) = (args.number("given", 1), args.number("layers", 8));
    let sequences: Vec<Sequence> = support::sequences(units, tokens)
        .iter()
        .map(|s| {
            let (given, predicted) = s.tokens().split_at(given);
            Sequence::builder()
                .context(given)
                .target(predicted, 0.1)
                .build()
        })
        .collect::<Result<_, _>>()?;
    let (all, all_params) = layout(lm.config(), lm.config().num_layers)?;
    let (last, last_params) = layout(lm.config(), layers)?;
    let refs: Vec<&Sequence> = sequences.iter().collect();
    let states = lm.prefix_states(&last, None, &refs, StateFormat::Bf16, budget(args))?;
    let whole: Vec<Vec<Example<'_>>> = sequences.iter().map(|s| vec![s.into()]).collect();
    let short: Vec<_> = sequences
        .iter()
        .zip(&states)
        .map(|(sequence, s)| {
            let states = Some(s);
            vec![Example { sequence, states }]
        })
        .collect();
    let (all, last) = (
        Adapter {
            layout: &all,
            params: &all_params,
        },
        Adapter {
            layout: &last,
            params: &last_params,
        },
    );
    let rounds = args.number("rounds", 5);
    let [a, b, ratio] = compare(
        rounds,
        || step(lm, last, &short, args),
        || step(lm, all, &whole, args),
    )?;
    // The products' bound: a layer costs its weights a token, the head its weights a target.
    let c = lm.config();
    let (q, kv) = (c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim);
    let layer = (c.hidden_size * (2 * q + 2 * kv + 3 * c.intermediate_size)) as f64;
    let head = (c.hidden_size * c.vocab_size) as f64 * (tokens - given) as f64 / tokens as f64;
    let bound = (c.num_layers as f64 * layer + head) / (layers as f64 * layer + head);
    println!(
        "cached {:?} {units}x{tokens}, loss on {} tokens each: last {layers} layers {:.3} s, all {:.3} s, {:.2} times ({:.2} by processor time), products alone would give {bound:.2}",
        lm.kernels().precision(),
        tokens - given,
        a.wall,
        b.wall,
        ratio.wall,
        ratio.cpu
    );
    Ok(())
}

/// Albums of a summary and photos, as one tree and as separate examples.
fn tree(lm: &Lm, args: &Args) -> Result<(), LmError> {
    let (layout, params) = layout(lm.config(), args.number("layers", lm.config().num_layers))?;
    let adapter = Adapter {
        layout: &layout,
        params: &params,
    };
    let (trunk, photos) = (args.number("trunk", 48), args.number("photos", 6));
    let (prompt, caption) = (args.number("prompt", 8), args.number("caption", 16));
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut text = |n: usize| -> Vec<u32> { (0..n).map(|_| rng.random_range(0..49152)).collect() };
    let (mut trees, mut separate) = (Vec::new(), Vec::new());
    for _ in 0..args.number("units", 8) {
        let trunk = text(trunk);
        let mut tree = Sequence::builder().context(&trunk);
        for _ in 0..photos {
            let (given, predicted) = (text(prompt), text(caption));
            tree = tree.branch().context(&given).target(&predicted, 1.0);
            let alone = Sequence::builder().context(&trunk).context(&given);
            separate.push(alone.target(&predicted, 1.0).build()?);
        }
        trees.push(tree.build()?);
    }
    let trees: Vec<Vec<Example<'_>>> = trees.iter().map(|s| vec![s.into()]).collect();
    let separate: Vec<Example<'_>> = separate.iter().map(Example::from).collect();
    let separate: Vec<_> = separate.chunks(photos).map(<[_]>::to_vec).collect();
    let mut worst = 0.0_f64;
    let gradients = |units: &[Vec<Example<'_>>]| {
        let mut rows: Vec<Vec<f32>> = Vec::new();
        lm.gradients(adapter, None, units, budget(args), &mut |_, g, _| {
            rows.push(g.to_vec());
        })?;
        Ok::<_, LmError>(rows)
    };
    for (a, b) in gradients(&trees)?.iter().zip(&gradients(&separate)?) {
        let square = |f: &dyn Fn(f32, f32) -> f32| -> f64 {
            a.iter()
                .zip(b)
                .map(|(a, b)| f64::from(f(*a, *b)).powi(2))
                .sum()
        };
        worst = worst.max((square(&|a, b| a - b) / square(&|_, b| b)).sqrt());
    }
    let rounds = args.number("rounds", 5);
    let [one, many, ratio] = compare(
        rounds,
        || step(lm, adapter, &trees, args),
        || step(lm, adapter, &separate, args),
    )?;
    let branch = prompt + caption;
    let bound = (photos * (trunk + branch)) as f64 / (trunk + photos * branch) as f64;
    println!(
        "tree {:?} trunk {trunk}, {photos} branches of {prompt} + {caption}: trees {:.3} s, separate {:.3} s, {:.2} times ({:.2} by processor time), tokens {bound:.2} times, gradients differ by {worst:.1e}",
        lm.kernels().precision(),
        one.wall,
        many.wall,
        ratio.wall,
        ratio.cpu
    );
    Ok(())
}

fn decode(lm: &Lm, args: &Args) -> Result<(), LmError> {
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
        let mut all = options.clone();
        all.max_new_tokens = 64;
        options.max_new_tokens = 1;
        let run = |options| lm.generate(None, None, &requests, options, &mut |_, _, _| {});
        let rounds = args.number("rounds", 5);
        let [prefill, all, _] = compare(rounds, || run(&options), || run(&all))?;
        let (prefill, time) = (prefill.wall, all.wall);
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
    let args = Args::new();
    for precision in args.precisions() {
        let lm = model(&args, precision)?;
        match args.first() {
            "gemm" => gemm_peak(&lm, &args)?,
            "cached" => cached(&lm, &args)?,
            "tree" => tree(&lm, &args)?,
            "decode" => decode(&lm, &args)?,
            _ => println!("say gemm, cached, tree or decode; see the source's head"),
        }
    }
    Ok(())
}
