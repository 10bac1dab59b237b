//! Addresses that look alike but differ: dual-stack, v6-only, mapped, bound to a device, link-local.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, live_test, pids, port, until};
use serde_json::json;
use std::collections::BTreeSet;

#[live_test(Linux, Root, Ipv6, Program("nsenter"), NETWORK_NAMESPACE)]
fn five_kinds_of_addresses_have_five_forms() {
    let server = Fixture::start([
        "namespace=net",
        "run=ip address add fe80::1/64 dev lo nodad",
        "reuseport",
        "dual",
        "tcp=[::]:8080",
        "plain",
        "reuseport",
        "v6only",
        "tcp=[::]:8080",
        "plain",
        "reuseport",
        "tcp=[::ffff:127.0.0.1]:8080",
        "tcp=[fe80::1%1]:8080",
        "device=lo",
        "v6only",
        "tcp=[::]:8080",
        "tcp=0.0.0.0:8080",
    ]);
    let answer = Cmd::new(["8080"]).inside(server.pid(), ["net"]).answer(0);
    answer.assert_eq(answer.listeners().len(), 6, "listeners");
    let reported: Vec<_> = (0..6)
        .map(|index| {
            let one = answer.by_inode(server.inode(index));
            json!([one["address"], one["dual_stack"], one["interface"], one["family"]])
        })
        .collect();
    let wanted = [
        json!(["::", true, null, "ipv6"]),
        json!(["::", false, null, "ipv6"]),
        json!(["::ffff:127.0.0.1", reported[2][1], null, "ipv6"]),
        json!(["fe80::1", reported[3][1], "lo", "ipv6"]),
        json!(["::", false, "lo", "ipv6"]),
        json!(["0.0.0.0", reported[5][1], "lo", "ipv4"]),
    ];
    answer.assert_eq(reported, wanted.to_vec(), "address, dual_stack, interface, family");

    let cmd = Cmd::new(["--no-header", "--columns", "address", "8080"]);
    let table = cmd.inside(server.pid(), ["net"]).run().code(0);
    let rendered: BTreeSet<&str> = table.text().lines().map(str::trim).collect();
    table.assert_eq(rendered.len(), 6, "distinct texts");
}

#[live_test(Linux, Ipv6)]
fn a_v6_only_listener_does_not_answer_for_ipv4() {
    let port = port();
    let server = Fixture::start(["v6only".into(), format!("tcp=[::]:{port}")]);
    let answer = Cmd::new([format!("127.0.0.1:{port}")]).answer(1);
    answer.assert_eq(answer.listeners().len(), 0, "listeners that a peer reaches by IPv4");
    let answer = Cmd::new([format!("[::1]:{port}")]).answer(0);
    answer.assert_eq(
        pids(answer.only()),
        vec![server.pid()],
        "holder of the listener that a peer reaches by IPv6",
    );
}

#[live_test(Linux, Ipv6)]
fn dual_stack_is_known() {
    let [dual, only] = [port(), port()];
    let _server = Fixture::start([
        "dual".into(),
        format!("tcp=[::]:{dual}"),
        "v6only".into(),
        format!("tcp=[::]:{only}"),
    ]);
    let answer = Cmd::new([format!("tcp/{dual}")]).answer(0);
    answer.assert_eq(&answer.only()["dual_stack"], &json!(true), "dual_stack");
    let answer = Cmd::new([format!("tcp/{only}")]).answer(0);
    answer.assert_eq(&answer.only()["dual_stack"], &json!(false), "dual_stack");
}

#[live_test(Linux, Ipv6)]
fn a_mapped_address_answers_for_its_ipv4_address() {
    let port = port();
    let server = Fixture::start([format!("tcp=[::ffff:127.0.0.1]:{port}")]);
    let answer = Cmd::new([format!("127.0.0.1:{port}")]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
    answer.assert_eq(&answer.only()["address"], &json!("::ffff:127.0.0.1"), "address");
    answer.assert_eq(&answer.only()["exposure"], &json!("loopback"), "exposure");
}

#[live_test(Linux)]
fn the_accept_queue_is_reported() {
    let port = port();
    let _server = Fixture::start(["backlog=7".into(), format!("tcp=127.0.0.1:{port}")]);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    answer.assert_eq(&answer.only()["queue"], &json!({"waiting": 0, "limit": 7}), "queue");
    let _clients = [(); 3].map(|()| Fixture::start([format!("client=127.0.0.1:{port}")]));
    // A busy machine handles the last message of a handshake after the call of the client.
    let queue = until(|| {
        let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
        (answer.only()["queue"] == json!({"waiting": 3, "limit": 7})).then_some(())
    });
    assert!(queue.is_some(), "three connections wait");
}
