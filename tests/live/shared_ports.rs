//! Sockets that share a port: the answers of `why` and the list are compared with where connections and datagrams to
//! loopback really arrive. Each test has its own network namespace.

#![cfg(target_os = "linux")]

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;

use crate::support::{Cmd, Fixture, JsonOutput, Steps, in_new_netns, live_test, start_on_one_port, until};
use crate::why::{must_have_verdict, obstacles, run_why, sentences, why};
use nix::sys::socket::{setsockopt, sockopt};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

const PORT: u16 = 8080;
const PEERS: usize = 24;

/// How a socket is opened: its address, and whether it is bound to lo.
type BoundAddress = (&'static str, bool);

fn open(kind: Type, options: &[&str], (address, on_lo): BoundAddress) -> Socket {
    let address: IpAddr = address.parse().expect("an address");
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, kind, None).expect("open a socket");
    if address.is_ipv6() {
        socket.set_only_v6(false).expect("dual-stack");
    }
    for option in options {
        match *option {
            "reuseaddr" => socket.set_reuse_address(true).expect("SO_REUSEADDR"),
            _ => setsockopt(&socket, sockopt::ReusePort, &true).expect("SO_REUSEPORT"),
        }
    }
    if on_lo {
        setsockopt(&socket, sockopt::BindToDevice, &"lo".into()).expect("SO_BINDTODEVICE");
    }
    socket.bind(&SocketAddr::new(address, PORT).into()).expect("bind");
    if kind == Type::STREAM {
        socket.listen(64).expect("listen");
    }
    socket.set_nonblocking(true).expect("non-blocking");
    socket
}

/// Whether no socket has the port, of either family.
fn is_unused(kind: Type) -> bool {
    let socket = Socket::new(Domain::IPV6, kind, None).expect("open a socket");
    socket.set_only_v6(false).expect("dual-stack");
    socket.set_reuse_address(kind == Type::STREAM).expect("SO_REUSEADDR");
    socket.bind(&SocketAddr::new([0_u16; 8].into(), PORT).into()).is_ok()
}

fn inode(socket: &Socket) -> u64 {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).expect("an own socket");
    let text = link.to_string_lossy().into_owned();
    text.trim_matches(|letter: char| !letter.is_ascii_digit()).parse().expect("socket:[N]")
}

/// How many of the peers each socket got.
fn count_arrivals(kind: Type, sockets: &[Socket], peer: &str) -> Vec<usize> {
    let to = SocketAddr::new(peer.parse().expect("an address"), PORT);
    for _ in 0..PEERS {
        match kind {
            Type::STREAM => drop(std::net::TcpStream::connect(to).expect("connect")),
            _ => {
                let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
                let client = std::net::UdpSocket::bind(SocketAddr::new(any, 0)).expect("a client");
                client.send_to(b"x", to).expect("send");
            }
        }
    }
    let got = |socket: &Socket| {
        let mut count = 0_usize;
        loop {
            let one = match kind {
                Type::STREAM => socket.accept().map(drop),
                _ => socket.recv(&mut [std::mem::MaybeUninit::uninit(); 8]).map(drop),
            };
            if one.is_err() {
                return count;
            }
            count += 1;
        }
    };
    // A busy machine delivers a datagram, or the last message of a handshake, after the call of the peer.
    let mut counts = vec![0; sockets.len()];
    let all = until(|| {
        counts.iter_mut().zip(sockets).for_each(|(count, socket)| *count += got(socket));
        (counts.iter().sum::<usize>() >= PEERS).then_some(())
    });
    assert!(all.is_some(), "{counts:?} of {PEERS} peers arrived");
    counts
}

/// Returns the sockets that answer at localhost according to `why`: one, or several and how one of them is selected.
fn answering(answer: &JsonOutput, family: &str) -> (Vec<u64>, Option<String>) {
    let localhost = &answer.document["localhost"];
    let one = localhost[family]["inode"].as_u64();
    let shared = &localhost[format!("{family}_shared")];
    let several = shared["listeners"].as_array().cloned().unwrap_or_default();
    let inodes = several.iter().filter_map(|listener| listener["inode"].as_u64()).chain(one);
    (inodes.collect(), shared["by"].as_str().map(str::to_owned))
}

#[live_test(Root, NETWORK_NAMESPACE, Ipv6, OwnProcess)]
fn the_answer_is_where_peers_arrive() {
    const ANY4: BoundAddress = ("0.0.0.0", false);
    const ANY4_LO: BoundAddress = ("0.0.0.0", true);
    const ONE4: BoundAddress = ("127.0.0.1", false);
    const ANY6: BoundAddress = ("::", false);
    const ANY6_LO: BoundAddress = ("::", true);
    const ONE6: BoundAddress = ("::1", false);
    let port: &[&str] = &["reuseport"];
    let address: &[&str] = &["reuseaddr"];
    let both: &[&str] = &["reuseaddr", "reuseport"];
    let places: [&[BoundAddress]; 14] = [
        &[ANY4, ANY4],
        &[ANY4, ANY4, ANY4],
        &[ANY4, ANY4_LO],
        &[ANY4_LO, ANY4],
        &[ANY4_LO, ANY4, ANY4],
        &[ANY4_LO, ONE4],
        &[ONE4, ANY4_LO],
        &[ANY6, ANY6],
        &[ANY6, ANY6_LO],
        &[ANY6_LO, ANY6],
        &[ANY6, ONE6],
        &[ANY6, ANY4],
        &[ANY6_LO, ANY4],
        &[ANY4, ANY6, ANY6],
    ];
    in_new_netns(|| {
        for (kind, options) in
            [(Type::STREAM, port), (Type::DGRAM, port), (Type::DGRAM, address), (Type::DGRAM, both)]
        {
            for opened in places {
                // A program that another test starts meanwhile has copies of the last sockets until its exec.
                until(|| is_unused(kind).then_some(())).expect("the last sockets are closed");
                let sockets: Vec<Socket> = opened.iter().map(|one| open(kind, options, *one)).collect();
                let inodes: Vec<u64> = sockets.iter().map(inode).collect();
                let target = if kind == Type::STREAM { PORT.to_string() } else { format!("udp/{PORT}") };
                let answer = why(&target, 1);
                for (family, peer) in [("ipv4", "127.0.0.1"), ("ipv6", "::1")] {
                    let (named, by) = answering(&answer, family);
                    if family == "ipv6" && opened.iter().all(|(address, _)| !address.contains(':')) {
                        answer.assert(named.is_empty(), "nothing answers over IPv6");
                        continue;
                    }
                    let counts = count_arrivals(kind, &sockets, peer);
                    let met: Vec<u64> = inodes
                        .iter()
                        .zip(&counts)
                        .filter(|(_, count)| **count > 0)
                        .map(|(it, _)| *it)
                        .collect();
                    let what = format!(
                        "{options:?} {opened:?} {family}: named {named:?} {by:?}, {inodes:?} got {counts:?}"
                    );
                    match named.as_slice() {
                        [only] => answer.assert(met == [*only], &what),
                        several => {
                            let all = met.iter().all(|inode| several.contains(inode));
                            answer.assert(all && met.len() > 1 && by.as_deref() == Some("spread"), &what);
                        }
                    }
                    // A target with the address lists the same sockets, as far as the list can know it.
                    let listed = Cmd::new([if peer == "::1" {
                        format!("{}[::1]:{PORT}", if kind == Type::STREAM { "tcp/" } else { "udp/" })
                    } else {
                        format!("{}{peer}:{PORT}", if kind == Type::STREAM { "tcp/" } else { "udp/" })
                    }])
                    .answer(0);
                    let listed: Vec<u64> = listed.document["listeners"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(|listener| listener["inode"].as_u64())
                        .collect();
                    let holds = named.iter().all(|inode| listed.contains(inode));
                    answer.assert(holds, &format!("{what}; listed {listed:?}"));
                    if kind == Type::STREAM {
                        answer.assert(listed.len() == named.len(), &format!("{what}; listed {listed:?}"));
                    }
                }
            }
        }
    });
}

#[live_test]
fn a_shared_port_names_no_single_server() {
    let shared = |port: u16| Steps::new(["reuseport".into(), format!("tcp=0.0.0.0:{port}")]);
    let (port, [one, other]) = start_on_one_port(|port| [shared(port), shared(port)]);
    let answer = why(&port.to_string(), 1);
    must_have_verdict(&answer, "listening");
    answer.assert_eq(&answer.document["localhost"]["ipv4"], &json!(null), "no single one answers");
    answer.assert_eq(
        &answer.document["localhost"]["ipv4_shared"]["by"],
        &json!("spread"),
        "how it is selected",
    );
    let reason = answer.document["reason"].as_str().unwrap_or_default();
    for pid in [one.pid(), other.pid()] {
        answer.assert(reason.contains(&format!("pid {pid}")), "both are named");
    }
    answer.assert(sentences(&answer).contains("spreads connections over them"), "what that means");
    // The card reports it too.
    let card = Cmd::new([port.to_string()]).run().code(0);
    card.assert(card.text().contains("connections are spread over all of them"), "what the other one means");
    drop(other);
    let answer = why(&port.to_string(), 1);
    answer.assert_eq(&answer.document["localhost"]["ipv4"]["inode"], &json!(one.inode(0)), "one is left");
    answer.assert_eq(
        &answer.document["localhost"]["ipv4_shared"],
        &json!(null),
        "it does not share the port",
    );
}

/// The kernel does not report which of them accepted a connection: each lists it, and `why` counts it once.
#[live_test]
fn a_connection_to_a_shared_port_belongs_to_all() {
    let shared = |port: u16| Steps::new(["reuseport".into(), format!("tcp=127.0.0.1:{port}")]);
    let (port, _servers) = start_on_one_port(|port| [shared(port), shared(port)]);
    let client = Fixture::start([format!("client=127.0.0.1:{port}")]);
    let answer = Cmd::new(["--connections".to_owned(), format!("tcp/{port}")]).answer(0);
    answer.assert_eq(answer.listeners().len(), 2, "listeners");
    for listener in answer.listeners() {
        let clients = &listener["connections"][0]["clients"];
        answer.assert_eq(&clients[0]["pid"], &json!(client.pid()), "the client");
    }
    let answer = why(&format!("127.0.0.1:{port}"), 1);
    answer.assert_eq(answer.document["clients"].as_array().map(Vec::len), Some(1), "clients");
}

/// Returns whether one of the facts contains all of these parts.
fn has_fact(answer: &JsonOutput, parts: &[&str]) -> bool {
    let facts = answer.document["facts"].as_array().cloned().unwrap_or_default();
    facts.iter().filter_map(Value::as_str).any(|fact| parts.iter().all(|part| fact.contains(part)))
}

#[live_test(Ipv6)]
fn a_shared_udp_port_can_be_joined() {
    for address in ["0.0.0.0", "127.0.0.1", "[::]"] {
        for (options, by_address, by_port) in [
            (vec!["reuseaddr"], true, false),
            (vec!["reuseport"], false, true),
            (vec!["reuseaddr", "reuseport"], true, true),
            (vec![], false, false),
        ] {
            let steps = options.iter().map(|option| (*option).to_owned());
            let server = Fixture::start(steps.chain([format!("udp={address}:0")]));
            let target = format!("udp/{}", server.port());
            let answer = run_why(Cmd::new(["why", "--json", &target]), 1);
            must_have_verdict(&answer, "listening");
            answer.assert_eq(obstacles(&answer).len(), 1, "the obstacle");
            answer.assert_eq(has_fact(&answer, &["SO_REUSEADDR may join"]), by_address, "SO_REUSEADDR joins");
            answer.assert_eq(has_fact(&answer, &["SO_REUSEPORT may join"]), by_port, "SO_REUSEPORT joins");
            answer.assert_eq(has_fact(&answer, &["SO_REUSEADDR does not help"]), !by_address, "or not");
            answer.assert_eq(has_fact(&answer, &["SO_REUSEPORT does not help"]), !by_port, "or not");
            let first = answer.document["advice"][0].as_str().unwrap_or_default();
            answer.assert_eq(
                first.starts_with("to share the port"),
                by_address || by_port,
                "the first advice",
            );
        }
    }
}

#[live_test(OwnProcess)]
fn a_udp_port_on_one_address_is_tested_by_the_wildcard() {
    // A datagram to the holder never arrives at the socket of the test, however many are sent.
    let holder = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = holder.local_addr().expect("its address");
    let client = std::net::UdpSocket::bind("127.0.0.1:0").expect("a client");
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            for _ in 0..200 {
                client.send_to(b"x", address).expect("send");
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        while !sender.is_finished() {
            why(&format!("udp/{}", address.port()), 1);
        }
    });
    holder.set_nonblocking(true).expect("non-blocking");
    let mut received = 0;
    let _fewer_than_were_sent = until(|| {
        received += std::iter::from_fn(|| holder.recv(&mut [0; 8]).ok()).count();
        (received >= 200).then_some(())
    });
    assert_eq!(received, 200, "every datagram is the holder's");
}
