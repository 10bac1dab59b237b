//! Facts about processes that are read on Linux only. On the other systems each function returns nothing.

use std::collections::BTreeMap;

use crate::model::{Gap, Process, Text};

/// Finds what keeps a process from running. Empty: only Linux reads more than sysinfo reports.
#[derive(Debug, Default)]
pub(in crate::os) struct Conditions;

/// Does nothing: there are no user namespaces, in which users may have no number.
pub(in crate::os) fn mark_unmapped_users(_processes: &mut BTreeMap<u32, Process>) {}

/// Does nothing: command lines are kept as sysinfo reads them.
pub(in crate::os) fn shorten_commands(_processes: &mut BTreeMap<u32, Process>) -> Option<Gap> {
    None
}

/// Returns nothing: command lines of processes that hold no wanted socket are not read on this system.
pub(in crate::os) fn command(_pid: u32) -> Option<Vec<Text>> {
    None
}

/// Returns the pid of this process, which is the same everywhere: there are no pid namespaces.
pub(in crate::os) fn own_pid() -> Option<u32> {
    Some(std::process::id())
}
