//! The adapter's layout: shapes, names, start values, files, refusals.

#![allow(clippy::unwrap_used, reason = "helpers of tests may")]

mod common;

use albumen_lm::{
    Adapter, Lm, LmError, LoraConfig, LoraLayout, Precision, Sequence, Target, Weights,
};
use common::golden;

fn config(rank: usize, targets: &[Target], layers: Option<usize>) -> LoraConfig {
    LoraConfig {
        rank,
        alpha: 8.0,
        targets: targets.to_vec(),
        layers,
        frozen_a: None,
    }
}

#[test]
fn matrices_fill_the_vector_and_carry_pefts_names() {
    let model = Weights::load(&golden("llama")).unwrap().config;
    let layout = LoraLayout::new(
        &model,
        &config(4, &[Target::V, Target::Q, Target::Down], Some(2)),
    )
    .unwrap();
    assert_eq!(layout.first_layer(), 1);
    assert_eq!(layout.scale(), 2.0);
    let mut end = 0;
    for tensor in layout.tensors() {
        assert_eq!(tensor.offset, end);
        end += tensor.shape[0] * tensor.shape[1];
    }
    assert_eq!(end, layout.len());
    let of_down = "base_model.model.model.layers.2.mlp.down_proj";
    for (part, shape) in [("lora_A", [4, 56]), ("lora_B", [48, 4])] {
        let name = format!("{of_down}.{part}.weight");
        assert!(
            layout
                .tensors()
                .iter()
                .any(|t| t.name == name && t.shape == shape),
            "{name}"
        );
    }
    assert_eq!(layout.tensors().len(), 2 * 3 * 2);
}

#[test]
fn a_fresh_adapter_changes_nothing_and_follows_its_seed() {
    let weights = Weights::load(&golden("llama")).unwrap();
    let layout =
        LoraLayout::new(&weights.config, &config(4, &[Target::K, Target::Up], None)).unwrap();
    let lm = Lm::new(weights, Precision::F32).unwrap();
    let params = layout.init(1);
    let sequence = Sequence::builder().context(&[5, 6, 7]).build().unwrap();
    let adapter = Adapter {
        layout: &layout,
        params: &params,
    };
    assert_eq!(
        lm.logits(None, &sequence).unwrap(),
        lm.logits(Some(adapter), &sequence).unwrap()
    );
    assert_eq!(params, layout.init(1));
    assert_ne!(params, layout.init(2));
    let bound = 1.0 / 48.0_f32.sqrt();
    assert!(params.iter().all(|p| p.abs() <= bound));
    let a = params.iter().filter(|p| **p != 0.0);
    let (count, squares) = a.fold((0, 0.0), |(n, s), p| (n + 1, s + p * p));
    let variance = squares / count as f32;
    assert!(
        (variance / (bound * bound / 3.0) - 1.0).abs() < 0.1,
        "uniform in +-{bound}"
    );
}

#[test]
fn files_give_back_what_was_written_and_foreign_ones_are_refused() {
    let model = Weights::load(&golden("llama")).unwrap().config;
    let layout = LoraLayout::new(&model, &config(3, &[Target::O, Target::Gate], None)).unwrap();
    let params: Vec<f32> = (0..layout.len()).map(|i| i as f32 * 0.5).collect();
    let bytes = layout.to_safetensors(&params).unwrap();
    assert_eq!(layout.from_safetensors(&bytes).unwrap(), params);
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for tensor in layout.tensors() {
        assert_eq!(file.tensor(&tensor.name).unwrap().shape(), tensor.shape);
    }
    let other_rank = LoraLayout::new(&model, &config(2, &[Target::O, Target::Gate], None)).unwrap();
    let fewer = LoraLayout::new(&model, &config(3, &[Target::O], None)).unwrap();
    for (layout, bytes) in [
        (&other_rank, &bytes[..]),
        (&fewer, &bytes[..]),
        (&layout, &bytes[..bytes.len() - 4]),
        (&layout, b"not a file"),
    ] {
        assert!(matches!(
            layout.from_safetensors(bytes),
            Err(LmError::AdapterFile(_))
        ));
    }
    let short = layout.to_safetensors(&params[1..]);
    assert!(matches!(short, Err(LmError::Parameters { .. })));
}

#[test]
fn frozen_matrices_are_no_parameters_but_stand_in_files() {
    let model = Weights::load(&golden("llama")).unwrap().config;
    let trained = config(3, &[Target::O, Target::Gate], None);
    let frozen = |seed| LoraConfig {
        frozen_a: Some(seed),
        ..trained.clone()
    };
    let full = LoraLayout::new(&model, &trained).unwrap();
    let layout = LoraLayout::new(&model, &frozen(5)).unwrap();
    let b = full.tensors().iter().filter(|t| t.name.contains("lora_B"));
    let b: usize = b.map(|t| t.shape[0] * t.shape[1]).sum();
    assert_eq!((layout.len(), layout.init(1)), (b, vec![0.0; b]));

    let params: Vec<f32> = (0..b).map(|i| i as f32 * 0.5).collect();
    let bytes = layout.to_safetensors(&params).unwrap();
    assert_eq!(layout.from_safetensors(&bytes).unwrap(), params);
    let a = full.init(5);
    let all = [&a[..full.len() - b], &params].concat();
    assert_eq!(full.from_safetensors(&bytes).unwrap(), all);
    let other = LoraLayout::new(&model, &frozen(6)).unwrap();
    let refused = other.from_safetensors(&bytes);
    assert!(matches!(refused, Err(LmError::AdapterFile(_))));
}

#[test]
fn settings_out_of_range_are_refused() {
    let model = Weights::load(&golden("llama")).unwrap().config;
    for bad in [
        config(0, &[Target::Q], None),
        config(25, &[Target::Q], None),
        config(4, &[], None),
        config(4, &[Target::Q, Target::Q], None),
        config(4, &[Target::Q], Some(0)),
        config(4, &[Target::Q], Some(4)),
        LoraConfig {
            alpha: 0.0,
            ..config(4, &[Target::Q], None)
        },
        LoraConfig {
            alpha: f32::NAN,
            ..config(4, &[Target::Q], None)
        },
    ] {
        assert!(
            matches!(LoraLayout::new(&model, &bad), Err(LmError::LoraConfig(_))),
            "{bad:?}"
        );
    }
}
