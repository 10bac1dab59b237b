//! How a snapshot was read, if the operating system offers several ways. `render` makes the sentences.

use super::names::names;
use super::{Family, Protocol, Text};

/// How a snapshot was read, if the operating system offers several ways. Not part of the JSON document.
///
/// ```
/// use allears::{HolderMethod, Query};
///
/// let sources = Query::new().scan()?.sources;
/// for table in &sources.tables {
///     println!("{:?} from {:?}", table.tables, table.source);
/// }
/// if let Some(HolderMethod::Walk { not_bpf: Some(reason) }) = sources.holders {
///     println!("no BPF: {reason}");
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Sources {
    /// The source of each table of sockets. Empty if the operating system has only one, and in documents.
    pub tables: Vec<TableRead>,
    /// How holders were searched for. `None` if none were, and in documents.
    pub holders: Option<HolderMethod>,
}

/// Tables of sockets that were read from one source.
///
/// ```
/// use allears::{Query, TableSource};
///
/// for read in Query::new().scan()?.sources.tables {
///     if let TableSource::ProcNet { error: Some(error) } = read.source {
///         println!("{} tables without netlink: {}", read.tables.len(), error.to_string_lossy());
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TableRead {
    /// The protocol and the address family of each table, in the order in which they were read.
    pub tables: Vec<(Protocol, Family)>,
    /// Their source.
    pub source: TableSource,
}

/// A source of socket tables. Linux.
///
/// ```
/// use allears::TableSource;
///
/// assert_eq!(TableSource::ProcNet { error: None }.to_string(), "/proc/net");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum TableSource {
    /// netlink (sock_diag(7)).
    Netlink,
    /// /proc/net, because netlink failed.
    ProcNet {
        /// The first error of netlink.
        error: Option<Text>,
    },
}

/// How the holders of sockets were searched for.
///
/// ```
/// use allears::{HolderMethod, HolderSearch, Query};
///
/// let snapshot = Query::new().holder_search(HolderSearch::Walk).scan()?;
/// if cfg!(target_os = "linux") && !snapshot.listeners.is_empty() {
///     assert_eq!(snapshot.sources.holders, Some(HolderMethod::Walk { not_bpf: None }));
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum HolderMethod {
    /// Linux: the BPF iterator `task_file`.
    Bpf,
    /// Linux: the BPF iterator `task_file`, and a walk through /proc for what it did not find.
    BpfAndWalk,
    /// Linux: a walk through /proc.
    Walk {
        /// Why the BPF iterator was not used. `None` if a walk was requested or cost less.
        not_bpf: Option<BpfUnavailable>,
    },
    /// macOS: descriptor tables, by libproc.
    Libproc,
    /// Windows: the socket table, which names processes.
    SocketTable,
}

/// Why holders were not searched for by a BPF iterator. Linux. The sentence is `reason.to_string()`.
///
/// ```
/// use allears::BpfUnavailable;
///
/// let reason = BpfUnavailable::HiddenProc;
/// assert_eq!(reason.to_string(), "this /proc hides processes");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum BpfUnavailable {
    /// So few files are open that a walk costs less.
    FewFiles,
    /// The process lacks CAP_BPF or CAP_PERFMON.
    Capabilities,
    /// The process is in a pid namespace of its own: pids differ from the kernel's.
    PidNamespace,
    /// /proc shows another pid namespace than that of the process.
    ForeignProc,
    /// /proc hides processes: of those, only the pids would be known.
    HiddenProc,
    /// The process is in a time namespace: start times differ from the kernel's.
    TimeNamespace,
    /// The kernel is locked down in the mode `confidentiality`, in which no program may read its memory.
    Lockdown,
    /// The kernel rejected the program as invalid, as a kernel in lockdown does, and its mode of lockdown cannot be read.
    PerhapsLockdown {
        /// The error of the operating system.
        error: Text,
    },
    /// A step of the search failed.
    Failed {
        /// The step.
        step: BpfStep,
        /// The error of the operating system.
        error: Text,
    },
}

/// A step of a search for holders by a BPF iterator.
///
/// ```
/// use allears::BpfStep;
///
/// assert_eq!("load-program".parse(), Ok(BpfStep::LoadProgram));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum BpfStep {
    /// Reading the kernel's type information (BTF).
    ReadTypes,
    /// Making the map that holds the wanted sockets.
    MakeMap,
    /// Loading the program.
    LoadProgram,
    /// Making the iterator.
    MakeIterator,
    /// Reading the iterator.
    ReadIterator,
}

names! { BpfStep, "step of a search by BPF":
    ReadTypes => "read-types",
    MakeMap => "make-map",
    LoadProgram => "load-program",
    MakeIterator => "make-iterator",
    ReadIterator => "read-iterator",
}
