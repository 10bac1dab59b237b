//! Repeats a scan and reports what changed. A pass reads the socket table; it scans processes only if the table
//! changed, and on every tenth pass.

use crate::compare::{Change, changes};
use crate::model::{Error, Snapshot};
use crate::os::Fingerprint;
use crate::scan::Query;

/// Every this many passes processes are scanned even if the table did not change: another process may hold a socket by
/// then.
const FULL_SCAN_EVERY: u32 = 10;

/// A query that is repeated.
#[derive(Debug)]
pub(crate) struct Watch {
    query: Query,
    fingerprints: Vec<Fingerprint>,
    /// Whether the table of these fingerprints was complete.
    complete: bool,
    last: Option<Snapshot>,
    /// The number of passes since the last full scan.
    table_passes: u32,
}

impl Watch {
    pub(crate) fn new(query: Query) -> Watch {
        Watch { query, fingerprints: Vec::new(), complete: false, last: None, table_passes: 0 }
    }

    /// Returns the snapshot of the last full scan.
    pub(crate) fn last(&self) -> Option<&Snapshot> {
        self.last.as_ref()
    }

    /// Makes a pass and returns the changes since the one before. The first pass returns none. After a pass that
    /// failed, the next one is compared with the last that succeeded.
    pub(crate) fn scan(&mut self) -> Result<Vec<Change>, Error> {
        let table = self.query.table()?;
        let fingerprints = Fingerprint::of_all(&table, |socket| self.query.selection().concerns(socket));
        let complete = table.complete;
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
    use std::net::TcpListener;

    #[test]
    fn processes_are_scanned_if_the_table_changed_and_on_every_tenth_pass() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut watch = Watch::new(Query::new().target(address.to_string().parse().unwrap()));
        assert_eq!(watch.scan().unwrap(), []);
        assert_eq!(watch.last().map(|last| last.listeners.len()), Some(1));
        let mut full = 0;
        for _ in 0..20 {
            assert_eq!(watch.scan().unwrap(), []);
            full += u32::from(watch.table_passes == 0);
        }
        assert_eq!(full, 2);
        drop(listener);
        let kinds = |watch: &mut Watch| -> Vec<ChangeKind> {
            watch.scan().unwrap().iter().map(|change| change.kind).collect()
        };
        assert_eq!(kinds(&mut watch), [ChangeKind::Closed]);
        let _again = TcpListener::bind(address).unwrap();
        assert_eq!(kinds(&mut watch), [ChangeKind::Opened]);
        assert_eq!(watch.table_passes, 0);
    }
}
