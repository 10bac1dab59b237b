//! The steps without system calls, at 1,000 and at 100,000 sockets: reading what the kernel answers, selecting,
//! putting in order, and rendering. The time is that of one whole list.

use std::net::{IpAddr, Ipv4Addr};

use allears::internals;
use allears::render::json;
use allears::{Endpoint, Listener, Query, Selection, Snapshot, State, Target};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};

const SOCKETS: [usize; 2] = [1_000, 100_000];

pub(crate) fn main() {
    divan::main();
}

/// A snapshot of so many listeners, each with a holder, over many ports and a few addresses.
fn snapshot(sockets: usize) -> Snapshot {
    let mut snapshot = json::read(include_bytes!("../listener.json")).expect("the file is a snapshot");
    let template = snapshot.listeners.first().expect("the file has a listener").clone();
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let listener = |at: usize| {
        let mut listener = template.clone();
        let [_, _, third, fourth] = number(at / 60_000 * 256 + at % 5).to_be_bytes();
        listener.socket.endpoint = Endpoint::Ip {
            address: IpAddr::V4(Ipv4Addr::new(127, 0, third, fourth)),
            port: u16::try_from(at % 60_000 + 1).unwrap_or(u16::MAX),
            interface: None,
        };
        listener.socket.inode = Some(u64::from(number(at)) + 100_000);
        for holder in &mut listener.holders {
            holder.process.id.pid = number(at % 3_000) + 1;
        }
        listener
    };
    // The kernel's order is none: a stride that shares no factor with any count here.
    snapshot.listeners = (0..sockets).map(|at| listener(at * 7_919 % sockets)).collect();
    snapshot
}

/// So many connections to one port, held by one process: what `--all` shows of a busy server.
fn connections(sockets: usize) -> Snapshot {
    let mut snapshot = snapshot(sockets);
    for (at, listener) in snapshot.listeners.iter_mut().enumerate() {
        let peer = Ipv4Addr::from(0x0a00_0000 + u32::try_from(at).unwrap_or_default());
        listener.socket.endpoint =
            Endpoint::Ip { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 443, interface: None };
        listener.socket.peer = Some((peer, 40_000).into());
        listener.socket.state = State::Established;
        listener.holders.truncate(1);
        for holder in &mut listener.holders {
            holder.process.id.pid = 1;
        }
    }
    snapshot
}

/// What is known of every port, by number.
#[divan::bench]
fn about_every_port(bencher: Bencher<'_, '_>) {
    bencher.counter(items(65_536)).bench(|| {
        for port in 0..=u16::MAX {
            black_box(allears::about(black_box(port)));
        }
    });
}

/// The key that starts the filter of `watch`, until the lines of the screen are made. It collects what can be searched
/// for.
#[divan::bench(args = [1_000, 10_000])]
fn start_of_a_filter(bencher: Bencher<'_, '_>, sockets: usize) {
    let snapshot = snapshot(sockets);
    let screen = || internals::FilterScreen::new(&snapshot);
    bencher.counter(items(sockets)).with_inputs(screen).bench_local_values(|mut screen| {
        black_box(screen.start());
        screen
    });
}

/// A letter that many rows match, and its removal: two keys.
#[divan::bench(args = [1_000, 10_000])]
fn next_letter_of_a_filter_and_its_removal(bencher: Bencher<'_, '_>, sockets: usize) {
    let mut screen = internals::FilterScreen::new(&snapshot(sockets));
    screen.start();
    screen.type_letter('n');
    bencher.counter(items(sockets)).bench_local(|| {
        black_box(screen.type_letter('o'));
        black_box(screen.erase());
    });
}

fn items(sockets: usize) -> ItemsCount {
    ItemsCount::new(sockets)
}

#[cfg(target_os = "linux")]
mod parse {
    use allears::Protocol;
    use allears::internals::system;

    use super::*;

    /// The kernel fills at most 32 KiB at a time.
    const DATAGRAM: usize = 32 * 1024;

    /// `struct nlmsghdr` and what follows it, padded.
    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut message = u32::try_from(16 + payload.len()).expect("it is short").to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(2_u16.to_ne_bytes());
        message.extend(system::SEQUENCE.to_ne_bytes());
        message.extend(0_u32.to_ne_bytes());
        message.extend(payload);
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut attribute = u16::try_from(4 + value.len()).expect("it is short").to_ne_bytes().to_vec();
        attribute.extend(kind.to_ne_bytes());
        attribute.extend(value);
        attribute.resize(attribute.len().next_multiple_of(4), 0);
        attribute
    }

    /// An answer of whole datagrams.
    fn datagrams(sockets: usize, payload: impl Fn(u32) -> Vec<u8>) -> Vec<Vec<u8>> {
        let mut datagrams = vec![Vec::with_capacity(DATAGRAM)];
        for at in 0..u32::try_from(sockets).expect("there are not that many") {
            let message = message(system::SOCK_DIAG, &payload(at));
            match datagrams.last_mut() {
                Some(last) if last.len() + message.len() <= DATAGRAM => last.extend(message),
                _ => datagrams.push(message),
            }
        }
        datagrams
    }

    /// `struct inet_diag_msg` of a listener on `[::]`, with its attributes.
    fn inet_message(at: u32) -> Vec<u8> {
        let mut payload = vec![10, 10, 0, 0];
        payload.extend(u16::try_from(at % 60_000 + 1).expect("that is a port").to_be_bytes());
        // No peer's port, neither address, no interface.
        payload.resize(44, 0);
        payload.extend(u64::from(at).to_ne_bytes());
        for number in [0, 0, 128, 1000, 100_000 + at] {
            payload.extend(number.to_ne_bytes());
        }
        payload.extend(attribute(8, &[0]));
        payload.extend(attribute(11, &[0]));
        payload.extend(attribute(21, &4_711_u64.to_ne_bytes()));
        payload
    }

    /// `struct unix_diag_msg` of a listener with a path.
    fn unix_message(at: u32) -> Vec<u8> {
        let mut payload = vec![1, 1, 10, 0];
        payload.extend((100_000 + at).to_ne_bytes());
        payload.extend(u64::from(at).to_ne_bytes());
        payload.extend(attribute(0, format!("/run/user/1000/service-{at}.sock\0").as_bytes()));
        payload.extend(attribute(4, &[0, 0, 0, 0, 128, 0, 0, 0]));
        payload.extend(attribute(7, &1000_u32.to_ne_bytes()));
        payload
    }

    fn bytes(datagrams: &[Vec<u8>]) -> BytesCount {
        BytesCount::new(datagrams.iter().map(Vec::len).sum::<usize>())
    }

    #[divan::bench(args = SOCKETS, max_time = 2)]
    fn inet_diag(bencher: Bencher<'_, '_>, sockets: usize) {
        let answer = datagrams(sockets, inet_message);
        bencher.counter(items(sockets)).counter(bytes(&answer)).bench(|| {
            let mut read = system::InetSockets::default();
            for datagram in &answer {
                let whole = system::datagram(black_box(datagram), system::SOCK_DIAG, |message| {
                    read.push(message, Protocol::Tcp);
                });
                assert!(whole, "a datagram was refused");
            }
            assert_eq!(read.count(), sockets);
            read
        });
    }

    #[divan::bench(args = SOCKETS, max_time = 2)]
    fn unix_diag(bencher: Bencher<'_, '_>, sockets: usize) {
        let answer = datagrams(sockets, unix_message);
        bencher.counter(items(sockets)).counter(bytes(&answer)).bench(|| {
            let mut read = Vec::new();
            for datagram in &answer {
                let whole = system::datagram(black_box(datagram), system::SOCK_DIAG, |message| {
                    read.extend(system::unix_message(message));
                });
                assert!(whole, "a datagram was refused");
            }
            assert_eq!(read.len(), sockets);
            read
        });
    }

    #[divan::bench(args = SOCKETS, max_time = 2)]
    fn proc_net_tcp(bencher: Bencher<'_, '_>, sockets: usize) {
        let mut table = String::from("  sl  local_address rem_address   st tx_queue rx_queue tr\n");
        for at in 0..sockets {
            let port = at % 60_000 + 1;
            table.push_str(&format!(
                "{at:4}: 0100007F:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000  \
                 1000        0 {} 1 0000000000000000 100 0 0 10 0\n",
                at + 100_000
            ));
        }
        bencher.counter(items(sockets)).counter(BytesCount::of_str(&table)).bench(|| {
            assert_eq!(system::inet_table(black_box(table.as_bytes())), sockets);
        });
    }
}

/// Choosing among all sockets, and putting what remains in order.
mod select {
    use super::*;

    fn bench(bencher: Bencher<'_, '_>, sockets: usize, query: Query, expected: usize) {
        let whole = snapshot(sockets);
        let selection: &Selection = query.selection();
        bencher.counter(items(sockets)).with_inputs(|| whole.clone()).bench_local_values(|snapshot| {
            let selected = selection.apply(snapshot);
            assert_eq!(selected.listeners.len(), expected);
            selected
        });
    }

    #[divan::bench(args = SOCKETS, max_time = 2)]
    fn all(bencher: Bencher<'_, '_>, sockets: usize) {
        bench(bencher, sockets, Query::new(), sockets);
    }

    #[divan::bench(args = SOCKETS, max_time = 2)]
    fn one_port(bencher: Bencher<'_, '_>, sockets: usize) {
        let query = Query::new().port(500).expect("that is a port");
        bench(bencher, sockets, query, sockets.div_ceil(60_000));
    }

    #[divan::bench(args = SOCKETS, max_time = 2)]
    fn one_address(bencher: Bencher<'_, '_>, sockets: usize) {
        let target: Target = "127.0.0.4:500".parse().expect("that is a target");
        bench(bencher, sockets, Query::new().target(target), 1);
    }

    #[divan::bench(args = SOCKETS, max_time = 2)]
    fn one_command(bencher: Bencher<'_, '_>, sockets: usize) {
        bench(bencher, sockets, Query::new().command("SERVER.js"), sockets);
    }
}

mod render {
    use super::*;

    type Renderer = fn(&Snapshot, &mut Vec<u8>) -> std::io::Result<()>;

    fn bench(bencher: Bencher<'_, '_>, sockets: usize, snapshot: Snapshot, render: Renderer) {
        let mut out = Vec::new();
        render(&snapshot, &mut out).expect("memory takes everything");
        bencher.counter(items(sockets)).counter(BytesCount::new(out.len())).bench_local(|| {
            out.clear();
            render(black_box(&snapshot), &mut out).expect("memory takes everything");
            black_box(out.len())
        });
    }

    #[divan::bench(args = SOCKETS, max_time = 2)]
    fn json(bencher: Bencher<'_, '_>, sockets: usize) {
        bench(bencher, sockets, snapshot(sockets), |snapshot, out| json::write(snapshot, out));
    }

    #[divan::bench(args = SOCKETS, max_time = 2)]
    fn json_lines(bencher: Bencher<'_, '_>, sockets: usize) {
        bench(bencher, sockets, snapshot(sockets), |snapshot, out| json::write_lines(snapshot, out));
    }

    #[divan::bench(args = SOCKETS, max_time = 2)]
    fn table_width_100(bencher: Bencher<'_, '_>, sockets: usize) {
        let sorted = Query::new().selection().apply(snapshot(sockets));
        bench(bencher, sockets, sorted, |snapshot, out| internals::table(snapshot, Some(100), out));
    }

    #[divan::bench(args = SOCKETS, max_time = 2)]
    fn table_of_connections(bencher: Bencher<'_, '_>, sockets: usize) {
        let render: Renderer = |snapshot, out| internals::table(snapshot, Some(100), out);
        bench(bencher, sockets, connections(sockets), render);
    }

    #[divan::bench(args = SOCKETS, max_time = 2)]
    fn csv(bencher: Bencher<'_, '_>, sockets: usize) {
        bench(bencher, sockets, snapshot(sockets), |snapshot, out| internals::csv(snapshot, out));
    }
}

/// What `--from` does first.
#[divan::bench(args = SOCKETS, max_time = 2)]
fn read_json(bencher: Bencher<'_, '_>, sockets: usize) {
    let mut document = Vec::new();
    json::write(&snapshot(sockets), &mut document).expect("memory takes everything");
    bencher.counter(items(sockets)).counter(BytesCount::new(document.len())).bench(|| {
        let read: Vec<Listener> = json::read(black_box(&document)).expect("it was just written").listeners;
        assert_eq!(read.len(), sockets);
        read
    });
}
