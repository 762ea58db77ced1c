//! The `spine` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    spine::cli::main()
}
