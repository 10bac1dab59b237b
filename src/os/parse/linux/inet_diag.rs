//! Messages of inet_diag (sock_diag(7), linux/inet_diag.h): requests, and TCP, UDP, SCTP and DCCP sockets. Pure.
//!
//! Custom code, because no crate reports the cgroup ids of sockets, on which services and containers depend.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::netlink::{attributes, u16_at, u32_at, u64_at};
use super::proc_net::tcp_state;
use crate::model::{AcceptQueue, Family, Protocol, State};

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const IPPROTO_DCCP: u8 = 33;
const IPPROTO_SCTP: u8 = 132;
const IPPROTO_UDPLITE: u8 = 136;

const INET_DIAG_SHUTDOWN: u16 = 8;
const INET_DIAG_SKV6ONLY: u16 = 11;
const INET_DIAG_CGROUP_ID: u16 = 21;

/// The length of `struct inet_diag_msg`.
const MESSAGE: usize = 72;

const ESTABLISHED: u8 = 1;
const CLOSE: u8 = 7;
const LISTEN: u8 = 10;
/// Bound and not listening: a state that only this interface has, since Linux 6.8.
const BOUND_INACTIVE: u8 = 13;

/// The states of the sockets that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum States {
    /// TCP in LISTEN, UDP without a peer.
    Listeners,
    /// Every state except TCP sockets that are bound and do not listen.
    All,
    /// TCP sockets that are bound and do not listen. Linux before 6.8 returns none.
    Bound,
}

impl States {
    /// Returns the kernel's bits of these states.
    fn bits(self, protocol: Protocol) -> u32 {
        match (self, protocol) {
            (States::Listeners, Protocol::Udp | Protocol::UdpLite) => 1 << CLOSE,
            (States::Listeners, _) => 1 << LISTEN,
            (States::All, Protocol::Udp | Protocol::UdpLite) => 1 << CLOSE | 1 << ESTABLISHED,
            (States::All, _) => (1 << BOUND_INACTIVE) - 2,
            (States::Bound, _) => 1 << BOUND_INACTIVE,
        }
    }
}

/// Further facts about a TCP socket, which only netlink on Linux reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TcpDetail {
    /// The bytes that the kernel counts as sent and not acknowledged. For a socket that is only bound this is 0 if it was
    /// never used, 2 after it listened and was shut down, and another number after a connection.
    pub(crate) write_queue: Option<u32>,
    /// The running timer, and the time until it expires.
    pub(crate) timer: Option<(TcpTimer, Duration)>,
}

/// The purpose of a TCP socket's timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TcpTimer {
    /// Retransmits data that was not acknowledged.
    Retransmission,
    /// Tests whether the peer is alive, or waits for the peer's FIN.
    KeepAlive,
    /// Removes the socket when it expires.
    End,
    /// Probes a peer whose receive window is closed.
    Probe,
}

/// A socket as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct InetDiagEntry {
    pub(in crate::os) local: SocketAddr,
    pub(in crate::os) peer: Option<SocketAddr>,
    pub(in crate::os) state: State,
    /// The index of the interface it is bound to.
    pub(in crate::os) interface: Option<u32>,
    /// Identifies this socket while the machine runs.
    pub(in crate::os) cookie: u64,
    pub(in crate::os) queue: Option<AcceptQueue>,
    pub(in crate::os) uid: u32,
    pub(in crate::os) inode: Option<u64>,
    pub(in crate::os) v6only: Option<bool>,
    /// The inode number of the cgroup it was made in.
    pub(in crate::os) cgroup: Option<u64>,
    /// The time until a socket in TIME_WAIT is removed, in milliseconds.
    pub(in crate::os) time_wait_left: Option<u32>,
    /// Further facts about a TCP socket.
    pub(in crate::os) detail: TcpDetail,
}

/// Returns the request (`struct inet_diag_req_v2`) for the sockets of a table in some states, and of one port if one is given.
pub(in crate::os) fn request(
    family: Family,
    protocol: Protocol,
    states: States,
    port: Option<u16>,
) -> Vec<u8> {
    let family = if family == Family::Ipv4 { AF_INET } else { AF_INET6 };
    let number = match protocol {
        Protocol::Udp => IPPROTO_UDP,
        Protocol::UdpLite => IPPROTO_UDPLITE,
        Protocol::Dccp => IPPROTO_DCCP,
        Protocol::Sctp => IPPROTO_SCTP,
        Protocol::Tcp | Protocol::Unix => IPPROTO_TCP,
    };
    let extensions = 1 << (INET_DIAG_SHUTDOWN - 1);
    let mut request = vec![family, number, extensions, 0];
    request.extend(states.bits(protocol).to_ne_bytes());
    request.extend(port.unwrap_or(0).to_be_bytes());
    // No peer's port, no addresses, no interface, no cookie.
    request.resize(request.len() + 2 + 32 + 4, 0);
    request.extend([0xff; 8]);
    request
}

/// Reads a message: `struct inet_diag_msg` and its attributes. Returns `None` if it is truncated.
pub(in crate::os) fn parse(message: &[u8], protocol: Protocol) -> Option<InetDiagEntry> {
    let family = *message.first()?;
    let state = *message.get(1)?;
    let address = |at: usize| -> Option<IpAddr> {
        match family {
            AF_INET => {
                let bytes: [u8; 4] = message.get(at..at + 4)?.try_into().ok()?;
                Some(Ipv4Addr::from(bytes).into())
            }
            AF_INET6 => {
                let bytes: [u8; 16] = message.get(at..at + 16)?.try_into().ok()?;
                Some(Ipv6Addr::from(bytes).into())
            }
            _ => None,
        }
    };
    let port = |at: usize| u16_at(message, at).map(u16::from_be);
    let (local_port, peer_port) = (port(4)?, port(6)?);
    let (local, peer) = (address(8)?, address(24)?);
    let mut v6only = None;
    let mut cgroup = None;
    let mut shutdown = None;
    attributes(message.get(MESSAGE..)?, |kind, value| match kind {
        INET_DIAG_SHUTDOWN => shutdown = value.first().copied(),
        INET_DIAG_SKV6ONLY => v6only = value.first().map(|byte| *byte != 0),
        INET_DIAG_CGROUP_ID => cgroup = u64_at(value, 0),
        _ => {}
    });
    let state = state_of(state, protocol);
    let (waiting, limit) = (u32_at(message, 56)?, u32_at(message, 60)?);
    let queue = match (protocol, state) {
        (Protocol::Udp | Protocol::UdpLite, State::Bound) => Some(AcceptQueue { waiting, limit: None }),
        (_, State::Listen) => Some(AcceptQueue { waiting, limit: Some(limit) }),
        _ => None,
    };
    // Both directions are shut down: such a UDP socket receives nothing.
    let state = if protocol.is_datagram() && shutdown == Some(3) { State::Closed } else { state };
    Some(InetDiagEntry {
        local: SocketAddr::new(local, local_port),
        peer: (peer_port != 0).then(|| SocketAddr::new(peer, peer_port)),
        state,
        interface: u32_at(message, 40).filter(|index| *index != 0),
        cookie: u64_at(message, 44)?,
        queue,
        uid: u32_at(message, 64)?,
        inode: u32_at(message, 68).filter(|inode| *inode != 0).map(u64::from),
        v6only,
        cgroup: cgroup.filter(|id| *id != 0),
        time_wait_left: if state == State::TimeWait { u32_at(message, 52) } else { None },
        detail: match protocol {
            Protocol::Tcp => TcpDetail { write_queue: Some(limit), timer: timer(message) },
            _ => TcpDetail::default(),
        },
    })
}

/// Returns the timer of a TCP socket and when it expires: idiag_timer, and idiag_expires in milliseconds.
fn timer(message: &[u8]) -> Option<(TcpTimer, Duration)> {
    let timer = match *message.get(2)? {
        1 => TcpTimer::Retransmission,
        2 => TcpTimer::KeepAlive,
        3 => TcpTimer::End,
        4 => TcpTimer::Probe,
        _ => return None,
    };
    Some((timer, Duration::from_millis(u32_at(message, 52)?.into())))
}

fn state_of(state: u8, protocol: Protocol) -> State {
    match (state, protocol) {
        (CLOSE, Protocol::Udp | Protocol::UdpLite) | (BOUND_INACTIVE, _) => State::Bound,
        (state, _) => tcp_state(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn message(family: u8, state: u8, local: &[u8], port: u16) -> Vec<u8> {
        let mut message = vec![family, state, 0, 0];
        message.extend(port.to_be_bytes());
        message.extend([0, 0]);
        message.extend(local);
        message.resize(8 + 32, 0);
        message.extend(2_u32.to_ne_bytes());
        message.extend(77_u64.to_ne_bytes());
        for number in [0_u32, 3, 128, 1000, 4711] {
            message.extend(number.to_ne_bytes());
        }
        message
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_listener_with_its_attributes() {
        let mut bytes = message(AF_INET6, LISTEN, &[0; 16], 10309);
        bytes.extend(attribute(INET_DIAG_SKV6ONLY, &[1]));
        bytes.extend(attribute(INET_DIAG_CGROUP_ID, &5_u64.to_ne_bytes()));
        let entry = parse(&bytes, Protocol::Tcp).unwrap();
        assert_eq!(entry.local, "[::]:10309".parse().unwrap());
        assert_eq!((entry.state, entry.peer, entry.interface), (State::Listen, None, Some(2)));
        assert_eq!(entry.queue, Some(AcceptQueue { waiting: 3, limit: Some(128) }));
        assert_eq!((entry.uid, entry.inode, entry.cookie), (1000, Some(4711), 77));
        assert_eq!((entry.v6only, entry.cgroup), (Some(true), Some(5)));
    }

    #[test]
    fn a_udp_client_is_not_bound() {
        let state =
            |state| parse(&message(AF_INET, state, &[127, 0, 0, 1], 53), Protocol::Udp).unwrap().state;
        assert_eq!(state(CLOSE), State::Bound);
        assert_eq!(state(ESTABLISHED), State::Established);
        let tcp = parse(&message(AF_INET, BOUND_INACTIVE, &[127, 0, 0, 1], 53), Protocol::Tcp).unwrap();
        assert_eq!(tcp.state, State::Bound);
        assert_eq!(tcp.v6only, None);
    }

    #[test]
    fn queues_timers_and_shutdowns() {
        let with = |state: u8, timer: u8| {
            let mut bytes = message(AF_INET, state, &[127, 0, 0, 1], 53);
            bytes[2] = timer;
            bytes[52..56].copy_from_slice(&2500_u32.to_ne_bytes());
            bytes
        };
        const TIME_WAIT: u8 = 6;
        let left = |state| parse(&with(state, 3), Protocol::Tcp).unwrap().time_wait_left;
        assert_eq!((left(TIME_WAIT), left(ESTABLISHED)), (Some(2500), None));
        let timer = |number| parse(&with(ESTABLISHED, number), Protocol::Tcp).unwrap().detail.timer;
        let until = Duration::from_millis(2500);
        // idiag_timer in sock_diag(7). Number 4 is the window probe.
        for (number, kind) in [
            (1, TcpTimer::Retransmission),
            (2, TcpTimer::KeepAlive),
            (3, TcpTimer::End),
            (4, TcpTimer::Probe),
        ] {
            assert_eq!(timer(number), Some((kind, until)));
        }
        assert_eq!((timer(0), timer(5)), (None, None));
        let tcp = parse(&with(ESTABLISHED, 0), Protocol::Tcp).unwrap();
        assert_eq!((tcp.detail.write_queue, tcp.queue), (Some(128), None));
        let mut udp = with(CLOSE, 1);
        let bound = parse(&udp, Protocol::Udp).unwrap();
        assert_eq!(
            (bound.detail, bound.queue),
            (TcpDetail::default(), Some(AcceptQueue { waiting: 3, limit: None }))
        );
        udp.extend(attribute(INET_DIAG_SHUTDOWN, &[1]));
        assert_eq!(parse(&udp, Protocol::Udp).unwrap().state, State::Bound, "it still sends");
        let mut shut = message(AF_INET, CLOSE, &[127, 0, 0, 1], 53);
        shut.extend(attribute(INET_DIAG_SHUTDOWN, &[3]));
        assert_eq!(parse(&shut, Protocol::Udp).unwrap().state, State::Closed);
        shut[1] = LISTEN;
        assert_eq!(parse(&shut, Protocol::Tcp).unwrap().state, State::Listen);
    }

    #[test]
    fn listeners_are_asked_for_alone() {
        // The bits are 1 << TCP_ESTABLISHED (1), TCP_CLOSE (7), TCP_LISTEN (10), TCP_BOUND_INACTIVE (13).
        assert_eq!(States::Listeners.bits(Protocol::Tcp), 0x400);
        assert_eq!(States::Listeners.bits(Protocol::Udp), 0x80);
        assert_eq!(States::All.bits(Protocol::Tcp), 0x1ffe);
        assert_eq!(States::All.bits(Protocol::Udp), 0x82);
        assert_eq!(States::Bound.bits(Protocol::Tcp), 0x2000);
        let begin = |family, protocol| request(family, protocol, States::Listeners, None)[..4].to_vec();
        // INET_DIAG_SHUTDOWN is the eighth extension.
        assert_eq!(begin(Family::Ipv4, Protocol::Tcp), [AF_INET, IPPROTO_TCP, 0x80, 0]);
        assert_eq!(begin(Family::Ipv6, Protocol::Udp), [AF_INET6, IPPROTO_UDP, 0x80, 0]);
        let request = request(Family::Ipv6, Protocol::Tcp, States::Listeners, Some(10309));
        assert_eq!(request.len(), 56);
        assert_eq!(request.get(8..10), Some(&10309_u16.to_be_bytes()[..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
            let _ = parse(&bytes, Protocol::Tcp);
            let _ = parse(&bytes, Protocol::Udp);
        }

        #[test]
        fn what_is_cut_is_refused(length in 0usize..MESSAGE) {
            let whole = message(AF_INET, LISTEN, &[127, 0, 0, 1], 1);
            prop_assert_eq!(parse(&whole[..length], Protocol::Tcp), None);
        }
    }
}
