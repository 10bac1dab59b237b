//! What bind attempts need from the system, and the limits of this machine on binds. Depends on `model` and on other
//! topics of `os`.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows/attempts.rs")]
mod attempts;
#[cfg(not(windows))]
mod no_http_sys;
pub(in crate::os) mod port_limits;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
pub(in crate::os) mod sys;
#[cfg(not(target_os = "linux"))]
mod unsupported;

#[cfg(feature = "cli")]
pub(crate) use attempts::interface_name;
pub(crate) use attempts::{SERVERS_REUSE, error_name, interface_index, reuse_port};
pub(crate) use port_limits::{
    Excluded, HttpSysUrls, Limits, Local, Policies, Server, Usability, fin_timeout, http_sys_urls, limits,
    local_addresses, policies, ready_limits, time_wait_left,
};
pub(crate) use sys::{BOUND_SOCKETS_ARE_CHECKED, HTTP_SYS_PID};
