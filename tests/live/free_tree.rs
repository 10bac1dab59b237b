//! `free` on a server with a wrapper and children: what keeps running is named, and `--tree` ends the whole tree and no
//! more.

#![cfg(unix)]

use crate::free::{freed, must_be_free, steps};
use crate::support::{Cmd, Fixture, Steps, fixture_program, live_test, nobody_with, port, runs};

/// A server and the shell that waits for it.
fn wrapped() -> (Fixture, u32) {
    let wrapper = ["sh", "-c", "\"$@\"; true", "sh"];
    let server = Steps::new([format!("tcp=127.0.0.1:{}", port())]).through(wrapper).start();
    let parent = parent(server.pid());
    (server, parent)
}

fn parent(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    let fields = stat.rsplit(") ").next().expect("fields after the name");
    fields.split(' ').nth(1).and_then(|parent| parent.parse().ok()).expect("a parent")
}

#[live_test(Linux)]
fn a_wrapper_stays_and_is_named() {
    let (server, wrapper) = wrapped();
    let target = server.port().to_string();
    let dry = Cmd::new(["free", "-n", &target]).run().code(1);
    dry.assert(dry.text().contains(&format!("sh (pid {wrapper}")), "the wrapper is named");
    dry.assert(dry.text().contains("--tree"), "it reports what else ends it");
    let answer = freed(&["--yes", &target], 0);
    answer.assert_eq(steps(&answer, "plan"), vec![server.pid()], "only the server");
    must_be_free(&answer.output, server.port(), &[server.pid()]);
}

#[live_test(Linux)]
fn a_tree_ends_the_wrapper_and_nothing_else() {
    let (server, wrapper) = wrapped();
    // With the same parent, session and process group.
    let (other, others_wrapper) = wrapped();
    let answer = freed(&["--yes", "--tree", &server.port().to_string()], 0);
    answer.assert_eq(steps(&answer, "plan"), vec![wrapper, server.pid()], "the wrapper first");
    must_be_free(&answer.output, server.port(), &[server.pid(), wrapper]);
    answer.assert(runs(other.pid()) && runs(others_wrapper), "no other process was ended");
}

#[live_test(Linux)]
fn children_that_stay_are_named() {
    let server = Fixture::start([
        format!("tcp=127.0.0.1:{}", port()),
        "close".into(),
        "fork=2".into(),
        format!("tcp=127.0.0.1:{}", port()),
    ]);
    let target = server.port().to_string();
    let children = server.children();
    let dry = Cmd::new(["free", "-n", &target]).run().code(1);
    for child in &children {
        dry.assert(dry.text().contains(&child.to_string()), "each child is named");
    }
    let answer = freed(&["--dry-run", "--tree", &target], 1);
    answer.assert_eq(steps(&answer, "plan"), server.family(), "a tree has them");
    let answer = freed(&["--yes", &target], 0);
    answer.assert_eq(steps(&answer, "plan"), vec![server.pid()], "only the holder");
}

#[live_test(Linux, Program("bash"))]
fn an_interactive_shell_is_not_a_wrapper() {
    // A shell as editors start it in their terminals. The commands come through a pipe here.
    let folder = crate::support::folder().join("free-init-file");
    std::fs::write(&folder, "").expect("write a file");
    let file = folder.display().to_string();
    let script = "exec 9<&0; bash --init-file \"$1\" -- <<EOF\n\"$2\" \"$3\" <&9; true\nEOF";
    let fixture = fixture_program().display().to_string();
    let listen = format!("tcp=127.0.0.1:{}", port());
    let launcher = ["bash", "-c", script, "bash", &file, &fixture, &listen];
    let server = Steps::new(["pad"]).through(launcher).start();
    let shell = parent(server.pid());
    let answer = freed(&["--yes", "--tree", &server.port().to_string()], 0);
    answer.assert_eq(steps(&answer, "plan"), vec![server.pid()], "only the server");
    answer.assert(!steps(&answer, "plan").contains(&shell), "not the shell");
}

#[live_test(Linux)]
fn a_script_with_two_servers_stays() {
    let (other, others_wrapper) = wrapped();
    let own = port();
    // The exit code is the script's, so it has outlived the server. The server's input ends with the script.
    let script = "tail -f --pid=$$ /dev/null | sh -c '\"$@\"; true' sh \"$1\" \"$2\" >/dev/null 2>&1 & \
                  shift 2; until \"$1\" -q \"tcp/$5\"; do :; done; \"$@\"; exit $?";
    let (fixture, listen) = (fixture_program().display().to_string(), format!("tcp=127.0.0.1:{own}"));
    let launcher = ["sh", "-c", script, "sh", &fixture, &listen];
    let words = ["free", "--yes", "--tree", &own.to_string()].map(str::to_owned);
    let output = Cmd::new(words).through(launcher).run().without_panic().code(0);
    output.assert(output.both_streams().contains("is free"), "it is free");
    output.assert(runs(other.pid()) && runs(others_wrapper), "no other process was ended");
}

#[live_test(Linux, Root)]
fn a_tree_with_a_protected_process_is_refused() {
    let server = Steps::new([format!("tcp=127.0.0.1:{}", port()), "fork-as=65533".into()]).start();
    let target = server.port().to_string();
    let launcher = nobody_with("+sys_ptrace,+dac_read_search");
    let output = Cmd::new(["free", "--yes", "--tree", &target]).through(launcher).run().code(3);
    output.assert(server.family().into_iter().all(runs), "no process was ended");
}
