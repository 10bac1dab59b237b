//! Listeners that share a row of a table, or a card.

use std::ops::Deref;

use crate::model::compact::CompactSort as _;
use crate::model::{Holder, Listener, Process, ProcessId};
use crate::render::phrases;

/// Equal sockets of one program, which share one row: nginx has one for each worker.
#[derive(Debug)]
pub(crate) struct EqualSockets<'a> {
    /// The index of the first one.
    pub(crate) at: usize,
    /// The first one, with the holders of all.
    pub(crate) listener: MergedListener<'a>,
    pub(crate) count: usize,
}

/// A listener, or a copy of it with the holders of equal ones. Few have a copy.
#[derive(Debug)]
pub(crate) struct MergedListener<'a> {
    first: &'a Listener,
    merged: Option<Box<Listener>>,
}

impl Deref for MergedListener<'_> {
    type Target = Listener;

    fn deref(&self) -> &Listener {
        self.merged.as_deref().unwrap_or(self.first)
    }
}

impl MergedListener<'_> {
    fn holders_mut(&mut self) -> &mut Vec<Holder> {
        &mut self.merged.get_or_insert_with(|| Box::new(self.first.clone())).holders
    }
}

impl<'a> EqualSockets<'a> {
    pub(super) fn one(at: usize, listener: &'a Listener) -> EqualSockets<'a> {
        EqualSockets { at, listener: MergedListener { first: listener, merged: None }, count: 1 }
    }

    fn add(&mut self, other: &Listener) {
        self.count += 1;
        if !ids(&self.listener).eq(ids(other)) {
            let holders = self.listener.holders_mut();
            holders.extend(other.holders.iter().cloned());
            holders.compact_sort_by_key(|holder| holder.process.id);
            holders.dedup_by_key(|holder| holder.process.id);
        }
    }
}

/// Merges equal sockets of one program. Sockets with different values of `apart` are not merged.
pub(crate) fn merge_equal<'a>(
    listeners: impl IntoIterator<Item = &'a Listener>,
    apart: &dyn Fn(usize) -> u8,
) -> Vec<EqualSockets<'a>> {
    let mut all: Vec<EqualSockets<'a>> = Vec::new();
    for (at, listener) in listeners.into_iter().enumerate() {
        // Connections never share a row, and there may be a hundred thousand of them on one port.
        if !listener.socket.is_listener() {
            all.push(EqualSockets::one(at, listener));
            continue;
        }
        // As they are sorted, equal sockets follow one another.
        let alike =
            all.iter_mut().rev().take_while(|one| one.listener.socket.endpoint == listener.socket.endpoint);
        let mut alike = alike.filter(|one| apart(one.at) == apart(at) && are_equal(&one.listener, listener));
        match alike.next() {
            Some(one) => one.add(listener),
            None => all.push(EqualSockets::one(at, listener)),
        }
    }
    all
}

/// Returns whether two listeners would have equal rows and belong to one program.
fn are_equal(a: &Listener, b: &Listener) -> bool {
    let waiting = |listener: &Listener| listener.socket.queue.map(|queue| queue.waiting);
    let condition = |listener: &Listener| phrases::condition_of_all(listener);
    a.socket.dual_stack == b.socket.dual_stack
        && waiting(a) == waiting(b)
        && condition(a) == condition(b)
        && are_alike(a, b)
        && a.connections == b.connections
        && (ids(a).eq(ids(b)) || are_one_program(a, b))
}

/// Returns whether two listeners belong to different workers of one server.
fn are_one_program(a: &Listener, b: &Listener) -> bool {
    let (Some(one), Some(other)) = (a.head(), b.head()) else { return false };
    let (one, other) = (&one.process, &other.process);
    let parent = |process: &Process| process.parents.first().map(|parent| parent.pid);
    a.unseen.is_none()
        && one.executable.is_some()
        && one.executable == other.executable
        && one.name == other.name
        && one.uid == other.uid
        && (parent(one) == parent(other)
            || parent(one) == Some(other.id.pid)
            || parent(other) == Some(one.id.pid))
}

/// Groups listeners that differ only in address or family, which share a row on a terminal.
pub(super) fn group_by_address<'a>(
    sockets: Vec<EqualSockets<'a>>,
    apart: &dyn Fn(usize) -> u8,
) -> Vec<Vec<EqualSockets<'a>>> {
    let mut groups: Vec<Vec<EqualSockets<'a>>> = Vec::new();
    for one in sockets {
        let socket = &one.listener.socket;
        // Connections never share a row, and there may be a hundred thousand of them on one port.
        if !socket.is_listener() {
            groups.push(vec![one]);
            continue;
        }
        let place = groups.iter_mut().rev().take_while(|group| {
            group.first().is_some_and(|first| first.listener.socket.endpoint.port() == socket.endpoint.port())
        });
        let mut place = place.filter(|group| {
            group.first().is_some_and(|first| {
                apart(first.at) == apart(one.at)
                    && differ_only_in_address(&first.listener, &one.listener)
                    && first.listener.connections == one.listener.connections
            })
        });
        match place.next() {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

fn ids(listener: &Listener) -> impl Iterator<Item = ProcessId> {
    listener.holders.iter().map(|holder| holder.process.id)
}

/// Returns whether two listeners differ only in address or family. Cheap comparisons come first: thousands of
/// listeners may share a port.
pub(crate) fn differ_only_in_address(a: &Listener, b: &Listener) -> bool {
    let port = a.socket.endpoint.port();
    a.socket.endpoint != b.socket.endpoint
        && port.is_some()
        && port == b.socket.endpoint.port()
        && a.socket.is_listener()
        && ids(a).eq(ids(b))
        && are_alike(a, b)
}

/// Returns whether two listeners are equal apart from their addresses and holders.
fn are_alike(a: &Listener, b: &Listener) -> bool {
    a.socket.protocol == b.socket.protocol
        && a.socket.state == b.socket.state
        && a.socket.uid == b.socket.uid
        && a.socket.unknown_user == b.socket.unknown_user
        && a.socket.namespace == b.socket.namespace
        && a.unseen == b.unseen
        && a.service == b.service
        && a.container == b.container
        && a.probe.map(|probe| probe.outcome) == b.probe.map(|probe| probe.outcome)
        && a.note == b.note
}
