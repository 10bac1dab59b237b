//! What is different between two snapshots: listeners that were opened, closed, or changed hands. Pure.
//!
//! Only what both could see is compared: what one side was not asked for, or could not see, is no difference.

mod context;
mod pairing;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;

use crate::model::Selection;
use crate::model::{Endpoint, Gap, GapKind, Listener, Protocol, Snapshot, State, Text};

use context::CompareContext;

/// What became of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It was not there before.
    Opened,
    /// It is not there any more.
    Closed,
    /// It is there in both, with another socket, other holders, or another service or container.
    Changed,
}

/// In what a listener is not as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Difference {
    /// Another socket is in its place.
    Socket,
    /// Its state.
    State,
    /// The user it belongs to.
    User,
    /// Whether it takes IPv4 too.
    DualStack,
    /// Who holds it.
    Holders,
    /// The service it belongs to.
    Service,
    /// The container it belongs to.
    Container,
}

/// A listener that is not the same in both snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// What became of it.
    pub kind: ChangeKind,
    /// As it was; `None` for one that was opened.
    pub before: Option<Listener>,
    /// As it is; `None` for one that was closed.
    pub after: Option<Listener>,
    /// In what a changed one differs; empty for the others.
    pub differs: Vec<Difference>,
    /// Whether it is so for sure. Where not, the side that lacks the listener could not see everything.
    pub certain: bool,
}

/// Two snapshots beside each other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comparison {
    /// What is different, in the order of the later one's listeners, with those that are gone where they would stand.
    pub changes: Vec<Change>,
    /// Whether both sides hold every socket that both were asked for. Only then is no change proof of no difference.
    pub complete: bool,
    /// Whether both are of one machine. Of two, sockets and processes are compared by place and names alone.
    pub same_machine: bool,
    /// Whether the numbers of users mean the same in both: both were taken in the same user namespace. If not, no users
    /// are compared.
    pub same_users: bool,
    /// Whether both were asked for the same. Where not, what both could contain is compared.
    pub same_question: bool,
    /// Whether there is anything that both were asked for.
    pub comparable: bool,
    /// Whether the earlier and the later one are complete in this sense, each.
    pub complete_sides: [bool; 2],
    /// What could not be read for the earlier and for the later one; of one that was asked for more than the other,
    /// also where it cannot tell what the other was asked for.
    pub gaps: [Vec<Gap>; 2],
    /// How many listeners are there in both, alike as far as could be seen, with holders that could not be.
    pub unseen: usize,
}

impl ChangeKind {
    /// The kind's name: `opened`, `closed`, `changed`.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Opened => "opened",
            ChangeKind::Closed => "closed",
            ChangeKind::Changed => "changed",
        }
    }
}

impl Difference {
    /// The difference's name: `socket`, `state`, `user`, `dual_stack`, `holders`, `service`, `container`.
    pub fn as_str(self) -> &'static str {
        match self {
            Difference::Socket => "socket",
            Difference::State => "state",
            Difference::User => "user",
            Difference::DualStack => "dual_stack",
            Difference::Holders => "holders",
            Difference::Service => "service",
            Difference::Container => "container",
        }
    }
}

impl Change {
    /// The listener as it is, or as it was where it is gone.
    pub fn listener(&self) -> Option<&Listener> {
        self.after.as_ref().or(self.before.as_ref())
    }
}

/// What is different between two snapshots: [`compare`] without what is known of the comparison itself.
pub fn changes(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    compare(before, after).changes
}

/// Compares two snapshots. Of two listeners at one place the same socket is the same listener, then the same holders
/// are; another socket at a place that only one had and has is a change of hands. What fluctuates by itself (queues,
/// connections, times) is no difference, nor is a holder that only one side could see.
pub fn compare(before: &Snapshot, after: &Snapshot) -> Comparison {
    let questions = [asked(before), asked(after)];
    let [of_before, of_after] = &questions;
    let same_question = of_before == of_after;
    let (before, after) = (narrowed(before, after), narrowed(after, before));
    let comparable = same_question || are_comparable(&before, &after, [of_before, of_after]);
    let sight = CompareContext {
        same_machine: before.host == after.host && before.os == after.os,
        same_users: before.user_namespace == after.user_namespace,
        same_rights: before.privileged == after.privileged,
    };
    let mut places: HashMap<Place<'_>, (Vec<&Listener>, Vec<&Listener>)> = HashMap::new();
    for listener in &before.listeners {
        places.entry(place(listener)).or_default().0.push(listener);
    }
    for listener in &after.listeners {
        places.entry(place(listener)).or_default().1.push(listener);
    }
    let mut found = Found { changes: Vec::new(), unseen: 0 };
    for (old, new) in places.into_values() {
        found.pair(&old, &new, sight);
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
        same_machine: sight.same_machine,
        same_users: sight.same_users,
        same_question,
        unseen: found.unseen,
    }
}

/// What a snapshot was asked for. Every TCP and UDP listener where it does not say. Who is connected is compared nowhere.
fn asked(snapshot: &Snapshot) -> Vec<Selection> {
    match &snapshot.asked {
        Some(asked) => asked.iter().map(|one| Selection { connections: false, ..one.clone() }).collect(),
        None => vec![Selection::default()],
    }
}

/// Whether two snapshots can have a listener in common, by what they were asked for and by what that leaves of both.
fn are_comparable(before: &Snapshot, after: &Snapshot, asked: [&[Selection]; 2]) -> bool {
    let [of_before, of_after] = asked;
    let nothing_left = before.listeners.is_empty() && after.listeners.is_empty();
    of_before.iter().all(|one| {
        of_after.iter().all(|other| one.overlaps(other) && !(nothing_left && one.is_of_other_holders(other)))
    })
}

/// What of a snapshot the other one could contain too, by what that was asked for.
fn narrowed<'a>(snapshot: &'a Snapshot, other: &Snapshot) -> Cow<'a, Snapshot> {
    let (own, others) = (asked(snapshot), asked(other));
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

/// Whether a snapshot would have this listener if it was there.
fn would_show(snapshot: &Snapshot, listener: &Listener) -> bool {
    // Containers are asked about by those who may, and may not answer.
    let told_of_forwarded =
        || snapshot.privileged && !snapshot.gaps.iter().any(|gap| gap.what == GapKind::Containers);
    snapshot.complete && (listener.socket.state != State::Forwarded || told_of_forwarded())
}

/// Where a listener is. Several may share a place (SO_REUSEPORT).
type Place<'a> = (Option<u16>, Protocol, &'a Endpoint, Option<std::net::SocketAddr>, Option<&'a [u8]>);

fn place(listener: &Listener) -> Place<'_> {
    let socket = &listener.socket;
    let namespace = socket.namespace.as_ref().map(Text::as_bytes);
    (socket.endpoint.port(), socket.protocol, &socket.endpoint, socket.peer, namespace)
}

struct Found {
    changes: Vec<Change>,
    unseen: usize,
}

impl Found {
    /// Compares the listeners of one place that are the same in both, and lists the others.
    fn pair(&mut self, old: &[&Listener], new: &[&Listener], sight: CompareContext) {
        let mut paired = (vec![false; old.len()], vec![false; new.len()]);
        for (before, after) in pairing::pairs(old, new, sight) {
            for (paired, at) in [(&mut paired.0, before), (&mut paired.1, after)] {
                if let Some(paired) = paired.get_mut(at) {
                    *paired = true;
                }
            }
            if let (Some(before), Some(after)) = (old.get(before), new.get(after)) {
                self.compare(before, after, sight);
            }
        }
        for (listeners, paired, kind) in
            [(old, paired.0, ChangeKind::Closed), (new, paired.1, ChangeKind::Opened)]
        {
            let left = listeners.iter().zip(paired).filter(|(_, paired)| !paired);
            self.changes.extend(left.map(|(listener, _)| Change::one(kind, listener)));
        }
    }

    fn compare(&mut self, before: &Listener, after: &Listener, sight: CompareContext) {
        let differs = sight.differences(before, after);
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
