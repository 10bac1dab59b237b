//! Sockets that no descriptor table of a process shows: in a table of a thread, in a ring, in a message, in the kernel.
//! The listener is always shown, and its holder is found or reported as unseen.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, holders, live_test, pids, port, until};
use serde_json::{Value, json};

/// Returns whether anything else was unreadable in this scan, so that elimination proves nothing.
fn has_unreadable(answer: &JsonOutput) -> bool {
    let gaps = answer.document["gaps"].as_array().cloned().unwrap_or_default();
    gaps.iter().any(|gap| gap["what"] == "descriptors" && gap["reason"] == "permission")
}

fn must_be_named_by_its_process(server: &Fixture, target: &str) {
    let answer = Cmd::new([target]).answer(0);
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["pid"], &json!(server.pid()), "pid of the process, not of a thread");
    answer.assert_eq(&holder["name"], &json!("fixture"), "name of the process");
    answer.assert_eq(&holder["descriptors"], &server.socket(0)["descriptors"], "descriptors");
    answer.assert_eq(&answer.only()["unseen"], &json!(null), "nothing unseen");
    let output = Cmd::new(["--pids", target]).run().code(0);
    output.assert_eq(output.text(), format!("{}\n", server.pid()).as_str(), "--pids");
}

#[live_test(Linux)]
fn a_thread_that_outlived_the_main_one_is_found() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "leave-main".into()]);
    must_be_named_by_its_process(&server, &format!("tcp/{port}"));
}

#[live_test(Linux)]
fn a_thread_with_its_own_table_is_found() {
    let port = port();
    let server = Fixture::start([format!("own-table=127.0.0.1:{port}")]);
    must_be_named_by_its_process(&server, &format!("tcp/{port}"));
}

/// Asserts that the listener has no invented holder, and returns the reason.
fn must_be_unseen(answer: &JsonOutput) -> &Value {
    let listener = answer.only();
    answer.assert_eq(holders(listener).len(), 0, "holders");
    answer.assert(listener["unseen"].is_object(), "the holder is unseen, not absent");
    &listener["unseen"]
}

#[live_test(Linux, IoUring)]
fn a_fixed_file_of_a_ring_is_reported() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "ring".into()]);
    let target = format!("tcp/{port}");
    let answer = Cmd::new([&target]).answer(0);
    let listener = answer.only();
    if holders(listener).is_empty() {
        let reported = listener["unseen"].to_string();
        answer.assert(reported.contains("io_uring"), "unseen, with that reason");
    } else {
        answer.assert_eq(pids(listener), vec![server.pid()], "the ring's process");
    }
    let card = Cmd::new([&target]).run().code(0);
    card.assert(!card.text().contains("nothing listens"), "it does not deny what it could not see");
}

#[live_test(Linux)]
fn a_socket_in_flight_is_reported() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "in-flight".into()]);
    // Other tests briefly hide sockets of the same user, which may be the ones seen here.
    let only = || {
        let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
        let unseen = must_be_unseen(&answer);
        let candidates = unseen["candidates"].as_array().cloned().unwrap_or_default();
        let reported = (&unseen["reason"], candidates.iter().map(|one| &one["pid"]).collect::<Vec<_>>());
        (reported == (&json!("in-flight"), vec![&json!(server.pid())])).then_some(())
    };
    until(only).expect("in-flight, and the only process with a message waiting is the candidate");
    let pids = Cmd::new(["--pids".to_owned(), format!("tcp/{port}")]).run().code(3);
    pids.assert(pids.stdout.is_empty(), "a candidate is no holder");
}

#[live_test(Linux, Root, Program("nsenter"), VXLAN)]
fn a_kernel_socket_is_attributed_to_the_kernel() {
    let steps = [
        "namespace=net",
        "run=ip link add vx0 type vxlan id 42 dstport 4789",
        "run=ip link set vx0 up",
        "udp=127.0.0.1:4790",
    ];
    let inside = Fixture::start(steps);
    let answer = Cmd::new(["udp/4789"]).inside(inside.pid(), ["net"]).answer(0);
    for listener in answer.listeners() {
        answer.assert_eq(holders(listener).len(), 0, "holders");
        let unseen = &listener["unseen"];
        let reason = unseen["reason"].as_str().unwrap_or_default();
        let cannot_conclude = reason == "permission" && has_unreadable(&answer);
        answer.assert(reason == "kernel" || cannot_conclude, "unseen.reason is kernel");
        answer.assert_eq(&unseen["candidates"], &json!([]), "no guess");
    }
    let beside = Cmd::new(["udp/4790"]).inside(inside.pid(), ["net"]).answer(0);
    beside.assert_eq(pids(beside.only()), vec![inside.pid()], "a process's socket beside it");
}

#[live_test(Linux, Kernel(6, 8))]
fn a_bound_socket_that_never_listened_is_shown_with_all() {
    let port = port();
    let server = Fixture::start([format!("bound=127.0.0.1:{port}")]);
    let answer = Cmd::new(["--all".to_owned(), format!("tcp/{port}")]).answer(0);
    answer.assert_eq(&answer.only()["state"], &json!("bound"), "state");
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
    let card = Cmd::new([format!("tcp/{port}")]).run().code(1);
    card.assert(card.text().contains("nothing listens"), "it is no listener");
}
