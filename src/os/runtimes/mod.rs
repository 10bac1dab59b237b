//! The sockets of container runtimes, and their replies. Depends on `model` only.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

use std::path::PathBuf;
use std::time::Instant;

use crate::model::UnreadableReply;

/// A container runtime that answers at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RuntimeKind {
    Docker,
    Podman,
}

/// The reply of a runtime, not parsed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    /// Whether the runtime is in this process's network namespace; `None` if that is unknown.
    pub(crate) here: Option<bool>,
}

/// By whose rights to files a runtime's socket is opened, if this process runs as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectAs {
    /// Those of root.
    Root,
    /// Those of this user, whose folder the socket is in: a link there must not lead to a socket that only root may use.
    User(u32),
    /// Those of the socket's owner: the caller named its path.
    Owner,
}

/// Why a runtime gave no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(all(not(unix), not(test)), expect(dead_code, reason = "no runtime is reached on this system"))]
pub(crate) enum RuntimeError {
    /// Nothing is there.
    Absent,
    /// This user may not connect.
    Permission,
    /// It did not answer in time.
    Timeout,
    /// Its reply could not be read.
    Unreadable(UnreadableReply),
}

/// Returns the sockets of the system's runtime of a kind, or of a user's. Empty on Windows, where runtimes use named
/// pipes.
pub(crate) fn runtime_sockets(kind: RuntimeKind, user: Option<u32>) -> Vec<PathBuf> {
    sys::sockets(kind, user)
}

/// Returns the user to whom subuid(5) gives the range that a uid is in: rootless containers use such uids. The uid
/// itself if it is in no range.
pub(crate) fn subuid_owner(uid: u32) -> u32 {
    sys::subuid_owner(uid)
}

/// Asks for the running containers at each of these sockets, and waits until `until` at most. On Linux no capability is
/// used for it.
pub(crate) fn ask_runtimes(
    sockets: &[(PathBuf, ConnectAs)],
    until: Instant,
) -> Vec<Result<Reply, RuntimeError>> {
    sys::ask(sockets, until)
}
