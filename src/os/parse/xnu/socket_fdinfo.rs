//! Parses what libproc reports about a descriptor of a socket (`PROC_PIDFDSOCKETINFO`, struct socket_fdinfo).

use super::{Block, PcbEntry, field, queue, u16_at, u32_at, u64_at};
use crate::model::Protocol;

/// The length of the structure. The kernel writes all of it or nothing.
pub(in crate::os) const LENGTH: usize = 792;

const SOCKINFO_IN: u32 = 1;
const SOCKINFO_TCP: u32 = 2;
const IPPROTO_UDP: u32 = 17;

/// Returns the TCP or UDP socket. `None` for other sockets, and for a socket without a port.
pub(in crate::os) fn parse(bytes: &[u8]) -> Option<PcbEntry> {
    let bytes = bytes.get(..LENGTH)?;
    let (protocol, state) = match (u32_at(bytes, 256)?, u32_at(bytes, 180)?) {
        (SOCKINFO_TCP, _) => (Protocol::Tcp, Some(u32_at(bytes, 344)?)),
        (SOCKINFO_IN, IPPROTO_UDP) => (Protocol::Udp, None),
        _ => return None,
    };
    let local = field(bytes, 312)?;
    let peer = field(bytes, 296)?;
    let stands = Block {
        peer_port: field(bytes, 264)?,
        local_port: field(bytes, 268)?,
        families: *bytes.get(288)?,
        domain: u32_at(bytes, 184)?,
        peer: &peer,
        local: &local,
        state,
    };
    let counts = [u16_at(bytes, 194)?, u16_at(bytes, 196)?, u16_at(bytes, 198)?];
    let unread = u32_at(bytes, 208)?;
    let generation = u64_at(bytes, 272)?;
    let (mut socket, scope) = stands.socket(protocol)?;
    socket.queue = queue(protocol, socket.state, counts, unread);
    Some(PcbEntry { socket, scope, generation, open: true, last_users: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AcceptQueue, State};
    use proptest::prelude::*;

    fn socket(kind: u32, protocol: u32, state: u32) -> Vec<u8> {
        let mut bytes = vec![0; LENGTH];
        for (at, number) in [(256, kind), (180, protocol), (184, 2), (344, state), (208, 9)] {
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        bytes[194..200].copy_from_slice(&[5, 0, 2, 0, 128, 0]);
        bytes[268..270].copy_from_slice(&10309_u16.to_be_bytes());
        bytes[272..280].copy_from_slice(&77_u64.to_le_bytes());
        bytes[288] = 1;
        bytes[324..328].copy_from_slice(&[127, 0, 0, 1]);
        bytes
    }

    #[test]
    fn a_listener() {
        let entry = parse(&socket(SOCKINFO_TCP, 6, 1)).unwrap();
        assert_eq!(entry.socket.endpoint.to_string(), "127.0.0.1:10309");
        assert_eq!((entry.socket.protocol, entry.socket.state), (Protocol::Tcp, State::Listen));
        assert_eq!(entry.socket.queue, Some(AcceptQueue { waiting: 3, limit: Some(128) }));
        assert_eq!((entry.generation, entry.open), (77, true));
        let mut connected = socket(SOCKINFO_TCP, 6, 4);
        connected[264..266].copy_from_slice(&80_u16.to_be_bytes());
        connected[308..312].copy_from_slice(&[10, 0, 0, 2]);
        assert_eq!(parse(&connected).unwrap().socket.peer, Some("10.0.0.2:80".parse().unwrap()));
    }

    #[test]
    fn a_datagram_socket() {
        let entry = parse(&socket(SOCKINFO_IN, 17, 1)).unwrap();
        assert_eq!((entry.socket.protocol, entry.socket.state), (Protocol::Udp, State::Bound));
        assert_eq!(entry.socket.queue, Some(AcceptQueue { waiting: 9, limit: None }));
    }

    #[test]
    fn what_is_neither_is_passed_over() {
        assert_eq!(parse(&socket(SOCKINFO_IN, 1, 0)), None, "ICMP");
        assert_eq!(parse(&socket(3, 0, 0)), None, "a Unix socket");
        assert_eq!(parse(&socket(0, 6, 0)), None, "a socket that is being taken down");
        assert_eq!(parse(&socket(SOCKINFO_TCP, 6, 1)[..LENGTH - 1]), None, "not all of it");
        assert_eq!(parse(&[0; LENGTH]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(mut bytes in proptest::collection::vec(any::<u8>(), LENGTH), tcp in any::<bool>()) {
            bytes[256..260].copy_from_slice(&if tcp { [2, 0, 0, 0] } else { [1, 0, 0, 0] });
            bytes[180..184].copy_from_slice(&[17, 0, 0, 0]);
            let none = bytes[268..270] == [0, 0] || bytes[288] & 3 == 0;
            prop_assert_eq!(parse(&bytes).is_none(), none);
        }
    }
}
