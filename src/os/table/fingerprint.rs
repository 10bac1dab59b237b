//! By what one knows that a socket table is as it was, without a look at any process.

use crate::model::Socket;
use crate::os::{Row, SocketTable};

/// What of a row stays as long as the socket is the same in the same state: all but its queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    socket: Socket,
    /// What else the system's own table tells of who has it.
    told: Vec<u64>,
}

impl Fingerprint {
    fn of(row: &Row) -> Fingerprint {
        Fingerprint { socket: Socket { queue: None, ..row.socket.clone() }, told: told(row) }
    }

    /// Returns the fingerprints of the rows whose sockets `keep` accepts, sorted: the kernel's order changes from read to
    /// read.
    pub(crate) fn of_all(table: &SocketTable, keep: impl Fn(&Socket) -> bool) -> Vec<Fingerprint> {
        let rows = table.rows.iter().filter(|row| keep(&row.socket));
        let mut marks: Vec<Fingerprint> = rows.map(Fingerprint::of).collect();
        marks.sort_by(|a, b| {
            let by_inode = || a.socket.inode.cmp(&b.socket.inode);
            a.socket.order(&b.socket).then_with(by_inode).then_with(|| a.told.cmp(&b.told))
        });
        marks
    }
}

#[cfg(target_os = "linux")]
fn told(row: &Row) -> Vec<u64> {
    row.cgroup.into_iter().chain(row.pids.iter().map(|pid| u64::from(*pid))).collect()
}

#[cfg(target_os = "macos")]
fn told(row: &Row) -> Vec<u64> {
    vec![row.told.generation()]
}

#[cfg(windows)]
fn told(row: &Row) -> Vec<u64> {
    let opened = row.opened.values().copied();
    row.pids.iter().map(|pid| u64::from(*pid)).chain(opened).collect()
}
