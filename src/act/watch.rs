//! Looks one after another at what changes, cheap enough to be left running: as long as the socket table is as it was,
//! processes are looked at now and then alone.

use crate::compare::{Change, changes};
use crate::model::{Error, Snapshot};
use crate::os::Fingerprint;
use crate::scan::Query;

/// At every so many-th look processes are looked at, whatever the table says: a socket may change hands and stay.
const WHOLE: u32 = 10;

/// A question that is asked again and again.
#[derive(Debug)]
pub(crate) struct Watch {
    query: Query,
    marks: Vec<Fingerprint>,
    /// Whether the table was, of which those are.
    complete: bool,
    last: Option<Snapshot>,
    /// How many looks were at the table alone since the last whole one.
    short: u32,
}

impl Watch {
    pub(crate) fn new(query: Query) -> Watch {
        Watch { query, marks: Vec::new(), complete: false, last: None, short: 0 }
    }

    /// What was there at the last whole look.
    pub(crate) fn last(&self) -> Option<&Snapshot> {
        self.last.as_ref()
    }

    /// Looks, and gives what has changed since the look before; nothing the first time. One that fails changes nothing.
    pub(crate) fn scan(&mut self) -> Result<Vec<Change>, Error> {
        let table = self.query.table()?;
        let marks = Fingerprint::of_all(&table, |socket| self.query.selection().concerns(socket));
        let complete = table.complete;
        if self.last.is_some() && marks == self.marks && complete == self.complete && self.short + 1 < WHOLE {
            self.short += 1;
            return Ok(Vec::new());
        }
        let snapshot = self.query.scan_table(table)?;
        let changes = self.last.as_ref().map(|last| changes(last, &snapshot)).unwrap_or_default();
        (self.marks, self.complete, self.short) = (marks, complete, 0);
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
    fn processes_are_looked_at_where_the_table_changed_and_at_every_tenth_look() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut watch = Watch::new(Query::new().target(address.to_string().parse().unwrap()));
        assert_eq!(watch.scan().unwrap(), []);
        assert_eq!(watch.last().map(|last| last.listeners.len()), Some(1));
        let mut whole = 0;
        for _ in 0..20 {
            assert_eq!(watch.scan().unwrap(), []);
            whole += u32::from(watch.short == 0);
        }
        assert_eq!(whole, 2);
        drop(listener);
        let kinds = |watch: &mut Watch| -> Vec<ChangeKind> {
            watch.scan().unwrap().iter().map(|change| change.kind).collect()
        };
        assert_eq!(kinds(&mut watch), [ChangeKind::Closed]);
        let _again = TcpListener::bind(address).unwrap();
        assert_eq!(kinds(&mut watch), [ChangeKind::Opened]);
        assert_eq!(watch.short, 0);
    }
}
