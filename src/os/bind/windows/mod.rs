//! What Windows allows to bind.

pub(in crate::os) mod netsh;

use std::time::Duration;

use crate::model::Protocol;
use crate::os::{Limits, Local, Policies};

pub(in crate::os) use netsh::{http_sys_urls, limits};

/// Whether a bind of a socket that has a port already is checked in any way: unknown on this system.
pub(crate) const BOUND_SOCKETS_ARE_CHECKED: bool = false;

/// Returns nothing: the addresses of this machine are not read here.
pub(in crate::os) fn local_addresses() -> Option<Vec<Local>> {
    None
}

/// The pid of the kernel, by which HTTP.sys holds ports.
pub(crate) const HTTP_SYS_PID: Option<u32> = Some(4);

/// None: what there is to know netsh tells, and nobody else.
#[cfg(feature = "cli")]
pub(in crate::os) fn ready_limits(_protocol: Protocol) -> Limits {
    Limits::default()
}

/// The table here does not tell how long TIME_WAIT lasts.
pub(in crate::os) fn time_wait_left(_port: u16) -> Option<Duration> {
    None
}

/// Not read here.
pub(in crate::os) fn fin_timeout() -> Option<Duration> {
    None
}

/// No policies are read here.
pub(in crate::os) fn policies() -> Policies {
    Policies::default()
}
