//! What bind attempts need from the system, and the limits of this machine on binds. Depends on `model` and on other
//! topics of `os`.

pub(in crate::os) mod port_limits;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
pub(in crate::os) mod sys;
// What Linux and macOS share.
#[cfg(unix)]
mod unix;
#[cfg(not(target_os = "linux"))]
mod unsupported;

pub(crate) use port_limits::{
    ExcludedRange, HttpSysUrls, Limits, LocalAddress, Policies, Server, Usability, fin_timeout,
    http_sys_urls, limits, local_addresses, policies, ready_limits, time_wait_left,
};
#[cfg(feature = "cli")]
pub(crate) use sys::interface_name;
pub(crate) use sys::{
    BOUND_SOCKETS_ARE_CHECKED, HTTP_SYS_PID, SERVERS_REUSE, error_name, interface_index, reuse_port,
};
