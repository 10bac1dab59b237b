//! Chooses the holder that represents all holders of a listener. Pure.

use std::collections::BTreeMap;

use super::role::{Role, role};
use crate::model::compact::CompactCollect as _;
use crate::model::{Holder, Listener};

/// The most generations of holders that are followed up to their master.
const LONGEST_LINE: usize = 64;

impl Listener {
    /// Returns the holder that represents all: for a server with workers, the process that the others descend from,
    /// otherwise the first. wineserver, which holds sockets for other programs, is chosen only if it is alone.
    pub fn head(&self) -> Option<&Holder> {
        let (first, rest) = self.holders.split_first()?;
        let stands_for_others =
            |holder: &Holder| !rest.is_empty() && role(&holder.process) == Some(Role::Wineserver);
        let parent = |holder: &Holder| holder.process.parents.first().map(|parent| parent.pid);
        // Usually a master has the lowest pid, and its first worker the next one.
        let is_master = rest.first().is_some_and(|second| parent(second) == Some(first.process.id.pid));
        if rest.is_empty() || (is_master && !stands_for_others(first)) {
            return Some(first);
        }
        let parents: BTreeMap<u32, Option<u32>> =
            self.holders.iter().map(|holder| (holder.process.id.pid, parent(holder))).collect_map();
        let mut below: BTreeMap<u32, usize> = BTreeMap::new();
        for pid in parents.keys() {
            let mut top = *pid;
            // Pids may be reused between two reads, so the parents may form a cycle.
            for _ in 0..LONGEST_LINE {
                match parents.get(&top).copied().flatten().filter(|parent| parents.contains_key(parent)) {
                    Some(parent) => top = parent,
                    None => break,
                }
            }
            *below.entry(top).or_default() += 1;
        }
        let rank = |holder: &&Holder| {
            let below = below.get(&holder.process.id.pid).copied().unwrap_or_default();
            (!stands_for_others(holder), below, std::cmp::Reverse(holder.process.id.pid))
        };
        self.holders.iter().max_by_key(rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Evidence, Process, ProcessId, Protocol, RelatedProcess, Socket, State};

    /// The head of a listener with these holders, each with its parent.
    fn head(holders: &[(u32, &str, u32)]) -> Option<u32> {
        let endpoint = crate::model::Endpoint::Unix { path: None };
        let mut listener = Listener::new(Socket::new(Protocol::Unix, endpoint, State::Listen));
        for (pid, name, parent) in holders {
            let mut process = Process::new(ProcessId { pid: *pid, start: None }, (*name).into());
            process.parents = vec![RelatedProcess { pid: *parent, name: "x".into() }];
            listener.holders.push(Holder {
                process: process.into(),
                descriptors: Vec::new(),
                evidence: Evidence::Descriptor,
            });
        }
        listener.head().map(|holder| holder.process.id.pid)
    }

    #[test]
    fn workers_are_headed_by_their_master() {
        assert_eq!(head(&[]), None);
        assert_eq!(head(&[(7, "a", 1)]), Some(7));
        assert_eq!(head(&[(7, "a", 1), (8, "a", 7), (9, "a", 7)]), Some(7));
        assert_eq!(head(&[(7, "a", 9), (8, "a", 9), (9, "a", 1)]), Some(9), "its pid is not the lowest");
        assert_eq!(head(&[(5, "a", 6), (6, "a", 9), (7, "a", 9), (9, "a", 1)]), Some(9), "two generations");
        assert_eq!(head(&[(3, "b", 1), (7, "a", 9), (9, "a", 1)]), Some(9), "beside an unrelated process");
        assert_eq!(head(&[(3, "b", 1), (7, "a", 1)]), Some(3), "no master");
        assert_eq!(head(&[(3, "a", 4), (4, "a", 3)]), Some(3), "reused pids");
    }

    #[test]
    fn wineserver_represents_no_program() {
        assert_eq!(head(&[(3, "wineserver", 1), (7, "s.exe", 1)]), Some(7));
        assert_eq!(head(&[(3, "wineserver", 1)]), Some(3));
        assert_eq!(head(&[(3, "wineserver64", 1), (4, "a.exe", 3)]), Some(4));
    }
}
