//! Descendants whose parent has ended: this process adopts them (PR_SET_CHILD_SUBREAPER, prctl(2)), and reaps those that
//! have ended.

use std::io;

use rustix::process::{
    Pid, WaitId, WaitIdOptions, WaitOptions, WaitStatus, getpid, set_child_subreaper, wait, waitid,
};

/// Whether descendants stay descendants if their parent ends.
pub(crate) const DESCENDANTS_ARE_KEPT: bool = true;

/// Makes this process the new parent of orphans among its descendants. When it ends, they go to the next process above
/// it that adopts, as a rule init.
pub(super) fn adopt() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Returns whether there are children to reap.
pub(super) fn has_ended_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, options), Ok(Some(_)))
}

/// Reaps a child that has ended: the command or an orphan. The child of `os::files` is none of them, because waitpid(2)
/// without __WALL leaves out children that send no signal when they end.
pub(super) fn reap(_command: Pid, _has_ended: bool) -> Option<(Pid, WaitStatus)> {
    wait(WaitOptions::NOHANG).ok().flatten()
}
