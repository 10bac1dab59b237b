//! The differences between two snapshots: listeners that opened, closed or changed. Pure.
//!
//! Compares only what both snapshots could contain: what one was not requested to contain, or could not read, is no
//! difference.

mod context;
mod pairing;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;

use crate::model::Selection;
use crate::model::names::names;
use crate::model::{Endpoint, Gap, GapKind, Listener, Protocol, Snapshot, State, Text};

use context::CompareContext;

/// How a listener changed.
///
/// ```
/// use allears::{ChangeKind, Query, changes};
///
/// let before = Query::new().scan()?;
/// let after = Query::new().scan()?;
/// let opened = changes(&before, &after).into_iter().filter(|change| change.kind == ChangeKind::Opened);
/// println!("{} listeners are new", opened.count());
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// Only the later snapshot has it.
    Opened,
    /// Only the earlier snapshot has it.
    Closed,
    /// Both have it, with another socket, other holders, or another service or container.
    Changed,
}

/// What differs in a listener that both snapshots have.
///
/// ```
/// use allears::Difference;
///
/// assert_eq!("holders".parse(), Ok(Difference::Holders));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Difference {
    /// The socket: another one has the same address.
    Socket,
    /// The state.
    State,
    /// The user.
    User,
    /// Whether an IPv6 socket accepts IPv4.
    DualStack,
    /// The holders.
    Holders,
    /// The service.
    Service,
    /// The container.
    Container,
}

/// A listener that differs between two snapshots.
///
/// ```
/// let before = allears::Query::new().scan()?;
/// let after = allears::Query::new().scan()?;
/// for change in allears::changes(&before, &after) {
///     println!("{} {:?}", change.kind, change.listener().map(|it| &it.socket.endpoint));
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Change {
    /// How it changed.
    pub kind: ChangeKind,
    /// The listener in the earlier snapshot. `None` if it opened.
    pub before: Option<Listener>,
    /// The listener in the later snapshot. `None` if it closed.
    pub after: Option<Listener>,
    /// What differs. Empty if it opened or closed.
    pub differs: Vec<Difference>,
    /// Whether the change is certain. If not, the snapshot without the listener is incomplete and may have missed it.
    pub certain: bool,
}

/// The result of comparing two snapshots.
///
/// ```
/// let before = allears::Query::new().scan()?;
/// let after = allears::Query::new().scan()?;
/// let comparison = allears::compare(&before, &after);
/// assert!(comparison.same_machine);
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Comparison {
    /// The changes, sorted as listeners are.
    pub changes: Vec<Change>,
    /// Whether both snapshots have every socket that both were requested to contain. Only then do no changes prove that
    /// there is no difference.
    pub complete: bool,
    /// Whether both were taken on one machine. Otherwise sockets and processes are compared by address and name only.
    pub same_machine: bool,
    /// Whether both were taken in the same user namespace, so that uids mean the same users. If not, users are not
    /// compared.
    pub same_users: bool,
    /// Whether both have the same selection. If not, only what both could contain is compared.
    pub same_query: bool,
    /// Whether the selections of both overlap.
    pub comparable: bool,
    /// Whether the earlier and the later snapshot are complete, for what is compared.
    pub complete_sides: [bool; 2],
    /// The gaps of the earlier and of the later snapshot, for what is compared.
    pub gaps: [Vec<Gap>; 2],
    /// The number of listeners that both have without a visible difference, and that have unseen holders.
    pub unseen: usize,
}

names! { ChangeKind, "kind of change":
    Opened => "opened",
    Closed => "closed",
    Changed => "changed",
}

names! { Difference, "difference":
    Socket => "socket",
    State => "state",
    User => "user",
    DualStack => "dual_stack",
    Holders => "holders",
    Service => "service",
    Container => "container",
}

impl Change {
    /// Returns the listener in the later snapshot, or in the earlier one if it closed.
    pub fn listener(&self) -> Option<&Listener> {
        self.after.as_ref().or(self.before.as_ref())
    }
}

/// Returns the changes between two snapshots: [`Comparison::changes`] of [`compare`].
pub fn changes(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    compare(before, after).changes
}

/// Compares two snapshots.
///
/// Listeners with one address are paired by socket, then by holders; what remains is paired in order. Values that
/// fluctuate (queues, connections, times) are not compared, nor are holders that only one snapshot could contain.
pub fn compare(before: &Snapshot, after: &Snapshot) -> Comparison {
    let selections = [selections(before), selections(after)];
    let [of_before, of_after] = &selections;
    let same_query = of_before == of_after;
    let (before, after) = (narrowed(before, after), narrowed(after, before));
    let comparable = same_query || are_comparable(&before, &after, [of_before, of_after]);
    let context = CompareContext {
        same_machine: before.host == after.host && before.os == after.os,
        same_users: before.user_namespace == after.user_namespace,
        same_rights: before.privileged == after.privileged,
    };
    let mut by_address: HashMap<Address<'_>, (Vec<&Listener>, Vec<&Listener>)> = HashMap::new();
    for listener in &before.listeners {
        by_address.entry(address(listener)).or_default().0.push(listener);
    }
    for listener in &after.listeners {
        by_address.entry(address(listener)).or_default().1.push(listener);
    }
    let mut found = Changes { changes: Vec::new(), unseen: 0 };
    for (old, new) in by_address.into_values() {
        found.pair(&old, &new, context);
    }
    for change in &mut found.changes {
        change.certain = match (change.kind, change.listener()) {
            (ChangeKind::Opened, Some(listener)) => would_show(&before, listener),
            (ChangeKind::Closed, Some(listener)) => would_show(&after, listener),
            _ => true,
        };
    }
    found.changes.sort_by(|a, b| match (a.listener(), b.listener()) {
        (Some(a), Some(b)) => a.socket.order(&b.socket).then_with(|| a.socket.inode.cmp(&b.socket.inode)),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
    Comparison {
        changes: found.changes,
        complete: comparable && before.complete && after.complete,
        comparable,
        complete_sides: [before.complete, after.complete],
        gaps: [before.gaps.clone(), after.gaps.clone()],
        same_machine: context.same_machine,
        same_users: context.same_users,
        same_query,
        unseen: found.unseen,
    }
}

/// Returns the selections that a snapshot was requested with, all TCP and UDP listeners by default. Connections are
/// never compared.
fn selections(snapshot: &Snapshot) -> Vec<Selection> {
    match &snapshot.selections {
        Some(asked) => asked.iter().map(|one| Selection { connections: false, ..one.clone() }).collect(),
        None => vec![Selection::default()],
    }
}

/// Returns whether two snapshots can have a listener in common, by their selections and by what these leave of both.
fn are_comparable(before: &Snapshot, after: &Snapshot, selections: [&[Selection]; 2]) -> bool {
    let [of_before, of_after] = selections;
    let nothing_left = before.listeners.is_empty() && after.listeners.is_empty();
    of_before.iter().all(|one| {
        of_after
            .iter()
            .all(|other| one.overlaps(other) && !(nothing_left && one.selects_other_holders(other)))
    })
}

/// Returns the part of a snapshot that the other one could contain too, by its selections.
fn narrowed<'a>(snapshot: &'a Snapshot, other: &Snapshot) -> Cow<'a, Snapshot> {
    let (own, others) = (selections(snapshot), selections(other));
    let mut narrowed = Cow::Borrowed(snapshot);
    for selection in others.iter().filter(|selection| !own.contains(selection)) {
        let mut applied = selection.narrow(narrowed.into_owned());
        if !selection.namespaces {
            applied.listeners.retain(|listener| listener.socket.namespace.is_none());
        }
        narrowed = Cow::Owned(applied);
    }
    narrowed
}

/// Returns whether a snapshot would have this listener if it had existed.
fn would_show(snapshot: &Snapshot, listener: &Listener) -> bool {
    // Forwarded ports are read with privilege only, and a runtime may not have answered.
    let reads_forwarded =
        || snapshot.privileged && !snapshot.gaps.iter().any(|gap| gap.what == GapKind::Containers);
    snapshot.complete && (listener.socket.state != State::Forwarded || reads_forwarded())
}

/// The address of a listener. Several may share one (SO_REUSEPORT).
type Address<'a> = (Option<u16>, Protocol, &'a Endpoint, Option<std::net::SocketAddr>, Option<&'a [u8]>);

fn address(listener: &Listener) -> Address<'_> {
    let socket = &listener.socket;
    let namespace = socket.namespace.as_ref().map(Text::as_bytes);
    (socket.endpoint.port(), socket.protocol, &socket.endpoint, socket.peer, namespace)
}

/// The changes found so far.
struct Changes {
    changes: Vec<Change>,
    unseen: usize,
}

impl Changes {
    /// Compares the listeners of one address that both have, and adds the others as opened or closed.
    fn pair(&mut self, old: &[&Listener], new: &[&Listener], context: CompareContext) {
        let mut paired = (vec![false; old.len()], vec![false; new.len()]);
        for (before, after) in pairing::pairs(old, new, context) {
            for (paired, at) in [(&mut paired.0, before), (&mut paired.1, after)] {
                if let Some(paired) = paired.get_mut(at) {
                    *paired = true;
                }
            }
            if let (Some(before), Some(after)) = (old.get(before), new.get(after)) {
                self.compare(before, after, context);
            }
        }
        for (listeners, paired, kind) in
            [(old, paired.0, ChangeKind::Closed), (new, paired.1, ChangeKind::Opened)]
        {
            let left = listeners.iter().zip(paired).filter(|(_, paired)| !paired);
            self.changes.extend(left.map(|(listener, _)| Change::one(kind, listener)));
        }
    }

    fn compare(&mut self, before: &Listener, after: &Listener, context: CompareContext) {
        let differs = context.differences(before, after);
        if differs.is_empty() {
            self.unseen += usize::from(before.unseen.is_some() || after.unseen.is_some());
            return;
        }
        let (before, after) = (Some(before.clone()), Some(after.clone()));
        self.changes.push(Change { kind: ChangeKind::Changed, before, after, differs, certain: true });
    }
}

impl Change {
    fn one(kind: ChangeKind, listener: &Listener) -> Change {
        let (before, after) = match kind {
            ChangeKind::Closed => (Some(listener.clone()), None),
            ChangeKind::Opened | ChangeKind::Changed => (None, Some(listener.clone())),
        };
        Change { kind, before, after, differs: Vec::new(), certain: true }
    }
}
