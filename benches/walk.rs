//! The walk through descriptor tables against the bare system calls that it makes. Linux only.
//!
//! `just bench --bench walk`, which sets `--cfg allears_internals`, prints a table of both. `-- --ratio`
//! alternates the two and prints the median ratio.
#![cfg_attr(
    all(target_os = "linux", allears_internals),
    expect(
        clippy::expect_used,
        clippy::print_stdout,
        reason = "a bench that cannot be staged must fail loudly, and the ratio is what is asked for"
    )
)]

#[cfg(all(target_os = "linux", allears_internals))]
#[path = "walk/bare.rs"]
mod bare;
#[cfg(all(target_os = "linux", allears_internals))]
#[path = "walk/linux.rs"]
mod linux;
#[cfg(all(target_os = "linux", allears_internals))]
#[path = "walk/stage.rs"]
mod stage;

#[cfg(all(target_os = "linux", allears_internals))]
fn main() {
    linux::main();
}

#[cfg(not(all(target_os = "linux", allears_internals)))]
fn main() {}
