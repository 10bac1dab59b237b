//! Processes of macOS. sysinfo reads the facts.

mod process_ref;
pub(in crate::os) mod sysinfo_read;

pub(in crate::os) use super::ancestors::add_ancestors;
pub(in crate::os) use super::machine_view as process_view;
pub(crate) use super::machine_view::GivenFiles;
pub(in crate::os) use super::process_table::process_table;
pub(in crate::os) use super::unsupported::{
    Conditions, command, mark_unmapped_users, own_pid, shorten_commands,
};
pub(crate) use process_ref::ProcessRef;

/// The pids that are the kernel's own.
pub(crate) const KERNEL: [u32; 1] = [0];

/// Returns the start of the process with this pid, in the unit of [`crate::ProcessId`].
pub(in crate::os) fn start_of(_pid: u32, seconds: u64) -> Option<u64> {
    (seconds != 0).then_some(seconds)
}
