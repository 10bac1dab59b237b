//! Saved snapshots in every output format. The results do not depend on the operating system.

#![expect(clippy::expect_used, reason = "a failed step fails the test")]

mod diff;
mod documents;
mod selection;
mod text;
#[path = "../transcript/mod.rs"]
mod transcript;

use transcript::transcript;

const SAVED: &str = "tests/replay/workstation.json";

/// Returns the record of the command with these arguments on the saved snapshot.
fn replay(arguments: &[&str]) -> String {
    transcript(&[&["--from", SAVED], arguments].concat())
}
