//! A child of this process on Unix, and the signals that concern it.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
mod adopted;

use std::ffi::OsString;
use std::io;

use rustix::process::{Pid, Signal, WaitStatus, kill_process};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::{CommandEnd, CommandSignal, command};
use crate::os::terminal;
pub(crate) use adopted::DESCENDANTS_ARE_KEPT;

/// A command that runs as a child of this process.
#[derive(Debug)]
pub(crate) struct RunningCommand {
    pid: Pid,
    end: Option<CommandEnd>,
}

impl RunningCommand {
    /// Starts a command, found by PATH, with the streams, environment and terminal of this process. On Linux this process
    /// adopts the descendants of the command whose parents end.
    ///
    /// # Errors
    /// That of the system if the program is not found or cannot be executed.
    pub(crate) fn start(words: &[OsString], output_to_errors: bool) -> io::Result<RunningCommand> {
        let mut command = command(words, output_to_errors)?;
        adopted::adopt()?;
        let child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("the system returned a pid that is none"))?;
        Ok(RunningCommand { pid, end: None })
    }

    /// Returns its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// Returns how it ended. `None` while it runs. Also reaps the descendants that this process adopted and that have
    /// ended, after a call of `before_reaping`. No other code may wait for children meanwhile.
    pub(crate) fn poll(&mut self, before_reaping: impl FnOnce()) -> Option<CommandEnd> {
        if adopted::has_ended_children() {
            before_reaping();
        }
        while let Some((pid, status)) = adopted::reap(self.pid, self.end.is_some()) {
            if pid == self.pid {
                self.end = end(status);
            }
        }
        self.end
    }

    /// Sends it a signal, unless it has ended.
    pub(crate) fn pass_on(&mut self, signal: i32) {
        // Not waited for yet, so the pid is still its own.
        if let (None, Some(signal)) = (self.end, Signal::from_named_raw(signal)) {
            // It may have just ended.
            let _ = kill_process(self.pid, signal);
        }
    }
}

fn end(status: WaitStatus) -> Option<CommandEnd> {
    let exited = status.exit_status().map(CommandEnd::Exited);
    exited.or_else(|| status.terminating_signal().map(CommandEnd::Signalled))
}

/// Keeps SIGINT and SIGQUIT, which the terminal sends the command too, and SIGTERM and SIGHUP from ending this process
/// while a command runs. Calls `tell` on a separate thread for those that are to be passed on, and whenever a child
/// ends. A signal that the parent process had ignored stays ignored, for the command too.
///
/// # Errors
/// If no thread can be started or no handler be installed. Then every signal does what it does by default.
pub(crate) fn on_command_signals(tell: impl Fn(CommandSignal) + Send + 'static) -> io::Result<()> {
    let ending = [SIGINT, SIGQUIT, SIGTERM, SIGHUP];
    let handled = ending.into_iter().filter(|signal| !terminal::is_ignored(*signal));
    terminal::on_each_signal(handled.chain([SIGCHLD]).collect(), move |signal| match signal {
        SIGINT | SIGQUIT => {}
        SIGCHLD => tell(CommandSignal::ChildEnded),
        other => tell(CommandSignal::PassOn(other)),
    })
}

/// Returns the name of a signal.
pub(super) fn signal_name(signal: i32) -> Option<&'static str> {
    signal_hook::low_level::signal_name(signal)
}
