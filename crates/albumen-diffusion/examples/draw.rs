//! Draws prompts with a checkpoint and prints its memory by estimate and its pace:
//! `cargo run --release -p albumen-diffusion --example draw -- CHECKPOINT OUT WIDTH HEIGHT STEPS
//! GUIDANCE PROMPT...`
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::PathBuf;
use std::time::Instant;

use albumen_diffusion::{LoadOptions, Noise, NoiseKey, Request, Settings, TextToImage, estimate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [
        checkpoint,
        out,
        width,
        height,
        steps,
        guidance,
        prompts @ ..,
    ] = &arguments[..]
    else {
        return Err("usage: draw CHECKPOINT OUT WIDTH HEIGHT STEPS GUIDANCE PROMPT...".into());
    };
    let (checkpoint, out) = (PathBuf::from(checkpoint), PathBuf::from(out));
    let settings = Settings {
        width: width.parse()?,
        height: height.parse()?,
        steps: steps.parse()?,
        guidance: guidance.parse()?,
        scheduler: None,
    };
    let options = LoadOptions::default();
    let size = estimate(&checkpoint, &options, &settings, 1)?;
    println!(
        "{}: {} bytes of weights, about {} of activations",
        size.class,
        size.weight_bytes(),
        size.activation_bytes
    );
    let model = TextToImage::load(&checkpoint, &options)?;
    let requests: Vec<Request> = (0..)
        .zip(prompts)
        .map(|(photo, prompt)| Request {
            prompt: prompt.clone(),
            negative_prompt: String::new(),
            noise: Noise::Stream(NoiseKey {
                seed: 0,
                album: 0,
                photo,
                album_weight: 0.0,
            }),
        })
        .collect();
    let started = Instant::now();
    let pictures = model.draw(&requests, &settings)?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{:.3} s a picture", seconds / pictures.len().max(1) as f64);
    std::fs::create_dir_all(&out)?;
    for (i, picture) in pictures.iter().enumerate() {
        picture.save(out.join(format!("{i:02}.png")))?;
    }
    Ok(())
}
