//! Network namespaces without a process: `--all-namespaces` finds them, or reports that it may have missed one.

#![cfg(target_os = "linux")]

use crate::support::{Cmd, Fixture, JsonOutput, NOBODY, folder, live_test, pids, port};
use serde_json::{Value, json};

/// Asserts that the listener on this port is found in another namespace than ours, with its holder.
#[track_caller]
fn must_be_found(server: &Fixture, port: u16) -> JsonOutput {
    let answer = Cmd::new(["--all-namespaces".to_owned(), format!("tcp/{port}")]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
    answer.assert_eq(&answer.only()["inode"], &json!(server.inode(0)), "inode");
    let namespace = answer.only()["namespace"].as_str().unwrap_or_default();
    answer.assert(namespace.starts_with("net:["), "the namespace is named by its number");
    let here = Cmd::new([format!("tcp/{port}")]).answer(1);
    here.assert_eq(here.listeners().len(), 0, "it is no listener of this namespace");
    answer
}

/// Returns the gaps about namespaces.
fn gaps(answer: &JsonOutput, reason: &str) -> Vec<Value> {
    let gaps = answer.document["gaps"].as_array().cloned().unwrap_or_default();
    gaps.into_iter().filter(|gap| gap["what"] == "namespaces" && gap["reason"] == reason).collect()
}

#[live_test(Root, NETWORK_NAMESPACE)]
fn a_namespace_that_a_thread_is_in_is_found() {
    let port = port();
    let server = Fixture::start([format!("network-thread=127.0.0.1:{port}")]);
    must_be_found(&server, port);
}

#[live_test(Root, NETWORK_NAMESPACE)]
fn a_namespace_whose_first_thread_has_ended_is_found() {
    let port = port();
    let server = Fixture::start([
        "namespace=net".to_owned(),
        format!("tcp=127.0.0.1:{port}"),
        "leave-main".to_owned(),
    ]);
    must_be_found(&server, port);
}

#[live_test(Root, NETWORK_NAMESPACE, MOUNT_NAMESPACE)]
fn a_namespace_that_is_mounted_anywhere_is_found() {
    let port = port();
    let place = folder().join("mounted-namespace");
    let mount = format!("network-mount={}", place.display());
    let server = Fixture::start([
        "namespace=net".to_owned(),
        format!("tcp=127.0.0.1:{port}"),
        mount,
        "leave-network".to_owned(),
    ]);
    let answer = must_be_found(&server, port);
    answer.assert_eq(gaps(&answer, "error").len(), 0, "nothing failed");
}

#[live_test(Root, NETWORK_NAMESPACE)]
fn a_namespace_that_a_descriptor_keeps_is_found() {
    let port = port();
    let tcp = format!("tcp=127.0.0.1:{port}");
    let server = Fixture::start(["namespace=net", &tcp, "network-descriptor", "leave-network"]);
    must_be_found(&server, port);
}

#[live_test(Root, NETWORK_NAMESPACE)]
fn a_namespace_that_a_socket_keeps_is_found() {
    let port = port();
    let server = Fixture::start(["namespace=net", &format!("tcp=127.0.0.1:{port}"), "leave-network"]);
    must_be_found(&server, port);
    // Sockets that are bound and do not listen are in no list of listeners, and still keep a namespace.
    let whole =
        Cmd::new(["--all-namespaces".to_owned(), "--all".to_owned(), format!("tcp/{port}")]).answer(0);
    whole.assert_eq(pids(whole.only()), vec![server.pid()], "holder, among sockets of every state");
}

#[live_test(Root, NETWORK_NAMESPACE)]
fn a_namespace_that_a_message_keeps_is_not_denied() {
    let port = port();
    // The listener itself is in flight: nothing shows its namespace.
    let tcp = format!("tcp=127.0.0.1:{port}");
    let _server = Fixture::start(["namespace=net", &tcp, "network-message", "leave-network"]);
    let cmd = Cmd::new(["--json", "--all-namespaces", &format!("tcp/{port}")]);
    let answer = JsonOutput::parse(cmd.run());
    match answer.listeners() {
        // listns(2) lists a namespace even if its descriptor is in flight.
        [only] => answer.assert_eq(&only["port"], &json!(port), "port"),
        _ => answer.assert_eq(answer.output.status.code(), Some(3), "exit code"),
    }
    answer.assert(!gaps(&answer, "in-flight").is_empty(), "a gap reports that descriptors are in flight");
    // Only the sockets through which the message passes may show the namespace.
    let tcp = format!("tcp=127.0.0.1:{port}");
    let server = Fixture::start(["namespace=net", &tcp, "in-flight", "leave-network"]);
    let answer = Cmd::new(["--all-namespaces", &format!("tcp/{port}")]).answer(0);
    answer.assert_eq(&answer.by_inode(server.inode(0))["port"], &json!(port), "port");
    answer.assert(!gaps(&answer, "in-flight").is_empty(), "a gap reports that descriptors are in flight");
}

#[live_test(Root, NETWORK_NAMESPACE, IoUring, Kernel(6, 13))]
fn a_socket_that_is_in_no_table_is_a_gap() {
    let port = port();
    let tcp = format!("tcp=127.0.0.1:{port}");
    let _server = Fixture::start(["namespace=net", &tcp, "ring", "leave-network"]);
    let answer = Cmd::new(["--all-namespaces", &format!("tcp/{port}")]).answer(3);
    answer.assert_eq(&answer.document["complete"], &json!(false), "complete");
    answer.assert(!gaps(&answer, "socket").is_empty(), "a gap counts the socket that is in no table");
}

#[live_test(Root, NETWORK_NAMESPACE)]
fn without_permissions_nothing_is_denied() {
    let port = port();
    let tcp = format!("tcp=127.0.0.1:{port}");
    let _server = Fixture::start(["namespace=net", &tcp, "network-descriptor", "leave-network"]);
    let answer = Cmd::new(["--all-namespaces", &format!("tcp/{port}")]).user(Some(NOBODY)).answer(3);
    answer.assert(!gaps(&answer, "permission").is_empty(), "a gap names what may not be read");
    answer.assert(gaps(&answer, "error").is_empty(), "an unreadable process is no error");
}
