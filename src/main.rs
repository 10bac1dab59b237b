//! The command `allears`.

use std::process::ExitCode;

/// Remembers a failed allocation, so that the command can report that memory ran out.
#[global_allocator]
static ALLOCATOR: allears::cli::Allocator = allears::cli::Allocator;

fn main() -> ExitCode {
    allears::cli::run(std::env::args_os())
}
