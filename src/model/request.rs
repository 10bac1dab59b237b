//! The requested reader of the socket table, and the requested search for holders.

use super::names::names;

/// The reader of the socket table.
///
/// ```
/// use allears::{Query, Reader};
///
/// let portable = Query::new().reader(Reader::Netstat2);
/// assert_eq!("netstat2".parse(), Ok(Reader::Netstat2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Reader {
    /// The best one on this machine.
    #[default]
    Auto,
    /// The operating system's own interface.
    Native,
    /// The crate netstat2.
    Netstat2,
}

/// How the holders of sockets are searched for.
///
/// ```
/// use allears::{HolderSearch, Query};
///
/// let by_walk = Query::new().holder_search(HolderSearch::Walk);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum HolderSearch {
    /// The fastest one that is permitted, including its setup.
    #[default]
    Auto,
    /// Reads the descriptor table of every process that the caller may read.
    Walk,
    /// Runs a BPF iterator in the kernel, which reads all processes. It needs Linux 5.8, and CAP_BPF with CAP_PERFMON or
    /// CAP_SYS_ADMIN.
    Bpf,
}

names! { Reader, "reader of the socket table":
    Auto => "auto",
    Native => "native",
    Netstat2 => "netstat2",
}

names! { HolderSearch, "search for holders":
    Auto => "auto",
    Walk => "walk",
    Bpf => "bpf",
}
