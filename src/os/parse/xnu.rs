//! Parses what the kernel of macOS (XNU) reports about internet sockets: the lists `net.inet.tcp.pcblist_n` and
//! `net.inet.udp.pcblist_n`, the structure of libproc for one descriptor, and the output of netstat. Pure and without
//! unsafe code, so that it is tested on every system. Layouts are those of Apple's published sources
//! (bsd/netinet/in_pcb.h, bsd/sys/socketvar.h, bsd/netinet/tcp_var.h, packed to 4 bytes) and of the header
//! sys/proc_info.h. Both processors that macOS runs on are little-endian.

#[cfg(any(target_os = "macos", test))]
pub(in crate::os) mod bsd_info;
#[cfg(any(target_os = "macos", test))]
pub(in crate::os) mod fd_list;
#[cfg(any(target_os = "macos", test))]
pub(in crate::os) mod foreign;
#[cfg(allears_internals)]
pub(in crate::os) mod internals;
pub(in crate::os) mod netstat;
pub(in crate::os) mod pcblist;
#[cfg(any(target_os = "macos", test))]
pub(in crate::os) mod shortened;
pub(in crate::os) mod socket_fdinfo;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::{AcceptQueue, Endpoint, Protocol, Socket, State};

/// An internet socket as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct PcbEntry {
    /// The socket, without the name of its interface.
    pub(in crate::os) socket: Socket,
    /// The index of the interface, if the local address contains one.
    pub(in crate::os) scope: Option<u32>,
    /// The number of its control block, which is unique within the protocol. Both the list and libproc report it. 0 if
    /// there is none.
    pub(in crate::os) generation: u64,
    /// Whether the socket still exists. A connection in TIME_WAIT may have none.
    pub(in crate::os) open: bool,
    /// The pids of the process that used it last, and of the process on whose behalf; 0 is the kernel. libproc does not
    /// report them.
    pub(in crate::os) last_users: Option<[u32; 2]>,
}

/// The part of a control block that has addresses, ports and state.
#[derive(Debug, Clone, Copy)]
struct Block<'a> {
    /// The ports, big-endian.
    local_port: [u8; 2],
    peer_port: [u8; 2],
    /// INP_IPV4 and INP_IPV6.
    families: u8,
    /// The address family that the socket was created for.
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
    /// Returns the socket, and the index of the interface in its address. `None` if it has no local port or is of
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
            // Both flags are set only if a wildcard was bound without IPV6_V6ONLY.
            socket.dual_stack = Some(self.families & INP_IPV4 != 0);
        } else if address.is_ipv6() {
            socket.dual_stack = Some(true);
        }
        Some((socket, scope))
    }

    /// Returns one of its addresses, and the index of an interface in it. An IPv4 address is in the last four bytes.
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

/// Removes the index of the interface, which the kernel keeps in bytes 2 and 3 of a link-local address.
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

/// Returns the state for TCPS_CLOSED and the others of netinet/tcp_fsm.h. A socket that is only bound is CLOSED.
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

/// Returns the queue of a listener. The kernel includes incomplete connections in its count of waiting ones.
fn queue(protocol: Protocol, state: State, counts: [u16; 3], unread: u32) -> Option<AcceptQueue> {
    let [all, incomplete, limit] = counts;
    match (protocol, state) {
        (Protocol::Tcp, State::Listen) => Some(AcceptQueue {
            waiting: u32::from(all.saturating_sub(incomplete)),
            limit: Some(limit.into()),
        }),
        (Protocol::Udp, State::Bound) => Some(AcceptQueue { waiting: unread, limit: None }),
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
