//! Processes of macOS. sysinfo reads the facts.

use std::collections::BTreeMap;

use crate::model::{Gap, Process};

pub(in crate::os) use super::machine_view as process_view;
pub(crate) use super::machine_view::GivenFiles;
pub(in crate::os) use super::process_table::process_table;
pub(in crate::os) use super::sysinfo::Conditions;
pub(in crate::os) use crate::os::holders::sys::ProcessRef;

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
pub(in crate::os) fn command(_pid: u32) -> Option<Vec<crate::model::Text>> {
    None
}

/// The pids that are the kernel's own.
pub(crate) const KERNEL: [u32; 1] = [0];

/// Returns the start of the process with this pid, in the unit of [`crate::ProcessId`].
pub(in crate::os) fn start_of(_pid: u32, seconds: u64) -> Option<u64> {
    (seconds != 0).then_some(seconds)
}

/// Returns the pid of this process.
pub(in crate::os) fn own_pid() -> Option<u32> {
    Some(std::process::id())
}
