//! `watch`: its events, its cost while nothing changes, its screen, and how it ends.

#![cfg(unix)]

use crate::support::{
    Cmd, Fixture, folder, live_test, ordinary_user, pids, port, send_signal, without_styles,
};
use serde_json::{Value, json};
use std::io::BufRead as _;

const OFTEN: &str = "--interval=100ms";

fn watch(arguments: &[&str]) -> Cmd {
    Cmd::new(["watch", OFTEN].iter().chain(arguments).copied())
}

fn server(port: u16) -> Fixture {
    Fixture::start([format!("tcp=127.0.0.1:{port}")])
}

#[live_test]
fn a_listener_opens_and_closes() {
    let place = port();
    let there = server(place);
    let mut events = watch(&["--ndjson", &format!("{place},{}", port())]).stream();
    let present = events.event("present");
    assert_eq!(present["schema"], "allears/1");
    assert_eq!(pids(&present["listener"]), [there.pid()]);
    assert!(present["at"].is_string() && present["before"].is_null(), "{present}");
    drop(there);
    let closed = events.event("closed");
    assert_eq!((&closed["listener"]["port"], &closed["certain"]), (&json!(place), &json!(true)));
    let back = server(place);
    let opened = events.event("opened");
    assert_eq!(pids(&opened["listener"]), [back.pid()]);
    assert_eq!(opened["differs"], json!([]));
}

#[live_test(Linux)]
fn new_holders_of_a_socket_are_noticed() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=1".into()]);
    let mut events = watch(&["--ndjson", &server.port().to_string()]).stream();
    assert_eq!(pids(&events.event("present")["listener"]), server.family());
    let child = server.children().first().copied().expect("one child");
    send_signal(child, nix::sys::signal::Signal::SIGKILL);
    let changed = events.event("changed");
    assert_eq!(changed["differs"], json!(["holders"]));
    assert_eq!(pids(&changed["before"]), server.family());
    assert_eq!(pids(&changed["listener"]), [server.pid()]);
}

#[live_test(Linux)]
fn sockets_on_one_address_are_distinguished() {
    let place = port();
    let shared = || Fixture::start(["reuseport".to_owned(), format!("tcp=127.0.0.1:{place}")]);
    let first = shared();
    let mut events = watch(&["--ndjson", &place.to_string()]).stream();
    events.event("present");
    let second = shared();
    assert_eq!(pids(&events.event("opened")["listener"]), [second.pid()]);
    let gone = first.pid();
    drop(first);
    assert_eq!(pids(&events.event("closed")["listener"]), [gone]);
}

#[live_test]
fn filters_are_those_of_the_list() {
    let [one, other] = [server(port()), server(port())];
    let mut events = watch(&["--ndjson", "-t", "-4", "--pid", &one.pid().to_string()]).stream();
    assert_eq!(events.event("present")["listener"]["port"], one.port());
    drop(other);
    let third = Fixture::start([format!("udp=127.0.0.1:{}", port())]);
    drop(one);
    events.event("closed");
    let ports: Vec<&String> = events.read().iter().filter(|line| line.contains("\"event\"")).collect();
    assert_eq!(ports.len(), 2, "{ports:?}, and {} is none of them", third.port());
}

#[live_test]
fn a_pipe_gets_lines_of_text() {
    let place = port();
    let mut lines = watch(&[&place.to_string()]).stream();
    let is = |event: &'static str| move |line: &str| line.split_whitespace().nth(1) == Some(event);
    let there = server(place);
    // It may have listened before the first scan.
    let opened = lines.line("opened", |line| is("opened")(line) || is("present")(line));
    assert!(
        opened.contains(&format!("{place}/tcp")) && opened.contains(&format!("pid {}", there.pid())),
        "{opened}"
    );
    drop(there);
    let closed = lines.line("closed", is("closed"));
    assert!(!closed.contains('\u{1b}') && closed.starts_with("20"), "{closed}");
}

#[live_test]
fn a_closed_pipe_ends_it_quietly() {
    let there = server(port());
    let target = there.port().to_string();
    for ndjson in [&[][..], &["--ndjson"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let running = watch(&[ndjson, &[&target]].concat()).stdout(writer).start();
        let mut line = String::new();
        std::io::BufReader::new(reader).read_line(&mut line).expect("what is present");
        // On Windows this is noticed only with the next write.
        let _more_to_say = cfg!(windows).then(|| Fixture::start([format!("tcp=127.0.0.2:{target}")]));
        let output = running.wait().without_panic().code(0);
        output.assert(!output.errors().contains("error"), "it does not mention it");
    }
}

#[live_test]
fn an_interrupt_ends_it_with_success() {
    let there = server(port());
    let mut events = watch(&["--ndjson", &there.port().to_string()]).stream();
    events.event("present");
    events.interrupt();
    events.wait().without_panic().code(0);
}

#[live_test(Linux, Root)]
fn a_gap_is_a_line_too() {
    let there = server(port());
    let target = there.port().to_string();
    let mut events = watch(&["--ndjson", &target]).user(ordinary_user()).stream();
    let present = events.event("present");
    assert_eq!(present["listener"]["unseen"]["reason"], "permission");
    let gap: Value =
        serde_json::from_str(&events.line("a gap", |line| line.contains("\"gap\""))).expect("JSON");
    assert_eq!(gap["gap"]["what"], "descriptors");
}

#[live_test(Linux, Root)]
fn a_failed_first_scan_ends_it() {
    let there = server(port());
    let arguments = ["--ndjson", "--holders=bpf", &there.port().to_string()];
    let output = watch(&arguments).user(ordinary_user()).run().without_panic().code(3);
    output.assert(output.stdout.is_empty() && !output.stderr.is_empty(), "standard error gives the reason");
}

/// Returns whether a system call reads a process other than the caller.
fn reads_a_process(call: &str) -> bool {
    let own = call.split_whitespace().next().unwrap_or_default();
    let pid = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    let named = call.split("/proc/").skip(1).map(pid).any(|pid| !pid.is_empty() && pid != own);
    named || (call.contains("getdents64(") && call.contains("</proc>"))
}

#[live_test(Linux, STRACE)]
fn an_unchanged_table_causes_no_process_scan() {
    let there = server(port());
    let log = folder().join("watch-files");
    // Created here, because the traced program may run as another user.
    std::fs::write(&log, "").expect("make a file for strace");
    let calls = "trace=%file,getdents64,readlinkat,socket";
    let strace = ["strace", "-f", "-y", "-e", calls, "-o", log.to_str().expect("a path in text")];
    // Less than ten scans, so that only the first one is complete.
    let words = strace.into_iter().chain(["timeout", "--signal=INT", "--preserve-status", "0.95"]);
    let output = watch(&["--ndjson", &there.port().to_string()]).through(words).run().code(0);
    let traced = std::fs::read_to_string(&log).expect("strace writes its trace");
    let lines: Vec<&str> = traced.lines().collect();
    let looks_at = |from: usize| lines.get(from..).unwrap_or_default().iter();
    let last = lines.iter().rposition(|call| reads_a_process(call));
    output.assert(last.is_some(), "the first scan reads processes");
    let tables = looks_at(last.unwrap_or(0)).filter(|call| call.contains("NETLINK_SOCK_DIAG")).count();
    output.assert(tables >= 3, &format!("reads only the table after that: {tables}"));
}

#[live_test]
fn the_screen_updates_and_restores_the_terminal() {
    for keys in ["q", "\u{1b}", "\u{3}"] {
        let place = port();
        let target = format!("{place},{}", port());
        let mut screen = watch(&[&target]).env("TERM", "xterm").start_on_terminal();
        screen.wait_for_text("nothing listens");
        let raw = screen.mode();
        let there = server(place);
        screen.wait_for_text(&place.to_string());
        screen.wait_for_text(&there.pid().to_string());
        let (output, mode) = screen.type_in_and_leave(keys);
        let output = output.without_panic().code(0);
        let text = output.text();
        output.assert(text.contains("\u{1b}[?1049h"), "a screen of its own");
        let left = text.rfind("\u{1b}[?1049l").zip(text.rfind("\u{1b}[?25h"));
        output.assert(left.is_some(), "the screen is left, and the cursor is visible");
        let cooked = nix::sys::termios::LocalFlags::ICANON | nix::sys::termios::LocalFlags::ECHO;
        output.assert(!raw.intersects(cooked), "keys came one by one");
        output.assert(mode.contains(cooked), "and lines come again");
    }
}

#[live_test]
fn sigterm_leaves_the_screen() {
    let mut screen = watch(&[&port().to_string()]).env("TERM", "xterm").start_on_terminal();
    screen.wait_for_text("nothing listens");
    screen.terminate();
    let (output, mode) = screen.type_in_and_leave("");
    let output = output.without_panic().code(0);
    output.assert(output.text().contains("\u{1b}[?1049l"), "the screen is left");
    output.assert(mode.contains(nix::sys::termios::LocalFlags::ICANON), "the terminal is as it was");
}

#[live_test]
fn a_narrow_screen_is_drawn_too() {
    let there = server(port());
    let mut screen = watch(&[&there.port().to_string()]).env("TERM", "xterm").start_on_terminal();
    screen.wait_for_text(&there.pid().to_string());
    for (columns, rows) in [(20, 5), (7, 2), (1, 1), (20, 6)] {
        screen.resize(columns, rows);
    }
    screen.wait_for_text("q quits  ? help  E..");
    screen.type_in("q").without_panic().code(0);
}

#[live_test]
fn a_dumb_terminal_gets_lines() {
    let there = server(port());
    let mut screen = watch(&[&there.port().to_string()]).env("TERM", "dumb").start_on_terminal();
    screen.wait_for_text("present");
    screen.terminate();
    let output = screen.type_in("").code(0);
    output.assert(!output.text().contains("\u{1b}["), "no escape sequence");
}

#[live_test]
fn no_color_disables_colours() {
    let there = server(port());
    let mut screen =
        watch(&[&there.port().to_string()]).env("TERM", "xterm").env("NO_COLOR", "1").start_on_terminal();
    screen.wait_for_text(&there.pid().to_string());
    let output = screen.type_in("q").code(0);
    output.assert(without_styles(output.text()) == output.text(), "nothing is coloured, bold or dim");
}
