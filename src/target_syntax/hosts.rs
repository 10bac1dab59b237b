//! Hosts in targets: addresses, `localhost`, and this machine's own name. No name is resolved: the caller passes what it
//! knows of the machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::target::{Address, Target, TargetError};

/// What a parser knows of the machine.
pub(crate) trait Hosts {
    /// Returns whether this is the machine's own name.
    fn is_own_name(&self, name: &str) -> bool;
    /// Returns whether the machine has this address. `true` if that is unknown.
    fn has_address(&self, address: IpAddr) -> bool;
}

/// A machine of which nothing is known: it has no name, and may have any address.
pub(crate) struct UnknownHosts;

impl Hosts for UnknownHosts {
    fn is_own_name(&self, _: &str) -> bool {
        false
    }

    fn has_address(&self, _: IpAddr) -> bool {
        true
    }
}

/// What a host stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// Every address of this machine: `*`, or its own name.
    Any {
        /// Whether it is a name, which clients connect to by TCP.
        named: bool,
    },
    /// Loopback of both families.
    Localhost,
    /// An address.
    Address(Address),
}

impl Host {
    /// Parses a host that is not in brackets. `port` is for the help of the error.
    pub(super) fn parse(host: &str, port: &str, hosts: &dyn Hosts) -> Result<Host, TargetError> {
        if host == "*" {
            return Ok(Host::Any { named: false });
        }
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            return Ok(Host::Address(Address { address: address.into(), interface: None }));
        }
        if is_localhost(host) {
            return Ok(Host::Localhost);
        }
        match hosts.is_own_name(host.trim_end_matches('.')) {
            true => Ok(Host::Any { named: true }),
            false => Err(not_this_machine(host, port)),
        }
    }

    /// Returns the addresses. `None` stands for all of them.
    pub(super) fn addresses(self) -> Vec<Option<Address>> {
        let loopback = |address: IpAddr| Some(Address { address, interface: None });
        match self {
            Host::Any { .. } => vec![None],
            Host::Localhost => {
                vec![loopback(Ipv4Addr::LOCALHOST.into()), loopback(Ipv6Addr::LOCALHOST.into())]
            }
            Host::Address(address) => vec![Some(address)],
        }
    }

    /// Returns whether it is a name, which clients connect to by TCP.
    pub(super) fn is_name(&self) -> bool {
        matches!(self, Host::Localhost | Host::Any { named: true })
    }
}

/// Returns whether a name is `localhost` or below it (RFC 6761, section 6.3).
pub(super) fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or(host);
    last.eq_ignore_ascii_case("localhost") && is_name(host)
}

/// Returns whether a text has the form of a host name, and is not a number or an address.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|letter| letter.is_alphanumeric() || "-_".contains(letter))
            && !label.starts_with('-')
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    host.split('.').all(is_label) && host.chars().any(char::is_alphabetic)
}

/// Returns the error of a host that is no address and no name of this machine.
fn not_this_machine(host: &str, port: &str) -> TargetError {
    if !is_name(host) {
        let help = format!("an address is written 127.0.0.1:{port} or [::1]:{port}");
        return TargetError::new(host, "is not an IP address or the name of a host", help);
    }
    if strsim::osa_distance(&host.to_ascii_lowercase(), "localhost") <= 2 {
        return TargetError::new(host, ANOTHER, format!("perhaps localhost:{port}"));
    }
    TargetError::new(host, ANOTHER, format!("write localhost:{port} or {port}; or run allears on {host}"))
}

/// Returns the error of an address that this machine does not have.
pub(super) fn not_own_address(address: &Address, port: u16) -> TargetError {
    let shown = address.address.to_string();
    let help = format!("write localhost:{port} or {port}; or run allears on the machine that has {shown}");
    TargetError::new(&shown, ANOTHER, help)
}

const ANOTHER: &str = "is another machine: allears answers for this one (names are not looked up)";

/// Parses an address, with the interface of an IPv6 address if it has one.
pub(super) fn parse_address(host: &str) -> Option<Address> {
    let (host, interface) = match host.split_once('%') {
        Some((host, interface)) if !interface.is_empty() => (host, Some(interface.to_owned())),
        Some(_) => return None,
        None => (host, None),
    };
    let address: IpAddr = host.parse().ok()?;
    (interface.is_none() || address.is_ipv6()).then_some(Address { address, interface })
}

/// Returns the address of a host in brackets: `::1`, `fe80::1%eth0`.
pub(super) fn parse_ipv6(host: &str) -> Option<Address> {
    parse_address(host).filter(|at| at.address.is_ipv6())
}

impl Target {
    /// Returns whether the targets are one port as `localhost` names it: at loopback of both families.
    #[cfg(feature = "cli")]
    pub(crate) fn are_localhost(targets: &[Target]) -> bool {
        let is_at = |target: &Target, address: IpAddr| target.address() == Some(address);
        matches!(targets, [one, other]
            if is_at(one, Ipv4Addr::LOCALHOST.into())
                && is_at(other, Ipv6Addr::LOCALHOST.into())
                && one.single_port().is_some()
                && (one.single_port(), one.protocol()) == (other.single_port(), other.protocol()))
    }
}
