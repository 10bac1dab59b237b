//! What the kernel of macOS (XNU) tells of internet sockets, as bytes: the lists `net.inet.tcp.pcblist_n` and
//! `net.inet.udp.pcblist_n`, what libproc tells of one descriptor, and what netstat prints. Nothing is asked here and
//! nothing is unsafe, so that it is tested on every system. Layouts are those of Apple's published sources
//! (bsd/netinet/in_pcb.h, bsd/sys/socketvar.h, bsd/netinet/tcp_var.h, packed to 4 bytes) and of the header
//! sys/proc_info.h. Both processors that macOS runs on have the lowest byte first.

#[cfg(allears_internals)]
pub(in crate::os) mod internals;
pub(in crate::os) mod netstat;
pub(in crate::os) mod pcblist;
pub(in crate::os) mod socket_fdinfo;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::{Endpoint, Protocol, Queue, Socket, State};

/// An internet socket as the kernel tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Entry {
    /// The socket, its interface not named yet.
    pub(in crate::os) socket: Socket,
    /// The number of the interface, where the local address has one in it.
    pub(in crate::os) scope: Option<u32>,
    /// The number that the kernel gave its control block; no other of the protocol gets it. List and libproc both tell
    /// it. 0 where there is none.
    pub(in crate::os) generation: u64,
    /// Whether there is a socket still. A connection in TIME_WAIT may have none.
    pub(in crate::os) open: bool,
    /// Who used it last, and on whose behalf, as pids; 0 is the kernel. libproc does not tell it.
    pub(in crate::os) last_users: Option<[u32; 2]>,
}

/// A control block without what lies around it: where a socket stands.
#[derive(Debug, Clone, Copy)]
struct Block<'a> {
    /// Ports, highest byte first.
    local_port: [u8; 2],
    peer_port: [u8; 2],
    /// INP_IPV4 and INP_IPV6.
    families: u8,
    /// The address family that the socket was made for.
    domain: u32,
    local: &'a [u8; 16],
    peer: &'a [u8; 16],
    /// The state of a TCP connection.
    state: Option<u32>,
}

const INP_IPV4: u8 = 1;
const INP_IPV6: u8 = 2;
const AF_INET6: u32 = 30;

impl Block<'_> {
    /// The socket it is of, and the number of the interface in its address. `None` where it has no local port or is of
    /// neither family.
    fn socket(&self, protocol: Protocol) -> Option<(Socket, Option<u32>)> {
        let port = u16::from_be_bytes(self.local_port);
        if port == 0 || self.families & (INP_IPV4 | INP_IPV6) == 0 {
            return None;
        }
        let (address, scope) = self.address(self.local);
        let peer_port = u16::from_be_bytes(self.peer_port);
        let (peer, _) = self.address(self.peer);
        let peer = (peer_port != 0).then(|| SocketAddr::new(peer, peer_port));
        let state = match self.state {
            Some(state) => tcp_state(state, peer.is_some()),
            None if peer.is_some() => State::Established,
            None => State::Bound,
        };
        let mut socket = Socket::new(protocol, Endpoint::Ip { address, port, interface: None }, state);
        socket.peer = peer;
        if self.families & INP_IPV6 != 0 {
            // Both only where a wildcard was bound without IPV6_V6ONLY.
            socket.dual_stack = Some(self.families & INP_IPV4 != 0);
        } else if address.is_ipv6() {
            socket.dual_stack = Some(true);
        }
        Some((socket, scope))
    }

    /// One of its addresses, and the number of an interface in it. An IPv4 address stands in the last four bytes.
    fn address(&self, bytes: &[u8; 16]) -> (IpAddr, Option<u32>) {
        let [.., a, b, c, d] = *bytes;
        let ipv4 = Ipv4Addr::new(a, b, c, d);
        match self.families & INP_IPV6 != 0 {
            true => without_scope(*bytes),
            // A socket for IPv6 that was bound to, or connected by, an IPv4 address.
            false if self.domain == AF_INET6 => (IpAddr::V6(ipv4.to_ipv6_mapped()), None),
            false => (IpAddr::V4(ipv4), None),
        }
    }
}

/// In the kernel the number of the interface stands in bytes 2 and 3 of an address that is valid on one link alone.
fn without_scope(mut bytes: [u8; 16]) -> (IpAddr, Option<u32>) {
    let [first, second, high, low, ..] = bytes;
    let of_a_link = first == 0xfe && second & 0xc0 == 0x80;
    let many_of_a_link = first == 0xff && matches!(second & 0x0f, 1 | 2);
    let scope = u32::from(u16::from_be_bytes([high, low]));
    if !(of_a_link || many_of_a_link) || scope == 0 {
        return (IpAddr::V6(Ipv6Addr::from(bytes)), None);
    }
    for byte in bytes.iter_mut().skip(2).take(2) {
        *byte = 0;
    }
    (IpAddr::V6(Ipv6Addr::from(bytes)), Some(scope))
}

/// TCPS_CLOSED and the others of netinet/tcp_fsm.h. A socket that was bound and is nothing else is CLOSED.
fn tcp_state(state: u32, connected: bool) -> State {
    match state {
        0 if connected => State::Closed,
        0 => State::Bound,
        1 => State::Listen,
        2 => State::SynSent,
        3 => State::SynReceived,
        4 => State::Established,
        5 => State::CloseWait,
        6 => State::FinWait1,
        7 => State::Closing,
        8 => State::LastAck,
        9 => State::FinWait2,
        10 => State::TimeWait,
        _ => State::Unknown,
    }
}

/// The queue of a listener. The kernel counts connections that are not complete yet among those that wait.
fn queue(protocol: Protocol, state: State, counts: [u16; 3], unread: u32) -> Option<Queue> {
    let [all, incomplete, limit] = counts;
    match (protocol, state) {
        (Protocol::Tcp, State::Listen) => {
            Some(Queue { waiting: u32::from(all.saturating_sub(incomplete)), limit: Some(limit.into()) })
        }
        (Protocol::Udp, State::Bound) => Some(Queue { waiting: unread, limit: None }),
        _ => None,
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    field(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    field(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    field(bytes, at).map(u64::from_le_bytes)
}
