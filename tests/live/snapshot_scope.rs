//! A snapshot answers the request that it was taken for. It denies nothing outside of that request.

#![cfg(unix)]

use crate::support::{Answer, Cmd, Fixture, Output, folder, live_test, port};
use serde_json::json;

/// Saves a snapshot of this machine with these arguments.
fn snapshot(name: &str, arguments: &[&str]) -> String {
    let path = folder().join(name);
    let output = Cmd::new(["--json"].iter().chain(arguments).copied()).run().without_panic();
    std::fs::write(&path, &output.stdout).expect("save a snapshot");
    path.to_str().expect("a path in text").to_owned()
}

/// Runs the program on a snapshot. `question` holds the arguments.
fn ask(snapshot: &str, question: &str) -> Output {
    Cmd::new(["--from", snapshot].into_iter().chain(question.split_whitespace())).run().without_panic()
}

#[track_caller]
fn is_not_answered(snapshot: &str, question: &str, covered: &str) {
    let output = ask(snapshot, question).code(3);
    output.assert(output.errors().contains("the snapshot was not asked about it"), question);
    output.assert(output.errors().contains(&format!("it covers {covered}")), question);
    ask(snapshot, &format!("-q {question}")).code(3);
    let document = Answer::parse(ask(snapshot, &format!("--json {question}")).code(3));
    document.assert_eq(&document.document["complete"], &json!(false), "complete");
    let gaps = document.document["gaps"].to_string();
    document.assert(gaps.contains("\"not-asked\""), "a gap names what the snapshot does not cover");
}

#[live_test]
fn a_port_outside_of_the_request_is_not_denied() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let port = server.port().to_string();
    let other = if server.port() == 9 { "10" } else { "9" };
    let saved = snapshot("question-port", &[other]);
    let covered = format!("tcp and udp listeners on port {other}");
    for question in
        [port.clone(), format!("tcp/{port}"), format!("127.0.0.1:{port}"), format!("{other},{port}")]
    {
        is_not_answered(&saved, &question, &covered);
    }
    let pids = ask(&saved, &format!("--pids {port}")).code(3);
    pids.assert(pids.stdout.is_empty() && pids.errors().contains("was not asked about it"), "no pids");
    // What is found is shown, together with what may be missing.
    let output = ask(&snapshot("question-one", &[&port]), &format!("{port},{other}")).code(0);
    output.assert(output.text().contains(&port), "the row that it has");
    output.assert(
        output.errors().contains(&format!("was not asked about it (port {other})")),
        "what is missing",
    );
}

#[live_test]
fn protocols_families_and_holders_outside_of_the_request_are_not_denied() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let port = server.port().to_string();
    let tcp = snapshot("question-tcp", &["-t", &port]);
    is_not_answered(&tcp, &format!("udp/{port}"), &format!("tcp listeners on port {port}"));
    is_not_answered(&tcp, "-u", &format!("tcp listeners on port {port}"));
    is_not_answered(&tcp, "-x", &format!("tcp listeners on port {port}"));
    ask(&tcp, &port).code(0);
    let ipv4 = snapshot("question-ipv4", &["-4", &port]);
    is_not_answered(&ipv4, &format!("-6 {port}"), &format!("tcp and udp listeners over IPv4 on port {port}"));
    let whole = snapshot("question-whole", &[]);
    is_not_answered(&whole, "-x", "tcp and udp listeners");
    let exposed = snapshot("question-exposed", &["--exposed"]);
    is_not_answered(&exposed, &port, "tcp and udp listeners that other machines can reach");
    ask(&exposed, &format!("--exposed {port}")).code(1);
    let pid = server.pid().to_string();
    let held = snapshot("question-pid", &["--pid", &pid]);
    is_not_answered(&held, "--pid 1", &format!("tcp and udp listeners held by pid {pid}"));
    is_not_answered(&held, "9", &format!("tcp and udp listeners held by pid {pid}"));
    ask(&held, &format!("--pid {pid} {port}")).code(0);
}

#[live_test]
fn another_kind_of_request_is_refused() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let port = server.port().to_string();
    let saved = snapshot("question-kind", &[&port]);
    for option in ["--all", "--connections", "--all-namespaces"] {
        is_not_answered(
            &saved,
            &format!("{option} {port}"),
            &format!("tcp and udp listeners on port {port}"),
        );
    }
    for option in ["--all", "--connections"] {
        let saved = snapshot(&format!("question{option}"), &[option, &port]);
        ask(&saved, &format!("{option} {port}")).code(0);
    }
}

#[live_test]
fn what_was_requested_is_answered() {
    let place = port();
    let saved = snapshot("question-answered", &["1-10", &format!("tcp/{place}")]);
    let output = ask(&saved, &format!("tcp/{place}")).code(1);
    output.assert(output.text().starts_with("nothing listens on"), "it is denied");
    let output = ask(&snapshot("question-free", &[&place.to_string()]), "").code(1);
    let denied =
        format!("there is nothing in this snapshot, which covers tcp and udp listeners on port {place}\n");
    output.assert_eq(output.text(), denied.as_str(), "only what was requested is denied");
}

#[live_test]
fn two_disjoint_requests_are_not_compared() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let port = server.port().to_string();
    let other = if server.port() == 9 { "10" } else { "9" };
    let sides = [snapshot("question-left", &[&port]), snapshot("question-right", &[other])];
    let diff = |options: &[&str]| {
        let sides = sides.iter().map(String::as_str);
        Cmd::new(["diff"].into_iter().chain(options.iter().copied()).chain(sides)).run().code(3)
    };
    let output = diff(&[]);
    output.assert(output.errors().contains("neither snapshot was asked about what the other covers"), "why");
    let document = Answer::parse(diff(&["--json"])).document;
    output.assert_eq(&document["complete"], &json!(false), "complete");
    output.assert_eq(&document["changes"], &json!([]), "nothing is closed or opened");
}
