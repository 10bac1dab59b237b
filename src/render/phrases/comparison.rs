//! What limits the comparison of two snapshots, and its summary.

use super::coverage::covered;
use super::{ago, gap, list_and};
use crate::compare::{ChangeKind, Comparison};
use crate::model::{Gap, Snapshot};
use crate::render::escape::escape;

/// The text if nothing differs.
pub(crate) const NO_DIFFERENCE: &str = "no difference";

/// The text if it is unknown whether something differs.
pub(crate) const UNDETERMINED: &str = "could not determine whether they differ";

/// The limit if the snapshots have different user namespaces.
pub(crate) const DIFFERENT_USERS: &str = "users are not compared: the snapshots were taken in different user \
                                          namespaces, where one number means different users";

/// The limit if the snapshots were taken for different selections that overlap.
pub(crate) const DIFFERENT_QUERIES: &str =
    "the snapshots were taken with different queries: only what both could contain is compared";

/// Returns the limit if the snapshots come from different machines.
pub(crate) fn two_machines(old: &Snapshot, new: &Snapshot) -> String {
    let machine = |side: &Snapshot| format!("{} ({})", escape(&side.host), escape(&(&side.os).into()));
    format!(
        "comparing two machines, {}: by addresses and ports, and by names of processes, users, services and containers",
        list_and([old, new].map(machine))
    )
}

/// Returns the limit if nothing is covered by both snapshots.
pub(crate) fn nothing_in_common(old: &Snapshot, new: &Snapshot) -> String {
    let covered =
        |side: &Snapshot| escape(&covered(side.selections.as_deref().unwrap_or_default()).as_str().into());
    format!(
        "the snapshots cover nothing in common: the earlier one covers {}, the later one {}",
        covered(old),
        covered(new)
    )
}

/// Returns the limit if the holders of some listeners are not in both snapshots.
pub(crate) fn holders_not_compared(count: usize) -> String {
    let whose = match count {
        1 => "holders of 1 listener".to_owned(),
        many => format!("holders of {many} listeners"),
    };
    format!("{whose} could not be compared: at least one snapshot does not show them")
}

/// One of the two snapshots.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Earlier,
    Later,
}

/// Returns the limit if a snapshot is incomplete, by what it lacks.
pub(crate) fn incomplete<'a>(side: Side, gaps: impl Iterator<Item = &'a Gap>) -> String {
    let side = match side {
        Side::Earlier => "earlier",
        Side::Later => "later",
    };
    let why: Vec<String> = gaps.map(gap).collect();
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
    format!("the {side} snapshot is incomplete{why}")
}

/// Returns the number of changes of each kind, and the time between the snapshots: `1 opened, 2 closed within 3 min.`
pub(crate) fn summary(old: &Snapshot, new: &Snapshot, found: &Comparison) -> String {
    let count = |kind| found.changes.iter().filter(|change| change.kind == kind).count();
    let kinds = [ChangeKind::Opened, ChangeKind::Closed, ChangeKind::Changed].map(|kind| (kind, count(kind)));
    let counts = kinds.iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(kind, count)| format!("{count} {kind}")).collect();
    let time = match found.same_machine {
        true => format!(" within {}", ago(old.taken_at, new.taken_at)),
        false => String::new(),
    };
    format!("{}{time}.", counts.join(", "))
}
