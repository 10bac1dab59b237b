//! A process of Windows by its pid and creation time, and the holders that the socket table names.

use super::Conditions;
use crate::model::{Evidence, Help, HolderMethod, Process, Reason, Unseen};
use crate::os::parse::windows::process_times::Lifetime;
use crate::os::windows_api;
use crate::os::{Held, Holders, Row, Unread};

/// A process by its pid and its start, if that may be read.
#[derive(Debug, Clone)]
pub(crate) struct ProcessRef {
    pid: u32,
    start: Option<u64>,
}

impl ProcessRef {
    /// Refers to the process that has this pid now.
    pub(in crate::os) fn open(pid: u32) -> Option<ProcessRef> {
        Some(ProcessRef { pid, start: windows_api::lifetime(pid).id_start() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sets its start.
    pub(in crate::os) fn set_start(&mut self, life: Lifetime) {
        self.start = life.id_start();
    }

    /// Verifies that facts that were read by pid are this process's, and fills in its start. Returns false if the pid
    /// belongs to another process by now.
    pub(in crate::os) fn verify_and_fill(&self, process: &mut Process, _conditions: &mut Conditions) -> bool {
        process.id.start = self.start;
        self.start.is_none() || windows_api::lifetime(self.pid).id_start() == self.start
    }
}

/// Returns the holders that the rows name. `reason` is why a list is empty.
pub(in crate::os) fn from_table(rows: &[&Row], evidence: Evidence, reason: Reason, help: &Help) -> Holders {
    let held: Vec<Vec<Held>> = rows
        .iter()
        .map(|row| {
            let holder = |pid: &u32| Held {
                process: ProcessRef { pid: *pid, start: None },
                descriptors: Vec::new(),
                evidence,
            };
            row.pids.iter().map(holder).collect()
        })
        .collect();
    let unseen = rows
        .iter()
        .zip(&held)
        .map(|(row, held)| {
            let missing = held.is_empty() && row.socket.is_listener();
            missing.then(|| Unseen {
                reason,
                help: Some(help.clone()),
                candidates: Vec::new(),
                kernel: Vec::new(),
            })
        })
        .collect();
    let origins = vec![(None, None); rows.len()];
    let unread = Unread { pids: Vec::new(), others: true };
    let method = Some(HolderMethod::SocketTable);
    Holders { held, unseen, origins, unread, gaps: Vec::new(), method }
}

/// Merges the rows of a socket that several descriptors or processes have into one row with all pids.
pub(in crate::os) fn merge(rows: &mut Vec<Row>) {
    rows.sort_by(|a, b| a.socket.order(&b.socket));
    rows.dedup_by(|next, kept| {
        let same = next.socket == kept.socket;
        if same {
            kept.pids.append(&mut next.pids);
            kept.pids.sort_unstable();
            kept.pids.dedup();
            // If one pid has several such sockets, it is enough that the last one may be its own.
            for (pid, opened) in std::mem::take(&mut next.opened) {
                let known = kept.opened.entry(pid).or_default();
                *known = opened.max(*known);
            }
        }
        same
    });
}
