//! Tests whether another socket may join a UDP port that is in use: by binds with SO_REUSEADDR and SO_REUSEPORT, at
//! addresses where the test receives no datagram of another socket.
//!
//! - Beside a socket at a wildcard it binds a multicast address that is reserved for documentation (RFC 6676), without
//!   joining the group. The kernel checks that address against the wildcard like any other, and delivers nothing there.
//! - Beside a socket at a multicast address it binds the same address: multicast reaches every member anyway.
//! - Beside a socket at another address it binds the wildcard, which the kernel prefers to no specific address. If
//!   another socket has a wildcard, it attempts nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, SockAddr, Type};

use crate::bind_attempt::BindTarget;
use crate::model::{Protocol, Socket, System};
use crate::os;
use crate::verdict::JoinOptions;

/// An address of MCAST-TEST-NET.
const UNUSED_IPV4: Ipv4Addr = Ipv4Addr::new(233, 252, 0, 77);
const UNUSED_IPV6: Ipv6Addr = Ipv6Addr::new(0xff0e, 0, 0, 0, 0, 0xdb8, 0, 0x77);

/// Returns the options that allow a bind beside the sockets that overlap the target. `None` if no socket overlaps it, or if
/// the options do not share a port in this way on this system.
pub(crate) fn join_options(
    bind_target: &BindTarget,
    sockets: &[&Socket],
    own_uid: Option<u32>,
) -> Option<JoinOptions> {
    if bind_target.protocol != Protocol::Udp || !os::SERVERS_REUSE || os::SYSTEM != System::Linux {
        return None;
    }
    let overlapping: Vec<&Socket> =
        sockets.iter().copied().filter(|socket| bind_target.overlaps(socket)).collect();
    if overlapping.is_empty() {
        return None;
    }
    let tried = addresses(&overlapping, sockets);
    let by = |set: &dyn Fn(&socket2::Socket) -> std::io::Result<()>| {
        let tried = tried.as_ref()?;
        let mut all = Some(true);
        for (address, v6only) in tried {
            match bind(*address, *v6only, bind_target.port, set) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => return Some(false),
                Err(_) => all = None,
            }
        }
        all
    };
    let own = overlapping.iter().all(|socket| socket.uid.is_some() && socket.uid == own_uid);
    Some(JoinOptions {
        reuse_address: by(&|socket| socket.set_reuse_address(true)),
        // SO_REUSEPORT shares only among sockets of one user.
        reuse_port: if own { by(&os::reuse_port) } else { None },
    })
}

/// Returns the addresses for binds that conflict with each of these sockets and receive nothing meant for them. `None` if
/// there are no such addresses.
fn addresses(overlapping: &[&Socket], sockets: &[&Socket]) -> Option<Vec<(IpAddr, bool)>> {
    let mut tried: Vec<(IpAddr, bool)> = Vec::new();
    let is_wildcard = |socket: &&Socket| {
        socket.endpoint.address().is_some_and(|address| address.to_canonical().is_unspecified())
    };
    let any_wildcard = sockets.iter().any(is_wildcard);
    for socket in overlapping {
        let address = socket.endpoint.address()?;
        let place = match address.to_canonical() {
            IpAddr::V4(own) if own.is_unspecified() => (UNUSED_IPV4.into(), false),
            IpAddr::V6(own) if own.is_unspecified() => (UNUSED_IPV6.into(), true),
            own if own.is_multicast() => (own, true),
            _ if any_wildcard => return None,
            IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), false),
            IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), true),
        };
        if !tried.contains(&place) {
            tried.push(place);
        }
    }
    Some(tried)
}

fn bind(
    address: IpAddr,
    v6only: bool,
    port: u16,
    set: &dyn Fn(&socket2::Socket) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = socket2::Socket::new(domain, Type::DGRAM, None)?;
    // Only the command watches.
    #[cfg(feature = "cli")]
    os::socket_events::leave_out(&socket);
    if address.is_ipv6() {
        socket.set_only_v6(v6only)?;
    }
    set(&socket)?;
    socket.bind(&SockAddr::from(SocketAddr::new(address, port)))
}
