//! `free` on processes that ignore the signal, need time, keep running without the socket, are stopped, or are
//! restarted.

#![cfg(unix)]

use crate::free::{freed, must_be_free, must_still_hold, steps};
use crate::support::{Cmd, Fixture, live_test, pids, port, runs, stop, until};
use serde_json::json;
use std::time::Duration;

#[live_test(Linux)]
fn a_holder_that_ignores_sigterm_keeps_the_port() {
    let server = Fixture::start(["ignore-term".into(), format!("tcp=127.0.0.1:{}", port()), "fork=1".into()]);
    let target = server.port().to_string();
    let answer = freed(&["--yes", "--timeout", "300ms", &target], 1);
    answer.assert_eq(&answer.document["free"], &json!(false), "free");
    answer.assert(answer.output.took >= Duration::from_millis(300), "it waited for the whole timeout");
    must_still_hold(&answer.output, &[&server]);
    let text = Cmd::new(["free", "--yes", "--timeout=300ms", &target]).run().code(1);
    let reported = text.both_streams();
    text.assert(reported.contains(&server.pid().to_string()), "the remaining holder is named");
    text.assert(reported.contains("--force"), "what would help is named");
}

#[live_test(Linux)]
fn force_ends_a_holder_that_ignores_sigterm() {
    let server = Fixture::start(["ignore-term".into(), format!("tcp=127.0.0.1:{}", port()), "fork=2".into()]);
    let answer = freed(&["--yes", "--force", "--timeout", "300ms", &server.port().to_string()], 0);
    answer.assert_eq(&answer.document["free"], &json!(true), "free");
    answer.assert(answer.output.took >= Duration::from_millis(300), "the first signal had its timeout");
    must_be_free(&answer.output, server.port(), &server.family());
}

#[live_test(Linux)]
fn a_slow_holder_gets_time_to_end() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "on-term=1500".into()]);
    let answer = freed(&["--yes", &server.port().to_string()], 0);
    answer.assert(answer.output.took >= Duration::from_millis(1500), "it waits for the end");
    must_be_free(&answer.output, server.port(), &[server.pid()]);
}

#[live_test(Linux)]
fn free_waits_for_the_socket_and_not_the_process() {
    for options in [&["--yes", "--timeout=50s"][..], &["--yes", "--force", "--timeout=50s"]] {
        let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "on-term=close".into()]);
        let target = server.port().to_string();
        let answer = freed(&[options, &[&target]].concat(), 0);
        answer.assert(answer.output.took < Duration::from_secs(40), "it does not wait for the process");
        must_be_free(&answer.output, server.port(), &[]);
        answer.assert(runs(server.pid()), "a server that closed its port may finish what it does");
    }
}

#[live_test(Linux)]
fn only_force_ends_a_stopped_holder() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let target = server.port().to_string();
    // As Ctrl-Z does. Not reaped yet, so the pid is still its own.
    stop(server.pid());
    let answer = freed(&["--yes", "--timeout=300ms", &target], 1);
    must_still_hold(&answer.output, &[&server]);
    let answer = freed(&["--yes", "--force", "--timeout=300ms", &target], 0);
    must_be_free(&answer.output, server.port(), &[server.pid()]);
}

#[live_test(Linux)]
fn a_process_without_its_main_thread_is_ended() {
    // Its state in /proc is that of a process that has ended.
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "leave-main".into()]);
    let answer = freed(&["--yes", &server.port().to_string()], 0);
    answer.assert_eq(steps(&answer, "plan"), vec![server.pid()], "plan");
    must_be_free(&answer.output, server.port(), &[]);
}

#[live_test(Linux, IoUring)]
fn a_socket_of_a_ring_is_freed() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "ring".into()]);
    let port = u16::try_from(server.socket(0)["port"].as_u64().unwrap_or_default()).expect("a port");
    let answer = freed(&["--yes", &port.to_string()], 0);
    answer.assert_eq(steps(&answer, "plan"), vec![server.pid()], "plan");
    must_be_free(&answer.output, port, &[server.pid()]);
}

/// Frees the port of a server that is restarted, and asserts that the new process is named.
fn must_notice_the_restart(delay: &str) {
    let port = port();
    let _supervisor = Fixture::start([format!("supervise=127.0.0.1:{port},{delay}")]);
    let holder = || pids(Cmd::new([format!("tcp/{port}")]).answer(0).only());
    let before = holder();
    let output = Cmd::new(["free", "--yes", "--timeout", "1s", &port.to_string()]).run().code(1);
    let after =
        until(|| Cmd::new(["-q".to_owned(), format!("tcp/{port}")]).run().status.success().then(holder));
    let after = after.unwrap_or_default();
    output.assert(before != after && after.len() == 1, "the server was ended, and another one started");
    let reported = output.both_streams();
    output.assert(reported.contains(&after[0].to_string()), &format!("the new holder {} is named", after[0]));
}

#[live_test(Linux)]
fn a_restart_is_noticed() {
    must_notice_the_restart("0");
}

#[live_test(Linux)]
fn a_delayed_restart_is_noticed() {
    // The default delay of systemd.
    must_notice_the_restart("100");
}
