//! `why`, `free` and `wait` on systems that reveal little: netlink refused, `/proc` empty, processes of another pid
//! namespace. A bind still shows the truth. Nothing is denied, and no process is ended on a guess.

#![cfg(unix)]

use crate::free::must_still_hold;
use crate::support::{Cmd, Fixture, live_test, pids, port, runs, without_netlink};
use crate::why::{must_have_verdict, obstacles, only_obstacle, run_why};

#[live_test(Linux)]
fn refused_netlink_finds_the_same_listener() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=1".into()]);
    let target = server.port().to_string();
    let answer = run_why(Cmd::new(["why", "--json", &target]).through(without_netlink(libc::EPERM)), 1);
    must_have_verdict(&answer, "listening");
    answer.assert_eq(pids(only_obstacle(&answer)), server.family(), "holders");
    let other = format!("127.0.0.2:{target}");
    let answer = run_why(Cmd::new(["why", "--json", &other]).through(without_netlink(libc::EPERM)), 0);
    answer.assert_eq(obstacles(&answer).len(), 0, "nothing prevents the bind");
    Cmd::new(["wait", &target]).through(without_netlink(libc::EPERM)).run().code(0);
    Cmd::new(["free", "--yes", &target]).through(without_netlink(libc::EPERM)).run().code(0);
    assert!(!server.family().into_iter().any(runs), "all holders have ended");
}

#[live_test(Linux)]
fn refused_netlink_does_not_call_a_bound_port_free() {
    // Only netlink and a bind reveal it.
    let server = Fixture::start([format!("bound=127.0.0.1:{}", port())]);
    let target = server.port().to_string();
    let answer = run_why(Cmd::new(["why", "--json", &target]).through(without_netlink(libc::EPERM)), 1);
    must_have_verdict(&answer, "unknown");
    let output =
        Cmd::new(["free", "--yes", &target]).through(without_netlink(libc::EPERM)).run().without_panic();
    let code = output.status.code();
    output.assert(code == Some(1) || code == Some(3), "a port that cannot be bound is not free");
}

#[live_test(Linux, Root, MOUNT_NAMESPACE)]
fn an_empty_proc_does_not_make_a_port_free() {
    let hide = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /proc && exec \"$@\"", "sh"];
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let target = server.port().to_string();
    for words in [
        &["why", &target[..]][..],
        &["free", "--yes", &target],
        &["wait", "--free", "--timeout=50ms", &target],
    ] {
        let output = Cmd::new(words.iter().copied()).through(hide).run().without_panic();
        let code = output.status.code();
        output.assert(code == Some(1) || code == Some(3), "held or unknown");
        must_still_hold(&output, &[&server]);
    }
}

#[live_test(Linux, Root, PID_NAMESPACE)]
fn holders_of_another_pid_namespace_are_not_ended() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let inner = ["unshare", "--pid", "--fork", "--mount-proc"];
    let target = server.port().to_string();
    let answer = run_why(Cmd::new(["why", "--json", &target]).through(inner), 1);
    must_have_verdict(&answer, "listening");
    let output =
        Cmd::new(["free", "--yes", "--force", "--timeout=200ms", &target]).through(inner).run().code(3);
    must_still_hold(&output, &[&server]);
}
