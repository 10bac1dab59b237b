//! A note below the list about listeners in other network namespaces.

use super::arguments::List;
use super::say;
use crate::model::Selection;
use crate::model::Target;
use crate::model::{Protocol, Snapshot};
use crate::os;
use crate::render::phrases;

/// Prints on which of the unanswered ports something listens in another network namespace, and whether this is the
/// network of a container. It searches nothing if every target was answered.
pub(super) fn print(list: &List, selection: &Selection, snapshot: &Snapshot) {
    if list.from.is_some() || list.source.all_namespaces {
        return;
    }
    let nothing = snapshot.listeners.is_empty();
    if let Some(note) = phrases::outside_own_network(os::own_network(), nothing) {
        say("note", note);
    }
    let filters = &list.filters;
    if selection.filters_by_process() || filters.exposed || filters.ipv4 || filters.ipv6 {
        return;
    }
    let unanswered = selection.unanswered(snapshot);
    for protocols in [&[Protocol::Tcp, Protocol::Udp][..], &[Protocol::Tcp], &[Protocol::Udp]] {
        let is_of_these = |target: &&&Target| protocols_of(list, target) == protocols;
        let ports: Vec<u16> =
            unanswered.iter().filter(is_of_these).filter_map(|target| target.single_port()).collect();
        if ports.is_empty() {
            continue;
        }
        for found in os::listening_in_other_namespaces(&ports, protocols) {
            say("note", &phrases::listens_in_other_namespaces(&found, protocols));
        }
    }
}

/// Returns the protocols of a target.
fn protocols_of(list: &List, target: &Target) -> &'static [Protocol] {
    match (target.protocol(), list.filters.tcp, list.filters.udp) {
        (Some(Protocol::Tcp), ..) | (None, true, false) => &[Protocol::Tcp],
        (Some(Protocol::Udp), ..) | (None, false, true) => &[Protocol::Udp],
        (None, ..) => &[Protocol::Tcp, Protocol::Udp],
        (Some(_), ..) => &[],
    }
}
