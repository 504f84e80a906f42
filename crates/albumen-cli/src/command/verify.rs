//! `albumen verify`.

use crate::args::VerifyArgs;
use crate::failure::{Failure, Outcome};
use crate::progress::{print_json, print_text};

/// Runs `albumen verify`: exit code 1 where anything differs.
pub(crate) fn verify(args: &VerifyArgs) -> Outcome {
    let report = albumen_synth::verify::verify(&args.release)?;
    if args.json {
        print_json(&serde_json::to_value(&report)?);
    } else {
        for difference in &report.differences {
            print_text(&format!("differs: {difference}"));
        }
    }
    if !report.differences.is_empty() {
        return Err(Failure::Failed(anyhow::anyhow!(
            "{} does not hold what it says",
            args.release.display()
        )));
    }
    if !args.json {
        print_text("every hash and the recomputed epsilon hold");
    }
    Ok(())
}
