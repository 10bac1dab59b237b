use proptest::prelude::*;

use super::*;
use crate::model::{
    AcceptQueue, Connection, Container, Evidence, GitHead, Note, Probe, ProbeOutcome, Process, ProcessId,
    Project, Protocol, RelatedProcess, Service, Socket, State, Text, Unseen, UnseenReason,
};

fn natural(text: &str) -> Natural {
    Natural::from(text.to_owned())
}

#[test]
fn digits_are_numbers_wherever_they_stand() {
    let sorted = [
        "0a",
        "1a",
        "1b",
        "1z",
        "2",
        "2a",
        "3 70",
        "3x",
        "007",
        "7",
        "9",
        "9a",
        "10",
        "100",
        "18446744073709551616",
        "18446744073709551617",
        "a",
        "a2",
        "a10",
        "a10b",
        "b",
    ];
    for (at, a) in sorted.iter().enumerate() {
        for (other, b) in sorted.iter().enumerate() {
            assert_eq!(natural(a).cmp(&natural(b)), at.cmp(&other), "{a} {b}");
        }
    }
}

/// Names of which some are numbers, some are not, and some begin alike.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,3}",
        "[0-9]{0,2}[a-c][0-9]{0,2}",
        "[0-9]{20,24}",
        Just(String::new()),
        "\\PC{0,4}",
        "[a-b]{1,2}\\.service",
    ]
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        name().prop_map(|name| Text::from(name.as_str())),
        proptest::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| Text::from(bytes.as_slice())),
    ]
}

fn socket() -> impl Strategy<Value = Socket> {
    let addresses = ["0.0.0.0", "127.0.0.1", "10.0.0.2", "::", "::1", "fe80::2"];
    let ip = (0..addresses.len(), 1_u16..4, proptest::option::of(text())).prop_map(
        move |(at, port, interface)| Endpoint::Ip {
            address: addresses.get(at).unwrap().parse().unwrap(),
            port,
            interface,
        },
    );
    let endpoint = prop_oneof![
        3 => ip,
        1 => proptest::option::of(text()).prop_map(|path| Endpoint::Unix { path }),
    ];
    let states = [State::Listen, State::Bound, State::Established, State::TimeWait];
    let numbers = (proptest::option::of(0_u64..3), proptest::option::of(0_u32..12), 0_u32..3);
    let rest = (proptest::option::of(text()), proptest::option::of(text()), any::<Option<bool>>());
    let peer = proptest::option::of((0_u8..3, 1_u16..20));
    (endpoint, 0..states.len(), numbers, rest, peer).prop_map(
        move |(endpoint, state, (inode, uid, waiting), (user, namespace, dual_stack), peer)| {
            let protocol = match endpoint {
                Endpoint::Unix { .. } => Protocol::Unix,
                Endpoint::Ip { .. } => Protocol::Tcp,
            };
            let mut socket = Socket::new(protocol, endpoint, *states.get(state).unwrap());
            (socket.inode, socket.uid, socket.user) = (inode, uid, user);
            (socket.namespace, socket.dual_stack) = (namespace, dual_stack);
            socket.queue = uid.map(|limit| AcceptQueue { waiting, limit: inode.map(|_| limit) });
            socket.peer = peer.map(|(last, port)| SocketAddr::from(([10, 0, 0, last], port)));
            socket
        },
    )
}

fn holder() -> impl Strategy<Value = Holder> {
    let names = (text(), proptest::option::of(text()), proptest::option::of(text()));
    let numbers = (1_u32..12, proptest::option::of(0_u32..11), proptest::option::of(-5_i64..2_000_000_000));
    let lists = (proptest::collection::vec(0_u32..80, 0..3), proptest::collection::vec(text(), 0..3));
    (names, numbers, lists).prop_map(|((name, user, other), (pid, uid, started), (descriptors, command))| {
        let mut process = Process::new(ProcessId { pid, start: None }, name.clone());
        (process.user, process.uid) = (user.clone(), uid);
        process.started_at = started.and_then(|at| Timestamp::from_millisecond(at * 100).ok());
        process.parents = vec![RelatedProcess { pid: pid + 1, name: name.clone() }];
        process.command = other.as_ref().map(|_| command);
        (process.executable, process.directory) = (user.clone(), other.clone());
        process.script.clone_from(&other);
        process.project = other.map(|directory| Project {
            directory,
            marker: ".git".into(),
            head: user.map(GitHead::from_text),
            worktree: None,
        });
        Holder { process: process.into(), descriptors, evidence: Evidence::Descriptor }
    })
}

fn listener() -> impl Strategy<Value = Listener> {
    let names = proptest::option::of((text(), text()));
    let probe = proptest::option::of((any::<bool>(), 0_u64..3_000));
    (socket(), proptest::collection::vec(holder(), 0..3), names, probe, any::<Option<bool>>()).prop_map(
        |(socket, holders, names, probe, unseen)| {
            let peer = socket.peer;
            let mut listener = Listener::new(socket);
            listener.holders = holders;
            if let Some((first, second)) = names {
                listener.note = Some(Box::new(Note::Other(first.clone())));
                listener.container = Some(
                    Container {
                        runtime: "docker".into(),
                        id: first.clone(),
                        name: (!second.is_empty()).then(|| second.clone()),
                        image: None,
                        port: None,
                        compose: None,
                        uid: None,
                    }
                    .into(),
                );
                listener.service = Some(
                    Service {
                        manager: "systemd".into(),
                        name: second,
                        scope: "system".into(),
                        uid: None,
                        activates: None,
                    }
                    .into(),
                );
            }
            listener.probe = probe.map(|(accepts, microseconds)| Probe {
                outcome: if accepts { ProbeOutcome::Accepts } else { ProbeOutcome::Refuses },
                took: Duration::from_micros(microseconds),
            });
            listener.unseen = unseen.map(|kernel| {
                Unseen {
                    reason: if kernel { UnseenReason::Kernel } else { UnseenReason::Permission },
                    help: None,
                    candidates: Vec::new(),
                    kernel: Vec::new(),
                }
                .into()
            });
            listener.connections =
                peer.map(|peer| vec![Connection { peer, state: State::Established, clients: Vec::new() }]);
            listener
        },
    )
}

/// Returns the visible part of rows, in their order.
fn shown(rows: &[Listener]) -> Vec<String> {
    let row = |listener: &Listener| {
        let value = |(column, _): &(Column, _)| {
            column.value(listener, listener.holders.first(), Timestamp::UNIX_EPOCH)
        };
        Column::NAMES.iter().map(value).collect::<Vec<_>>().join("|")
    };
    rows.iter().map(row).collect()
}

fn orders() -> impl Iterator<Item = Order> {
    let columns = Column::NAMES.iter().map(|(column, _)| Some(*column)).chain([None]);
    columns.flat_map(|column| [false, true].map(|reverse| Order { column, reverse }))
}

fn compare(by: Order, a: &Listener, b: &Listener) -> Ordering {
    let by_column =
        by.column.map_or(Ordering::Equal, |column| Key::new(column, a).compare(&Key::new(column, b), by));
    by_column.then_with(|| by.apply(default_order(a, b)))
}

#[test]
fn the_reversed_order_ends_with_what_is_unknown_too() {
    let row = |pid: u32, started: Option<i64>| {
        let mut listener = Listener::new(Socket::new(
            Protocol::Tcp,
            Endpoint::Ip { address: [127, 0, 0, 1].into(), port: 80, interface: None },
            State::Listen,
        ));
        let mut process = Process::new(ProcessId { pid, start: None }, "x".into());
        process.started_at = started.and_then(|at| Timestamp::from_second(at).ok());
        listener.holders =
            vec![Holder { process: process.into(), descriptors: Vec::new(), evidence: Evidence::Descriptor }];
        listener
    };
    let rows = [row(1, Some(50)), row(2, None), row(3, Some(90)), row(4, Some(70))];
    for (reverse, pids) in [(false, [3, 4, 1, 2]), (true, [1, 4, 3, 2])] {
        let mut sorted = rows.clone();
        sort(&mut sorted, Order { column: Some(Column::Age), reverse }, |row| row);
        assert_eq!(sorted.map(|row| row.holders[0].process.id.pid), pids);
    }
    let mut sorted = rows;
    sort(&mut sorted, Order { column: None, reverse: true }, |row| row);
    assert_eq!(sorted.map(|row| row.holders[0].process.id.pid), [4, 3, 2, 1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_column_has_one_total_order(rows in proptest::collection::vec(listener(), 3..9)) {
        for column in orders() {
            for a in &rows {
                prop_assert_eq!(compare(column, a, a), Ordering::Equal);
                for b in &rows {
                    prop_assert_eq!(compare(column, a, b), compare(column, b, a).reverse(), "{:?}", column);
                    for c in &rows {
                        if compare(column, a, b).is_le() && compare(column, b, c).is_le() {
                            prop_assert!(compare(column, a, c).is_le(), "{:?}", column);
                        }
                    }
                }
            }
        }
    }

    /// From some 20 rows on the standard library's sort checks the order, and panics.
    #[test]
    fn the_order_does_not_depend_on_the_order_before(
        (rows, shuffled) in proptest::collection::vec(listener(), 0..40)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        for column in orders() {
            let (mut a, mut b) = (rows.clone(), shuffled.clone());
            sort(&mut a, column, |row| row);
            sort(&mut b, column, |row| row);
            prop_assert_eq!(shown(&a), shown(&b), "{:?}", column);
            prop_assert!(a.is_sorted_by(|a, b| compare(column, a, b).is_le()), "{:?}", column);
            let mut counted = shown(&rows);
            let mut again = shown(&a);
            counted.sort();
            again.sort();
            prop_assert_eq!(counted, again, "no row is lost");
        }
    }
}
