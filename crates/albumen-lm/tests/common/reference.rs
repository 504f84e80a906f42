//! What PyTorch computed for every family; written by scripts/golden/lm_families.py.

use albumen_lm::{LoraLayout, Sequence, Target};
use safetensors::{Dtype, SafeTensors};

use super::golden;

pub(crate) const FAMILIES: [&str; 7] = [
    "llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "gemma3",
];
pub(crate) const PROJECTIONS: [(&str, Target); 7] = [
    ("q", Target::Q),
    ("k", Target::K),
    ("v", Target::V),
    ("o", Target::O),
    ("gate", Target::Gate),
    ("up", Target::Up),
    ("down", Target::Down),
];

/// The reference tensors of a family.
pub(crate) struct Reference(Vec<u8>);

impl Reference {
    pub(crate) fn load(family: &str) -> Self {
        Self(std::fs::read(golden(family).join("reference.safetensors")).unwrap())
    }

    pub(crate) fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).unwrap()
    }

    pub(crate) fn f32(&self, name: &str) -> Vec<f32> {
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

    pub(crate) fn u32(&self, name: &str) -> Vec<u32> {
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

    /// `train.losses`.
    pub(crate) fn train_losses(&self) -> Vec<f32> {
        let file = self.file();
        let losses = file.tensor("train.losses").unwrap().data().as_chunks::<8>();
        let read = losses.0.iter().map(|&l| f64::from_le_bytes(l) as f32);
        read.collect()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.file().tensor(name).is_ok()
    }

    /// Everything under `prefix.layers.*`, in the layout's order.
    pub(crate) fn flat(&self, prefix: &str, layout: &LoraLayout) -> Vec<f32> {
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

    pub(crate) fn sequences(&self) -> Vec<Sequence> {
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
    pub(crate) fn tree(&self) -> (Sequence, Vec<Sequence>) {
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

/// Largest difference over the largest number of the reference.
pub(crate) fn difference(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1e-6_f32, |m, x| m.max(x.abs()));
    got.iter()
        .zip(expected)
        .fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()))
        / scale
}

/// AdamW without weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101), as in the reference.
pub(crate) struct Adam {
    m: Vec<f32>,
    v: Vec<f32>,
    t: i32,
}

impl Adam {
    pub(crate) fn new(parameters: usize) -> Self {
        let (m, v) = (vec![0.0; parameters], vec![0.0; parameters]);
        Self { m, v, t: 0 }
    }

    pub(crate) fn step(&mut self, params: &mut [f32], gradient: &[f32], rate: f32) {
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
