//! Every family against PyTorch: logits, losses, LoRA gradients, a tree, ten training losses.
//! The reference is written by scripts/golden/lm_families.py.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use albumen_lm::{
    Adapter, Budget, Example, Lm, LoraConfig, LoraLayout, Precision, Sequence, Target, Weights,
};
use common::golden;
use safetensors::{Dtype, SafeTensors};

const FAMILIES: [&str; 7] = [
    "llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "gemma3",
];
const PROJECTIONS: [(&str, Target); 7] = [
    ("q", Target::Q),
    ("k", Target::K),
    ("v", Target::V),
    ("o", Target::O),
    ("gate", Target::Gate),
    ("up", Target::Up),
    ("down", Target::Down),
];

/// The reference tensors of a family.
struct Reference(Vec<u8>);

impl Reference {
    fn load(family: &str) -> Self {
        Self(std::fs::read(golden(family).join("reference.safetensors")).unwrap())
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).unwrap()
    }

    fn f32(&self, name: &str) -> Vec<f32> {
        let file = self.file();
        let tensor = file.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), Dtype::F32, "{name}");
        tensor
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&b| f32::from_le_bytes(b))
            .collect()
    }

    fn u32(&self, name: &str) -> Vec<u32> {
        let file = self.file();
        let tensor = file.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), Dtype::I32, "{name}");
        tensor
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&b| u32::from_le_bytes(b))
            .collect()
    }

    fn has(&self, name: &str) -> bool {
        self.file().tensor(name).is_ok()
    }

    /// Everything under `prefix.layers.*`, in the layout's order.
    fn flat(&self, prefix: &str, layout: &LoraLayout) -> Vec<f32> {
        let mut flat = vec![0.0; layout.len()];
        for tensor in layout.tensors() {
            let mut name = tensor.name.replace("base_model.model.model.", "");
            for (short, target) in PROJECTIONS {
                name = name.replace(target.module(), short);
            }
            let name = name
                .replace("lora_A.weight", "a")
                .replace("lora_B.weight", "b");
            let values = self.f32(&format!("{prefix}.{name}"));
            flat[tensor.offset..tensor.offset + values.len()].copy_from_slice(&values);
        }
        flat
    }

    fn sequences(&self) -> Vec<Sequence> {
        let count = (0..9)
            .take_while(|n| self.has(&format!("seq{n}.tokens")))
            .count();
        let read = |n| {
            let tokens = self.u32(&format!("seq{n}.tokens"));
            let (given, predicted) =
                tokens.split_at(self.u32(&format!("seq{n}.loss_from"))[0] as usize);
            Sequence::builder()
                .context(given)
                .target(predicted, 1.0)
                .build()
                .unwrap()
        };
        (0..count).map(read).collect()
    }

    /// The tree, and its branches as sequences of their own.
    fn tree(&self) -> (Sequence, Vec<Sequence>) {
        let trunk = self.u32("tree.trunk");
        let mut tree = Sequence::builder().context(&trunk);
        let mut separate = Vec::new();
        for (j, from) in self.u32("tree.loss_from").into_iter().enumerate() {
            let branch = self.u32(&format!("tree.branch{j}"));
            let (given, predicted) = branch.split_at(from as usize);
            tree = tree.branch().context(given).target(predicted, 1.0);
            let alone = Sequence::builder().context(&trunk).context(given);
            separate.push(alone.target(predicted, 1.0).build().unwrap());
        }
        (tree.build().unwrap(), separate)
    }
}

fn model(family: &str) -> (Lm, LoraLayout) {
    let weights = Weights::load(&golden(family)).unwrap();
    let rank = if family == "llama" { 4 } else { 2 };
    let targets = PROJECTIONS.iter().map(|p| p.1).collect();
    let config = LoraConfig {
        rank,
        alpha: 2.0 * rank as f32,
        targets,
        layers: None,
    };
    let layout = LoraLayout::new(&weights.config, &config).unwrap();
    (Lm::new(weights, Precision::F32).unwrap(), layout)
}

/// Largest difference over the largest number of the reference.
fn difference(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1e-6_f32, |m, x| m.max(x.abs()));
    got.iter()
        .zip(expected)
        .fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()))
        / scale
}

fn one(lm: &Lm, adapter: Adapter<'_>, sequence: &Sequence) -> (Vec<f32>, f32) {
    let mut result = None;
    let units = [vec![Example::from(sequence)]];
    lm.gradients(adapter, &units, Budget::default(), &mut |_, g, loss| {
        result = Some((g.to_vec(), loss));
    })
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
                .losses(Some(adapter), &[sequence.into()], Budget::default())
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

/// AdamW without weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101), as in the reference.
struct Adam {
    m: Vec<f32>,
    v: Vec<f32>,
    t: i32,
}

impl Adam {
    fn step(&mut self, params: &mut [f32], gradient: &[f32], rate: f32) {
        self.t += 1;
        let (c1, c2) = (1.0 - 0.9_f32.powi(self.t), 1.0 - 0.999_f32.powi(self.t));
        for (((p, g), m), v) in params
            .iter_mut()
            .zip(gradient)
            .zip(&mut self.m)
            .zip(&mut self.v)
        {
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.999 * *v + 0.001 * g * g;
            *p -= rate * (*m / c1) / ((*v / c2).sqrt() + 1e-8);
        }
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
        let file = reference.file();
        let expected = file
            .tensor("train.losses")
            .unwrap()
            .data()
            .as_chunks::<8>()
            .0;
        let (m, v) = (vec![0.0; params.len()], vec![0.0; params.len()]);
        let mut adam = Adam { m, v, t: 0 };
        for (step, &expected) in expected.iter().enumerate() {
            let adapter = Adapter {
                layout: &layout,
                params: &params,
            };
            let units: Vec<_> = sequences.iter().map(|s| vec![Example::from(s)]).collect();
            let (mut sum, mut loss) = (vec![0.0; layout.len()], 0.0);
            lm.gradients(adapter, &units, Budget::default(), &mut |_, g, l| {
                sum.iter_mut().zip(g).for_each(|(s, g)| *s += g);
                loss += l;
            })
            .unwrap();
            let expected = f64::from_le_bytes(expected) as f32;
            let d = (loss - expected).abs() / expected;
            assert!(
                d < 5e-5,
                "{family} step {step}: {loss} where PyTorch has {expected}"
            );
            adam.step(&mut params, &sum, 2e-3);
        }
    }
}
