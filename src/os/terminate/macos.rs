//! Ending a process of macOS, by its pid and start.

pub(crate) use super::by_pid::KillHandle;

/// This program is never run by itself here.
pub(crate) fn errand(_arguments: &[std::ffi::OsString]) -> Option<bool> {
    None
}
