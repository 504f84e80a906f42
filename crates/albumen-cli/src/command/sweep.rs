//! `albumen sweep`: the same configuration at several epsilons, and how good the albums are at each.

use albumen_accounting::{rounded_up, rounded_up_scientific};
use albumen_run::{STAMP, sweep as run_sweep};
use serde_json::json;

use crate::args::SweepArgs;
use crate::command::read_config;
use crate::failure::Outcome;
use crate::progress::{print_json, say, terminal};

/// Runs `albumen sweep`.
pub(crate) fn sweep(args: &SweepArgs) -> Outcome {
    let config = read_config(&args.config)?;
    let swept = run_sweep(&config, &args.epsilon, args.out.as_deref(), &terminal())?;
    say(&format!(
        "wrote {} and {}; both are {STAMP}",
        swept.page.display(),
        swept.table.display()
    ));
    if let Some(cost) = &swept.choice {
        say(&format!(
            "publishing one of the {} private runs costs epsilon {} at delta {}, if none of these \
             numbers chose it",
            cost.runs,
            rounded_up(cost.epsilon, 3),
            rounded_up_scientific(cost.delta)
        ));
    }
    if args.json {
        print_json(&json!({
            "report": swept.page,
            "table": swept.table,
            "runs": swept.runs,
            "choice": swept.choice,
        }));
    }
    Ok(())
}
