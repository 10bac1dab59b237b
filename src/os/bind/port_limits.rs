//! What this machine allows to bind, and which addresses it has.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{attempts, sys};
use crate::model::{Family, Gap, Protocol, Text};

/// The machine's own limits on ports. `None` where it does not say or has no such limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The first port that needs no privilege.
    pub(crate) unprivileged_from: Option<u16>,
    /// The ports from which the system gives one where a program asks for none.
    pub(crate) automatic: Option<RangeInclusive<u16>>,
    /// The ports that are kept out of those.
    pub(crate) reserved: Vec<RangeInclusive<u16>>,
    /// Windows: the ports that are kept back from everybody.
    pub(crate) excluded: Vec<Excluded>,
    /// What could not be read.
    pub(crate) gaps: Vec<Gap>,
}

/// A range of ports that Windows keeps back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excluded {
    pub(crate) ports: RangeInclusive<u16>,
    pub(crate) family: Family,
    /// Whether an administrator put it there, and it stays until one takes it away. The others are taken by services
    /// when they start.
    pub(crate) administered: bool,
}

/// An address of this machine, and the interface it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) address: IpAddr,
    pub(crate) interface: Text,
    pub(crate) usability: Usability,
}

/// Whether an address of this machine can be bound. Linux alone reports anything but [`Usability::Usable`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Usability {
    /// It can be bound, as far as the system says. An optimistic address (RFC 4429) is one of these.
    #[default]
    Usable,
    /// Duplicate address detection (RFC 4862) has not ended. Until then the kernel refuses to bind it.
    Tentative,
    /// Duplicate address detection found another machine that has it. The kernel refuses to bind it.
    Duplicate,
}

/// What applies to this process and may forbid a bind, besides the limits on ports. `None` where it cannot be read. Linux
/// alone reports anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Policies {
    /// Whether this process holds CAP_NET_BIND_SERVICE in the first user namespace.
    pub(crate) may_bind_privileged: Option<bool>,
    /// The active security modules, in lower case: `landlock`, `selinux`.
    pub(crate) modules: Option<Vec<Text>>,
    /// How AppArmor, SELinux or Smack confines this process: its profile or context. `None` if none of them does, or if
    /// that cannot be read.
    pub(crate) confinement: Option<Text>,
    /// Whether SELinux enforces its policy.
    pub(crate) selinux_enforces: Option<bool>,
    /// Whether a seccomp filter applies.
    pub(crate) seccomp: Option<bool>,
    /// Whether no_new_privs is set, without which an unprivileged process cannot enter a Landlock sandbox.
    pub(crate) no_new_privileges: Option<bool>,
    /// How many BPF programs of the cgroup and those above it decide about binds.
    pub(crate) bind_programs: Option<u32>,
}

/// URLs that HTTP.sys, the web server in the kernel of Windows, serves for other programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpSysUrls {
    /// The addresses, as they were registered.
    pub(crate) urls: Vec<Text>,
    /// Who answers there.
    pub(crate) by: Vec<Server>,
}

/// A program that HTTP.sys serves for.
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

/// The machine's own limits on ports.
pub(crate) fn limits(protocol: Protocol) -> Limits {
    sys::limits(protocol)
}

/// Those of the limits that the system tells at once, without another program being run.
pub(crate) fn ready_limits(protocol: Protocol) -> Limits {
    sys::ready_limits(protocol)
}

/// The longest that a connection of this local port stays in TIME_WAIT.
pub(crate) fn time_wait_left(port: u16) -> Option<Duration> {
    sys::time_wait_left(port)
}

/// What applies to this process and may forbid it to bind.
pub(crate) fn policies() -> Policies {
    sys::policies()
}

/// How long the kernel keeps a connection whose other end does not close, after its process has (FIN_WAIT2). `None` where it
/// does not say.
pub(crate) fn fin_timeout() -> Option<Duration> {
    sys::fin_timeout()
}

/// The addresses of this machine, or `None` where they are not told.
pub(crate) fn local_addresses() -> Option<Vec<Local>> {
    attempts::local_addresses()
}
