//! The walk through the descriptor tables of processes. Windows has none that a process may read.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
pub(in crate::os) mod sys;
#[cfg(target_os = "linux")]
pub(in crate::os) mod task_files;
