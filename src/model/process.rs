//! A process, as the operating system reports it. `os` reads the facts.

mod condition;
mod container;
mod holder;
mod project;
mod service;
mod supervisor;

use jiff::Timestamp;

use super::names::names;
use super::{Text, UnknownUser};

pub use condition::{Condition, Freezer, FreezerScope};
pub use container::{Compose, Container};
pub use holder::{Evidence, Holder, WaitingCall};
pub use project::{GitHead, Project};
pub use service::Service;
pub use supervisor::{Supervisor, SupervisorKind};

/// The identity of a process. A later process with the same pid has another one.
///
/// ```
/// use allears::Query;
///
/// let pid = std::process::id();
/// for listener in Query::new().pid(pid).scan()?.listeners {
///     assert!(listener.holders.iter().any(|holder| holder.process.id.pid == pid));
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ProcessId {
    /// The process id.
    pub pid: u32,
    /// The start time in the operating system's unit (Linux: clock ticks since boot; Windows: microseconds since 1970;
    /// macOS: seconds since 1970). Use it only for comparison. `None` if it could not be read.
    pub start: Option<u64>,
}

/// A process.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         let process = holder.process;
///         println!("{} ({}) in {:?}", process.name.to_string_lossy(), process.id.pid, process.directory);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Process {
    /// The pid and the start time.
    pub id: ProcessId,
    /// Its name, in full if more than the kernel's first 15 bytes is known.
    pub name: Text,
    /// Its command line. `None` if it could not be read; empty if the process has none.
    pub command: Option<Vec<Text>>,
    /// The script or tool that it runs, if its name is that of an interpreter or a launcher: `vite`, `manage.py runserver`.
    ///
    /// It is a name and not a sentence: words of the command line, or those by which a known tool calls itself. A file, a
    /// module, a jar and a subcommand are not told apart, so it has no type of its own. Escape it before you print it.
    pub script: Option<Text>,
    /// How the script's file has changed since the process started, if the command line has its absolute path. `None` as
    /// for `executable_change`.
    pub script_change: Option<FileChange>,
    /// The program's file.
    pub executable: Option<Text>,
    /// How that file has changed since the process started. `None` if it is unchanged or the system does not report it.
    /// Linux only.
    pub executable_change: Option<FileChange>,
    /// Its working directory.
    pub directory: Option<Text>,
    /// The project that its working directory belongs to.
    pub project: Option<Project>,
    /// The effective user id.
    pub uid: Option<u32>,
    /// The name of that user.
    pub user: Option<Text>,
    /// Why `uid` is `None` although the system usually reports it. Linux only.
    pub unknown_user: Option<UnknownUser>,
    /// The start time, to the second.
    pub started_at: Option<Timestamp>,
    /// Its parent, or all its ancestors with [`crate::Query::parents`], the nearest first.
    pub parents: Vec<RelatedProcess>,
    /// Its children, ascending by pid, without those that have ended. `None` without [`crate::Query::parents`], or if the
    /// system's processes could not be read.
    pub children: Option<Vec<RelatedProcess>>,
    /// The nearest known ancestor that explains why it runs: a service manager, a terminal, an editor.
    pub supervisor: Option<Supervisor>,
    /// The service it belongs to.
    pub service: Option<Service>,
    /// The container it runs in.
    pub container: Option<Container>,
    /// Why it does not run. `None` if it runs, or if the system does not report it. Linux reports signals, debuggers and
    /// frozen cgroups, macOS signals, Windows nothing.
    pub condition: Option<Condition>,
}

impl Process {
    /// Returns a process with no other facts.
    pub(crate) fn new(id: ProcessId, name: Text) -> Process {
        Process {
            id,
            name,
            command: None,
            script: None,
            script_change: None,
            executable: None,
            executable_change: None,
            directory: None,
            project: None,
            uid: None,
            user: None,
            unknown_user: None,
            started_at: None,
            parents: Vec::new(),
            children: None,
            supervisor: None,
            service: None,
            container: None,
            condition: None,
        }
    }
}

/// The pid and the name of a process that is related to another one: an ancestor, a child, a debugger.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().parents(true).scan()?.listeners {
///     for holder in listener.holders {
///         let line: Vec<String> = holder.process.parents.iter().map(|it| it.name.to_string_lossy().into()).collect();
///         println!("{}", line.join(" < "));
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RelatedProcess {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub name: Text,
}

/// How a file from which a process was started has changed. The process still runs the old file; a restart would not.
///
/// ```
/// use allears::{FileChange, Query};
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         if holder.process.executable_change == Some(FileChange::Replaced) {
///             println!("a restart of process {} runs another file", holder.process.id.pid);
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FileChange {
    /// The file was removed.
    Removed,
    /// Another file has its name, for instance after an upgrade.
    Replaced,
    /// The file was removed or replaced. Which of the two could not be read.
    Deleted,
    /// The file exists only in memory and never had a name (memfd_create(2)).
    Memory,
    /// Its file system was unmounted.
    Unmounted,
}

names! { FileChange, "file change":
    Removed => "removed",
    Replaced => "replaced",
    Deleted => "deleted",
    Memory => "memory",
    Unmounted => "unmounted",
}
