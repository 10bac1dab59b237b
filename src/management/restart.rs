//! What starts a process again after it has ended: service supervisors, process managers, file watchers, a server's own
//! main process, a loop in a shell. Pure: a table of processes and what [`Sources`] reads of them go in. It ends nothing
//! and runs nothing. systemd is not among them: its units are known by their cgroups, not by a parent.
//!
//! `docs/supervisors.md` lists what each of them was measured to do.

mod circus;
mod command_match;
mod held;
mod ini;
mod masters;
mod pm2;
mod program;
mod roles;
mod service_folder;
mod shell_loop;
mod supervisord;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::process_table::ProcessTable;
use crate::model::{Process, ProcessId, Text};
pub(crate) use held::{HeldFor, holds_for_others, stop_for_port};
use program::Program;
use roles::ParentRole;
pub(crate) use shell_loop::sleeps;

/// What starts a process again after it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restarter {
    /// What kind of program does it.
    pub(crate) kind: RestarterKind,
    /// The process that does it.
    pub(crate) id: ProcessId,
    /// The name of the program that does it: `supervisord` where the process is called `python3`.
    pub(crate) name: Text,
    /// The user it runs as; its commands need that user or root.
    pub(crate) uid: Option<u32>,
    /// Its own name for what it runs: a program of supervisord, a watcher of circus, a service folder.
    pub(crate) program: Option<Text>,
    /// What makes it start the program again.
    pub(crate) trigger: Trigger,
    /// The longest it waits between the end and the next start, without the program's own time to start; `None` where
    /// that is unknown.
    pub(crate) delay: Option<Duration>,
    /// How sure it is that it does.
    pub(crate) certainty: Certainty,
    /// What stops the program so that it stays down.
    pub(crate) stop: Stop,
}

/// The kinds of programs that start others again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RestarterKind {
    /// runsv of runit.
    Runit,
    /// s6-supervise.
    S6,
    /// supervise of daemontools.
    Daemontools,
    /// supervise-daemon of OpenRC.
    Openrc,
    /// supervisord.
    Supervisord,
    /// circusd.
    Circus,
    /// The daemon of pm2, or pm2-runtime.
    Pm2,
    /// A loop in a shell script.
    ShellLoop,
    /// A program that starts another one anew when a file changes: nodemon, watchexec, `uvicorn --reload`.
    FileWatcher,
    /// A server's own main process, which replaces a worker that ended: gunicorn, granian, nginx.
    ServerMaster,
    /// Another manager of processes that was told to start them again: `overmind --auto-restart`, autossh.
    ProcessManager,
}

/// What makes a restarter start the program again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trigger {
    /// Its end, whatever the exit code.
    End,
    /// An end by a signal or with a code that stands for a failure. A server that handles SIGTERM and exits with 0 stays
    /// down.
    Failure,
    /// A changed file, not the end as such: the restarter stays and waits.
    FileChange,
}

/// How sure a restart is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    /// What is known of the program and its configuration leaves no other possibility.
    Certain,
    /// Something that decides could not be read, or lies between the restarter and the process.
    Likely,
}

/// What stops a program so that its restarter does not start it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// One command, as words that are not quoted yet.
    Command(Vec<Text>),
    /// To end the restarter itself, and with it what it runs.
    EndRestarter,
    /// The program's name could not be determined; this command lists what the restarter runs.
    FindName(Vec<Text>),
    /// No command of this machine does it: the restarter is in another pid namespace, or cannot be addressed.
    Unknown,
}

/// What is read of the system while restarters are looked for.
pub(crate) trait Sources {
    /// Returns facts of exactly these processes, by pid.
    fn describe(&mut self, ids: &[ProcessId]) -> BTreeMap<u32, Process>;

    /// Returns the content of a regular file at an absolute path, as that process sees it, if it is not longer than
    /// [`LONGEST_FILE`].
    fn file(&mut self, viewer: ProcessId, path: &Text) -> Option<Vec<u8>>;

    /// Returns the names in a folder at an absolute path, as that process sees it, sorted.
    fn folder(&mut self, viewer: ProcessId, path: &Text) -> Option<Vec<Text>>;

    /// Whether a process is in a pid namespace other than this program's, so that commands there are not those of here.
    fn is_elsewhere(&mut self, id: ProcessId) -> bool;

    /// Returns the user this program runs as.
    fn own_uid(&mut self) -> Option<u32>;
}

/// The longest file that is read for a restarter: configurations and scripts are shorter.
pub(crate) const LONGEST_FILE: u64 = 256 * 1024;

/// Returns what would start a process again after its end, the nearest first. The last one is the outermost, which would
/// also start again what lies between. A restarter whose own process is ended as well restarts nothing: leaving those out
/// is up to the caller.
pub(crate) fn restarters(
    process: &Process,
    table: &ProcessTable,
    sources: &mut dyn Sources,
) -> Vec<Restarter> {
    let ancestors: Vec<ProcessId> =
        table.ancestors(process.id.pid).into_iter().map(|entry| entry.id).collect();
    let described = sources.describe(&ancestors);
    let mut found = Vec::new();
    let mut certainty = Certainty::Certain;
    let mut child = process;
    for id in ancestors {
        let Some(parent) = described.get(&id.pid) else { break };
        let program = Program::from_process(parent);
        match roles::role(parent, &program, child, sources) {
            ParentRole::Restarts(mut restarter) => {
                restarter.certainty = restarter.certainty.max(certainty);
                if sources.is_elsewhere(id) && restarter.stop != Stop::EndRestarter {
                    restarter.stop = Stop::Unknown;
                }
                found.push(*restarter);
                certainty = Certainty::Certain;
            }
            ParentRole::Wrapper => {}
            ParentRole::Other => certainty = Certainty::Likely,
            ParentRole::Boundary => break,
        }
        child = parent;
    }
    found
}

/// Whether a command takes a text from outside as the name that it is: one that begins with a hyphen is an option to
/// many.
fn is_plain(name: &Text) -> bool {
    !name.is_empty() && !name.as_bytes().starts_with(b"-")
}
