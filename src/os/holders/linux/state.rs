//! The state that the phases of the search share, and the result that is made from it.
//!
//! A phase adds what it found to `walk`, `closed` and `visibility`; the state itself reads nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::KernelSocketReports;
use super::signs::OpaqueRing;
use super::visibility::Visibility;
use crate::model::compact::CompactCollect as _;
use crate::model::{Evidence, HolderMethod, Protocol, Shared};
use crate::os::descriptors::sys::{SocketDescriptor, Walk};
use crate::os::holders::Origin;
use crate::os::linux_api::cgroup_owner::belongs_to;
use crate::os::process::sys::process_ref::ProcessRef;
use crate::os::{HolderSearch, Holders, Row, SocketHolder, UnreadProcesses, describe_error};

/// A search for the holders of some rows.
pub(in crate::os) struct HolderSearchState<'a> {
    /// The rows whose holders are wanted.
    pub(in crate::os) rows: &'a [&'a Row],
    /// The requested method.
    pub(in crate::os) request: HolderSearch,
    /// The inode numbers of the sockets that have no known holder yet and are still open, ascending.
    pub(in crate::os) missing: Vec<u64>,
    /// Every descriptor found so far, and the processes that could not be read.
    pub(in crate::os) walk: Walk,
    /// How many descriptors `missing` accounts for.
    accounted: usize,
    /// The method that was used, once it was. The BPF iterator does not show which processes refuse access.
    pub(in crate::os) method: Option<HolderMethod>,
    /// What the kernel reports about its sockets, once it has been read.
    pub(in crate::os) reports: Option<KernelReports>,
    /// The io_urings that may hold sockets their fdinfo does not name.
    pub(in crate::os) opaque_rings: Vec<OpaqueRing>,
    /// What explains the sockets that remain missing.
    pub(in crate::os) visibility: Visibility,
}

/// What the kernel reports about sockets that are in no descriptor table.
#[derive(Debug, Default)]
pub(in crate::os) struct KernelReports {
    /// The Unix sockets with unread messages, by inode.
    pub(in crate::os) pending: Vec<u64>,
    /// The sockets that the kernel has opened itself.
    pub(in crate::os) claims: KernelSocketReports,
}

impl<'a> HolderSearchState<'a> {
    /// Returns the state before the first phase: every socket with an inode is missing.
    pub(in crate::os) fn new(rows: &'a [&'a Row], request: HolderSearch) -> HolderSearchState<'a> {
        let mut missing: Vec<u64> = rows.iter().filter_map(|row| row.socket.inode).collect();
        missing.sort_unstable();
        missing.dedup();
        HolderSearchState {
            rows,
            request,
            missing,
            walk: Walk::default(),
            accounted: 0,
            method: None,
            reports: None,
            opaque_rings: Vec::new(),
            visibility: Visibility::default(),
        }
    }

    /// Removes the sockets from `missing` that a descriptor was found of since the last call.
    pub(in crate::os) fn update_missing(&mut self) {
        if self.walk.found.len() != self.accounted {
            self.missing = self.walk.missing(&self.missing);
            self.accounted = self.walk.found.len();
        }
    }

    /// Returns whether a row's socket is missing.
    pub(in crate::os) fn is_missing(&self, row: &Row) -> bool {
        row.socket.inode.is_some_and(|inode| self.missing.binary_search(&inode).is_ok())
    }

    /// Returns the rows whose sockets are missing.
    pub(in crate::os) fn missing_rows(&self) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().copied().filter(|row| self.is_missing(row))
    }

    /// Returns whether the BPF iterator read the descriptor tables.
    pub(in crate::os) fn is_by_bpf(&self) -> bool {
        matches!(self.method, Some(HolderMethod::Bpf | HolderMethod::BpfAndWalk))
    }

    /// Returns the protocols whose kernel sockets are of interest: those of this network namespace.
    pub(in crate::os) fn protocols(&self) -> BTreeSet<Protocol> {
        let here = self.rows.iter().filter(|row| row.socket.namespace.is_none());
        here.map(|row| row.socket.protocol).collect_set()
    }

    /// Returns the holders of each row, and the explanation of those that have none.
    pub(in crate::os) fn finish(self) -> Holders {
        let HolderSearchState { rows, missing, walk, method, visibility, .. } = self;
        let failure = walk.failed.last().map(|(_, errno)| describe_error(&(*errno).into()));
        let gaps = visibility.gaps(failure, !missing.is_empty());
        let mut pids: Vec<u32> = visibility.refused.iter().map(|refused| refused.pid).collect();
        pids.extend(walk.failed.iter().map(|(pid, _)| *pid));
        pids.sort_unstable();
        let unread = UnreadProcesses { pids, others: visibility.hidden || visibility.namespaced };
        let held = join(rows, walk.found);
        let unseen =
            rows.iter().zip(&held).map(|(row, held)| visibility.unseen(row, held).map(Box::new)).collect();
        let origins = origins(rows, &visibility);
        Holders { held, unseen, origins, unread, gaps, method }
    }
}

/// Returns the service and the container of each row. The rows of a cgroup share them.
fn origins(rows: &[&Row], visibility: &Visibility) -> Vec<Option<Shared<Origin>>> {
    let mut known: BTreeMap<u64, Option<Shared<Origin>>> = BTreeMap::new();
    let origin = |row: &&Row| {
        let (id, cgroup) = (row.cgroup?, visibility.cgroup(row)?);
        let read = || match belongs_to(&cgroup.path, &mut || false) {
            (None, None) => None,
            origin => Some(Shared::from(origin)),
        };
        known.entry(id).or_insert_with(read).clone()
    };
    rows.iter().map(origin).collect()
}

/// Returns the holders of each row: one for each process, with all its descriptors of the socket.
fn join(rows: &[&Row], mut found: Vec<SocketDescriptor>) -> Vec<Vec<SocketHolder>> {
    found.sort_unstable_by_key(|found| (found.inode, found.process.pid, found.descriptor));
    found.dedup_by_key(|found| (found.inode, found.process.pid, found.descriptor));
    rows.iter().map(|row| row.socket.inode.map_or_else(Vec::new, |inode| holders_of(inode, &found))).collect()
}

/// Returns the holders of one socket. `found` is sorted by inode, process and descriptor.
fn holders_of(inode: u64, found: &[SocketDescriptor]) -> Vec<SocketHolder> {
    let first = found.partition_point(|found| found.inode < inode);
    let of_socket = found.get(first..).unwrap_or_default().iter().take_while(|found| found.inode == inode);
    let mut holders: Vec<SocketHolder> = Vec::new();
    for found in of_socket {
        match holders.last_mut() {
            Some(last) if last.process.pid() == found.process.pid => last.descriptors.push(found.descriptor),
            _ => {
                if holders.is_empty() {
                    // Most sockets have one holder; a vector that grows has room for four.
                    holders.reserve_exact(1);
                }
                holders.push(SocketHolder {
                    process: ProcessRef::new(found.process.clone()),
                    descriptors: vec![found.descriptor],
                    evidence: Evidence::Descriptor,
                });
            }
        }
    }
    holders
}

/// Rows for the tests of the phases.
#[cfg(test)]
pub(in crate::os) mod test_rows {
    use std::net::{Ipv4Addr, TcpListener};

    use crate::model::{Endpoint, Protocol, Socket, State};
    use crate::os::Row;

    /// Returns the row of a listening TCP socket on the loopback address.
    pub(in crate::os) fn row(port: u16, inode: u64) -> Row {
        let endpoint = Endpoint::Ip { address: Ipv4Addr::LOCALHOST.into(), port, interface: None };
        let mut socket = Socket::new(Protocol::Tcp, endpoint, State::Listen);
        socket.inode = Some(inode);
        Row { socket, pids: Vec::new(), cgroup: None, file: None, detail: Default::default(), cookie: None }
    }

    /// Returns a listener of this process and its row.
    pub(in crate::os) fn listener() -> (TcpListener, Row) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let inode = rustix::fs::fstat(&listener).unwrap().st_ino;
        let port = listener.local_addr().unwrap().port();
        (listener, row(port, inode))
    }
}

#[cfg(test)]
mod tests {
    use super::test_rows::row;
    use super::*;
    use crate::os::process::sys::proc_handle::ProcHandle;

    fn descriptor(inode: u64, pid: u32, descriptor: u32) -> SocketDescriptor {
        SocketDescriptor { inode, process: ProcHandle::started(pid, 1), descriptor }
    }

    #[test]
    fn a_found_socket_is_missing_no_longer() {
        let (one, other) = (row(80, 7), row(81, 5));
        let rows = [&one, &other];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        assert_eq!(state.missing, [5, 7]);
        state.walk.found.push(descriptor(7, 1, 3));
        state.update_missing();
        assert_eq!(state.missing, [5]);
        assert_eq!(
            state.missing_rows().map(|row| row.socket.endpoint.port()).collect::<Vec<_>>(),
            [Some(81)]
        );
    }

    #[test]
    fn a_process_holds_a_socket_once_with_all_its_descriptors() {
        let row = row(80, 7);
        let found = vec![descriptor(7, 2, 4), descriptor(7, 1, 9), descriptor(7, 2, 3), descriptor(7, 2, 4)];
        let held = join(&[&row], found);
        let held: Vec<(u32, Vec<u32>)> =
            held[0].iter().map(|held| (held.process.pid(), held.descriptors.clone())).collect();
        assert_eq!(held, [(1, vec![9]), (2, vec![3, 4])]);
    }
}
