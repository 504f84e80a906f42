//! Times generation with a model's real weights, for bench/peers/generation.py.
//!
//! `cargo run --release -p albumen-lm --example decode_speed -- MODEL [precision=bf16] [batch=1] [prompt=16] [new=64]`
//!
//! Loads once, then generates once for every line on stdin and prints the seconds it took, so that
//! a script can take turns with another program. Greedy. Threads: `RAYON_NUM_THREADS`.

#![expect(clippy::print_stdout, reason = "a program that prints its timings")]

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use albumen_lm::sampler::SamplingParams;
use albumen_lm::{Branch, DecodeOptions, Lm, Precision, Request, Weights};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().ok_or("which model?")?;
    let mut precision = Precision::Bf16;
    let (mut batch, mut prompt, mut new) = (1, 16, 64);
    for argument in arguments {
        let (key, value) = argument.split_once('=').ok_or("key=value")?;
        match (key, value) {
            ("precision", "f32") => precision = Precision::F32,
            ("precision", "bf16") => precision = Precision::Bf16,
            ("precision", "int8") => precision = Precision::Int8,
            ("batch", n) => batch = n.parse()?,
            ("prompt", n) => prompt = n.parse()?,
            ("new", n) => new = n.parse()?,
            _ => return Err(format!("unknown {argument}").into()),
        }
    }
    let lm = Lm::new(Weights::load(Path::new(&model))?, precision)?;
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let vocab = lm.config().vocab_size as u32;
    let requests: Vec<Request> = (0..batch)
        .map(|stream| {
            let prompt = (0..prompt).map(|_| rng.random_range(0..vocab)).collect();
            Request {
                trunk: Vec::new(),
                branches: vec![Branch { prompt, stream }],
            }
        })
        .collect();
    let options = DecodeOptions {
        batch: requests.len(),
        max_new_tokens: new,
        stop_tokens: Vec::new(),
        sampling: SamplingParams::greedy(),
        seed: 0,
    };
    for line in std::io::stdin().lock().lines() {
        line?;
        let start = Instant::now();
        lm.generate(None, None, &requests, &options, &mut |_, _, _| {})?;
        println!("{}", start.elapsed().as_secs_f64());
        std::io::stdout().flush()?;
    }
    Ok(())
}
