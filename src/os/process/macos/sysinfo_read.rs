//! What macOS reads by the crate sysinfo: everything, with the ancestors one generation at a time, each process once.

use std::collections::{BTreeMap, BTreeSet};

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use crate::model::{Condition, Text};
use crate::os::process::LONGEST_ANCESTRY;
pub(in crate::os) use crate::os::process::ancestors::add as add_ancestors;
use crate::os::process::sysinfo::SysinfoQuery;

/// The number of processes that are read at a time, to limit memory: sysinfo keeps more about each than this program.
pub(in crate::os) const AT_A_TIME: usize = 64;

/// Describing fewer processes than this takes less time than starting another thread.
pub(in crate::os) const WORTH_A_THREAD: usize = 24;

/// Returns the processes; [`read_ancestors`] reads their ancestors later.
pub(in crate::os) fn family(pids: &[Pid]) -> SysinfoQuery {
    SysinfoQuery { pids: pids.to_vec(), names: BTreeMap::new() }
}

/// Reads the ancestors of the processes that were read.
pub(in crate::os) fn read_ancestors(family: &SysinfoQuery, system: &mut System) {
    let mut known: BTreeSet<Pid> = family.pids.iter().copied().collect();
    let mut level: Vec<Pid> = family.pids.clone();
    for _ in 0..LONGEST_ANCESTRY {
        let next: BTreeSet<Pid> = level
            .iter()
            .filter_map(|pid| system.process(*pid)?.parent())
            .filter(|parent| known.insert(*parent))
            .collect();
        if next.is_empty() {
            return;
        }
        level = next.into_iter().collect();
        let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&level), false, kind);
    }
}

/// Adds the command line and the program to a request.
pub(in crate::os) fn with_program(kind: ProcessRefreshKind) -> ProcessRefreshKind {
    kind.with_cmd(UpdateKind::Always).with_exe(UpdateKind::Always)
}

/// Returns the uid of a process.
pub(in crate::os) fn user(process: &sysinfo::Process) -> (Option<u32>, Option<Text>) {
    let uid = process.effective_user_id().or_else(|| process.user_id());
    (uid.map(|uid| **uid), None)
}

/// Returns whether a process is stopped.
pub(in crate::os) fn condition(process: &sysinfo::Process) -> Option<Condition> {
    (process.status() == ProcessStatus::Stop).then_some(Condition::Stopped { shell: None })
}
