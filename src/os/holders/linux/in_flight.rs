//! Sockets in Unix messages (SCM_RIGHTS) that nobody has received yet: such a message keeps a socket open without an
//! entry in a descriptor table.

use std::collections::{BTreeMap, BTreeSet};

use super::candidates::candidate;
use crate::model::compact::CompactCollect as _;
use crate::model::{Candidate, Evidence};
use crate::os::Row;
use crate::os::descriptors::sys::{SocketDescriptor, Walk};
use crate::os::linux_api::procfs;
use crate::os::linux_api::unix_diag;
use crate::os::linux_api::unix_diag::Sender;
use crate::os::parse::linux::proc_fd::waiting_descriptors;
use crate::os::process::sys::proc_handle::ProcHandle;

/// A process with a Unix socket in which descriptors wait.
#[derive(Debug)]
pub(in crate::os) struct Receiver {
    pub(in crate::os) candidate: Candidate,
    /// The socket in which they wait.
    socket: u64,
    /// The number of descriptors that wait.
    descriptors: u64,
    /// The users who may have sent them: the users of the process and of the sockets at both ends.
    uids: BTreeSet<u32>,
    /// The process, and the processes that have the other end.
    pids: BTreeSet<u32>,
}

/// Whether the missing sockets can be among the descriptors that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum InFlight {
    /// There are at least as many descriptors as missing sockets.
    All,
    /// There are fewer descriptors than missing sockets.
    Some,
}

/// Returns the processes that have one of these Unix sockets with descriptors waiting in it. `search` finds the holders of
/// sockets.
pub(in crate::os) fn receivers(
    mut pending: Vec<u64>,
    search: impl Fn(&[u64]) -> Option<Walk>,
) -> Vec<Receiver> {
    pending.sort_unstable();
    if pending.is_empty() {
        return Vec::new();
    }
    let Some(walk) = search(&pending) else { return Vec::new() };
    let mut waiting: Vec<(u64, ProcHandle, u64)> = Vec::new();
    for found in walk.found {
        let Some(directory) = found.process.directory() else { continue };
        let info = procfs::read_at(&*directory, format!("fdinfo/{}", found.descriptor), 1 << 16);
        let descriptors = info.map_or(0, |info| waiting_descriptors(&info));
        let is_new =
            |known: &(u64, ProcHandle, u64)| (known.0, known.1.pid) != (found.inode, found.process.pid);
        if descriptors > 0 && waiting.iter().all(is_new) {
            waiting.push((found.inode, found.process, descriptors));
        }
    }
    if waiting.is_empty() {
        return Vec::new();
    }
    // This is rare: only now are the senders read.
    let mut sockets: Vec<u64> = waiting.iter().map(|(inode, ..)| *inode).collect();
    sockets.sort_unstable();
    let senders: BTreeMap<u64, Sender> =
        unix_diag::senders(&sockets).unwrap_or_default().into_iter().collect_map();
    let mut ends: Vec<u64> = senders.values().flat_map(|sender| sender.sockets.iter().copied()).collect();
    ends.sort_unstable();
    let ends = if ends.is_empty() { None } else { search(&ends) }.unwrap_or_default().found;
    let receiver = |(inode, process, descriptors): (u64, ProcHandle, u64)| {
        let sender = senders.get(&inode).cloned().unwrap_or_default();
        let sends = |pid: &&SocketDescriptor| sender.sockets.contains(&pid.inode);
        let sending = ends.iter().filter(sends);
        let processes = std::iter::once(&process).chain(sending.map(|found| &found.process));
        let uids = processes.clone().filter_map(ProcHandle::effective_uid).chain(sender.uids.iter().copied());
        Some(Receiver {
            uids: uids.collect(),
            pids: processes.map(|process| process.pid).collect(),
            candidate: candidate(process.pid, &*process.directory()?, Evidence::Message),
            socket: inode,
            descriptors,
        })
    };
    waiting.into_iter().filter_map(receiver).collect()
}

impl Receiver {
    /// Returns whether a socket can be among the descriptors: its user and its cgroup must be those of a possible sender. The
    /// members of the cgroup are given unless it is the root.
    pub(in crate::os) fn can_have(&self, row: &Row, members: Option<&[u32]>) -> bool {
        let known = |members: &[u32]| self.pids.iter().any(|pid| members.binary_search(pid).is_ok());
        row.socket.uid.is_none_or(|uid| self.uids.contains(&uid)) && members.is_none_or(known)
    }
}

/// Returns whether so many missing sockets can all wait for these receivers.
pub(in crate::os) fn in_flight(sockets: usize, receivers: &[&Receiver]) -> Option<InFlight> {
    if receivers.is_empty() || sockets == 0 {
        return None;
    }
    // Several processes may share the socket that they wait in.
    let waiting: BTreeMap<u64, u64> =
        receivers.iter().map(|receiver| (receiver.socket, receiver.descriptors)).collect_map();
    let enough = u64::try_from(sockets).is_ok_and(|sockets| sockets <= waiting.values().sum());
    Some(if enough { InFlight::All } else { InFlight::Some })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(socket: u64, descriptors: u64, uids: &[u32], pids: &[u32]) -> Receiver {
        let candidate = Candidate { pid: pids[0], name: "node".into(), evidence: Evidence::Message };
        let (uids, pids) = (uids.iter().copied().collect(), pids.iter().copied().collect());
        Receiver { candidate, socket, descriptors, uids, pids }
    }

    #[test]
    fn a_message_holds_no_more_than_wait_in_it() {
        let [one, other] = [receiver(1, 1, &[0], &[10]), receiver(2, 2, &[0], &[11])];
        let shared = receiver(2, 2, &[0], &[12]);
        assert_eq!(in_flight(1, &[]), None);
        assert_eq!(in_flight(1, &[&one]), Some(InFlight::All));
        assert_eq!(in_flight(2, &[&one]), Some(InFlight::Some));
        assert_eq!(in_flight(3, &[&one, &other, &shared]), Some(InFlight::All));
        assert_eq!(
            in_flight(4, &[&one, &other, &shared]),
            Some(InFlight::Some),
            "one socket of two processes"
        );
    }

    #[test]
    fn a_message_is_of_somebody() {
        let sent = receiver(1, 1, &[0, 1000], &[10, 11]);
        let row = |uid| {
            let endpoint =
                crate::model::Endpoint::Ip { address: [127, 0, 0, 1].into(), port: 80, interface: None };
            let mut socket =
                crate::model::Socket::new(crate::model::Protocol::Tcp, endpoint, crate::model::State::Listen);
            socket.uid = uid;
            Row {
                socket,
                pids: Vec::new(),
                cgroup: None,
                file: None,
                detail: Default::default(),
                cookie: None,
            }
        };
        assert!(sent.can_have(&row(Some(0)), None) && sent.can_have(&row(Some(1000)), None));
        assert!(!sent.can_have(&row(Some(33)), None), "another user's");
        assert!(sent.can_have(&row(Some(0)), Some(&[5, 11])), "the sender is of its cgroup");
        assert!(!sent.can_have(&row(Some(0)), Some(&[5, 6])), "a cgroup of others");
    }
}
