//! The socket table: one row for each socket, with what the system reports about it, and gaps.
//!
//! Depends on `model` alone. It filters nothing for the user.

pub(in crate::os) mod fingerprint;
#[cfg(not(target_os = "macos"))]
pub(in crate::os) mod netstat2;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos/mod.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(in crate::os) mod sys;

#[cfg(windows)]
use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Error, Gap, Reader, Socket, Text, UnixPath};

/// What is wanted of the socket table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) tcp: bool,
    pub(crate) udp: bool,
    /// UDP-Lite, where the system has it.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no reader of this system has it"))]
    pub(crate) udplite: bool,
    /// SCTP and DCCP, where the system has them.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no reader of this system has them"))]
    pub(crate) rare: bool,
    pub(crate) unix: bool,
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    /// Every state, not listeners alone. A reader may give more than was asked for.
    pub(crate) all: bool,
    /// The one local port that is wanted. A reader may give more than was asked for.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "all ports are read"))]
    pub(crate) port: Option<u16>,
    /// Every network namespace that can be seen, not this process's alone.
    pub(crate) namespaces: bool,
    pub(crate) reader: Reader,
}

/// The socket table, or what of it could be read.
#[derive(Debug)]
pub(crate) struct SocketTable {
    pub(crate) rows: Vec<Row>,
    pub(crate) gaps: Vec<Gap>,
    /// Whether every socket that was asked for is there.
    pub(crate) complete: bool,
    /// Whether TCP sockets that are bound and do not listen were asked for and cannot be listed here. Linux before 6.8,
    /// and wherever `tcp_diag` does not answer.
    pub(crate) lacks_bound: bool,
    /// Which interface each table came from, in a sentence each.
    pub(crate) how: Vec<String>,
    /// What is at the paths that were asked about.
    pub(crate) paths: Vec<UnixPath>,
}

impl SocketTable {
    /// Returns a complete table without rows.
    pub(crate) fn empty() -> SocketTable {
        SocketTable {
            rows: Vec::new(),
            gaps: Vec::new(),
            complete: true,
            lacks_bound: false,
            how: Vec::new(),
            paths: Vec::new(),
        }
    }
}

/// What a system reports of a TCP socket besides. Linux by netlink alone reports anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Detail {
    /// The bytes that the kernel counts as sent and not acknowledged. Of a socket that is bound and does nothing else this
    /// is 0 as long as it did nothing else, 2 after it listened and was shut down, and another number after a connection.
    pub(crate) write_queue: Option<u32>,
    /// The timer that runs, and what is left of it.
    pub(crate) timer: Option<(Timer, Duration)>,
}

/// What a timer of a TCP socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The kernel sends again what was not acknowledged.
    Retransmission,
    /// It tests whether the peer is still there, or waits for the peer's end.
    KeepAlive,
    /// The socket ends when the time is over.
    End,
    /// It asks a peer that takes no data whether it takes some now.
    Probe,
}

impl Row {
    /// What the system reports of a TCP socket besides.
    pub(crate) fn detail(&self) -> Detail {
        #[cfg(target_os = "linux")]
        return self.detail;
        #[cfg(not(target_os = "linux"))]
        Detail::default()
    }
}

/// One socket, with the pids where the table itself names them.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) socket: Socket,
    #[cfg(not(target_os = "macos"))]
    pub(crate) pids: Vec<u32>,
    /// The number of the cgroup the socket was made in.
    #[cfg(target_os = "linux")]
    pub(crate) cgroup: Option<u64>,
    /// The file that a Unix socket is bound to.
    #[cfg(target_os = "linux")]
    pub(crate) file: Option<sys::SocketFile>,
    #[cfg(target_os = "linux")]
    pub(crate) detail: Detail,
    /// What the kernel of macOS tells besides.
    #[cfg(target_os = "macos")]
    pub(crate) told: sys::PcbInfo,
    /// When each of the pids opened it, in units of 100 ns since 1601, where the table says.
    #[cfg(windows)]
    pub(crate) opened: BTreeMap<u32, u64>,
}

/// The socket table, by the cheapest request that answers.
pub(crate) fn sockets(request: &Request) -> Result<SocketTable, Error> {
    sys::sockets(request)
}

/// Finds the Unix sockets that these paths lead to, whatever names they were bound by. Linux only.
#[cfg_attr(
    not(target_os = "linux"),
    expect(unused_variables, reason = "the files of sockets are not told there")
)]
pub(crate) fn find_unix_paths(paths: &[Text], request: &Request, table: &mut SocketTable) {
    #[cfg(target_os = "linux")]
    if !paths.is_empty() {
        sys::find_unix_paths(paths, request, table);
    }
}
