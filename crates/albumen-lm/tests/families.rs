//! Every family against PyTorch: logits, losses, LoRA gradients, a tree, ten training losses.
//! The reference is written by scripts/golden/lm_families.py.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use albumen_lm::{
    Adapter, Budget, Example, Lm, LoraConfig, LoraLayout, Precision, Sequence, Weights,
};
use common::golden;
use common::reference::{Adam, FAMILIES, PROJECTIONS, Reference, difference};

fn model(family: &str) -> (Lm, LoraLayout) {
    let weights = Weights::load(&golden(family)).unwrap();
    let rank = if family == "llama" { 4 } else { 2 };
    let targets = PROJECTIONS.iter().map(|p| p.1).collect();
    let config = LoraConfig {
        rank,
        alpha: 2.0 * rank as f32,
        targets,
        layers: None,
        frozen_a: None,
    };
    let layout = LoraLayout::new(&weights.config, &config).unwrap();
    (Lm::new(weights, Precision::F32).unwrap(), layout)
}

fn one(lm: &Lm, adapter: Adapter<'_>, sequence: &Sequence) -> (Vec<f32>, f32) {
    let mut result = None;
    let units = [vec![Example::from(sequence)]];
    lm.gradients(
        adapter,
        None,
        &units,
        Budget::default(),
        &mut |_, g, loss| {
            result = Some((g.to_vec(), loss));
        },
    )
    .unwrap();
    result.unwrap()
}

#[test]
fn logits_of_every_family_match_pytorch() {
    for family in FAMILIES {
        let (reference, (lm, layout)) = (Reference::load(family), model(family));
        let params = reference.flat("adapter", &layout);
        let adapter = Adapter {
            layout: &layout,
            params: &params,
        };
        for (n, sequence) in reference.sequences().iter().enumerate() {
            let expected = reference.f32(&format!("seq{n}.logits"));
            let d = difference(&lm.logits(None, sequence).unwrap(), &expected);
            println!("{family} seq{n} logits {d:.1e}");
            assert!(d < 1e-5, "{family} seq{n}: logits differ by {d}");
            if n == 0 {
                let expected = reference.f32("seq0.adapted_logits");
                let d = difference(&lm.logits(Some(adapter), sequence).unwrap(), &expected);
                assert!(d < 1e-5, "{family}: adapted logits differ by {d}");
            }
        }
    }
}

#[test]
fn gradients_of_every_family_match_pytorch() {
    for family in FAMILIES {
        let (reference, (lm, layout)) = (Reference::load(family), model(family));
        let params = reference.flat("adapter", &layout);
        let adapter = Adapter {
            layout: &layout,
            params: &params,
        };
        for (n, sequence) in reference.sequences().iter().enumerate() {
            let (gradient, loss) = one(&lm, adapter, sequence);
            let expected = reference.f32(&format!("seq{n}.loss"))[0];
            assert!(
                (loss - expected).abs() < 1e-5 * expected.abs(),
                "{family}: {loss} {expected}"
            );
            let losses = lm
                .losses(Some(adapter), None, &[sequence.into()], Budget::default())
                .unwrap();
            assert_eq!(losses, [loss]);
            let expected = reference.flat(&format!("seq{n}.grad"), &layout);
            for t in layout.tensors() {
                let range = t.offset..t.offset + t.shape[0] * t.shape[1];
                let d = difference(&gradient[range.clone()], &expected[range]);
                assert!(d < 2e-4, "{family} seq{n} {}: differs by {d}", t.name);
            }
            let d = difference(&gradient, &expected);
            println!("{family} seq{n} gradient {d:.1e}");
            assert!(d < 1e-5, "{family} seq{n}: the gradient differs by {d}");
        }
    }
}

#[test]
fn a_tree_equals_separate_examples() {
    for family in FAMILIES {
        let (reference, (lm, layout)) = (Reference::load(family), model(family));
        let params = reference.flat("adapter", &layout);
        let adapter = Adapter {
            layout: &layout,
            params: &params,
        };
        let (tree, separate) = reference.tree();
        let (gradient, loss) = one(&lm, adapter, &tree);
        let expected = reference.f32("tree.loss")[0];
        assert!(
            (loss - expected).abs() < 1e-5 * expected,
            "{family}: {loss} {expected}"
        );
        let d = difference(&gradient, &reference.flat("tree.grad", &layout));
        println!("{family} tree gradient {d:.1e}");
        assert!(
            d < 1e-5,
            "{family}: the tree's gradient differs from PyTorch's by {d}"
        );
        let mut sum = vec![0.0; layout.len()];
        for example in &separate {
            let (gradient, _) = one(&lm, adapter, example);
            sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += g);
        }
        let d = difference(&gradient, &sum);
        assert!(
            d < 1e-5,
            "{family}: the tree's gradient differs from separate ones by {d}"
        );
    }
}

#[test]
fn ten_training_losses_of_every_family_match_pytorch() {
    for family in FAMILIES {
        let (reference, (lm, layout)) = (Reference::load(family), model(family));
        let mut params = reference.flat("adapter", &layout);
        let mut sequences = reference.sequences();
        let count = sequences.len() as f32;
        for s in &mut sequences {
            let total = s.total_weight();
            s.scale_weights(1.0 / (total * count));
        }
        let mut adam = Adam::new(params.len());
        for (step, expected) in reference.train_losses().into_iter().enumerate() {
            let adapter = Adapter {
                layout: &layout,
                params: &params,
            };
            let units: Vec<_> = sequences.iter().map(|s| vec![Example::from(s)]).collect();
            let (mut sum, mut loss) = (vec![0.0; layout.len()], 0.0);
            lm.gradients(adapter, None, &units, Budget::default(), &mut |_, g, l| {
                sum.iter_mut().zip(g).for_each(|(s, g)| *s += g);
                loss += l;
            })
            .unwrap();
            let d = (loss - expected).abs() / expected;
            assert!(
                d < 5e-5,
                "{family} step {step}: {loss} where PyTorch has {expected}"
            );
            adam.step(&mut params, &sum, 2e-3);
        }
    }
}
