//! `--probe`: what a connection attempt adds to the table, and how long it takes.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, folder, in_new_netns, live_test, nft, pids, port, until};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read as _};
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

/// The timeout of one second, with a margin for a machine that is busy with the tests in `load`.
const LATE: Duration = Duration::from_secs(30);

/// Runs a scan with a probe. Returns the document, and the probe of the only listener.
#[track_caller]
fn probed(target: &str) -> (JsonOutput, Value) {
    let answer = Cmd::new(["--probe", target]).answer(0);
    let probe = answer.only().get("probe").cloned();
    let probe = probe.unwrap_or_else(|| answer.fail("key probe of the listener"));
    (answer, probe)
}

/// Returns whether a value contains a number anywhere, such as a time.
fn holds_a_number(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::Object(entries) => entries.values().any(holds_a_number),
        Value::Array(entries) => entries.iter().any(holds_a_number),
        _ => false,
    }
}

#[track_caller]
fn must_say(target: &str, word: &str) -> JsonOutput {
    let (answer, probe) = probed(target);
    answer.assert(probe.to_string().contains(word), &format!("the probe reports {word}: {probe}"));
    answer.assert(holds_a_number(&probe), &format!("and the time it took: {probe}"));
    let text = Cmd::new(["--probe", target]).run().code(0);
    text.assert(text.text().contains(word), &format!("it explains {word} in words"));
    let time = ["ms", "\u{b5}s", "us", " s"].iter().any(|unit| text.text().contains(unit));
    text.assert(time, "with the time it took");
    answer
}

#[live_test(Linux, Ipv6)]
fn a_listener_that_accepts_is_reported() {
    for address in ["127.0.0.1", "127.0.0.2", "0.0.0.0", "[::1]", "[::]"] {
        let server = Fixture::start([format!("tcp={address}:{}", port())]);
        let answer = must_say(&format!("tcp/{}", server.port()), "accepts");
        answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
    }
}

/// Listeners with a queue for one connection, which is full.
fn full(ports: &[u16]) -> Fixture {
    let steps =
        ports.iter().flat_map(|port| ["tcp", "client"].map(|word| format!("{word}=127.0.0.1:{port}")));
    let server = Fixture::start(["backlog=0".to_owned()].into_iter().chain(steps));
    // A busy machine handles the last message of a handshake after the call of the client.
    let targets: Vec<String> = ports.iter().map(|port| format!("tcp/{port}")).collect();
    let filled = until(|| {
        let answer = Cmd::new([targets.join(",")]).answer(0);
        answer.listeners().iter().all(|one| one["queue"]["waiting"] == 1).then_some(())
    });
    assert!(filled.is_some(), "every queue is full");
    server
}

#[live_test(Linux)]
fn a_full_queue_is_reported_as_no_answer() {
    let server = full(&[port()]);
    let answer = must_say(&format!("tcp/{}", server.port()), "silent");
    answer.assert(answer.output.took >= Duration::from_millis(900), "the listener had a second to answer");
    answer.assert(answer.output.took < LATE, "and no more");
    answer.assert_eq(&answer.only()["queue"]["waiting"], &json!(1), "queue.waiting");
    let text = Cmd::new(["--probe".to_owned(), format!("tcp/{}", server.port())]).run().code(0);
    let reported = text.both_streams().to_lowercase();
    let explained = reported.contains("queue") || reported.contains("backlog");
    text.assert(explained, "why a listener does not answer is explained");
}

#[live_test(Linux)]
fn timeouts_do_not_add_up() {
    let ports: Vec<u16> = (0..40).map(|_| port()).collect();
    let _server = full(&ports);
    let targets: Vec<String> = ports.iter().map(|port| format!("tcp/{port}")).collect();
    let answer = Cmd::new(["--probe", &targets.join(",")]).answer(0);
    answer.assert_eq(answer.listeners().len(), ports.len(), "listeners");
    for listener in answer.listeners() {
        answer.assert(listener["probe"].to_string().contains("silent"), "each is silent");
    }
    answer.assert(answer.output.took < LATE, "they share one timeout of a second");
}

#[live_test(Linux, Root, NETWORK_NAMESPACE, NFT)]
fn a_listener_can_refuse() {
    in_new_netns(|| {
        // A connection is refused, which the table does not show.
        nft("add table ip t; add chain ip t c { type filter hook input priority 0; }; \
             add rule ip t c tcp dport 8080 reject with tcp reset");
        let server = Fixture::start(["tcp=127.0.0.1:8080"]);
        let answer = must_say("tcp/8080", "refuses");
        answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
    });
}

#[live_test(Linux, Root, NETWORK_NAMESPACE, VETH)]
fn a_listener_of_one_device_does_not_accept() {
    in_new_netns(|| {
        // It listens on every address, but only for connections through a device other than loopback.
        let _server = Fixture::start([
            "run=ip link add x0 type veth peer name x1",
            "run=ip link set x0 up",
            "device=x0",
            "tcp=0.0.0.0:8080",
        ]);
        let (answer, probe) = probed("tcp/8080");
        let refuses = probe.is_null() || probe.to_string().contains("refuses");
        answer.assert(refuses, "a refusal, or no attempt where none can reach it");
        let text = Cmd::new(["--probe", "tcp/8080"]).run().code(0);
        let explained = text.text().lines().any(|line| line.contains("probe") && line.contains("x0"));
        text.assert(explained, "the probe line gives the reason");
    });
}

#[live_test(Linux)]
fn udp_is_not_probed() {
    let port = port();
    let server = UdpSocket::bind(("127.0.0.1", port)).expect("a UDP server");
    server.set_nonblocking(true).expect("do not wait for messages");
    let (answer, probe) = probed(&format!("udp/{port}"));
    answer.assert_eq(&probe, &json!(null), "probe");
    let came = server.recv(&mut [0; 1]).map_err(|error| error.kind());
    answer.assert_eq(came, Err(ErrorKind::WouldBlock), "nothing was sent");
    let text = Cmd::new(["--probe".to_owned(), format!("udp/{port}")]).run().code(0);
    let denied = ["accepts", "refuses", "silent"].iter().any(|word| text.text().contains(word));
    text.assert(!denied, "nothing is reported that was not tried");
}

#[live_test(Linux)]
fn a_probe_sends_no_data() {
    let port = port();
    let server = TcpListener::bind(("127.0.0.1", port)).expect("a listener");
    let (answer, _) = probed(&format!("tcp/{port}"));
    let (mut connection, peer) = server.accept().expect("the probe connected");
    answer.assert(peer.ip().is_loopback(), "from loopback");
    connection.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
    let mut bytes = Vec::new();
    // The end of the stream or a reset; in any case not a byte.
    let _how_it_ended = connection.read_to_end(&mut bytes);
    answer.assert_eq(bytes, Vec::<u8>::new(), "the result of the probe");
    server.set_nonblocking(true).expect("do not wait for connections");
    let more = server.accept().map(|_| ()).map_err(|error| error.kind());
    answer.assert_eq(more, Err(ErrorKind::WouldBlock), "it connects once");
}

#[live_test(Linux)]
fn nothing_is_probed_by_default() {
    let port = port();
    let server = TcpListener::bind(("127.0.0.1", port)).expect("a listener");
    server.set_nonblocking(true).expect("do not wait for connections");
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let came = server.accept().map(|_| ()).map_err(|error| error.kind());
    answer.assert_eq(came, Err(ErrorKind::WouldBlock), "there is no connection without --probe");
    let probe = answer.only().get("probe").cloned().unwrap_or_default();
    answer.assert_eq(&probe, &json!(null), "and no probe is reported");
}

#[live_test(Linux)]
fn a_saved_snapshot_is_not_probed() {
    let port = port();
    let server = TcpListener::bind(("127.0.0.1", port)).expect("a listener");
    server.set_nonblocking(true).expect("do not wait for connections");
    let saved = folder().join("snapshot-to-probe.json");
    let snapshot = Cmd::new(["--json".to_owned(), format!("tcp/{port}")]).run().code(0);
    std::fs::write(&saved, &snapshot.stdout).expect("save a snapshot");
    let saved = saved.to_str().expect("a path in text");
    let output = Cmd::new(["--from", saved, "--probe", &format!("tcp/{port}")]).run().without_panic();
    let came = server.accept().map(|_| ()).map_err(|error| error.kind());
    output.assert_eq(came, Err(ErrorKind::WouldBlock), "a saved snapshot may be from another machine");
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn another_network_namespace_is_not_probed() {
    let port = port();
    let _elsewhere = Fixture::start(["namespace=net".to_owned(), format!("tcp=127.0.0.1:{port}")]);
    let here = TcpListener::bind(("127.0.0.1", port)).expect("a listener");
    here.set_nonblocking(true).expect("do not wait for connections");
    let answer = Cmd::new(["--probe".to_owned(), "--all-namespaces".into(), format!("tcp/{port}")]).answer(0);
    answer.assert_eq(answer.listeners().len(), 2, "listeners");
    let own = answer.listeners().iter().filter(|one| one["probe"].to_string().contains("accepts")).count();
    answer.assert(own >= 1, "the socket of this process accepts");
    here.accept().expect("the probe of the listener here");
    let more = here.accept().map(|_| ()).map_err(|error| error.kind());
    answer.assert_eq(more, Err(ErrorKind::WouldBlock), "the other one was not searched for here");
}
