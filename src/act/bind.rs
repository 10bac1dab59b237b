//! Real attempts to bind. A socket is bound and closed at once; it never listens, so that no peer can meet it.
//!
//! While an attempt has the port (some microseconds), a server that sets SO_REUSEADDR gets it all the same, and one that
//! does not is refused. Who waits for a port therefore rehearses the bind, which takes no port, and makes an attempt only
//! where the socket table cannot answer.
//!
//! UDP sockets are tried without SO_REUSEADDR and SO_REUSEPORT alone: with these a bind could succeed beside a server
//! and take datagrams that are meant for it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::bind_attempt::{Attempt, BindOptions, BindTarget, Refusal, RefusalKind};
use crate::model::Protocol;
use crate::os;

/// The number of UDP-Lite (RFC 3828).
const IPPROTO_UDPLITE: i32 = 136;

/// Returns the refusal that an error stands for.
fn refusal_from(error: &io::Error) -> Refusal {
    let name = os::error_name(error);
    let kind = match (error.kind(), name.as_str()) {
        (io::ErrorKind::AddrInUse, _) => RefusalKind::InUse,
        (io::ErrorKind::PermissionDenied, _) => RefusalKind::Denied,
        (io::ErrorKind::AddrNotAvailable, _) => RefusalKind::NotLocal,
        (_, "EAFNOSUPPORT" | "EPROTONOSUPPORT") => RefusalKind::NoFamily,
        _ => RefusalKind::Other,
    };
    Refusal { kind, name, says: error.to_string() }
}

/// Where a bind is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) protocol: Protocol,
    /// `None` stands for the wildcards of both families.
    pub(crate) address: Option<IpAddr>,
    /// The scope of a link-local address.
    pub(crate) interface: Option<&'a str>,
    pub(crate) port: u16,
}

impl<'a> Place<'a> {
    /// Where a bind for what is asked would be.
    pub(crate) fn of(asked: &'a BindTarget) -> Place<'a> {
        Place {
            protocol: asked.protocol,
            address: asked.address,
            interface: asked.interface.as_ref().and_then(|name| name.as_str()),
            port: asked.port,
        }
    }

    /// One of the addresses with the port, and the scope where it needs one.
    fn at(&self, address: IpAddr) -> SocketAddr {
        let scope = self.interface.and_then(os::interface_index).unwrap_or(0);
        match address {
            IpAddr::V4(_) => SocketAddr::new(address, self.port),
            IpAddr::V6(address) => SocketAddrV6::new(address, self.port, 0, scope).into(),
        }
    }

    /// The addresses that a bind asks for, each with whether it leaves IPv4 alone.
    fn addresses(&self) -> Vec<(IpAddr, bool)> {
        const ANY6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        match self.address {
            Some(address) => vec![(address, false)],
            None => vec![(Ipv4Addr::UNSPECIFIED.into(), false), (ANY6, true), (ANY6, false)],
        }
    }
}

/// The options that servers set for a protocol on this system. These decide whether a port can be had.
pub(crate) fn as_servers_do(protocol: Protocol) -> BindOptions {
    match protocol {
        Protocol::Tcp if os::SERVERS_REUSE => BindOptions::ReuseAddress,
        _ => BindOptions::Plain,
    }
}

/// Tries to bind as servers do, to each of the addresses that a place stands for.
pub(crate) fn attempt(place: &Place<'_>) -> Vec<Attempt> {
    attempt_with(place, as_servers_do(place.protocol))
}

/// Tries to bind as servers do, and returns why a server could not: that the port is in use first. `None` if one could,
/// in every family that this machine has.
pub(crate) fn refusal(place: &Place<'_>) -> Option<Refusal> {
    let attempts = attempt(place);
    let tried = attempts.iter().any(|attempt| !attempt.lacks_family());
    let mut refusals: Vec<&Refusal> = attempts
        .iter()
        .filter(|attempt| !tried || !attempt.lacks_family())
        .filter_map(|attempt| attempt.refused.as_ref())
        .collect();
    refusals.sort_by_key(|refusal| refusal.kind != RefusalKind::InUse);
    refusals.first().map(|refusal| (*refusal).clone())
}

/// Tries the other options too, where they do no harm and tell something.
pub(crate) fn attempt_otherwise(place: &Place<'_>) -> Vec<Attempt> {
    match place.protocol {
        Protocol::Tcp if os::SERVERS_REUSE => [BindOptions::Plain, BindOptions::ReusePort]
            .into_iter()
            .flat_map(|options| attempt_with(place, options))
            .collect(),
        _ => Vec::new(),
    }
}

fn attempt_with(place: &Place<'_>, options: BindOptions) -> Vec<Attempt> {
    let attempt = |(address, v6only): (IpAddr, bool)| Attempt {
        address,
        v6only,
        options,
        refused: bind(place, address, v6only, options).err().map(|error| refusal_from(&error)),
    };
    place.addresses().into_iter().map(attempt).collect()
}

fn bind(place: &Place<'_>, address: IpAddr, v6only: bool, options: BindOptions) -> io::Result<()> {
    let socket = socket(place.protocol, address, v6only)?;
    match options {
        BindOptions::Plain => {}
        BindOptions::ReuseAddress => socket.set_reuse_address(true)?,
        BindOptions::ReusePort => os::reuse_port(&socket)?,
    }
    let address = SockAddr::from(place.at(address));
    let bound = socket.bind(&address);
    // At once: until then others may be refused the port.
    drop(socket);
    bound
}

fn socket(protocol: Protocol, address: IpAddr, v6only: bool) -> io::Result<Socket> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let kind = if protocol.is_datagram() { Type::DGRAM } else { Type::STREAM };
    // A port of UDP says nothing of the same port of UDP-Lite.
    let number = (protocol == Protocol::UdpLite).then(|| socket2::Protocol::from(IPPROTO_UDPLITE));
    let socket = Socket::new(domain, kind, number)?;
    if address.is_ipv6() {
        socket.set_only_v6(v6only)?;
    }
    Ok(socket)
}

/// Rehearses a bind to each of the addresses that a place stands for, without taking the port for an instant: a socket that
/// has another port already is bound once more. The system checks what the caller may do, refuses with its reason, and only
/// then finds that the socket has a port. `refused` is `None` where everything but a conflict was checked and passed.
///
/// `None` if this system or this process cannot rehearse. An IPv6 address of elsewhere passes.
pub(crate) fn rehearse(place: &Place<'_>) -> Option<Vec<Attempt>> {
    if !os::BOUND_SOCKETS_ARE_CHECKED {
        return None;
    }
    let rehearse = |(address, v6only): (IpAddr, bool)| {
        let socket = bound_elsewhere(place, address, v6only)?;
        let refused = match socket.bind(&SockAddr::from(place.at(address))) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => None,
            Err(error) => Some(refusal_from(&error)),
            // It had no port after all.
            Ok(()) => return None,
        };
        Some(Attempt { address, v6only, options: as_servers_do(place.protocol), refused })
    };
    place.addresses().into_iter().map(rehearse).collect()
}

/// Returns whether the socket table that `sees` looks for a port in shows a socket that is bound and does nothing else: one
/// is made for that, with a port that the system gives.
pub(crate) fn is_seen(place: &Place<'_>, sees: impl FnOnce(u16) -> bool) -> bool {
    let is_ipv4 = place.address.is_none_or(|address| address.is_ipv4());
    let address: IpAddr = if is_ipv4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let bound = bound_elsewhere(place, address, false);
    let port = bound.as_ref().and_then(|socket| socket.local_addr().ok()?.as_socket());
    port.is_some_and(|address| sees(address.port()))
}

/// A socket that is bound to loopback, at a port that the system gives, and lets others have that port.
fn bound_elsewhere(place: &Place<'_>, address: IpAddr, v6only: bool) -> Option<Socket> {
    let own = match (address.is_ipv4(), v6only || !address.is_unspecified()) {
        (true, _) => IpAddr::from(Ipv4Addr::LOCALHOST),
        (false, true) => Ipv6Addr::LOCALHOST.into(),
        (false, false) => Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
    };
    // The system may give the very port that is asked about.
    for _ in 0..3 {
        let socket = socket(place.protocol, address, v6only).ok()?;
        if place.protocol == Protocol::Tcp {
            socket.set_reuse_address(true).ok()?;
        }
        socket.bind(&SockAddr::from(SocketAddr::new(own, 0))).ok()?;
        if socket.local_addr().ok()?.as_socket()?.port() != place.port {
            return Some(socket);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(protocol: Protocol, port: u16) -> Place<'static> {
        Place { protocol, address: Some(Ipv4Addr::LOCALHOST.into()), interface: None, port }
    }

    #[test]
    fn an_attempt_leaves_nothing_behind_and_tells_the_truth() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let refused = attempt(&place(Protocol::Tcp, port));
        assert_eq!(refused[0].refused.as_ref().unwrap().kind, RefusalKind::InUse);
        drop(listener);
        // The same port again and again: an attempt that left something would be met by the next one.
        for _ in 0..100 {
            assert!(attempt(&place(Protocol::Tcp, port)).iter().all(|attempt| attempt.refused.is_none()));
        }
        assert!(std::net::TcpListener::bind(("127.0.0.1", port)).is_ok());
    }

    #[test]
    fn udp_is_never_tried_with_options_that_take_from_others() {
        assert_eq!(as_servers_do(Protocol::Udp), BindOptions::Plain);
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(attempt_otherwise(&place(Protocol::Udp, port)), []);
        let refused = attempt(&place(Protocol::Udp, port));
        assert_eq!(refused[0].refused.as_ref().map(|refusal| refusal.kind), Some(RefusalKind::InUse));
    }

    #[test]
    fn a_rehearsal_takes_no_port_and_passes_where_one_may_bind() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            for address in [None, Some(Ipv4Addr::LOCALHOST.into()), Some(Ipv4Addr::UNSPECIFIED.into())] {
                let rehearsed = rehearse(&Place { address, ..place(protocol, port) });
                assert_eq!(rehearsed.is_some(), os::BOUND_SOCKETS_ARE_CHECKED, "{protocol:?} {address:?}");
                let rehearsed = rehearsed.unwrap_or_default();
                assert!(
                    rehearsed.iter().all(|it| it.refused.is_none()),
                    "a holder does not matter: {rehearsed:?}"
                );
            }
        }
        if os::BOUND_SOCKETS_ARE_CHECKED {
            let elsewhere =
                Place { address: Some("192.0.2.7".parse().unwrap()), ..place(Protocol::Tcp, 10309) };
            let refused = rehearse(&elsewhere).unwrap()[0].refused.clone().unwrap();
            assert_eq!(refused.kind, RefusalKind::NotLocal);
        }
        assert!(is_seen(&place(Protocol::Tcp, port), |other| other != port && other != 0));
    }

    #[test]
    fn an_address_of_elsewhere() {
        let place = Place { address: Some("192.0.2.7".parse().unwrap()), ..place(Protocol::Tcp, 10309) };
        let refused = attempt(&place)[0].refused.clone().unwrap();
        assert_eq!((refused.kind, refused.name.as_str()), (RefusalKind::NotLocal, "EADDRNOTAVAIL"));
    }
}
