//! Formats for scripts: JSON with every key, NDJSON and CSV that agree with it, pids, exit codes. They are the same on
//! every operating system.

use crate::support::{Cmd, Fixture, JsonOutput, holders, is_root, live_test, pids, port};
use serde_json::{Map, Value, json};

const DOCUMENT: [&str; 8] =
    ["schema", "host", "os", "taken_at", "privileged", "complete", "listeners", "gaps"];
const LISTENER: [&str; 19] = [
    "protocol",
    "family",
    "address",
    "port",
    "path",
    "interface",
    "state",
    "dual_stack",
    "exposure",
    "inode",
    "uid",
    "user",
    "queue",
    "namespace",
    "service",
    "container",
    "holders",
    "unseen",
    "note",
];
const HOLDER: [&str; 13] = [
    "pid",
    "name",
    "command",
    "executable",
    "directory",
    "uid",
    "user",
    "started_at",
    "descriptors",
    "evidence",
    "parents",
    "service",
    "container",
];

fn must_have(answer: &JsonOutput, value: &Value, keys: &[&str], what: &str) {
    let Some(object) = value.as_object() else { answer.fail(&format!("{what} is no object")) };
    for key in keys {
        answer.assert(object.contains_key(*key), &format!("{what} has no key {key}"));
    }
}

#[live_test]
fn json_has_every_key_of_the_contract() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), format!("udp=127.0.0.1:{port}")]);
    let answer = Cmd::new([port.to_string()]).answer(0);
    let document = &answer.document;
    must_have(&answer, document, &DOCUMENT, "the document");
    answer.assert_eq(&document["schema"], &json!("allears/1"), "schema");
    answer.assert_eq(&document["os"], &json!(std::env::consts::OS), "os");
    if cfg!(unix) {
        answer.assert_eq(&document["privileged"], &json!(is_root()), "privileged");
    }
    answer.assert(document["complete"].is_boolean(), "complete is true or false");
    let taken: Option<jiff::Timestamp> = document["taken_at"].as_str().and_then(|at| at.parse().ok());
    let age = taken.map(|taken| jiff::Timestamp::now().as_second() - taken.as_second());
    answer.assert(age.is_some_and(|age| (-2..=60).contains(&age)), "taken_at is now");
    answer.assert_eq(answer.listeners().len(), 2, "listeners");
    for listener in answer.listeners() {
        must_have(&answer, listener, &LISTENER, "a listener");
        answer.assert_eq(&listener["port"], &json!(port), "port");
        answer.assert_eq(&listener["path"], &json!(null), "path");
        let queue = &listener["queue"];
        answer.assert(queue.is_null() || queue.get("waiting").is_some(), "queue is null or has `waiting`");
        answer.assert_eq(pids(listener), vec![server.pid()], "holder");
        for holder in holders(listener) {
            must_have(&answer, holder, &HOLDER, "a holder");
        }
    }
}

#[live_test]
fn json_of_nothing_is_a_whole_document() {
    let answer = Cmd::new([port().to_string()]).answer(1);
    must_have(&answer, &answer.document, &DOCUMENT, "the document");
    answer.assert_eq(&answer.document["listeners"], &json!([]), "listeners");
    answer.assert_eq(&answer.document["complete"], &json!(true), "complete agrees with exit code 1");
}

fn two_servers() -> (String, [Fixture; 2]) {
    let [one, other] = [port(), port()];
    let servers = [
        Fixture::start([format!("tcp=127.0.0.1:{one}"), format!("udp=127.0.0.1:{one}")]),
        Fixture::start([format!("tcp=127.0.0.1:{other}")]),
    ];
    (format!("{one},{other}"), servers)
}

#[live_test]
fn ndjson_agrees_with_json() {
    let (target, _servers) = two_servers();
    let answer = Cmd::new([&target]).answer(0);
    let output = Cmd::new(["--ndjson", &target]).run().code(0);
    output.assert(output.text().ends_with('\n'), "the last line ends too");
    let mut listeners = Vec::new();
    let mut gaps = 0;
    for line in output.text().lines() {
        let Ok(mut line) = serde_json::from_str::<Map<String, Value>>(line) else {
            output.fail(&format!("a line is no JSON object: {line}"));
        };
        let schema = line.remove("schema");
        output.assert_eq(schema, Some(json!("allears/1")), "schema of every line");
        for key in ["host", "taken_at"] {
            output.assert(
                line.remove(key).is_some_and(|value| value.is_string()),
                "host and taken_at of every line",
            );
        }
        match line.get("gap") {
            // A slow run may be fast the next time.
            Some(gap) => gaps += usize::from(gap["reason"] != "timeout"),
            None => listeners.push(Value::Object(line)),
        }
    }
    output.assert_eq(listeners.as_slice(), answer.listeners(), "the listeners of the JSON document");
    let lasting =
        answer.document["gaps"].as_array().into_iter().flatten().filter(|gap| gap["reason"] != "timeout");
    output.assert_eq(gaps, lasting.count(), "as many gaps");
}

#[live_test]
fn csv_has_a_row_for_each_listener_and_holder() {
    let (target, _servers) = two_servers();
    let answer = Cmd::new([&target]).answer(0);
    let output = Cmd::new(["--csv", &target]).run().code(0);
    let mut reader = csv::Reader::from_reader(output.stdout.as_slice());
    let header = reader.headers().expect("a header").clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let column = |name: &str| {
        let found = header.iter().position(|column| column.eq_ignore_ascii_case(name));
        found.unwrap_or_else(|| output.fail(&format!("no column {name} in {header:?}")))
    };
    let reported: Vec<Vec<String>> = rows
        .iter()
        .map(|row| ["protocol", "address", "port", "pid"].map(|name| row[column(name)].to_owned()).to_vec())
        .collect();
    let mut wanted = Vec::new();
    for listener in answer.listeners() {
        for pid in pids(listener) {
            let text = |key: &str| listener[key].as_str().unwrap_or_default().to_owned();
            wanted.push(vec![
                text("protocol"),
                text("address"),
                listener["port"].to_string(),
                pid.to_string(),
            ]);
        }
    }
    output.assert_eq(reported, wanted, "protocol, address, port and pid of every row");
    let bare = Cmd::new(["--csv", "--no-header", &target]).run().code(0);
    let body = output.text().split_once('\n').map(|(_, body)| body).unwrap_or_default();
    bare.assert_eq(bare.text(), body, "the same rows without their header");
}

#[live_test(Linux)]
fn pids_are_ascending_and_unique() {
    let port = port();
    let start = |protocol: &str| {
        let address = format!("{protocol}=127.0.0.1:{port}");
        Fixture::start(["reuseport".into(), address, "dup=2".into(), "fork=2".into()])
    };
    let servers = [start("tcp"), start("udp"), start("tcp")];
    let mut wanted: Vec<u32> = servers.iter().flat_map(Fixture::family).collect();
    wanted.sort_unstable();
    let output = Cmd::new(["--pids".to_owned(), port.to_string()]).run().code(0);
    let reported: Vec<u32> = output.text().lines().filter_map(|line| line.parse().ok()).collect();
    output.assert_eq(reported, wanted, "pids");
    let nothing = Cmd::new(["--pids".to_owned(), crate::support::port().to_string()]).run().code(1);
    nothing.assert(nothing.stdout.is_empty(), "nothing is printed for a free port");
}

#[live_test]
fn quiet_answers_only_by_exit_code() {
    let [taken, free] = [port(), port()];
    let _server = Fixture::start([format!("tcp=127.0.0.1:{taken}")]);
    for (target, code) in [(format!("tcp/{taken}"), 0), (free.to_string(), 1), (format!("udp/{taken}"), 1)] {
        for option in ["-q", "--quiet"] {
            let output = Cmd::new([option, &target]).run().code(code);
            output.assert(output.stdout.is_empty() && output.stderr.is_empty(), "it prints nothing");
        }
    }
    let usage = Cmd::new(["-q", "65536"]).run().code(2);
    usage.assert(usage.stdout.is_empty(), "a usage error is not an answer");
}

#[live_test]
fn a_saved_document_is_shown_as_it_was() {
    let (target, servers) = two_servers();
    let answer = Cmd::new([&target]).answer(0);
    let file = crate::support::folder().join(format!("saved-{}.json", servers[0].pid()));
    std::fs::write(&file, &answer.output.stdout).expect("save the document");
    let file = file.to_str().expect("its path is text").to_owned();
    // What the snapshot shows no longer exists.
    drop(servers);
    let again = Cmd::new(["--from", &file]).answer(0);
    again.assert_eq(again.listeners(), answer.listeners(), "listeners of the saved document");
    again.assert_eq(&again.document["taken_at"], &answer.document["taken_at"], "when it was taken");
    let lost = Cmd::new(["--from", &file, "1-1000"]).run();
    lost.assert_eq(lost.status.code(), Some(3), "the saved document does not cover other ports");
}
