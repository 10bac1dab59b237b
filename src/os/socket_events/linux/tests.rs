//! Real sockets, and what the kernel reports about them. Programs are tested by `tests/live/watch_events.rs`, because they
//! leave out this process.

use std::net::{TcpListener, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::program::{FUNCTIONS, Outputs, TRACEPOINT, WANTED, assemble};
use crate::model::Protocol;
use crate::os::parse::linux::btf::Layout;
use crate::os::socket_events::{EventSource, SocketEventKind, open};

#[test]
fn destroyed_sockets_are_reported_with_their_address() {
    let (source, coverage) = open(EventSource::Destroyed);
    let Some(source) = source else {
        eprintln!("skipped: {coverage:?}");
        return;
    };
    assert!(coverage.notices(Protocol::Tcp) && coverage.notices(Protocol::Udp));
    let (sender, events) = mpsc::channel();
    let reading = source.read(move |batch| sender.send(batch).is_ok()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind("[::1]:0").or_else(|_| UdpSocket::bind("127.0.0.1:0")).unwrap();
    let mut wanted =
        vec![(Protocol::Tcp, listener.local_addr().unwrap()), (Protocol::Udp, socket.local_addr().unwrap())];
    drop((listener, socket));
    let deadline = Instant::now() + Duration::from_secs(30);
    while !wanted.is_empty() {
        let batch = events.recv_timeout(deadline.saturating_duration_since(Instant::now())).unwrap();
        for event in batch.events {
            assert_eq!((event.kind, event.process), (SocketEventKind::Destroyed, None));
            wanted.retain(|(protocol, address)| {
                (*protocol, address.ip(), address.port()) != (event.protocol, event.address, event.port)
            });
        }
    }
    reading.finish();
    assert!(events.iter().all(|batch| !batch.lost), "its thread has ended");
}

#[test]
fn nothing_is_noticed_without_a_source() {
    let (source, coverage) = open(EventSource::Off);
    assert!(source.is_none() && !coverage.notices(Protocol::Tcp));
}

#[test]
fn every_program_is_assembled_from_a_layout_alone() {
    let outputs = Outputs { ring: 3, lost: 4, namespace: 4_026_531_840 };
    let layout = Layout { function: 1, offsets: (0..15).map(|at| at * 8).collect() };
    assert_eq!(layout.offsets.len(), WANTED.members.len());
    for traced in FUNCTIONS.iter().chain([&TRACEPOINT]) {
        let program = assemble(traced, 3, &layout, outputs).unwrap();
        assert!(program.len() < 150, "{}: {}", traced.name, program.len());
        let offsets = vec![8];
        assert_eq!(assemble(traced, 3, &Layout { function: 1, offsets }, outputs), None);
    }
}
