//! The command `allears`.

use std::process::ExitCode;

/// Remembers a failed allocation, so that the command can say that there was no memory.
#[global_allocator]
static ALLOCATOR: allears::cli::Allocator = allears::cli::Allocator;

fn main() -> ExitCode {
    allears::cli::run(std::env::args_os())
}
