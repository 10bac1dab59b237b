//! The sockets in the tables of the namespaces that are known already: every other socket belongs to a namespace that has
//! not been found yet.

use super::descriptors::ListedSockets;
use super::search::{Search, unnumbered};
use super::{Namespace, inside};
use crate::model::{Family, Protocol};
use crate::os::linux_api::inet_diag;
use crate::os::linux_api::inet_diag::States;
use crate::os::linux_api::{procfs, unix_diag};
use crate::os::table_request::InetTable;

impl Search {
    /// Returns the sockets in the tables of all known namespaces at this moment.
    pub(super) fn listed(&self, with_pending: bool) -> ListedSockets {
        let mut listed = ListedSockets::default();
        let mut add = |part: ListedSockets| {
            listed.inodes.extend(part.inodes);
            listed.pending.extend(part.pending);
        };
        add(listed_here(with_pending));
        for namespace in self.by_number.values() {
            match inside(namespace, || listed_here(with_pending)) {
                Ok(part) => add(part),
                Err(_) => add(listed_by_proc(namespace)),
            }
        }
        let marked = self.by_net_dev.iter().map(|(net_dev, tasks)| unnumbered(*net_dev, tasks.clone()));
        marked.for_each(|namespace| add(listed_by_proc(&namespace)));
        listed.inodes.sort_unstable();
        listed.inodes.dedup();
        listed.pending.sort_unstable();
        listed
    }
}

/// Returns the sockets in the tables of this thread's namespace.
fn listed_here(with_pending: bool) -> ListedSockets {
    let mut listed = ListedSockets::default();
    for (protocol, family) in INTERNET {
        let table = InetTable { protocol, family };
        for states in [States::All, States::Bound] {
            if (protocol, states) == (Protocol::Udp, States::Bound) {
                continue;
            }
            let entries = match inet_diag::sockets(table, states, None) {
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
