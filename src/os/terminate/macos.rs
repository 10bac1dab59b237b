//! Ending a process of macOS, by its pid and start.

pub(crate) use super::by_pid::KillHandle;

/// Returns nothing: this system needs no helper process for Ctrl+C.
#[cfg(feature = "cli")]
pub(crate) fn ctrl_c_helper(_arguments: &[std::ffi::OsString]) -> Option<bool> {
    None
}
