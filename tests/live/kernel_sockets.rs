//! Sockets that the kernel opened for itself: what they are, and what closes them. A test is skipped if this kernel
//! lacks the feature.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, NOBODY, Need, holders, live_test};
use serde_json::{Value, json};

/// An MPTCP path manager that listens for its endpoints.
const MPTCP_ENDPOINTS: Need = Need::Probe(
    "MPTCP endpoints",
    &["unshare", "--net", "ip", "mptcp", "endpoint", "add", "127.0.0.1", "signal", "port", "7777"],
);

/// Returns the kind, the interface and the number of each kernel feature that a listener is attributed to.
fn kernel_features(listener: &Value) -> Vec<(String, Option<String>, Option<u64>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let parts = listener["unseen"]["kernel"].as_array();
    parts
        .into_iter()
        .flatten()
        .map(|part| (text(&part["kind"]).unwrap_or_default(), text(&part["interface"]), part["id"].as_u64()))
        .collect()
}

fn vxlan(name: &str) -> (String, Option<String>, Option<u64>) {
    ("vxlan".to_owned(), Some(name.to_owned()), None)
}

/// Asserts that every listener is the kernel's, for these features.
fn must_belong_to_the_kernel(answer: &JsonOutput, parts: &[(String, Option<String>, Option<u64>)]) {
    assert!(!answer.listeners().is_empty());
    for listener in answer.listeners() {
        answer.assert_eq(holders(listener).len(), 0, "holders");
        answer.assert_eq(&listener["unseen"]["reason"], &json!("kernel"), "unseen.reason");
        answer.assert_eq(kernel_features(listener), parts.to_vec(), "unseen.kernel");
        answer.assert_eq(&listener["unseen"]["candidates"], &json!([]), "no guess");
    }
}

fn output_of(words: &[&str], pid: u32) -> String {
    let output = Cmd::new(words.iter().copied()).inside(pid, ["net"]).run();
    let said = output.both_streams();
    said.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs a program as an unprivileged user in the network namespace of a process.
fn as_nobody(pid: u32) -> Vec<String> {
    let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
    let target = format!("--target={pid}");
    ["nsenter", &target, "--net", "setpriv", &user, &group, "--clear-groups"].map(str::to_owned).to_vec()
}

fn must_say(said: &str, words: &str) {
    assert!(said.contains(words), "{words:?} is not in {said}");
}

#[live_test(Linux, Root, Program("nsenter"), VXLAN)]
fn a_tunnel_and_the_command_that_closes_it_are_named() {
    let inside = Fixture::start([
        "namespace=net",
        "run=ip link add vx0 type vxlan id 42 dstport 4789",
        "run=ip link set vx0 up",
    ]);
    let pid = inside.pid();
    must_belong_to_the_kernel(&Cmd::new(["udp/4789"]).inside(pid, ["net"]).answer(0), &[vxlan("vx0")]);
    let down = "ip link set vx0 down takes the interface down and closes the socket";
    let del = "ip link del vx0 removes the interface and closes the socket";
    let card = output_of(&["udp/4789"], pid);
    must_say(&card, "is held by the kernel itself, for the vxlan interface vx0");
    must_say(&card, down);
    must_say(&card, del);
    let why = output_of(&["why", "udp/4789"], pid);
    must_say(&why, "the kernel itself, for the vxlan interface vx0");
    must_say(&why, del);
    let free = output_of(&["free", "--yes", "udp/4789"], pid);
    must_say(&free, "is held by the kernel itself for the vxlan interface vx0");
    must_say(&free, del);
    // The printed command works.
    Cmd::new(["free", "--yes", "udp/4789"]).inside(pid, ["net"]).run().code(3);
    let closed = std::process::Command::new("nsenter")
        .args([&format!("--target={pid}"), "--net", "ip", "link", "set", "vx0", "down"])
        .status();
    assert!(closed.expect("run nsenter").success());
    Cmd::new(["udp/4789"]).inside(pid, ["net"]).run().code(1);
}

#[live_test(Linux, Root, Program("nsenter"), VXLAN)]
fn tunnels_that_share_a_socket_are_all_named() {
    let inside = Fixture::start([
        "namespace=net",
        "run=ip link set lo up",
        "run=ip link add vx0 type vxlan id 42 dstport 4789",
        "run=ip link add vx1 type vxlan id 43 dstport 4789 remote 127.0.0.1",
        "run=ip link add vx2 type vxlan id 44 dstport 4789 remote 127.0.0.1",
        "run=ip link set vx0 up",
        "run=ip link set vx1 up",
    ]);
    // The third link is down, and has no socket.
    let answer = Cmd::new(["udp/4789"]).inside(inside.pid(), ["net"]).answer(0);
    must_belong_to_the_kernel(&answer, &[vxlan("vx0"), vxlan("vx1")]);
    answer.assert_eq(answer.listeners().len(), 1, "one socket");
    let why = output_of(&["why", "udp/4789"], inside.pid());
    must_say(&why, "the vxlan interface vx0 and the vxlan interface vx1");
    must_say(
        &why,
        "ip link set vx1 down takes the interface down and closes the socket once nothing else shares it",
    );
}

#[live_test(Linux, Root, Program("nsenter"), Program("setpriv"), VXLAN)]
fn every_user_sees_a_tunnel() {
    let inside = Fixture::start([
        "namespace=net",
        "run=ip link add vx0 type vxlan external dstport 4789",
        "run=ip link set vx0 up",
    ]);
    let answer = Cmd::new(["udp/4789"]).through(as_nobody(inside.pid())).answer(0);
    must_belong_to_the_kernel(&answer, &[vxlan("vx0")]);
    answer.assert_eq(answer.listeners().len(), 2, "a socket in each family");
}

#[live_test(Linux, Root, Program("nsenter"), Program("setpriv"), VXLAN)]
fn a_process_beside_a_tunnel_is_not_a_kernel_socket() {
    // First the link is down, and a process has the port. Then the link is up, with an IPv4 socket only.
    let inside = Fixture::start([
        "namespace=net",
        "run=ip link set lo up",
        "run=ip link add vx0 type vxlan id 42 dstport 4789",
        "run=ip link add vx1 type vxlan id 43 dstport 4790 remote 127.0.0.1",
        "run=ip link set vx1 up",
        "udp=0.0.0.0:4789",
        "udp=[::1]:4790",
    ]);
    for (target, address) in [("udp/4789", "0.0.0.0"), ("udp/4790", "::1")] {
        let as_root = || Cmd::new([target]).inside(inside.pid(), ["net"]);
        for cmd in [as_root(), Cmd::new([target]).through(as_nobody(inside.pid()))] {
            let answer = cmd.answer(0);
            let process = answer.listeners().iter().find(|listener| listener["address"] == json!(address));
            let process = process.unwrap_or_else(|| answer.fail("the process's socket is shown"));
            answer.assert(process["unseen"]["reason"] != json!("kernel"), "it is a process's");
            answer.assert_eq(kernel_features(process), vec![], "unseen.kernel");
        }
    }
}

/// The socket stays in the namespace in which the interface was created.
#[live_test(Linux, Root, Program("nsenter"), VXLAN)]
fn a_tunnel_that_was_moved_is_found_where_it_is() {
    let before = Fixture::start(["namespace=net", "run=ip link add vx0 type vxlan id 42 dstport 4789"]);
    let after = Fixture::start(["namespace=net", "udp=127.0.0.1:4790"]);
    let run = |pid: u32, words: &[&str]| {
        let target = format!("--target={pid}");
        let done = std::process::Command::new("nsenter").args([&target, "--net"]).args(words).status();
        assert!(done.expect("run nsenter").success(), "{words:?}");
    };
    run(before.pid(), &["ip", "link", "set", "vx0", "netns", &after.pid().to_string()]);
    run(after.pid(), &["ip", "link", "set", "vx0", "up"]);
    let answer = Cmd::new(["udp/4789"]).inside(before.pid(), ["net"]).answer(0);
    must_belong_to_the_kernel(&answer, &[vxlan("vx0")]);
    let place = &answer.only()["unseen"]["kernel"][0]["namespace"];
    let number = std::fs::read_link(format!("/proc/{}/ns/net", after.pid())).expect("read a link");
    answer.assert_eq(place, &json!(number.to_string_lossy()), "the namespace of the interface");
    Cmd::new(["udp/4789"]).inside(after.pid(), ["net"]).run().code(1);
}

#[live_test(Linux, Root, Program("nsenter"), MPTCP_ENDPOINTS)]
fn an_endpoint_of_mptcp_is_named() {
    let inside = Fixture::start([
        "namespace=net",
        "run=ip link set lo up",
        "run=ip mptcp endpoint add 127.0.0.1 dev lo signal port 7777",
    ]);
    let endpoint = ("mptcp".to_owned(), None, Some(1));
    let cmd = || Cmd::new(["tcp/7777"]).inside(inside.pid(), ["net"]);
    must_belong_to_the_kernel(&cmd().answer(0), &[endpoint]);
    let free = output_of(&["free", "--yes", "tcp/7777"], inside.pid());
    must_say(&free, "ip mptcp endpoint delete id 1 removes the endpoint and closes the socket");
}
