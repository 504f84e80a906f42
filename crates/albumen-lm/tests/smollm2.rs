//! SmolLM2-135M from its GGUF file: logits and greedy text equal to transformers'.
#![allow(clippy::unwrap_used, reason = "helpers of tests may")]

use albumen_lm::sampler::SamplingParams;
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::weights::inspect;
use albumen_lm::{
    Adapter, Branch, Budget, DecodeOptions, Example, Family, Lm, LmError, LoraConfig, LoraLayout,
    Precision, Request, Sequence, Stop, Target, Weights,
};
use serde::Deserialize;

mod common;

const SMOLLM2: &str = "smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";

#[derive(Deserialize)]
struct Golden {
    greedy: Vec<Prompt>,
    logits: Vec<f32>,
}

#[derive(Deserialize)]
struct Prompt {
    ids: Vec<u32>,
    new_ids: Vec<u32>,
}

#[test]
fn logits_and_greedy_text_equal_the_reference() {
    let text = std::fs::read_to_string(common::golden("smollm2.json")).unwrap();
    let golden: Golden = serde_json::from_str(&text).unwrap();
    let weights = Weights::load(&common::asset(SMOLLM2)).unwrap();
    let lm = Lm::new(weights, Precision::F32).unwrap();

    let sequence = Sequence::builder()
        .context(&golden.greedy[0].ids)
        .build()
        .unwrap();
    let logits = lm.logits(None, &sequence).unwrap();
    let last = logits
        .chunks_exact(lm.config().vocab_size)
        .next_back()
        .unwrap();
    let apart = last
        .iter()
        .step_by(997)
        .zip(&golden.logits)
        .map(|(found, wanted)| (found - wanted).abs());
    let apart = apart.fold(0.0, f32::max);
    println!("logits apart by at most {apart}");
    assert!(apart < 5e-4, "logits apart by {apart}");

    // All prompts in one batch: they differ in length, so the caches are ragged.
    let requests: Vec<Request> = golden
        .greedy
        .iter()
        .map(|prompt| Request {
            trunk: Vec::new(),
            branches: vec![Branch {
                prompt: prompt.ids.clone(),
                stream: 0,
            }],
        })
        .collect();
    let options = DecodeOptions {
        batch: requests.len(),
        max_new_tokens: golden.greedy[0].new_ids.len(),
        stop_tokens: Vec::new(),
        sampling: SamplingParams::greedy(),
        seed: 0,
    };
    let mut ended = 0;
    lm.generate(
        None,
        None,
        &requests,
        &options,
        &mut |request, _, generation| {
            assert_eq!(
                generation.tokens, golden.greedy[request].new_ids,
                "prompt {request}"
            );
            assert_eq!(generation.stop, Stop::Length);
            ended += 1;
        },
    )
    .unwrap();
    assert_eq!(ended, golden.greedy.len());
}

#[test]
fn eight_bits_write_nearly_the_same_and_cannot_be_trained() {
    let path = common::asset(SMOLLM2);
    let load = |precision| Lm::new(Weights::load(&path).unwrap(), precision).unwrap();
    let (f32, int8) = (load(Precision::F32), load(Precision::Int8));
    let text = "The children fed the ducks by the lake, then we walked home through the park. It had \
                rained all morning, so the paths were muddy and the grass was very green. At the \
                old bridge we stopped to watch a boat go by, and my brother took a picture of the \
                captain, who waved back at us. In the evening our neighbours came over for dinner. \
                We ate on the terrace until it was dark, and somebody brought out a guitar.";
    let tokens = Tokenizer::load(&path).unwrap().encode(text, false).unwrap();
    let sequence = Sequence::builder()
        .context(&tokens[..2])
        .target(&tokens[2..], 1.0)
        .build()
        .unwrap();
    let example = Example {
        sequence: &sequence,
        states: None,
    };
    let loss = |lm: &Lm| {
        lm.losses(None, None, &[example], Budget::default())
            .unwrap()[0]
    };
    let (exact, rounded) = (loss(&f32), loss(&int8));
    println!("loss {exact}, in 8 bits {rounded}");
    // llama.cpp's Q8_0 moves it by 0.7%, from 288.236 to 290.336.
    assert!((rounded / exact - 1.0).abs() < 0.01, "{rounded} {exact}");

    let lora = LoraConfig {
        rank: 2,
        alpha: 4.0,
        targets: vec![Target::Q],
        layers: Some(1),
        frozen_a: None,
    };
    let layout = LoraLayout::new(int8.config(), &lora).unwrap();
    let adapter = Adapter {
        layout: &layout,
        params: &layout.init(0),
    };
    let refused = int8.gradients(
        adapter,
        None,
        &[vec![example]],
        Budget::default(),
        &mut |_, _, _| {},
    );
    assert!(matches!(refused, Err(LmError::DecodingOnly)), "{refused:?}");
}

#[test]
fn inspection_says_that_it_can_be_trained() {
    let found = inspect(&common::asset(SMOLLM2)).unwrap();
    assert!(found.trainable, "{:?}", found.obstacles);
    assert_eq!(found.config.family, Family::Llama);
    assert_eq!(
        (found.config.num_layers, found.config.hidden_size),
        (30, 576)
    );
    assert_eq!(found.parameter_count, 134_515_008);
    assert_eq!(found.unused_tensors, Vec::<String>::new());
    let (q4, q8) = (found.dtypes["Q4_1"], found.dtypes["Q8_0"]);
    assert_eq!((q4, q8, found.dtypes["F32"]), (210, 1, 61));
}
