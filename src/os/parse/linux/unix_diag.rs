//! Messages of unix_diag (sock_diag(7), linux/unix_diag.h), and /proc/net/unix (proc_net(5)). Pure.
//!
//! Custom code, because it shares the checked messages of `netlink` with inet_diag.

use std::collections::HashSet;

use super::netlink::{attributes, u32_at, u64_at};
use crate::model::{AcceptQueue, State, Text};

pub(in crate::os) const AF_UNIX: u8 = 1;
pub(in crate::os) const SHOW_NAME: u32 = 0x01;
pub(in crate::os) const SHOW_VFS: u32 = 0x02;
pub(in crate::os) const SHOW_PEER: u32 = 0x04;
pub(in crate::os) const SHOW_ICONS: u32 = 0x08;
pub(in crate::os) const SHOW_RQLEN: u32 = 0x10;
pub(in crate::os) const SHOW_UID: u32 = 0x40;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_VFS: u16 = 1;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_ICONS: u16 = 3;
const UNIX_DIAG_RQLEN: u16 = 4;
const UNIX_DIAG_UID: u16 = 7;

pub(in crate::os) const LISTEN: u8 = 10;
/// The length of `struct unix_diag_msg`.
const MESSAGE: usize = 16;

/// The file of a Unix socket, as unix_diag reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketFile {
    /// The device of the file system in the kernel's own form: the major number above 20 bits of the minor number.
    pub(crate) device: u32,
    /// The lower 32 bits of the inode number.
    pub(crate) inode: u32,
}

/// A Unix socket as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct UnixDiagEntry {
    /// Its path, or `@` and its abstract name.
    pub(in crate::os) path: Option<Text>,
    pub(in crate::os) state: State,
    pub(in crate::os) inode: u64,
    pub(in crate::os) cookie: u64,
    /// Of a listener: the waiting connections and their limit. Of other sockets: the waiting bytes.
    pub(in crate::os) queue: Option<AcceptQueue>,
    pub(in crate::os) uid: Option<u32>,
    /// The file it is bound to.
    pub(in crate::os) file: Option<SocketFile>,
    /// The sockets at the other end, by inode: that of a connection, and those of the connections that a listener
    /// has not accepted. Empty unless the request asks for peers.
    pub(in crate::os) peers: Vec<u64>,
}

/// Reads a message: `struct unix_diag_msg` and its attributes. Returns `None` if it is truncated.
pub(in crate::os) fn parse(message: &[u8]) -> Option<UnixDiagEntry> {
    if *message.first()? != AF_UNIX {
        return None;
    }
    let state = *message.get(2)?;
    let mut entry = UnixDiagEntry {
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
                .map(|waiting| AcceptQueue { waiting, limit: u32_at(value, 4).filter(|_| state == LISTEN) });
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

/// Returns a path, which may end in NUL, or an abstract name, which begins with NUL.
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

/// Reads /proc/net/unix, which lists neither queues nor users.
pub(in crate::os) fn parse_proc(bytes: &[u8]) -> Vec<UnixDiagEntry> {
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
        Some(UnixDiagEntry {
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
    // The kernel writes a page at a time: a socket may be on two of them.
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
        assert_eq!(entry.queue, Some(AcceptQueue { waiting: 2, limit: Some(128) }));
    }

    #[test]
    fn a_connection_and_what_a_listener_has_not_accepted() {
        let message = |state: u8, attributes: &[(u16, &[u32])]| {
            let mut message = vec![AF_UNIX, 1, state, 0];
            message.extend([99_u32, 7, 0].map(u32::to_ne_bytes).concat());
            for (kind, words) in attributes {
                message.extend(u16::try_from(4 + 4 * words.len()).unwrap().to_ne_bytes());
                message.extend(kind.to_ne_bytes());
                message.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
            }
            message
        };
        let connected = parse(&message(
            1,
            &[(UNIX_DIAG_PEER, &[4712]), (UNIX_DIAG_RQLEN, &[5, 9]), (UNIX_DIAG_UID, &[1000])],
        ))
        .unwrap();
        assert_eq!((connected.state, connected.inode, connected.cookie), (State::Established, 99, 7));
        assert_eq!((connected.peers, connected.uid), (vec![4712], Some(1000)));
        assert_eq!(connected.queue, Some(AcceptQueue { waiting: 5, limit: None }));
        let listener = parse(&message(LISTEN, &[(UNIX_DIAG_ICONS, &[4713, 0, 4714])])).unwrap();
        assert_eq!(listener.peers, [4713, 4714], "0 is a socket that has ended");
        let datagram = parse(&message(7, &[])).unwrap();
        assert_eq!((datagram.state, datagram.queue, datagram.uid), (State::Bound, None, None));
        assert_eq!(parse(&message(3, &[])).unwrap().state, State::Unknown);
        let mut inet = message(1, &[]);
        inet[0] = 2;
        assert_eq!(parse(&inet), None);
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
