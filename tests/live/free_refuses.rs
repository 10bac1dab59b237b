//! What `free` does not do, and says why: the first process, itself and whoever started it, what others own,
//! what nobody confirmed. Whatever it refuses, nobody was signalled.

use crate::free::{must_still_hold, runs};
use crate::stage::{Fixture, Look, NOBODY, Need, Seen, Steps, fixture_program, on_one_port, port};
use crate::unprivileged::nobody_with;

cases![
    without_a_terminal_it_wants_to_be_told[Need::Linux],
    a_range_wants_to_be_told_too[Need::Linux],
    the_first_process_is_never_ended[
        Need::Linux,
        Need::Root,
        Need::Program("nsenter"),
        Need::NETWORK_NAMESPACE,
        Need::PID_NAMESPACE
    ],
    whoever_started_it_is_never_ended[Need::Linux],
    whoever_started_that_is_never_ended[Need::Linux],
    it_never_ends_itself[Need::Linux],
    what_roots_process_holds_is_left_to_root[Need::Linux, Need::Root],
    one_of_several_that_is_out_of_reach_spares_all[Need::Linux, Need::Root],
    one_of_several_listeners_out_of_reach_spares_all[Need::Linux, Need::Root],
    one_of_several_ports_out_of_reach_spares_all[Need::Linux, Need::Root],
    a_holder_seen_and_out_of_reach_spares_all[Need::Linux, Need::Root, Need::Program("setpriv")],
    a_holder_that_cannot_be_found_is_not_guessed[Need::Linux],
    targets_without_a_port_are_refused[],
];

fn told(seen: &Seen) -> String {
    (seen.text().to_owned() + &seen.errors()).to_lowercase()
}

fn without_a_terminal_it_wants_to_be_told() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=1".into()]);
    let target = server.port().to_string();
    for arguments in
        [vec!["free", &target], vec!["free", "--force", &target], vec!["free", "--json", &target]]
    {
        let seen = Look::at(arguments).run().without_panic().code(3);
        seen.must(told(&seen).contains("--yes"), "it says what it wants");
        must_still_hold(&seen, &[&server]);
    }
}

fn a_range_wants_to_be_told_too() {
    let servers = [(); 2].map(|()| Fixture::start([format!("tcp=127.0.0.1:{}", port())]));
    let ports = servers.each_ref().map(Fixture::port);
    let targets = [
        format!("{}-{}", ports[0].min(ports[1]), ports[0].max(ports[1])),
        format!("{},{}", ports[0], ports[1]),
    ];
    for target in targets {
        let seen = Look::at(["free", &target]).run().without_panic().code(3);
        seen.must(told(&seen).contains("--yes"), "it says what it wants");
        must_still_hold(&seen, &[&servers[0], &servers[1]]);
        let asked = Look::at(["free", &target]).converse().type_in("y\ny\n").code(3);
        asked.must(told(&asked).contains("--yes"), "on a terminal too");
        must_still_hold(&asked, &[&servers[0], &servers[1]]);
    }
}

fn the_first_process_is_never_ended() {
    let port = 8080;
    let server = Fixture::start([
        "namespace=net,pid,mount".to_owned(),
        format!("tcp=127.0.0.1:{port}"),
        "fork=1".into(),
    ]);
    for options in [&["free", "--yes"][..], &["free", "--yes", "--force", "--timeout=200ms"]] {
        let words = options.iter().copied().chain(["8080"]);
        let seen =
            Look::at(words).inside(server.pid(), ["net", "pid", "mount"]).run().without_panic().code(3);
        seen.must(told(&seen).contains("pid 1"), "the reason is named");
        let still = Look::at(["--pids", "8080"]).inside(server.pid(), ["net", "pid", "mount"]).run().code(0);
        seen.equal(still.text().lines().count(), 2, "nor was its child ended: all holders or none");
    }
}

/// What stands before the program: the fixture listens and becomes a shell, which closes the socket for what
/// it starts, so that it alone holds it; and is there at the end to tell how that ended.
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
        // Were the shell ended, so would be the test's own child, by a signal.
        let seen = Look::at(words).through(in_a_shell_that_holds(port, script)).run().without_panic().code(3);
        let reason = ["ancestor", "parent", "started"].iter().any(|word| told(&seen).contains(word));
        seen.must(reason, "the reason is named");
    }
}

const CLOSED: &str = "3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-";

fn whoever_started_it_is_never_ended() {
    must_spare_its_ancestor(&format!("\"$@\" {CLOSED}; exit $?"));
}

fn whoever_started_that_is_never_ended() {
    must_spare_its_ancestor(&format!("sh -c '\"$@\"; exit $?' sh \"$@\" {CLOSED}; exit $?"));
}

fn it_never_ends_itself() {
    let port = port();
    let fixture = fixture_program();
    let fixture = fixture.to_str().expect("the path of the fixture is text").to_owned();
    let launcher = [fixture, format!("tcp=127.0.0.1:{port}"), "exec".to_owned()];
    for options in [&["free", "--yes"][..], &["free", "--yes", "--force", "--timeout=200ms"]] {
        let words = options.iter().map(|word| (*word).to_owned()).chain([port.to_string()]);
        let seen = Look::at(words).through(launcher.clone()).run().without_panic().code(3);
        seen.must(told(&seen).contains("itself"), "the reason is named");
    }
}

#[track_caller]
fn must_be_left_to_root(target: &str, servers: &[&Fixture]) {
    for options in [&["free", "--yes"][..], &["free", "--yes", "--force", "--timeout=200ms"]] {
        let words = options.iter().copied().chain([target]);
        let seen = Look::at(words).user(Some(NOBODY)).run().without_panic().code(3);
        must_still_hold(&seen, servers);
        let command = format!("sudo allears free {target}");
        // The path that it is called by is not one of sudo's.
        let told = told(&seen);
        let told = told.contains("sudo ") && told.contains(&format!("allears free {target}"));
        seen.must(told, &format!("the command that has the right is told, as in {command}"));
    }
    for server in servers {
        assert!(server.family().into_iter().all(runs), "nobody was ended");
    }
}

fn what_roots_process_holds_is_left_to_root() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=1".into()]);
    must_be_left_to_root(&server.port().to_string(), &[&server]);
}

fn one_of_several_that_is_out_of_reach_spares_all() {
    // Root's process shares its listener with one of nobody, who may end the second and not the first.
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork-as=65534".into()]);
    must_be_left_to_root(&server.port().to_string(), &[&server]);
}

fn one_of_several_listeners_out_of_reach_spares_all() {
    let (port, [own, roots]) = on_one_port(|port| {
        let [own, roots] =
            ["127.0.0.1", "127.0.0.2"].map(|address| Steps::new([format!("tcp={address}:{port}")]));
        [own.user(Some(NOBODY)), roots]
    });
    must_be_left_to_root(&port.to_string(), &[&own, &roots]);
    // What is asked about is the listener, not the number.
    let seen = Look::at(["free", "--yes", &format!("127.0.0.1:{port}")]).user(Some(NOBODY)).run().code(0);
    seen.must(!runs(own.pid()), "its own can be ended");
    must_still_hold(&seen, &[&roots]);
}

fn one_of_several_ports_out_of_reach_spares_all() {
    let own = Steps::new([format!("tcp=127.0.0.1:{}", port())]).user(Some(NOBODY)).start();
    let roots = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let target = format!("{},{}", own.port(), roots.port());
    let seen = Look::at(["free", "--yes", &target]).user(Some(NOBODY)).run().without_panic().code(3);
    must_still_hold(&seen, &[&own, &roots]);
}

fn a_holder_seen_and_out_of_reach_spares_all() {
    // It may look at every process, and end those of nobody alone.
    let launcher = nobody_with("+sys_ptrace,+dac_read_search");
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork-as=65534".into()]);
    let target = server.port().to_string();
    for options in [&["free", "--yes"][..], &["free", "--yes", "--force", "--timeout=200ms"]] {
        let words = options.iter().copied().chain([&target[..]]);
        let seen = Look::at(words).through(launcher.clone()).run().without_panic().code(3);
        must_still_hold(&seen, &[&server]);
        let told = told(&seen);
        seen.must(
            told.contains("sudo ") && told.contains("allears free"),
            "the command that has the right is told",
        );
    }
}

fn a_holder_that_cannot_be_found_is_not_guessed() {
    // On its way from the process to itself: no descriptor table has it.
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "in-flight".into()]);
    let seen = Look::at(["free".to_owned(), "--yes".into(), port.to_string()]).run().without_panic().code(3);
    seen.must(runs(server.pid()), "who may have it and was not seen to is spared");
}

fn targets_without_a_port_are_refused() {
    for arguments in [
        &["free"][..],
        &["free", "0"],
        &["free", "65536"],
        &["free", "--yes", ""],
        &["free", "--nosuch", "80"],
    ] {
        let seen = Look::at(arguments.iter().copied()).run().without_panic().code(2);
        seen.must(seen.stdout.is_empty() && !seen.stderr.is_empty(), "standard error says what is wrong");
    }
}
