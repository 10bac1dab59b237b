//! Processes of Linux: `/proc/PID`, kept open so that no process with a reused pid is taken for the one that was found.

pub(in crate::os) mod ancestors;
pub(in crate::os) mod proc_handle;
pub(in crate::os) mod process_ref;
pub(in crate::os) mod process_table;
pub(in crate::os) mod process_view;
pub(in crate::os) mod program_file;
pub(in crate::os) mod suspension;
pub(in crate::os) mod sysinfo_read;

use std::collections::BTreeMap;

use rustix::fs::CWD;

use crate::model::{Process, Text};
use crate::os::linux_api::procfs;
use crate::os::linux_api::user_namespace::OverflowUid;
use crate::os::parse::linux::cmdline::arguments;

pub(in crate::os) use crate::os::linux_api::pid_namespace::own_pid;
pub(in crate::os) use ancestors::add_ancestors;
pub(in crate::os) use process_ref::{ProcessRef, shorten_commands};
pub(in crate::os) use process_table::process_table;
pub(crate) use program_file::GivenFiles;
pub(in crate::os) use suspension::Conditions;

/// Makes the user of a process unknown if its uid stands for every user without a number in this user namespace
/// (user_namespaces(7), /proc/sys/kernel/overflowuid).
pub(in crate::os) fn mark_unmapped_users(processes: &mut BTreeMap<u32, Process>) {
    if let Some(overflow) = OverflowUid::current() {
        for process in processes.values_mut() {
            overflow.unmap(&mut process.uid, &mut process.unknown_user);
        }
    }
}

/// The pids that are the kernel's own.
pub(crate) const KERNEL: [u32; 0] = [];

/// Returns a process's command line, which usually every user may read.
pub(in crate::os) fn command(pid: u32) -> Option<Vec<Text>> {
    let bytes = procfs::read_record(CWD, format!("/proc/{pid}/cmdline").as_str(), 32 * 1024).ok()?;
    Some(arguments(&bytes))
}
