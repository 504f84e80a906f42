//! Per-unit gradients against themselves: alone and together, whole and split, cached and not,
//! in two precisions, and against finite differences.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use albumen_lm::{
    Adapter, Budget, Example, Lm, LmError, LoraConfig, LoraLayout, Precision, PrefixStates,
    Sequence, StateFormat, Target, Weights, tokenizer::Tokenizer,
};
use common::{asset, golden};

const ALL: [Target; 7] = [
    Target::Q,
    Target::K,
    Target::V,
    Target::O,
    Target::Gate,
    Target::Up,
    Target::Down,
];

/// Numbers in +-1/2 that need no generator of random numbers.
fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

fn tokens(n: usize, seed: u64, vocab: usize) -> Vec<u32> {
    numbers(n, seed)
        .iter()
        .map(|x| ((x + 0.5) * vocab as f32) as u32)
        .collect()
}

fn tiny(family: &str, targets: &[Target], layers: Option<usize>) -> (Lm, LoraLayout, Vec<f32>) {
    let weights = Weights::load(&golden(family)).unwrap();
    let config = LoraConfig {
        rank: 3,
        alpha: 5.0,
        targets: targets.to_vec(),
        layers,
        frozen_a: None,
    };
    let layout = LoraLayout::new(&weights.config, &config).unwrap();
    let params = numbers(layout.len(), 7).iter().map(|x| 0.4 * x).collect();
    (Lm::new(weights, Precision::F32).unwrap(), layout, params)
}

/// Sequences of several lengths, the last one a tree.
fn sequences(vocab: usize) -> Vec<Sequence> {
    let mut all = Vec::new();
    for (i, n) in [9, 2, 23, 14].into_iter().enumerate() {
        let t = tokens(n, i as u64, vocab);
        let (given, predicted) = t.split_at(n / 2);
        all.push(
            Sequence::builder()
                .context(given)
                .target(predicted, 0.3)
                .build()
                .unwrap(),
        );
    }
    let t = tokens(18, 9, vocab);
    let tree = Sequence::builder().context(&t[..2]).target(&t[2..5], 0.5);
    let tree = tree
        .branch()
        .target(&t[5..9], 1.0)
        .branch()
        .context(&t[9..10]);
    all.push(
        tree.target(&t[10..15], 0.7)
            .branch()
            .target(&t[15..], 0.2)
            .build()
            .unwrap(),
    );
    all
}

fn run(
    lm: &Lm,
    adapter: Adapter<'_>,
    units: &[Vec<Example<'_>>],
    budget: Budget,
) -> Vec<(Vec<f32>, f32)> {
    let mut rows = Vec::new();
    lm.gradients(adapter, None, units, budget, &mut |unit, gradient, loss| {
        assert_eq!(unit, rows.len(), "units come in order");
        rows.push((gradient.to_vec(), loss));
    })
    .unwrap();
    assert_eq!(rows.len(), units.len());
    rows
}

fn norm(x: &[f32]) -> f32 {
    x.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt() as f32
}

fn difference(got: &[f32], expected: &[f32]) -> f32 {
    let d: Vec<f32> = got.iter().zip(expected).map(|(a, b)| a - b).collect();
    norm(&d) / norm(expected).max(1e-12)
}

#[test]
fn a_units_gradient_does_not_depend_on_its_batch() {
    for family in ["llama", "gemma2", "qwen3"] {
        let (lm, layout, params) = tiny(family, &ALL, None);
        let adapter = Adapter {
            layout: &layout,
            params: &params,
        };
        let sequences = sequences(lm.config().vocab_size);
        let units: Vec<_> = sequences.iter().map(|s| vec![Example::from(s)]).collect();
        let together = run(&lm, adapter, &units, Budget::default());
        for (i, unit) in units.iter().enumerate() {
            let alone = &run(&lm, adapter, std::slice::from_ref(unit), Budget::default())[0];
            let d = difference(&together[i].0, &alone.0);
            assert!(d < 1e-5, "{family} unit {i}: {d}");
            assert!((together[i].1 - alone.1).abs() < 1e-5 * alone.1);
            let one_token = Budget {
                tokens: 1,
                gradient_bytes: 0,
            };
            let split = &run(&lm, adapter, &units, one_token)[i];
            assert!(difference(&split.0, &alone.0) < 1e-5);
        }
    }
}

#[test]
fn a_unit_of_several_sequences_has_the_sum_of_their_gradients() {
    let (lm, layout, params) = tiny("llama", &ALL, None);
    let adapter = Adapter {
        layout: &layout,
        params: &params,
    };
    let sequences = sequences(lm.config().vocab_size);
    let examples: Vec<Example<'_>> = sequences.iter().map(Example::from).collect();
    let units = [examples[..2].to_vec(), Vec::new(), examples[2..].to_vec()];
    let rows = run(&lm, adapter, &units, Budget::default());
    assert!(rows[1].0.iter().all(|&g| g == 0.0) && rows[1].1 == 0.0);
    let single: Vec<_> = examples.iter().map(|e| vec![*e]).collect();
    let single = run(&lm, adapter, &single, Budget::default());
    for (row, parts) in [(&rows[0], &single[..2]), (&rows[2], &single[2..])] {
        let mut sum = vec![0.0; layout.len()];
        for (gradient, _) in parts {
            sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += g);
        }
        assert!(difference(&row.0, &sum) < 1e-5);
        assert!((row.1 - parts.iter().map(|p| p.1).sum::<f32>()).abs() < 1e-5);
    }
    run(&lm, adapter, &[], Budget::default());
}

#[test]
fn with_a_frozen_the_gradients_are_those_of_b() {
    for family in ["llama", "gemma2", "qwen3"] {
        let (lm, full, _) = tiny(family, &ALL, Some(2));
        let frozen = LoraConfig {
            frozen_a: Some(4),
            ..full.config().clone()
        };
        let layout = LoraLayout::new(lm.config(), &frozen).unwrap();
        let params = numbers(layout.len(), 7);
        let all = [&full.init(4)[..full.len() - params.len()], &params].concat();
        let of = |layout, params| Adapter { layout, params };
        let sequences = sequences(lm.config().vocab_size);
        let units: Vec<_> = sequences.iter().map(|s| vec![Example::from(s)]).collect();
        let got = run(&lm, of(&layout, &params), &units, Budget::default());
        let expected = run(&lm, of(&full, &all), &units, Budget::default());
        for ((gradient, loss), (of_all, same_loss)) in got.iter().zip(&expected) {
            assert_eq!(
                gradient[..],
                of_all[full.len() - params.len()..],
                "{family}"
            );
            assert_eq!(loss, same_loss, "{family}");
        }
    }
}

#[test]
fn gradients_match_finite_differences() {
    for (family, targets, layers) in [
        ("llama", &ALL[..], None),
        ("llama", &[Target::Down][..], Some(2)),
        ("gemma2", &[Target::K, Target::Up][..], Some(1)),
        ("gemma3", &[Target::Q, Target::Gate][..], None),
        ("llama3", &[Target::O][..], Some(1)),
    ] {
        let (lm, layout, params) = tiny(family, targets, layers);
        let sequences = sequences(lm.config().vocab_size);
        for (i, s) in sequences.iter().enumerate() {
            let adapter = Adapter {
                layout: &layout,
                params: &params,
            };
            let (gradient, _) = run(&lm, adapter, &[vec![s.into()]], Budget::default()).remove(0);
            // Along the gradient and a random direction: f32 losses resolve no smaller slope.
            let random = numbers(layout.len(), i as u64);
            let mixed: Vec<f32> = gradient
                .iter()
                .zip(&random)
                .map(|(g, r)| g / norm(&gradient) + r / norm(&random))
                .collect();
            let at = |step: f32| {
                let moved: Vec<f32> = params
                    .iter()
                    .zip(&mixed)
                    .map(|(p, d)| p + step * d)
                    .collect();
                let adapter = Adapter {
                    layout: &layout,
                    params: &moved,
                };
                f64::from(
                    lm.losses(Some(adapter), None, &[s.into()], Budget::default())
                        .unwrap()[0],
                )
            };
            let step = 4e-3;
            // Five points: the error is of fourth order.
            let slope = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step)))
                / (12.0 * f64::from(step));
            let expected: f64 = gradient
                .iter()
                .zip(&mixed)
                .map(|(g, d)| f64::from(*g) * f64::from(*d))
                .sum();
            let d = (slope - expected).abs() / expected.abs();
            assert!(
                d < 2e-3,
                "{family} {targets:?} sequence {i}: {slope} {expected}"
            );
        }
    }
}

#[test]
fn cached_states_give_the_same_gradients() {
    for family in ["llama", "gemma3"] {
        let (lm, layout, params) = tiny(family, &ALL, Some(1));
        let adapter = Adapter {
            layout: &layout,
            params: &params,
        };
        let sequences = sequences(lm.config().vocab_size);
        let all: Vec<&Sequence> = sequences.iter().collect();
        let plain: Vec<_> = sequences.iter().map(|s| vec![Example::from(s)]).collect();
        let expected = run(&lm, adapter, &plain, Budget::default());
        for (format, tolerance) in [(StateFormat::F32, 1e-6), (StateFormat::Bf16, 2e-2)] {
            let states = lm
                .prefix_states(&layout, None, &all, format, Budget::default())
                .unwrap();
            let states: Vec<_> = states
                .iter()
                .map(|s| PrefixStates::from_bytes(&s.to_bytes()).unwrap())
                .collect();
            let cached: Vec<_> = sequences
                .iter()
                .zip(&states)
                .map(|(sequence, s)| {
                    vec![Example {
                        sequence,
                        states: Some(s),
                    }]
                })
                .collect();
            for (got, expected) in run(&lm, adapter, &cached, Budget::default())
                .iter()
                .zip(&expected)
            {
                let d = difference(&got.0, &expected.0);
                assert!(d < tolerance, "{family} {format:?}: {d}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (lm, layout, params) = tiny("llama", &ALL, Some(1));
    let adapter = Adapter {
        layout: &layout,
        params: &params,
    };
    let mut sink = |_: usize, _: &[f32], _: f32| panic!("nothing should be computed");
    let mut refused = |adapter, example: Example<'_>| {
        lm.gradients(
            adapter,
            None,
            &[vec![example]],
            Budget::default(),
            &mut sink,
        )
        .unwrap_err()
    };
    let good = Sequence::builder()
        .context(&[1])
        .target(&[2], 1.0)
        .build()
        .unwrap();
    let strange = Sequence::builder()
        .context(&[1])
        .target(&[256], 1.0)
        .build()
        .unwrap();
    assert!(matches!(
        refused(adapter, (&strange).into()),
        LmError::Token { token: 256, .. }
    ));
    let long = Sequence::builder().context(&[1; 65]).build().unwrap();
    assert!(matches!(
        refused(adapter, (&long).into()),
        LmError::TooLong { .. }
    ));
    let short = Adapter {
        layout: &layout,
        params: &params[1..],
    };
    assert!(matches!(
        refused(short, (&good).into()),
        LmError::Parameters { .. }
    ));
    let states = lm.prefix_states(&layout, None, &[&long], StateFormat::F32, Budget::default());
    assert!(matches!(states, Err(LmError::TooLong { .. })));
    let states = lm
        .prefix_states(&layout, None, &[&good], StateFormat::F32, Budget::default())
        .unwrap();
    let other = Sequence::builder()
        .context(&[1, 2])
        .target(&[2], 1.0)
        .build()
        .unwrap();
    let wrong = Example {
        sequence: &other,
        states: Some(&states[0]),
    };
    assert!(matches!(refused(adapter, wrong), LmError::States(_)));
    let cut = states[0].to_bytes();
    assert!(matches!(
        PrefixStates::from_bytes(&cut[..cut.len() - 1]),
        Err(LmError::States(_))
    ));
    let (_, deeper, deeper_params) = tiny("llama", &ALL, Some(2));
    let deeper = Adapter {
        layout: &deeper,
        params: &deeper_params,
    };
    let wrong = Example {
        sequence: &good,
        states: Some(&states[0]),
    };
    assert!(matches!(refused(deeper, wrong), LmError::States(_)));
    let (_, foreign, foreign_params) = tiny("qwen3", &ALL, None);
    let foreign = Adapter {
        layout: &foreign,
        params: &foreign_params,
    };
    assert!(matches!(
        refused(foreign, (&good).into()),
        LmError::LoraConfig(_)
    ));
    for sequence in [
        Sequence::builder().build(),
        Sequence::builder().target(&[1, 2], 1.0).build(),
        Sequence::builder()
            .context(&[1])
            .branch()
            .branch()
            .target(&[2], 1.0)
            .build(),
        Sequence::builder()
            .context(&[1])
            .target(&[2], f32::NAN)
            .build(),
    ] {
        assert!(matches!(sequence, Err(LmError::Sequence(_))));
    }
}

const ALBUMS: [(&str, &str); 6] = [
    (
        "Album of",
        " 4 photos: A family walks along the beach at sunset and builds a sand castle.",
    ),
    (
        "Album of",
        " 6 photos: Old castles, cathedrals and bridges seen on a trip through Europe.",
    ),
    (
        "Album of",
        " 3 photos: A dog plays with a ball in the snow near a wooden cabin.",
    ),
    (
        "Album of 5 photos: Farm animals on a green meadow.\nPhoto 2 of 5:",
        " A brown cow eats grass.",
    ),
    (
        "Album of 5 photos: Farm animals on a green meadow.\nPhoto 3 of 5:",
        " Two hens and a rooster.",
    ),
    (
        "Photo 1 of 3:",
        " A bright photo of a violin and a piano in a concert hall, in the evening.",
    ),
];

#[test]
fn bf16_gradients_of_smollm2_have_the_norms_of_f32() {
    let path = asset("smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
    let mut rows = Vec::new();
    for precision in [Precision::F32, Precision::Bf16] {
        let weights = Weights::load(&path).unwrap();
        let targets = vec![Target::Q, Target::K, Target::V, Target::O];
        let config = LoraConfig {
            rank: 8,
            alpha: 16.0,
            targets,
            layers: None,
            frozen_a: None,
        };
        let layout = LoraLayout::new(&weights.config, &config).unwrap();
        let params: Vec<f32> = numbers(layout.len(), 1).iter().map(|x| 0.03 * x).collect();
        let lm = Lm::new(weights, precision).unwrap();
        let adapter = Adapter {
            layout: &layout,
            params: &params,
        };
        let tokenizer = Tokenizer::load(&path).unwrap();
        let sequences: Vec<_> = ALBUMS
            .iter()
            .map(|(given, predicted)| {
                let given = tokenizer.encode(given, false).unwrap();
                let predicted = tokenizer.encode(predicted, false).unwrap();
                let weight = 1.0 / predicted.len() as f32;
                Sequence::builder()
                    .context(&given)
                    .target(&predicted, weight)
                    .build()
                    .unwrap()
            })
            .collect();
        let units: Vec<_> = sequences.iter().map(|s| vec![Example::from(s)]).collect();
        rows.push(run(&lm, adapter, &units, Budget::default()));
    }
    let mut ratios = Vec::new();
    for ((a, loss_a), (b, loss_b)) in rows[0].iter().zip(&rows[1]) {
        let (ratio, d) = (norm(b) / norm(a), difference(b, a));
        println!("norm ratio {ratio:.5}, difference {d:.4}, losses {loss_a:.4} {loss_b:.4}");
        assert!(
            (ratio - 1.0).abs() < 1.5e-2,
            "a unit's bf16 gradient norm is {ratio} of f32's"
        );
        assert!(d < 0.05, "a unit's bf16 gradient differs by {d}");
        ratios.push(ratio);
    }
    // One unit's norm moves with its rounding; what clipping sees of a batch must not.
    let mean = ratios.iter().sum::<f32>() / ratios.len() as f32;
    println!("mean norm ratio {mean:.5}");
    assert!(
        (mean - 1.0).abs() < 5e-3,
        "bf16 gradient norms are {mean} of f32's"
    );
    let sum = |rows: &[(Vec<f32>, f32)]| {
        let mut sum = vec![0.0; rows[0].0.len()];
        for (gradient, _) in rows {
            sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += g);
        }
        norm(&sum)
    };
    let ratio = sum(&rows[1]) / sum(&rows[0]);
    println!("norm ratio of the batch's sum {ratio:.5}");
    assert!(
        (ratio - 1.0).abs() < 5e-3,
        "the bf16 batch's gradient norm is {ratio} of f32's"
    );
}
