//! Windows, by netstat2: `GetExtendedTcpTable` and `GetExtendedUdpTable`, which name everybody's pids.

#[path = "pinned.rs"]
mod pinned;

#[cfg(feature = "cli")]
#[path = "grip_windows.rs"]
mod grip;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE};
use windows_sys::Win32::Security::{GetTokenInformation, TOKEN_ELEVATION, TOKEN_QUERY, TokenElevation};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

#[cfg(feature = "cli")]
pub(crate) use grip::Grip;
pub(super) use pinned::{Pinned, pin};

use super::{HolderSearch, Holders, Limits, Reader, Request, Row, SocketTable, excluded, portable};
use crate::{Error, ErrorKind, Evidence, Gap, Listener, Process, Protocol, Reason};

/// The socket table.
pub(super) fn sockets(request: &Request) -> Result<SocketTable, Error> {
    if request.reader == Reader::Native {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "there is no native reader of the socket table on Windows",
        ));
    }
    if request.namespaces {
        return Err(Error::new(ErrorKind::Unsupported, "Windows has no network namespaces"));
    }
    if request.unix {
        return Err(Error::new(ErrorKind::Unsupported, "Unix sockets are not listed on Windows"));
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
    Ok(table)
}

/// Who holds these sockets: as the table says.
pub(super) fn holders(rows: &[&Row], _search: HolderSearch) -> Result<Holders, Error> {
    let help = "its process is gone; a child may have inherited the handle";
    Ok(pinned::from_table(rows, Evidence::Table, Reason::Unknown, help))
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

/// What this machine allows to bind. Windows knows no privileged ports. Its excluded ranges are given by no documented
/// interface to programs; netsh prints them, and is asked where somebody wants to know why alone.
pub(super) fn limits(protocol: Protocol) -> Limits {
    let mut limits = Limits::default();
    for family in ["ipv4", "ipv6"] {
        let only = format!("protocol={}", protocol.as_str());
        let listed = Command::new("netsh")
            .args(["interface", family, "show", "excludedportrange", &only])
            .stdin(Stdio::null())
            .output();
        match listed {
            Ok(output) if output.status.success() => limits.excluded.extend(excluded::parse(&output.stdout)),
            Ok(output) => limits.gaps.push(not_listed(&output.status.to_string())),
            Err(error) => limits.gaps.push(not_listed(&error.to_string())),
        }
    }
    limits
}

/// None: what there is to know netsh tells, and nobody else.
#[cfg(feature = "cli")]
pub(super) fn ready_limits(_protocol: Protocol) -> Limits {
    Limits::default()
}

fn not_listed(why: &str) -> Gap {
    Gap::new(
        "limits",
        "error",
        1,
        format!("Windows' excluded port ranges: netsh did not list them: {why}"),
        None,
    )
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
