//! Times the private training step: per-unit gradients, clipping, exact noise, update.
//!
//! `cargo run --release -p albumen-train --example private_step -- [serve] [key=value ...]` with keys
//! `model` (10m, 135m, 360m), `precision` (f32, bf16), `units`, `tokens` (a unit), `budget` (tokens in
//! work), `rounds`. It alternates with our own step without privacy (one gradient of the whole
//! batch, gradient descent). With `serve` it does one private step for each line that comes in, and
//! prints its seconds, processor seconds and the peak memory so far in MiB.

#![expect(clippy::print_stdout, reason = "a program that prints its timings")]

#[path = "../../albumen-lm/examples/support/mod.rs"]
mod support;

use albumen_dp::{Clipping, DpTraining, Optimizer, Plan, Randomness, Sensitive};
use albumen_lm::{Adapter, Example, Lm, LoraLayout, Precision};
use albumen_schema::Unit;
use albumen_train::TrainError;
use support::{Args, budget, layout, median, model, peak_mib, time};

struct Step<'a> {
    lm: &'a Lm,
    layout: &'a LoraLayout,
    examples: &'a [Example<'a>],
    args: &'a Args,
}

impl Step<'_> {
    /// The step of `albumen_train::train`, with every unit in the batch.
    fn private(&self, training: &mut DpTraining) -> Result<(), TrainError> {
        let Some(batch) = training.sample()? else {
            return Ok(());
        };
        let mut sum = training.clipped_sum(&batch);
        let adapter = Adapter {
            layout: self.layout,
            params: training.params(),
        };
        let units: Vec<_> = self.examples.iter().map(|e| vec![*e]).collect();
        let mut refused = Ok(());
        let mut add = |i: usize, gradient: &[f32], _: f32| {
            if refused.is_ok() {
                refused = sum.add_unit(i, gradient);
            }
        };
        self.lm
            .gradients(adapter, None, &units, budget(self.args), &mut add)?;
        refused?;
        Ok(training.update(batch, sum)?)
    }

    /// Gradient descent on the batch's loss, its micro-batches added up.
    fn plain(&self, params: &mut [f32]) -> Result<(), TrainError> {
        let budget = budget(self.args);
        let tokens = self.examples.first().map_or(1, |e| e.sequence.len());
        let together = (budget.tokens / tokens).max(1);
        let units: Vec<_> = self.examples.chunks(together).map(<[_]>::to_vec).collect();
        let mut sum = vec![0.0_f32; params.len()];
        let adapter = Adapter {
            layout: self.layout,
            params,
        };
        self.lm
            .gradients(adapter, None, &units, budget, &mut |_, g, _| {
                sum.iter_mut().zip(g).for_each(|(s, g)| *s += g);
            })?;
        let rate = 1e-3 / self.examples.len() as f32;
        params.iter_mut().zip(sum).for_each(|(p, s)| *p -= rate * s);
        Ok(())
    }
}

fn run(args: &Args, precision: Precision) -> Result<(), TrainError> {
    let lm = model(args, precision)?;
    let (layout, mut params) = layout(lm.config(), lm.config().num_layers)?;
    let (units, tokens) = (args.number("units", 8), args.number("tokens", 64));
    let sequences = support::sequences(units, tokens);
    let examples: Vec<Example<'_>> = sequences.iter().map(Example::from).collect();
    let plan = Plan {
        unit: Unit::Album,
        declared_units: units as u64,
        expected_batch: units as u64,
        steps: 1_000_000,
        noise_multiplier: 1.0,
        clipping: Clipping::Flat { norm: 1.0 },
    };
    let count = Sensitive::new(units);
    let optimizer = Optimizer::sgd(1e-3, 0.0);
    let mut training = DpTraining::begin(plan, optimizer, params.clone(), &count, Randomness::Os)?;
    let step = Step {
        lm: &lm,
        layout: &layout,
        examples: &examples,
        args,
    };
    step.private(&mut training)?;
    if args.first() == "serve" {
        for _ in std::io::stdin().lines() {
            let t = time(|| step.private(&mut training))?;
            println!("{} {} {}", t.wall, t.cpu, peak_mib());
        }
        return Ok(());
    }
    let memory = peak_mib();
    step.plain(&mut params)?;
    let mut times = Vec::new();
    for _ in 0..args.number("rounds", 5) {
        let private = time(|| step.private(&mut training))?;
        times.push((private, time(|| step.plain(&mut params))?));
    }
    let wall = median(times.iter().map(|t| t.0.wall).collect());
    println!(
        "private step {precision:?} {units}x{tokens}: {wall:.3} s, {:.0} tokens/s, {:.2} processor s, peak {memory:.0} MiB; {:.3} times our non-private step ({:.3} by processor time)",
        (units * tokens) as f64 / wall,
        median(times.iter().map(|t| t.0.cpu).collect()),
        median(times.iter().map(|t| t.0.wall / t.1.wall).collect()),
        median(times.iter().map(|t| t.0.cpu / t.1.cpu).collect()),
    );
    Ok(())
}

fn main() -> Result<(), TrainError> {
    let args = Args::new();
    let mut precisions = args.precisions().into_iter();
    precisions.try_for_each(|precision| run(&args, precision))
}
