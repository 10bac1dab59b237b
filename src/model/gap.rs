//! What could not be read: of what, why, how much, and what would help. Facts only; the sentences are made by `render`.

use std::net::SocketAddr;
use std::time::Duration;

use super::open_enum::open_enum;
use super::{Family, Protocol, Selection, Target, Text};

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Gap {
    /// What could not be read.
    pub what: GapKind,
    /// Why it could not.
    pub reason: GapReason,
    /// How many.
    pub count: u64,
    /// What is known of it besides.
    pub detail: GapDetail,
    /// What would help.
    pub help: Option<Help>,
}

open_enum! {
    /// What a [`Gap`] is about.
    ///
    /// ```
    /// use allears::GapKind;
    ///
    /// assert_eq!(GapKind::SystemCalls.to_string(), "system-calls");
    /// assert_eq!("sockets".parse(), Ok(GapKind::Sockets));
    /// assert!(matches!("of-a-later-version".parse(), Ok(GapKind::Other(_))));
    /// ```
    GapKind {
        /// The command lines of processes.
        Command = "command",
        /// The containers behind listeners.
        Containers = "containers",
        /// The descriptor tables of processes.
        Descriptors = "descriptors",
        /// What the system passes on to another address or port.
        Forwarding = "forwarding",
        /// The holders of listeners, where a filter asks for some.
        Holders = "holders",
        /// The system's limits on ports.
        Limits = "limits",
        /// Network namespaces.
        Namespaces = "namespaces",
        /// What is at the paths of Unix sockets.
        Paths = "paths",
        /// Processes.
        Processes = "processes",
        /// The projects that processes run in.
        Project = "project",
        /// The services behind listeners.
        Services = "services",
        /// The snapshot itself.
        Snapshot = "snapshot",
        /// The socket table.
        Sockets = "sockets",
        /// The states of sockets.
        State = "state",
        /// The system calls that threads wait in.
        SystemCalls = "system-calls",
        /// The users of sockets and processes, where a filter asks for some.
        Users = "users",
    }
}

open_enum! {
    /// Why something could not be read.
    ///
    /// ```
    /// use allears::GapReason;
    ///
    /// assert_eq!(GapReason::HiddenProc.to_string(), "hidden-proc");
    /// assert_eq!("permission".parse(), Ok(GapReason::Permission));
    /// ```
    GapReason {
        /// Nothing answers.
        Absent = "absent",
        /// Sockets that are bound and do not listen are in no table that was read.
        Bound = "bound",
        /// It changed while it was read.
        Changed = "changed",
        /// The system returned an error.
        Error = "error",
        /// This /proc hides processes of other users.
        HiddenProc = "hidden-proc",
        /// It is on its way from one process to another.
        InFlight = "in-flight",
        /// It may be in a network namespace that cannot be seen.
        Namespace = "namespace",
        /// netlink did not answer, and a source that tells less was read.
        Netlink = "netlink",
        /// The snapshot was not asked about it.
        NotAsked = "not-asked",
        /// It was read, and its meaning is not known.
        NotUnderstood = "not-understood",
        /// This process may not read it.
        Permission = "permission",
        /// It is outside of this pid namespace.
        PidNamespace = "pid-namespace",
        /// A socket is in no table that was read.
        Socket = "socket",
        /// No thread can be started.
        Threads = "threads",
        /// No answer came in time.
        Timeout = "timeout",
        /// It is too long to keep.
        TooLong = "too-long",
        /// What was asked knows nothing of it.
        Unknown = "unknown",
        /// Its form is not known.
        Unreadable = "unreadable",
        /// Holders that were not seen decide.
        Unseen = "unseen",
        /// The system does not tell it.
        Unsupported = "unsupported",
        /// It was gone before it was read.
        Vanished = "vanished",
    }
}

/// The facts of a [`Gap`], from which its sentence is made: `gap.to_string()`. How many there are says [`Gap::count`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum GapDetail {
    /// Something failed: what was attempted, and what the system said.
    Failed(Text),
    /// Command lines of processes are longer than this many bytes, and were cut.
    LongCommands {
        /// How many bytes of each are kept.
        kept: u64,
    },
    /// Containers whose names and images are not known, and ports that are forwarded to containers.
    Containers {
        /// How many containers; 0 if only ports are in question.
        containers: usize,
        /// Why their runtime told nothing.
        runtime: SilentRuntime,
        /// Whether ports are in question, and the rules that forward them may not be read either.
        rules_unread: bool,
    },
    /// The descriptor tables of processes, and what the system said if it was an error.
    Descriptors(Option<Text>),
    /// Whether these addresses, which a container publishes, are forwarded to it.
    PublishedLoopback(Vec<SocketAddr>),
    /// Rules that forward connections.
    ForwardingRules(Vec<UnreadRules>),
    /// Listeners whose holders could not all be seen, where a filter asks for some.
    UnseenHolders,
    /// A file with limits of the system.
    Limit {
        /// The file.
        path: Text,
        /// What the system said.
        error: Text,
    },
    /// What Windows' program netsh did not list.
    Netsh {
        /// What it was asked for.
        list: NetshList,
        /// What became of that.
        error: Text,
    },
    /// Network namespaces that the kernel lists and that may not be opened.
    ListedNamespaces,
    /// The network namespaces that are mounted in mount namespaces, and what the system said if it was an error.
    MountedNamespaces(Option<Text>),
    /// Those that are mounted, because no thread can be started.
    MountsWithoutThread(Text),
    /// Network namespaces that descriptors of processes alone keep, and what the system said if it was an error.
    DescriptorNamespaces(Option<Text>),
    /// The network namespaces of sockets that processes have open and no socket table has.
    UnplacedSockets,
    /// Descriptors that wait in messages and may keep network namespaces.
    WaitingDescriptors,
    /// Network namespaces of processes that this /proc hides.
    HiddenNamespaces,
    /// Network namespaces of processes outside of this pid namespace.
    OutsideNamespaces,
    /// Network namespaces that may not be opened: those of processes, and those that are named in folders.
    ClosedNamespaces {
        /// How many processes.
        processes: usize,
        /// The folders.
        folders: Vec<Text>,
    },
    /// The network namespaces that are named in a folder, perhaps one of several.
    NamedNamespaces {
        /// The folder.
        folder: Text,
        /// What the system said.
        error: Text,
    },
    /// Network namespaces that were read by /proc/PID/net, because no thread can be started to enter them.
    NamespacesWithoutThread,
    /// Network namespaces that were read by /proc/PID/net, because they may not be entered.
    NamespacesNotEntered,
    /// Which socket a path leads to.
    Path {
        /// The path.
        path: Text,
        /// Why that is not known.
        error: Text,
    },
    /// A path leads to a socket that is in no table that was read.
    PathOfUnknownSocket(Text),
    /// Processes of other users: /proc is mounted with hidepid.
    HiddenProcesses,
    /// /proc shows another pid namespace than the one of this process.
    ForeignProc,
    /// Processes outside of this pid namespace.
    OutsideProcesses,
    /// The projects of working directories, and why they are not known.
    Projects(Text),
    /// systemd did not tell of its socket units.
    Systemd {
        /// The user whose manager it is; `None` for the system's.
        uid: Option<u32>,
        /// What it said instead.
        error: Text,
    },
    /// launchctl did not list the labels of jobs.
    LaunchdLabels(Text),
    /// The files of launchd's jobs do not name exactly one that a socket is held for.
    LaunchdJobs,
    /// The service control manager of Windows did not tell which services run in which process.
    WindowsServices(Text),
    /// The table of sockets came from /proc/net, which tells less, because netlink failed.
    ByProcNet(Text),
    /// TCP sockets that are bound and do not listen.
    BoundSockets(UnlistedBound),
    /// A table that changed each time that it was read.
    ChangingTable(Text),
    /// Entries of a table in a form that is not known.
    UnknownEntries(Text),
    /// Rows that netstat printed in a form that is not known.
    NetstatRows,
    /// Sockets of other users, which macOS withholds; with an error if netstat failed, too.
    WithheldSockets(Option<Text>),
    /// Whether UDP sockets are connected.
    UdpState,
    /// The system calls that threads of processes wait in.
    SystemCalls,
    /// What a snapshot was not asked about.
    NotAsked {
        /// What that is.
        missing: Vec<NotAsked>,
        /// What it was asked about, each question narrowing the one before; none stands for all listeners.
        asked: Vec<Selection>,
    },
    /// Sockets whose users are not known here, where a filter asks for some.
    UnknownUsers,
    /// A phrase, as a document has it.
    Text(Text),
}

/// Something that is asked of a snapshot, and that it was not asked for when it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NotAsked {
    /// These targets.
    Targets(Vec<Target>),
    /// Targets other than those it names.
    OtherTargets,
    /// These protocols.
    Protocols(Vec<Protocol>),
    /// This address family.
    Family(Family),
    /// Sockets that do not listen.
    States,
    /// What only this machine can reach.
    Unexposed,
    /// What other processes, users or commands hold.
    OtherHolders,
    /// Other network namespaces.
    Namespaces,
    /// Who is connected.
    Connections,
}

impl NotAsked {
    /// Whether it is another kind of answer that is missing, and not only some of the rows.
    #[cfg(feature = "cli")]
    pub(crate) fn is_another_kind(&self) -> bool {
        matches!(self, NotAsked::States | NotAsked::Namespaces | NotAsked::Connections)
    }
}

/// Why a container runtime told nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SilentRuntime {
    /// This user may not ask at this path.
    Permission(Text),
    /// No answer came in time.
    Timeout {
        /// Where it was asked.
        path: Text,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The answer could not be read.
    Unreadable {
        /// Where it was asked.
        path: Text,
        /// What is wrong with the answer.
        error: Text,
    },
    /// None answers.
    Absent,
    /// Those that answered know nothing of it.
    Unknown,
}

/// Rules that pass connections on, and could not be read or followed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UnreadRules {
    /// This process may not read them.
    Permission,
    /// They could not be read.
    Error(Text),
    /// Rules whose port is in a set or map that is not understood.
    Unevaluated(usize),
    /// Rules in the NAT table of the older iptables.
    LegacyTable,
    /// Programs that choose the socket of each connection.
    SocketLookup(u32),
}

/// What Windows' program netsh is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NetshList {
    /// The port ranges that Windows excludes.
    ExcludedPorts(Family),
    /// The ports that outgoing connections are given.
    EphemeralPorts,
    /// For whom the kernel's web server serves a port.
    HttpServer(u16),
}

/// Why TCP sockets that are bound and do not listen cannot be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UnlistedBound {
    /// Linux before 6.8 does not list them.
    OlderKernel,
    /// netlink failed.
    Netlink(Text),
    /// netlink failed, and /proc/net does not list them.
    ProcNet(Text),
    /// The IP helper of Windows has them in no table.
    IpHelper,
}

/// What would help: to see what was not seen, or to get around an error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Help {
    /// Run with full privileges: sudo, or an elevated prompt.
    Privileges(Purpose),
    /// Run with full privileges, or as a member of the group that a socket belongs to.
    PrivilegesOrGroup,
    /// Scan this target, or everything, with full privileges.
    PrivilegedScan {
        /// The target: a port, a path, or an option for many.
        target: Option<Text>,
        /// What is missing.
        missing: MissingRights,
    },
    /// Let `why` read it for this port, with full privileges.
    PrivilegedWhy {
        /// The port.
        port: u16,
    },
    /// Rights that this process does not have.
    Rights(MissingRights),
    /// Let `why` test whether a port can be bound: this one, or any.
    Why {
        /// The port.
        port: Option<u16>,
    },
    /// Raise the limit of processes.
    RaiseProcessLimit,
    /// Raise a limit of open files.
    TooManyFiles {
        /// Which, and how.
        limit: Text,
    },
    /// Scan again.
    ScanAgain,
    /// The holder ended during the scan: scan again.
    HolderEnded,
    /// Scan again when a message was received.
    AfterMessage,
    /// Fewer descriptors wait in messages than there are sockets that nobody holds: scan again when they were received.
    AfterMessages,
    /// Windows names no process for it: scan again.
    NoProcessNamed,
    /// A process outside of this pid namespace may hold it.
    OutsidePidNamespace,
    /// Run in the pid namespace that /proc shows, or mount the right /proc.
    MatchingProc,
    /// A service of the kernel may have it: see what some tools list.
    KernelServices,
    /// Its process has ended, and one of its children inherited the handle. Windows.
    InheritedHandle {
        /// The process.
        pid: u32,
        /// The name of the process that has the pid now, if it began after the socket was opened.
        later: Option<Text>,
    },
    /// Let the reader be chosen, so that a table that netlink does not give is read from /proc/net.
    AutomaticReader,
    /// Name a user that this machine knows.
    KnownUser,
    /// Name the socket of another container runtime.
    OtherRuntime,
    /// See whether the container runtime hangs.
    HangingRuntime,
    /// A phrase, as a document has it.
    Text(Text),
}

/// What full privileges would allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Purpose {
    /// To see one thing.
    SeeOne,
    /// To see several.
    SeeMany,
    /// To enter network namespaces.
    Enter,
}

/// The rights that this process lacks to read processes of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum MissingRights {
    /// It runs without privileges.
    Privileges,
    /// Its user namespace has no rights over processes outside of it. Linux.
    UserNamespace,
    /// The others have more rights, or a security module guards them.
    Guarded,
    /// Capabilities of Linux.
    Capabilities {
        /// Whether CAP_SYS_PTRACE is missing.
        sys_ptrace: bool,
        /// Whether CAP_DAC_READ_SEARCH is missing.
        dac_read_search: bool,
    },
}

impl Help {
    /// Whether the same scan with full privileges would show it.
    pub fn is_privileged_scan(&self) -> bool {
        matches!(self, Help::PrivilegedScan { .. })
    }
}

impl Gap {
    pub(crate) fn new(
        what: GapKind,
        reason: GapReason,
        count: usize,
        detail: GapDetail,
        help: impl Into<Option<Help>>,
    ) -> Gap {
        Gap { what, reason, count: u64::try_from(count).unwrap_or(u64::MAX), detail, help: help.into() }
    }

    /// Returns the gap for a failed read. The error states what was attempted.
    pub(crate) fn failed(what: GapKind, error: impl std::fmt::Display) -> Gap {
        Gap::new(what, GapReason::Error, 1, GapDetail::Failed(Text::from_display(error)), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        for word in ["descriptors", "system-calls", "users", "of-a-later-version", ""] {
            assert_eq!(GapKind::from(word).to_string(), word);
        }
        assert_eq!(GapKind::from("sockets"), GapKind::Sockets);
        assert_eq!(GapReason::from("not-asked"), GapReason::NotAsked);
        assert_eq!(GapReason::from("Not-asked"), GapReason::Other("Not-asked".into()));
    }
}
