//! /proc of another pid namespace than the program's: its pids belong to other processes here.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, holders, live_test, pids, port};
use serde_json::json;

/// A pid namespace with the /proc of the outer namespace.
const OUTER_PROC: [&str; 4] = ["unshare", "--pid", "--fork", "--kill-child"];

/// Asserts what holds wherever /proc shows the pids of another namespace.
fn must_refuse_pids(cmd: impl Fn(&[&str]) -> Cmd, holder: u32, target: &str) {
    let answer = cmd(&[target]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![holder], "the holder, by the pid that /proc shows");
    let gaps = answer.document["gaps"].as_array().cloned().unwrap_or_default();
    let reported = gaps.iter().any(|gap| {
        gap["what"] == json!("processes")
            && gap["reason"] == json!("pid-namespace")
            && gap["detail"].as_str().is_some_and(|detail| detail.contains("another pid namespace"))
    });
    answer.assert(reported, "a gap reports that the pids are those of another namespace");
    let output = cmd(&["--pids", target]).run().code(3);
    output.assert_eq(output.text(), "", "no pid is printed");
    output.assert(output.errors().contains("another pid namespace"), "the reason is printed");
}

#[live_test(Linux, Root, PID_NAMESPACE)]
fn pids_of_an_outer_namespace_are_not_printed() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let target = format!("tcp/{port}");
    must_refuse_pids(|words| Cmd::new(words.to_vec()).through(OUTER_PROC), server.pid(), &target);
}

/// nsenter into only the mount namespace of a container: /proc has no entry for this process.
#[live_test(Linux, Root, PID_NAMESPACE, Program("nsenter"))]
fn pids_of_another_namespace_are_not_printed() {
    let port = port();
    let steps = ["namespace=pid,mount".to_owned(), format!("tcp=127.0.0.1:{port}")];
    let server = Fixture::start(steps);
    let target = format!("tcp/{port}");
    let inner = Cmd::new([&target]).inside(server.pid(), ["pid", "mount"]).answer(0);
    let inner_pid = pids(inner.only())[0];
    must_refuse_pids(|words| Cmd::new(words.to_vec()).inside(server.pid(), ["mount"]), inner_pid, &target);
}

#[live_test(Linux, Root, PID_NAMESPACE)]
fn pids_of_the_own_namespace_are_printed() {
    let port = port();
    let steps = ["namespace=pid,mount".to_owned(), format!("tcp=127.0.0.1:{port}")];
    let server = Fixture::start(steps);
    let target = format!("tcp/{port}");
    let answer = Cmd::new([&target]).inside(server.pid(), ["pid", "mount"]).answer(0);
    let holder = holders(answer.only()).len();
    answer.assert_eq(holder, 1, "holders");
    let output = Cmd::new(["--pids", &target]).inside(server.pid(), ["pid", "mount"]).run().code(0);
    output.assert_eq(output.text(), format!("{}\n", pids(answer.only())[0]).as_str(), "the holder's pid");
}
