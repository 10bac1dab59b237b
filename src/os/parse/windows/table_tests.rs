//! The tables of Windows' IP helper on constructed rows.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

/// Returns a table with these rows, each given by its fields and their offsets.
fn table(layout: Layout, rows: &[&[(usize, &[u8])]]) -> Vec<u8> {
    let mut bytes = u32::try_from(rows.len()).unwrap().to_le_bytes().to_vec();
    // The bytes between the count and the rows, and all fields that are not read, may have any value.
    bytes.resize(ROWS_BEGIN, 0xAA);
    for fields in rows {
        let mut row = vec![0xAA; layout.row];
        for (at, field) in *fields {
            row[*at..at + field.len()].copy_from_slice(field);
        }
        bytes.extend(row);
    }
    bytes
}

fn only(layout: Layout, fields: &[(usize, &[u8])]) -> Record {
    let records = records(&table(layout, &[fields]), layout).unwrap();
    let [record] = records.as_slice() else { panic!("one record") };
    record.clone()
}

fn at(record: &Record) -> (String, Option<String>) {
    (record.socket.endpoint.to_string(), record.socket.peer.map(|peer| peer.to_string()))
}

#[test]
fn a_listener_over_ipv4() {
    let record = only(
        TCP4,
        &[
            (0, &[2, 0, 0, 0]),
            (4, &[127, 0, 0, 1]),
            (8, &[0x1F, 0x90, 0xAA, 0xAA]),
            (12, &[0; 4]),
            // A listener has no peer; old systems left a number in this field.
            (16, &[0x12, 0x34, 0, 0]),
            (20, &4321_u32.to_le_bytes()),
            (24, &133_000_000_000_000_000_u64.to_le_bytes()),
        ],
    );
    assert_eq!(at(&record), ("127.0.0.1:8080".to_owned(), None));
    assert_eq!((record.socket.state, record.socket.protocol), (State::Listen, Protocol::Tcp));
    assert_eq!((record.pid, record.opened), (4321, Some(133_000_000_000_000_000)));
    assert_eq!(record.socket.dual_stack, Some(false));
}

#[test]
fn a_closed_socket_without_a_peer_is_bound() {
    let place: [(usize, &[u8]); 3] = [(0, &[1, 0, 0, 0]), (4, &[127, 0, 0, 1]), (8, &[0x1F, 0x90, 0, 0])];
    let bound = only(TCP4, &[&place[..], &[(12, &[0; 4]), (16, &[0; 4])]].concat());
    assert_eq!((at(&bound).1, bound.socket.state), (None, State::Bound));
    let peer: [(usize, &[u8]); 2] = [(12, &[127, 0, 0, 1]), (16, &[0, 80, 0, 0])];
    let closed = only(TCP4, &[&place[..], &peer].concat());
    assert_eq!((at(&closed).1.as_deref(), closed.socket.state), (Some("127.0.0.1:80"), State::Closed));
}

#[test]
fn a_connection_over_ipv6_with_scopes() {
    let link_local = "fe80::1".parse::<Ipv6Addr>().unwrap().octets();
    let record = only(
        TCP6,
        &[
            (0, &link_local),
            (16, &12_u32.to_le_bytes()),
            (20, &[0, 80, 0, 0]),
            (24, &link_local),
            (40, &13_u32.to_le_bytes()),
            (44, &[0xC0, 0, 0, 0]),
            (48, &5_u32.to_le_bytes()),
            (52, &7_u32.to_le_bytes()),
            (56, &0_u64.to_le_bytes()),
        ],
    );
    assert_eq!(at(&record), ("[fe80::1%12]:80".to_owned(), Some("[fe80::1%13]:49152".to_owned())));
    assert_eq!((record.socket.state, record.pid, record.opened), (State::Established, 7, None));
}

#[test]
fn datagram_sockets() {
    let four = only(
        UDP4,
        &[(0, &[0; 4]), (4, &[0, 53, 0, 0]), (8, &99_u32.to_le_bytes()), (16, &1_u64.to_le_bytes())],
    );
    assert_eq!((at(&four).0.as_str(), four.pid, four.opened), ("0.0.0.0:53", 99, Some(1)));
    assert!(four.socket.is_listener());
    let six = only(
        UDP6,
        &[
            (0, &[0; 16]),
            (16, &[0; 4]),
            (20, &[0x14, 0xE9, 0, 0]),
            (24, &100_u32.to_le_bytes()),
            (32, &2_u64.to_le_bytes()),
        ],
    );
    let loopback =
        only(UDP6, &[(0, &Ipv6Addr::LOCALHOST.octets()), (16, &[9, 0, 0, 0]), (20, &[0, 1, 0, 0])]);
    assert_eq!(at(&loopback).0, "[::1]:1", "it has no scope, whatever stands there");
    assert_eq!((at(&six).0.as_str(), six.pid, six.opened), ("[::]:5353", 100, Some(2)));
    assert_eq!(six.socket.dual_stack, None);
}

#[test]
fn every_state_has_its_name() {
    let names = [
        "closed",
        "listen",
        "syn-sent",
        "syn-received",
        "established",
        "fin-wait-1",
        "fin-wait-2",
        "close-wait",
        "closing",
        "last-ack",
        "time-wait",
        "closed",
    ];
    for (number, name) in (1_u32..).zip(names) {
        let record = only(TCP4, &[(0, &number.to_le_bytes()), (4, &[127, 0, 0, 1])]);
        assert_eq!(record.socket.state.as_str(), name);
    }
    let reserved = only(TCP4, &[(0, &100_u32.to_le_bytes())]);
    assert_eq!(reserved.socket.state, State::Bound);
    let strange = only(TCP4, &[(0, &77_u32.to_le_bytes())]);
    assert_eq!(strange.socket.state, State::Unknown);
}

#[test]
fn a_table_that_is_shorter_than_it_says_is_none() {
    let row: &[(usize, &[u8])] = &[(0, &[2, 0, 0, 0])];
    let whole = table(TCP4, &[row, row]);
    assert_eq!(records(&whole, TCP4).unwrap().len(), 2);
    let mut roomy = whole.clone();
    roomy.extend([0; 500]);
    assert_eq!(records(&roomy, TCP4).unwrap().len(), 2, "room behind it is no part of it");
    assert_eq!(records(&whole[..whole.len() - 1], TCP4), None);
    assert_eq!(records(&[0; 4], TCP4), Some(vec![]));
    assert_eq!(records(&[0; 3], TCP4), None);
    assert_eq!(records(&[0xFF; 64], TCP6), None);
}

#[test]
fn a_table_that_grows_is_asked_for_again() {
    let mut needed = [8_u32, 4096, 16384].into_iter();
    let mut given = Vec::new();
    let bytes = whole(|buffer, size| {
        given.push(*size);
        match needed.next() {
            Some(more) if *size < more => {
                *size = more;
                TOO_SMALL
            }
            _ => {
                buffer[0] = 0x0102_0304;
                0
            }
        }
    });
    assert_eq!(bytes.unwrap()[..4], [4, 3, 2, 1]);
    assert!(given.is_sorted() && given.len() == 4, "more room each time: {given:?}");
    assert!(given[1..].iter().zip([8, 4096, 16384]).all(|(given, wanted)| *given >= wanted), "{given:?}");
}

#[test]
fn asking_again_has_an_end() {
    let mut asked = 0;
    let grows = whole(|_, size| {
        asked += 1;
        *size += 1;
        TOO_SMALL
    });
    assert_eq!((grows, asked), (Err(TableRefusal::Grows), GROWTHS + 1));
    asked = 0;
    let fails = whole(|_, _| {
        asked += 1;
        UNSUCCESSFUL
    });
    assert_eq!((fails, asked), (Err(TableRefusal::Error(UNSUCCESSFUL)), FAILURES + 1));
    let mut answers = [UNSUCCESSFUL, UNSUCCESSFUL, 0].into_iter();
    assert_eq!(whole(|_, _| answers.next().unwrap()), Ok(vec![]), "it comes to an answer");
    assert_eq!(whole(|_, _| 5), Err(TableRefusal::Error(5)), "denied is denied");
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..2000), count in 0_u32..9) {
        for layout in [TCP4, TCP6, UDP4, UDP6] {
            let _ = records(&bytes, layout);
            let mut table = count.to_le_bytes().to_vec();
            table.extend(&bytes);
            if let Some(records) = records(&table, layout) {
                prop_assert_eq!(records.len(), usize::try_from(count).unwrap());
            }
        }
    }

    #[test]
    fn endpoints_are_read_as_they_were_written(address: [u8; 16], scope: u32, port: u16, pid: u32, opened: u64) {
        for (layout, pid_at, opened_at) in [(TCP6, 52, 56), (UDP6, 24, 32)] {
            let record = only(layout, &[
                (0, &address), (16, &scope.to_le_bytes()), (20, &port.to_be_bytes()),
                (pid_at, &pid.to_le_bytes()), (opened_at, &opened.to_le_bytes()),
            ]);
            let address = IpAddr::from(address);
            let interface = (scope != 0 && has_scope(address)).then(|| scope.to_string().as_str().into());
            prop_assert_eq!(record.socket.endpoint, Endpoint::Ip { address, port, interface });
            prop_assert_eq!((record.pid, record.opened), (pid, (opened != 0).then_some(opened)));
        }
    }
}
