//! What fuzz targets may call. It parses bytes on any system and calls no kernel.

use super::{PcbEntry, netstat, pcblist, socket_fdinfo};
use crate::model::{Protocol, Socket};

/// A socket as the kernel of macOS reports it.
#[derive(Debug)]
pub struct KernelSocket {
    /// The socket.
    pub socket: Socket,
    /// The index of the interface in its address.
    pub scope: Option<u32>,
    /// The number of its control block.
    pub generation: u64,
    /// Whether the socket still exists.
    pub open: bool,
    /// The processes that used it last.
    pub last_users: Option<[u32; 2]>,
}

impl From<PcbEntry> for KernelSocket {
    fn from(entry: PcbEntry) -> KernelSocket {
        let PcbEntry { socket, scope, generation, open, last_users } = entry;
        KernelSocket { socket, scope, generation, open, last_users }
    }
}

/// Returns the sockets of `net.inet.tcp.pcblist_n` and the like, how many could not be read, and whether the list was
/// whole.
pub fn pcblist(bytes: &[u8], protocol: Protocol) -> Option<(Vec<KernelSocket>, usize, bool)> {
    let list = pcblist::parse(bytes, protocol)?;
    Some((list.entries.into_iter().map(KernelSocket::from).collect(), list.unread, list.settled))
}

/// Returns the sockets that `netstat -anv` prints, each with its pid, and how many rows could not be read.
pub fn netstat(text: &[u8]) -> (Vec<(Socket, Option<u32>)>, usize) {
    let printed = netstat::parse(text);
    (printed.rows.into_iter().map(|row| (row.socket, row.pid)).collect(), printed.unread)
}

/// Returns the socket of one descriptor.
pub fn socket_fdinfo(bytes: &[u8]) -> Option<KernelSocket> {
    socket_fdinfo::parse(bytes).map(KernelSocket::from)
}
