//! A note below the list about listeners in other network namespaces.

use super::arguments::List;
use super::say;
use crate::model::Selection;
use crate::model::Target;
use crate::model::{Protocol, Snapshot};
use crate::os::{self, OtherNamespaces, OwnNetwork};
use crate::render::escape::escape;
use crate::render::phrases;

/// The most namespaces that are named. The others are counted.
const NAMED: usize = 3;

/// Prints on which of the unanswered ports something listens in another network namespace, and whether this is the
/// network of a container. It searches nothing if every target was answered.
pub(super) fn print(list: &List, selection: &Selection, snapshot: &Snapshot) {
    if list.from.is_some() || list.source.all_namespaces {
        return;
    }
    let nothing = snapshot.listeners.is_empty();
    match os::own_network() {
        OwnNetwork::Containers => {
            say("note", "this is the network of a container: what listens outside of it is not shown");
        }
        OwnNetwork::Other if nothing => say(
            "note",
            "this is not the machine's first network namespace: what listens outside of it is not shown",
        ),
        OwnNetwork::Other | OwnNetwork::First | OwnNetwork::Unknown => {}
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
            say("note", &sentence(&found, protocols));
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

fn sentence(found: &OtherNamespaces, protocols: &[Protocol]) -> String {
    let mut names: Vec<String> = found.namespaces.iter().take(NAMED).map(escape).collect();
    if let Some(more) = found.namespaces.len().checked_sub(NAMED).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    let place = match found.namespaces.len() {
        1 => "another network namespace",
        _ => "other network namespaces",
    };
    let target = match protocols {
        [only] => format!("{}/{}", only.as_str(), found.port),
        _ => found.port.to_string(),
    };
    let help = phrases::allears_with_rights(&["--all-namespaces", &target])
        .map_or_else(String::new, |command| format!("; {command} shows it"));
    format!("something listens on port {} in {place} ({}){help}", found.port, names.join(", "))
}
