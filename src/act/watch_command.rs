//! What a command and its descendants open while it runs: passes over the sockets that were not there before, the
//! changes between two passes, what events report in between, and the record of them all. It neither starts nor ends the
//! command.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::watch::occurrence::{Occurrence, Refusal};
use super::watch::tracker::{EventTracker, ListedSocket, Pass, concerns};
use crate::compare::{Change, ChangeKind, Difference, changes};
use crate::model::compact::{CompactCollect as _, CompactSort as _};
use crate::model::process_table::ProcessEntry;
use crate::model::{
    Error, ErrorKind, Evidence, Gap, GapKind, Listener, ProcessId, Protocol, Selection, Snapshot,
};
use crate::os::socket_events::{EventBatch, EventCoverage, EventProcess, SocketEvent};
use crate::os::{self, Descendants, Fingerprint, SocketSet};
use crate::scan::Query;

/// Every this many passes processes are scanned even if the table did not change: another process may hold a socket by
/// then.
const FULL_SCAN_EVERY: u32 = 10;

/// A socket that the command or one of its descendants opened.
#[derive(Debug, Clone)]
pub(crate) struct OpenedSocket {
    /// The listener as it was seen last.
    pub(crate) listener: Listener,
    /// The time from the start of the command to the pass that first saw it, or to the event if no pass saw it.
    pub(crate) opened: Duration,
    /// The time from the start of the command to the pass that no longer saw it, or to the event. `None` if it is still
    /// open.
    pub(crate) closed: Option<Duration>,
    /// Whether a descendant was seen to hold or to open it. If not, its holders could not be seen, and a descendant may be
    /// one.
    pub(crate) certain: bool,
}

/// What a command opened.
#[derive(Debug)]
pub(crate) struct CommandRecord {
    /// The sockets in the order in which they were seen first.
    pub(crate) sockets: Vec<OpenedSocket>,
    /// The descendants that still run. `None` if they could not be listed.
    pub(crate) running: Option<Vec<ProcessEntry>>,
    /// The descendants that were seen in other network namespaces, whose sockets were not read.
    pub(crate) elsewhere: Vec<ProcessEntry>,
    /// What could not be read in any pass and may hide a socket of the command, each gap once.
    pub(crate) gaps: Vec<Gap>,
    /// The number of passes that failed.
    pub(crate) failed: u32,
    /// The longest time between two passes: of `missable`, what is open for a shorter time can be missed.
    pub(crate) longest_pause: Duration,
    /// What events do not report with its process.
    pub(crate) missable: Vec<Missable>,
    /// The calls of descendants that the system refused, equal ones once.
    pub(crate) refused: Vec<Refusal>,
    /// Processes that had ended before it was known whether they are descendants. What they opened is left out.
    pub(crate) unassigned: Vec<EventProcess>,
}

/// What can open and close between two passes without being noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missable {
    /// Sockets of this protocol.
    Protocol(Protocol),
    /// Connections.
    Connections,
    /// Listeners in other network namespaces.
    OtherNamespaces,
}

impl CommandRecord {
    /// Returns the number of sockets that are still open.
    pub(crate) fn still_open(&self) -> usize {
        self.sockets.iter().filter(|socket| socket.closed.is_none()).count()
    }

    /// Adds a refused call, or counts it with an equal one.
    fn refuse(&mut self, new: Refusal) {
        let caller = |refusal: &Refusal| refusal.attempt.holders.first().map(|holder| holder.process.id);
        let key = |refusal: &Refusal| (refusal.call, refusal.error.clone(), caller(refusal));
        let is_equal =
            |known: &&mut Refusal| key(known) == key(&new) && is_same(&known.attempt, &new.attempt);
        match self.refused.iter_mut().find(is_equal) {
            Some(known) => (known.at, known.times) = (new.at, known.times + new.times),
            None => self.refused.push(new),
        }
    }
}

/// The changes of a pass, and what happened before it that it did not see.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) changes: Vec<Change>,
    pub(crate) occurrences: Vec<Occurrence>,
}

/// The passes while a command runs.
#[derive(Debug)]
pub(crate) struct CommandWatch {
    query: Query,
    /// The filters of the user.
    selection: Selection,
    /// Whether events are read that name processes.
    has_events: bool,
    tracker: EventTracker,
    descendants: Descendants,
    /// The sockets that were there before the command was started.
    before: SocketSet,
    began: Instant,
    began_at: Timestamp,
    fingerprints: Vec<Fingerprint>,
    last: Snapshot,
    /// The number of passes since the last full scan.
    table_passes: u32,
    /// The number of all passes.
    passes: u32,
    /// When the table was last read.
    last_pass: Instant,
    record: CommandRecord,
}

impl CommandWatch {
    /// Reads the sockets that exist before the command starts. The filters of `query` select among those it opens.
    /// `coverage` is that of the events which will be added.
    ///
    /// # Errors
    /// As [`Query::scan`], or if this process cannot find its own descendants.
    pub(crate) fn new(query: Query, coverage: &EventCoverage) -> Result<CommandWatch, Error> {
        let descendants = Descendants::from_now_on().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "cannot find the descendants of the command by /proc")
        })?;
        let selection = query.selection().clone();
        let query = query.tree(descendants.root());
        let mut table = query.table()?;
        let before = SocketSet::from_rows(&table.rows);
        table.rows.clear();
        let last = query.scan_table(table)?;
        let record = CommandRecord {
            sockets: Vec::new(),
            running: None,
            elsewhere: Vec::new(),
            gaps: relevant_gaps(&last, false),
            failed: 0,
            longest_pause: Duration::ZERO,
            missable: missable(&selection, coverage),
            refused: Vec::new(),
            unassigned: Vec::new(),
        };
        let began = Instant::now();
        Ok(CommandWatch {
            query,
            selection,
            has_events: [Protocol::Tcp, Protocol::Udp].iter().any(|one| coverage.names_every_process(*one)),
            tracker: EventTracker::default(),
            descendants,
            before,
            began,
            began_at: Timestamp::now(),
            fingerprints: Vec::new(),
            last,
            table_passes: 0,
            passes: 0,
            last_pass: began,
            record,
        })
    }

    /// Sets the start of the command, from which times are counted.
    pub(crate) fn begin(&mut self) {
        (self.began, self.began_at) = (Instant::now(), Timestamp::now());
        self.last_pass = self.began;
    }

    /// Returns the snapshot of the last full scan. It has only sockets that the command opened.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.last
    }

    /// Returns the gaps found so far.
    pub(crate) fn gaps(&self) -> &[Gap] {
        &self.record.gaps
    }

    /// Notes the descendants, so that the events of those that end can be assigned.
    pub(crate) fn see_descendants(&mut self) {
        if self.has_events {
            // Their events then count as those of unknown processes.
            let _ = self.descendants.see();
        }
    }

    /// Takes the events of descendants. Returns whether there were any: then a pass is due.
    pub(crate) fn add_events(&mut self, mut batch: EventBatch) -> bool {
        let selection = &self.selection;
        let caller = |event: &SocketEvent| event.process.as_ref().map(|process| process.id);
        batch.events.retain(|event| event.process.is_some() && concerns(selection, event));
        let opening = batch.events.iter().filter(|event| event.kind.opens());
        let callers: BTreeSet<ProcessId> = opening.filter_map(caller).collect_set();
        self.descendants.assign(&callers);
        let own = |event: &SocketEvent| caller(event).and_then(|id| self.descendants.has(id));
        for event in batch.events.iter().filter(|event| event.kind.opens() && own(event).is_none()) {
            let unassigned = &mut self.record.unassigned;
            let is_new = |process: &&EventProcess| unassigned.iter().all(|known| known.id != process.id);
            let new = event.process.iter().find(is_new).cloned();
            unassigned.extend(new);
        }
        let is_due = batch.lost || batch.events.iter().any(|event| own(event) == Some(true));
        // Another process may close what a descendant opened and passed on.
        batch.events.retain(|event| !event.kind.opens() || own(event) == Some(true));
        self.tracker.add(batch, &self.selection);
        is_due
    }

    /// Makes a pass and returns what changed since the one before. A change that is not certain is one of a socket whose
    /// holders could not be seen.
    ///
    /// # Errors
    /// As [`Query::scan`]. A pass that fails changes nothing but the count of those that failed.
    pub(crate) fn poll(&mut self) -> Result<Found, Error> {
        let passed = self.pass();
        self.record.failed += u32::from(passed.is_err());
        passed
    }

    fn pass(&mut self) -> Result<Found, Error> {
        let mut table = self.query.table()?;
        let now = Instant::now();
        let pause = now.saturating_duration_since(self.last_pass);
        self.record.longest_pause = self.record.longest_pause.max(pause);
        self.last_pass = now;
        table.rows.retain(|row| !self.before.has(row));
        let listed = ListedSocket::of_rows(&table.rows);
        let selection = self.query.selection();
        let fingerprints = Fingerprint::from_table(&table, |socket| selection.concerns(socket));
        self.passes = self.passes.saturating_add(1);
        if fingerprints == self.fingerprints && self.table_passes + 1 < FULL_SCAN_EVERY {
            self.table_passes += 1;
            // Many commands end before the first full scan, and most that enter a namespace do so at once.
            if self.passes <= FULL_SCAN_EVERY {
                self.find_elsewhere();
            }
            return Ok(self.settle(&listed, Vec::new()));
        }
        self.find_elsewhere();
        let present = SocketSet::from_rows(&table.rows);
        let (mut snapshot, undecided) = self.query.scan_table_and_undecided(table)?;
        let of_before = |listener: &Listener| self.is_of_process_before(listener);
        snapshot.listeners.retain(|listener| !of_before(listener));
        let uncertain: Vec<Listener> =
            undecided.into_iter().filter(|listener| !self.is_known(listener)).collect();
        // A socket that a descendant opened stays one that it opened, whoever holds it now.
        for socket in self.record.sockets.iter().filter(|socket| socket.closed.is_none() && socket.certain) {
            let is_there = snapshot.listeners.iter().any(|other| is_same(other, &socket.listener));
            if !is_there && present.has_socket(&socket.listener.socket) {
                snapshot.listeners.push(socket.listener.clone());
            }
        }
        let hidden = !uncertain.is_empty() || snapshot.listeners.iter().any(|one| one.unseen.is_some());
        self.add_gaps(relevant_gaps(&snapshot, hidden));
        snapshot.listeners.extend(uncertain.iter().cloned());
        snapshot.sort();
        let mut found = changes(&self.last, &snapshot);
        for change in &mut found {
            change.certain =
                !change.listener().is_some_and(|one| uncertain.iter().any(|other| is_same(one, other)))
                    && (change.kind != ChangeKind::Closed || self.is_certain(change.listener()));
        }
        (self.fingerprints, self.table_passes, self.last) = (fingerprints, 0, snapshot);
        let found = self.settle(&listed, found);
        let at = now.saturating_duration_since(self.began);
        found.changes.iter().for_each(|change| self.note(change, at));
        // One that is still there and no longer in question turned out to be another program's.
        self.record.sockets.retain(|socket| {
            socket.certain || socket.closed != Some(at) || !present.has_socket(&socket.listener.socket)
        });
        Ok(found)
    }

    /// Compares the events with a pass, and notes what it did not see.
    fn settle(&mut self, listed: &[ListedSocket], mut changes: Vec<Change>) -> Found {
        let pass = Pass { listed, selection: &self.selection, last: &mut self.last };
        let (occurrences, gaps) = self.tracker.settle(pass, &mut changes);
        self.add_gaps(gaps);
        // Only calls of descendants are compared.
        for change in changes.iter_mut().filter(|change| change.kind == ChangeKind::Opened) {
            let unseen = change.after.iter().filter_map(|listener| listener.unseen.as_deref());
            let mut candidates = unseen.flat_map(|unseen| &unseen.candidates);
            change.certain |= candidates.any(|candidate| candidate.evidence == Evidence::Call);
        }
        for occurrence in &occurrences {
            match occurrence {
                Occurrence::Brief(brief) => {
                    let Some((at, lifetime)) = brief.opened else { continue };
                    let opened = Duration::try_from(at.duration_since(self.began_at)).unwrap_or_default();
                    let (listener, closed) = (brief.listener.clone(), Some(opened + lifetime));
                    self.record.sockets.push(OpenedSocket { listener, opened, closed, certain: true });
                }
                Occurrence::Refused(refusal) => self.record.refuse(refusal.clone()),
            }
        }
        Found { changes, occurrences }
    }

    /// Makes the last pass, which always scans processes, and returns its changes with the record. `running` is whether to
    /// list the descendants that still run.
    pub(crate) fn finish(mut self) -> (Result<Found, Error>, Snapshot, CommandRecord) {
        self.table_passes = FULL_SCAN_EVERY;
        let last = self.poll();
        self.record.running = self.descendants.running().ok();
        self.record.sockets.compact_sort_by_key(|socket| socket.opened);
        (last, self.last, self.record)
    }

    /// Returns whether all holders of a listener are this process, or processes that it had started before the command.
    fn is_of_process_before(&self, listener: &Listener) -> bool {
        let is_own = |id: ProcessId| id.pid == self.descendants.root();
        let was_there = |id| is_own(id) || self.descendants.was_there(id);
        !listener.holders.is_empty() && listener.holders.iter().all(|holder| was_there(holder.process.id))
    }

    /// Returns whether a descendant was seen to hold this socket before.
    fn is_known(&self, listener: &Listener) -> bool {
        self.is_certain(Some(listener))
    }

    fn is_certain(&self, listener: Option<&Listener>) -> bool {
        let open = self.record.sockets.iter().filter(|socket| socket.closed.is_none() && socket.certain);
        listener.is_some_and(|one| open.into_iter().any(|socket| is_same(&socket.listener, one)))
    }

    /// Adds a change to the record.
    fn note(&mut self, change: &Change, at: Duration) {
        let is_another = change.differs.contains(&Difference::Socket);
        let mut open = self.record.sockets.iter_mut().filter(|socket| socket.closed.is_none());
        if let Some(before) = &change.before
            && let Some(socket) = open.find(|socket| is_same(&socket.listener, before))
        {
            match &change.after {
                Some(after) if !is_another => {
                    (socket.listener, socket.certain) = (after.clone(), socket.certain || change.certain);
                    return;
                }
                _ => socket.closed = Some(at),
            }
        }
        if let Some(after) = &change.after {
            let (listener, certain) = (after.clone(), change.certain);
            self.record.sockets.push(OpenedSocket { listener, opened: at, closed: None, certain });
        }
    }

    fn add_gaps(&mut self, gaps: Vec<Gap>) {
        for gap in gaps {
            match self.record.gaps.iter_mut().find(|old| (&old.what, &old.reason) == (&gap.what, &gap.reason))
            {
                Some(old) if old.count < gap.count => *old = gap,
                Some(_) => {}
                None => self.record.gaps.push(gap),
            }
        }
    }

    /// Notes the descendants in other network namespaces, unless those are read too.
    fn find_elsewhere(&mut self) {
        if self.query.selection().namespaces {
            return;
        }
        let Some(own) = os::network_namespace(self.descendants.root()) else { return };
        for process in self.descendants.running().unwrap_or_default() {
            let is_elsewhere = os::network_namespace(process.id.pid).is_some_and(|other| other != own);
            let is_new = !self.record.elsewhere.iter().any(|known| known.id == process.id);
            if is_elsewhere && is_new {
                self.record.elsewhere.push(process);
            }
        }
    }
}

/// Returns what can open and close between two passes without being noticed.
fn missable(selection: &Selection, coverage: &EventCoverage) -> Vec<Missable> {
    let is_missed =
        |protocol: &Protocol| selection.wants(*protocol) && !coverage.names_every_process(*protocol);
    let protocols = [Protocol::Tcp, Protocol::Udp, Protocol::Unix].into_iter().filter(is_missed);
    let connections = selection.all.then_some(Missable::Connections);
    let namespaces = selection.namespaces.then_some(Missable::OtherNamespaces);
    protocols.map(Missable::Protocol).chain(namespaces).chain(connections).collect()
}

/// Returns the gaps of a snapshot that may hide a socket of the command. Those about descriptors and holders do only if
/// a holder was not seen.
fn relevant_gaps(snapshot: &Snapshot, holders_are_hidden: bool) -> Vec<Gap> {
    let is_about_holders =
        |gap: &Gap| matches!(gap.what, GapKind::Descriptors | GapKind::Holders | GapKind::Processes);
    snapshot.gaps.iter().filter(|gap| holders_are_hidden || !is_about_holders(gap)).cloned().collect()
}

/// Returns whether two listeners are the same socket.
fn is_same(a: &Listener, b: &Listener) -> bool {
    let (a, b) = (&a.socket, &b.socket);
    let address = |socket: &crate::model::Socket| {
        (socket.endpoint.clone(), socket.protocol, socket.peer, socket.namespace.clone())
    };
    match (a.inode, b.inode) {
        (Some(a), Some(b)) => a == b,
        _ => address(a) == address(b),
    }
}
