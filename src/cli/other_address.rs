//! A note below "nothing listens on": which other address of this machine has the port.

use super::arguments::List;
use super::service_names;
use crate::model::{Protocol, Selection, Target};
use crate::render::phrases;
use crate::scan::Query;

/// The most sockets that are named for each port.
const NAMED: usize = 3;

/// Returns notes on what has the ports of unanswered targets at other addresses. It scans only if a target has an address.
pub(super) fn notes(list: &List, selection: &Selection) -> Vec<String> {
    let filters = &list.filters;
    let mut notes = Vec::new();
    let has_no_notes = list.is_for_programs();
    if has_no_notes || list.from.is_some() || selection.filters_by_process() || filters.exposed || filters.all
    {
        return notes;
    }
    let mut done: Vec<(Option<Protocol>, u16)> = Vec::new();
    for target in selection.targets() {
        let Some(port) = target.single_port().filter(|_| target.address().is_some()) else { continue };
        let key = (target.protocol(), port);
        if done.contains(&key) {
            continue;
        }
        done.push(key);
        let is_same = |other: &&Target| (other.protocol(), other.single_port()) == (key.0, Some(port));
        let wanted: Vec<&Target> = selection
            .targets()
            .iter()
            .filter(is_same)
            .filter(|one| one.address().is_some_and(service_names::is_own_address))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let mut query = Query::new().target(Target::from_parts(target.protocol(), None, port..=port));
        for (asked, protocol) in [(filters.tcp, Protocol::Tcp), (filters.udp, Protocol::Udp)] {
            query = if asked { query.protocol(protocol) } else { query };
        }
        // The answer is complete without this note.
        let Ok(snapshot) = query.scan() else { continue };
        for listener in snapshot.listeners.iter().take(NAMED) {
            notes.push(phrases::held_at_another_address(listener, &wanted));
        }
    }
    notes
}
