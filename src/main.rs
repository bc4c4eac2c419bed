//! The `compt` executable: parse, call, map the error to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    compt::cli::main()
}
