//! Refuses a release of another guarantee than the one asked for.

use albumen_schema::PrivacyStatement;
use albumen_schema::config::{PrivacyConfig, TuningRuns};

use crate::error::{Result, SynthError};

/// Refuses a guarantee that is not the one asked for.
pub(super) fn check(statement: &PrivacyStatement, asked: &PrivacyConfig) -> Result<()> {
    let other = |field: &'static str, ledger: String, configured: String| {
        Err(SynthError::OtherGuarantee {
            field,
            ledger,
            configured,
        })
    };
    if statement.unit != asked.unit {
        return other("unit", statement.unit.to_string(), asked.unit.to_string());
    }
    if statement.delta != asked.delta {
        return other(
            "delta",
            statement.delta.to_string(),
            asked.delta.to_string(),
        );
    }
    if statement.declared_units != asked.declared_units {
        return other(
            "declared_units",
            statement.declared_units.to_string(),
            asked.declared_units.to_string(),
        );
    }
    let words = |runs: Option<TuningRuns>| {
        runs.map_or_else(|| "no tuning runs".to_owned(), |r| r.to_string())
    };
    let declared = statement.tuning.map(|t| t.runs);
    if declared != asked.tuning_runs {
        return other("tuning_runs", words(declared), words(asked.tuning_runs));
    }
    // NaN must not pass.
    if statement.epsilon <= asked.epsilon {
        Ok(())
    } else {
        Err(SynthError::Overspent {
            spent: statement.epsilon,
            asked: asked.epsilon,
            delta: asked.delta,
        })
    }
}
