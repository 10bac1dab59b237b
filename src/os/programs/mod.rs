//! Programs of the system: its shell, where its own programs are, and what they print.

#[cfg(any(windows, target_os = "macos", test))]
pub(in crate::os) mod output;
#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

#[cfg(feature = "cli")]
use std::io;
use std::path::PathBuf;
#[cfg(feature = "cli")]
use std::process::{Command, Stdio};

pub(crate) use sys::SHELL;

/// The shells that commands are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    /// sh, and what understands its quotes: bash, zsh, fish.
    Posix,
    /// cmd.exe and PowerShell at once.
    Windows,
}

/// Returns the path of a program in the system's own folders, regardless of PATH.
pub(crate) fn system_program(name: &str) -> Option<PathBuf> {
    sys::system_program(name)
}

/// Opens a URL with the desktop's program for it, and waits until that program has ended. What it starts goes on by
/// itself.
///
/// # Errors
/// If there is no such program in the system's own folders, or if it fails.
#[cfg(feature = "cli")]
pub(crate) fn open_url(url: &str) -> io::Result<()> {
    let [program, arguments @ ..] = sys::OPENER;
    let path = system_program(program)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no {program}")))?;
    let mut command = Command::new(path);
    command.args(arguments).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    sys::detach(&mut command);
    let status = command.status()?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{program} failed: {status}"))),
    }
}
