//! Parses `net.inet.tcp.pcblist_n` and `net.inet.udp.pcblist_n`: a header, a group of records for each socket, and a
//! trailer. A record begins with its length and its kind; the next record begins at the next multiple of 8 bytes.
//! Unknown kinds are skipped.

use super::{Block, PcbEntry, field, queue, u16_at, u32_at, u64_at};
use crate::model::Protocol;

/// The length of header and trailer (struct xinpgen); every record is longer.
pub(super) const GENERATION_LENGTH: usize = 24;

const XSO_SOCKET: u32 = 0x001;
const XSO_RCVBUF: u32 = 0x002;
const XSO_INPCB: u32 = 0x010;
const XSO_TCPCB: u32 = 0x020;

/// A parsed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct List {
    pub(in crate::os) entries: Vec<PcbEntry>,
    /// Whether the list is consistent: the trailer is present, and no socket came or went between it and the header.
    pub(in crate::os) settled: bool,
    /// The number of groups without the records that have the socket's address.
    pub(in crate::os) unread: usize,
}

/// The records of one socket that are present.
#[derive(Debug, Clone, Copy, Default)]
struct Group<'a> {
    kinds: u32,
    block: Option<&'a [u8]>,
    socket: Option<&'a [u8]>,
    received: Option<&'a [u8]>,
    tcp: Option<&'a [u8]>,
}

/// Parses a list. `None` if it does not begin with a header.
pub(in crate::os) fn parse(bytes: &[u8], protocol: Protocol) -> Option<List> {
    let (length, generation) = generation(bytes)?;
    let mut list = List { entries: Vec::new(), settled: false, unread: 0 };
    let mut group = Group::default();
    let mut at = length.next_multiple_of(8);
    while let Some(rest) = bytes.get(at..) {
        let (Some(length), Some(kind)) = (u32_at(rest, 0), u32_at(rest, 4)) else { break };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        // Anything too short for a record ends the list, so that the loop always advances.
        if length <= GENERATION_LENGTH {
            list.settled = self::generation(rest).is_some_and(|(_, trailer)| trailer == generation);
            break;
        }
        let Some(record) = rest.get(..length) else { break };
        // The kinds are single bits. A kind that the group has already belongs to the next socket.
        if group.kinds & kind != 0 {
            std::mem::take(&mut group).end(protocol, &mut list);
        }
        group.kinds |= kind;
        match kind {
            XSO_INPCB => group.block = Some(record),
            XSO_SOCKET => group.socket = Some(record),
            XSO_RCVBUF => group.received = Some(record),
            XSO_TCPCB => group.tcp = Some(record),
            _ => {}
        }
        at += length.next_multiple_of(8);
    }
    group.end(protocol, &mut list);
    Some(list)
}

/// Returns the length of a header or trailer, and the generation of the list at that moment. Its count, which includes
/// sockets of other protocols, is ignored.
fn generation(bytes: &[u8]) -> Option<(usize, u64)> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    (length >= GENERATION_LENGTH && length <= bytes.len()).then_some(())?;
    Some((length, u64_at(bytes, 8)?))
}

impl Group<'_> {
    fn end(self, protocol: Protocol, list: &mut List) {
        if self.kinds == 0 {
            return;
        }
        match self.entry(protocol) {
            Some(Some(entry)) => list.entries.push(entry),
            Some(None) => {}
            None => list.unread += 1,
        }
    }

    /// Returns the socket of a group. `None` if a record is missing or too short, `Some(None)` for a socket that has no
    /// port.
    fn entry(&self, protocol: Protocol) -> Option<Option<PcbEntry>> {
        let (block, about) = (self.block?, self.socket?);
        let state = match protocol {
            Protocol::Tcp => Some(u32_at(self.tcp?, 36)?),
            _ => None,
        };
        let local = field(block, 64)?;
        let peer = field(block, 48)?;
        let stands = Block {
            peer_port: field(block, 16)?,
            local_port: field(block, 18)?,
            families: *block.get(44)?,
            domain: u32_at(about, 40)?,
            peer: &peer,
            local: &local,
            state,
        };
        let counts = [u16_at(about, 44)?, u16_at(about, 46)?, u16_at(about, 48)?];
        let unread = self.received.and_then(|record| u32_at(record, 8)).unwrap_or(0);
        let open = u64_at(about, 8)? != 0;
        let (uid, last_users) = (u32_at(about, 64)?, [u32_at(about, 68)?, u32_at(about, 72)?]);
        let generation = u64_at(block, 28)?;
        Some(stands.socket(protocol).map(|(mut socket, scope)| {
            socket.queue = queue(protocol, socket.state, counts, unread).filter(|_| open);
            socket.uid = open.then_some(uid);
            PcbEntry { socket, scope, generation, open, last_users: open.then_some(last_users) }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use crate::model::{AcceptQueue, State};
    use proptest::prelude::*;

    /// Writes fields at their places.
    fn record(length: usize, kind: u32, fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; length.next_multiple_of(8)];
        bytes[..4].copy_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
        bytes[4..8].copy_from_slice(&kind.to_le_bytes());
        for (at, field) in fields {
            bytes[*at..at + field.len()].copy_from_slice(field);
        }
        bytes
    }

    fn generation_record(generation: u64) -> Vec<u8> {
        record(24, 1, &[(8, &generation.to_le_bytes()), (16, &99_u64.to_le_bytes())])
    }

    /// A socket to be written as the kernel does: control block, socket, both buffers, statistics and, for TCP, its
    /// connection.
    struct Written {
        families: u8,
        domain: u32,
        local: (Ipv6Addr, u16),
        peer: (Ipv6Addr, u16),
        tcp_state: Option<u32>,
        generation: u64,
    }

    impl Written {
        fn new(local: &str, port: u16, tcp_state: Option<u32>) -> Written {
            let (families, domain, local) = match local.parse().unwrap() {
                std::net::IpAddr::V4(address) => (1, 2, address.to_ipv6_compatible()),
                std::net::IpAddr::V6(address) => (2, 30, address),
            };
            let nobody = (Ipv6Addr::UNSPECIFIED, 0);
            Written { families, domain, local: (local, port), peer: nobody, tcp_state, generation: 7 }
        }

        fn block(&self) -> Vec<u8> {
            let fields: [(usize, &[u8]); 6] = [
                (16, &self.peer.1.to_be_bytes()),
                (18, &self.local.1.to_be_bytes()),
                (28, &self.generation.to_le_bytes()),
                (44, &[self.families]),
                (48, &self.peer.0.octets()),
                (64, &self.local.0.octets()),
            ];
            record(104, XSO_INPCB, &fields)
        }

        fn socket(&self) -> Vec<u8> {
            let numbers: [(usize, u32); 6] =
                [(36, 6), (40, self.domain), (64, 501), (68, 4121), (72, 4120), (60, 5)];
            let numbers = numbers.map(|(at, number)| (at, number.to_le_bytes()));
            let mut fields: Vec<(usize, &[u8])> =
                numbers.iter().map(|(at, number)| (*at, number.as_slice())).collect();
            fields.extend([(8, [0xab; 8].as_slice()), (44, &[5, 0]), (46, &[2, 0]), (48, &[128, 0])]);
            record(104, XSO_SOCKET, &fields)
        }

        fn rest(&self) -> Vec<u8> {
            let mut bytes = record(32, XSO_RCVBUF, &[(8, &[9, 0, 0, 0])]);
            bytes.extend(record(32, 0x004, &[(8, &[8, 0, 0, 0])]));
            bytes.extend(record(136, 0x008, &[]));
            if let Some(state) = self.tcp_state {
                bytes.extend(record(204, XSO_TCPCB, &[(36, &state.to_le_bytes())]));
            }
            bytes
        }

        fn group(&self) -> Vec<u8> {
            [self.block(), self.socket(), self.rest()].concat()
        }
    }

    fn list(groups: &[Vec<u8>]) -> Vec<u8> {
        [generation_record(40), groups.concat(), generation_record(40)].concat()
    }

    fn one(written: &Written) -> PcbEntry {
        let protocol = if written.tcp_state.is_some() { Protocol::Tcp } else { Protocol::Udp };
        let mut read = parse(&list(&[written.group()]), protocol).unwrap();
        assert!(read.settled && read.unread == 0 && read.entries.len() == 1, "{read:?}");
        read.entries.remove(0)
    }

    #[test]
    fn a_listener_with_its_queue_user_and_last_users() {
        let entry = one(&Written::new("127.0.0.1", 10309, Some(1)));
        assert_eq!(entry.socket.endpoint.to_string(), "127.0.0.1:10309");
        assert_eq!((entry.socket.state, entry.socket.peer), (State::Listen, None));
        assert_eq!(entry.socket.queue, Some(AcceptQueue { waiting: 3, limit: Some(128) }));
        assert_eq!((entry.socket.uid, entry.last_users), (Some(501), Some([4121, 4120])));
        assert_eq!((entry.generation, entry.open, entry.scope), (7, true, None));
    }

    #[test]
    fn wildcards_of_one_family_and_of_both() {
        let mut written = Written::new("::", 3000, Some(1));
        assert_eq!(one(&written).socket.dual_stack, Some(false));
        written.families = 3;
        let both = one(&written).socket;
        assert_eq!((both.endpoint.to_string().as_str(), both.dual_stack), ("[::]:3000", Some(true)));
        assert_eq!(one(&Written::new("0.0.0.0", 3000, Some(1))).socket.dual_stack, Some(false));
    }

    #[test]
    fn an_ipv4_connection_of_a_socket_for_ipv6() {
        let mut written = Written::new("10.0.0.1", 80, Some(4));
        written.domain = 30;
        written.peer = ("::10.0.0.2".parse().unwrap(), 50000);
        let socket = one(&written).socket;
        assert_eq!(socket.endpoint.to_string(), "[::ffff:10.0.0.1]:80");
        assert_eq!(socket.peer, Some("[::ffff:10.0.0.2]:50000".parse().unwrap()));
        assert_eq!((socket.state, socket.queue), (State::Established, None));
    }

    #[test]
    fn the_interface_is_taken_out_of_the_address() {
        for (address, shown, scope) in [
            ("fe80:4::1", "fe80::1", Some(4)),
            ("fe80::1", "fe80::1", None),
            ("ff02:b::fb", "ff02::fb", Some(11)),
            ("2001:4::1", "2001:4::1", None),
            ("2a80:4::1", "2a80:4::1", None),
            ("fec0:4::1", "fec0:4::1", None),
        ] {
            let entry = one(&Written::new(address, 5353, None));
            assert_eq!(entry.socket.endpoint.address(), Some(shown.parse().unwrap()), "{address}");
            assert_eq!(entry.scope, scope, "{address}");
        }
    }

    #[test]
    fn datagram_sockets_are_connected_or_not() {
        let mut written = Written::new("0.0.0.0", 5353, None);
        let socket = one(&written).socket;
        assert_eq!((socket.protocol, socket.state), (Protocol::Udp, State::Bound));
        assert_eq!(socket.queue, Some(AcceptQueue { waiting: 9, limit: None }));
        written.peer = ("::10.0.0.2".parse().unwrap(), 53);
        let socket = one(&written).socket;
        assert_eq!((socket.state, socket.queue), (State::Established, None));
    }

    #[test]
    fn every_state() {
        let states: Vec<State> =
            (0..12).map(|state| one(&Written::new("::1", 80, Some(state))).socket.state).collect();
        let all = [
            State::Bound,
            State::Listen,
            State::SynSent,
            State::SynReceived,
            State::Established,
            State::CloseWait,
            State::FinWait1,
            State::Closing,
            State::LastAck,
            State::FinWait2,
            State::TimeWait,
            State::Unknown,
        ];
        assert_eq!(states, all);
        let mut closed = Written::new("::1", 80, Some(0));
        closed.peer = (Ipv6Addr::LOCALHOST, 5);
        assert_eq!(one(&closed).socket.state, State::Closed);
    }

    #[test]
    fn a_closed_socket_has_no_user() {
        let written = Written::new("127.0.0.1", 80, Some(10));
        // The kernel leaves the record empty, and does not report which buffers follow.
        let socket = record(104, XSO_SOCKET, &[]);
        let buffers = record(32, 0, &[]).repeat(2);
        let tcp = record(204, XSO_TCPCB, &[(36, &10_u32.to_le_bytes())]);
        let group = [written.block(), socket, buffers, record(136, 0x008, &[]), tcp].concat();
        let read = parse(&list(&[group, Written::new("::1", 81, Some(1)).group()]), Protocol::Tcp).unwrap();
        let [gone, listener] = read.entries.as_slice() else { panic!("{read:?}") };
        assert_eq!((gone.socket.state, gone.socket.uid), (State::TimeWait, None));
        assert_eq!((gone.open, gone.last_users), (false, None));
        assert_eq!(listener.socket.endpoint.to_string(), "[::1]:81");
    }

    #[test]
    fn a_socket_without_a_port_is_skipped() {
        let read = parse(&list(&[Written::new("0.0.0.0", 0, Some(0)).group()]), Protocol::Tcp).unwrap();
        assert_eq!(read, List { entries: vec![], settled: true, unread: 0 });
    }

    #[test]
    fn unknown_kinds_are_skipped_and_longer_records_read() {
        let written = Written::new("127.0.0.1", 80, Some(1));
        let mut longer = record(140, XSO_SOCKET, &[]);
        longer[8..104].copy_from_slice(&written.socket()[8..]);
        let strange = record(61, 0x400, &[(20, &[0xff; 30])]);
        let group = [written.block(), strange, longer, written.rest()].concat();
        let read = parse(&list(&[group.clone(), group]), Protocol::Tcp).unwrap();
        assert_eq!((read.entries.len(), read.unread, read.settled), (2, 0, true));
        assert_eq!(read.entries[0], one(&written));
    }

    #[test]
    fn entries_that_lack_a_record_are_counted() {
        let written = Written::new("127.0.0.1", 80, Some(1));
        let read = parse(&list(&[written.block(), written.group()]), Protocol::Tcp).unwrap();
        assert_eq!((read.entries.len(), read.unread), (1, 1));
        let older = record(60, XSO_SOCKET, &[]);
        let group = [written.block(), older, written.rest()].concat();
        let read = parse(&list(&[group]), Protocol::Tcp).unwrap();
        assert_eq!((read.entries.len(), read.unread), (0, 1));
    }

    #[test]
    fn a_change_during_the_read_is_noticed() {
        let group = Written::new("127.0.0.1", 80, Some(1)).group();
        let changed = [generation_record(40), group.clone(), generation_record(41)].concat();
        assert!(!parse(&changed, Protocol::Tcp).unwrap().settled);
        let cut = [generation_record(40), group].concat();
        let read = parse(&cut, Protocol::Tcp).unwrap();
        assert_eq!((read.settled, read.entries.len()), (false, 1));
        let nothing = parse(&list(&[]), Protocol::Tcp).unwrap();
        assert_eq!((nothing.settled, nothing.entries.len()), (true, 0));
        assert_eq!(parse(&[], Protocol::Tcp), None);
        assert_eq!(parse(&[0; 24], Protocol::Tcp), None);
    }

    #[test]
    fn a_record_of_no_length_ends_the_list() {
        let bytes = [generation_record(40), vec![0; 4096]].concat();
        let read = parse(&bytes, Protocol::Tcp).unwrap();
        assert_eq!(read, List { entries: vec![], settled: false, unread: 0 });
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse(&bytes, Protocol::Tcp);
            let after_a_header = [generation_record(1), bytes].concat();
            let read = parse(&after_a_header, Protocol::Udp).unwrap();
            prop_assert!(read.entries.len() + read.unread <= after_a_header.len() / 25);
        }

        #[test]
        fn a_truncated_list_returns_whole_records(
            sockets in proptest::collection::vec((any::<u16>(), 0..12_u32, any::<u64>()), 0..6),
            cut in any::<proptest::sample::Index>(),
        ) {
            let groups: Vec<Vec<u8>> = sockets
                .iter()
                .map(|(port, state, generation)| {
                    let written = Written::new("127.0.0.1", *port, Some(*state));
                    Written { generation: *generation, ..written }.group()
                })
                .collect();
            let whole = list(&groups);
            let read = parse(&whole, Protocol::Tcp).unwrap();
            let parsed: Vec<(u16, u64)> = read
                .entries
                .iter()
                .map(|entry| (entry.socket.endpoint.port().unwrap(), entry.generation))
                .collect();
            let written: Vec<(u16, u64)> = sockets
                .iter()
                .filter(|(port, ..)| *port != 0)
                .map(|(port, _, generation)| (*port, *generation))
                .collect();
            prop_assert!(read.settled);
            prop_assert_eq!(parsed, written);
            let part = &whole[..cut.index(whole.len())];
            if let Some(part) = parse(part, Protocol::Tcp) {
                prop_assert!(!part.settled);
                prop_assert!(read.entries.starts_with(&part.entries));
            }
        }
    }
}
