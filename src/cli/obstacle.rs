//! Determines why a port without a listener cannot be bound. Both results come from the scan for the verdict, so that they
//! describe the same moment.

use super::arguments::List;
use crate::act::why;
use crate::model::Target;
use crate::model::{Error, Protocol, Snapshot};
use crate::scan::Query;
use crate::verdict::Verdict;

/// The most scans if a listener appears during a scan.
const REPEATS: usize = 5;

/// Scans this machine. If the query is for one port, nothing listens on it, and it cannot be bound, the verdict is returned
/// too.
pub(super) fn scan(query: &Query, list: &List) -> Result<(Snapshot, Option<Verdict>), Error> {
    let mut snapshot = query.scan()?;
    let Some(target) = bindable(query, list) else { return Ok((snapshot, None)) };
    for _ in 0..REPEATS {
        if !(snapshot.listeners.is_empty() && snapshot.complete && why::is_refused(&target)) {
            break;
        }
        let scanned = why::bind_target(&target)
            .and_then(|asked| why::verdict_and_listeners(&asked, &super::runtimes::runtimes()));
        let Ok((verdict, listening)) = scanned else { break };
        if !listening.iter().any(|socket| query.selection().concerns(socket)) {
            return Ok((snapshot, Some(verdict).filter(|verdict| verdict.can_bind != Some(true))));
        }
        // Something listens now.
        snapshot = query.scan()?;
    }
    Ok((snapshot, None))
}

/// Returns the target if the query is for one port, has no filters, and is answered in text.
fn bindable(query: &Query, list: &List) -> Option<Target> {
    let selection = query.selection();
    let filters = &list.filters;
    let narrowed = selection.filters_by_process()
        || filters.exposed
        || filters.all
        || filters.ipv4
        || filters.ipv6
        || list.source.all_namespaces;
    let for_programs = list.is_for_programs();
    let [target] = selection.targets() else { return None };
    if narrowed || for_programs || target.single_port().is_none() {
        return None;
    }
    // Without a protocol, both are listed, and the bind is tested for TCP.
    match (filters.tcp, filters.udp) {
        (false, true) => target.clone().narrowed_to_protocol(Protocol::Udp),
        _ => Some(target.clone()),
    }
}
