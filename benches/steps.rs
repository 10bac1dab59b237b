//! What each step of an answer costs, without a system: see `steps/measured.rs`.
//!
//! It calls private parts: run it with `just bench --bench steps`, which sets `--cfg allears_internals`.
#![cfg_attr(
    allears_internals,
    expect(clippy::expect_used, reason = "a bench without its input must fail loudly")
)]

#[cfg(allears_internals)]
#[path = "steps/measured.rs"]
mod measured;

#[cfg(allears_internals)]
fn main() {
    measured::main();
}

#[cfg(not(allears_internals))]
fn main() {}
