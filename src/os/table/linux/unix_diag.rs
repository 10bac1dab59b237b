//! Unix sockets by `NETLINK_SOCK_DIAG` (sock_diag(7), linux/unix_diag.h), or from /proc/net/unix where that is
//! refused.

use std::collections::{BTreeMap, HashSet};

use rustix::net::netlink::SOCK_DIAG;

use super::netlink::{Fault, attributes, dump, u32_at, u64_at};
use super::unix_files::SocketFile;
use crate::model::{Queue, State, Text};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const AF_UNIX: u8 = 1;
const SHOW_NAME: u32 = 0x01;
const SHOW_VFS: u32 = 0x02;
const SHOW_PEER: u32 = 0x04;
const SHOW_ICONS: u32 = 0x08;
const SHOW_RQLEN: u32 = 0x10;
const SHOW_UID: u32 = 0x40;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_VFS: u16 = 1;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_ICONS: u16 = 3;
const UNIX_DIAG_RQLEN: u16 = 4;
const UNIX_DIAG_UID: u16 = 7;

const LISTEN: u8 = 10;
/// The length of `struct unix_diag_msg`.
const MESSAGE: usize = 16;

/// A Unix socket as the kernel tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Entry {
    /// Its path, or `@` and its abstract name.
    pub(in crate::os) path: Option<Text>,
    pub(in crate::os) state: State,
    pub(in crate::os) inode: u64,
    pub(in crate::os) cookie: u64,
    /// Listeners: connections that wait, and how many may. Others: bytes that wait.
    pub(in crate::os) queue: Option<Queue>,
    pub(in crate::os) uid: Option<u32>,
    /// The file it is bound to.
    pub(in crate::os) file: Option<SocketFile>,
    /// The sockets at the other end, by inode: that of a connection, and those of connections that a listener has not
    /// accepted. Asked for only by [`senders`].
    pub(in crate::os) peers: Vec<u64>,
}

/// Listening Unix sockets, or all of them.
pub(in crate::os) fn sockets(all: bool) -> Result<Vec<Entry>, Fault> {
    dump_entries(
        if all { u32::MAX } else { 1 << LISTEN },
        SHOW_NAME | SHOW_VFS | SHOW_RQLEN | SHOW_UID,
        |_| true,
    )
}

/// The inode numbers of Unix sockets in which something waits to be received.
pub(in crate::os) fn pending() -> Result<Vec<u64>, Fault> {
    // A server has tens of thousands of Unix sockets; hardly ever does something wait in one.
    let waits = |entry: &Entry| entry.queue.is_some_and(|queue| queue.waiting > 0);
    Ok(dump_entries(u32::MAX, SHOW_RQLEN, waits)?.into_iter().map(|entry| entry.inode).collect())
}

/// For each of these sockets (ascending): the users of the socket and of those at its other end, and the latter's inodes.
pub(in crate::os) fn senders(receivers: &[u64]) -> Result<Vec<(u64, Sender)>, Fault> {
    let entries = dump_entries(u32::MAX, SHOW_PEER | SHOW_ICONS | SHOW_UID, |_| true)?;
    let uids: BTreeMap<u64, u32> =
        entries.iter().filter_map(|entry| Some((entry.inode, entry.uid?))).collect();
    let sender = |entry: &Entry| {
        let uid = |inode: &u64| uids.get(inode).copied();
        let uids = entry.uid.into_iter().chain(entry.peers.iter().filter_map(uid)).collect();
        (entry.inode, Sender { uids, sockets: entry.peers.clone() })
    };
    let wanted = |entry: &&Entry| receivers.binary_search(&entry.inode).is_ok();
    Ok(entries.iter().filter(wanted).map(sender).collect())
}

/// Who may have sent what waits in a socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::os) struct Sender {
    /// The users who opened the sockets at both ends.
    pub(in crate::os) uids: Vec<u32>,
    /// The sockets at the other end.
    pub(in crate::os) sockets: Vec<u64>,
}

fn dump_entries(states: u32, show: u32, keep: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>, Fault> {
    let mut request = vec![AF_UNIX, 0, 0, 0];
    request.extend(states.to_ne_bytes());
    request.extend(0_u32.to_ne_bytes());
    request.extend(show.to_ne_bytes());
    request.extend([0xff; 8]);
    let entries = std::cell::RefCell::new(Vec::new());
    let mut torn = false;
    dump(
        Some(SOCK_DIAG),
        SOCK_DIAG_BY_FAMILY,
        &request,
        SOCK_DIAG_BY_FAMILY,
        &mut |message| match parse(message) {
            Some(entry) if keep(&entry) => entries.borrow_mut().push(entry),
            Some(_) => {}
            None => torn = true,
        },
        &mut || entries.borrow_mut().clear(),
    )?;
    if torn {
        return Err(Fault::Malformed("a Unix socket that cannot be read"));
    }
    let mut entries = entries.into_inner();
    entries.sort_by_key(|entry| entry.cookie);
    entries.dedup_by_key(|entry| entry.cookie);
    Ok(entries)
}

/// `struct unix_diag_msg` and what follows it.
pub(in crate::os) fn parse(message: &[u8]) -> Option<Entry> {
    if *message.first()? != AF_UNIX {
        return None;
    }
    let state = *message.get(2)?;
    let mut entry = Entry {
        path: None,
        state: state_of(state),
        inode: u64::from(u32_at(message, 4)?),
        cookie: u64_at(message, 8)?,
        queue: None,
        uid: None,
        file: None,
        peers: Vec::new(),
    };
    attributes(message.get(MESSAGE..)?, |kind, value| match kind {
        UNIX_DIAG_NAME => entry.path = name(value),
        UNIX_DIAG_RQLEN => {
            entry.queue = u32_at(value, 0)
                .map(|waiting| Queue { waiting, limit: u32_at(value, 4).filter(|_| state == LISTEN) });
        }
        // The inode number first, in 32 bits; then the device as the kernel itself writes it.
        UNIX_DIAG_VFS => {
            let parts = u32_at(value, 0).zip(u32_at(value, 4));
            entry.file = parts.map(|(inode, device)| SocketFile { device, inode });
        }
        UNIX_DIAG_PEER | UNIX_DIAG_ICONS => {
            let peers = value.chunks_exact(4).filter_map(|inode| u32_at(inode, 0)).map(u64::from);
            entry.peers.extend(peers.filter(|inode| *inode != 0));
        }
        UNIX_DIAG_UID => entry.uid = u32_at(value, 0),
        _ => {}
    });
    Some(entry)
}

/// A path may end in NUL; an abstract name begins with it.
fn name(bytes: &[u8]) -> Option<Text> {
    match bytes {
        [] => None,
        [0, rest @ ..] => Some([b"@", rest].concat().into()),
        path => Some(path.split(|byte| *byte == 0).next().unwrap_or_default().into()),
    }
}

fn state_of(state: u8) -> State {
    match state {
        1 => State::Established,
        // A datagram socket, or one that is not connected.
        7 => State::Bound,
        LISTEN => State::Listen,
        _ => State::Unknown,
    }
}

/// The lines of /proc/net/unix: no queue, no user.
pub(in crate::os) fn parse_proc(bytes: &[u8]) -> Vec<Entry> {
    const ACCEPTS_CONNECTIONS: u32 = 0x1_0000;
    let line = |line: &[u8]| {
        // Num RefCount Protocol Flags Type St Inode Path; the path may hold anything, spaces too.
        let mut rest = line;
        let mut field = || {
            rest = rest.trim_ascii_start();
            let (field, after) =
                rest.split_at(rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len()));
            rest = after;
            std::str::from_utf8(field).ok()
        };
        let hexadecimal = |field: Option<&str>| u32::from_str_radix(field?, 16).ok();
        let _ = (field()?, field()?, field()?);
        let flags = hexadecimal(field())?;
        let _ = field()?;
        let socket_state = hexadecimal(field())?;
        let inode: u64 = field()?.parse().ok()?;
        let path = rest.strip_prefix(b" ").filter(|path| !path.is_empty());
        Some(Entry {
            path: path.map(Text::from),
            state: match (flags & ACCEPTS_CONNECTIONS != 0, socket_state) {
                (true, _) => State::Listen,
                // SS_CONNECTED of linux/net.h.
                (false, 3) => State::Established,
                _ => State::Bound,
            },
            inode,
            cookie: inode,
            queue: None,
            uid: None,
            file: None,
            peers: Vec::new(),
        })
    };
    // A socket may stand on two of the pages that the kernel writes.
    let mut known = HashSet::new();
    let lines = bytes.split(|byte| *byte == b'\n').skip(1).filter_map(line);
    lines.filter(|entry| known.insert(entry.inode)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_both_kinds() {
        assert_eq!(name(b"/run/x.sock\0"), Some("/run/x.sock".into()));
        assert_eq!(name(b"\0abstract\0x"), Some(Text::from(&b"@abstract\0x"[..])));
        assert_eq!(name(b""), None);
    }

    #[test]
    fn a_listener() {
        let mut message = vec![AF_UNIX, 1, LISTEN, 0];
        message.extend(99_u32.to_ne_bytes());
        message.extend(7_u64.to_ne_bytes());
        message.extend([12, 0, 4, 0, 2, 0, 0, 0, 128, 0, 0, 0]);
        message.extend([7, 0, 0, 0, b'/', b'x', 0, 0]);
        message.extend([12, 0, 1, 0]);
        message.extend(4711_u32.to_ne_bytes());
        message.extend(0x0fe0_0001_u32.to_ne_bytes());
        let entry = parse(&message).unwrap();
        assert_eq!((entry.inode, entry.state), (99, State::Listen));
        assert_eq!(entry.path, Some("/x".into()));
        assert_eq!(entry.file, Some(SocketFile { device: 0x0fe0_0001, inode: 4711 }));
        assert_eq!(entry.queue, Some(Queue { waiting: 2, limit: Some(128) }));
    }

    #[test]
    fn lines_of_proc_net_unix() {
        let table = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01  4711 /run/a b.sock\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 4712\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 4713 @name\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 4712\n\
            torn\n";
        let entries = parse_proc(table);
        assert_eq!(entries.len(), 3);
        assert_eq!((entries[0].inode, entries[0].state), (4711, State::Listen));
        assert_eq!(entries[0].path, Some("/run/a b.sock".into()));
        assert_eq!((entries[1].state, &entries[1].path), (State::Established, &None));
        assert_eq!(entries[2].path, Some("@name".into()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
            let _ = parse(&bytes);
            let _ = parse_proc(&bytes);
        }
    }
}
