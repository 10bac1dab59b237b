//! Finds what restarts a process after it ends: service supervisors, process managers, file watchers, a server's own main
//! process, a loop in a shell. Pure: the input is a process table and the facts that [`Sources`] reads. It ends nothing
//! and runs nothing. systemd is not included: its units are known by their cgroups, not by a parent.
//!
//! `docs/supervisors.md` lists the measured behaviour of each restarter.

mod circus;
mod command_match;
mod held;
mod masters;
mod parent_role;
mod pm2;
mod program;
mod roles;
mod service_folder;
mod shell_loop;
mod supervisord;
names! { RestarterKind, "kind of restarter":
    Runit => "runit",
    S6 => "s6",
    Daemontools => "daemontools",
    Openrc => "openrc",
    Supervisord => "supervisord",
    Circus => "circus",
    Pm2 => "pm2",
    ShellLoop => "shell-loop",
    FileWatcher => "file-watcher",
    ServerMaster => "server-master",
    ProcessManager => "process-manager",
}

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::names::names;
use crate::model::process_table::ProcessTable;
use crate::model::{Process, ProcessId, Text};
pub(crate) use held::{HeldFor, HolderKind, holds_for_others, stop_for_port};
use parent_role::{ParentRole, RestartSetting};
use program::Program;
pub(crate) use shell_loop::sleeps;

/// What restarts a process after it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RestartingProcess {
    /// The kind of program.
    pub(crate) kind: RestarterKind,
    /// The process.
    pub(crate) id: ProcessId,
    /// The name of its program, such as `supervisord` if the process is named `python3`.
    pub(crate) name: Text,
    /// The user it runs as. Its commands need that user or root.
    pub(crate) uid: Option<u32>,
    /// Its name for what it runs: a program of supervisord, a watcher of circus, a service folder.
    pub(crate) program: Option<Text>,
    /// What makes it restart the program.
    pub(crate) trigger: Trigger,
    /// The longest time between the end and the next start, without the program's own startup time. `None` if that is
    /// unknown.
    pub(crate) delay: Option<Duration>,
    /// How certain the restart is.
    pub(crate) certainty: Certainty,
    /// What stops the program without a restart.
    pub(crate) stop: Stop,
}

/// The kinds of programs that restart others.
///
/// ```
/// use allears::{FreeOptions, Restarter, RestarterKind, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     let by_loop = |by: &Restarter| matches!(by, Restarter::Process { kind: RestarterKind::ShellLoop, .. });
///     println!("a loop starts it again: {}", plan.restarts().iter().any(|restart| by_loop(&restart.by)));
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RestarterKind {
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
    /// A program that restarts another one when a file changes: nodemon, watchexec, `uvicorn --reload`.
    FileWatcher,
    /// A server's own main process, which replaces workers that end: gunicorn, granian, nginx.
    ServerMaster,
    /// Another process manager that is configured to restart: `overmind --auto-restart`, autossh.
    ProcessManager,
}

impl RestarterKind {
    /// Returns whether it is a supervisor, which has commands for single programs.
    pub(crate) fn is_supervisor(self) -> bool {
        use RestarterKind::{Circus, Daemontools, Openrc, Pm2, Runit, S6, Supervisord};
        matches!(self, Runit | S6 | Daemontools | Openrc | Supervisord | Circus | Pm2)
    }
}

/// Returns whether a supervisor, if the parent is one, restarts the child.
type FindSupervisor = fn(&Process, &Program, &Process, &mut dyn Sources) -> Option<RestartSetting>;

/// The supervisors, each in a file of this folder.
const SUPERVISORS: [FindSupervisor; 4] =
    [service_folder::restarter, supervisord::restarter, circus::restarter, pm2::restarter];

/// What makes a restarter restart the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trigger {
    /// Its end, whatever the exit code.
    End,
    /// Its end by a signal, or with an exit code that means a failure. A server that handles SIGTERM and exits with 0 is
    /// not restarted.
    Failure,
    /// A changed file. After the program ends, the restarter waits for a change.
    FileChange,
}

/// How certain a restart is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    /// The program and its configuration allow no other outcome.
    Certain,
    /// A deciding fact could not be read, or another process is between the restarter and the program.
    Likely,
}

/// What stops a program without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A command, as unquoted words.
    Command(Vec<Text>),
    /// Ending the restarter itself, which ends what it runs.
    EndRestarter,
    /// Unknown, because the program's name could not be determined. This command lists what the restarter runs.
    FindName(Vec<Text>),
    /// No command on this machine: the restarter is in another pid namespace, or cannot be addressed.
    Unknown,
}

/// Reads facts from the system for the search for restarters.
pub(crate) trait Sources {
    /// Returns facts about exactly these processes, by pid.
    fn describe(&mut self, ids: &[ProcessId]) -> BTreeMap<u32, Process>;

    /// Returns the content of a regular file at an absolute path in the mount namespace of `viewer`. `None` if it is
    /// longer than [`LONGEST_FILE`].
    fn file(&mut self, viewer: ProcessId, path: &Text) -> Option<Vec<u8>>;

    /// Returns the sorted names in a folder at an absolute path in the mount namespace of `viewer`.
    fn folder(&mut self, viewer: ProcessId, path: &Text) -> Option<Vec<Text>>;

    /// Returns whether a process is in another pid namespace than this program, so that its commands cannot run here.
    fn is_elsewhere(&mut self, id: ProcessId) -> bool;

    /// Returns the user this program runs as.
    fn own_uid(&mut self) -> Option<u32>;
}

/// The longest file that is read for a restarter. Configurations and scripts are shorter.
pub(crate) const LONGEST_FILE: u64 = 256 * 1024;

/// Returns what would restart a process, the nearest first. The last one is the outermost, which also restarts what is
/// between. A restarter that is ended too restarts nothing: the caller has to leave those out.
pub(crate) fn restarters(
    process: &Process,
    table: &ProcessTable,
    sources: &mut dyn Sources,
) -> Vec<RestartingProcess> {
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

/// Returns whether a command takes a foreign text as a name. Many take one that begins with a hyphen as an option.
fn is_plain(name: &Text) -> bool {
    !name.is_empty() && !name.as_bytes().starts_with(b"-")
}
