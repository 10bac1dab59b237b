//! What Linux reads by the crate sysinfo: user, working directory and start. The rest is read from /proc/PID, through
//! the process's own directory.

use std::collections::BTreeMap;

use sysinfo::{Pid, ProcessRefreshKind, System};

use crate::model::{Condition, Process, Text};
use crate::os::process::sysinfo::SysinfoQuery;

/// The number of processes that are read at a time, to limit memory: sysinfo keeps more about each than this program.
pub(in crate::os) const AT_A_TIME: usize = 64;

/// Describing fewer processes than this takes less time than starting another thread.
pub(in crate::os) const WORTH_A_THREAD: usize = 24;

/// Returns the processes without their ancestors, which are read from /proc.
pub(in crate::os) fn family(pids: &[Pid]) -> SysinfoQuery {
    SysinfoQuery { pids: pids.to_vec(), names: BTreeMap::new() }
}

/// Does nothing: ancestors are read from /proc.
pub(in crate::os) fn read_ancestors(_family: &SysinfoQuery, _system: &mut System) {}

/// Returns the facts as they are: ancestors are read from /proc.
pub(in crate::os) fn add_ancestors(
    facts: Process,
    _system: &System,
    _process: &sysinfo::Process,
    _family: &SysinfoQuery,
) -> Process {
    facts
}

/// Returns the request unchanged. Command line and program are read from /proc: sysinfo leaves empty arguments out and
/// does not report that a program's file was deleted.
pub(in crate::os) fn with_program(kind: ProcessRefreshKind) -> ProcessRefreshKind {
    kind
}

/// Returns the uid of a process.
pub(in crate::os) fn user(process: &sysinfo::Process) -> (Option<u32>, Option<Text>) {
    let uid = process.effective_user_id().or_else(|| process.user_id());
    (uid.map(|uid| **uid), None)
}

/// Returns nothing: the condition is read from /proc.
pub(in crate::os) fn condition(_process: &sysinfo::Process) -> Option<Condition> {
    None
}
