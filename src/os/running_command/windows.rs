//! A child of this process on Windows. The console sends Ctrl-C to both.

use std::ffi::OsString;
use std::io;
use std::process::Child;

use super::{CommandEnd, CommandSignal, command};
use crate::os::terminal;

/// Whether descendants stay descendants if their parent ends.
pub(crate) const DESCENDANTS_ARE_KEPT: bool = false;

/// A command that runs as a child of this process.
#[derive(Debug)]
pub(crate) struct RunningCommand(Child);

impl RunningCommand {
    /// Starts a command, found by PATH, with the streams, environment and console of this process.
    ///
    /// # Errors
    /// That of the system if the program is not found or cannot be executed.
    pub(crate) fn start(words: &[OsString], output_to_errors: bool) -> io::Result<RunningCommand> {
        command(words, output_to_errors)?.spawn().map(RunningCommand)
    }

    /// Returns its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Returns how it ended. `None` while it runs. Nothing is reaped.
    pub(crate) fn poll(&mut self, _before_reaping: impl FnOnce()) -> Option<CommandEnd> {
        let status = self.0.try_wait().ok().flatten()?;
        Some(CommandEnd::Exited(status.code().unwrap_or(1)))
    }

    /// Does nothing: the console has sent the command the same event.
    pub(crate) fn pass_on(&mut self, _signal: i32) {}
}

/// Keeps Ctrl-C, Ctrl-Break and the end of the console from ending this process at once.
///
/// # Errors
/// If no handler can be installed. Then the event ends the process as usual.
pub(crate) fn on_command_signals(_tell: impl Fn(CommandSignal) + Send + 'static) -> io::Result<()> {
    terminal::on_signals(false, |_| {})
}

/// Returns nothing: no signal ends a process.
pub(super) fn signal_name(_signal: i32) -> Option<&'static str> {
    None
}
