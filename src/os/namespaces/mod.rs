//! Namespaces: network, pid and user. Linux alone has them; the other systems have one of each.

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(in crate::os) mod sys;

use crate::model::{Protocol, Text, UserNamespace};

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

/// A port on which something listens in other network namespaces than this process's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub(crate) port: u16,
    /// Their names, as `--all-namespaces` gives them.
    pub(crate) namespaces: Vec<Text>,
}

/// Whose network namespace this process is in.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is one network on other systems"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnNetwork {
    /// The machine's first one, or the only one.
    First,
    /// That of a container.
    Containers,
    /// Another one than the machine's first.
    Other,
    /// It cannot be seen.
    Unknown,
}

/// Where else than in this process's network namespace something listens on these ports, as far as that shows within
/// milliseconds and without permission that this process lacks. Linux alone has more than one.
pub(crate) fn listening_elsewhere(ports: &[u16], protocols: &[Protocol]) -> Vec<Elsewhere> {
    #[cfg(target_os = "linux")]
    return sys::listening_elsewhere(ports, protocols);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (ports, protocols);
        Vec::new()
    }
}

/// Whose network namespace this process is in.
pub(crate) fn own_network() -> OwnNetwork {
    #[cfg(target_os = "linux")]
    return sys::own_network();
    #[cfg(not(target_os = "linux"))]
    OwnNetwork::First
}

/// The user namespace this process is in; `None` for the first one of the system, and where there are none.
pub(crate) fn user_namespace() -> Option<UserNamespace> {
    #[cfg(target_os = "linux")]
    return sys::user_namespace::current();
    #[cfg(not(target_os = "linux"))]
    None
}
