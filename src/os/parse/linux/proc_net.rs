//! /proc/net/tcp and the tables like it (proc_net(5)), and the kernel's numbers of TCP states. Pure.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::State;

/// A socket as /proc/net lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct NetSocket {
    pub(in crate::os) local: SocketAddr,
    pub(in crate::os) peer: Option<SocketAddr>,
    /// The kernel's number of the state: 1 established, 7 closed, 10 listen.
    pub(in crate::os) state: u8,
    pub(in crate::os) uid: u32,
}

/// Reads /proc/net/tcp or a table like it. Unreadable lines are left out, and so are repeated ones: the kernel writes a
/// page at a time, and a socket may be on two of them.
pub(in crate::os) fn parse_net(bytes: &[u8]) -> Vec<(u64, NetSocket)> {
    let line = |line: &[u8]| {
        let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let local = parse_net_address(fields.nth(1)?)?;
        let peer = parse_net_address(fields.next()?)?;
        let state = u8::from_str_radix(fields.next()?, 16).ok()?;
        let uid = fields.nth(3)?.parse().ok()?;
        let inode = fields.nth(1)?.parse().ok()?;
        Some((inode, NetSocket { local, peer: (peer.port() != 0).then_some(peer), state, uid }))
    };
    let mut known = HashSet::new();
    bytes
        .split(|byte| *byte == b'\n')
        .skip(1)
        .filter_map(line)
        .filter(|(inode, socket)| known.insert((*inode, socket.local, socket.peer)))
        .collect()
}

/// Reads an address such as `0100007F:1F90`: 32-bit words in the machine's byte order, then the port.
fn parse_net_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut bytes = [0; 16];
            for (byte, value) in bytes.iter_mut().zip(words.iter().flatten()) {
                *byte = *value;
            }
            IpAddr::from(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

/// Returns the TCP state with this number (include/net/tcp_states.h).
pub(in crate::os) fn tcp_state(number: u8) -> State {
    match number {
        1 => State::Established,
        2 => State::SynSent,
        // 12 (TCP_NEW_SYN_RECV) is a connection request without a socket of its own.
        3 | 12 => State::SynReceived,
        4 => State::FinWait1,
        5 => State::FinWait2,
        6 => State::TimeWait,
        7 => State::Closed,
        8 => State::CloseWait,
        9 => State::LastAck,
        10 => State::Listen,
        11 => State::Closing,
        _ => State::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_proc_net() {
        let table = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            1: 0100007F:2845 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 4711 2 0 0\n\
            2: 0100007F:2846 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 4712 2 0 0\n\
            3: torn\n\
            1: 0100007F:2845 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 4711 2 0 0\n";
        let sockets = parse_net(table);
        assert_eq!(sockets.len(), 2);
        let socket =
            |inode| sockets.iter().find(|(known, _)| *known == inode).map(|(_, socket)| socket).unwrap();
        let bound = socket(4711);
        assert_eq!((bound.local, bound.peer), ("127.0.0.1:10309".parse().unwrap(), None));
        assert_eq!((bound.state, bound.uid), (7, 1000));
        assert_eq!(socket(4712).peer, Some("127.0.0.1:53".parse().unwrap()));
        let six = b"h\n 0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 7 0 9\n";
        assert_eq!(parse_net(six)[0].1.local, "[::1]:80".parse().unwrap());
        let every_word = parse_net_address("B80D012004030201080706050C0B0A09:0035");
        assert_eq!(every_word, Some("[2001:db8:102:304:506:708:90a:b0c]:53".parse().unwrap()));
    }

    /// include/net/tcp_states.h.
    #[test]
    fn every_tcp_state() {
        let states = [
            State::Unknown,
            State::Established,
            State::SynSent,
            State::SynReceived,
            State::FinWait1,
            State::FinWait2,
            State::TimeWait,
            State::Closed,
            State::CloseWait,
            State::LastAck,
            State::Listen,
            State::Closing,
            State::SynReceived,
            State::Unknown,
        ];
        for (number, state) in (0..).zip(states) {
            assert_eq!(tcp_state(number), state, "{number}");
        }
    }
}
