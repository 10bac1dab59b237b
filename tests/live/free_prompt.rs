//! `free` on a terminal: it asks, accepts a no, and never ends the wrong process, whatever happens between the
//! question and the answer.

#![cfg(unix)]

use crate::free::must_still_hold;
use crate::support::{Cmd, Fixture, live_test, port, runs, until};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

fn server() -> Fixture {
    Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=1".into()])
}

#[live_test(Linux)]
fn answering_no_ends_nothing() {
    let server = server();
    // No, an empty line, the end of input, and something else.
    for keys in ["n\n", "\n", "\u{4}", "nonsense\n\u{4}", "no\n"] {
        let output = Cmd::new(["free".to_owned(), server.port().to_string()])
            .start_on_terminal()
            .wait_for_question()
            .type_in(keys);
        let code = output.status.code();
        output.assert(code == Some(1) || code == Some(3), "still held, or refused");
        for pid in server.family() {
            output.assert(output.text().contains(&pid.to_string()), "the plan was shown with the question");
        }
        must_still_hold(&output, &[&server]);
    }
}

#[live_test(Linux)]
fn answering_yes_carries_out_the_plan() {
    for keys in ["y\n", "yes\n", "Y\n"] {
        let server = server();
        let session =
            Cmd::new(["free".to_owned(), server.port().to_string()]).start_on_terminal().wait_for_question();
        assert!(server.family().into_iter().all(runs), "no process is ended before the answer");
        let output = session.type_in(keys).code(0);
        output.assert(!server.family().into_iter().any(runs), "all of them have ended");
    }
}

#[live_test(Linux)]
fn yes_skips_the_question() {
    let server = server();
    let cmd = Cmd::new(["free".to_owned(), "--yes".into(), server.port().to_string()]);
    let output = cmd.start_on_terminal().type_in("").code(0);
    output.assert(!server.family().into_iter().any(runs), "all of them have ended");
}

#[live_test(Linux, Program("setsid"))]
fn an_interrupt_at_the_question_ends_nothing() {
    let server = server();
    let cmd = Cmd::new(["free".to_owned(), server.port().to_string()]);
    // A terminal sends signals to its foreground process group.
    let output =
        cmd.through(["setsid", "--ctty", "--wait"]).start_on_terminal().wait_for_question().type_in("\u{3}");
    output.assert(!output.status.success(), "it is not free");
    must_still_hold(&output, &[&server]);
}

#[live_test(Linux)]
fn a_holder_that_ended_during_the_question_counts_as_done() {
    let server = server();
    let session =
        Cmd::new(["free".to_owned(), server.port().to_string()]).start_on_terminal().wait_for_question();
    drop(server);
    session.type_in("y\n").code(0);
}

fn connects(port: u16) -> Option<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).map(drop).ok()
}

#[live_test(Linux, Root, Kernel(6, 14), Program("nsenter"), PID_NAMESPACE)]
fn a_process_with_the_pid_of_a_holder_is_never_ended() {
    for options in [&["free"][..], &["free", "--force", "--timeout=300ms"]] {
        let [held, other] = [port(), port()];
        let replaced = format!("replaced=127.0.0.1:{held},127.0.0.1:{other}");
        let first = Fixture::start(["namespace=pid,mount", "pid-max=320", &replaced]);
        let inside = |cmd: Cmd| cmd.inside(first.pid(), ["pid", "mount"]);
        let pid_on = |port: u16| inside(Cmd::new(["--pids".to_owned(), format!("tcp/{port}")])).run().code(0);
        let before = pid_on(held);

        let words = options.iter().map(|word| (*word).to_owned()).chain([held.to_string()]);
        let session = inside(Cmd::new(words)).start_on_terminal().wait_for_question();
        // The holder ends at the first connection, and its pid is reused by a process that holds another port.
        connects(held).expect("connect to the holder");
        until(|| connects(other)).expect("another process of the same pid is there");
        let in_place = pid_on(other);
        in_place.assert_eq(in_place.text(), before.text(), "the pid of the process in place of the holder");

        let output = session.type_in("y\n").code(0);
        output.assert(output.text().contains(before.text().trim()), "that pid was in the plan");
        output.assert(connects(other).is_some(), "the process in its place still serves");
        let after = pid_on(other);
        output.assert_eq(after.text(), in_place.text(), "and is the same process");
    }
}

#[live_test(Linux)]
fn a_new_holder_is_not_ended_without_a_question() {
    let server = server();
    let port = server.port();
    let session = Cmd::new(["free".to_owned(), port.to_string()]).start_on_terminal().wait_for_question();
    drop(server);
    let other = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    // The question did not name this one.
    let output = session.type_in("y\n").code(1);
    must_still_hold(&output, &[&other]);
    output.assert(output.text().contains(&other.pid().to_string()), "the current holder is named");
}
