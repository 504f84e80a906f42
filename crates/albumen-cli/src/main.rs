//! The albumen binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    albumen_cli::main()
}
