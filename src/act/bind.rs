//! Attempts to bind. Each binds a socket and closes it at once. The socket never listens, so no peer can reach it.
//!
//! While an attempt has the port (a few microseconds), a server that sets SO_REUSEADDR can still bind it, and one that
//! does not is refused. Waiting for a port therefore rehearses the bind, which takes no port, and attempts one only if
//! the socket table cannot answer.
//!
//! UDP is never bound with SO_REUSEADDR or SO_REUSEPORT: such a bind could succeed beside a server and receive its
//! datagrams.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::bind_attempt::{Attempt, BindOptions, BindRefusal, BindRefusalKind, BindTarget};
use crate::model::compact::CompactSort as _;
use crate::model::{ErrorName, Protocol};
use crate::os;

/// The number of UDP-Lite (RFC 3828).
const IPPROTO_UDPLITE: i32 = 136;

/// Returns the refusal for an error.
fn refusal_from(error: &io::Error) -> BindRefusal {
    let name = os::error_name(error);
    let kind = match (error.kind(), &name) {
        (io::ErrorKind::AddrInUse, _) => BindRefusalKind::InUse,
        (io::ErrorKind::PermissionDenied, _) => BindRefusalKind::Denied,
        (io::ErrorKind::AddrNotAvailable, _) => BindRefusalKind::NotLocal,
        (_, ErrorName::NoFamily | ErrorName::NoProtocol) => BindRefusalKind::NoFamily,
        _ => BindRefusalKind::Other,
    };
    BindRefusal { kind, name, message: error.to_string() }
}

/// Returns an address with the port of a target, and with the scope if it needs one.
pub(super) fn socket_address(target: &BindTarget, address: IpAddr) -> SocketAddr {
    let interface = target.interface.as_ref().and_then(|name| name.as_str());
    let scope = interface.and_then(os::interface_index).unwrap_or(0);
    match address {
        IpAddr::V4(_) => SocketAddr::new(address, target.port),
        IpAddr::V6(address) => SocketAddrV6::new(address, target.port, 0, scope).into(),
    }
}

/// Returns the addresses to bind, each with whether the socket is IPv6-only.
fn addresses(target: &BindTarget) -> Vec<(IpAddr, bool)> {
    const ANY6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    match target.address {
        Some(address) => vec![(address, false)],
        None => vec![(Ipv4Addr::UNSPECIFIED.into(), false), (ANY6, true), (ANY6, false)],
    }
}

/// Returns the options that servers set for a protocol on this system. They decide whether the port is free.
pub(crate) fn as_servers_do(protocol: Protocol) -> BindOptions {
    match protocol {
        Protocol::Tcp if os::SERVERS_REUSE => BindOptions::ReuseAddress,
        _ => BindOptions::Plain,
    }
}

/// Attempts to bind with the options of servers, once for each address.
pub(crate) fn attempt(target: &BindTarget) -> Vec<Attempt> {
    attempt_with(target, as_servers_do(target.protocol))
}

/// Attempts to bind with the options of servers, and returns the refusal, preferably that the port is in use. `None` if
/// the bind succeeds in every family that this machine has.
pub(crate) fn refusal(target: &BindTarget) -> Option<BindRefusal> {
    let attempts = attempt(target);
    let has_family = attempts.iter().any(|attempt| !attempt.lacks_family());
    let mut refusals: Vec<&BindRefusal> = attempts
        .iter()
        .filter(|attempt| !has_family || !attempt.lacks_family())
        .filter_map(|attempt| attempt.refused.as_ref())
        .collect();
    refusals.compact_sort_by_key(|refusal| refusal.kind != BindRefusalKind::InUse);
    refusals.first().map(|refusal| (*refusal).clone())
}

/// Attempts to bind with other options, if that is harmless and informative.
pub(crate) fn attempt_with_other_options(target: &BindTarget) -> Vec<Attempt> {
    match target.protocol {
        Protocol::Tcp if os::SERVERS_REUSE => [BindOptions::Plain, BindOptions::ReusePort]
            .into_iter()
            .flat_map(|options| attempt_with(target, options))
            .collect(),
        _ => Vec::new(),
    }
}

/// Attempts to bind without options, which a connection or a socket in TIME_WAIT refuses too.
pub(super) fn attempt_plainly(target: &BindTarget) -> Vec<Attempt> {
    attempt_with(target, BindOptions::Plain)
}

fn attempt_with(target: &BindTarget, options: BindOptions) -> Vec<Attempt> {
    let attempt = |(address, v6only): (IpAddr, bool)| Attempt {
        address,
        v6only,
        options,
        refused: bind(target, address, v6only, options).err().map(|error| refusal_from(&error)),
    };
    addresses(target).into_iter().map(attempt).collect()
}

fn bind(target: &BindTarget, address: IpAddr, v6only: bool, options: BindOptions) -> io::Result<()> {
    let socket = socket(target.protocol, address, v6only)?;
    match options {
        BindOptions::Plain => {}
        BindOptions::ReuseAddress => socket.set_reuse_address(true)?,
        BindOptions::ReusePort => os::reuse_port(&socket)?,
    }
    let address = SockAddr::from(socket_address(target, address));
    let bound = socket.bind(&address);
    // Closes at once: until then other binds may be refused.
    drop(socket);
    bound
}

fn socket(protocol: Protocol, address: IpAddr, v6only: bool) -> io::Result<Socket> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let kind = if protocol.is_datagram() { Type::DGRAM } else { Type::STREAM };
    // UDP-Lite has its own ports.
    let number = (protocol == Protocol::UdpLite).then(|| socket2::Protocol::from(IPPROTO_UDPLITE));
    let socket = Socket::new(domain, kind, number)?;
    // Only the command watches.
    #[cfg(feature = "cli")]
    os::socket_events::leave_out(&socket);
    if address.is_ipv6() {
        socket.set_only_v6(v6only)?;
    }
    Ok(socket)
}

/// Rehearses a bind to each address without taking the port: binds a socket that has another port already. The kernel
/// checks permissions and the address, refuses with the reason, and only then finds that the socket is bound. `refused`
/// is `None` if every check passed. Conflicts with other sockets are not checked.
///
/// Returns `None` if this system or this process cannot rehearse. An IPv6 address of another machine passes.
pub(crate) fn rehearse(target: &BindTarget) -> Option<Vec<Attempt>> {
    if !os::BOUND_SOCKETS_ARE_CHECKED {
        return None;
    }
    let rehearse = |(address, v6only): (IpAddr, bool)| {
        let socket = bound_elsewhere(target, address, v6only)?;
        let refused = match socket.bind(&SockAddr::from(socket_address(target, address))) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => None,
            Err(error) => Some(refusal_from(&error)),
            // The socket had no port after all.
            Ok(()) => return None,
        };
        Some(Attempt { address, v6only, options: as_servers_do(target.protocol), refused })
    };
    addresses(target).into_iter().map(rehearse).collect()
}

/// Returns whether the socket table lists sockets that are bound and do not listen: binds one to an ephemeral port, and
/// returns whether `is_listed` finds that port.
pub(crate) fn lists_bound_sockets(target: &BindTarget, is_listed: impl FnOnce(u16) -> bool) -> bool {
    let is_ipv4 = target.address.is_none_or(|address| address.is_ipv4());
    let address: IpAddr = if is_ipv4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let bound = bound_elsewhere(target, address, false);
    let port = bound.as_ref().and_then(|socket| socket.local_addr().ok()?.as_socket());
    port.is_some_and(|address| is_listed(address.port()))
}

/// Returns a socket that is bound to an ephemeral port on loopback, with options that let others bind that port.
fn bound_elsewhere(target: &BindTarget, address: IpAddr, v6only: bool) -> Option<Socket> {
    let own = match (address.is_ipv4(), v6only || !address.is_unspecified()) {
        (true, _) => IpAddr::from(Ipv4Addr::LOCALHOST),
        (false, true) => Ipv6Addr::LOCALHOST.into(),
        (false, false) => Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
    };
    // The ephemeral port may be the port of the target.
    for _ in 0..3 {
        let socket = socket(target.protocol, address, v6only).ok()?;
        if target.protocol == Protocol::Tcp {
            socket.set_reuse_address(true).ok()?;
        }
        socket.bind(&SockAddr::from(SocketAddr::new(own, 0))).ok()?;
        if socket.local_addr().ok()?.as_socket()?.port() != target.port {
            return Some(socket);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::test_support::eventually;

    fn target(protocol: Protocol, port: u16) -> BindTarget {
        BindTarget { protocol, address: Some(Ipv4Addr::LOCALHOST.into()), interface: None, port }
    }

    #[test]
    fn an_attempt_reports_the_refusal_and_leaves_nothing_behind() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let refused = attempt(&target(Protocol::Tcp, port));
        assert_eq!(refused[0].refused.as_ref().unwrap().kind, BindRefusalKind::InUse);
        drop(listener);
        // The same port repeatedly: the next attempt would be refused by anything that one leaves behind.
        for _ in 0..100 {
            let succeeds =
                || attempt(&target(Protocol::Tcp, port)).iter().all(|attempt| attempt.refused.is_none());
            assert!(eventually(succeeds));
        }
        assert!(eventually(|| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()));
    }

    #[test]
    fn udp_is_never_bound_with_options_that_take_datagrams_of_others() {
        assert_eq!(as_servers_do(Protocol::Udp), BindOptions::Plain);
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(attempt_with_other_options(&target(Protocol::Udp, port)), []);
        let refused = attempt(&target(Protocol::Udp, port));
        assert_eq!(refused[0].refused.as_ref().map(|refusal| refusal.kind), Some(BindRefusalKind::InUse));
    }

    #[test]
    fn a_rehearsal_takes_no_port_and_ignores_holders() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            for address in [None, Some(Ipv4Addr::LOCALHOST.into()), Some(Ipv4Addr::UNSPECIFIED.into())] {
                let rehearsed = rehearse(&BindTarget { address, ..target(protocol, port) });
                assert_eq!(rehearsed.is_some(), os::BOUND_SOCKETS_ARE_CHECKED, "{protocol:?} {address:?}");
                let rehearsed = rehearsed.unwrap_or_default();
                assert!(
                    rehearsed.iter().all(|it| it.refused.is_none()),
                    "a holder is ignored: {rehearsed:?}"
                );
            }
        }
        if os::BOUND_SOCKETS_ARE_CHECKED {
            let elsewhere =
                BindTarget { address: Some("192.0.2.7".parse().unwrap()), ..target(Protocol::Tcp, 10309) };
            let refused = rehearse(&elsewhere).unwrap()[0].refused.clone().unwrap();
            assert_eq!(refused.kind, BindRefusalKind::NotLocal);
        }
        assert!(lists_bound_sockets(&target(Protocol::Tcp, port), |other| other != port && other != 0));
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let target =
            BindTarget { address: Some("192.0.2.7".parse().unwrap()), ..target(Protocol::Tcp, 10309) };
        let refused = attempt(&target)[0].refused.clone().unwrap();
        assert_eq!((refused.kind, refused.name), (BindRefusalKind::NotLocal, ErrorName::NotLocal));
    }
}
