//! What a command and its descendants open while it runs: passes over the sockets that were not there before, the
//! changes between two passes, and the record of them all. It neither starts nor ends the command.

use std::time::{Duration, Instant};

use crate::compare::{Change, ChangeKind, Difference, changes};
use crate::model::process_table::ProcessEntry;
use crate::model::{Error, ErrorKind, Gap, GapKind, Listener, Snapshot};
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
    /// The time from the start of the command to the pass that first saw it.
    pub(crate) opened: Duration,
    /// The time from the start of the command to the pass that no longer saw it. `None` if it is still open.
    pub(crate) closed: Option<Duration>,
    /// Whether a descendant was seen to hold it. If not, its holders could not be seen, and a descendant may be one.
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
    /// The longest time between two passes: what is open for a shorter time can be missed.
    pub(crate) longest_pause: Duration,
}

impl CommandRecord {
    /// Returns the number of sockets that are still open.
    pub(crate) fn still_open(&self) -> usize {
        self.sockets.iter().filter(|socket| socket.closed.is_none()).count()
    }
}

/// The passes while a command runs.
#[derive(Debug)]
pub(crate) struct CommandWatch {
    query: Query,
    descendants: Descendants,
    /// The sockets that were there before the command was started.
    before: SocketSet,
    began: Instant,
    fingerprints: Vec<Fingerprint>,
    last: Snapshot,
    /// The number of passes since the last full scan.
    table_passes: u32,
    /// When the table was last read.
    last_pass: Instant,
    record: CommandRecord,
}

impl CommandWatch {
    /// Reads what is there before the command is started. The filters of `query` apply to what the command opens.
    ///
    /// # Errors
    /// As [`Query::scan`], or if this process cannot find its own descendants.
    pub(crate) fn new(query: Query) -> Result<CommandWatch, Error> {
        let descendants = Descendants::from_now_on().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "cannot find the descendants of the command by /proc")
        })?;
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
        };
        let began = Instant::now();
        Ok(CommandWatch {
            query,
            descendants,
            before,
            began,
            fingerprints: Vec::new(),
            last,
            table_passes: 0,
            last_pass: began,
            record,
        })
    }

    /// Sets the start of the command, from which times are counted.
    pub(crate) fn begin(&mut self) {
        self.began = Instant::now();
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

    /// Makes a pass and returns what changed since the one before. A change that is not certain is one of a socket whose
    /// holders could not be seen.
    ///
    /// # Errors
    /// As [`Query::scan`]. A pass that fails changes nothing but the count of those that failed.
    pub(crate) fn poll(&mut self) -> Result<Vec<Change>, Error> {
        let passed = self.pass();
        self.record.failed += u32::from(passed.is_err());
        passed
    }

    fn pass(&mut self) -> Result<Vec<Change>, Error> {
        let mut table = self.query.table()?;
        let now = Instant::now();
        let pause = now.saturating_duration_since(self.last_pass);
        self.record.longest_pause = self.record.longest_pause.max(pause);
        self.last_pass = now;
        table.rows.retain(|row| !self.before.has(row));
        let selection = self.query.selection();
        let fingerprints = Fingerprint::from_table(&table, |socket| selection.concerns(socket));
        if fingerprints == self.fingerprints && self.table_passes + 1 < FULL_SCAN_EVERY {
            self.table_passes += 1;
            return Ok(Vec::new());
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
        let at = now.saturating_duration_since(self.began);
        found.iter().for_each(|change| self.note(change, at));
        // One that is still there and no longer in question turned out to be another program's.
        self.record.sockets.retain(|socket| {
            socket.certain || socket.closed != Some(at) || !present.has_socket(&socket.listener.socket)
        });
        (self.fingerprints, self.table_passes, self.last) = (fingerprints, 0, snapshot);
        Ok(found)
    }

    /// Makes the last pass, which always scans processes, and returns its changes with the record. `running` is whether to
    /// list the descendants that still run.
    pub(crate) fn finish(mut self) -> (Result<Vec<Change>, Error>, Snapshot, CommandRecord) {
        self.table_passes = FULL_SCAN_EVERY;
        let last = self.poll();
        self.record.running = self.descendants.running().ok();
        (last, self.last, self.record)
    }

    /// Returns whether all holders of a listener are processes that this process had started before the command.
    fn is_of_process_before(&self, listener: &Listener) -> bool {
        let was_there = |pid| self.descendants.was_there(pid);
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
