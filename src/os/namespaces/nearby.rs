//! Listeners in other network namespaces, for the hint of the command if nothing listens in this one.

use crate::model::{Protocol, Text};

/// A port on which something listens in network namespaces other than this process's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherNamespaces {
    pub(crate) port: u16,
    /// The names of those namespaces, as `--all-namespaces` shows them.
    pub(crate) namespaces: Vec<Text>,
}

/// The kind of network namespace that this process is in.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is one network on other systems"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnNetwork {
    /// The machine's first network namespace, or its only network.
    First,
    /// A container's network namespace.
    Containers,
    /// Another network namespace than the machine's first.
    Other,
    /// The network namespace cannot be determined.
    Unknown,
}

/// Returns the ports among these on which something listens in other network namespaces, as far as that can be read
/// within milliseconds and without further permissions. Empty on systems without namespaces.
pub(crate) fn listening_in_other_namespaces(ports: &[u16], protocols: &[Protocol]) -> Vec<OtherNamespaces> {
    super::sys::listening_in_other_namespaces(ports, protocols)
}

/// Returns the kind of network namespace that this process is in.
pub(crate) fn own_network() -> OwnNetwork {
    super::sys::own_network()
}
