//! Why fewer ports than requested were found.

use std::ops::RangeInclusive;

use crate::act::SkipReason;
use crate::act::next_ports::{NextOptions, NextPorts};

/// Returns how many of the requested ports were found, and why the others are unavailable.
pub(crate) fn shortage(options: &NextOptions, found: &NextPorts) -> String {
    let range = range(&options.ports);
    let protocol = options.protocol.as_str().to_uppercase();
    let skipped = skipped(found);
    match (found.ports.len(), options.count) {
        (0, _) => format!("found no {protocol} port in {range}{skipped}"),
        (some, count) => {
            format!("found only {some} of {count} requested {protocol} ports in {range}{skipped}")
        }
    }
}

fn range(ports: &RangeInclusive<u16>) -> String {
    format!("{}-{}", ports.start(), ports.end())
}

/// Returns how many ports were skipped for each reason: `: 3 in use, 1 reserved`.
fn skipped(found: &NextPorts) -> String {
    let kinds = [
        (SkipReason::InUse, "in use"),
        (SkipReason::Denied, "not permitted"),
        (SkipReason::Reserved, "reserved"),
        (SkipReason::Assigned, "assigned to other programs"),
        (SkipReason::Forwarded, "forwarded"),
        (SkipReason::Claimed, "given to another call just now"),
    ];
    let count = |reason| found.skipped.iter().filter(|skipped| skipped.reason == reason).count();
    let counts: Vec<String> = kinds
        .into_iter()
        .map(|(reason, words)| (count(reason), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) }
}
