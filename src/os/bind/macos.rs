//! What macOS allows to bind.

use std::net::IpAddr;

use crate::model::Protocol;
use crate::os::{Limits, LocalAddress, Usability};

pub(in crate::os) use super::unix::http_sys_urls;
#[cfg(feature = "cli")]
pub(crate) use super::unix::interface_name;
pub(crate) use super::unix::{HTTP_SYS_PID, SERVERS_REUSE, error_name, interface_index, reuse_port};
pub(crate) use super::unsupported::BOUND_SOCKETS_ARE_CHECKED;
pub(in crate::os) use super::unsupported::{fin_timeout, policies, time_wait_left};
pub(in crate::os) use limits as ready_limits;

/// Returns the limits of this machine on ports.
pub(in crate::os) fn limits(_protocol: Protocol) -> Limits {
    // Since macOS 10.14 any user may bind a wildcard, but only root a single address below port 1024.
    Limits { unprivileged_from: Some(1024), ..Limits::default() }
}

/// Returns the addresses of this machine (getifaddrs(3)).
pub(in crate::os) fn local_addresses() -> Option<Vec<LocalAddress>> {
    let interfaces = nix::ifaddrs::getifaddrs().ok()?;
    let local = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let ip = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(address), _) => IpAddr::from(address.ip()),
            (_, Some(address)) => IpAddr::from(address.ip()),
            _ => return None,
        };
        let interface = interface.interface_name.as_str().into();
        Some(LocalAddress { address: ip, interface, usability: Usability::Usable })
    });
    Some(local.collect())
}
