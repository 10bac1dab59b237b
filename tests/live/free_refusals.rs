//! What `free` refuses, and why: pid 1, itself and its ancestors, processes of other users, unconfirmed plans.
//! After a refusal, no process was signalled.

#![cfg(unix)]

use crate::free::must_still_hold;
use crate::support::{
    Cmd, Fixture, NOBODY, Output, Steps, fixture_program, live_test, nobody_with, port, runs,
    start_on_one_port, without_host_containers,
};

fn lowercase(output: &Output) -> String {
    output.both_streams().to_lowercase()
}

#[live_test(Linux)]
fn without_a_terminal_it_requires_yes() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=1".into()]);
    let target = server.port().to_string();
    for arguments in
        [vec!["free", &target], vec!["free", "--force", &target], vec!["free", "--json", &target]]
    {
        let output = Cmd::new(arguments).run().without_panic().code(3);
        output.assert(lowercase(&output).contains("--yes"), "it names the missing option");
        must_still_hold(&output, &[&server]);
    }
}

#[live_test(Linux)]
fn a_range_requires_yes_too() {
    // A port between them would be another test's.
    let mut pairs = std::iter::repeat_with(|| [port(), port()]);
    let ports = pairs.find(|[first, second]| first.checked_add(1) == Some(*second)).expect("endless");
    let servers = ports.map(|port| Fixture::start([format!("tcp=127.0.0.1:{port}")]));
    let targets = [format!("{}-{}", ports[0], ports[1]), format!("{},{}", ports[0], ports[1])];
    for target in targets {
        let output = Cmd::new(["free", &target]).run().without_panic().code(3);
        output.assert(lowercase(&output).contains("--yes"), "it names the missing option");
        must_still_hold(&output, &[&servers[0], &servers[1]]);
        let on_terminal = Cmd::new(["free", &target]).start_on_terminal().type_in("y\ny\n").code(3);
        on_terminal.assert(lowercase(&on_terminal).contains("--yes"), "on a terminal too");
        must_still_hold(&on_terminal, &[&servers[0], &servers[1]]);
    }
}

#[live_test(Linux, Root, Program("nsenter"), NETWORK_NAMESPACE, PID_NAMESPACE)]
fn pid_1_is_never_ended() {
    let port = 8080;
    let server = Fixture::start([
        "namespace=net,pid,mount".to_owned(),
        format!("tcp=127.0.0.1:{port}"),
        "fork=1".into(),
    ]);
    for options in [&["free", "--yes"][..], &["free", "--yes", "--force", "--timeout=200ms"]] {
        let words = options.iter().copied().chain(["8080"]);
        let output =
            Cmd::new(words).inside(server.pid(), ["net", "pid", "mount"]).run().without_panic().code(3);
        output.assert(lowercase(&output).contains("pid 1"), "the reason is named");
        let still = Cmd::new(["--pids", "8080"]).inside(server.pid(), ["net", "pid", "mount"]).run().code(0);
        output.assert_eq(still.text().lines().count(), 2, "nor was its child ended: all holders or none");
    }
}

/// A launcher for the program: the fixture listens and becomes a shell. The shell closes the socket for its children,
/// so that it alone holds it, and reports at the end how the program ended.
fn in_a_shell_that_holds(port: u16, script: &str) -> Vec<String> {
    let fixture = fixture_program();
    let fixture = fixture.to_str().expect("the path of the fixture is text");
    let listen = format!("tcp=127.0.0.1:{port}");
    let words = [fixture, &listen, "exec", "sh", "-c", script, "sh"];
    words.map(str::to_owned).to_vec()
}

#[track_caller]
fn must_spare_its_ancestor(script: &str) {
    for options in [&["free", "--yes"][..], &["free", "--yes", "--force", "--timeout=200ms"]] {
        let port = port();
        let words = options.iter().map(|word| (*word).to_owned()).chain([port.to_string()]);
        // If the shell were ended, the child of this test would end by a signal.
        let output =
            Cmd::new(words).through(in_a_shell_that_holds(port, script)).run().without_panic().code(3);
        let reason = ["ancestor", "parent", "started"].iter().any(|word| lowercase(&output).contains(word));
        output.assert(reason, "the reason is named");
    }
}

const CLOSED: &str = "3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-";

#[live_test(Linux)]
fn its_parent_is_never_ended() {
    must_spare_its_ancestor(&format!("\"$@\" {CLOSED}; exit $?"));
}

#[live_test(Linux)]
fn its_grandparent_is_never_ended() {
    must_spare_its_ancestor(&format!("sh -c '\"$@\"; exit $?' sh \"$@\" {CLOSED}; exit $?"));
}

#[live_test(Linux)]
fn it_never_ends_itself() {
    let port = port();
    let fixture = fixture_program();
    let fixture = fixture.to_str().expect("the path of the fixture is text").to_owned();
    let launcher = [fixture, format!("tcp=127.0.0.1:{port}"), "exec".to_owned()];
    for options in [&["free", "--yes"][..], &["free", "--yes", "--force", "--timeout=200ms"]] {
        let words = options.iter().map(|word| (*word).to_owned()).chain([port.to_string()]);
        let output = Cmd::new(words).through(launcher.clone()).run().without_panic().code(3);
        output.assert(lowercase(&output).contains("itself"), "the reason is named");
    }
}

#[track_caller]
fn must_be_left_to_root(target: &str, servers: &[&Fixture]) {
    for options in [&["free", "--yes"][..], &["free", "--yes", "--force", "--timeout=200ms"]] {
        let words = options.iter().copied().chain([target]);
        let output = Cmd::new(words).user(Some(NOBODY)).run().without_panic().code(3);
        must_still_hold(&output, servers);
        let command = format!("sudo allears free {target}");
        // Its path is not in the search path of sudo.
        let reported = lowercase(&output);
        let reported = reported.contains("sudo ") && reported.contains(&format!("allears free {target}"));
        output.assert(
            reported,
            &format!("the command with the missing permission is printed, as in {command}"),
        );
    }
    for server in servers {
        assert!(server.family().into_iter().all(runs), "no process was ended");
    }
}

#[live_test(Linux, Root)]
fn a_process_of_root_is_left_to_root() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=1".into()]);
    must_be_left_to_root(&server.port().to_string(), &[&server]);
}

#[live_test(Linux, Root)]
fn one_protected_holder_spares_all_holders() {
    // A process of root shares its listener with one of nobody, who may end only the second.
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork-as=65534".into()]);
    must_be_left_to_root(&server.port().to_string(), &[&server]);
}

#[live_test(Linux, Root)]
fn one_protected_listener_spares_all_listeners() {
    let _quiet = without_host_containers();
    let (port, [own, roots]) = start_on_one_port(|port| {
        let [own, roots] =
            ["127.0.0.1", "127.0.0.2"].map(|address| Steps::new([format!("tcp={address}:{port}")]));
        [own.user(Some(NOBODY)), roots]
    });
    must_be_left_to_root(&port.to_string(), &[&own, &roots]);
    // The target is the listener, not the port number.
    let output = Cmd::new(["free", "--yes", &format!("127.0.0.1:{port}")]).user(Some(NOBODY)).run().code(0);
    output.assert(!runs(own.pid()), "its own can be ended");
    must_still_hold(&output, &[&roots]);
}

#[live_test(Linux, Root)]
fn one_protected_port_spares_all_ports() {
    let own = Steps::new([format!("tcp=127.0.0.1:{}", port())]).user(Some(NOBODY)).start();
    let roots = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let target = format!("{},{}", own.port(), roots.port());
    let output = Cmd::new(["free", "--yes", &target]).user(Some(NOBODY)).run().without_panic().code(3);
    must_still_hold(&output, &[&own, &roots]);
}

#[live_test(Linux, Root, Program("setpriv"))]
fn a_visible_protected_holder_spares_all() {
    // It may read every process, but may end only those of nobody.
    let launcher = nobody_with("+sys_ptrace,+dac_read_search");
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork-as=65534".into()]);
    let target = server.port().to_string();
    for options in [&["free", "--yes"][..], &["free", "--yes", "--force", "--timeout=200ms"]] {
        let words = options.iter().copied().chain([&target[..]]);
        let output = Cmd::new(words).through(launcher.clone()).run().without_panic().code(3);
        must_still_hold(&output, &[&server]);
        let reported = lowercase(&output);
        output.assert(
            reported.contains("sudo ") && reported.contains("allears free"),
            "the command with the missing permission is printed",
        );
    }
}

#[live_test(Linux)]
fn an_unseen_holder_is_not_guessed() {
    // In flight from the process to itself, so that no descriptor table has it.
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "in-flight".into()]);
    let output =
        Cmd::new(["free".to_owned(), "--yes".into(), port.to_string()]).run().without_panic().code(3);
    output.assert(runs(server.pid()), "a mere candidate is not ended");
}

#[live_test]
fn targets_without_a_port_are_refused() {
    for arguments in [
        &["free"][..],
        &["free", "0"],
        &["free", "65536"],
        &["free", "--yes", ""],
        &["free", "--nosuch", "80"],
    ] {
        let output = Cmd::new(arguments.iter().copied()).run().without_panic().code(2);
        output
            .assert(output.stdout.is_empty() && !output.stderr.is_empty(), "standard error names the error");
    }
}
