//! Unix sockets by `NETLINK_SOCK_DIAG` (sock_diag(7), linux/unix_diag.h).

use std::collections::BTreeMap;

use super::netlink::NetlinkError;
use super::skipped::{FEW_READINGS, with_skipped};
use super::sock_diag;
use crate::model::compact::CompactCollect as _;
pub(in crate::os) use crate::os::parse::linux::unix_diag::UnixDiagEntry;
use crate::os::parse::linux::unix_diag::{
    AF_UNIX, LISTEN, SHOW_ICONS, SHOW_NAME, SHOW_PEER, SHOW_RQLEN, SHOW_UID, SHOW_VFS, parse,
};

/// Returns the listening Unix sockets, or all of them.
pub(in crate::os) fn sockets(all: bool) -> Result<Vec<UnixDiagEntry>, NetlinkError> {
    dump_entries(
        if all { u32::MAX } else { 1 << LISTEN },
        SHOW_NAME | SHOW_VFS | SHOW_RQLEN | SHOW_UID,
        |_| true,
        FEW_READINGS,
    )
}

/// Returns the inode numbers of the Unix sockets with unread messages. One of them may be missing while others are closed.
pub(in crate::os) fn pending() -> Result<Vec<u64>, NetlinkError> {
    // A server has tens of thousands of Unix sockets, and unread messages in hardly any of them.
    let waits = |entry: &UnixDiagEntry| entry.queue.is_some_and(|queue| queue.waiting > 0);
    Ok(dump_entries(u32::MAX, SHOW_RQLEN, waits, 1)?.into_iter().map(|entry| entry.inode).collect())
}

/// Returns the possible senders of the messages in each of these sockets (inodes, ascending).
pub(in crate::os) fn senders(receivers: &[u64]) -> Result<Vec<(u64, Sender)>, NetlinkError> {
    let entries = dump_entries(u32::MAX, SHOW_PEER | SHOW_ICONS | SHOW_UID, |_| true, 1)?;
    let uids: BTreeMap<u64, u32> =
        entries.iter().filter_map(|entry| Some((entry.inode, entry.uid?))).collect_map();
    let sender = |entry: &UnixDiagEntry| {
        let uid = |inode: &u64| uids.get(inode).copied();
        let uids = entry.uid.into_iter().chain(entry.peers.iter().filter_map(uid)).collect();
        (entry.inode, Sender { uids, sockets: entry.peers.clone() })
    };
    let wanted = |entry: &&UnixDiagEntry| receivers.binary_search(&entry.inode).is_ok();
    Ok(entries.iter().filter(wanted).map(sender).collect())
}

/// The possible senders of the messages in a socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::os) struct Sender {
    /// The users who opened the sockets at both ends.
    pub(in crate::os) uids: Vec<u32>,
    /// The sockets at the other end.
    pub(in crate::os) sockets: Vec<u64>,
}

/// Returns the Unix sockets in these states that `keep` accepts, each once, with what `show` requests.
fn dump_entries(
    states: u32,
    show: u32,
    keep: impl Fn(&UnixDiagEntry) -> bool,
    readings: usize,
) -> Result<Vec<UnixDiagEntry>, NetlinkError> {
    let mut request = vec![AF_UNIX, 0, 0, 0];
    request.extend(states.to_ne_bytes());
    request.extend(0_u32.to_ne_bytes());
    request.extend(show.to_ne_bytes());
    request.extend([0xff; 8]);
    let mut connection = sock_diag::connection();
    let mut dump = || {
        let fault = "a Unix socket that cannot be read";
        let entries = sock_diag::sockets(&mut connection, &request, parse, &keep, fault)?;
        Ok::<_, NetlinkError>((entries, connection.was_paged()))
    };
    let (mut entries, was_paged) = dump()?;
    if was_paged && readings > 1 {
        let again = || Ok::<_, NetlinkError>(dump()?.0);
        entries = with_skipped(entries, readings, again, |_| true, |entry| entry.cookie)?;
    }
    entries.sort_by_key(|entry| entry.cookie);
    entries.dedup_by_key(|entry| entry.cookie);
    Ok(entries)
}
