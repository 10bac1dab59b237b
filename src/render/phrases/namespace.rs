//! Network namespaces.

use super::{allears_with_sudo, list};
use crate::model::Protocol;
use crate::os::{OtherNamespaces, OwnNetwork};
use crate::render::escape::escape;

/// The most namespaces that are named. The others are counted.
const NAMED: usize = 3;

/// Returns what a scan of this network cannot show. `nothing` is whether it showed nothing.
pub(crate) fn outside_own_network(network: OwnNetwork, nothing: bool) -> Option<&'static str> {
    match network {
        OwnNetwork::Containers => {
            Some("this is the network of a container: what listens outside of it is not shown")
        }
        OwnNetwork::Other if nothing => {
            Some("this is not the machine's first network namespace: what listens outside of it is not shown")
        }
        OwnNetwork::Other | OwnNetwork::First | OwnNetwork::Unknown => None,
    }
}

/// Returns in which other namespaces something listens on a port, and what shows it.
pub(crate) fn listens_in_other_namespaces(found: &OtherNamespaces, protocols: &[Protocol]) -> String {
    let names = list(&found.namespaces, NAMED, escape);
    let place = match found.namespaces.len() {
        1 => "another network namespace",
        _ => "other network namespaces",
    };
    let target = match protocols {
        [only] => format!("{only}/{}", found.port),
        _ => found.port.to_string(),
    };
    let help = allears_with_sudo(&["--all-namespaces", &target])
        .map_or_else(String::new, |command| format!("; {command} shows it"));
    format!("something listens on port {} in {place} ({names}){help}", found.port)
}
