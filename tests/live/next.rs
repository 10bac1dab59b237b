//! `allears next`: ports that are available, and why others are not. Calls of one user within two seconds get different
//! ports, so each test has a range of its own.

#![cfg(target_os = "linux")]

use crate::support::{Cmd, Fixture, JsonOutput, NOBODY, in_new_netns, live_test, nft, set_limit, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::TcpListener;

/// Runs `next --json`, and returns the document.
#[track_caller]
fn next(arguments: &[&str], code: i32) -> JsonOutput {
    let arguments: Vec<&str> = ["next", "--json"].into_iter().chain(arguments.iter().copied()).collect();
    JsonOutput::parse(Cmd::new(arguments).run().code(code))
}

/// Returns the skipped ports, each with the reason.
fn skipped(answer: &JsonOutput) -> Vec<(u64, &str)> {
    let all = answer.document["skipped"].as_array().map(Vec::as_slice).unwrap_or_default();
    let pair = |one: &'_ Value| one["port"].as_u64().unwrap_or_default();
    all.iter().map(|one| (pair(one), one["reason"].as_str().unwrap_or_default())).collect()
}

#[live_test(Linux, Root, Ipv6)]
fn a_socket_in_any_state_and_at_any_address_has_its_port() {
    in_new_netns(|| {
        let _sockets = Fixture::start([
            "tcp=127.0.0.1:20100",
            // A connection whose local port is 20003, and one in TIME_WAIT, which had 20004.
            // Both have SO_REUSEADDR, as servers' sockets do, and refuse only a bind without it.
            "reuseaddr",
            "client-from=127.0.0.1:20003,127.0.0.1:20100",
            "tcp=127.0.0.1:20004",
            "time-wait",
            "close",
            "tcp=127.0.0.1:20000",
            "tcp=[::1]:20001",
            "bound=127.0.0.9:20002",
            "udp=127.0.0.1:20005",
        ]);
        let answer = next(&["20000"], 0);
        answer.assert_eq(&answer.document["ports"], &json!([20005]), "UDP has other ports");
        let all: Vec<(u64, &str)> = (20000..20005).map(|port| (port, "in-use")).collect();
        answer.assert_eq(skipped(&answer), all, "skipped");
        let answer = next(&["udp/20005"], 0);
        answer.assert_eq(&answer.document["ports"], &json!([20006]), "the UDP socket has its port");
    });
}

#[live_test(Linux, Root, NFT)]
fn reserved_assigned_and_forwarded_ports_are_passed_over() {
    in_new_netns(|| {
        set_limit("ipv4/ip_local_reserved_ports", "20200,20201");
        let answer = next(&["20200-20205"], 0);
        answer.assert_eq(&answer.document["ports"], &json!([20202]), "ports");
        answer.assert_eq(skipped(&answer), vec![(20200, "reserved"), (20201, "reserved")], "skipped");

        let answer = next(&["5432"], 0);
        answer.assert_eq(&answer.document["ports"], &json!([5433]), "ports");
        answer.assert_eq(skipped(&answer), vec![(5432, "assigned")], "PostgreSQL has it");

        nft(
            "table ip t { chain out { type nat hook output priority -100; tcp dport 20300 redirect to :20310; }; }",
        );
        let _server = TcpListener::bind("127.0.0.1:20310").expect("the namespace is empty");
        let answer = next(&["20300"], 0);
        answer.assert_eq(&answer.document["ports"], &json!([20301]), "ports");
        answer.assert_eq(skipped(&answer), vec![(20300, "forwarded")], "skipped");
    });
}

#[live_test(Linux, Root)]
fn a_port_that_needs_a_privilege_is_no_answer() {
    in_new_netns(|| {
        let command = Cmd::new(["next", "600-601"]).user(Some(NOBODY));
        let output = command.run().code(1);
        output.assert_eq(output.text(), "", "nothing that a script would take for a port");
        let error = "error: found no TCP port in 600-601: 2 not permitted\n";
        output.assert_eq(output.errors(), error, "the reason");
    });
}

#[live_test]
fn calls_at_the_same_time_get_different_ports() {
    let running: Vec<_> = (0..8)
        .map(|_| std::thread::spawn(|| Cmd::new(["next", "--count", "2", "21000-21999"]).run().code(0)))
        .collect();
    let outputs: Vec<_> = running.into_iter().map(|thread| thread.join().expect("the call ends")).collect();
    let ports: Vec<u16> = outputs
        .iter()
        .flat_map(|output| output.text().lines())
        .map(|line| line.parse().expect("a port"))
        .collect();
    assert_eq!(ports.len(), 16, "two each");
    assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 16, "no port twice: {ports:?}");
}

#[live_test]
fn a_claim_ends_after_two_seconds() {
    let first = next(&["22000-22999"], 0);
    let port = first.document["ports"][0].as_u64().expect("a port");
    first.assert_eq(&first.document["claimed"], &json!(true), "claimed");
    let again = until(|| {
        let answer = next(&["22000-22999"], 0);
        (answer.document["ports"][0].as_u64() == Some(port)).then_some(())
    });
    assert!(again.is_some(), "{port} is offered again");
}

#[live_test]
fn fewer_ports_than_asked_for_are_no_answer() {
    let output = Cmd::new(["next", "--count", "3", "23000-23001"]).run().code(1);
    output.assert_eq(output.text(), "", "standard output");
    output.assert_eq(
        output.errors(),
        "error: found only 2 of 3 requested TCP ports in 23000-23001\n",
        "the reason",
    );
}

#[live_test]
fn a_target_that_is_no_port_is_refused() {
    for (argument, message) in [
        (
            "127.0.0.1:3000",
            "error: '127.0.0.1:3000' is not a port: next tests every address of this machine\n",
        ),
        ("3000,4000", "error: '3000,4000' is more than one range\n"),
        ("unix", "error: 'unix' is not a port: next tests every address of this machine\n"),
    ] {
        let output = Cmd::new(["next", argument]).run().code(2);
        output.assert(output.errors().starts_with(message), "the message");
    }
}
