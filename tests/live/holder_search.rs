//! The two searches for holders: a walk through /proc and a BPF iterator. They agree on what both can see. If one is
//! unavailable, that is reported and the other answers.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, NOBODY, folder, holders, live_test, pids, port, until};
use serde_json::json;

/// Runs the same scan with each search.
#[track_caller]
fn run_both(arguments: &[&str]) -> [JsonOutput; 2] {
    ["walk", "bpf"].map(|search| {
        let all = ["--holders", search].into_iter().chain(arguments.iter().copied());
        Cmd::new(all).answer(0)
    })
}

#[track_caller]
fn must_be_the_same(arguments: &[&str], wanted: Vec<u32>) -> JsonOutput {
    let [walk, bpf] = run_both(arguments);
    bpf.assert_eq(bpf.listeners(), walk.listeners(), "the result of the walk");
    bpf.assert_eq(pids(bpf.only()), wanted, "holders");
    for holder in holders(bpf.only()) {
        bpf.assert_eq(&holder["evidence"], &json!("descriptor"), "evidence");
    }
    bpf
}

#[live_test(Linux, BPF_ITERATOR)]
fn both_searches_agree() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "dup=3".into(), "fork=3".into()]);
    let answer = must_be_the_same(&[&format!("tcp/{port}")], server.family());
    let reported = &server.socket(0)["descriptors"];
    for holder in holders(answer.only()) {
        answer.assert_eq(&holder["descriptors"], reported, "descriptors");
    }
    let unix = folder().join(format!("both-{port}"));
    let path = unix.to_str().expect("its path is text").to_owned();
    let server = Fixture::start([format!("unix={path}")]);
    must_be_the_same(&[&path], vec![server.pid()]);
}

#[live_test(Linux, BPF_ITERATOR)]
fn both_searches_agree_on_many_files() {
    // So many that the iterator is shared among threads.
    let _crowd = [(); 4].map(|()| Fixture::start(["idle=14000"]));
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "dup=3".into(), "fork=3".into()]);
    let [own, left] = [crate::support::port(), crate::support::port()];
    let threads = [
        Fixture::start([format!("own-table=127.0.0.1:{own}")]),
        Fixture::start([format!("tcp=127.0.0.1:{left}"), "leave-main".to_owned()]),
    ];
    must_be_the_same(&[&format!("tcp/{port}")], server.family());
    for (port, server) in [own, left].into_iter().zip(&threads) {
        must_be_the_same(&[&format!("tcp/{port}")], vec![server.pid()]);
    }
}

#[live_test(Linux, BPF_ITERATOR)]
fn both_searches_see_tables_of_threads() {
    let [one, other] = [port(), port()];
    let server = Fixture::start([format!("own-table=127.0.0.1:{one}")]);
    must_be_the_same(&[&format!("tcp/{one}")], vec![server.pid()]);
    let server = Fixture::start([format!("tcp=127.0.0.1:{other}"), "leave-main".to_owned()]);
    must_be_the_same(&[&format!("tcp/{other}")], vec![server.pid()]);
}

#[live_test(Linux, BPF_ITERATOR, IoUring)]
fn both_searches_see_sockets_in_no_table() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "ring".to_owned()]);
    must_be_the_same(&[&format!("tcp/{port}")], vec![server.pid()]);
    let port = crate::support::port();
    let _sender = Fixture::start([format!("tcp=127.0.0.1:{port}"), "in-flight".to_owned()]);
    // Other tests briefly hide sockets of the same user, which may be the ones seen here.
    let alike = || {
        let [walk, bpf] = run_both(&[&format!("tcp/{port}")]);
        let same = bpf.listeners() == walk.listeners();
        (same && bpf.only()["unseen"]["reason"] == "in-flight").then_some(())
    };
    until(alike).expect("both report that it is in flight, with the same candidates");
}

#[live_test(Linux, BPF_ITERATOR, NETWORK_NAMESPACE, PID_NAMESPACE)]
fn both_searches_see_other_namespaces() {
    let port = port();
    let steps = ["namespace=net,pid,mount".to_owned(), format!("tcp=127.0.0.1:{port}"), "fork=2".to_owned()];
    let server = Fixture::start(steps);
    let [walk, bpf] = run_both(&["--all-namespaces", &format!("tcp/{port}")]);
    bpf.assert_eq(bpf.listeners(), walk.listeners(), "the result of the walk");
    bpf.assert_eq(holders(bpf.only()).len(), 3, "holders, by their pids here");
    bpf.assert(pids(bpf.only()).contains(&server.pid()), "the one that was started");
}

#[live_test(Linux, BPF_ITERATOR)]
fn the_iterator_causes_no_wrong_name() {
    let port = port();
    let steady = Fixture::start([format!("tcp=127.0.0.1:{port}"), "fork=2".into()]);
    let _churn = Fixture::start(["churn=16"]);
    for _ in 0..1000 {
        let answer = Cmd::new(["--holders", "bpf"]).answer(0);
        let listener = answer.by_inode(steady.inode(0));
        answer.assert_eq(pids(listener), steady.family(), "holders of the listener that stays");
        for listener in answer.listeners() {
            for holder in holders(listener) {
                let named: Option<u64> =
                    holder["name"].as_str().and_then(|name| name.strip_prefix('p')?.parse().ok());
                if let Some(named) = named {
                    answer.assert_eq(&json!(named), &listener["port"], "the port in the name of the holder");
                }
            }
        }
    }
}

#[live_test(Linux, BPF_ITERATOR)]
fn a_changing_name_is_one_of_its_names() {
    let port = port();
    let server =
        Fixture::start([format!("tcp=127.0.0.1:{port}"), "rename-ever=called-a,called-b".to_owned()]);
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let answer = Cmd::new(["--holders", "bpf", &format!("tcp/{port}")]).answer(0);
        let holder = answer.only_holder(answer.only());
        answer.assert_eq(&holder["pid"], &json!(server.pid()), "pid");
        let name = holder["name"].as_str().unwrap_or_default().to_owned();
        answer.assert(
            ["fixture", "called-a", "called-b"].contains(&name.as_str()),
            "one of the names it has had",
        );
        names.insert(name);
    }
    assert!(names.len() > 1, "it was never seen under a second name");
}

#[live_test(Linux, Root)]
fn an_unavailable_iterator_is_an_error() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let target = format!("tcp/{port}");
    let output = Cmd::new(["--holders", "bpf", &target]).user(Some(NOBODY)).run().code(3);
    output.assert(output.errors().contains("CAP_BPF"), "it names the missing permissions");
    output.assert_eq(output.text(), "", "standard output");
    let quiet = Cmd::new(["-q", "--holders", "bpf", &target]).user(Some(NOBODY)).run().code(3);
    quiet.assert(quiet.stderr.is_empty(), "a failure is no answer, and -q prints nothing about it");
    let output = Cmd::new(["--verbose", &target]).user(Some(NOBODY)).run().code(0);
    output.assert(output.errors().contains("by a walk"), "it reports the walk");
    let answer =
        Cmd::new([&target]).through(["setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin"]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holders by the walk");
    let through = ["setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin"];
    Cmd::new(["--holders", "bpf", &target]).through(through).run().code(3);
}

#[live_test(Linux, BPF_ITERATOR, TIME_NAMESPACE)]
fn the_iterator_is_not_used_in_a_time_namespace() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let target = format!("tcp/{port}");
    let through = ["unshare", "--time", "--fork", "--boottime=3600"];
    let output = Cmd::new(["--holders", "bpf", &target]).through(through).run().code(3);
    output.assert(output.errors().contains("time namespace"), "it gives the reason");
    let answer = Cmd::new([&target]).through(through).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holders by the walk");
}

#[live_test(Linux, Root, Program("nsenter"), PID_NAMESPACE)]
fn the_iterator_is_not_used_in_a_pid_namespace() {
    let port = port();
    let server = Fixture::start(["namespace=pid,mount".to_owned(), format!("tcp=127.0.0.1:{port}")]);
    let target = format!("tcp/{port}");
    let inside = |cmd: Cmd| cmd.inside(server.pid(), ["pid", "mount"]);
    let output = inside(Cmd::new(["--holders", "bpf", &target])).run().code(3);
    output.assert(output.errors().contains("pid namespace"), "it gives the reason");
    let answer = inside(Cmd::new([&target])).answer(0);
    answer.assert_eq(pids(answer.only()), vec![1], "the holder, with its pid there");
}

#[live_test(Linux, BPF_ITERATOR, STRACE)]
fn nothing_stays_in_the_kernel() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let trace = folder().join(format!("calls-{port}"));
    let trace = trace.to_str().expect("its path is text");
    let through = ["strace", "-f", "-e", "trace=bpf", "-o", trace];
    let output = Cmd::new(["--holders", "bpf", &format!("tcp/{port}")]).through(through).run().code(0);
    let calls = std::fs::read_to_string(trace).expect("the trace");
    let commands: Vec<&str> = calls
        .lines()
        .filter_map(|line| line.split_once("bpf(").and_then(|(_, rest)| rest.split([',', ')']).next()))
        // Only checks whether programs select sockets for connections; creates nothing.
        .filter(|command| *command != "BPF_PROG_QUERY")
        .collect();
    let wanted =
        ["BPF_MAP_CREATE", "BPF_MAP_UPDATE_ELEM", "BPF_PROG_LOAD", "BPF_LINK_CREATE", "BPF_ITER_CREATE"];
    output.assert_eq(commands, wanted.to_vec(), "its calls of bpf(2): nothing is pinned");
    output.assert(calls.contains("license=\"Dual MIT/GPL\""), "the program's licence is declared");
    // The kernel sets close-on-exec on these descriptors, and only this process has them, so they end with it.
    output.assert(calls.contains("BPF_PROG_TYPE_TRACING"), "the only kind of program there is");
}

#[live_test(Linux, BPF_ITERATOR)]
fn the_search_is_named_on_request() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let said = |search: &str| {
        Cmd::new(["--verbose", "--holders", search, &format!("tcp/{port}")]).run().code(0).errors()
    };
    assert!(said("bpf").contains("by the BPF iterator task_file"), "{}", said("bpf"));
    assert!(said("walk").contains("by a walk through /proc"), "{}", said("walk"));
    let silent = Cmd::new([format!("tcp/{port}")]).run().code(0);
    silent.assert(!silent.errors().contains("verbose"), "it does not report it by default");
}
