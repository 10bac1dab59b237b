//! The limits of this machine on binds, and its addresses.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::sys;
use crate::model::{Confinement, Gap, Protocol, SecurityModule, Text};

pub(crate) use crate::os::parse::linux::rtnetlink::Usability;
pub(crate) use crate::os::parse::windows::excluded_ports::ExcludedRange;

/// The limits of this machine on ports. `None` if the system has no such limit or does not report it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The first port that needs no privilege.
    pub(crate) unprivileged_from: Option<u16>,
    /// The ephemeral range: the system assigns one of these ports if a program asks for none.
    pub(crate) ephemeral: Option<RangeInclusive<u16>>,
    /// The ports of that range that are never assigned.
    pub(crate) reserved: Vec<RangeInclusive<u16>>,
    /// The ports that no process may bind. Windows only.
    pub(crate) excluded: Vec<ExcludedRange>,
    /// What could not be read.
    pub(crate) gaps: Vec<Gap>,
}

/// An address of this machine, and the interface it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalAddress {
    pub(crate) address: IpAddr,
    pub(crate) interface: Text,
    pub(crate) usability: Usability,
}

/// The policies that apply to this process and may forbid a bind, apart from the limits on ports. `None` if they cannot
/// be read. Only Linux reports any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Policies {
    /// Whether this process holds CAP_NET_BIND_SERVICE in the first user namespace.
    pub(crate) may_bind_privileged: Option<bool>,
    /// The active security modules.
    pub(crate) modules: Option<Vec<SecurityModule>>,
    /// How AppArmor, SELinux or Smack confines this process. `None` if none of them does, or if that cannot be read.
    pub(crate) confinement: Option<Confinement>,
    /// Whether SELinux enforces its policy.
    pub(crate) selinux_enforces: Option<bool>,
    /// Whether a seccomp filter applies.
    pub(crate) seccomp: Option<bool>,
    /// Whether no_new_privs is set, without which an unprivileged process cannot enter a Landlock sandbox.
    pub(crate) no_new_privileges: Option<bool>,
    /// The number of BPF programs of its cgroup and the cgroups above that decide about binds.
    pub(crate) bind_programs: Option<u32>,
}

/// URLs that HTTP.sys, the web server in the kernel of Windows, serves for other programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpSysUrls {
    /// The URLs as they were registered.
    pub(crate) urls: Vec<Text>,
    /// The programs that serve them.
    pub(crate) by: Vec<Server>,
}

/// A program that serves URLs of HTTP.sys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) pid: u32,
    pub(crate) name: Option<Text>,
    /// The services that run in it.
    pub(crate) services: Vec<Text>,
}

/// Returns the URLs that HTTP.sys serves at a TCP port, and a gap if they could not be listed. Windows only.
///
/// Source: `netsh http show servicestate`. It takes up to five seconds, so call it only for a port that
/// [`HTTP_SYS_PID`] holds.
pub(crate) fn http_sys_urls(port: u16) -> (Vec<HttpSysUrls>, Option<Gap>) {
    sys::http_sys_urls(port)
}

/// Returns the limits of this machine on ports. Linux: sysctls. Windows: netsh, which takes up to five seconds.
pub(crate) fn limits(protocol: Protocol) -> Limits {
    sys::limits(protocol)
}

/// Returns those limits that can be read without running another program.
pub(crate) fn ready_limits(protocol: Protocol) -> Limits {
    sys::ready_limits(protocol)
}

/// Returns the longest time that a connection of this local port stays in TIME_WAIT. Linux only (sock_diag(7)).
pub(crate) fn time_wait_left(port: u16) -> Option<Duration> {
    sys::time_wait_left(port)
}

/// Returns the policies that may forbid this process to bind. Linux only.
pub(crate) fn policies() -> Policies {
    sys::policies()
}

/// Returns how long the kernel keeps a connection in FIN_WAIT2 if its peer does not close it. Linux only
/// (net.ipv4.tcp_fin_timeout).
pub(crate) fn fin_timeout() -> Option<Duration> {
    sys::fin_timeout()
}

/// Returns the addresses of this machine. `None` on Windows and if they cannot be read. Linux: rtnetlink(7); macOS:
/// getifaddrs(3).
pub(crate) fn local_addresses() -> Option<Vec<LocalAddress>> {
    sys::local_addresses()
}
