//! Sockets in io_urings: a fixed file or a pending request keeps a socket open without an entry in a descriptor table.

use super::super::signs::OpaqueRing;
use super::super::state::HolderSearchState;
use crate::model::Error;
use crate::os::descriptors::sys::SocketDescriptor;
use crate::os::linux_api::procfs;
use crate::os::parse::linux::proc_fd::parse_ring;
use crate::os::process::sys::proc_handle::{Directory, ProcHandle};

/// Searches the fixed files of the io_urings that the walk has seen: only the ring's fdinfo lists them. Keeps the rings
/// that may hold other sockets, too.
pub(in crate::os) fn search(state: &mut HolderSearchState<'_>) -> Result<(), Error> {
    for ring in &state.walk.rings {
        let Ok(directory) = Directory::open(ring.pid) else { continue };
        let Ok(info) = procfs::read_at(&directory, format!("fdinfo/{}", ring.descriptor), 1 << 22) else {
            continue;
        };
        let Some(process) = ProcHandle::new(ring.pid, directory) else { continue };
        let contents = parse_ring(&info);
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

#[cfg(test)]
mod tests {
    use super::super::super::state::test_rows::row;
    use super::*;
    use crate::os::HolderSearch;
    use crate::os::descriptors::sys::Ring;

    /// That a fixed file is found shows only with a real ring: the live test `holders_without_descriptor` does that.
    #[test]
    fn a_ring_that_is_gone_changes_nothing() {
        let row = row(80, u64::MAX);
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        state.walk.rings.push(Ring { pid: u32::MAX, descriptor: 3 });
        search(&mut state).unwrap();
        assert!(state.walk.found.is_empty() && state.opaque_rings.is_empty());
    }
}
