//! What the program reads during a scan, by its system calls: no process if no listener matches, and never an
//! environment.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, Output, folder, live_test, port};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

static TRACES: AtomicU32 = AtomicU32::new(0);

/// Runs a scan under strace. Returns the run and the lines about files.
fn traced(arguments: &[&str]) -> (Output, Vec<String>) {
    let number = TRACES.fetch_add(1, Ordering::Relaxed);
    let file: PathBuf = folder().join(format!("trace-{number}"));
    let path = file.to_str().expect("its path is text").to_owned();
    let strace = ["strace", "-f", "-y", "-s", "4096", "-e", "trace=%file,%desc", "-o", path.as_str()];
    let output = Cmd::new(arguments.iter().copied()).through(strace).run();
    let trace = std::fs::read(&file).expect("strace wrote its trace");
    let lines = String::from_utf8_lossy(&trace).lines().map(str::to_owned).collect();
    (output, lines)
}

/// Returns the process whose files a line of a trace is about: `"/proc/12/..."` or `3</proc>, "12"`.
fn process_of(line: &str) -> Option<u32> {
    let named = ["\"/proc/", "</proc>, \""].iter().find_map(|mark| line.split_once(mark));
    let digits: String = named?.1.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[live_test(Linux, STRACE)]
fn a_free_port_opens_no_process() {
    let _busy = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=2".to_owned()]);
    let target = port().to_string();
    for arguments in [&[target.as_str()][..], &["--json", &target], &["-q", &target], &["--pids", &target]] {
        let (output, mut lines) = traced(arguments);
        output.assert_eq(output.status.code(), Some(1), "exit code");
        // The text output reports listeners of other network namespaces. They are found through processes, and their
        // tables are read below /proc/PID/net.
        if let [_] = arguments {
            let of_namespaces = ["/ns/net", "/net\"", "/net>", "/net/dev", "/task\"", "/comm\""];
            lines.retain(|line| !of_namespaces.iter().any(|part| line.contains(part)));
        }
        must_read_no_process(&output, &lines);
    }
}

#[track_caller]
fn must_read_no_process(output: &Output, lines: &[String]) {
    output.assert(lines.len() > 10, "there is a trace");
    let own: BTreeSet<u32> =
        lines.iter().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    for line in lines {
        if let Some(pid) = process_of(line) {
            output.assert(own.contains(&pid), &format!("it read a process: {line}"));
        }
    }
}

#[live_test(Linux, STRACE)]
fn a_quiet_run_opens_no_process() {
    let target = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{target}")]);
    let target = target.to_string();
    let (output, lines) = traced(&["-q", &target]);
    output.assert_eq(output.status.code(), Some(0), "exit code");
    must_read_no_process(&output, &lines);
    // A process is read if it decides the answer.
    for (pid, code) in [(server.pid(), 0), (std::process::id(), 1)] {
        let (output, lines) = traced(&["-q", "--pid", &pid.to_string(), &target]);
        output.assert_eq(output.status.code(), Some(code), "exit code");
        output.assert(lines.iter().any(|line| process_of(line) == Some(server.pid())), "its holder is read");
    }
}

#[live_test(Linux, STRACE)]
fn no_environment_is_opened() {
    let target = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{target}")]);
    let port = format!("tcp/{target}");
    for arguments in [&["--json", "--parents", &port][..], &[&port], &[]] {
        let (output, lines) = traced(arguments);
        output.assert_eq(output.status.code(), Some(0), "exit code");
        let looked = lines.iter().any(|line| process_of(line) == Some(server.pid()));
        output.assert(looked, "the trace shows how the holder was read");
        let environment = lines.iter().find(|line| line.contains("environ"));
        output.assert_eq(environment, None, "an environment it opened");
    }
}

#[live_test(Linux, STRACE)]
fn no_descriptor_is_followed() {
    let target = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{target}")]);
    let (output, lines) = traced(&["--json", &format!("tcp/{target}")]);
    output.assert_eq(output.status.code(), Some(0), "exit code");
    let looked = lines.iter().any(|line| process_of(line) == Some(server.pid()));
    output.assert(looked, "the trace shows how the holder was read");
    let descriptors = format!("/proc/{}/fd", server.pid());
    for line in &lines {
        let call = line.split_whitespace().nth(1).unwrap_or_default();
        let follows = ["stat(", "newfstatat(", "statx(", "access(", "faccessat2("];
        let about_one = line.contains(&descriptors)
            && line.split(&descriptors).nth(1).is_some_and(|rest| {
                let rest = rest.trim_start_matches(['>', ',', ' ', '"', '/']);
                rest.starts_with(|letter: char| letter.is_ascii_digit())
            });
        let stays = line.contains("AT_SYMLINK_NOFOLLOW");
        let asks = follows.iter().any(|name| call.starts_with(name));
        output
            .assert(!(about_one && asks && !stays), &format!("it could hang on a dead file system: {line}"));
    }
}
