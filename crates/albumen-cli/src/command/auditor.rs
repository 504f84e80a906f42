//! `albumen account` and `albumen verify`: the auditor's program, albumen-verify, inside this one.

use std::io::{Write, stdout};

use albumen_verify::command;

use crate::failure::{Failure, Outcome};

/// Runs a command of albumen-verify.
pub(crate) fn run<Args>(
    command: fn(&Args, &mut dyn Write) -> command::Outcome,
    args: &Args,
) -> Outcome {
    command(args, &mut stdout()).map_err(|failure| match failure {
        command::Failure::Usage(error) => Failure::Usage(error),
        command::Failure::Failed(error) => Failure::Failed(error),
    })
}
