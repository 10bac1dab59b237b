//! System calls are made to fail, one at a time. The answer must then be right, or report what could not be read.
//! `tests/faults/run` does this for every call, error and command.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, Output, folder, holders, live_test, pids};
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};

/// Runs a command in which one occurrence of a system call fails, in each thread. Returns `None` if none did.
fn with_fault(words: &[&str], calls: &str, error: &str, when: &str) -> Option<Output> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let log = folder().join(format!("fault-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let path = log.to_str().expect("its path is text").to_owned();
    let inject = format!("inject={calls}:error={error}:when={when}");
    let strace = ["strace", "-f", "-qq", "-o", &path, "-e", &format!("trace={calls}"), "-e", &inject];
    let output = Cmd::new(words.iter().copied()).through(strace).run();
    let trace = std::fs::read_to_string(&log).expect("strace wrote its trace");
    trace.contains("(INJECTED)").then(|| output.without_panic())
}

/// Asserts that the answer about a listener is right, or that it reports what is missing, and no wrong reason for it.
#[track_caller]
fn must_not_mislead(output: Output, holder: u32, fault: &str) {
    if output.status.code() == Some(127) {
        // The loader could not read a library.
        return output.assert(output.stdout.is_empty(), fault);
    }
    if output.status.code() == Some(3) {
        return output.assert(!output.errors().trim().is_empty() || !output.stdout.is_empty(), fault);
    }
    let answer = JsonOutput::parse(output.code(0));
    let listener = answer.only();
    if holders(listener).is_empty() {
        let reason = &listener["unseen"]["reason"];
        let is_known = ["exited", "kernel", "in-flight"].iter().any(|wrong| reason == wrong);
        answer
            .assert(!is_known && *reason != json!(null), &format!("{fault}: unseen for the reason {reason}"));
        answer.assert(answer.document["gaps"] != json!([]), &format!("{fault}: there is a gap"));
    } else {
        answer.assert_eq(pids(listener), vec![holder], fault);
    }
}

#[live_test(Linux, STRACE)]
fn a_file_that_cannot_be_opened_is_no_process_that_has_ended() {
    let server = Fixture::start(["tcp=127.0.0.1:0"]);
    let target = format!("tcp/{}", server.port());
    for (error, first) in [("EMFILE", 1), ("ENOMEM", 2), ("EINTR", 3)] {
        for number in (first..90).step_by(3) {
            let when = number.to_string();
            let Some(output) = with_fault(&["--json", &target], "/^open(at)?$", error, &when) else { break };
            must_not_mislead(output, server.pid(), &format!("{error} at open {when}"));
        }
    }
    // Every later one fails too.
    for number in (1..90).step_by(4) {
        let when = format!("{number}+");
        let Some(output) = with_fault(&["--json", &target], "/^open(at)?$", "EMFILE", &when) else { break };
        must_not_mislead(output, server.pid(), &format!("EMFILE from open {when}"));
    }
}

#[live_test(Linux, STRACE)]
fn a_failed_read_of_a_listing_or_a_link_is_no_end() {
    let server = Fixture::start(["tcp=127.0.0.1:0"]);
    let target = format!("tcp/{}", server.port());
    for (call, error) in
        [("read", "EIO"), ("getdents64", "ENOMEM"), ("readlinkat", "ENOMEM"), ("poll", "ENOMEM")]
    {
        for when in ["1", "2", "3", "5", "8", "1+", "4+", "9+"] {
            let Some(output) = with_fault(&["--json", &target], call, error, when) else { continue };
            must_not_mislead(output, server.pid(), &format!("{error} at {call} {when}"));
        }
    }
}

/// The thread for signals is woken by a byte that the handler sends to a socket. strace runs beside the program, which
/// gets the signal itself.
#[live_test(Linux, STRACE)]
fn a_signal_is_noticed_if_the_kernel_has_no_memory_to_report_it() {
    let server = Fixture::start(["tcp=127.0.0.1:0"]);
    let target = format!("tcp/{}", server.port());
    let faults = [
        ("recvfrom", "ENOBUFS", "2"),
        ("recvfrom", "ENOMEM", "1+"),
        ("recvfrom", "EAGAIN", "2"),
        ("sendto", "EINTR", "1"),
        ("sendto", "ENOBUFS", "1+"),
        ("sendto", "ENOMEM", "5+"),
    ];
    for (call, error, when) in faults {
        let inject = format!("inject={call}:error={error}:when={when}");
        let trace = format!("trace={call}");
        let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        let watch = Cmd::new(["watch", "--ndjson", "--interval=100ms", &target]);
        let mut stream = watch.through(strace).stream();
        stream.event("present");
        stream.interrupt();
        stream.wait().without_panic().code(0);
    }
}
