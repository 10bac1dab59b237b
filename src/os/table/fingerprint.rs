//! Fingerprints of the socket table, used to detect changes without scanning processes.

use super::sys;
use crate::model::Socket;
use crate::os::{Row, SocketTable};

/// The part of a row that stays the same as long as the socket has the same state and holders: all but its queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    socket: Socket,
    /// What the socket table itself reports about holders.
    holder_data: Vec<u64>,
}

impl Fingerprint {
    fn new(row: &Row) -> Fingerprint {
        let socket = Socket { queue: None, ..row.socket.clone() };
        Fingerprint { socket, holder_data: sys::holder_data(row) }
    }

    /// Returns the fingerprints of the rows whose sockets `keep` accepts, sorted, because the kernel's order differs between
    /// reads.
    pub(crate) fn from_table(table: &SocketTable, keep: impl Fn(&Socket) -> bool) -> Vec<Fingerprint> {
        let rows = table.rows.iter().filter(|row| keep(&row.socket));
        let mut fingerprints: Vec<Fingerprint> = rows.map(Fingerprint::new).collect();
        fingerprints.sort_by(|a, b| {
            let by_inode = || a.socket.inode.cmp(&b.socket.inode);
            let by_data = || a.holder_data.cmp(&b.holder_data);
            a.socket.order(&b.socket).then_with(by_inode).then_with(by_data)
        });
        fingerprints
    }
}
