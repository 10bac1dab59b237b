//! The cgroups and users of the other listeners: a server that listens on one port is a likely holder of another.

use std::collections::BTreeSet;

use super::PublicFacts;
use crate::model::{Family, Protocol};
use crate::os::linux_api::cgroup;
use crate::os::linux_api::inet_diag;
use crate::os::linux_api::inet_diag::States;
use crate::os::table_request::InetTable;

/// The cgroups and users that listen on some TCP or UDP port of this network namespace.
#[derive(Default)]
pub(in crate::os) struct OtherListeners {
    pub(super) cgroups: BTreeSet<Vec<u8>>,
    pub(super) users: BTreeSet<u32>,
}

impl OtherListeners {
    pub(super) fn read() -> OtherListeners {
        let tables = [Protocol::Tcp, Protocol::Udp]
            .into_iter()
            .flat_map(|protocol| [Family::Ipv4, Family::Ipv6].map(|family| InetTable { protocol, family }));
        let entries: Vec<inet_diag::InetDiagEntry> = tables
            .filter_map(|table| inet_diag::sockets(table, States::Listeners, None).ok())
            .flatten()
            .collect();
        let mut ids: Vec<u64> = entries.iter().filter_map(|entry| entry.cgroup).collect();
        ids.sort_unstable();
        ids.dedup();
        let cgroups = cgroup::paths(&ids).into_values().map(|found| found.path);
        OtherListeners {
            cgroups: cgroups.filter(|path| path != b"/").collect(),
            users: entries.iter().map(|entry| entry.uid).filter(|uid| *uid != 0).collect(),
        }
    }

    /// Returns whether a process of another listener has the same cgroup or user.
    pub(super) fn includes(&self, facts: &PublicFacts) -> bool {
        facts.cgroup.as_ref().is_some_and(|path| self.cgroups.contains(path))
            || facts.uids.iter().any(|uid| self.users.contains(uid))
    }
}
