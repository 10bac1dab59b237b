//! The facts of a gap, from which `render` makes its sentence.

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::{Family, Protocol, Selection, Target, Text};

/// The facts of a [`Gap`](crate::Gap), from which its sentence is made. [`Gap::count`](crate::Gap::count) is their number:
/// `gap.to_string()` states it, and `detail.to_string()` is the sentence about one.
///
/// ```
/// use allears::{GapDetail, Query};
///
/// for gap in Query::new().scan()?.gaps {
///     match &gap.detail {
///         GapDetail::Descriptors(Some(error)) => println!("the system answered {}", error.to_string_lossy()),
///         _ => println!("{gap}"),
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum GapDetail {
    /// An attempt failed: what was attempted, and the error of the system.
    Failed(Text),
    /// A table of sockets could not be read.
    SocketTable {
        /// The protocol of its sockets.
        protocol: Protocol,
        /// The address family of its sockets.
        family: Family,
        /// The error.
        error: Text,
    },
    /// Command lines of processes are longer than this many bytes, and were cut.
    LongCommands {
        /// The number of bytes of each that are kept.
        kept: u64,
    },
    /// Containers whose names and images are unknown, and ports that are forwarded to containers.
    Containers {
        /// The number of containers; 0 if only ports are concerned.
        containers: usize,
        /// Why their runtime did not report them.
        runtime: SilentRuntime,
        /// Whether ports are concerned whose forwarding rules could not be read either.
        rules_unread: bool,
    },
    /// The descriptor tables of processes, and the error of the system if there was one.
    Descriptors(Option<Text>),
    /// Whether these addresses, which a container publishes, are forwarded to it.
    PublishedLoopback(Vec<SocketAddr>),
    /// Rules that forward connections.
    ForwardingRules(Vec<UnreadRules>),
    /// Listeners whose holders could not all be observed, if a filter depends on them.
    UnseenHolders,
    /// Listeners that open and close between two passes of a watch, because the system does not report them while it
    /// happens: the error, if there was one.
    ShortLived(Option<Text>),
    /// The same, because events of the system were lost.
    LostEvents,
    /// A file with limits of the system.
    Limit {
        /// The file.
        path: Text,
        /// The error of the system.
        error: Text,
    },
    /// A list that netsh of Windows did not print.
    Netsh {
        /// The list.
        list: NetshList,
        /// The error.
        error: Text,
    },
    /// Network namespaces that the kernel lists and that could not be opened for lack of permission.
    ListedNamespaces,
    /// The network namespaces that are mounted in mount namespaces, and the error of the system if there was one.
    MountedNamespaces(Option<Text>),
    /// The network namespaces that are mounted: no thread could be started to enter mount namespaces.
    MountsWithoutThread(Text),
    /// Network namespaces that only descriptors of processes keep, and the error of the system if there was one.
    DescriptorNamespaces(Option<Text>),
    /// The network namespaces of sockets that processes have open and no socket table has.
    UnplacedSockets,
    /// Descriptors that wait in messages and may keep network namespaces.
    WaitingDescriptors,
    /// Network namespaces of processes that this /proc hides.
    HiddenNamespaces,
    /// Network namespaces of processes outside of this pid namespace.
    OutsideNamespaces,
    /// Network namespaces for which the permission is missing: those of processes, and those that are named in folders.
    ClosedNamespaces {
        /// The number of processes.
        processes: usize,
        /// The folders.
        folders: Vec<Text>,
    },
    /// The network namespaces that are named in a folder, perhaps one of several.
    NamedNamespaces {
        /// The folder.
        folder: Text,
        /// The error of the system.
        error: Text,
    },
    /// Network namespaces that were read by /proc/PID/net, because no thread can be started to enter them.
    NamespacesWithoutThread,
    /// Network namespaces that were read by /proc/PID/net, because the permission to enter them is missing.
    NamespacesNotEntered,
    /// The socket that a path leads to.
    Path {
        /// The path.
        path: Text,
        /// Why it is unknown.
        error: Text,
    },
    /// A path leads to a socket that is in no table that was read.
    PathOfUnknownSocket(Text),
    /// Processes of other users: /proc is mounted with hidepid.
    HiddenProcesses,
    /// Facts about processes that hold sockets and still run.
    UndescribedProcesses,
    /// /proc shows another pid namespace than the one of this process.
    ForeignProc,
    /// Processes outside of this pid namespace.
    OutsideProcesses,
    /// The projects of working directories, and why they are unknown.
    Projects(Text),
    /// systemd did not report its socket units.
    Systemd {
        /// The user whose manager it is; `None` for the system's.
        uid: Option<u32>,
        /// The error.
        error: Text,
    },
    /// launchctl did not list the labels of jobs.
    LaunchdLabels(Text),
    /// The files of launchd's jobs do not identify the one for which a socket is held.
    LaunchdJobs,
    /// The service control manager of Windows did not report which services run in which process.
    WindowsServices(Text),
    /// The table of sockets came from /proc/net, which reports less, because netlink failed.
    ByProcNet(Text),
    /// TCP sockets that are bound and do not listen.
    BoundSockets(UnlistedBound),
    /// A table that changed during every attempt to read it.
    ChangingTable(Text),
    /// Entries of a table in an unknown format.
    UnknownEntries(Text),
    /// Rows of netstat in an unknown format.
    NetstatRows,
    /// Sockets of other users, which macOS withholds; with an error if netstat failed too.
    WithheldSockets(Option<Text>),
    /// Whether UDP sockets are connected.
    UdpState,
    /// The system calls that threads of processes wait in.
    SystemCalls,
    /// Requested data for which a snapshot was not taken.
    NotAsked {
        /// The data.
        missing: Vec<NotCovered>,
        /// The selections of the snapshot, each narrowing the one before. Empty for all listeners.
        asked: Vec<Selection>,
    },
    /// Sockets whose users are unknown here, if a filter depends on them.
    UnknownUsers,
    /// Listeners with holders of which the working directory, the ancestors or the user are unknown, if a filter depends on
    /// that.
    UnknownFacts,
    /// A phrase from a document.
    Text(Text),
}

/// Requested data for which a snapshot was not taken.
///
/// ```
/// use allears::NotCovered;
///
/// assert_eq!(NotCovered::OtherTargets.to_string(), "other ports");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NotCovered {
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
    /// Listeners that only this machine can reach.
    Unexposed,
    /// Listeners of other processes, users or commands.
    OtherHolders,
    /// Other network namespaces.
    Namespaces,
    /// Connections.
    Connections,
}

impl NotCovered {
    /// Returns whether another kind of data is missing, and not only some of the rows.
    #[cfg(feature = "cli")]
    pub(crate) fn is_another_kind(&self) -> bool {
        matches!(self, NotCovered::States | NotCovered::Namespaces | NotCovered::Connections)
    }
}

/// Why a container runtime did not report a container.
///
/// ```
/// use allears::SilentRuntime;
///
/// let silent = SilentRuntime::Permission("/run/docker.sock".into());
/// assert!(silent.to_string().contains("/run/docker.sock"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SilentRuntime {
    /// The permission to connect to this path is missing.
    Permission(Text),
    /// No answer came in time.
    Timeout {
        /// The path of its socket.
        path: Text,
        /// The time limit.
        limit: Duration,
    },
    /// The answer could not be read.
    Unreadable {
        /// The path of its socket.
        path: Text,
        /// Why it could not.
        reason: UnreadableReply,
    },
    /// None answers.
    Absent,
    /// Those that answered do not know it.
    Unknown,
}

/// Why the reply of a container runtime could not be read.
///
/// ```
/// use allears::UnreadableReply;
///
/// assert_eq!(UnreadableReply::Status(500).to_string(), "its reply has the status 500");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UnreadableReply {
    /// Its socket is on a network or FUSE file system, which may not answer. No request was sent.
    RemoteFileSystem,
    /// The connection failed with this error of the system.
    Connection(Text),
    /// It is longer than this many bytes.
    TooLong(u64),
    /// It is not HTTP.
    NotHttp,
    /// Its header does not end.
    EndlessHeader,
    /// It has no status.
    NoStatus,
    /// It has this status.
    Status(u16),
    /// It is encoded in chunks, which the request excludes.
    Chunked,
    /// It is shorter than its header states.
    CutShort,
    /// Its body is not JSON: the error of the parser.
    NotJson(Text),
    /// A value of its body is missing, or of another type.
    UnexpectedValue {
        /// The line of the body.
        line: usize,
        /// The column of that line.
        column: usize,
    },
}

/// Forwarding rules that could not be read or interpreted.
///
/// ```
/// use allears::UnreadRules;
///
/// assert!(UnreadRules::Permission.to_string().contains("CAP_NET_ADMIN"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UnreadRules {
    /// The permission to read them is missing.
    Permission,
    /// They could not be read.
    Error(Text),
    /// Rules whose port is in a set or map that could not be interpreted.
    Unevaluated(usize),
    /// Rules in the NAT table of the older iptables.
    LegacyTable,
    /// Programs that choose the socket of each connection.
    SocketLookup(u32),
}

/// A list that netsh of Windows prints.
///
/// ```
/// use allears::{Family, NetshList};
///
/// assert!(NetshList::ExcludedPorts(Family::Ipv6).to_string().contains("ipv6"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NetshList {
    /// The port ranges that Windows excludes.
    ExcludedPorts(Family),
    /// The ephemeral ports, which outgoing connections use.
    EphemeralPorts,
    /// The programs for which the kernel's web server serves a port.
    HttpServer(u16),
}

/// Why TCP sockets that are bound and do not listen cannot be listed.
///
/// ```
/// use allears::UnlistedBound;
///
/// assert!(UnlistedBound::OlderKernel.to_string().contains("6.8"));
/// ```
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
    /// The IP helper of Windows does not list them.
    IpHelper,
}
