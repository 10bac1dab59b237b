//! Processes of Windows. sysinfo reads the facts; times and names come from the system.

pub(in crate::os) mod process_ref;
pub(in crate::os) mod sysinfo_read;

pub(in crate::os) use super::ancestors::add_ancestors;
pub(in crate::os) use super::machine_view as process_view;
pub(crate) use super::machine_view::GivenFiles;
pub(in crate::os) use super::process_table::process_table;
pub(in crate::os) use super::unsupported::{
    Conditions, command, mark_unmapped_users, own_pid, shorten_commands,
};
pub(crate) use crate::os::parse::windows::process_times::KERNEL;
pub(in crate::os) use process_ref::ProcessRef;

/// Returns the start of the process with this pid, in the unit of [`crate::ProcessId`].
pub(in crate::os) fn start_of(pid: u32, _seconds: u64) -> Option<u64> {
    crate::os::windows_api::lifetime(pid).id_start()
}
