//! `albumen plan`: the budget before a byte of data is read.

mod plot;
mod text;

use albumen_files::write_whole;
use albumen_lm::LoraLayout;
use albumen_lm::weights::read_config;
use albumen_run::Budget;
use albumen_run::models::Models;
use albumen_schema::Config;
use anyhow::Context;

use crate::args::PlanArgs;
use crate::command::read_config as read;
use crate::failure::Outcome;
use crate::progress::{print_json, print_text, say};
use albumen_train::lora_config;

/// Runs `albumen plan`.
pub(crate) fn plan(args: &PlanArgs) -> Outcome {
    let config = read(&args.config)?;
    let budget = Budget::solve(&config)?;
    let size = adapter_parameters(&config);
    let known = size.as_ref().ok().copied();
    let forecast = budget.forecast(&config.name, known)?;
    if args.json {
        print_json(&serde_json::to_value(&forecast)?);
    } else {
        print_text(&text::of(&forecast));
    }
    if let Err(error) = size {
        say(&format!(
            "note: no signal-to-noise, as the adapter's size is not known: {error:#}"
        ));
    }
    if let Some(path) = &args.plot {
        write_whole(path, plot::svg(&forecast).as_bytes())
            .with_context(|| format!("cannot write the plot {}", path.display()))?;
        say(&format!("plot: {}", path.display()));
    }
    Ok(())
}

/// Trained parameters of one model, from its checkpoint's headers.
fn adapter_parameters(config: &Config) -> anyhow::Result<usize> {
    let found = Models::new()?.find(&config.train.model)?;
    let model = read_config(found.path()?)?;
    Ok(LoraLayout::new(&model, &lora_config(&config.train))?.len())
}
