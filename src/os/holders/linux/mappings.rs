//! What /proc/PID/maps tells of sockets and of what may hold them: a mapping keeps its file open without a descriptor.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};

use rustix::fs::{Mode, OFlags};

use super::walk::socket_inode;
use crate::os::process::sys::proc_handle::Directory;

/// A line of maps is no longer than a path and its numbers.
const LONGEST_LINE: u64 = 8192;

/// What a process has mapped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::os) struct Mapped {
    /// Sockets by inode: TCP's, for receiving without copies (tcp(7) TCP_ZEROCOPY_RECEIVE).
    pub(in crate::os) sockets: BTreeSet<u64>,
    /// The memory of an io_uring. That of one without a descriptor shows nowhere else.
    pub(in crate::os) ring: bool,
    /// A context of asynchronous I/O (io_setup(2)).
    pub(in crate::os) aio: bool,
}

/// Reads the mappings of a process. Nothing is known of one that ends or may not be read.
pub(in crate::os) fn mapped(process: &Directory) -> Mapped {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match rustix::fs::openat(process, "maps", flags, Mode::empty()) {
        Ok(maps) => read(BufReader::with_capacity(64 * 1024, std::fs::File::from(maps))),
        Err(_) => Mapped::default(),
    }
}

/// Lines such as `7f6d... r--s 00000000 00:09 52533                      socket:[52533]`.
fn read(mut maps: impl BufRead) -> Mapped {
    let mut mapped = Mapped::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        match std::io::Read::take(&mut maps, LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(1..) => {}
            _ => return mapped,
        }
        // Five fields without spaces, and then the path; paths of files begin with a slash.
        let mut rest = line.trim_ascii();
        for _ in 0..5 {
            let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
            rest = rest.get(end..).unwrap_or_default().trim_ascii_start();
        }
        match rest {
            b"anon_inode:[io_uring]" => mapped.ring = true,
            // The file is made without a name that could be opened.
            b"/[aio] (deleted)" => mapped.aio = true,
            other => mapped.sockets.extend(socket_inode(other)),
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
        let mapped = read(&maps[..]);
        assert_eq!(mapped, Mapped { sockets: [52533].into(), ring: true, aio: true });
        assert_eq!(read(&b""[..]), Mapped::default());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes[..]);
        }
    }
}
