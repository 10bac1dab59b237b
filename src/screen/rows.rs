//! The listeners that are present and those that closed a moment ago, sorted and filtered. Both are kept until something
//! changes, so that a redraw only lays out what is visible.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::filter::{Filter, facts};
use super::toggles::Toggles;
use crate::compare::{Change, ChangeKind};
use crate::model::{Endpoint, Listener, Protocol, Text};
use crate::render::column::Column;
use crate::render::current_user::CurrentUser;
use crate::render::order::{self, Order};

/// The time for which a change stays marked.
pub(super) const MARKED: Duration = Duration::from_secs(5);

/// A listener, and its facts once they have been searched.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) listener: Listener,
    facts: OnceCell<String>,
}

impl Row {
    fn facts(&self, columns: &[Column], current_user: &CurrentUser) -> &str {
        self.facts.get_or_init(|| facts(&self.listener, columns, current_user))
    }
}

/// A row and its mark.
#[derive(Debug, Clone)]
pub(super) struct MarkedRow {
    pub(super) row: Rc<Row>,
    pub(super) mark: Option<ChangeKind>,
}

/// The rows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    present: Vec<Rc<Row>>,
    recent: Vec<(Change, Instant)>,
    sorted: Vec<MarkedRow>,
    shown: Vec<MarkedRow>,
    is_sorted: bool,
    is_filtered: bool,
}

/// What decides which rows are shown, and in which order.
pub(super) struct Arrangement<'a> {
    pub(super) order: Order,
    pub(super) filter: &'a Filter,
    pub(super) toggles: Toggles,
    pub(super) columns: &'a [Column],
    pub(super) current_user: &'a CurrentUser,
}

impl Rows {
    /// Replaces the listeners that are present.
    pub(super) fn set_present(&mut self, listeners: &[Listener]) {
        let old = std::mem::take(&mut self.present);
        let known: HashMap<_, _> = old.iter().map(|row| (identity(&row.listener), row)).collect();
        let row = |listener: &Listener| match known.get(&identity(listener)) {
            Some(row) if row.listener == *listener => Rc::clone(row),
            _ => Rc::new(Row { listener: listener.clone(), facts: OnceCell::new() }),
        };
        self.present = listeners.iter().map(row).collect();
        self.is_sorted = false;
    }

    /// Marks what has changed.
    pub(super) fn mark(&mut self, changes: &[Change], now: Instant) {
        self.recent.extend(changes.iter().map(|change| (change.clone(), now + MARKED)));
        self.is_sorted &= changes.is_empty();
    }

    /// Removes the marks whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        let before = self.recent.len();
        self.recent.retain(|(_, until)| *until > now);
        self.is_sorted &= before == self.recent.len();
    }

    /// Returns when the next mark expires.
    pub(super) fn expires_at(&self) -> Option<Instant> {
        self.recent.iter().map(|(_, until)| *until).min()
    }

    /// Returns the number of listeners with holders that could not be seen.
    pub(super) fn unseen(&self) -> usize {
        self.present.iter().filter(|row| row.listener.unseen.is_some()).count()
    }

    /// Makes the next [`Rows::arranged`] sort again.
    pub(super) fn sort_again(&mut self) {
        self.is_sorted = false;
    }

    /// Makes the next [`Rows::arranged`] filter again.
    pub(super) fn filter_again(&mut self) {
        self.is_filtered = false;
    }

    /// Returns the number of rows before the filter.
    pub(super) fn total(&self) -> usize {
        self.sorted.len()
    }

    /// Returns the rows that were shown last.
    pub(super) fn shown(&self) -> &[MarkedRow] {
        &self.shown
    }

    /// Returns whether there is such a listener, shown or not.
    pub(super) fn has(&self, is: impl Fn(&Listener) -> bool) -> bool {
        self.sorted.iter().any(|one| is(&one.row.listener))
    }

    /// Collects what can be searched for of every row, so that the letters of a filter find it ready.
    pub(super) fn collect_facts(&self, columns: &[Column], current_user: &CurrentUser) {
        self.present.iter().for_each(|row| _ = row.facts(columns, current_user));
    }

    /// Returns the rows that are shown, in order.
    pub(super) fn arranged(&mut self, by: &Arrangement<'_>) -> &[MarkedRow] {
        if !self.is_sorted {
            self.sorted = self.marked();
            order::sort(&mut self.sorted, by.order, |one| &one.row.listener);
            (self.is_sorted, self.is_filtered) = (true, false);
        }
        if !self.is_filtered {
            let is_shown = |one: &&MarkedRow| {
                let row = &one.row;
                let facts = || row.facts(by.columns, by.current_user);
                by.toggles.shows(&row.listener.socket) && by.filter.matches(&row.listener, facts)
            };
            self.shown = self.sorted.iter().filter(is_shown).cloned().collect();
            self.is_filtered = true;
        }
        &self.shown
    }

    /// Returns the listeners that are present and those that closed recently, each with its mark.
    fn marked(&self) -> Vec<MarkedRow> {
        let closed = self.recent.iter().filter(|(change, _)| change.kind == ChangeKind::Closed);
        let closed = closed.filter_map(|(change, _)| {
            let listener = change.before.clone()?;
            let row = Rc::new(Row { listener, facts: OnceCell::new() });
            Some(MarkedRow { row, mark: Some(ChangeKind::Closed) })
        });
        // The latest of several changes of one socket counts.
        let marks: HashMap<_, _> = self
            .recent
            .iter()
            .filter_map(|(change, _)| Some((identity(change.after.as_ref()?), change.kind)))
            .collect();
        let present = self.present.iter().map(|row| {
            let mark = marks.get(&identity(&row.listener)).copied();
            MarkedRow { row: Rc::clone(row), mark }
        });
        present.chain(closed).collect()
    }
}

/// The identity of a listener across scans.
type Identity<'a> = (&'a Endpoint, Protocol, Option<SocketAddr>, Option<u64>, Option<&'a Text>);

fn identity(listener: &Listener) -> Identity<'_> {
    let socket = &listener.socket;
    (&socket.endpoint, socket.protocol, socket.peer, socket.inode, socket.namespace.as_ref())
}

/// The identity of a listener that may be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    endpoint: Endpoint,
    protocol: Protocol,
    peer: Option<SocketAddr>,
    inode: Option<u64>,
    namespace: Option<Text>,
}

impl Key {
    pub(super) fn of(listener: &Listener) -> Key {
        let socket = &listener.socket;
        Key {
            endpoint: socket.endpoint.clone(),
            protocol: socket.protocol,
            peer: socket.peer,
            inode: socket.inode,
            namespace: socket.namespace.clone(),
        }
    }

    /// Returns whether two have one address.
    pub(super) fn is_at(&self, other: &Key) -> bool {
        Key { inode: other.inode, ..self.clone() } == *other
    }

    /// Returns whether it is this listener: 2 for the very socket, 1 for another one of its address, as after a restart.
    pub(super) fn likeness(&self, listener: &Listener) -> u8 {
        let socket = &listener.socket;
        let same_address = self.endpoint == socket.endpoint
            && self.protocol == socket.protocol
            && self.peer == socket.peer
            && self.namespace == socket.namespace;
        match same_address {
            true if self.inode == socket.inode => 2,
            true => 1,
            false => 0,
        }
    }
}
