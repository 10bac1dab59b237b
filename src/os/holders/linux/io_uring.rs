//! Sockets in io_urings: a fixed file or a pending request keeps a socket open without an entry in a descriptor table.

use std::collections::BTreeSet;

use super::state::State;
use super::walk::{SocketDescriptor, socket_inode};
use crate::model::{Error, Protocol};
use crate::os::process::sys::proc_handle::{Directory, ProcHandle};
use crate::os::table::sys::procfs;

/// A ring that may hold sockets which its fdinfo does not name.
#[derive(Debug)]
pub(in crate::os) struct OpaqueRing {
    pub(in crate::os) process: ProcHandle,
    pub(in crate::os) contents: Contents,
}

/// What a ring's fdinfo tells.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::os) struct Contents {
    /// The sockets among its fixed files, by inode (Linux 6.13).
    pub(in crate::os) sockets: Vec<u64>,
    /// The protocols of sockets among its fixed files, where the kernel does not tell the inode (up to 6.12).
    pub(in crate::os) protocols: BTreeSet<Protocol>,
    /// The operations of requests that wait for a file to become ready (linux/io_uring.h).
    pub(in crate::os) operations: BTreeSet<u8>,
    /// Whether requests and files are left out because the ring was busy.
    pub(in crate::os) busy: bool,
}

impl Contents {
    /// Whether it may hold a socket that it does not name.
    fn is_opaque(&self) -> bool {
        self.busy || !self.protocols.is_empty() || !self.operations.is_empty()
    }

    /// Whether an accept is under way.
    pub(in crate::os) fn accepts(&self) -> bool {
        const ACCEPT: u8 = 13;
        self.operations.contains(&ACCEPT)
    }

    /// Whether something is under way on a file of any kind.
    pub(in crate::os) fn polls(&self) -> bool {
        const POLL_ADD: u8 = 6;
        self.operations.contains(&POLL_ADD)
    }

    /// Whether something is received or sent.
    pub(in crate::os) fn transfers(&self) -> bool {
        // READV, WRITEV, SENDMSG, RECVMSG, CONNECT, READ, WRITE, SEND, RECV, and the forms of them that came later:
        // SEND_ZC, SENDMSG_ZC, READ_MULTISHOT, RECV_ZC.
        const TRANSFERS: [u8; 13] = [1, 2, 9, 10, 16, 22, 23, 26, 27, 47, 48, 49, 58];
        TRANSFERS.iter().any(|operation| self.operations.contains(operation))
    }
}

/// Searches the fixed files of the io_urings that the walk has seen: only the ring's fdinfo lists them. Keeps the rings
/// that may hold other sockets, too.
pub(in crate::os) fn search(state: &mut State<'_>) -> Result<(), Error> {
    for ring in &state.walk.rings {
        let Ok(directory) = Directory::open(ring.pid) else { continue };
        let Ok(info) = procfs::read_at(&directory, format!("fdinfo/{}", ring.descriptor), 1 << 22) else {
            continue;
        };
        let Some(process) = ProcHandle::new(ring.pid, directory) else { continue };
        let contents = contents(&info);
        for inode in contents.sockets.iter().filter(|inode| state.missing.binary_search(inode).is_ok()) {
            let process = process.clone();
            state.walk.found.push(SocketDescriptor { inode: *inode, process, descriptor: ring.descriptor });
        }
        if contents.is_opaque() {
            state.opaque_rings.push(OpaqueRing { process, contents });
        }
    }
    Ok(())
}

/// Reads a ring's fdinfo (fs/io_uring.c, io_uring/fdinfo.c): fixed files are lines such as `    0: socket:[4711]`, up to
/// 6.12 `    0: TCP`; below `PollList:` stand requests as `  op=13, task_works=0`.
pub(in crate::os) fn contents(info: &[u8]) -> Contents {
    #[derive(PartialEq)]
    enum Part {
        Head,
        Files,
        Requests,
    }
    let mut contents = Contents { busy: true, ..Contents::default() };
    let mut part = Part::Head;
    for line in info.split(|byte| *byte == b'\n') {
        if line.starts_with(b"UserFiles:") {
            part = Part::Files;
        } else if line.starts_with(b"UserBufs:") {
            part = Part::Head;
        } else if line.starts_with(b"PollList:") {
            part = Part::Requests;
            // It is written only while nobody else uses the ring.
            contents.busy = false;
        } else if !line.starts_with(b" ") {
            part = Part::Head;
        }
        match part {
            Part::Files => {
                let Some(at) = line.windows(2).position(|window| window == b": ") else { continue };
                let file = line.get(at + 2..).unwrap_or_default().trim_ascii();
                match socket_inode(file) {
                    Some(inode) => contents.sockets.push(inode),
                    None => contents.protocols.extend(protocol(file)),
                }
            }
            Part::Requests => contents.operations.extend(operation(line)),
            Part::Head => {}
        }
    }
    contents
}

/// The protocol whose name the kernel gives to a socket's file (sk_prot_creator->name).
fn protocol(name: &[u8]) -> Option<Protocol> {
    match name {
        b"TCP" | b"TCPv6" | b"MPTCP" | b"MPTCPv6" => Some(Protocol::Tcp),
        b"UDP" | b"UDPv6" => Some(Protocol::Udp),
        b"UNIX" | b"UNIX-STREAM" | b"UNIX-DGRAM" => Some(Protocol::Unix),
        b"SCTP" | b"SCTPv6" => Some(Protocol::Sctp),
        _ => None,
    }
}

fn operation(line: &[u8]) -> Option<u8> {
    let rest = line.trim_ascii_start().strip_prefix(b"op=")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_of_a_ring() {
        let info = b"SqMask:\t0x3\nUserFiles:\t3\n    0: socket:[4711]\n    1: /dev/null\n    2: socket:[4712]\nUserBufs:\t0\nPollList:\nCqOverflowList:\n";
        let contents = contents(info);
        assert_eq!(contents.sockets, [4711, 4712]);
        assert!(!contents.is_opaque());
    }

    #[test]
    fn files_of_a_ring_that_are_not_numbered() {
        let info = b"pos:\t0\nUserFiles:\t3\n    0: TCP\n    1: null\n    2: <none>\n    3: UDPv6\nUserBufs:\t0\nPollList:\n";
        let contents = contents(info);
        assert_eq!(contents.protocols, [Protocol::Tcp, Protocol::Udp].into());
        assert!(contents.is_opaque() && contents.sockets.is_empty());
    }

    #[test]
    fn requests_under_way() {
        let info = b"UserFiles:\t0\nUserBufs:\t0\nPollList:\n  op=13, task_works=0\n  op=6, task_works=1\nCqOverflowList:\n  user_data=1, res=2, flags=3\nNAPI:\tdisabled\n";
        let contents = contents(info);
        assert_eq!(contents.operations, [6, 13].into());
        assert!(contents.accepts() && contents.polls() && !contents.transfers());
    }

    #[test]
    fn a_ring_that_was_busy() {
        assert!(contents(b"SqMask:\t0x3\nSqHead:\t1\n").is_opaque());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = contents(&bytes);
        }
    }
}
