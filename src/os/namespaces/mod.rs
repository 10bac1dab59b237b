//! Namespaces: network, pid and user. Only Linux has them; the other systems have one of each.

#[cfg(feature = "cli")]
mod nearby;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
pub(in crate::os) mod sys;

#[cfg(feature = "cli")]
pub(crate) use nearby::{OtherNamespaces, OwnNetwork, listening_in_other_namespaces, own_network};

use crate::model::UserNamespace;

/// Returns whether the pids that this module reports are valid in this process: on Linux, whether /proc shows the pid
/// namespace this process is in. `None` if that cannot be determined. Unless it is `Some(true)`, no process may be
/// signalled, and no pid may be passed to another program.
pub(crate) fn pid_namespace_is_own() -> Option<bool> {
    sys::pid_namespace_is_own()
}

/// Returns the number of a process's network namespace. `None` if it may not be read, and on systems without namespaces.
pub(crate) fn network_namespace(pid: u32) -> Option<u64> {
    sys::network_namespace(pid)
}

/// Returns the user namespace that this process is in. `None` for the system's first one, and on systems without
/// namespaces.
pub(crate) fn user_namespace() -> Option<UserNamespace> {
    sys::current_user_namespace()
}
