//! Descendants whose parent has ended go to launchd on macOS, and are no descendants any more.

use std::io;

use rustix::process::{Pid, WaitOptions, WaitStatus, waitpid};

/// Whether descendants stay descendants if their parent ends.
pub(crate) const DESCENDANTS_ARE_KEPT: bool = false;

/// Does nothing: the system has no way to adopt.
pub(super) fn adopt() -> io::Result<()> {
    Ok(())
}

/// Returns nothing to do before the command is reaped: no events have to be assigned to processes.
pub(super) fn has_ended_children() -> bool {
    false
}

/// Reaps the command if it has ended and has not been reaped.
pub(super) fn reap(command: Pid, has_ended: bool) -> Option<(Pid, WaitStatus)> {
    if has_ended { None } else { waitpid(Some(command), WaitOptions::NOHANG).ok().flatten() }
}
