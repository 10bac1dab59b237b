//! Container runtimes: where they answer, and what they answer.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

use std::path::PathBuf;
use std::time::Instant;

/// A container runtime that answers at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RuntimeKind {
    Docker,
    Podman,
}

/// What a runtime answered, as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    /// Whether the runtime is in this process's network namespace; `None` where that is not to be seen.
    pub(crate) here: Option<bool>,
}

/// Why a runtime gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(all(not(unix), not(test)), expect(dead_code, reason = "nobody is asked there"))]
pub(crate) enum RuntimeError {
    /// Nothing is there.
    Absent,
    /// This user may not ask.
    Permission,
    /// It did not answer in time.
    Timeout,
    /// What it said could not be read.
    Unreadable(String),
}

/// Where the runtimes of the system answer, or with a user those of that one.
pub(crate) fn runtime_sockets(kind: RuntimeKind, user: Option<u32>) -> Vec<PathBuf> {
    sys::sockets(kind, user)
}

/// The user to whom a number belongs that may be one of a rootless container's.
pub(crate) fn account(uid: u32) -> u32 {
    sys::account(uid)
}

/// Asks for the containers that run, each of these sockets, and waits until then at most.
pub(crate) fn ask_runtimes(paths: &[PathBuf], until: Instant) -> Vec<Result<Reply, RuntimeError>> {
    sys::ask(paths, until)
}
