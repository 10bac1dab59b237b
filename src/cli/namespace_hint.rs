//! A note below the list about listeners in other network namespaces.

use super::arguments::List;
use crate::model::Selection;
use crate::model::Target;
use crate::model::{Protocol, Snapshot};
use crate::os;
use crate::render::phrases;

/// Returns notes on which of the unanswered ports something listens in another network namespace, and whether this is the
/// network of a container. It searches nothing if every target was answered, or if the format has no notes.
pub(super) fn notes(list: &List, selection: &Selection, snapshot: &Snapshot) -> Vec<String> {
    let mut notes = Vec::new();
    let has_no_notes = list.is_for_programs();
    if has_no_notes || list.from.is_some() || list.source.all_namespaces {
        return notes;
    }
    let nothing = snapshot.listeners.is_empty();
    if let Some(note) = phrases::outside_own_network(os::own_network(), nothing) {
        notes.push(note.to_owned());
    }
    let filters = &list.filters;
    if selection.filters_by_process() || filters.exposed || filters.ipv4 || filters.ipv6 {
        return notes;
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
            notes.push(phrases::listens_in_other_namespaces(&found, protocols));
        }
    }
    notes
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
