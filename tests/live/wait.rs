//! `wait`: until something listens or the port is free, what it costs meanwhile, and how it ends.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, Output, folder, live_test, ordinary_user, port};
use serde_json::json;
use std::time::{Duration, Instant};

/// Long enough to show that it waits.
const A_WHILE: Duration = Duration::from_millis(150);
/// The longest delay: the longest pause between two checks, with a margin for a machine that is busy with the tests in
/// `load`.
const LATE: Duration = Duration::from_secs(30);

fn wait(arguments: &[&str]) -> Cmd {
    Cmd::new(["wait"].iter().chain(arguments).copied())
}

#[live_test(Linux)]
fn a_condition_that_holds_needs_no_wait() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let [taken, free] = [server.port().to_string(), port().to_string()];
    for arguments in
        [&[&taken[..]][..], &["--listening", &taken], &["--free", &free], &["--timeout=0s", &taken]]
    {
        let output = wait(arguments).run().code(0);
        output.assert(output.took < LATE, "at once");
    }
    for arguments in [&["--timeout=0s", &free[..]][..], &["--free", "--timeout=0s", &taken]] {
        let output = wait(arguments).run().code(1);
        output.assert(output.took < LATE, "at once");
    }
}

#[track_caller]
fn must_end_soon(running: crate::support::Running, since: Instant) -> Output {
    let output = running.wait().code(0);
    output.assert(since.elapsed() < LATE, "soon after the condition holds");
    output
}

#[live_test(Linux)]
fn a_new_listener_ends_the_wait() {
    for option in [None, Some("--listening"), Some("--timeout=1m"), Some("-q"), Some("--json")] {
        let port = port();
        let target = port.to_string();
        let words: Vec<&str> = option.into_iter().chain([&target[..]]).collect();
        let waiting = wait(&words).start().must_keep_running(A_WHILE);
        let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
        let output = must_end_soon(waiting, Instant::now());
        if option == Some("--json") {
            let answer = JsonOutput::parse(output);
            answer.assert_eq(&answer.document["schema"], &json!("allears/1"), "schema");
        }
    }
}

#[live_test(Linux)]
fn wait_free_ends_when_the_listener_closes() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=1".into()]);
    let waiting = wait(&["--free", &server.port().to_string()]).start().must_keep_running(A_WHILE);
    drop(server);
    must_end_soon(waiting, Instant::now());
}

#[live_test(Linux)]
fn only_the_target_is_waited_for() {
    let port = port();
    let other = Fixture::start([format!("tcp=127.0.0.2:{port}")]);
    let waiting = wait(&[&format!("127.0.0.1:{port}")]).start().must_keep_running(A_WHILE);
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    must_end_soon(waiting, Instant::now());
    let waiting = wait(&["--free", &format!("127.0.0.1:{port}")]).start().must_keep_running(A_WHILE);
    drop(server);
    must_end_soon(waiting, Instant::now());
    // A bare port number means every address.
    let waiting = wait(&["--free", &port.to_string()]).start().must_keep_running(A_WHILE);
    drop(other);
    must_end_soon(waiting, Instant::now());
}

#[live_test(Linux)]
fn udp_is_waited_for_on_request() {
    let port = port();
    let waiting = wait(&[&format!("udp/{port}")]).start();
    let for_tcp = wait(&[&port.to_string()]).start();
    let _tcp = {
        let waiting = waiting.must_keep_running(A_WHILE);
        let tcp = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
        must_end_soon(for_tcp, Instant::now());
        let waiting = waiting.must_keep_running(A_WHILE);
        let _udp = Fixture::start([format!("udp=127.0.0.1:{port}")]);
        must_end_soon(waiting, Instant::now());
        tcp
    };
}

#[live_test(Linux)]
fn bound_is_not_listening() {
    let port = port();
    let bound = Fixture::start([format!("bound=127.0.0.1:{port}")]);
    wait(&["--timeout=200ms", &port.to_string()]).run().code(1);
    drop(bound);
    let far = Fixture::start([format!("tcp=127.0.0.1:{}", crate::support::port())]);
    let _client = Fixture::start([format!("client-from=127.0.0.1:{port},127.0.0.1:{}", far.port())]);
    wait(&["--timeout=200ms", &port.to_string()]).run().code(1);
}

#[live_test(Linux)]
fn wait_ends_at_its_timeout() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let [taken, free] = [server.port().to_string(), port().to_string()];
    for (duration, time) in [("500ms", 500), ("1s", 1000), ("10ms", 10)] {
        for arguments in [&["--timeout", duration, &free[..]][..], &["--free", "--timeout", duration, &taken]]
        {
            let output = wait(arguments).run().code(1);
            let time = Duration::from_millis(time);
            output.assert(output.took >= time, "not before its time is over");
            output.assert(output.took < time + LATE, "and not long after");
        }
    }
}

#[live_test(Linux)]
fn quiet_prints_nothing() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let [taken, free] = [server.port().to_string(), port().to_string()];
    for (arguments, code) in [
        (&["-q", &taken[..]][..], 0),
        (&["-q", "--free", &free], 0),
        (&["-q", "--timeout=50ms", &free], 1),
        (&["--quiet", "--free", "--timeout=50ms", &taken], 1),
    ] {
        let output = wait(arguments).run().code(code);
        output.assert(output.stdout.is_empty() && output.stderr.is_empty(), "nothing is printed");
        let shown = wait(arguments).env("TERM", "xterm").start_on_terminal().type_in("").code(code);
        shown.assert_eq(shown.text(), "", "nor on a terminal");
    }
}

#[live_test(Linux)]
fn progress_is_for_terminals() {
    let free = port().to_string();
    let output = wait(&["--timeout=700ms", &free]).env("TERM", "xterm").run().code(1);
    let reported = output.both_streams();
    output.assert(!reported.contains(['\r', '\u{1b}']), "no progress line in a pipe");
    output.assert(reported.lines().count() <= 2, "a word at its end is enough");
    let shown =
        wait(&["--timeout=700ms", &free]).env("TERM", "xterm").start_on_terminal().type_in("").code(1);
    shown.assert(shown.text().contains(&free), "on a terminal it prints what it waits for");
}

#[live_test(Linux)]
fn an_interrupt_ends_the_wait() {
    for arguments in [&["--timeout=1m"][..], &["-q"], &["--json"], &[]] {
        let target = port().to_string();
        let words: Vec<&str> = arguments.iter().copied().chain([&target[..]]).collect();
        let waiting = wait(&words).start().must_keep_running(Duration::from_millis(500));
        waiting.interrupt();
        let began = Instant::now();
        let output = waiting.wait();
        output.assert(began.elapsed() < LATE, "promptly");
        output.assert(!output.status.success(), "it was not reached");
        output.assert(!output.errors().contains("panicked"), "it does not panic");
        output.assert(output.stdout.is_empty(), "standard output holds no answer");
    }
}

/// Runs `wait` under strace, and returns the lines of its system calls.
fn traced(name: &str, calls: &str, arguments: &[&str], code: i32) -> (Output, Vec<String>) {
    let log = folder().join(name);
    // Created here, because the traced program may run as another user.
    std::fs::write(&log, "").expect("make a file for strace");
    let trace = format!("trace={calls}");
    let words = ["strace", "-f", "-y", "-e", &trace, "-o", log.to_str().expect("a path in text")];
    let output = wait(arguments).through(words).run().code(code);
    let lines = std::fs::read_to_string(&log).expect("strace writes its trace");
    (output, lines.lines().map(str::to_owned).collect())
}

/// Returns whether a system call searches for processes, or reads one other than the caller.
fn reads_a_process(call: &str) -> bool {
    let mut own = call.split_whitespace();
    let own = own.next().unwrap_or_default();
    let listed = call.contains("getdents64(") && call.contains("</proc>");
    let named = ["/proc/", "</proc>, \""].iter().flat_map(|before| call.split(before).skip(1)).any(|rest| {
        let pid: String = rest.chars().take_while(char::is_ascii_digit).collect();
        !pid.is_empty() && pid != own
    });
    listed || named
}

#[live_test(Linux, STRACE)]
fn no_process_is_read_while_waiting() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let [taken, free] = [server.port().to_string(), port().to_string()];
    let never = [&["--timeout=700ms", &free[..]][..], &["--free", "--timeout=700ms", &taken]];
    for (number, arguments) in never.into_iter().enumerate() {
        let (output, calls) =
            traced(&format!("wait-files-{number}"), "%file,getdents64,readlinkat", arguments, 1);
        output.assert(!calls.is_empty(), "strace traced something");
        let looks: Vec<&String> = calls.iter().filter(|call| reads_a_process(call)).collect();
        output.assert(looks.is_empty(), &format!("no process is read: {looks:?}"));
    }
}

#[live_test(Linux, STRACE)]
fn wait_polls_less_and_less_often() {
    let free = port().to_string();
    let calls = "sendto,sendmsg,openat,bind";
    let (output, short) = traced("wait-short", calls, &["--timeout=1s", &free], 1);
    let (_, long) = traced("wait-long", calls, &["--timeout=3s", &free], 1);
    // The pause grows from 5 ms to 200 ms: from two hundred checks a second to five.
    let looks = long.len().saturating_sub(short.len());
    let shown = format!("{} calls in a second, {} in three", short.len(), long.len());
    output.assert(looks <= 120, &format!("about ten scans in the last two seconds: {shown}"));
    output.assert(looks >= 8, &format!("but it goes on looking: {shown}"));
    // An unprivileged user can wait too.
    wait(&["--timeout=20ms", &free]).user(ordinary_user()).run().code(1);
}

#[live_test]
fn invalid_durations_and_targets_are_refused() {
    let durations = ["", "x", "9000h", "-1s", "5x", "s", "1.5.2s", "99999999999999999999999s"];
    let durations =
        durations.map(|duration| vec!["wait".to_owned(), format!("--timeout={duration}"), "1".to_owned()]);
    let targets =
        [&["wait"][..], &["wait", "0"], &["wait", "65536"], &["wait", ""], &["wait", "--nosuch", "1"]];
    let targets = targets.into_iter().map(|words| words.iter().map(|word| (*word).to_owned()).collect());
    let both = vec!["wait".to_owned(), "--free".to_owned(), "--listening".to_owned(), "1".to_owned()];
    for arguments in durations.into_iter().chain(targets).chain([both]) {
        let output = Cmd::new(arguments).run().without_panic().code(2);
        output
            .assert(output.stdout.is_empty() && !output.stderr.is_empty(), "standard error names the error");
    }
}
