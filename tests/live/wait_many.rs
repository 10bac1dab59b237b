//! `wait` with several targets: all of them or one, ranges, and what is printed when.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, folder, live_test, port};
use serde_json::json;
use std::time::Duration;

const A_WHILE: Duration = Duration::from_millis(150);

fn wait(arguments: &[&str]) -> Cmd {
    Cmd::new(["wait"].iter().chain(arguments).copied())
}

fn server(port: u16) -> Fixture {
    Fixture::start([format!("tcp=127.0.0.1:{port}")])
}

/// Returns two ports that follow each other, of which no other test has either.
fn neighbours() -> (u16, u16) {
    let mut first = port();
    for _ in 0..100 {
        let second = port();
        if second == first + 1 {
            return (first, second);
        }
        first = second;
    }
    panic!("no two ports follow each other");
}

#[live_test(Linux)]
fn all_are_waited_for_and_each_is_reported_at_once() {
    let (one, two) = (port(), port());
    for targets in [vec![one.to_string(), two.to_string()], vec![format!("{two},{one}")]] {
        let words: Vec<&str> = targets.iter().map(String::as_str).collect();
        let mut waiting = wait(&words).stream();
        let _first = server(two);
        let line = waiting.line("the first that is reached", |line| line.starts_with(&format!("{two}/tcp")));
        assert!(line.contains("is listened on by"), "{line}");
        let _second = server(one);
        waiting.line("the second", |line| line.starts_with(&format!("{one}/tcp")));
        waiting.wait().code(0);
    }
}

#[live_test(Linux)]
fn a_range_is_each_of_its_ports() {
    let (first, last) = neighbours();
    let range = format!("{first}-{last}");
    let _first = server(first);
    let waiting = wait(&[&range]).start().must_keep_running(A_WHILE);
    let output = wait(&["--timeout=50ms", &range]).run().code(1);
    let ends = output.text().lines().last().unwrap_or_default();
    output
        .assert(ends.starts_with("timed out after ") && ends.contains(&format!("{last}/tcp")), "the missing");
    output.assert(!ends.contains(&format!("{first}/tcp")), "and only those");
    let _last = server(last);
    let output = waiting.wait().code(0);
    output.assert_eq(output.text().lines().count(), 2, "a line for each port");
}

#[live_test(Linux)]
fn one_is_enough_on_request() {
    let (first, last) = neighbours();
    let range = format!("{first}-{last}");
    let output = wait(&["--any", "--timeout=50ms", &range]).run().code(1);
    output.assert(output.text().contains(&format!("{first}/tcp, {last}/tcp")), "all are missing");
    let waiting = wait(&["--any", &range]).start().must_keep_running(A_WHILE);
    let _last = server(last);
    let output = waiting.wait().code(0);
    output.assert(output.text().starts_with(&format!("{last}/tcp is listened on by")), "it reports which");
    output.assert_eq(output.text().lines().count(), 1, "lines");
    wait(&["--any", "--accepts", &range]).run().code(0);
    wait(&["--any", "--free", &range]).run().code(0);
}

#[live_test(Linux)]
fn several_are_one_document() {
    let (one, two) = (port(), port());
    let _server = server(one);
    let (first, second) = (one.min(two), one.max(two));
    let answer = JsonOutput::parse(
        wait(&["--json", "--timeout=50ms", &second.to_string(), &first.to_string()]).run().code(1),
    );
    answer.assert_eq(&answer.document["schema"], &json!("allears/1"), "schema");
    answer.assert_eq(&answer.document["reached"], &json!(false), "reached");
    for (at, port) in [first, second].into_iter().enumerate() {
        let each = &answer.document["ports"][at];
        answer.assert_eq(&each["target"]["port"], &json!(port), "in order of the port");
        answer.assert_eq(&each["reached"], &json!(port == one), "each is reported");
        let holders = usize::from(port == one);
        answer.assert_eq(each["listeners"].as_array().map(Vec::len), Some(holders), "listeners");
    }
    let any = JsonOutput::parse(wait(&["--any", "--json", &one.to_string(), &two.to_string()]).run().code(0));
    any.assert_eq(&any.document["reached"], &json!(true), "one is enough");
    // A repeated target is one target, and has the document of one.
    let same = JsonOutput::parse(wait(&["--json", &one.to_string(), &one.to_string()]).run().code(0));
    same.assert_eq(&same.document["target"]["port"], &json!(one), "target");
}

#[live_test(Linux)]
fn ports_of_both_protocols_and_unix_sockets_are_waited_for_together() {
    let path = folder().join("wait-many.sock");
    let socket = path.to_str().expect("a path in text");
    let (tcp, udp) = (port(), port());
    let targets = format!("{tcp},udp/{udp},{socket}");
    let waiting = wait(&[&targets]).start().must_keep_running(A_WHILE);
    let _ports = Fixture::start([format!("tcp=127.0.0.1:{tcp}"), format!("udp=127.0.0.1:{udp}")]);
    let waiting = waiting.must_keep_running(A_WHILE);
    let _unix = Fixture::start([format!("unix={socket}")]);
    let output = waiting.wait().code(0);
    output.assert(output.text().contains(&format!("{socket} is listened on by")), "the Unix socket");
    output.assert(output.text().contains(&format!("{udp}/udp is listened on by")), "UDP");
}

#[live_test(Linux)]
fn several_ports_become_free() {
    let (one, two) = (port(), port());
    let (first, second) = (server(one), server(two));
    let targets = format!("{one},{two}");
    let waiting = wait(&["--free", &targets]).start().must_keep_running(A_WHILE);
    drop(first);
    let waiting = waiting.must_keep_running(A_WHILE);
    drop(second);
    waiting.wait().code(0);
    // An address of another machine never becomes free, unless another target is enough.
    let never = format!("192.0.2.1:{one}");
    let output = wait(&["--free", &never, &two.to_string()]).run().code(3);
    output.assert(output.errors().contains("192.0.2.1"), "which one");
    wait(&["--free", "--any", &never, &two.to_string()]).run().code(0);
}

#[live_test(Linux)]
fn quiet_wait_for_several_targets() {
    let (one, two) = (port(), port());
    let _server = server(one);
    let targets = format!("{one},{two}");
    for (arguments, code) in [(["-q", "--timeout=50ms", &targets], 1), (["-q", "--any", &targets], 0)] {
        let output = wait(&arguments).run().code(code);
        output.assert(output.stdout.is_empty() && output.stderr.is_empty(), "nothing is printed");
    }
}

#[live_test(Linux, STRACE)]
fn the_table_is_read_once_for_all_targets() {
    let reads = |name: &str, target: &str| {
        let log = folder().join(name);
        std::fs::write(&log, "").expect("make a file for strace");
        let words =
            ["strace", "-f", "-e", "trace=sendto,sendmsg", "-o", log.to_str().expect("a path in text")];
        wait(&["--timeout=0", target]).through(words).run().code(1);
        let calls = std::fs::read_to_string(&log).expect("strace writes its trace");
        calls.lines().filter(|line| line.contains("send")).count()
    };
    let (first, last) = neighbours();
    let one = reads("wait-one", &first.to_string());
    let others: Vec<String> = (20_000..20_050).map(|port| format!("127.0.0.9:{port}")).collect();
    let many = reads("wait-many", &format!("{first}-{last},{}", others.join(",")));
    assert!(one > 0 && many <= one + 2, "{one} requests for one port, {many} for many");
}

#[live_test]
fn what_is_not_single_is_refused() {
    for arguments in [&["unix"][..], &["80", "unix"], &["80-79"], &["80,"], &["80", ""], &["--any"]] {
        let output = wait(arguments).run().without_panic().code(2);
        output.assert(output.stdout.is_empty() && !output.stderr.is_empty(), "the error is named");
    }
}

#[live_test(Linux, Ipv6)]
fn a_server_at_one_address_of_localhost_is_enough_and_both_must_be_free() {
    for address in ["127.0.0.1", "[::1]"] {
        let port = port();
        let target = format!("http://localhost:{port}/");
        wait(&["--timeout=50ms", &target]).run().code(1);
        let there = Fixture::start([format!("tcp={address}:{port}")]);
        let output = wait(&["--timeout=10s", &target]).run().code(0);
        output.assert_eq(output.text().lines().count(), 1, "one target");
        wait(&["--free", "--timeout=50ms", &target]).run().code(1);
        drop(there);
        wait(&["--free", "--timeout=10s", &target]).run().code(0);
    }
}
