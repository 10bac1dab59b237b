//! macOS, by netstat2: sockets of the processes that may be inspected (`proc_pidfdinfo`).

#[path = "pinned.rs"]
mod pinned;

#[cfg(feature = "cli")]
#[path = "grip_pid.rs"]
mod grip;

use std::collections::BTreeMap;
use std::time::Duration;

#[cfg(feature = "cli")]
pub(crate) use grip::Grip;
pub(super) use pinned::{Pinned, pin};

use super::{HolderSearch, Holders, Limits, Reader, Request, Row, SocketTable, portable, users};
use crate::{Error, ErrorKind, Evidence, Gap, Listener, Process, Protocol, Reason};

/// The socket table, without the sockets of processes that may not be inspected.
pub(super) fn sockets(request: &Request) -> Result<SocketTable, Error> {
    if request.reader == Reader::Native {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "there is no native reader of the socket table on macOS",
        ));
    }
    if request.namespaces {
        return Err(Error::new(ErrorKind::Unsupported, "macOS has no network namespaces"));
    }
    if request.unix {
        return Err(Error::new(ErrorKind::Unsupported, "Unix sockets are not listed on macOS"));
    }
    let mut table = portable::collect(request, |table| portable::read(table, request.all))?;
    pinned::merge(&mut table.rows);
    if request.udp {
        table.gaps.push(Gap::new(
            "state",
            "unsupported",
            1,
            "whether UDP sockets are connected is not told here",
            None,
        ));
    }
    if !privileged() {
        table.complete = false;
        let gap = Gap::new(
            "sockets",
            "permission",
            1,
            "sockets of other users' processes are not told to this user",
            Some("run with sudo to see them"),
        );
        table.gaps.push(gap);
    }
    Ok(table)
}

/// Who holds these sockets: as the table says, from descriptor tables.
pub(super) fn holders(rows: &[&Row], _search: HolderSearch) -> Result<Holders, Error> {
    Ok(pinned::from_table(rows, Evidence::Descriptor, Reason::Unknown, "look again"))
}

/// There is no systemd here.
pub(super) fn socket_units(_listeners: &mut [Listener]) -> Vec<Gap> {
    Vec::new()
}

/// Ancestors came with the facts of their children.
pub(super) fn trace(processes: &mut BTreeMap<u32, Process>, whole: bool) {
    for process in processes.values_mut().filter(|_| !whole) {
        process.parents.truncate(1);
    }
}

/// Command lines are kept as sysinfo gives them.
pub(super) fn shorten_commands(_processes: &mut BTreeMap<u32, Process>) -> Option<Gap> {
    None
}

/// Whether this process runs as root.
pub(super) fn privileged() -> bool {
    users::own() == Some(0)
}

/// What this machine allows to bind.
pub(super) fn limits(_protocol: Protocol) -> Limits {
    // Since 10.14 a wildcard may be bound by anybody, a single address below 1024 by root alone.
    Limits { unprivileged_from: Some(1024), ..Limits::default() }
}

/// The same: nothing has to be run for them.
#[cfg(feature = "cli")]
pub(super) fn ready_limits(protocol: Protocol) -> Limits {
    limits(protocol)
}

/// The table here does not tell how long TIME_WAIT lasts.
pub(super) fn time_wait_left(_port: u16) -> Option<Duration> {
    None
}

/// No rules of a container runtime stand in this system itself.
pub(super) fn containers_run() -> bool {
    false
}

/// Command lines of processes that do not hold what was asked for are not read here.
pub(super) fn command(_pid: u32) -> Option<Vec<crate::Text>> {
    None
}

/// Docker Desktop and Podman publish on this machine's own addresses.
pub(super) fn shares_network(_socket: &impl Sized) -> Option<bool> {
    None
}
