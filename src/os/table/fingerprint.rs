//! Fingerprints of the socket table, used to detect changes without scanning processes.

#[cfg(feature = "cli")]
use std::collections::HashSet;

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

/// The sockets of a table, to find them again in a later one.
#[cfg(feature = "cli")]
#[derive(Debug, Default)]
pub(crate) struct SocketSet {
    /// Those that the system numbers for as long as they exist.
    inodes: HashSet<u64>,
    others: Vec<Fingerprint>,
}

#[cfg(feature = "cli")]
impl SocketSet {
    /// Returns the sockets of these rows.
    pub(crate) fn from_rows(rows: &[Row]) -> SocketSet {
        let is_numbered = |row: &&Row| row.socket.inode.is_some();
        SocketSet {
            inodes: rows.iter().filter_map(|row| row.socket.inode).collect(),
            others: rows.iter().filter(|row| !is_numbered(row)).map(Fingerprint::new).collect(),
        }
    }

    /// Returns whether it has the socket of a row. Without a number it is a socket with equal properties.
    pub(crate) fn has(&self, row: &Row) -> bool {
        match row.socket.inode {
            Some(inode) => self.inodes.contains(&inode),
            None => self.others.contains(&Fingerprint::new(row)),
        }
    }

    /// Returns whether it has a socket that an earlier table had too.
    pub(crate) fn has_socket(&self, socket: &Socket) -> bool {
        let is_same = |other: &Socket| {
            (&other.endpoint, other.protocol, other.peer, &other.namespace)
                == (&socket.endpoint, socket.protocol, socket.peer, &socket.namespace)
        };
        match socket.inode {
            Some(inode) => self.inodes.contains(&inode),
            None => self.others.iter().any(|other| is_same(&other.socket)),
        }
    }
}
