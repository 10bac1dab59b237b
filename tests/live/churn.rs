//! Processes that start and end during a scan. What the program reports must be true: each short-lived listener is
//! named `p` and its port, so a wrong name is noticed.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, holders, live_test, pids, port};
use serde_json::{Value, json};

const LOOKS: usize = 100;

/// The number in a name like `p40123`.
fn named_port(holder: &Value) -> Option<u64> {
    holder["name"].as_str()?.strip_prefix('p')?.parse().ok()
}

#[track_caller]
fn must_not_lend_names(answer: &JsonOutput) {
    for listener in answer.listeners() {
        for holder in holders(listener) {
            if let Some(named) = named_port(holder) {
                answer.assert_eq(&json!(named), &listener["port"], "the port in the name of the holder");
            }
        }
    }
}

#[live_test(Linux)]
fn short_lived_processes_cause_no_wrong_name() {
    let port = port();
    let steady = Fixture::start([format!("tcp=127.0.0.1:{port}"), "fork=2".into()]);
    let _churn = Fixture::start(["churn=8"]);
    for _ in 0..LOOKS {
        let answer = Cmd::new([] as [&str; 0]).answer(0);
        must_not_lend_names(&answer);
        let listener = answer.by_inode(steady.inode(0));
        answer.assert_eq(pids(listener), steady.family(), "holders of the listener that stays");
        for holder in holders(listener) {
            answer.assert_eq(&holder["name"], &json!("fixture"), "its name");
        }
        answer.assert_eq(&listener["unseen"], &json!(null), "no holder of it is unseen");
    }
}

#[live_test(Linux, Root, Kernel(6, 14), Program("nsenter"), NETWORK_NAMESPACE, PID_NAMESPACE)]
fn reused_pids_cause_no_wrong_name() {
    let steps = ["namespace=net,pid,mount", "pid-max=320", "churn=12", "tcp=127.0.0.1:300"];
    let steady = Fixture::start(steps);
    let mut short_lived = 0;
    for _ in 0..LOOKS {
        let cmd = Cmd::new([] as [&str; 0]).inside(steady.pid(), ["net", "pid", "mount"]);
        let answer = cmd.answer(0);
        must_not_lend_names(&answer);
        for listener in answer.listeners() {
            let name = if listener["port"] == 300 {
                answer.assert_eq(pids(listener), vec![1], "holder of the listener that stays");
                "fixture".to_owned()
            } else {
                short_lived += 1;
                format!("p{}", listener["port"])
            };
            for holder in holders(listener) {
                answer.assert_eq(&holder["name"], &json!(name), "the only name this listener ever had");
            }
            if holders(listener).is_empty() {
                let reason = &listener["unseen"]["reason"];
                let known = reason == "exited" || reason == "unknown";
                answer.assert(known, &format!("unseen for the reason {reason}, which is not true"));
            }
        }
    }
    assert!(short_lived > 0, "no scan met a short-lived listener");
}

#[live_test(Linux)]
fn a_holder_that_ended_is_not_reported() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "fork=2".into()]);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    answer.assert_eq(pids(answer.only()), server.family(), "holders");
    drop(server);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(1);
    answer.assert_eq(answer.listeners().len(), 0, "listeners");
}

#[live_test(Linux, Root, Ipv6, Program("nsenter"), NETWORK_NAMESPACE)]
fn a_free_port_is_free_while_others_open_and_close() {
    // Every listener of this namespace is short-lived, so one read of the table may be empty and the next not.
    let churn = Fixture::start(["namespace=net", "churn=1,::1", "churn=1"]);
    for _ in 0..LOOKS {
        let answer = Cmd::new(["300"]).inside(churn.pid(), ["net"]).answer(1);
        answer.assert_eq(answer.listeners().len(), 0, "listeners");
        answer.assert_eq(&answer.document["complete"], &json!(true), "complete");
    }
}
