//! Events of sockets as the kernel reports them: the records of this program's BPF programs, and the messages of
//! sock_diag(7) about destroyed sockets (linux/sock_diag.h, linux/inet_diag.h). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::netlink::{attributes, u16_at, u32_at, u64_at};
use crate::model::Protocol;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const IPPROTO_MPTCP: u16 = 262;

/// The bytes of a record.
pub(in crate::os) const RECORD: usize = 128;

// Offsets of a record's fields.
pub(in crate::os) const TIME: usize = 0;
pub(in crate::os) const COOKIE: usize = 8;
pub(in crate::os) const PID: usize = 16;
pub(in crate::os) const UID: usize = 24;
pub(in crate::os) const START: usize = 32;
pub(in crate::os) const COMM: usize = 40;
pub(in crate::os) const COMM_LENGTH: usize = 16;
pub(in crate::os) const NAMESPACE: usize = 56;
pub(in crate::os) const RESULT: usize = 60;
pub(in crate::os) const HOOK: usize = 64;
pub(in crate::os) const FAMILY: usize = 66;
pub(in crate::os) const PROTOCOL: usize = 68;
pub(in crate::os) const PORT: usize = 70;
pub(in crate::os) const PEER_PORT: usize = 72;
pub(in crate::os) const ADDRESS_V4: usize = 76;
pub(in crate::os) const ADDRESS_V6: usize = 80;
pub(in crate::os) const REQUESTED: usize = 96;
/// The bytes of `struct sockaddr_in6`.
pub(in crate::os) const REQUESTED_LENGTH: usize = 28;
pub(in crate::os) const INTERFACE: usize = 124;

/// What a function of the kernel does, to which a program is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum Hook {
    /// A TCP socket begins to listen.
    Listen,
    /// A socket is bound to an address.
    Bind,
    /// A TCP socket stops listening.
    StopListening,
    /// A UDP socket loses its port.
    Unbind,
}

impl Hook {
    pub(in crate::os) const fn number(self) -> u16 {
        match self {
            Hook::Listen => 1,
            Hook::Bind => 2,
            Hook::StopListening => 3,
            Hook::Unbind => 4,
        }
    }
}

/// A record that a program wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct EventRecord {
    pub(in crate::os) hook: Hook,
    /// The errno, if the kernel refused.
    pub(in crate::os) error: Option<i32>,
    pub(in crate::os) protocol: Protocol,
    /// Whether it is a socket of multipath TCP, and not one inside of it.
    pub(in crate::os) is_multipath: bool,
    pub(in crate::os) address: IpAddr,
    /// 0 if the kernel was to choose one and did not.
    pub(in crate::os) port: u16,
    pub(in crate::os) has_peer: bool,
    /// The index of the interface it is bound to.
    pub(in crate::os) interface: Option<u32>,
    /// Identifies this socket while the machine runs.
    pub(in crate::os) cookie: u64,
    /// The inode number of its network namespace.
    pub(in crate::os) namespace: u64,
    pub(in crate::os) pid: u32,
    pub(in crate::os) uid: u32,
    /// The name of the thread that made the call.
    pub(in crate::os) name: Vec<u8>,
    /// When the process began, in nanoseconds since boot.
    pub(in crate::os) start: u64,
    /// In nanoseconds of the monotonic clock.
    pub(in crate::os) time: u64,
}

/// Reads a record. Returns `None` for sockets of other families and protocols.
pub(in crate::os) fn record(bytes: &[u8]) -> Option<EventRecord> {
    if bytes.len() < RECORD {
        return None;
    }
    let hook = match u16_at(bytes, HOOK)? {
        1 => Hook::Listen,
        2 => Hook::Bind,
        3 => Hook::StopListening,
        4 => Hook::Unbind,
        _ => return None,
    };
    let error = Some(u32_at(bytes, RESULT)?.cast_signed()).filter(|result| *result < 0);
    let family = u16_at(bytes, FAMILY)?;
    let (address, port) = match (hook, error) {
        // A socket that was refused has no address; the call has it.
        (Hook::Bind, Some(_)) => requested(bytes.get(REQUESTED..REQUESTED + REQUESTED_LENGTH)?)?,
        _ => (address(family, bytes, ADDRESS_V4, ADDRESS_V6)?, u16_at(bytes, PORT)?),
    };
    let name = bytes.get(COMM..COMM + COMM_LENGTH)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
    Some(EventRecord {
        hook,
        error: error.map(|result| -result),
        protocol: protocol(u16_at(bytes, PROTOCOL)?)?,
        is_multipath: u16_at(bytes, PROTOCOL)? == IPPROTO_MPTCP,
        address,
        port,
        has_peer: u16_at(bytes, PEER_PORT)? != 0,
        interface: u32_at(bytes, INTERFACE).filter(|index| *index != 0),
        cookie: u64_at(bytes, COOKIE)?,
        namespace: u32_at(bytes, NAMESPACE)?.into(),
        // The upper half is the process, the lower one the thread; of the next number the lower half is the user.
        pid: u32::try_from(u64_at(bytes, PID)? >> 32).ok()?,
        uid: u32_from_low(u64_at(bytes, UID)?),
        name,
        start: u64_at(bytes, START)?,
        time: u64_at(bytes, TIME)?,
    })
}

fn u32_from_low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}

/// Reads the address that a call passed: `struct sockaddr_in` or `struct sockaddr_in6`.
fn requested(bytes: &[u8]) -> Option<(IpAddr, u16)> {
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    Some((address(u16_at(bytes, 0)?, bytes, 4, 8)?, port))
}

fn address(family: u16, bytes: &[u8], v4: usize, v6: usize) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(*bytes.get(v4..)?.first_chunk::<4>()?).into()),
        AF_INET6 => Some(Ipv6Addr::from(*bytes.get(v6..)?.first_chunk::<16>()?).into()),
        _ => None,
    }
}

/// Returns the protocol of a number (IPPROTO_ in linux/in.h). Multipath TCP counts as TCP, as in the socket table.
fn protocol(number: u16) -> Option<Protocol> {
    match number {
        6 | IPPROTO_MPTCP => Some(Protocol::Tcp),
        17 => Some(Protocol::Udp),
        132 => Some(Protocol::Sctp),
        136 => Some(Protocol::UdpLite),
        _ => None,
    }
}

/// A socket that the kernel has destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Destroyed {
    pub(in crate::os) protocol: Protocol,
    pub(in crate::os) address: IpAddr,
    pub(in crate::os) port: u16,
    /// The index of the interface it is bound to.
    pub(in crate::os) interface: Option<u32>,
    /// Identifies this socket while the machine runs.
    pub(in crate::os) cookie: u64,
}

/// What tcp_diag reports as the write queue of a closed socket: the distance of two sequence numbers, which is 0 if the
/// socket never connected, and 2 if it listened and was shut down (observed on 6.18). A client that was refused has 3,
/// and no address of a peer over IPv6; a connection that nobody accepted has a large number and no port of a peer.
const NEVER_CONNECTED: [u32; 2] = [0, 2];

/// The length of `struct inet_diag_msg`.
const MESSAGE: usize = 72;
const INET_DIAG_PROTOCOL: u16 = 10;

/// Reads a message about a destroyed socket. Returns `None` for a socket that had no port of its own, that had a peer, or
/// that has another protocol.
///
/// The kernel reports neither the inode number nor the owner of such a socket: both are 0.
pub(in crate::os) fn destroyed(message: &[u8]) -> Option<Destroyed> {
    let port = |at: usize| Some(u16::from_be_bytes(*message.get(at..)?.first_chunk()?));
    let (own, peer) = (port(4)?, port(6)?);
    let mut number = None;
    attributes(message.get(MESSAGE..)?, |kind, value| {
        if kind == INET_DIAG_PROTOCOL {
            number = value.first().map(|number| u16::from(*number));
        }
    });
    let protocol = protocol(number?)?;
    let has_peer = peer != 0 || message.get(24..40)?.iter().any(|byte| *byte != 0);
    if own == 0 || has_peer || (protocol == Protocol::Tcp && !NEVER_CONNECTED.contains(&u32_at(message, 60)?))
    {
        return None;
    }
    Some(Destroyed {
        protocol,
        address: address(u16::from(*message.first()?), message, 8, 8)?,
        port: own,
        interface: u32_at(message, 40).filter(|index| *index != 0),
        cookie: u64_at(message, 44)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
        bytes[at..at + value.len()].copy_from_slice(value);
    }

    fn bytes(hook: Hook, result: i32, protocol: u16) -> Vec<u8> {
        let mut bytes = vec![0; RECORD];
        put(&mut bytes, TIME, &5_u64.to_ne_bytes());
        put(&mut bytes, COOKIE, &77_u64.to_ne_bytes());
        put(&mut bytes, PID, &(4121_u64 << 32 | 4122).to_ne_bytes());
        put(&mut bytes, UID, &(1001_u64 << 32 | 1000).to_ne_bytes());
        put(&mut bytes, START, &9_u64.to_ne_bytes());
        put(&mut bytes, COMM, b"node\0garbage");
        put(&mut bytes, NAMESPACE, &4_026_531_840_u32.to_ne_bytes());
        put(&mut bytes, RESULT, &result.to_ne_bytes());
        put(&mut bytes, HOOK, &hook.number().to_ne_bytes());
        put(&mut bytes, FAMILY, &AF_INET.to_ne_bytes());
        put(&mut bytes, PROTOCOL, &protocol.to_ne_bytes());
        put(&mut bytes, PORT, &3000_u16.to_ne_bytes());
        put(&mut bytes, ADDRESS_V4, &[127, 0, 0, 1]);
        put(&mut bytes, REQUESTED, &AF_INET6.to_ne_bytes());
        put(&mut bytes, REQUESTED + 2, &53_u16.to_be_bytes());
        put(&mut bytes, REQUESTED + 8 + 15, &[1]);
        bytes
    }

    #[test]
    fn a_listener_has_the_address_of_its_socket() {
        let event = record(&bytes(Hook::Listen, 0, 6)).unwrap();
        assert_eq!((event.hook, event.error, event.protocol), (Hook::Listen, None, Protocol::Tcp));
        assert_eq!((event.address, event.port), ("127.0.0.1".parse().unwrap(), 3000));
        assert_eq!((event.pid, event.uid, event.start, event.time), (4121, 1000, 9, 5));
        assert_eq!((event.name.as_slice(), event.cookie, event.namespace), (&b"node"[..], 77, 4_026_531_840));
        assert_eq!((event.has_peer, event.interface), (false, None));
    }

    #[test]
    fn a_refused_bind_has_the_address_of_the_call() {
        let event = record(&bytes(Hook::Bind, -98, 262)).unwrap();
        assert_eq!((event.error, event.protocol), (Some(98), Protocol::Tcp));
        assert_eq!((event.address, event.port), ("::1".parse().unwrap(), 53));
        assert_eq!(record(&bytes(Hook::Bind, 0, 17)).unwrap().port, 3000);
        assert_eq!(record(&bytes(Hook::Listen, 0, 1)), None);
        assert_eq!(record(&bytes(Hook::Listen, 0, 6)[1..]), None);
        assert_eq!(record(&bytes(Hook::Listen, 0, 6)[..RECORD - 1]), None);
    }

    #[test]
    fn every_hook_and_protocol() {
        for hook in [Hook::Listen, Hook::Bind, Hook::StopListening, Hook::Unbind] {
            assert_eq!(record(&bytes(hook, 0, 17)).unwrap().hook, hook);
        }
        let mut unknown = bytes(Hook::Listen, 0, 6);
        put(&mut unknown, HOOK, &5_u16.to_ne_bytes());
        assert_eq!(record(&unknown), None);
        for (number, protocol, is_multipath) in [
            (6, Protocol::Tcp, false),
            (IPPROTO_MPTCP, Protocol::Tcp, true),
            (17, Protocol::Udp, false),
            (132, Protocol::Sctp, false),
            (136, Protocol::UdpLite, false),
        ] {
            let event = record(&bytes(Hook::Bind, 0, number)).unwrap();
            assert_eq!((event.protocol, event.is_multipath), (protocol, is_multipath));
        }
        let mut connected = bytes(Hook::StopListening, 0, 6);
        put(&mut connected, PEER_PORT, &443_u16.to_ne_bytes());
        put(&mut connected, INTERFACE, &3_u32.to_ne_bytes());
        let event = record(&connected).unwrap();
        assert_eq!((event.has_peer, event.interface), (true, Some(3)));
    }

    /// A message as the kernel sends it: ports, the peer's address, and the write queue.
    fn message(protocol: u8, ports: [u16; 2], peer: [u8; 4], queue: u32) -> Vec<u8> {
        let mut message = vec![2, 7, 0, 0];
        message.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
        message.extend([127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        message.extend(peer);
        message.resize(44, 0);
        message.extend(640_u64.to_ne_bytes());
        message.extend([0, 0, queue, 0, 0].iter().flat_map(|number: &u32| number.to_ne_bytes()));
        message.extend([5, 0, 10, 0, protocol, 0, 0, 0]);
        message
    }

    #[test]
    fn sockets_without_a_peer_are_reported() {
        for (protocol, queue) in [(6, 0), (6, 2), (17, u32::MAX)] {
            let found = destroyed(&message(protocol, [3000, 0], [0; 4], queue)).unwrap();
            assert_eq!((found.address, found.port), ("127.0.0.1".parse().unwrap(), 3000));
            assert_eq!((found.cookie, found.interface), (640, None));
        }
        let mut bound = message(17, [3000, 0], [0; 4], 0);
        put(&mut bound, 40, &3_u32.to_ne_bytes());
        let found = destroyed(&bound).unwrap();
        assert_eq!((found.protocol, found.interface), (Protocol::Udp, Some(3)));
    }

    #[test]
    fn clients_and_connections_are_not_reported() {
        for (what, bytes) in [
            ("no port", message(6, [0, 0], [0; 4], 0)),
            ("a connection", message(6, [3000, 9], [127, 0, 0, 1], 0)),
            ("a refused client", message(6, [3000, 0], [127, 0, 0, 1], 3)),
            ("a refused client over IPv6", message(6, [3000, 0], [0; 4], 3)),
            ("a connection that nobody accepted", message(6, [3000, 0], [127, 0, 0, 1], 65_538)),
            ("a peer's port alone", message(17, [3000, 9], [0; 4], 0)),
            ("a peer's address alone", message(17, [3000, 0], [127, 0, 0, 1], 0)),
            ("a raw socket", message(1, [3000, 0], [0; 4], 0)),
        ] {
            assert_eq!(destroyed(&bytes), None, "{what}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = record(&bytes);
            let _ = destroyed(&bytes);
        }
    }
}
