//! Network and pid namespaces: the default list excludes other namespaces, an option includes them, and they are never
//! mixed up.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, NOBODY, Steps, holders, live_test, pids, port};
use serde_json::{Value, json};
use std::process::Command;

fn server_in_another_netns(port: u16) -> Fixture {
    Fixture::start(["namespace=net".to_owned(), format!("tcp=127.0.0.1:{port}")])
}

fn namespace(listener: &Value) -> &str {
    listener["namespace"].as_str().unwrap_or_default()
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn other_network_namespaces_are_shown_on_request() {
    let port = port();
    let server = server_in_another_netns(port);
    let target = format!("tcp/{port}");
    let here = Cmd::new([&target]).answer(1);
    here.assert_eq(here.listeners().len(), 0, "the default list covers this namespace only");
    let everywhere = Cmd::new(["--all-namespaces", &target]).answer(0);
    everywhere.assert_eq(pids(everywhere.only()), vec![server.pid()], "holder");
    everywhere.assert_eq(&everywhere.only()["inode"], &json!(server.inode(0)), "inode");
    everywhere.assert(!namespace(everywhere.only()).is_empty(), "the namespace is named");
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn one_port_in_two_namespaces_is_two_rows() {
    let port = port();
    let servers = [server_in_another_netns(port), server_in_another_netns(port)];
    let here = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let answer = Cmd::new(["--all-namespaces".to_owned(), format!("tcp/{port}")]).answer(0);
    answer.assert_eq(answer.listeners().len(), 3, "listeners");
    for server in servers.iter().chain([&here]) {
        let listener = answer.by_inode(server.inode(0));
        answer.assert_eq(pids(listener), vec![server.pid()], "holder");
    }
    let [one, other] = [0, 1].map(|index| answer.by_inode(servers[index].inode(0)));
    answer.assert(namespace(one) != namespace(other), "their names distinguish the two");
    let default = Cmd::new([format!("tcp/{port}")]).answer(0);
    default.assert_eq(&default.only()["inode"], &json!(here.inode(0)), "the one of this namespace");
    let again = Cmd::new(["--all-namespaces".to_owned(), format!("tcp/{port}")]).answer(0);
    again.assert_eq(again.listeners(), answer.listeners(), "the same twice in a row");
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn a_leftover_listener_is_attributed() {
    let port = port();
    // A child keeps running, so that the namespace can be found. Only the parent has the listener.
    let steps = ["namespace=net", "fork=1", &format!("tcp=127.0.0.1:{port}"), "leave-network"];
    let server = Fixture::start(steps);
    let answer = Cmd::new(["--all-namespaces".to_owned(), format!("tcp/{port}")]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder in another namespace");
    answer.assert(!namespace(answer.only()).is_empty(), "the namespace is named");
    let here = Cmd::new([format!("tcp/{port}")]).answer(1);
    here.assert_eq(here.listeners().len(), 0, "it is not a listener of the default namespace");
}

/// A named network namespace, mounted under /run/netns until this is dropped.
struct Mounted(String);

impl Mounted {
    fn new(name: String) -> Self {
        let status = Command::new("ip").args(["netns", "add", &name]).status();
        assert!(status.is_ok_and(|status| status.success()), "ip netns add {name}");
        Self(name)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _told_by_ip_itself = Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn a_mounted_namespace_is_named_by_its_mount() {
    let port = port();
    let mounted = Mounted::new(format!("allears-{}", std::process::id()));
    let inside = ["ip", "netns", "exec", &mounted.0].map(str::to_owned);
    let steps = ["run=ip link set lo up".to_owned(), format!("tcp=127.0.0.1:{port}")];
    let server = Steps::new(steps).through(inside).start();
    let answer = Cmd::new(["--all-namespaces".to_owned(), format!("tcp/{port}")]).answer(0);
    let listener = answer.only();
    answer.assert(namespace(listener).contains(&mounted.0), "named by its mount");
    answer.assert_eq(pids(listener), vec![server.family()[0]], "holder");
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn each_namespace_is_listed_once() {
    let port = port();
    // Four processes are in the same namespace.
    let steps = ["namespace=net".to_owned(), "fork=3".to_owned(), format!("tcp=127.0.0.1:{port}")];
    let server = Fixture::start(steps);
    let answer = Cmd::new(["--all-namespaces".to_owned(), format!("tcp/{port}")]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
    let whole = Cmd::new(["--all-namespaces"]).answer(0);
    let mut inodes: Vec<_> = whole.listeners().iter().filter_map(|one| one["inode"].as_u64()).collect();
    let listed = inodes.len();
    inodes.sort_unstable();
    inodes.dedup();
    whole.assert_eq(listed, inodes.len(), "each socket once");
}

#[live_test(Linux, Root, PID_NAMESPACE)]
fn a_holder_in_another_pid_namespace_is_unseen() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let inner = ["unshare", "--pid", "--fork", "--mount-proc"];
    let answer = Cmd::new([format!("tcp/{port}")]).through(inner).answer(0);
    let listener = answer.only();
    answer.assert_eq(holders(listener).len(), 0, "holders");
    answer.assert_eq(&listener["unseen"]["reason"], &json!("pid-namespace"), "unseen.reason");
    let card = Cmd::new([format!("tcp/{port}")]).through(inner).run().code(0);
    card.assert(!card.text().contains("nothing listens"), "it does not deny what it could not see");
    let hedged =
        ["perhaps", "may", "probably", "likely", "might"].iter().any(|word| card.text().contains(word));
    card.assert(hedged, "it is reported as a possibility");
}

#[live_test(Linux, Root, Program("nsenter"), PID_NAMESPACE)]
fn a_pid_namespace_sees_its_own() {
    let port = port();
    let steps = ["namespace=pid,mount".to_owned(), format!("tcp=127.0.0.1:{port}"), "fork=2".to_owned()];
    let server = Fixture::start(steps);
    let inside = Cmd::new([format!("tcp/{port}")]).inside(server.pid(), ["pid", "mount"]).answer(0);
    inside.assert_eq(pids(inside.only()), server.family(), "pids in the other namespace");
    inside.assert_eq(&inside.only()["unseen"], &json!(null), "nothing unseen");
    let outside = Cmd::new([format!("tcp/{port}")]).answer(0);
    outside.assert_eq(pids(outside.only()).len(), 3, "holders");
    outside.assert(pids(outside.only()).contains(&server.pid()), "pids in this namespace");
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn namespaces_without_permission_are_a_gap() {
    let port = port();
    let server = server_in_another_netns(port);
    let cmd = Cmd::new(["--json", "--all-namespaces", &format!("tcp/{port}")]).user(Some(NOBODY));
    let answer = JsonOutput::parse(cmd.run());
    // /proc/PID/net of some process may show the listener. In any case it must not be denied.
    match answer.listeners() {
        [] => answer.assert_eq(answer.output.status.code(), Some(3), "exit code"),
        [one] => answer.assert_eq(&one["inode"], &json!(server.inode(0)), "inode"),
        _ => answer.fail("one listener was staged"),
    }
    let gaps = answer.document["gaps"].to_string();
    answer.assert(gaps.contains("namespace"), "a gap names what was not seen of other namespaces");
}
