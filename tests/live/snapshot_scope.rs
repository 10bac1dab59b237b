//! A snapshot answers the request that it was taken for. It denies nothing outside of that request.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, Output, folder, live_test, port};
use serde_json::json;

/// Saves a snapshot of this machine with these arguments.
fn snapshot(name: &str, arguments: &[&str]) -> String {
    let path = folder().join(name);
    let output = Cmd::new(["--json"].iter().chain(arguments).copied()).run().without_panic();
    std::fs::write(&path, &output.stdout).expect("save a snapshot");
    path.to_str().expect("a path in text").to_owned()
}

/// Runs the program on a snapshot. `question` holds the arguments.
fn run_on(snapshot: &str, question: &str) -> Output {
    Cmd::new(["--from", snapshot].into_iter().chain(question.split_whitespace())).run().without_panic()
}

#[track_caller]
fn must_be_refused(snapshot: &str, question: &str, covered: &str) {
    let output = run_on(snapshot, question).code(3);
    output.assert(output.errors().contains("the snapshot was not asked about it"), question);
    output.assert(output.errors().contains(&format!("it covers {covered}")), question);
    run_on(snapshot, &format!("-q {question}")).code(3);
    let document = JsonOutput::parse(run_on(snapshot, &format!("--json {question}")).code(3));
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
        must_be_refused(&saved, &question, &covered);
    }
    let pids = run_on(&saved, &format!("--pids {port}")).code(3);
    pids.assert(pids.stdout.is_empty() && pids.errors().contains("was not asked about it"), "no pids");
    // What is found is shown, together with what may be missing.
    let output = run_on(&snapshot("question-one", &[&port]), &format!("{port},{other}")).code(0);
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
    must_be_refused(&tcp, &format!("udp/{port}"), &format!("tcp listeners on port {port}"));
    must_be_refused(&tcp, "-u", &format!("tcp listeners on port {port}"));
    must_be_refused(&tcp, "-x", &format!("tcp listeners on port {port}"));
    run_on(&tcp, &port).code(0);
    let ipv4 = snapshot("question-ipv4", &["-4", &port]);
    must_be_refused(&ipv4, &format!("-6 {port}"), &format!("tcp and udp listeners over IPv4 on port {port}"));
    let whole = snapshot("question-whole", &[]);
    must_be_refused(&whole, "-x", "tcp and udp listeners");
    let exposed = snapshot("question-exposed", &["--exposed"]);
    must_be_refused(&exposed, &port, "tcp and udp listeners that other machines can reach");
    run_on(&exposed, &format!("--exposed {port}")).code(1);
    let pid = server.pid().to_string();
    let held = snapshot("question-pid", &["--pid", &pid]);
    must_be_refused(&held, "--pid 1", &format!("tcp and udp listeners held by pid {pid}"));
    must_be_refused(&held, "9", &format!("tcp and udp listeners held by pid {pid}"));
    run_on(&held, &format!("--pid {pid} {port}")).code(0);
}

#[live_test]
fn another_kind_of_request_is_refused() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let port = server.port().to_string();
    let saved = snapshot("question-kind", &[&port]);
    for option in ["--all", "--connections", "--all-namespaces"] {
        must_be_refused(
            &saved,
            &format!("{option} {port}"),
            &format!("tcp and udp listeners on port {port}"),
        );
    }
    for option in ["--all", "--connections"] {
        let saved = snapshot(&format!("question{option}"), &[option, &port]);
        run_on(&saved, &format!("{option} {port}")).code(0);
    }
}

#[live_test]
fn requests_within_the_scope_are_answered() {
    let place = port();
    let saved = snapshot("question-answered", &["1-10", &format!("tcp/{place}")]);
    let output = run_on(&saved, &format!("tcp/{place}")).code(1);
    output.assert(output.text().starts_with("nothing listens on"), "it is denied");
    let output = run_on(&snapshot("question-free", &[&place.to_string()]), "").code(1);
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
    output.assert(output.errors().contains("the snapshots cover nothing in common"), "why");
    let document = JsonOutput::parse(diff(&["--json"])).document;
    output.assert_eq(&document["complete"], &json!(false), "complete");
    output.assert_eq(&document["changes"], &json!([]), "nothing is closed or opened");
}
