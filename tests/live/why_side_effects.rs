//! `why` has no side effects: it leaves nothing on the port, listens nowhere, and sends nothing to anybody.

#![cfg(unix)]

use crate::support::{
    Cmd, JsonOutput, Need, folder, in_new_netns, ip, listen_without_reuse, live_test, nft, port,
};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// nftables rules that pass connections to the socket of another port (tproxy).
const TPROXY: Need = Need::Probe(
    "tproxy in nftables",
    &[
        "unshare",
        "--net",
        "nft",
        "add table ip t; add chain ip t c { type filter hook prerouting priority -150; }; \
        add rule ip t c tcp dport 1 tproxy to 127.0.0.1:2",
    ],
);

/// Lets a socket accept connections to foreign addresses and ports (IP_TRANSPARENT in ip(7)).
#[cfg(target_os = "linux")]
fn make_transparent(proxy: &TcpListener) {
    use nix::sys::socket::{setsockopt, sockopt::IpTransparent};
    setsockopt(proxy, IpTransparent, &true).expect("a transparent socket");
}

#[cfg(not(target_os = "linux"))]
fn make_transparent(_proxy: &TcpListener) {
    unreachable!("this test is of Linux alone");
}

/// Connections that a transparent proxy has not accepted yet have the port. A probe must not leave one there.
#[live_test(Linux, Root, TPROXY, OwnProcess)]
fn a_transparent_proxy_keeps_nothing_of_a_probe() {
    in_new_netns(|| {
        let proxy = TcpListener::bind("127.0.0.1:9000").expect("a proxy");
        make_transparent(&proxy);
        nft("add table ip t; add chain ip t c { type filter hook prerouting priority -150; }; \
            add rule ip t c tcp dport 8080 tproxy to 127.0.0.1:9000 meta mark set 1 accept");
        ip("rule add fwmark 1 lookup 100");
        ip("route add local 0.0.0.0/0 dev lo table 100");
        let mut verdicts = Vec::new();
        for _ in 0..3 {
            let answer = JsonOutput::parse(Cmd::new(["why", "--json", "8080"]).run().code(0));
            answer.assert_eq(
                &answer.document["standing_in_the_way"],
                &json!([]),
                "nothing left behind prevents a bind",
            );
            verdicts.push(answer.document["verdict"].clone());
            let all = Cmd::new(["--json", "-a", "8080"]).run();
            let document: Value = serde_json::from_str(all.text()).expect("a document");
            let sockets = document["listeners"].as_array().expect("listeners");
            let left: Vec<_> = sockets.iter().filter(|socket| socket["state"] != "forwarded").collect();
            all.assert(left.is_empty(), &format!("no socket has the port: {left:?}"));
            let wait = Cmd::new(["wait", "--free", "--timeout=5s", "8080"]).run().code(0);
            wait.assert(wait.text().contains("is free"), "it can be bound");
        }
        assert!(verdicts.iter().all(|verdict| *verdict == "forwarded"), "the same each time: {verdicts:?}");
        proxy.set_nonblocking(true).expect("do not wait");
        let (mut peer, _) = proxy.accept().expect("the proxy accepted a connection");
        let read = std::io::Read::read(&mut peer, &mut [0]).map_err(|error| error.kind());
        assert!(matches!(read, Ok(0) | Err(ErrorKind::ConnectionReset)), "closed by a reset: {read:?}");
    });
}

/// The reset is prepared before the connection is made.
#[live_test(Linux, STRACE)]
fn a_killed_probe_leaves_nothing() {
    let (log, port) = (folder().join("why-linger"), port());
    let words =
        ["strace", "-f", "-e", "trace=setsockopt,connect", "-o", log.to_str().expect("a path in text")];
    let output = Cmd::new(["why".to_owned(), port.to_string()]).through(words).run().code(0);
    let calls = std::fs::read_to_string(&log).expect("strace writes its trace");
    let called: Vec<&str> = calls
        .lines()
        .filter(|call| call.contains("SO_LINGER") || call.contains(&format!("htons({port})")))
        .collect();
    output.assert(!called.is_empty(), "it connects");
    for pair in called.chunks(2) {
        let arranged =
            matches!(pair, [first, second] if first.contains("l_linger=0") && second.contains("connect("));
        output.assert(arranged, &format!("first SO_LINGER, then the connection: {pair:?}"));
    }
}

#[live_test(Linux, Root, Ipv6, NETWORK_NAMESPACE, OwnProcess)]
fn a_port_can_be_bound_at_once_after_why() {
    in_new_netns(|| {
        for port in 20_000..20_100 {
            let mut own = Vec::new();
            let requested = Cmd::new(["why".to_owned(), port.to_string()]).run().code(0);
            // The next server sets no option that would hide a leftover.
            for address in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
                let listening = listen_without_reuse(SocketAddr::new(address, port));
                requested
                    .assert(listening.is_ok(), &format!("bind and listen right after it: {listening:?}"));
                own.push(listening);
            }
        }
    });
}

#[live_test(Linux, STRACE)]
fn why_neither_listens_nor_connects() {
    let port = port();
    let _server = TcpListener::bind(("127.0.0.1", port)).expect("a listener");
    let log = folder().join("why-calls");
    let trace = ["strace", "-f", "-e", "trace=listen,connect,sendto,sendmsg,sendmmsg", "-o"];
    let words = trace.into_iter().chain([log.to_str().expect("a path in text")]);
    for (target, code) in [(port.to_string(), 1), (format!("127.0.0.2:{port}"), 0)] {
        let output = Cmd::new(["why".to_owned(), target]).through(words.clone()).run().code(code);
        let calls = std::fs::read_to_string(&log).expect("strace writes its trace");
        output.assert(!calls.contains("listen("), "it never listens");
        let called = calls.lines().find(|line| line.contains("AF_INET") && line.contains("127.0.0.1"));
        output.assert_eq(called, None, "it sends nothing to the listeners");
    }
}

#[live_test(Linux)]
fn why_does_not_connect_to_a_listener() {
    let port = port();
    let server = TcpListener::bind(("127.0.0.1", port)).expect("a listener");
    server.set_nonblocking(true).expect("do not wait for connections");
    let output = Cmd::new(["why".to_owned(), port.to_string()]).run().code(1);
    let came = server.accept().map_err(|error| error.kind()).map(|(_, peer)| peer);
    output.assert_eq(came, Err(ErrorKind::WouldBlock), "it connects to no listener");
}
