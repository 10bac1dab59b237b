//! Programs of the system itself: where they are, and what they print.

#[cfg(any(windows, target_os = "macos", test))]
pub(in crate::os) mod output;
#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

use std::path::PathBuf;

/// The path of a program in the system's own folders, whatever the environment says.
pub(crate) fn system_program(name: &str) -> Option<PathBuf> {
    sys::system_program(name)
}
