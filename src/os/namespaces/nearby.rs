//! What the command says of other network namespaces where nothing listens in this one.

use crate::model::{Protocol, Text};

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
    return super::sys::listening_elsewhere(ports, protocols);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (ports, protocols);
        Vec::new()
    }
}

/// Whose network namespace this process is in.
pub(crate) fn own_network() -> OwnNetwork {
    #[cfg(target_os = "linux")]
    return super::sys::own_network();
    #[cfg(not(target_os = "linux"))]
    OwnNetwork::First
}
