//! The forms scripts read: JSON with every key, NDJSON and CSV that agree with it, pids, exit codes.
//! They are the same on every operating system.

use crate::stage::{Answer, Fixture, Look, Need, holders, is_root, pids, port};
use serde_json::{Map, Value, json};

cases![
    json_has_every_key_of_the_contract[],
    json_of_nothing_is_a_whole_document[],
    ndjson_agrees_with_json[],
    csv_has_a_row_a_listener_and_holder[],
    pids_are_ascending_and_unique[Need::Linux],
    quiet_answers_by_exit_code_alone[],
    a_saved_document_is_shown_as_it_was[],
];

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

fn must_have(answer: &Answer, value: &Value, keys: &[&str], what: &str) {
    let Some(object) = value.as_object() else { answer.seen.fail(&format!("{what} is no object")) };
    for key in keys {
        answer.seen.must(object.contains_key(*key), &format!("{what} has no key {key}"));
    }
}

fn json_has_every_key_of_the_contract() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), format!("udp=127.0.0.1:{port}")]);
    let answer = Look::at([port.to_string()]).answer(0);
    let document = &answer.document;
    must_have(&answer, document, &DOCUMENT, "the document");
    answer.seen.equal(&document["schema"], &json!("allears/1"), "schema");
    answer.seen.equal(&document["os"], &json!(std::env::consts::OS), "os");
    if cfg!(unix) {
        answer.seen.equal(&document["privileged"], &json!(is_root()), "privileged");
    }
    answer.seen.must(document["complete"].is_boolean(), "complete is true or false");
    let taken: Option<jiff::Timestamp> = document["taken_at"].as_str().and_then(|at| at.parse().ok());
    let age = taken.map(|taken| jiff::Timestamp::now().as_second() - taken.as_second());
    answer.seen.must(age.is_some_and(|age| (-2..=60).contains(&age)), "taken_at is now");
    answer.seen.equal(answer.listeners().len(), 2, "listeners");
    for listener in answer.listeners() {
        must_have(&answer, listener, &LISTENER, "a listener");
        answer.seen.equal(&listener["port"], &json!(port), "port");
        answer.seen.equal(&listener["path"], &json!(null), "path");
        let queue = &listener["queue"];
        answer.seen.must(queue.is_null() || queue.get("waiting").is_some(), "queue is null or has `waiting`");
        answer.seen.equal(pids(listener), vec![server.pid()], "holder");
        for holder in holders(listener) {
            must_have(&answer, holder, &HOLDER, "a holder");
        }
    }
}

fn json_of_nothing_is_a_whole_document() {
    let answer = Look::at([port().to_string()]).answer(1);
    must_have(&answer, &answer.document, &DOCUMENT, "the document");
    answer.seen.equal(&answer.document["listeners"], &json!([]), "listeners");
    answer.seen.equal(&answer.document["complete"], &json!(true), "complete, as exit code 1 says");
}

fn two_servers() -> (String, [Fixture; 2]) {
    let [one, other] = [port(), port()];
    let servers = [
        Fixture::start([format!("tcp=127.0.0.1:{one}"), format!("udp=127.0.0.1:{one}")]),
        Fixture::start([format!("tcp=127.0.0.1:{other}")]),
    ];
    (format!("{one},{other}"), servers)
}

fn ndjson_agrees_with_json() {
    let (target, _servers) = two_servers();
    let answer = Look::at([&target]).answer(0);
    let seen = Look::at(["--ndjson", &target]).run().code(0);
    seen.must(seen.text().ends_with('\n'), "the last line ends too");
    let mut listeners = Vec::new();
    let mut gaps = 0;
    for line in seen.text().lines() {
        let Ok(mut line) = serde_json::from_str::<Map<String, Value>>(line) else {
            seen.fail(&format!("a line is no JSON object: {line}"));
        };
        let schema = line.remove("schema");
        seen.equal(schema, Some(json!("allears/1")), "schema of every line");
        for key in ["host", "taken_at"] {
            seen.must(
                line.remove(key).is_some_and(|value| value.is_string()),
                "host and taken_at of every line",
            );
        }
        match line.get("gap") {
            // What is slow once need not be slow again.
            Some(gap) => gaps += usize::from(gap["reason"] != "timeout"),
            None => listeners.push(Value::Object(line)),
        }
    }
    seen.equal(listeners.as_slice(), answer.listeners(), "the listeners of the JSON document");
    let lasting =
        answer.document["gaps"].as_array().into_iter().flatten().filter(|gap| gap["reason"] != "timeout");
    seen.equal(gaps, lasting.count(), "as many gaps");
}

fn csv_has_a_row_a_listener_and_holder() {
    let (target, _servers) = two_servers();
    let answer = Look::at([&target]).answer(0);
    let seen = Look::at(["--csv", &target]).run().code(0);
    let mut reader = csv::Reader::from_reader(seen.stdout.as_slice());
    let header = reader.headers().expect("a header").clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let column = |name: &str| {
        let found = header.iter().position(|column| column.eq_ignore_ascii_case(name));
        found.unwrap_or_else(|| seen.fail(&format!("no column {name} in {header:?}")))
    };
    let told: Vec<Vec<String>> = rows
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
    seen.equal(told, wanted, "protocol, address, port and pid of every row");
    let bare = Look::at(["--csv", "--no-header", &target]).run().code(0);
    let body = seen.text().split_once('\n').map(|(_, body)| body).unwrap_or_default();
    bare.equal(bare.text(), body, "the same rows without their header");
}

fn pids_are_ascending_and_unique() {
    let port = port();
    let start = |protocol: &str| {
        let address = format!("{protocol}=127.0.0.1:{port}");
        Fixture::start(["reuseport".into(), address, "dup=2".into(), "fork=2".into()])
    };
    let servers = [start("tcp"), start("udp"), start("tcp")];
    let mut wanted: Vec<u32> = servers.iter().flat_map(Fixture::family).collect();
    wanted.sort_unstable();
    let seen = Look::at(["--pids".to_owned(), port.to_string()]).run().code(0);
    let told: Vec<u32> = seen.text().lines().filter_map(|line| line.parse().ok()).collect();
    seen.equal(told, wanted, "pids");
    let nothing = Look::at(["--pids".to_owned(), crate::stage::port().to_string()]).run().code(1);
    nothing.must(nothing.stdout.is_empty(), "nothing is printed for a free port");
}

fn quiet_answers_by_exit_code_alone() {
    let [taken, free] = [port(), port()];
    let _server = Fixture::start([format!("tcp=127.0.0.1:{taken}")]);
    for (target, code) in [(format!("tcp/{taken}"), 0), (free.to_string(), 1), (format!("udp/{taken}"), 1)] {
        for option in ["-q", "--quiet"] {
            let seen = Look::at([option, &target]).run().code(code);
            seen.must(seen.stdout.is_empty() && seen.stderr.is_empty(), "it prints nothing");
        }
    }
    let usage = Look::at(["-q", "65536"]).run().code(2);
    usage.must(usage.stdout.is_empty(), "a usage error is not an answer");
}

fn a_saved_document_is_shown_as_it_was() {
    let (target, servers) = two_servers();
    let answer = Look::at([&target]).answer(0);
    let file = crate::stage::folder().join(format!("saved-{}.json", servers[0].pid()));
    std::fs::write(&file, &answer.seen.stdout).expect("save the document");
    let file = file.to_str().expect("its path is text").to_owned();
    // What it shows is gone from the machine.
    drop(servers);
    let again = Look::at(["--from", &file]).answer(0);
    again.seen.equal(again.listeners(), answer.listeners(), "listeners of the saved document");
    again.seen.equal(&again.document["taken_at"], &answer.document["taken_at"], "when it was taken");
    let lost = Look::at(["--from", &file, "1-1000"]).run();
    lost.equal(lost.status.code(), Some(3), "the saved document was not asked about other ports");
}
