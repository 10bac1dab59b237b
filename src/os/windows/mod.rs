//! Windows, by the tables of its IP helper, which name everybody's pids to everybody.

#[path = "../pinned.rs"]
mod pinned;

mod calls;
#[cfg(feature = "cli")]
mod closing;
#[cfg(feature = "cli")]
mod console;
#[cfg(feature = "cli")]
mod grip;
mod netsh;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE};
use windows_sys::Win32::Security::{GetTokenInformation, TOKEN_ELEVATION, TOKEN_QUERY, TokenElevation};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

pub(super) use super::processes::Conditions;
#[cfg(feature = "cli")]
pub(crate) use console::errand;
#[cfg(feature = "cli")]
pub(crate) use grip::Grip;
pub(super) use netsh::{limits, served};
pub(super) use pinned::{Pinned, pin};

use super::windows_parts::{excluded, http_sys, lives, services, table};
use super::{HolderSearch, Holders, Limits, Reader, Request, Row, SocketTable, portable};
use crate::{Candidate, Error, ErrorKind, Evidence, Gap, Listener, Process, Protocol, Reason, Text};
use lives::Life;

pub(crate) use lives::KERNEL;

/// No manager of this system is asked.
pub(super) fn restart_policy(_service: &crate::Service) -> Option<super::restart_policy::RestartPolicy> {
    None
}

/// What the tables of the IP helper leave out.
const BOUND: &str = "TCP sockets that are bound and do not listen cannot be listed: the IP helper has them in no table; \
    Get-NetTCPConnection -State Bound shows them in PowerShell";

/// The socket table.
pub(super) fn sockets(request: &Request) -> Result<SocketTable, Error> {
    if request.namespaces {
        return Err(Error::new(ErrorKind::Unsupported, "Windows has no network namespaces"));
    }
    if request.unix {
        return Err(Error::new(ErrorKind::Unsupported, "Unix sockets are not listed on Windows"));
    }
    let mut whole = match request.reader {
        Reader::Netstat2 => portable::collect(request, |table| portable::read(table, request.all))?,
        Reader::Auto | Reader::Native => portable::collect(request, |table| read(table, request.all))?,
    };
    pinned::merge(&mut whole.rows);
    if request.all && request.tcp {
        whole.gaps.push(Gap::new("sockets", "bound", 1, BOUND, None));
        whole.lacks_bound = true;
    }
    if request.udp {
        whole.gaps.push(Gap::new(
            "state",
            "unsupported",
            1,
            "whether UDP sockets are connected is not told here",
            None,
        ));
    }
    Ok(whole)
}

/// One table.
fn read(table: portable::Table, all: bool) -> Result<Vec<Row>, Error> {
    let attempted = || Error::new(ErrorKind::SocketTable, format!("cannot read {}", table.phrase()));
    let (bytes, layout) = calls::table(table, all).map_err(|error| attempted().because(error))?;
    let records = table::records(&bytes, layout)
        .ok_or_else(|| attempted().because(std::io::Error::other("it is shorter than it says")))?;
    let row = |record: table::Record| {
        let pids: Vec<u32> = (record.pid != 0).then_some(record.pid).into_iter().collect();
        let opened = pids.iter().copied().zip(record.opened).collect();
        Row { socket: record.socket, pids, opened }
    };
    Ok(records.into_iter().map(row).collect())
}

/// Who holds these sockets: as the table says, unless that process has ended, or began after the socket was opened.
pub(super) fn holders(rows: &[&Row], _search: HolderSearch) -> Result<Holders, Error> {
    let help = "the system names no process for it; look again";
    let mut search = pinned::from_table(rows, Evidence::Table, Reason::Unknown, help);
    let mut lives: BTreeMap<u32, Life> = BTreeMap::new();
    let mut life = |pid: u32| *lives.entry(pid).or_insert_with(|| calls::life(pid));
    let list = OnceCell::new();
    for ((row, held), unseen) in rows.iter().zip(&mut search.of).zip(&mut search.unseen) {
        held.retain_mut(|one| {
            let pid = one.process.pid();
            let opened = row.opened.get(&pid).copied();
            let lived = if KERNEL.contains(&pid) { Life::Unknown } else { life(pid) };
            one.process.began(lived);
            let later = lives::is_older(opened, lived);
            if lived != Life::Ended && !later {
                return true;
            }
            let list = list.get_or_init(calls::processes);
            let name = || list.iter().find(|listed| listed.pid == pid).map(|listed| listed.name.clone());
            let evidence = Evidence::Table;
            let later = later.then(|| Candidate { pid, name: name().unwrap_or_default(), evidence });
            if row.socket.is_listener() {
                *unseen = Some(lives::without_process(pid, opened, later, list, &mut life));
            }
            false
        });
    }
    Ok(search)
}

/// Gives holders the services that run in them: one question to their manager, where a holder is of a kind that may
/// have some.
pub(super) fn socket_units(listeners: &mut [Listener]) -> Vec<Gap> {
    let holders = || listeners.iter().flat_map(|listener| &listener.holders);
    if !holders().any(|holder| services::may_serve(&holder.process)) {
        return Vec::new();
    }
    match calls::services() {
        Ok(known) => {
            services::name(listeners, &known);
            Vec::new()
        }
        Err(error) => {
            let detail = format!("which services run in which process: their manager did not tell: {error}");
            vec![Gap::new("services", "error", 1, detail, None)]
        }
    }
}

/// These processes and all their ancestors by pid, with the names that the system's list has for them. sysinfo's names
/// lose what is no valid UTF-16.
pub(super) fn families(pids: &[u32]) -> BTreeMap<u32, Text> {
    let listed = calls::processes();
    let mut wanted = lives::ancestors(pids.iter().copied(), &listed);
    wanted.extend(pids);
    let family = listed.into_iter().filter(|process| wanted.contains(&process.pid));
    family.map(|process| (process.pid, process.name)).collect()
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

/// Whether this process is elevated.
pub(super) fn privileged() -> bool {
    let mut token: HANDLE = std::ptr::null_mut();
    let mut elevation = TOKEN_ELEVATION { TokenIsElevated: 0 };
    let size = u32::try_from(size_of::<TOKEN_ELEVATION>()).unwrap_or(0);
    let mut written = 0;
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: the pseudo handle needs no closing; `token` is written before it is used and closed once; the buffer
    // is a TOKEN_ELEVATION of the size that is passed with it.
    unsafe {
        if OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) == 0 {
            return false;
        }
        let known =
            GetTokenInformation(token, TokenElevation, (&raw mut elevation).cast(), size, &raw mut written);
        CloseHandle(token);
        known != 0 && elevation.TokenIsElevated != 0
    }
}

/// None: what there is to know netsh tells, and nobody else.
#[cfg(feature = "cli")]
pub(super) fn ready_limits(_protocol: Protocol) -> Limits {
    Limits::default()
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
pub(super) fn command(_pid: u32) -> Option<Vec<Text>> {
    None
}

/// When the process of this pid began, as [`crate::ProcessId`] has it.
pub(super) fn start_of(pid: u32, _seconds: u64) -> Option<u64> {
    calls::life(pid).name()
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
