//! macOS: the kernel's lists of sockets by sysctl, descriptor tables by libproc, launchd's jobs. netstat2 is not used
//! here: where a descriptor is closed while it looks, its 0.11.2 takes what was in memory before for a socket, or ends
//! the program.

mod holders;
mod jobs;
mod kernel;
mod netstat;
mod table;
mod walk;

#[cfg(feature = "cli")]
#[path = "../grip_pid.rs"]
mod grip;

use std::collections::BTreeMap;
use std::time::Duration;

pub(super) use super::processes::Conditions;
#[cfg(feature = "cli")]
pub(crate) use grip::Grip;
pub(super) use holders::{Pinned, holders, pin};
pub(super) use jobs::complete as socket_units;

use super::{Limits, Reader, Request, SocketTable, users};
use crate::{Error, ErrorKind, Gap, Process, Protocol};

/// No manager of this system is asked.
pub(super) fn restart_policy(_service: &crate::Service) -> Option<super::restart_policy::RestartPolicy> {
    None
}

/// What the kernel tells of a socket besides what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// The number of its control block.
    generation: u64,
    /// Whether there is a socket still.
    open: bool,
    /// Who used it last, and on whose behalf.
    last_users: Option<[u32; 2]>,
    /// Whether netstat printed it, and no list of the kernel.
    by_netstat: bool,
}

#[cfg(feature = "cli")]
impl Told {
    /// The number of the control block, which no other socket has.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }
}

/// The socket table.
pub(super) fn sockets(request: &Request) -> Result<SocketTable, Error> {
    let unsupported = |what| Err(Error::new(ErrorKind::Unsupported, what));
    if request.reader == Reader::Netstat2 {
        return unsupported("netstat2 is not used on macOS: it can name sockets that are not there");
    }
    if request.namespaces {
        return unsupported("macOS has no network namespaces");
    }
    if request.unix {
        return unsupported("Unix sockets are not listed on macOS");
    }
    table::read(request)
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

/// Rules of this system's own packet filter are not read.
pub(super) fn forwarding_rules(
    _protocol: Protocol,
    _port: u16,
    _addresses: &[std::net::IpAddr],
) -> super::ForwardingRules {
    super::ForwardingRules::default()
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

/// This program is never run by itself here.
#[cfg(feature = "cli")]
pub(crate) fn errand(_arguments: &[std::ffi::OsString]) -> Option<bool> {
    None
}

/// The pids that are the kernel's own.
#[cfg(feature = "cli")]
pub(crate) const KERNEL: [u32; 1] = [0];

/// The kernel serves nothing for programs here.
pub(super) fn served(_listeners: &[crate::Listener]) -> (Vec<super::Served>, Option<Gap>) {
    (Vec::new(), None)
}

/// When the process of this pid began, as [`crate::ProcessId`] has it.
pub(super) fn start_of(_pid: u32, seconds: u64) -> Option<u64> {
    (seconds != 0).then_some(seconds)
}

/// There is one space of pids on this system.
#[cfg(feature = "cli")]
pub(super) fn pid_namespace_is_own() -> Option<bool> {
    Some(true)
}

/// The pid of this process.
#[cfg(feature = "cli")]
pub(super) fn own_pid() -> Option<u32> {
    Some(std::process::id())
}

/// Which file systems may not answer is not found out on this system.
pub(super) fn certainly_local(paths: &[std::path::PathBuf]) -> Vec<bool> {
    vec![true; paths.len()]
}

/// Opens a file for reading.
pub(super) fn open_file(path: &std::path::Path) -> std::io::Result<Box<dyn std::io::Read>> {
    Ok(Box::new(std::fs::File::open(path)?))
}

/// There are no network namespaces here.
pub(super) fn network_namespace(_pid: u32) -> Option<u64> {
    None
}

/// Not read here.
pub(super) fn fin_timeout() -> Option<Duration> {
    None
}

/// No policies are read here.
pub(super) fn policies() -> super::Policies {
    super::Policies::default()
}
