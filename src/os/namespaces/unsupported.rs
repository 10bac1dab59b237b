//! Systems without namespaces: there is one network, and one pid for each process.

#[cfg(feature = "cli")]
use super::{OtherNamespaces, OwnNetwork};
#[cfg(feature = "cli")]
use crate::model::Protocol;
use crate::model::UserNamespace;

/// Returns true: there is one pid namespace.
pub(in crate::os) fn pid_namespace_is_own() -> Option<bool> {
    Some(true)
}

/// Returns nothing: there are no network namespaces.
pub(in crate::os) fn network_namespace(_pid: u32) -> Option<u64> {
    None
}

/// Returns nothing: there are no other network namespaces.
#[cfg(feature = "cli")]
pub(in crate::os) fn listening_in_other_namespaces(
    _ports: &[u16],
    _protocols: &[Protocol],
) -> Vec<OtherNamespaces> {
    Vec::new()
}

/// Returns that this process is in the machine's only network.
#[cfg(feature = "cli")]
pub(in crate::os) fn own_network() -> OwnNetwork {
    OwnNetwork::First
}

/// Returns nothing: there are no user namespaces.
pub(in crate::os) fn current_user_namespace() -> Option<UserNamespace> {
    None
}
