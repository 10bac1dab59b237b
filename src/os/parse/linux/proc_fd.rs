//! The links in /proc/PID/fd and the texts in /proc/PID/fdinfo (proc_pid_fd(5), proc_pid_fdinfo(5)). Pure.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::io::BufRead;

use crate::model::Protocol;

/// Returns the inode number in a link such as `socket:[4711]`.
#[inline]
pub(in crate::os) fn socket_inode(link: &[u8]) -> Option<u64> {
    digits(link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

/// Returns a decimal number of at most 19 digits.
#[inline]
pub(in crate::os) fn digits(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 19 {
        return None;
    }
    bytes
        .iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

/// Returns the name of a directory entry as a number.
pub(in crate::os) fn number(name: &CStr) -> Option<u32> {
    digits(name.to_bytes())?.try_into().ok()
}

/// The fdinfo of an io_uring.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::os) struct RingContents {
    /// The sockets among its fixed files, by inode (Linux 6.13).
    pub(in crate::os) sockets: Vec<u64>,
    /// The protocols of the sockets among its fixed files, if the kernel does not report inodes (up to Linux 6.12).
    pub(in crate::os) protocols: BTreeSet<Protocol>,
    /// The operations of requests that wait for a file to become ready (linux/io_uring.h).
    pub(in crate::os) operations: BTreeSet<u8>,
    /// Whether requests and files are missing because the ring was busy.
    pub(in crate::os) busy: bool,
}

impl RingContents {
    /// Returns whether it may hold a socket that it does not name.
    pub(in crate::os) fn is_opaque(&self) -> bool {
        self.busy || !self.protocols.is_empty() || !self.operations.is_empty()
    }

    /// Returns whether an accept is pending.
    pub(in crate::os) fn accepts(&self) -> bool {
        const ACCEPT: u8 = 13;
        self.operations.contains(&ACCEPT)
    }

    /// Returns whether a poll on a file of any kind is pending.
    pub(in crate::os) fn polls(&self) -> bool {
        const POLL_ADD: u8 = 6;
        self.operations.contains(&POLL_ADD)
    }

    /// Returns whether a request that receives, sends or connects is pending.
    pub(in crate::os) fn transfers(&self) -> bool {
        // READV, WRITEV, SENDMSG, RECVMSG, CONNECT, READ, WRITE, SEND, RECV, and the forms of them that came later:
        // SEND_ZC, SENDMSG_ZC, READ_MULTISHOT, RECV_ZC.
        const TRANSFERS: [u8; 13] = [1, 2, 9, 10, 16, 22, 23, 26, 27, 47, 48, 49, 58];
        TRANSFERS.iter().any(|operation| self.operations.contains(operation))
    }
}

/// Reads an io_uring's fdinfo (fs/io_uring.c, io_uring/fdinfo.c): fixed files are lines such as `    0: socket:[4711]`, up to
/// 6.12 `    0: TCP`; below `PollList:` stand requests as `  op=13, task_works=0`.
pub(in crate::os) fn parse_ring(info: &[u8]) -> RingContents {
    #[derive(PartialEq)]
    enum FdinfoSection {
        Head,
        Files,
        Requests,
    }
    let mut contents = RingContents { busy: true, ..RingContents::default() };
    let mut part = FdinfoSection::Head;
    for line in info.split(|byte| *byte == b'\n') {
        if line.starts_with(b"UserFiles:") {
            part = FdinfoSection::Files;
        } else if line.starts_with(b"UserBufs:") {
            part = FdinfoSection::Head;
        } else if line.starts_with(b"PollList:") {
            part = FdinfoSection::Requests;
            // The kernel writes this line only while nobody else uses the ring.
            contents.busy = false;
        } else if !line.starts_with(b" ") {
            part = FdinfoSection::Head;
        }
        match part {
            FdinfoSection::Files => {
                let Some(at) = line.windows(2).position(|window| window == b": ") else { continue };
                let file = line.get(at + 2..).unwrap_or_default().trim_ascii();
                match socket_inode(file) {
                    Some(inode) => contents.sockets.push(inode),
                    None => contents.protocols.extend(protocol(file)),
                }
            }
            FdinfoSection::Requests => contents.operations.extend(operation(line)),
            FdinfoSection::Head => {}
        }
    }
    contents
}

/// Returns the protocol by the name that the kernel gives to a socket's file (sk_prot_creator->name).
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

/// Returns how many descriptors wait in a Unix socket, by the line `scm_fds: 3` of its fdinfo.
pub(in crate::os) fn waiting_descriptors(info: &[u8]) -> u64 {
    let line =
        info.lines().map_while(Result::ok).find_map(|line| line.strip_prefix("scm_fds:").map(str::to_owned));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// Returns the number of the mount that a file is on, from its fdinfo.
pub(in crate::os) fn mount_number(fdinfo: &[u8]) -> Option<u64> {
    digits(fdinfo.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"mnt_id:"))?.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_of_proc() {
        assert_eq!(number(c"4711"), Some(4711));
        assert_eq!(number(c"4294967296"), None);
        assert_eq!(number(c"self"), None);
        assert_eq!(number(c".."), None);
        assert_eq!(digits(b"9223372036854775807"), Some(i64::MAX.unsigned_abs()), "19 digits");
        assert_eq!(digits(b"18446744073709551616"), None, "20 digits");
    }

    #[test]
    fn files_of_a_ring() {
        let info = b"SqMask:\t0x3\nUserFiles:\t3\n    0: socket:[4711]\n    1: /dev/null\n    2: socket:[4712]\nUserBufs:\t0\nPollList:\nCqOverflowList:\n";
        let contents = parse_ring(info);
        assert_eq!(contents.sockets, [4711, 4712]);
        assert!(!contents.is_opaque());
    }

    #[test]
    fn files_of_a_ring_that_are_not_numbered() {
        let info = b"pos:\t0\nUserFiles:\t3\n    0: TCP\n    1: null\n    2: <none>\n    3: UDPv6\nUserBufs:\t0\nPollList:\n";
        let contents = parse_ring(info);
        assert_eq!(contents.protocols, [Protocol::Tcp, Protocol::Udp].into());
        assert!(contents.is_opaque() && contents.sockets.is_empty());
        let names = ["TCP", "MPTCPv6", "UDP", "UNIX", "UNIX-STREAM", "UNIX-DGRAM", "SCTP", "SCTPv6", "RAW"];
        let protocols = names.map(|name| protocol(name.as_bytes()));
        let (tcp, udp) = (Some(Protocol::Tcp), Some(Protocol::Udp));
        let (unix, sctp) = (Some(Protocol::Unix), Some(Protocol::Sctp));
        assert_eq!(protocols, [tcp, tcp, udp, unix, unix, unix, sctp, sctp, None]);
    }

    #[test]
    fn requests_under_way() {
        let info = b"UserFiles:\t0\nUserBufs:\t0\nPollList:\n  op=13, task_works=0\n  op=6, task_works=1\nCqOverflowList:\n  user_data=1, res=2, flags=3\nNAPI:\tdisabled\n";
        let contents = parse_ring(info);
        assert_eq!(contents.operations, [6, 13].into());
        assert!(contents.accepts() && contents.polls() && !contents.transfers());
        // IORING_OP_RECV of linux/io_uring.h.
        let receives = parse_ring(b"PollList:\n  op=27, task_works=0\n");
        assert!(receives.transfers() && !receives.accepts() && !receives.polls());
    }

    #[test]
    fn a_ring_that_was_busy() {
        assert!(parse_ring(b"SqMask:\t0x3\nSqHead:\t1\n").is_opaque());
    }

    #[test]
    fn socket_links() {
        assert_eq!(socket_inode(b"socket:[4711]"), Some(4711));
        for other in [&b"socket:[]"[..], b"socket:[4711", b"pipe:[4711]", b"/dev/null", b"socket:[4x]", b""] {
            assert_eq!(socket_inode(other), None);
        }
    }

    #[test]
    fn mounts_of_files() {
        assert_eq!(mount_number(b"pos:\t0\nflags:\t02\nmnt_id:\t29\nino:\t9\n"), Some(29));
        assert_eq!(mount_number(b"pos:\t0\nmnt_id:\t\n"), None);
    }

    #[test]
    fn descriptors_under_way() {
        assert_eq!(waiting_descriptors(b"pos:\t0\nscm_fds: 2\nino:\t9\n"), 2);
        assert_eq!(waiting_descriptors(b"pos:\t0\nscm_fds: 0\n"), 0);
        assert_eq!(waiting_descriptors(b""), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_ring(&bytes);
            let _ = waiting_descriptors(&bytes);
            let _ = mount_number(&bytes);
            let _ = socket_inode(&bytes);
        }
    }
}
