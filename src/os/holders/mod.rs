//! The processes that hold sockets.
//!
//! Depends on `model` and on the other topics of `os`.

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos/mod.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(in crate::os) mod sys;

use crate::model::{Container, Error, ErrorKind, Evidence, Gap, HolderSearch, Service, Unseen};
use crate::os::process;
use crate::os::table::Row;

/// A process that holds a socket, pinned so that no other one is taken for it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) process: process::sys::ProcessRef,
    pub(crate) descriptors: Vec<u32>,
    pub(crate) evidence: Evidence,
}

/// The holders of some rows, in their order.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    pub(crate) of: Vec<Vec<Held>>,
    pub(crate) unseen: Vec<Option<Unseen>>,
    /// The service and the container that the socket itself belongs to.
    pub(crate) origins: Vec<Origin>,
    pub(crate) unread: Unread,
    pub(crate) gaps: Vec<Gap>,
    /// How they were searched for, in a sentence.
    pub(crate) how: String,
}

/// The service and the container a socket was made in.
pub(crate) type Origin = (Option<Service>, Option<Container>);

/// Processes whose descriptors were not read.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    /// Those known by pid, ascending.
    pub(crate) pids: Vec<u32>,
    /// Whether there may be others.
    pub(crate) others: bool,
}

/// Who holds exactly these sockets.
pub(crate) fn holders(rows: &[&Row], search: HolderSearch) -> Result<Holders, Error> {
    if search == HolderSearch::Bpf && !cfg!(target_os = "linux") {
        return Err(Error::new(ErrorKind::Unsupported, "a search for holders by BPF is for Linux alone"));
    }
    if rows.is_empty() && search != HolderSearch::Bpf {
        return Ok(Holders::default());
    }
    sys::holders(rows, search)
}

/// Which of these sockets each of these processes has open: the pid and the row's place, ascending.
pub(crate) fn held_among(rows: &[Row], pids: &[u32]) -> Result<Vec<(u32, usize)>, Error> {
    #[cfg(target_os = "linux")]
    return sys::held_among(rows, pids);
    #[cfg(not(target_os = "linux"))]
    {
        let found = sys::holders(&rows.iter().collect::<Vec<_>>(), HolderSearch::Auto)?;
        let of_row = |(at, held): (usize, &Vec<Held>)| {
            held.iter().map(|held| (held.process.pid(), at)).collect::<Vec<_>>()
        };
        let mut held: Vec<(u32, usize)> = found.of.iter().enumerate().flat_map(of_row).collect();
        held.retain(|(pid, _)| pids.contains(pid));
        held.sort_unstable();
        held.dedup();
        Ok(held)
    }
}
