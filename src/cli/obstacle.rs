//! What keeps a port on which nothing listens from being bound. That nothing listens, and why it cannot be bound, are both
//! from the scan that the verdict rests on, so that they are true of the same moment.

use super::arguments::List;
use crate::act::why;
use crate::model::Target;
use crate::model::{Error, Protocol, Snapshot};
use crate::scan::Query;
use crate::verdict::Verdict;

/// How often is looked again if a listener has come in between.
const REPEATS: usize = 5;

/// Looks at this machine. If nothing listens on the one port that is asked about and it cannot be bound all the same, the
/// verdict tells why.
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
        // Something listens by now.
        snapshot = query.scan()?;
    }
    Ok((snapshot, None))
}

/// The port, if a person asks whether something listens on that one and says nothing else about it.
fn bindable(query: &Query, list: &List) -> Option<Target> {
    let selection = query.selection();
    let filters = &list.filters;
    let narrowed = selection.filters_by_process()
        || filters.exposed
        || filters.all
        || filters.ipv4
        || filters.ipv6
        || list.source.all_namespaces;
    let for_programs = list.json || list.ndjson || list.csv || list.pids;
    let [target] = selection.targets() else { return None };
    if narrowed || for_programs || target.single_port().is_none() {
        return None;
    }
    // Both protocols are listed where none is named, and a bind is tested for the one that servers use.
    match (filters.tcp, filters.udp) {
        (false, true) => target.clone().of_protocol(Protocol::Udp),
        _ => Some(target.clone()),
    }
}
