//! What macOS allows to bind.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::{Gap, Protocol};
use crate::os::{HttpSysUrls, Limits, Local, Policies, Usability};

/// What this machine allows to bind.
pub(in crate::os) fn limits(_protocol: Protocol) -> Limits {
    // Since 10.14 a wildcard may be bound by anybody, a single address below 1024 by root alone.
    Limits { unprivileged_from: Some(1024), ..Limits::default() }
}

/// The same: nothing has to be run for them.
#[cfg(feature = "cli")]
pub(in crate::os) fn ready_limits(protocol: Protocol) -> Limits {
    limits(protocol)
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

/// Whether a bind of a socket that has a port already is checked in any way: unknown on this system.
pub(crate) const BOUND_SOCKETS_ARE_CHECKED: bool = false;

/// Returns the addresses of this machine (getifaddrs(3)).
pub(in crate::os) fn local_addresses() -> Option<Vec<Local>> {
    let interfaces = nix::ifaddrs::getifaddrs().ok()?;
    let local = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let ip = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(address), _) => IpAddr::from(address.ip()),
            (_, Some(address)) => IpAddr::from(address.ip()),
            _ => return None,
        };
        let interface = interface.interface_name.as_str().into();
        Some(Local { address: ip, interface, usability: Usability::Usable })
    });
    Some(local.collect())
}

/// The pid by which HTTP.sys holds ports: `None`, because only Windows has it.
pub(crate) const HTTP_SYS_PID: Option<u32> = None;

/// Returns nothing: only Windows has HTTP.sys.
pub(in crate::os) fn http_sys_urls(_port: u16) -> (Vec<HttpSysUrls>, Option<Gap>) {
    (Vec::new(), None)
}
