//! The processes that hold sockets, and the reasons why a socket has no visible holder.
//!
//! It depends on `model` and on the other topics of `os`. It reads no facts about processes beyond what identifies a holder
//! or a candidate, and filters nothing for the user.

#[cfg(not(target_os = "linux"))]
mod by_table;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(in crate::os) mod sys;

use crate::model::{
    Container, Error, ErrorKind, Evidence, Gap, HolderMethod, HolderSearch, Protocol, Service, Shared, Unseen,
};
use crate::os::process;
pub(crate) use crate::os::process::UnreadProcesses;
use crate::os::table::Row;

/// A function that returns the words that may be in the name of a program that serves a port. What is known about ports is
/// above this layer, so the caller passes it.
#[derive(Clone, Copy)]
pub(crate) struct ProgramWords(pub(crate) fn(u16, Protocol) -> Vec<String>);

impl Default for ProgramWords {
    fn default() -> ProgramWords {
        ProgramWords(|_, _| Vec::new())
    }
}

#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "Linux alone names candidates by their programs")
)]
impl ProgramWords {
    /// Returns the words for a port, in lower case.
    pub(in crate::os) fn for_port(self, port: u16, protocol: Protocol) -> Vec<String> {
        (self.0)(port, protocol)
    }
}

/// A process that holds a socket, identified so that a later process with its pid is not taken for it.
#[derive(Debug, Clone)]
pub(crate) struct SocketHolder {
    pub(crate) process: process::sys::ProcessRef,
    pub(crate) descriptors: Vec<u32>,
    pub(crate) evidence: Evidence,
}

/// The holders of some rows, in the order of the rows.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    /// The processes that hold each socket.
    pub(crate) held: Vec<Vec<SocketHolder>>,
    /// The reason why a socket has no holder, or may have others.
    pub(crate) unseen: Vec<Option<Box<Unseen>>>,
    /// The service and the container that the socket itself belongs to; `None` if neither is known.
    pub(crate) origins: Vec<Option<Shared<Origin>>>,
    pub(crate) unread: UnreadProcesses,
    pub(crate) gaps: Vec<Gap>,
    /// The method of the search; `None` if there was nothing to search for.
    pub(crate) method: Option<HolderMethod>,
}

/// The service and the container in which a socket was created.
pub(crate) type Origin = (Option<Service>, Option<Container>);

/// Returns the holders of exactly these sockets.
///
/// # Errors
/// If processes cannot be listed, and if the requested method is unavailable.
pub(crate) fn holders(
    rows: &[&Row],
    search: HolderSearch,
    program_words: ProgramWords,
) -> Result<Holders, Error> {
    if search == HolderSearch::Bpf && !sys::HAS_BPF {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the BPF search for holders is supported only on Linux",
        ));
    }
    if rows.is_empty() && search != HolderSearch::Bpf {
        return Ok(Holders::default());
    }
    sys::holders(rows, search, program_words)
}

/// Returns which of these sockets each of these processes has open: the pid and the row's index, ascending.
///
/// # Errors
/// If processes cannot be read.
pub(crate) fn held_among(rows: &[Row], pids: &[u32]) -> Result<Vec<(u32, usize)>, Error> {
    sys::held_among(rows, pids)
}
