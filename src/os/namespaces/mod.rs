//! Namespaces: network, pid and user. Linux alone has them; the other systems have one of each.

#[cfg(feature = "cli")]
mod nearby;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(in crate::os) mod sys;

#[cfg(feature = "cli")]
pub(crate) use nearby::{Elsewhere, OwnNetwork, listening_elsewhere, own_network};

use crate::model::UserNamespace;

/// Returns whether the pids that this module reports are valid in this process: on Linux, whether /proc shows the pid
/// namespace this process is in. `None` if that cannot be determined. Where it is not `Some(true)` no process must be
/// signalled, and no pid passed on to be used here.
pub(crate) fn pid_namespace_is_own() -> Option<bool> {
    sys::pid_namespace_is_own()
}

/// The number of the network namespace of a process, where there are such and it may be seen.
pub(crate) fn network_namespace(pid: u32) -> Option<u64> {
    sys::network_namespace(pid)
}

/// The user namespace this process is in; `None` for the first one of the system, and where there are none.
pub(crate) fn user_namespace() -> Option<UserNamespace> {
    #[cfg(target_os = "linux")]
    return sys::user_namespace::current();
    #[cfg(not(target_os = "linux"))]
    None
}
