//! The sockets in the tables of the namespaces that are known already: every other socket belongs to a namespace that has
//! not been found yet.

use std::os::fd::BorrowedFd;

use super::descriptors::{self, Descriptors, ListedSockets};
use super::search::{Search, unnumbered};
use super::{Namespace, at_once, in_each, sockets};
use crate::model::{Family, Protocol};
use crate::os::linux_api::inet_diag;
use crate::os::linux_api::inet_diag::States;
use crate::os::linux_api::{procfs, sock_diag, unix_diag};
use crate::os::table_request::InetTable;
use crate::os::threads;

impl Search {
    /// Returns what a walk finds in the descriptor tables.
    pub(super) fn walked(&self, proc: BorrowedFd<'_>, pids: &[u32]) -> Descriptors {
        let mut found = descriptors::search(proc, pids, &listed_here(true));
        // Another user than root reads its own descriptors alone, and most have sockets in this namespace only.
        if found.sockets.iter().any(|(_, place)| sockets::is_in_a_table(*place)) {
            found.place(&self.listed_elsewhere(true));
        }
        found
    }

    /// Returns the sockets in the tables of all known namespaces at this moment.
    pub(super) fn listed(&self, with_pending: bool) -> ListedSockets {
        let mut listed = self.listed_elsewhere(with_pending);
        listed.add(listed_here(with_pending));
        listed.sort();
        listed
    }

    /// Returns the sockets in the tables of all known namespaces but this thread's.
    fn listed_elsewhere(&self, with_pending: bool) -> ListedSockets {
        let mut listed = ListedSockets::default();
        let namespaces: Vec<&Namespace> = self.by_number.values().collect();
        let entered = in_each(&namespaces, |_| listed_here(with_pending));
        let marked: Vec<Namespace> =
            self.by_net_dev.iter().map(|(net_dev, tasks)| unnumbered(*net_dev, tasks.clone())).collect();
        let mut refused: Vec<&Namespace> = marked.iter().collect();
        for (namespace, part) in namespaces.into_iter().zip(entered) {
            match part {
                Ok(part) => listed.add(part),
                Err(_) => refused.push(namespace),
            }
        }
        threads::map(&refused, at_once(), |namespace| listed_by_proc(namespace))
            .into_iter()
            .for_each(|part| listed.add(part));
        listed.sort();
        listed
    }
}

impl ListedSockets {
    fn add(&mut self, other: ListedSockets) {
        self.inodes.extend(other.inodes);
        self.pending.extend(other.pending);
    }

    fn sort(&mut self) {
        for inodes in [&mut self.inodes, &mut self.pending] {
            inodes.sort_unstable();
            inodes.dedup();
        }
    }
}

/// Returns the sockets in the tables of this thread's namespace.
fn listed_here(with_pending: bool) -> ListedSockets {
    let mut listed = ListedSockets::default();
    let mut connection = sock_diag::connection();
    for (protocol, family) in INTERNET {
        let table = InetTable { protocol, family };
        for states in [States::All, States::Bound] {
            if (protocol, states) == (Protocol::Udp, States::Bound) {
                continue;
            }
            let entries = match inet_diag::sockets_over(&mut connection, table, states, None) {
                Ok(entries) => entries.into_iter().filter_map(|entry| entry.inode).collect(),
                Err(_) if states == States::All => by_own_net(table),
                // Kernels before 6.8 do not list bound sockets.
                Err(_) => Vec::new(),
            };
            listed.inodes.extend(entries);
        }
    }
    let unix = unix_diag::sockets(true).unwrap_or_default();
    listed.inodes.extend(unix.into_iter().map(|entry| entry.inode));
    if with_pending {
        listed.pending = unix_diag::pending().unwrap_or_default();
    }
    listed.sort();
    listed
}

/// The TCP and UDP tables.
pub(in crate::os) const INTERNET: [(Protocol, Family); 4] = [
    (Protocol::Tcp, Family::Ipv4),
    (Protocol::Tcp, Family::Ipv6),
    (Protocol::Udp, Family::Ipv4),
    (Protocol::Udp, Family::Ipv6),
];

/// Returns a table of /proc/net, if netlink is unavailable.
fn by_own_net(table: InetTable) -> Vec<u64> {
    let rows = procfs::own_net().and_then(|directory| procfs::net_sockets(directory, table));
    rows.unwrap_or_default().into_iter().map(|(inode, _)| inode).collect()
}

/// Returns the sockets of a namespace that may not be entered, from the tables of one of its processes.
fn listed_by_proc(namespace: &Namespace) -> ListedSockets {
    let mut listed = ListedSockets::default();
    let Some(directory) = namespace.proc_net() else { return listed };
    for (protocol, family) in INTERNET {
        let rows = procfs::net_sockets(&directory, InetTable { protocol, family }).unwrap_or_default();
        listed.inodes.extend(rows.into_iter().map(|(inode, _)| inode));
    }
    let unix = procfs::unix_sockets(&directory).unwrap_or_default();
    listed.inodes.extend(unix.into_iter().map(|entry| entry.inode));
    listed
}
