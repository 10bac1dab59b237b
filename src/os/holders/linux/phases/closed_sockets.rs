//! Sockets that were closed after the socket table was read: no process holds them any more.

use std::collections::{BTreeMap, BTreeSet};

use super::super::state::HolderSearchState;
use crate::model::{Error, Family, Protocol};
use crate::os::Row;
use crate::os::table_request::InetTable;

/// Reads the tables of the missing sockets again, and removes those from `missing` that are gone.
pub(in crate::os) fn search(state: &mut HolderSearchState<'_>) -> Result<(), Error> {
    let closed = closed(state.rows, &state.missing);
    state.missing.retain(|inode| closed.binary_search(inode).is_err());
    state.visibility.closed.extend(closed);
    state.visibility.closed.sort_unstable();
    Ok(())
}

/// Returns the missing sockets that the socket table does not list any more, ascending.
fn closed(rows: &[&Row], missing: &[u64]) -> Vec<u64> {
    let mut open: BTreeMap<(Protocol, Family, bool), Option<BTreeSet<u64>>> = BTreeMap::new();
    let mut closed = Vec::new();
    for row in rows {
        let Some(inode) = row.socket.inode.filter(|inode| missing.binary_search(inode).is_ok()) else {
            continue;
        };
        // The table of another namespace is not read again.
        if row.socket.namespace.is_some() {
            continue;
        }
        let table = InetTable { protocol: row.socket.protocol, family: row.socket.family() };
        let listener = row.socket.is_listener();
        let key = (table.protocol, table.family, listener);
        let listed = open.entry(key).or_insert_with(|| crate::os::table::sys::inodes(table, listener));
        if listed.as_ref().is_some_and(|listed| !listed.contains(&inode)) {
            closed.push(inode);
        }
    }
    closed.sort_unstable();
    closed
}

#[cfg(test)]
mod tests {
    use super::super::super::state::test_rows::{listener, row};
    use super::*;
    use crate::os::HolderSearch;

    #[test]
    fn a_socket_that_is_in_no_table_is_closed_and_an_open_one_remains_missing() {
        let (_listener, open) = listener();
        let gone = row(1, u64::MAX);
        let mut other = row(2, u64::MAX - 1);
        other.socket.namespace = Some("other".into());
        let rows = [&gone, &open, &other];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        search(&mut state).unwrap();
        assert_eq!(state.visibility.closed, [u64::MAX]);
        assert!(state.is_missing(&open) && state.is_missing(&other) && !state.is_missing(&gone));
    }

    #[test]
    fn nothing_is_closed_when_nothing_is_missing() {
        let gone = row(1, u64::MAX);
        let rows = [&gone];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        state.missing.clear();
        search(&mut state).unwrap();
        assert!(state.visibility.closed.is_empty());
    }
}
