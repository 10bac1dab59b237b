//! The walk through descriptor tables against the bare system calls that it makes. Linux only.
//!
//! `cargo bench --features internals --bench walk` prints a table of both. With `-- --ratio` the two take turns and
//! the median of their ratios is printed: what else the machine does then hits both alike.
#![cfg_attr(
    target_os = "linux",
    expect(
        clippy::expect_used,
        clippy::print_stdout,
        reason = "a bench that cannot be staged must fail loudly, and the ratio is what is asked for"
    )
)]

#[cfg(target_os = "linux")]
#[path = "walk/bare.rs"]
mod bare;
#[cfg(target_os = "linux")]
#[path = "walk/linux.rs"]
mod linux;
#[cfg(target_os = "linux")]
#[path = "walk/stage.rs"]
mod stage;

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {}
