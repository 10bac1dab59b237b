//! Finds the lowest ports that a server can have: tested by binds, and without signs that something else needs them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use super::bind;
use super::forwarding::forwarding;
use crate::bind_attempt::{BindRefusal, BindRefusalKind, BindTarget};
use crate::enrich::containers::Runtimes;
use crate::model::names::names;
use crate::model::{Error, ErrorKind, Gap, Protocol};
use crate::os::{self, PortClaims};
use crate::plan::Forwarding;
use crate::port_info::{self, UseStatus};

/// Which ports to search for.
///
/// ```
/// use allears::{NextOptions, Protocol};
///
/// let found = allears::next_ports(&NextOptions::new(20000..=20999).count(2))?;
/// assert_eq!(found.ports.len(), 2);
/// assert!(std::net::TcpListener::bind(("127.0.0.1", found.ports[0])).is_ok());
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NextOptions {
    /// The ports to choose from, both ends included.
    pub ports: RangeInclusive<u16>,
    /// TCP or UDP. Default: TCP.
    pub protocol: Protocol,
    /// How many. Default: one.
    pub count: usize,
}

impl NextOptions {
    /// Returns options for one TCP port of a range.
    pub fn new(ports: RangeInclusive<u16>) -> NextOptions {
        NextOptions { ports, protocol: Protocol::Tcp, count: 1 }
    }

    /// Sets the protocol.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> NextOptions {
        self.protocol = protocol;
        self
    }

    /// Sets how many ports to find.
    #[must_use]
    pub fn count(mut self, count: usize) -> NextOptions {
        self.count = count;
        self
    }
}

/// The ports that were found, and those that were passed over.
///
/// ```
/// use allears::{NextOptions, SkipReason};
///
/// let server = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
/// let port = server.local_addr().expect("it is bound").port();
/// let found = allears::next_ports(&NextOptions::new(port..=port))?;
/// assert!(found.ports.is_empty());
/// assert_eq!(found.skipped[0].reason, SkipReason::InUse);
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NextPorts {
    /// At most the requested number of ports, ascending. Nothing reserves them: another program can bind them first.
    pub ports: Vec<u16>,
    /// The ports that were tested before the last one was found, and passed over, ascending.
    pub skipped: Vec<SkippedPort>,
    /// Whether other calls of the same user are kept from getting these ports for two seconds. False if fewer were found
    /// than requested, and if there is no folder that only this user can write to.
    pub claimed: bool,
    /// What could not be found out about `ports`: whether something forwards them.
    pub gaps: Vec<Gap>,
}

/// A port that was passed over.
///
/// ```
/// use allears::{NextOptions, SkipReason};
///
/// let found = allears::next_ports(&NextOptions::new(5432..=5440))?;
/// assert_eq!(found.skipped[0].port, 5432);
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SkippedPort {
    /// The port.
    pub port: u16,
    /// Why.
    pub reason: SkipReason,
}

/// Why a port was passed over.
///
/// ```
/// use allears::SkipReason;
///
/// assert_eq!("in-use".parse(), Ok(SkipReason::InUse));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SkipReason {
    /// A bind was refused because a socket has the port: a listener, a bound socket, a connection, or TIME_WAIT.
    InUse,
    /// A bind was refused because a privilege is missing, or because the system excludes the port.
    Denied,
    /// The port is among those that the administrator keeps from being assigned. Linux only
    /// (`net.ipv4.ip_local_reserved_ports`).
    Reserved,
    /// The registry assigns the port to a program that commonly listens on it, such as a database.
    Assigned,
    /// Nothing listens, but connections to the port are forwarded or answered.
    Forwarded,
    /// Another call of the same user was given the port within the last two seconds.
    Claimed,
}

names! { SkipReason, "reason to skip a port":
    InUse => "in-use",
    Denied => "denied",
    Reserved => "reserved",
    Assigned => "assigned",
    Forwarded => "forwarded",
    Claimed => "claimed",
}

/// Returns the lowest ports of a range that can be bound on the wildcards and on loopback of both address families.
///
/// Each is tested by binds without SO_REUSEADDR, which a connection or a socket in TIME_WAIT refuses too. Ports that are
/// reserved, forwarded, or assigned to a program that commonly listens on them are skipped. Two calls of one user within
/// two seconds get different ports; nothing else reserves a port until the caller binds it.
///
/// # Errors
/// If a bind fails for a reason that does not concern the port, such as too many open files, and if the socket table
/// cannot be read.
pub fn next_ports(options: &NextOptions) -> Result<NextPorts, Error> {
    next(options, &Runtimes::default())
}

/// Does the same, and asks these container runtimes whether they forward a port.
pub(crate) fn next(options: &NextOptions, runtimes: &Runtimes) -> Result<NextPorts, Error> {
    let protocol = options.protocol;
    let reserved = os::ready_limits(protocol).reserved;
    let claims = PortClaims::lock();
    let mut found = NextPorts { ports: Vec::new(), skipped: Vec::new(), claimed: false, gaps: Vec::new() };
    for port in options.ports.clone().filter(|port| *port != 0) {
        if found.ports.len() >= options.count {
            break;
        }
        let reason = if reserved.iter().any(|range| range.contains(&port)) {
            Some(SkipReason::Reserved)
        } else if is_assigned(port, protocol) {
            Some(SkipReason::Assigned)
        } else if claims.as_ref().is_some_and(|claims| claims.contains(protocol, port)) {
            Some(SkipReason::Claimed)
        } else {
            refused(protocol, port)?
        };
        match reason {
            Some(reason) => found.skipped.push(SkippedPort { port, reason }),
            None => {
                let target = BindTarget { protocol, address: None, interface: None, port };
                match forwarding(&target, runtimes)? {
                    Forwarding::Forwarded(_) | Forwarding::Answered(_) => {
                        found.skipped.push(SkippedPort { port, reason: SkipReason::Forwarded });
                    }
                    Forwarding::RuledOut => found.ports.push(port),
                    Forwarding::Unknown(gap) => {
                        found.ports.push(port);
                        if !found.gaps.contains(&gap) {
                            found.gaps.push(gap);
                        }
                    }
                }
            }
        }
    }
    // A caller that needs more ports than there are uses none of them.
    if found.ports.len() == options.count {
        found.claimed = claims.is_some_and(|claims| claims.add(protocol, &found.ports));
    }
    Ok(found)
}

/// Returns whether the registry and common use agree on a program for this port.
fn is_assigned(port: u16, protocol: Protocol) -> bool {
    let firmly = |it: &port_info::CommonUse| it.status == UseStatus::Iana && it.protocol == protocol;
    port_info::about(port).uses.iter().any(firmly)
}

/// Returns why a port cannot be bound by a program that sets no options. `None` if it can be bound everywhere.
fn refused(protocol: Protocol, port: u16) -> Result<Option<SkipReason>, Error> {
    let target = |address| BindTarget { protocol, address, interface: None, port };
    let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let targets = [None, Some(loopback[0]), Some(loopback[1])].map(target);
    let refusals = targets.iter().flat_map(bind::attempt_plainly).filter_map(|attempt| attempt.refused);
    let mut reasons: Vec<SkipReason> = Vec::new();
    for BindRefusal { kind, name, message } in refusals {
        match kind {
            BindRefusalKind::InUse => return Ok(Some(SkipReason::InUse)),
            BindRefusalKind::Denied => reasons.push(SkipReason::Denied),
            // A machine without one family has the other.
            BindRefusalKind::NoFamily | BindRefusalKind::NotLocal => {}
            BindRefusalKind::Other => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("cannot test whether port {port} is free: {message} ({name})"),
                ));
            }
        }
    }
    Ok(reasons.pop())
}
