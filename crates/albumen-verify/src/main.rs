//! The albumen-verify binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    albumen_verify::command::main()
}
