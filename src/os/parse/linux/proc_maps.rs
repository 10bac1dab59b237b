//! /proc/PID/maps (proc_pid_maps(5)): a mapping keeps its file open without a descriptor. Pure.

use std::collections::BTreeSet;
use std::io::BufRead;

use super::proc_fd::socket_inode;

/// A line of maps is no longer than a path and its numbers.
const LONGEST_LINE: u64 = 8192;

/// The mappings of a process that keep a socket open, or may.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::os) struct Mappings {
    /// Sockets by inode: TCP's, for receiving without copies (tcp(7) TCP_ZEROCOPY_RECEIVE).
    pub(in crate::os) sockets: BTreeSet<u64>,
    /// The memory of an io_uring. A ring without a descriptor shows nowhere else.
    pub(in crate::os) ring: bool,
    /// A context of asynchronous I/O (io_setup(2)).
    pub(in crate::os) aio: bool,
}

/// Reads a /proc/PID/maps. Its lines are such as `7f6d... r--s 00000000 00:09 52533                      socket:[52533]`.
pub(in crate::os) fn parse(mut maps: impl BufRead) -> Mappings {
    let mut mappings = Mappings::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        match std::io::Read::take(&mut maps, LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(1..) => {}
            _ => return mappings,
        }
        // Five fields without spaces, and then the path; paths of files begin with a slash.
        let mut rest = line.trim_ascii();
        for _ in 0..5 {
            let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
            rest = rest.get(end..).unwrap_or_default().trim_ascii_start();
        }
        match rest {
            b"anon_inode:[io_uring]" => mappings.ring = true,
            // The file is made without a name that could be opened.
            b"/[aio] (deleted)" => mappings.aio = true,
            other => mappings.sockets.extend(socket_inode(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mappings_of_sockets_and_rings() {
        let maps = b"55d0-55d1 r--p 00000000 fd:01 1234                       /usr/bin/x\n\
            7f00-7f01 rw-p 00000000 00:00 0 \n\
            7f02-7f03 r--s 00000000 00:09 52533                      socket:[52533]\n\
            7f04-7f05 r--p 00000000 fd:01 77                         /tmp/socket:[9]\n\
            7f06-7f07 r--p 00000000 fd:01 78                         /tmp/a socket:[8]\n\
            7f08-7f09 rw-s 10000000 00:10 52531                      anon_inode:[io_uring]\n\
            7f0a-7f0b rw-s 00000000 00:11 52532                      /[aio] (deleted)\n";
        let mappings = parse(&maps[..]);
        assert_eq!(mappings, Mappings { sockets: [52533].into(), ring: true, aio: true });
        assert_eq!(parse(&b""[..]), Mappings::default());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes[..]);
        }
    }
}
