//! Processes of Linux: `/proc/PID`, kept open so that no other process is taken for the one that was seen.

pub(in crate::os) mod ancestors;
pub(in crate::os) mod proc_handle;
pub(in crate::os) mod process_ref;
pub(in crate::os) mod process_table;
pub(in crate::os) mod process_view;
pub(in crate::os) mod program_file;
pub(in crate::os) mod suspension;

pub(in crate::os) use crate::os::namespaces::sys::pid_namespace::own_pid;
pub(in crate::os) use crate::os::namespaces::sys::user_namespace::OverflowUid;
pub(in crate::os) use crate::os::services::sys::docker_hints::command;
pub(in crate::os) use ancestors::complete as trace;
pub(in crate::os) use process_ref::{ProcessRef, pin, shorten_commands};
pub(in crate::os) use process_table::process_table;
pub(crate) use program_file::GivenFiles;
pub(in crate::os) use suspension::Conditions;

/// The pids that are the kernel's own.
pub(crate) const KERNEL: [u32; 0] = [];
