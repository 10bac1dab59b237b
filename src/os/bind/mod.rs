//! What attempts to bind need of the system, and what this machine allows to bind. Depends on `model` alone.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows/attempts.rs")]
mod attempts;
pub(in crate::os) mod port_limits;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
pub(in crate::os) mod sys;

#[cfg(feature = "cli")]
pub(crate) use attempts::interface_name;
pub(crate) use attempts::{SERVERS_REUSE, error_name, interface_index, reuse_port};
#[cfg(feature = "cli")]
pub(crate) use port_limits::ready_limits;
pub(crate) use port_limits::{
    Excluded, HttpSysUrls, Limits, Local, Policies, Server, Usability, fin_timeout, http_sys_urls, limits,
    local_addresses, policies, time_wait_left,
};
pub(crate) use sys::{BOUND_SOCKETS_ARE_CHECKED, HTTP_SYS_PID};
