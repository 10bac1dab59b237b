//! Container runtimes on Windows use named pipes, to which no requests are sent: ports of containers are reported under
//! the process that holds them.

use std::path::PathBuf;
use std::time::Instant;

use crate::os::{ConnectAs, Reply, RuntimeError, RuntimeKind};

/// Returns nothing: there are no such sockets.
pub(in crate::os) fn sockets(_kind: RuntimeKind, _user: Option<u32>) -> Vec<PathBuf> {
    Vec::new()
}

/// Returns the same uid: users have no numbers here.
pub(in crate::os) fn subuid_owner(uid: u32) -> u32 {
    uid
}

/// Returns that no runtime is there.
pub(in crate::os) fn ask(
    sockets: &[(PathBuf, ConnectAs)],
    _until: Instant,
) -> Vec<Result<Reply, RuntimeError>> {
    sockets.iter().map(|_| Err(RuntimeError::Absent)).collect()
}
