//! A system that refuses threads: the scan uses the threads that it gets, or a gap reports what is missing.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, NOBODY, Need, is_root, live_test, pids, port};
use serde_json::json;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Prints where cgroups that limit the number of threads can be created.
const FIND: &str = "g=$(findmnt -nt cgroup -O pids -o TARGET | head -n 1); \
    [ -n \"$g\" ] || { g=$(findmnt -nt cgroup2 -o TARGET | head -n 1); grep -qw pids \"$g/cgroup.subtree_control\"; } && \
    mkdir \"$g/allears-probe-$$\" && rmdir \"$g/allears-probe-$$\" && echo \"$g\"";
const PIDS_CONTROLLER: Need = Need::Probe("the pids controller of cgroups", &["sh", "-c", FIND]);

/// A cgroup with a limit of threads.
struct Limit(PathBuf);

impl Limit {
    fn new(threads: u32) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let found = Command::new("sh").args(["-c", FIND]).output().expect("run sh").stdout;
        let parent = PathBuf::from(String::from_utf8(found).expect("a path").trim());
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let group = parent.join(format!("allears-threads-{}-{number}", std::process::id()));
        std::fs::create_dir(&group).expect("make a group");
        std::fs::write(group.join("pids.max"), threads.to_string()).expect("limit it");
        Self(group)
    }

    fn cmd<S: Into<String>>(&self, words: impl IntoIterator<Item = S>) -> Cmd {
        let enter = "echo 0 >\"$1/cgroup.procs\" && shift && exec \"$@\"";
        Cmd::new(words).through(["sh", "-c", enter, "sh", self.0.to_str().expect("text")])
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let _empty_by_now = crate::support::until(|| std::fs::remove_dir(&self.0).ok());
    }
}

/// A listener with thirty holders: more than one thread describes.
fn held_by_many() -> (Fixture, u16) {
    let port = port();
    (Fixture::start([format!("tcp=127.0.0.1:{port}"), "fork=29".to_owned()]), port)
}

fn must_answer_all(cmd: impl Fn(&[&str]) -> Cmd, server: &Fixture, port: u16) {
    let target = format!("tcp/{port}");
    let answer = cmd(&[&target]).answer(0);
    answer.assert_eq(pids(answer.only()), server.family(), "all holders");
    answer.assert_eq(&answer.only()["unseen"], &json!(null), "nothing is unseen");
    let probed = cmd(&["--probe", &target]).answer(0);
    probed.assert_eq(&probed.only()["probe"]["outcome"], &json!("accepts"), "the probe");
    cmd(&["why", &target]).run().without_panic().code(1);
    cmd(&[]).run().without_panic().code(0);
    cmd(&["-a"]).run().without_panic().code(0);
}

#[live_test(Linux, Root, PIDS_CONTROLLER)]
fn a_scan_without_further_threads() {
    let (server, port) = held_by_many();
    let limit = Limit::new(1);
    must_answer_all(|words| limit.cmd(words.to_vec()), &server, port);
}

/// The limit is reached after some of the further threads.
#[live_test(Linux, Root, PIDS_CONTROLLER)]
fn a_scan_with_some_further_threads() {
    let (server, port) = held_by_many();
    for threads in 2..=4 {
        let limit = Limit::new(threads);
        must_answer_all(|words| limit.cmd(words.to_vec()), &server, port);
    }
}

#[live_test(Linux, Root, PIDS_CONTROLLER, NETWORK_NAMESPACE)]
fn no_thread_to_enter_other_namespaces() {
    let port = port();
    let server = Fixture::start(["namespace=net".to_owned(), format!("tcp=127.0.0.1:{port}")]);
    let limit = Limit::new(1);
    let answer = limit.cmd(["--all-namespaces", &format!("tcp/{port}")]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "the holder");
    let gaps = answer.document["gaps"].as_array().cloned().unwrap_or_default();
    let reported =
        gaps.iter().any(|gap| gap["what"] == json!("namespaces") && gap["reason"] == json!("threads"));
    answer.assert(reported, "a gap reports that the namespaces were not entered");
}

#[live_test(Linux, Root, PIDS_CONTROLLER)]
fn watch_ends_by_a_signal_without_a_signal_thread() {
    let (_server, port) = held_by_many();
    let limit = Limit::new(1);
    let mut events = limit.cmd(["watch", "--ndjson", &format!("tcp/{port}")]).stream();
    events.event("present");
    events.terminate();
    let output = events.wait();
    output.assert_eq(output.status.signal(), Some(15), "the signal that ends it");
}

#[live_test(Linux, Program("prlimit"))]
fn a_scan_by_a_user_without_further_threads() {
    let port = port();
    let user = is_root().then_some(NOBODY);
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let target = format!("tcp/{port}");
    let run = |words: &[&str]| {
        Cmd::new(words.to_vec()).user(user).through(["prlimit", "--nproc=1:1"]).run().without_panic()
    };
    let probed = run(&["--probe", "--json", &target]).code(0);
    probed.assert(probed.text().contains("\"accepts\""), "the probe");
    run(&[]).code(0);
    run(&["why", &target]).code(1);
    drop(server);
}
