//! What an ancestor can do when its child ends.

use super::RestartingProcess;

/// What an ancestor does when its child ends.
#[derive(Debug)]
pub(super) enum ParentRole {
    /// It restarts the child.
    Restarts(Box<RestartingProcess>),
    /// It ends too, or does nothing.
    Wrapper,
    /// Unknown.
    Other,
    /// It does not restart the child, and neither does any of its ancestors: a login, a terminal, an editor.
    Boundary,
}

/// Whether the configuration of a supervisor makes it restart a child.
pub(super) enum RestartSetting {
    Restarts(Box<RestartingProcess>),
    /// It is configured not to restart it.
    LeavesDown,
}
