//! Programs of the system: its shell, where its own programs are, and what they print.

#[cfg(any(windows, target_os = "macos", test))]
pub(in crate::os) mod output;
#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

use std::path::PathBuf;

pub(crate) use sys::SHELL;

/// The shells that commands are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    /// sh, and what understands its quotes: bash, zsh, fish.
    Posix,
    /// cmd.exe and PowerShell at once.
    Windows,
}

/// Returns the path of a program in the system's own folders, whatever PATH says.
pub(crate) fn system_program(name: &str) -> Option<PathBuf> {
    sys::system_program(name)
}
