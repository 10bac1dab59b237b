//! Sockets in io_urings: as fixed files they are in no descriptor table.

use super::pin::{Directory, Pin};
use super::procfs;
use super::walk::{Found, Ring, Walk, socket_inode};

/// Looks for sockets that are fixed files of io_urings: those stand in the ring's fdinfo alone.
pub(super) fn search_rings(rings: &[Ring], wanted: &[u64], walk: &mut Walk) {
    for ring in rings {
        let Ok(directory) = Directory::open(ring.pid) else { continue };
        let Ok(info) = procfs::read_at(&directory, format!("fdinfo/{}", ring.descriptor), 1 << 22) else {
            continue;
        };
        let Some(process) = Pin::new(ring.pid, directory) else { continue };
        for inode in fixed_files(&info).filter(|inode| wanted.binary_search(inode).is_ok()) {
            walk.found.push(Found { inode, process: process.clone(), descriptor: ring.descriptor });
        }
    }
}

/// The sockets among a ring's files: lines such as `    0: socket:[4711]`.
pub(super) fn fixed_files(info: &[u8]) -> impl Iterator<Item = u64> {
    info.split(|byte| *byte == b'\n').filter_map(|line| {
        let at = line.windows(9).position(|window| window == b": socket:")?;
        socket_inode(line.get(at + 2..)?.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_of_a_ring() {
        let info = b"SqMask:\t0x3\nUserFiles:\t2\n    0: socket:[4711]\n    1: /dev/null\n    2: socket:[4712]\nUserBufs:\t0\n";
        assert_eq!(fixed_files(info).collect::<Vec<_>>(), [4711, 4712]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = fixed_files(&bytes).count();
        }
    }
}
