//! Compares the start times of processes with the times at which sockets were opened, so that a later process with the
//! same pid is not taken for the holder, and finds the children of a process that has ended. If that process has ended,
//! its socket lives on in a process that inherited the handle.

use std::collections::BTreeMap;

use crate::model::{Candidate, Evidence, Help, Text, Unseen, UnseenReason};

/// A process in the system's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct ProcessRow {
    pub(in crate::os) pid: u32,
    pub(in crate::os) parent: u32,
    pub(in crate::os) name: Text,
}

/// What is known about the process with a pid. Times are in units of 100 ns since 1601.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum Lifetime {
    /// It has run since this time.
    Since(u64),
    /// There is no process of that pid, or it has ended.
    Ended,
    /// This user may not read it.
    Unknown,
}

impl Lifetime {
    /// Returns its start, if it runs and its start is known.
    pub(in crate::os) fn start(self) -> Option<u64> {
        match self {
            Lifetime::Since(start) => Some(start),
            Lifetime::Ended | Lifetime::Unknown => None,
        }
    }

    /// Returns its start as part of a process's identity: in microseconds since 1970, which every JSON reader
    /// represents exactly.
    pub(in crate::os) fn id_start(self) -> Option<u64> {
        self.start().map(|start| start.saturating_sub(SINCE_1601) / 10)
    }
}

/// 1970 in units of 100 ns since 1601.
const SINCE_1601: u64 = 116_444_736_000_000_000;

/// The pids of the kernel, which are never reused.
pub(crate) const KERNEL: [u32; 2] = [0, 4];

/// The tolerance between the times of a socket and of a process: they are not read at the same moment, and clocks are
/// adjusted.
const SLACK: u64 = 2 * 10_000_000;

/// Returns whether a socket that was opened at this time is older than the process, so that the process did not open
/// it.
pub(in crate::os) fn is_older(opened: Option<u64>, life: Lifetime) -> bool {
    matches!((opened, life), (Some(opened), Lifetime::Since(start)) if opened.saturating_add(SLACK) < start)
}

/// Returns the explanation for a socket whose row has the pid of a process that has ended (`later` is `None`), or of a
/// process that began after the socket was opened.
pub(in crate::os) fn without_process(
    pid: u32,
    opened: Option<u64>,
    later: Option<Candidate>,
    processes: &[ProcessRow],
    mut life: impl FnMut(u32) -> Lifetime,
) -> Unseen {
    // A child that began after the process that has the pid now is that process's child, not one of the process before.
    let next_began = later.as_ref().and_then(|_| life(pid).start());
    let mut candidates: Vec<Candidate> = processes
        .iter()
        .filter(|process| process.parent == pid && process.pid != pid && !KERNEL.contains(&process.pid))
        .filter(|child| match life(child.pid).start() {
            // A process inherits handles when it begins.
            Some(start) => {
                opened.is_none_or(|opened| start.saturating_add(SLACK) >= opened)
                    && next_began.is_none_or(|next| start < next)
            }
            None => life(child.pid) != Lifetime::Ended,
        })
        .map(|child| Candidate { pid: child.pid, name: child.name.clone(), evidence: Evidence::Child })
        .collect();
    let help = Help::InheritedHandle { pid, later: later.as_ref().map(|later| later.name.clone()) };
    candidates.extend(later);
    candidates.sort_by_key(|candidate| candidate.pid);
    Unseen { reason: UnseenReason::Exited, help: Some(help), candidates, kernel: Vec::new() }
}

/// Returns the pids of all ancestors of these processes that are in the list.
pub(in crate::os) fn ancestors(pids: impl Iterator<Item = u32>, processes: &[ProcessRow]) -> Vec<u32> {
    let parents: BTreeMap<u32, u32> = processes.iter().map(|process| (process.pid, process.parent)).collect();
    let mut found = BTreeMap::new();
    for pid in pids {
        let mut at = pid;
        while let Some(parent) = parents.get(&at).filter(|parent| **parent != 0) {
            if found.insert(*parent, ()).is_some() {
                break;
            }
            at = *parent;
        }
    }
    found.into_keys().filter(|pid| parents.contains_key(pid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 10_000_000;

    fn list(rows: &[(u32, u32, &str)]) -> Vec<ProcessRow> {
        rows.iter()
            .map(|(pid, parent, name)| ProcessRow { pid: *pid, parent: *parent, name: (*name).into() })
            .collect()
    }

    fn pids(unseen: &Unseen) -> Vec<u32> {
        unseen.candidates.iter().map(|candidate| candidate.pid).collect()
    }

    #[test]
    fn a_process_is_named_by_a_number_that_doubles_hold() {
        // 2026-11-26 and 2200-01-01.
        assert_eq!(Lifetime::Since(134_401_675_603_520_410).id_start(), Some(1_795_693_960_352_041));
        assert!(Lifetime::Since(189_000_000_000_000_000).id_start().unwrap() < 1 << 53);
        assert_eq!(
            (Lifetime::Since(0).id_start(), Lifetime::Ended.id_start(), Lifetime::Unknown.id_start()),
            (Some(0), None, None)
        );
    }

    #[test]
    fn a_socket_is_never_older_than_its_process() {
        let since = |seconds| Lifetime::Since(seconds * SECOND);
        assert!(is_older(Some(10 * SECOND), since(100)));
        assert!(!is_older(Some(100 * SECOND), since(10)));
        assert!(!is_older(Some(100 * SECOND), since(101)), "clocks differ by so much");
        assert!(
            !is_older(None, since(100))
                && !is_older(Some(1), Lifetime::Unknown)
                && !is_older(Some(1), Lifetime::Ended)
        );
    }

    #[test]
    fn children_of_a_process_that_has_ended() {
        let processes = list(&[
            (4, 0, "System"),
            (70, 50, "worker.exe"),
            (60, 50, "worker.exe"),
            (61, 50, "before.exe"),
            (62, 50, "gone.exe"),
            (63, 50, "hidden.exe"),
            (80, 60, "other.exe"),
        ]);
        let life = |pid| match pid {
            60 | 70 => Lifetime::Since(200 * SECOND),
            61 => Lifetime::Since(SECOND),
            62 => Lifetime::Ended,
            _ => Lifetime::Unknown,
        };
        let unseen = without_process(50, Some(100 * SECOND), None, &processes, life);
        assert_eq!(
            pids(&unseen),
            [60, 63, 70],
            "not who began before the socket was opened, nor who has ended"
        );
        assert!(unseen.candidates.iter().all(|candidate| candidate.evidence == Evidence::Child));
        assert!(unseen.help.unwrap().to_string().contains("pid 50"));
        assert_eq!(unseen.reason, UnseenReason::Exited);
        assert_eq!(pids(&without_process(51, None, None, &processes, life)), [] as [u32; 0]);
    }

    #[test]
    fn children_of_the_next_process_with_that_pid_inherited_nothing() {
        let processes =
            list(&[(50, 1, "next.exe"), (60, 50, "old.exe"), (61, 50, "new.exe"), (62, 50, "at once.exe")]);
        let life = |pid| match pid {
            50 | 62 => Lifetime::Since(300 * SECOND),
            60 => Lifetime::Since(200 * SECOND),
            _ => Lifetime::Since(400 * SECOND),
        };
        let later = Candidate { pid: 50, name: "next.exe".into(), evidence: Evidence::Table };
        let unseen = without_process(50, Some(100 * SECOND), Some(later), &processes, life);
        assert_eq!(pids(&unseen), [50, 60]);
        assert!(unseen.help.unwrap().to_string().contains("next.exe (pid 50)"));
    }

    #[test]
    fn ancestors_come_to_an_end() {
        let processes =
            list(&[(10, 20, "a"), (20, 30, "b"), (30, 10, "c"), (40, 99, "d"), (41, 40, "e"), (7, 0, "f")]);
        assert_eq!(
            ancestors([10].into_iter(), &processes),
            [10, 20, 30],
            "a pid that was given anew makes rings"
        );
        assert_eq!(ancestors([41, 7].into_iter(), &processes), [40], "one that has ended is not in the list");
    }
}
