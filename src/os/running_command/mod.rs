//! A command that the user asked to run, as a child of this process, and on Linux the descendants that it leaves
//! behind. Depends on `model` and on the processes of `os`.
//!
//! It ends no process. It passes signals on to the command alone, and only while the command has not been waited for,
//! so that its pid is its own.

#[cfg_attr(unix, path = "unix/mod.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::process::{Command, Stdio};

use crate::model::ProcessId;
use crate::model::process_table::{ProcessEntry, ProcessTable};
use crate::os::process;

pub(crate) use sys::{DESCENDANTS_ARE_KEPT, RunningCommand, on_command_signals};

/// What wakes a program that waits for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(unix),
    expect(dead_code, reason = "no signal is passed on, and none reports the end of a child")
)]
pub(crate) enum CommandSignal {
    /// A child has ended, or has been adopted and has ended.
    ChildEnded,
    /// A signal of this number, which the command is to get too.
    PassOn(i32),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandEnd {
    /// With this exit status.
    Exited(i32),
    /// By a signal of this number.
    #[cfg_attr(not(any(unix, test)), expect(dead_code, reason = "no signal ends a process there"))]
    Signalled(i32),
}

impl CommandEnd {
    /// Returns the exit status of a shell for a command that ended like this: 128 and the number of the signal.
    pub(crate) fn status(self) -> u8 {
        match self {
            // Windows has longer ones. One that is not 0 must not become 0.
            CommandEnd::Exited(code) => match code.to_le_bytes() {
                [0, rest @ ..] if rest != [0; 3] => 1,
                [lowest, ..] => lowest,
            },
            CommandEnd::Signalled(signal) => {
                u8::try_from(signal).ok().and_then(|signal| signal.checked_add(128)).unwrap_or(u8::MAX)
            }
        }
    }
}

/// Returns the name of a signal: `SIGTERM`.
pub(crate) fn signal_name(signal: i32) -> Option<&'static str> {
    sys::signal_name(signal)
}

/// Returns the command of these words, with the streams and the environment of this process. With `output_to_errors` its
/// standard output is the standard error of this process.
fn command(words: &[OsString], output_to_errors: bool) -> io::Result<Command> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments);
    if output_to_errors {
        command.stdout(Stdio::from(io::stderr()));
    }
    Ok(command)
}

/// The processes that this process started, and those that they started. On systems that give the children of an ended
/// process to another one, those are missing.
#[derive(Debug)]
pub(crate) struct Descendants {
    own: u32,
    /// When this process started. `None` if that is unknown.
    own_start: Option<u64>,
    /// Descendants that were there before, as those of a shell that became this process by exec.
    before: Vec<ProcessId>,
    /// Those that were seen.
    seen: BTreeSet<ProcessId>,
    /// Processes that are none.
    others: BTreeSet<ProcessId>,
}

impl Descendants {
    /// Returns the descendants of this process from now on. `None` if the pid of this process is not known as `/proc`
    /// shows it.
    pub(crate) fn from_now_on() -> Option<Descendants> {
        let own = process::sys::own_pid()?;
        let table = process::process_table().ok()?;
        let own_start = table.get(own).and_then(|entry| entry.id.start);
        let before = table.descendants(own).iter().map(|entry| entry.id).collect();
        Some(Descendants { own, own_start, before, seen: BTreeSet::new(), others: BTreeSet::new() })
    }

    /// Returns the pid of this process.
    pub(crate) fn root(&self) -> u32 {
        self.own
    }

    /// Returns whether a process is one of those that were there before.
    pub(crate) fn was_there(&self, id: ProcessId) -> bool {
        self.before.contains(&id)
    }

    /// Returns those that run now, ascending by pid.
    ///
    /// # Errors
    /// If the processes cannot be listed.
    pub(crate) fn running(&mut self) -> io::Result<Vec<ProcessEntry>> {
        let table = self.see()?;
        let mut running: Vec<ProcessEntry> = table.descendants(self.own).into_iter().cloned().collect();
        running.retain(|entry| !entry.zombie && !self.was_there(entry.id));
        Ok(running)
    }

    /// Notes those that are there, also those that have ended and were not waited for.
    ///
    /// # Errors
    /// If the processes cannot be listed.
    pub(crate) fn see(&mut self) -> io::Result<ProcessTable> {
        let table = process::process_table()?;
        self.add_later_ones(&table);
        let ids = table.descendants(self.own).into_iter().map(|entry| entry.id);
        self.seen.extend(ids.filter(|id| !self.before.contains(id)));
        Ok(table)
    }

    /// Finds out which of these processes are descendants, for [`Descendants::has`].
    pub(crate) fn assign(&mut self, ids: &BTreeSet<ProcessId>) {
        if ids.iter().all(|id| self.has(*id).is_some()) {
            return;
        }
        // Without a table they stay unknown.
        let Ok(table) = self.see() else { return };
        let is_no_descendant = |id: &ProcessId| {
            // A parent that ended while the table was read breaks the line to the first process.
            let has_whole_line = || table.ancestors(id.pid).last().is_some_and(|first| first.parent == 0);
            self.was_there(*id) || !self.seen.contains(id) && table.find(*id).is_some() && has_whole_line()
        };
        let others: Vec<ProcessId> = ids.iter().filter(|id| is_no_descendant(id)).copied().collect();
        self.others.extend(others);
    }

    /// Returns whether a process is a descendant. `None` if that is unknown, because it had ended before it was seen.
    pub(crate) fn has(&self, id: ProcessId) -> Option<bool> {
        let is_seen = self.seen.contains(&id);
        let is_older = id.start.zip(self.own_start).is_some_and(|(start, own)| start < own);
        (is_seen || is_older || self.others.contains(&id)).then_some(is_seen)
    }

    /// Adds what those that were there before have started since.
    fn add_later_ones(&mut self, table: &ProcessTable) {
        let of_those = |id: &ProcessId| table.find(*id).map(|entry| table.descendants(entry.id.pid));
        let later: Vec<ProcessId> =
            self.before.iter().filter_map(of_those).flatten().map(|entry| entry.id).collect();
        self.before.extend(later);
        self.before.sort_unstable();
        self.before.dedup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_is_not_zero_stays_so() {
        for (end, status) in [
            (CommandEnd::Exited(0), 0),
            (CommandEnd::Exited(7), 7),
            (CommandEnd::Exited(256), 1),
            (CommandEnd::Exited(-1), 255),
            (CommandEnd::Signalled(2), 130),
            (CommandEnd::Signalled(64), 192),
            (CommandEnd::Signalled(200), 255),
        ] {
            assert_eq!(end.status(), status, "{end:?}");
        }
    }
}
