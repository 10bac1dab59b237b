//! The command `allears`.

use std::process::ExitCode;

fn main() -> ExitCode {
    allears::cli::run(std::env::args_os())
}
