//! Tries settings of the two trainings and measures each on albums that were held out.
//!
//! `cargo run --release -p albumen-evaluate --example recipe -- TRAIN.jsonl HELD.jsonl` reads one trial a
//! line from standard input (see `trial` and `sample`), and prints one JSON object a line. The albums are in the
//! form of `[train.public]`'s; they count as published, and so do the numbers. `scripts/recipe.py`
//! drives it.

#![expect(clippy::print_stdout, reason = "a program that prints its results")]

mod sample;
mod trial;

use std::error::Error;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{AnyLm, Device, Precision, Weights};
use albumen_schema::UnitTexts;
use albumen_train::read_public;

pub(crate) type Failed = Box<dyn Error>;

/// What every trial starts from.
pub(crate) struct Bench {
    pub(crate) lm: AnyLm,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) train: Vec<UnitTexts>,
    pub(crate) held: Vec<UnitTexts>,
}

fn weights() -> Result<PathBuf, Failed> {
    let home = albumen_assets::Home::locate()?;
    Ok(home.require("smollm2-135m-instruct", "SmolLM2-135M-Instruct.Q4_1.gguf")?)
}

fn main() -> Result<(), Failed> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [train, held] = &args[..] else {
        return Err("usage: recipe TRAIN.jsonl HELD.jsonl < trials".into());
    };
    let path = weights()?;
    let bench = Bench {
        lm: AnyLm::new(Weights::load(&path)?, Device::Cpu, Precision::Bf16)?,
        tokenizer: Tokenizer::load(&path)?,
        train: read_public(Path::new(train))?,
        held: read_public(Path::new(held))?,
    };
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let wanted: serde_json::Value = serde_json::from_str(&line)?;
        let result = if wanted["sample"].is_null() {
            trial::run(&bench, &serde_json::from_value(wanted)?)?
        } else {
            sample::run(&bench, &serde_json::from_value(wanted)?)?
        };
        println!("{result}");
    }
    Ok(())
}
