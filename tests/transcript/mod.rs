//! Runs the command in a minimal environment and records it: command, standard output, standard error and exit code.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

/// Returns the command with a minimal environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(program());
    command.env_clear().stdin(Stdio::null());
    for kept in ["PATH", "SystemRoot", "TEMP", "WINEPREFIX"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

/// Returns the command that was built with this test, or the copy that `ALLEARS_PROGRAM` names.
fn program() -> OsString {
    std::env::var_os("ALLEARS_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_allears").into())
}

/// One command at a time: between fork and exec a child has all sockets of this process too, and the command under test
/// would report it.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs the command with these arguments.
pub(crate) fn run<A: AsRef<OsStr>>(arguments: &[A]) -> Output {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    command().args(arguments).output().expect("the command can be run")
}

/// Runs the command with these arguments, and returns the record.
#[must_use]
pub(crate) fn transcript(arguments: &[&str]) -> String {
    let output = run(arguments);
    let mut text = format!("$ allears {}\n", arguments.join(" "));
    text.push_str(&String::from_utf8_lossy(&output.stdout));
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        let _ = writeln!(text, "stderr| {line}");
    }
    let _ = writeln!(text, "status: {}", status(&output));
    text
}

/// Returns the exit code; a signal counts as 128.
pub(crate) fn status(output: &Output) -> i32 {
    output.status.code().unwrap_or(128)
}
