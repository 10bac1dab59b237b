//! A process and what it holds. Facts alone: how they are found out is the business of `os`.

use jiff::Timestamp;

use super::names::names;
use super::{ContainerRuntime, ServiceManager, ServiceScope, Text, UnknownUser};

/// A process named so that another one which was given the same pid later is not mistaken for it.
///
/// ```
/// use allears::Query;
///
/// // Two processes that had the same pid one after the other differ.
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
    /// When it began, in the operating system's own unit (Linux: clock ticks since boot; Windows: microseconds
    /// since 1970; elsewhere seconds since 1970). Good for comparing and for nothing else. `None` where it could not be read.
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
    /// Which one it is.
    pub id: ProcessId,
    /// Its full name, not the first 15 bytes of it where more is known.
    pub name: Text,
    /// Its command line; `None` where it could not be read, empty where it has none.
    pub command: Option<Vec<Text>>,
    /// What it runs, where its name is that of an interpreter or a launcher: `vite`, `manage.py runserver`.
    pub script: Option<Text>,
    /// What became of the script that its interpreter was given by an absolute path; `None` as for the program's file.
    pub script_change: Option<FileChange>,
    /// The program's file.
    pub executable: Option<Text>,
    /// What became of that file since the process was started; `None` if it is still there, and if the system does not
    /// tell. Linux alone tells.
    pub executable_change: Option<FileChange>,
    /// Its working directory.
    pub directory: Option<Text>,
    /// The project its working directory belongs to.
    pub project: Option<Project>,
    /// The user it runs as (the effective one).
    pub uid: Option<u32>,
    /// That user's name.
    pub user: Option<Text>,
    /// Why `uid` is `None` although the system usually reports it. Linux only.
    pub unknown_user: Option<UnknownUser>,
    /// When it began, to the second.
    pub started_at: Option<Timestamp>,
    /// Its parent, or with [`crate::Query::parents`] the whole ancestry, the nearest first.
    pub parents: Vec<Parent>,
    /// What keeps it running or started it, the nearest one known: a service manager, a terminal, an editor.
    pub supervisor: Option<Supervisor>,
    /// The service it belongs to.
    pub service: Option<Service>,
    /// The container it runs in.
    pub container: Option<Container>,
    /// What keeps it from running; `None` if it runs, or if the system does not tell. Linux: signals, debuggers and
    /// frozen cgroups. macOS: signals. Windows does not tell.
    pub condition: Option<Condition>,
}

/// What became of a file that a process was started from. The process runs on; what a restart would run is another
/// matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FileChange {
    /// There is no file of that name any more.
    Removed,
    /// Another file has that name, as after an upgrade.
    Replaced,
    /// It was removed or replaced. Which of the two may not be read.
    Deleted,
    /// It was in memory from the start and never had a name (memfd_create(2)).
    Memory,
    /// Its file system is mounted nowhere any more.
    Unmounted,
}

/// What keeps a process from running. It keeps its sockets meanwhile: the kernel completes connections for it, and nobody
/// answers them.
///
/// ```
/// use allears::{Condition, Query};
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         match holder.process.condition {
///             Some(Condition::Stopped { shell }) => println!("stopped, by {shell:?}"),
///             Some(other) => println!("{}", other.as_str()),
///             None => {}
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Condition {
    /// A signal stopped it: SIGSTOP, or Ctrl-Z in its terminal. SIGCONT resumes it.
    Stopped {
        /// The shell that it is a job of. `None` if it is no shell's job, or if that was not looked up.
        shell: Option<Parent>,
    },
    /// The process that traces it, a debugger as a rule, stopped it.
    Traced {
        /// The tracer. `None` if it is outside of this pid namespace, or was not looked up.
        tracer: Option<Parent>,
    },
    /// Its cgroup is frozen, as that of a paused container.
    Frozen(Freezer),
}

/// The cgroup that was frozen: the process's own, or one above it.
///
/// ```
/// use allears::{Condition, Query};
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         if let Some(Condition::Frozen(freezer)) = holder.process.condition {
///             println!("{} is frozen", freezer.cgroup.to_string_lossy());
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Freezer {
    /// The version of cgroups, 1 or 2. SIGKILL ends a process that version 2 froze, and none that version 1 froze.
    pub version: u8,
    /// The cgroup's path in its tree, as /proc/PID/cgroup writes it.
    pub cgroup: Text,
    /// The file that thaws it. `None` if that is outside of what is mounted here.
    pub control: Option<Text>,
    /// What the cgroup is, if it is exactly that of the process's container or service.
    pub scope: Option<FreezerScope>,
}

/// What a frozen cgroup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FreezerScope {
    /// The process's container.
    Container,
    /// The process's service.
    Service,
}

/// One of a process's ancestors.
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
pub struct Parent {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub name: Text,
}

impl Process {
    /// A process of which no more is known.
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
            supervisor: None,
            service: None,
            container: None,
            condition: None,
        }
    }
}

/// An ancestor of a process that tells why it runs.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         if let Some(supervisor) = holder.process.supervisor {
///             println!("started by {} ({})", supervisor.name.to_string_lossy(), supervisor.pid);
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Supervisor {
    /// What kind of thing it is: `systemd`, `supervisord`, `tmux`, `ssh`, `cron`, `vscode`, ...
    pub kind: Text,
    /// Its process id.
    pub pid: u32,
    /// Its process name.
    pub name: Text,
    /// Whether what it started has a terminal of its making: a pane of tmux, the terminal in an editor. `None` where
    /// the system does not tell.
    pub terminal: Option<bool>,
}

/// The nearest folder above a working directory that looks like the root of a project.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         if let Some(project) = holder.process.project {
///             println!("{} at {:?}", project.directory.to_string_lossy(), project.head);
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Project {
    /// The folder.
    pub directory: Text,
    /// What marks it: `.git`, `Cargo.toml`, ...
    pub marker: Text,
    /// What git has checked out there now.
    pub head: Option<GitHead>,
    /// The name of the git worktree, where the folder is one that was added to a repository.
    pub worktree: Option<Text>,
}

/// What is checked out in a git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum GitHead {
    /// A branch, by its name below `refs/heads/`.
    Branch(Text),
    /// No branch, but a commit, by the first digits of its id.
    Commit(Text),
}

impl GitHead {
    /// How many digits of a commit are kept.
    pub(crate) const COMMIT_DIGITS: usize = 10;

    fn looks_like_commit(name: &[u8]) -> bool {
        name.len() == GitHead::COMMIT_DIGITS && name.iter().all(u8::is_ascii_hexdigit)
    }

    /// Returns the one text for it that documents have: the name of the branch, or the digits of the commit. A branch that
    /// could be taken for a commit is `heads/` and its name, as git writes it.
    pub(crate) fn to_text(&self) -> Text {
        match self {
            GitHead::Branch(name) if GitHead::looks_like_commit(name.as_bytes()) => {
                [b"heads/".as_slice(), name.as_bytes()].concat().into()
            }
            GitHead::Branch(text) | GitHead::Commit(text) => text.clone(),
        }
    }

    /// Returns what a text of a document stands for.
    pub(crate) fn from_text(text: Text) -> GitHead {
        let bytes = text.as_bytes();
        let branch = bytes.strip_prefix(b"heads/").filter(|name| GitHead::looks_like_commit(name));
        match branch {
            Some(name) => GitHead::Branch(name.into()),
            None if GitHead::looks_like_commit(bytes) => GitHead::Commit(text),
            None => GitHead::Branch(text),
        }
    }
}

/// A service as its manager names it.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         if let Some(service) = holder.process.service {
///             println!("a part of {}", service.name.to_string_lossy());
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Service {
    /// Who manages it.
    pub manager: ServiceManager,
    /// Its name there.
    pub name: Text,
    /// Whether it is one of the system or of a user.
    pub scope: ServiceScope,
    /// For a service of a user's own manager: that user's uid. `None` for the system's manager, and if unknown.
    pub uid: Option<u32>,
    /// For a socket unit of systemd: the service it starts.
    pub activates: Option<Text>,
}

impl Service {
    /// Whether it is a socket unit of systemd's, which holds the port itself.
    pub(crate) fn is_socket_unit(&self) -> bool {
        self.manager == ServiceManager::Systemd && self.name.as_bytes().ends_with(b".socket")
    }
}

/// A container.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     if let Some(container) = listener.container {
///         println!("port {:?} of container {}", container.port, container.id.to_string_lossy());
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Container {
    /// What runs it.
    pub runtime: ContainerRuntime,
    /// Its id there.
    pub id: Text,
    /// For a container of a user's own engine (rootless): that user's uid. `None` for the system's engine, and if
    /// unknown.
    pub uid: Option<u32>,
    /// Its name.
    pub name: Option<Text>,
    /// The image it was made from.
    pub image: Option<Text>,
    /// The port inside.
    pub port: Option<u16>,
    /// The Compose project and service it is part of.
    pub compose: Option<Compose>,
}

/// What Compose calls a container.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     if let Some(compose) = listener.container.and_then(|container| container.compose) {
///         println!("a part of the project {}", compose.project.to_string_lossy());
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Compose {
    /// The project.
    pub project: Text,
    /// The service in it.
    pub service: Option<Text>,
}

/// How it is known that a process holds a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// Seen in the process's descriptor table.
    Descriptor,
    /// The process belongs to the socket's cgroup. Likely, not certain.
    Cgroup,
    /// The operating system's own table names the process.
    Table,
    /// macOS: the last process that used the socket. Likely, not certain.
    LastUser,
    /// macOS: netstat names the process as the last one that used the socket. Likely, not certain.
    Netstat,
    /// The process belongs to the socket's user, and its descriptors may not be read. Possible, not certain.
    User,
    /// The process's command line names the port, and its descriptors may not be read. Possible, not certain.
    Arguments,
    /// The process has the name of a service that the port or the socket's unit stands for, and its descriptors may not
    /// be read. Possible, not certain.
    Name,
    /// The process's cgroup or user listens on other ports, and its descriptors may not be read. Possible, not certain.
    Listens,
    /// The process is one of the few whose descriptors may not be read. Nothing else speaks for it.
    Unread,
    /// Descriptors are on their way to the process in a message. The socket may be among them.
    Message,
    /// Linux: the process has the socket mapped into its memory.
    Mapping,
    /// Linux: a thread of the process waits in this system call on a descriptor that is closed, and keeps some socket
    /// open that way. Likely, not certain.
    WaitsIn(Call),
    /// Linux: the process has an io_uring with files or requests that the kernel does not name. Possible, not certain.
    Ring,
    /// Linux: the process has a context of asynchronous I/O (io_setup(2)). Possible, not certain.
    Aio,
    /// Windows: the process is a child of the one that opened the socket and has ended, and may have inherited its
    /// handle. Possible, not certain.
    Child,
}

/// A system call that waits on a file, and keeps it open meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Call {
    /// accept(2), accept4(2).
    Accept,
    /// recv(2) and its like, read(2).
    Receive,
    /// send(2) and its like, write(2).
    Send,
    /// connect(2).
    Connect,
    /// poll(2), ppoll(2).
    Poll,
    /// select(2), pselect(2).
    Select,
}

/// A process that has a socket open.
///
/// ```
/// use allears::{Evidence, Query};
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         if holder.evidence != Evidence::Descriptor {
///             println!("process {} is known by {}", holder.process.id.pid, holder.evidence);
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Holder {
    /// The process.
    pub process: Process,
    /// The numbers under which it has the socket open, ascending. Empty where the system does not say.
    pub descriptors: Vec<u32>,
    /// How this is known.
    pub evidence: Evidence,
}

impl Condition {
    /// The condition's name: `stopped`, `traced`, `frozen`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Condition::Stopped { .. } => "stopped",
            Condition::Traced { .. } => "traced",
            Condition::Frozen(_) => "frozen",
        }
    }
}

impl Call {
    /// The call's name as manuals have it: `accept(2)`.
    pub(crate) fn manual(self) -> &'static str {
        match self {
            Call::Accept => "accept(2)",
            Call::Receive => "recv(2)",
            Call::Send => "send(2)",
            Call::Connect => "connect(2)",
            Call::Poll => "poll(2)",
            Call::Select => "select(2)",
        }
    }
}

impl Evidence {
    /// Whether it tells of a process that holds a socket, or may hold it, in no descriptor table.
    pub(crate) fn is_without_descriptor(self) -> bool {
        matches!(self, Evidence::Mapping | Evidence::WaitsIn(_) | Evidence::Ring | Evidence::Aio)
    }
}

names! { FileChange, "file change":
    Removed => "removed",
    Replaced => "replaced",
    Deleted => "deleted",
    Memory => "memory",
    Unmounted => "unmounted",
}

names! { FreezerScope, "freezer scope":
    Container => "container",
    Service => "service",
}

names! { Evidence, "evidence":
    Descriptor => "descriptor",
    Cgroup => "cgroup",
    Table => "table",
    LastUser => "last-user",
    Netstat => "netstat",
    User => "user",
    Arguments => "arguments",
    Name => "name",
    Listens => "listens",
    Unread => "unread",
    Message => "message",
    Mapping => "mapping",
    WaitsIn(Call::Accept) => "waits-in-accept",
    WaitsIn(Call::Receive) => "waits-in-recv",
    WaitsIn(Call::Send) => "waits-in-send",
    WaitsIn(Call::Connect) => "waits-in-connect",
    WaitsIn(Call::Poll) => "waits-in-poll",
    WaitsIn(Call::Select) => "waits-in-select",
    Ring => "io-uring",
    Aio => "aio",
    Child => "child",
}

names! { Call, "system call":
    Accept => "accept",
    Receive => "recv",
    Send => "send",
    Connect => "connect",
    Poll => "poll",
    Select => "select",
}
