//! The socket table: one row for each socket, and the gaps.
//!
//! It depends on `model` and on the namespaces of `os`. It does not filter for the user: a reader may return more than the
//! request asks for.

pub(in crate::os) mod fingerprint;
#[cfg(not(target_os = "macos"))]
pub(in crate::os) mod netstat2;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos/mod.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(in crate::os) mod sys;
#[cfg(not(target_os = "linux"))]
mod unsupported;

#[cfg(windows)]
use std::collections::BTreeMap;

use crate::model::{Error, Gap, Socket, TableRead, Text, UnixPath};
pub(crate) use crate::os::parse::linux::inet_diag::{TcpDetail, TcpTimer};
use crate::os::table_request::TableRequest;

/// The socket table, as far as it could be read.
#[derive(Debug)]
pub(crate) struct SocketTable {
    pub(crate) rows: Vec<Row>,
    pub(crate) gaps: Vec<Gap>,
    /// Whether every requested socket is in it.
    pub(crate) complete: bool,
    /// Whether TCP sockets that are bound and do not listen were requested and cannot be listed: on Linux before 6.8, and if
    /// `tcp_diag` does not answer.
    pub(crate) lacks_bound: bool,
    /// The source of each table, if the system has several.
    pub(crate) sources: Vec<TableRead>,
    /// The findings at the requested paths.
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
            sources: Vec::new(),
            paths: Vec::new(),
        }
    }
}

impl Row {
    /// Returns further facts about a TCP socket.
    pub(crate) fn detail(&self) -> TcpDetail {
        sys::detail(self)
    }

    /// Returns what identifies the socket while the machine runs, if the table reports it.
    #[cfg(feature = "cli")]
    pub(crate) fn cookie(&self) -> Option<u64> {
        sys::cookie(self)
    }
}

/// One socket, with its pids if the table itself names them.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) socket: Socket,
    #[cfg(not(target_os = "macos"))]
    pub(crate) pids: Vec<u32>,
    /// The id of the cgroup in which the socket was created.
    #[cfg(target_os = "linux")]
    pub(crate) cgroup: Option<u64>,
    /// The file to which a Unix socket is bound.
    #[cfg(target_os = "linux")]
    pub(crate) file: Option<sys::SocketFile>,
    #[cfg(target_os = "linux")]
    pub(crate) detail: TcpDetail,
    /// Identifies the socket while the machine runs, as in the events of sockets. Netlink alone reports it.
    #[cfg(target_os = "linux")]
    pub(crate) cookie: Option<u64>,
    /// Facts from the protocol control block in the kernel of macOS.
    #[cfg(target_os = "macos")]
    pub(crate) pcb: sys::PcbInfo,
    /// When each pid opened it, in units of 100 ns since 1601, if the table reports it.
    #[cfg(windows)]
    pub(crate) opened: BTreeMap<u32, u64>,
}

/// Reads the socket table by the cheapest request that answers.
///
/// # Errors
/// If no table can be read.
pub(crate) fn sockets(request: &TableRequest) -> Result<SocketTable, Error> {
    sys::sockets(request)
}

/// Finds the Unix sockets to which these paths lead, whatever names they were bound to. Linux only.
pub(crate) fn find_unix_paths(paths: &[Text], request: &TableRequest, table: &mut SocketTable) {
    if !paths.is_empty() {
        sys::find_unix_paths(paths, request, table);
    }
}
