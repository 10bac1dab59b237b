//! Processes of Windows. sysinfo reads the facts; times and names come from the system.

use std::collections::BTreeMap;

use crate::model::{Gap, Process, Text};
use crate::os::parse::windows::process_times;

pub(in crate::os) use super::machine_view as process_view;
pub(crate) use super::machine_view::GivenFiles;
pub(in crate::os) use super::process_ref::ProcessRef;
pub(in crate::os) use super::process_table::process_table;
pub(in crate::os) use super::sysinfo::Conditions;
pub(crate) use crate::os::parse::windows::process_times::KERNEL;

/// Returns the names of these processes and all their ancestors by pid, from the system's list (Toolhelp). sysinfo's
/// names lose what is not valid UTF-16.
pub(in crate::os) fn families(pids: &[u32]) -> BTreeMap<u32, Text> {
    let listed = crate::os::windows_api::processes();
    let mut wanted = process_times::ancestors(pids.iter().copied(), &listed);
    wanted.extend(pids);
    let family = listed.into_iter().filter(|process| wanted.contains(&process.pid));
    family.map(|process| (process.pid, process.name)).collect()
}

/// Does nothing: every user has a number here, or none has.
pub(in crate::os) fn mark_unmapped_users(_processes: &mut BTreeMap<u32, Process>) {}

/// Shortens the ancestry to the parent unless all are wanted: sysinfo has read all.
pub(in crate::os) fn add_ancestors(processes: &mut BTreeMap<u32, Process>, whole: bool) {
    for process in processes.values_mut().filter(|_| !whole) {
        process.parents.truncate(1);
    }
}

/// Does nothing: command lines are kept as sysinfo reads them.
pub(in crate::os) fn shorten_commands(_processes: &mut BTreeMap<u32, Process>) -> Option<Gap> {
    None
}

/// Returns nothing: command lines of processes that hold no wanted socket are not read on this system.
pub(in crate::os) fn command(_pid: u32) -> Option<Vec<Text>> {
    None
}

/// Returns the start of the process with this pid, in the unit of [`crate::ProcessId`].
pub(in crate::os) fn start_of(pid: u32, _seconds: u64) -> Option<u64> {
    crate::os::windows_api::lifetime(pid).name()
}

/// Returns the pid of this process.
pub(in crate::os) fn own_pid() -> Option<u32> {
    Some(std::process::id())
}
