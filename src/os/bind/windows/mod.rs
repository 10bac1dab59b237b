//! What Windows allows to bind.

mod bind_sys;
pub(in crate::os) mod netsh;

use crate::model::Protocol;
use crate::os::{Limits, LocalAddress};

pub(crate) use super::unsupported::BOUND_SOCKETS_ARE_CHECKED;
pub(in crate::os) use super::unsupported::{fin_timeout, policies, time_wait_left};
#[cfg(feature = "cli")]
pub(crate) use bind_sys::interface_name;
pub(crate) use bind_sys::{SERVERS_REUSE, error_name, interface_index, reuse_port};
pub(in crate::os) use netsh::{http_sys_urls, limits};

/// Returns nothing: the addresses of this machine are not read on this system.
pub(in crate::os) fn local_addresses() -> Option<Vec<LocalAddress>> {
    None
}

/// The pid of the kernel, by which HTTP.sys holds ports.
pub(crate) const HTTP_SYS_PID: Option<u32> = Some(4);

/// Returns no limits: only netsh, another program, reports them.
pub(in crate::os) fn ready_limits(_protocol: Protocol) -> Limits {
    Limits::default()
}
