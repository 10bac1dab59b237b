//! Linux: the kernel asked over netlink, descriptor tables in /proc.

mod ancestors;
mod belonging;
mod boundary;
mod bpf;
mod candidates;
mod cgroup;
mod condition;
mod container_starters;
mod dbus;
mod file_child;
mod files;
mod forwarding;
#[cfg(feature = "cli")]
mod grip;
mod holders;
mod inet_diag;
#[cfg(feature = "internals")]
pub(super) mod internals;
mod io_uring;
mod kernel_sockets;
mod limits;
mod local_addresses;
mod mappings;
mod mounts;
mod namespace;
mod netlink;
mod nftables;
mod pid_namespace;
mod pin;
mod pinned;
mod policy;
mod process_table;
#[cfg(feature = "cli")]
pub(super) mod process_view;
mod procfs;
mod program_file;
mod published;
mod restart;
mod restart_files;
mod scm_rights;
mod session_units;
mod sight;
mod socket_units;
mod supervised;
mod systemd;
mod table;
mod thread_fds;
mod unit_files;
mod unit_folder;
mod unit_syntax;
mod unix_diag;
mod unix_files;
mod user_namespace;
mod waiting_threads;
mod walk;
mod without_descriptor;
mod xtables;

pub(super) use ancestors::complete as trace;
pub(super) use condition::Conditions;
pub(super) use files::{Files, certainly_local, open_file};
pub(super) use forwarding::forwarding_rules;
#[cfg(feature = "cli")]
pub(crate) use grip::Grip;
#[cfg(feature = "cli")]
pub(super) use holders::held_among;
pub(super) use holders::holders;
#[cfg(feature = "cli")]
pub(super) use limits::limits as ready_limits;
pub(super) use limits::{fin_timeout, limits, time_wait_left};
pub(super) use local_addresses::local_addresses;
pub(super) use namespace::of_process as network_namespace;
#[cfg(feature = "cli")]
pub(super) use namespace::{listening as listening_elsewhere, own_network};
#[cfg(feature = "cli")]
pub(super) use pid_namespace::is_own as pid_namespace_is_own;
#[cfg(feature = "cli")]
pub(super) use pid_namespace::own_pid;
pub(super) use pinned::{Pinned, pin, shorten_commands};
pub(super) use policy::policies;
pub(super) use process_table::process_table;
pub(super) use published::{command, containers_run, shares_network};
pub(super) use restart::policy as restart_policy;
pub(super) use socket_units::complete as socket_units;
pub(crate) use unix_files::SocketFile;
#[cfg(feature = "cli")]
pub(super) use unix_files::can_make_file;
pub(super) use unix_files::find_unix_paths;
pub(super) use user_namespace::{OverflowUid, current as user_namespace, set_user};

use std::collections::{BTreeMap, BTreeSet};

use super::portable::{self, Table};
use super::{Reader, Request, Row, SocketTable, users};
use crate::{Error, ErrorKind, Gap, Protocol, State};
use namespace::NotEntered;

/// The socket table.
pub(super) fn sockets(request: &Request) -> Result<SocketTable, Error> {
    procfs::require()?;
    let mut whole = match request.reader {
        Reader::Auto | Reader::Native => table::read(request)?,
        Reader::Netstat2 if request.namespaces => {
            return Err(Error::new(ErrorKind::Unsupported, "netstat2 reads one network namespace alone"));
        }
        Reader::Netstat2 => by_netstat2(request)?,
    };
    if request.namespaces {
        add_other_namespaces(request, &mut whole);
    }
    if let Some(overflow) = OverflowUid::current() {
        for row in &mut whole.rows {
            overflow.unmap_row(row);
        }
    }
    Ok(whole)
}

/// What is missing of a namespace that is not entered.
const BY_PROC: &str =
    "their tables come from /proc/PID/net, which does not tell queues, v6-only, interfaces and cgroups";

/// Adds the sockets of the other network namespaces. One that may not be entered is read through /proc.
fn add_other_namespaces(request: &Request, whole: &mut SocketTable) {
    let (namespaces, gaps) = namespace::others(request);
    whole.complete &= gaps.is_empty();
    whole.gaps.extend(gaps);
    let (mut shut, mut without_thread) = (0, 0);
    for namespace in namespaces {
        let entered = namespace::inside(&namespace, || table::read(request));
        let read = match entered {
            Ok(read) => read,
            Err(error) => {
                match error {
                    NotEntered::Refused(_) => shut += 1,
                    NotEntered::NoThread(_) => without_thread += 1,
                }
                match namespace.proc_net() {
                    Some(directory) => table::read_proc(&directory, request),
                    None => {
                        let attempted = "cannot enter a network namespace in which no process is left";
                        Err(Error::new(ErrorKind::SocketTable, attempted).because(error))
                    }
                }
            }
        };
        match read {
            Ok(read) => {
                whole.complete &= read.complete;
                whole.gaps.extend(read.gaps);
                whole.rows.extend(read.rows.into_iter().map(|mut row| {
                    row.socket.namespace = Some(namespace.name.clone());
                    row
                }));
            }
            Err(error) => {
                whole.complete = false;
                whole.gaps.push(Gap::new("namespaces", "error", 1, error.to_string(), None));
            }
        }
    }
    if without_thread > 0 {
        let detail = format!(
            "{without_thread} network namespaces are not entered, because no thread can be started here; {BY_PROC}"
        );
        let help = Some("raise the limit of processes (ulimit -u, pids.max)");
        whole.gaps.push(Gap::new("namespaces", "threads", without_thread, detail, help));
    }
    if shut > 0 {
        let detail = format!("{shut} network namespaces may not be entered; {BY_PROC}");
        whole.gaps.push(Gap::new(
            "namespaces",
            "permission",
            shut,
            detail,
            Some("run with sudo to enter them"),
        ));
    }
}

/// The second opinion: every socket in every state, by the crate netstat2.
fn by_netstat2(request: &Request) -> Result<SocketTable, Error> {
    if request.unix {
        return Err(Error::new(ErrorKind::Unsupported, "netstat2 does not read Unix sockets"));
    }
    let mut whole = portable::collect(request, |table| {
        // A table that seems empty may have been refused, which only shows while nothing was left out.
        let mut rows = portable::read(table, true)?;
        if rows.is_empty() {
            rows = distrust_emptiness(table)?;
        }
        if table.protocol == Protocol::Udp && !rows.is_empty() {
            complete_udp(table, &mut rows)?;
        }
        rows.retain(|row| {
            request.all || row.socket.state == State::Listen || table.protocol == Protocol::Udp
        });
        rows.sort_by_key(|row| row.socket.inode);
        rows.dedup_by(|a, b| a.socket.inode.is_some() && a.socket == b.socket);
        Ok(rows)
    })?;
    // The crate does not know UDP-Lite, and its walk is for its own sockets.
    table::add_udplite_from_proc(procfs::own_net()?, request, &mut whole);
    let mut pids = portable::pids_by_inode()?;
    for row in &mut whole.rows {
        row.pids = row.socket.inode.and_then(|inode| pids.remove(&inode)).unwrap_or_default();
    }
    Ok(whole)
}

/// netstat2 ends without a word where the kernel refuses a dump. Sockets that /proc/net lists before and after a dump
/// were there during it.
fn distrust_emptiness(table: Table) -> Result<Vec<Row>, Error> {
    let before = procfs::net_sockets(procfs::own_net()?, table)?;
    if before.is_empty() {
        return Ok(Vec::new());
    }
    let rows = portable::read(table, true)?;
    if !rows.is_empty() {
        return Ok(rows);
    }
    let after = procfs::net_sockets(procfs::own_net()?, table)?;
    let before: BTreeSet<u64> = before.into_iter().map(|(inode, _)| inode).collect();
    match after.iter().filter(|(inode, _)| before.contains(inode)).count() {
        0 => Ok(rows),
        kept => Err(Error::new(
            ErrorKind::SocketTable,
            format!("cannot read {}: netlink gave nothing, /proc/net lists {kept}", table.phrase()),
        )),
    }
}

/// Gives UDP sockets the state and the peer that netstat2 leaves out.
fn complete_udp(table: Table, rows: &mut [Row]) -> Result<(), Error> {
    let listed = procfs::net_sockets(procfs::own_net()?, table)?;
    let listed: BTreeMap<u64, _> = listed.into_iter().collect();
    for row in rows {
        let known = row.socket.inode.and_then(|inode| listed.get(&inode));
        // One that is no longer listed was closed since.
        row.socket.state = known.map_or(State::Closed, |socket| match socket.peer {
            Some(_) => State::Established,
            None => State::Bound,
        });
        row.socket.peer = known.and_then(|socket| socket.peer);
    }
    Ok(())
}

/// Whether this process runs as root.
pub(super) fn privileged() -> bool {
    users::own() == Some(0)
}

/// This program is never run by itself here.
#[cfg(feature = "cli")]
pub(crate) fn errand(_arguments: &[std::ffi::OsString]) -> Option<bool> {
    None
}

/// The pids that are the kernel's own.
#[cfg(feature = "cli")]
pub(crate) const KERNEL: [u32; 0] = [];

/// The kernel serves nothing for programs here.
pub(super) fn served(_listeners: &[crate::Listener]) -> (Vec<super::Served>, Option<Gap>) {
    (Vec::new(), None)
}
