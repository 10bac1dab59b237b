//! What `free` reports of a holder and does with it: its other sockets, signals, many holders, ranges, doubt.

#![cfg(unix)]

use crate::free::{freed, must_be_free, must_still_hold, steps};
use crate::support::{
    Cmd, Fixture, JsonOutput, NOBODY, Steps, folder, in_new_netns, live_test, port, runs, stop,
    without_host_containers,
};
use serde_json::{Value, json};

#[live_test(Linux)]
fn the_other_sockets_of_a_holder_are_named() {
    let name = format!("@allears-free-{}", std::process::id());
    let [requested, tcp, udp] = [port(), port(), port()];
    let server = Fixture::start([
        format!("tcp=127.0.0.1:{requested}"),
        format!("tcp=127.0.0.1:{tcp}"),
        format!("udp=127.0.0.1:{udp}"),
        format!("unix={name}"),
    ]);
    let target = requested.to_string();
    let output = Cmd::new(["free", "-n", &target]).run().code(1);
    for named in [format!("tcp/{tcp}"), format!("udp/{udp}"), name] {
        output.assert(output.text().contains(&named), &format!("{named} is named"));
    }
    must_still_hold(&output, &[&server]);

    let many = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "many=50".into()]);
    let output = Cmd::new(["free".to_owned(), "-n".into(), many.port().to_string()]).run().code(1);
    output.assert(
        output.text().contains("42 more"),
        "the first eight of many are named, and the number of the others",
    );
}

#[live_test(Linux)]
fn a_holder_of_both_protocols_is_ended() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), format!("udp=127.0.0.1:{port}")]);
    let output = Cmd::new(["free".to_owned(), "--yes".into(), port.to_string()]).run().code(0);
    output.assert(output.text().contains(&format!("udp/{port}")), "it reports that it goes too");
    output.assert(!output.text().contains("left alone"), "it is ended too");
    output.assert(!runs(server.pid()), "it has ended");
}

#[live_test(Linux)]
fn the_first_signal_can_be_chosen() {
    // It ignores SIGTERM, so another signal has ended it.
    for option in [&["-9"][..], &["--signal", "INT"], &["--signal=USR1"], &["--signal", "KILL"]] {
        let server = Fixture::start(["ignore-term".into(), format!("tcp=127.0.0.1:{}", port())]);
        let answer = freed(&[&["--yes"][..], option, &[&server.port().to_string()]].concat(), 0);
        must_be_free(&answer.output, server.port(), &[server.pid()]);
    }
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let output =
        Cmd::new(["free".to_owned(), "--signal=STOP".into(), server.port().to_string()]).run().code(2);
    must_still_hold(&output, &[&server]);
}

#[live_test(Linux)]
fn a_stopped_holder_is_explained() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    stop(server.pid());
    let target = server.port().to_string();
    let resume = format!("kill -CONT {}", server.pid());
    for (options, code) in [(&["-n"][..], 1), (&["--yes", "--timeout=100ms"], 1)] {
        let words = ["free"].iter().chain(options).copied().chain([&target[..]]);
        let output = Cmd::new(words).run().code(code);
        output.assert(output.text().contains(&resume), "the command that resumes it is printed");
        output.assert(runs(server.pid()), "it has not ended");
    }
    let output = Cmd::new(["free", "--yes", "-f", "--timeout=100ms", &target]).run().code(0);
    must_be_free(&output, server.port(), &[server.pid()]);
}

#[live_test(Linux)]
fn a_holder_that_exits_meanwhile_is_not_a_failure() {
    for run in 0..30_u64 {
        let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
        let cmd = Cmd::new(["free".to_owned(), "--yes".into(), server.port().to_string()]).start();
        std::thread::sleep(std::time::Duration::from_millis(run));
        drop(server);
        cmd.wait().without_panic().code(0);
    }
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn unknown_values_are_null() {
    in_new_netns(|| {
        let alone = Cmd::new(["free", "--json", "80"]).user(Some(NOBODY)).run().code(3);
        let answer = JsonOutput::parse(alone);
        answer.assert_eq(&answer.document["free"], &Value::Null, "free");
        answer.assert_eq(&answer.document["target"]["port"], &json!(80), "port");
        let both =
            JsonOutput::parse(Cmd::new(["free", "--json", "80", "8080"]).user(Some(NOBODY)).run().code(3));
        both.assert_eq(&both.document["free"], &Value::Null, "free of all");
        both.assert_eq(&both.document["ports"][1]["free"], &json!(true), "free of the other");
        let root = JsonOutput::parse(Cmd::new(["free", "--json", "80"]).run().code(0));
        root.assert_eq(&root.document["free"], &json!(true), "root can tell");
    });
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn an_unused_range_is_a_document() {
    let first = port();
    let answer = JsonOutput::parse(
        Cmd::new(["free".to_owned(), "--json".into(), format!("{first}-{first}")]).run().code(0),
    );
    answer.assert_eq(&answer.document["free"], &json!(true), "free");
    let two = JsonOutput::parse(in_new_netns(|| Cmd::new(["free", "--json", "4000-4001"]).run().code(0)));
    two.assert_eq(&two.document["free"], &json!(true), "free");
    two.assert_eq(&two.document["ports"], &json!([]), "nothing is planned");
}

#[live_test(Linux, Root, STRACE, NETWORK_NAMESPACE)]
fn a_dry_run_scans_once_for_a_range() {
    let requests = |ports: usize| {
        in_new_netns(|| {
            let _server = Fixture::start([format!("many={ports}")]);
            let log = folder().join(format!("free-strace-{ports}"));
            let file = log.display().to_string();
            let strace = ["strace", "-f", "-qq", "-e", "trace=socket,getdents64", "-o", &file];
            let output = Cmd::new(["free", "--json", "-n", "1024-65535"]).through(strace).run().code(1);
            let answer = JsonOutput::parse(output);
            let planned = answer.document["ports"].as_array().map_or(0, Vec::len);
            answer.assert_eq(planned, ports, "a plan for each port");
            std::fs::read_to_string(log)
                .expect("the trace")
                .lines()
                .filter(|line| line.contains("NETLINK"))
                .count()
        })
    };
    let (few, many) = (requests(5), requests(300));
    assert!(few > 0, "the table is read");
    // A scan that is disturbed is repeated; the number of ports does not matter.
    assert!(many < few + 50, "the table is read {few} times for 5 ports and {many} times for 300");
}

#[live_test(Linux, Root, Program("prlimit"))]
fn more_holders_than_descriptors() {
    let _quiet = without_host_containers();
    let server =
        Steps::new([format!("tcp=127.0.0.1:{}", port()), "fork=1100".into()]).user(Some(NOBODY)).start();
    let target = server.port().to_string();
    let cmd = |words: &[&str]| {
        Cmd::new(words.iter().copied().chain([&target[..]]))
            .user(Some(NOBODY))
            .through(["prlimit", "--nofile=1024:1024"])
    };
    let dry = JsonOutput::parse(cmd(&["free", "--json", "-n"]).run().without_panic().code(1));
    dry.assert_eq(steps(&dry, "plan"), server.family(), "all of them");
    let done = JsonOutput::parse(cmd(&["free", "--json", "--yes"]).run().without_panic().code(0));
    must_be_free(&done.output, server.port(), &server.family());
}

#[live_test(Linux)]
fn force_spares_a_process_that_closed_the_port() {
    // The first closes the socket and keeps running, the second never ends.
    let address = format!("tcp=127.0.0.1:{}", port());
    let lets_go = Fixture::start(["reuseport".into(), address.clone(), "on-term=close".into()]);
    let stays = Fixture::start(["reuseport".into(), address, "ignore-term".into()]);
    let answer = freed(&["--yes", "--force", "--timeout=500ms", &stays.port().to_string()], 0);
    must_be_free(&answer.output, stays.port(), &[stays.pid()]);
    answer.assert(runs(lets_go.pid()), "a process that closed the port may finish its work");
}

#[live_test(Linux)]
fn the_question_names_the_holder() {
    let project = folder().join("free-shop");
    std::fs::create_dir_all(project.join(".git")).expect("make a folder");
    std::fs::write(project.join(".git/HEAD"), "ref: refs/heads/checkout-\u{202e}x\n").expect("write HEAD");
    std::fs::write(project.join("package.json"), "{}").expect("write a package");
    let room = format!("pad={}", "x".repeat(60));
    let listen = format!("tcp=127.0.0.1:{}", port());
    let server =
        Steps::new([room, "arguments=node server.js".to_owned(), listen]).directory(&project).start();
    let output = Cmd::new(["free".to_owned(), server.port().to_string()])
        .start_on_terminal()
        .wait_for_question()
        .type_in("n\n");
    let screen = output.text();
    let question = screen.split("End ").nth(1).unwrap_or_default();
    for part in ["node server.js", "free-shop", "checkout-", "started "] {
        output.assert(question.contains(part), &format!("{part} is in the question"));
    }
    output.assert(!question.contains('\u{202e}'), "a branch's name does nothing to the terminal");
    must_still_hold(&output, &[&server]);
}
