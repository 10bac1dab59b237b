//! Repeats a scan and reports what changed. A pass reads the socket table; it scans processes only if the table
//! changed, and on every tenth pass.

#[cfg(feature = "cli")]
pub(crate) mod occurrence;
#[cfg(feature = "cli")]
pub(crate) mod tracker;

use crate::compare::{Change, changes};
use crate::model::{Error, Snapshot};
use crate::os::Fingerprint;
use crate::scan::Query;

/// Every this many passes processes are scanned even if the table did not change: another process may hold a socket by
/// then.
const FULL_SCAN_EVERY: u32 = 10;

/// Returns a [`Watch`] of what `query` selects. Nothing is read before the first [`Watch::poll`].
pub fn watch(query: Query) -> Watch {
    Watch::new(query)
}

/// A query that is repeated, and what changes between two passes.
///
/// A pass reads the socket table. Processes are scanned only if the table changed, and on every tenth pass. What opens
/// and closes between two passes is not seen. The caller decides when to poll: once a second is cheap.
///
/// ```
/// use allears::{ChangeKind, Query};
///
/// let mut watch = allears::watch(Query::new());
/// watch.poll()?;
/// let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
/// let own = std::process::id();
/// let changes = watch.poll()?;
/// assert!(changes.iter().any(|change| change.kind == ChangeKind::Opened
///     && change.after.iter().flat_map(|it| &it.holders).any(|holder| holder.process.id.pid == own)));
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug)]
pub struct Watch {
    query: Query,
    fingerprints: Vec<Fingerprint>,
    /// Whether the table of these fingerprints was complete.
    complete: bool,
    last: Option<Snapshot>,
    /// The number of passes since the last full scan.
    table_passes: u32,
    /// The sockets of the last pass.
    #[cfg(feature = "cli")]
    listed: Vec<tracker::ListedSocket>,
}

impl Watch {
    /// Returns a watch of what `query` selects.
    pub fn new(query: Query) -> Watch {
        Watch {
            query,
            fingerprints: Vec::new(),
            complete: false,
            last: None,
            table_passes: 0,
            #[cfg(feature = "cli")]
            listed: Vec::new(),
        }
    }

    /// Returns the snapshot of the last full scan.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.last.as_ref()
    }

    /// Returns the last pass, to compare events with it and add facts to its snapshot.
    #[cfg(feature = "cli")]
    pub(crate) fn last_pass(&mut self) -> Option<tracker::Pass<'_>> {
        let Watch { listed, query, last, .. } = self;
        Some(tracker::Pass { listed, selection: query.selection(), last: last.as_mut()? })
    }

    /// Returns the query.
    #[cfg(feature = "cli")]
    pub(crate) fn query(&self) -> &Query {
        &self.query
    }

    /// Sets the query. The next pass is a full scan, and reports what changed among the listeners that both queries
    /// select.
    #[cfg(feature = "cli")]
    pub(crate) fn set_query(&mut self, query: Query) {
        (self.query, self.table_passes) = (query, FULL_SCAN_EVERY);
    }

    /// Returns whether the last pass was a full scan.
    #[cfg(feature = "cli")]
    pub(crate) fn is_fresh(&self) -> bool {
        self.table_passes == 0
    }

    /// Makes a pass and returns what changed since the one before. The first pass returns nothing.
    ///
    /// # Errors
    /// As [`Query::scan`]. A pass that fails changes nothing: the next one is compared with the last that succeeded.
    pub fn poll(&mut self) -> Result<Vec<Change>, Error> {
        let table = self.query.table()?;
        let fingerprints = Fingerprint::from_table(&table, |socket| self.query.selection().concerns(socket));
        let complete = table.complete;
        #[cfg(feature = "cli")]
        {
            self.listed = tracker::ListedSocket::of_rows(&table.rows);
        }
        if self.last.is_some()
            && fingerprints == self.fingerprints
            && complete == self.complete
            && self.table_passes + 1 < FULL_SCAN_EVERY
        {
            self.table_passes += 1;
            return Ok(Vec::new());
        }
        let snapshot = self.query.scan_table(table)?;
        let changes = self.last.as_ref().map(|last| changes(last, &snapshot)).unwrap_or_default();
        (self.fingerprints, self.complete, self.table_passes) = (fingerprints, complete, 0);
        self.last = Some(snapshot);
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::ChangeKind;
    use crate::os::test_support::eventually;
    use std::net::TcpListener;

    #[test]
    fn processes_are_scanned_if_the_table_changed_and_on_every_tenth_pass() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut watch = Watch::new(Query::new().target(address.to_string().parse().unwrap()));
        assert_eq!(watch.poll().unwrap(), []);
        assert_eq!(watch.snapshot().map(|last| last.listeners.len()), Some(1));
        let mut full = 0;
        for _ in 0..20 {
            assert_eq!(watch.poll().unwrap(), []);
            full += u32::from(watch.table_passes == 0);
        }
        assert_eq!(full, 2);
        drop(listener);
        assert!(eventually(|| std::net::TcpStream::connect(address).is_err()));
        let kinds = |watch: &mut Watch| -> Vec<ChangeKind> {
            watch.poll().unwrap().iter().map(|change| change.kind).collect()
        };
        assert_eq!(kinds(&mut watch), [ChangeKind::Closed]);
        let _again = TcpListener::bind(address).unwrap();
        assert_eq!(kinds(&mut watch), [ChangeKind::Opened]);
        assert_eq!(watch.table_passes, 0);
    }
}
