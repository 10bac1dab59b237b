//! The JSON Schemas of `allears schema`. At the end of the tests, everything that they printed as JSON is checked.

use crate::support::{Cmd, Fixture, Output, live_test, port, validate};
use serde_json::{Value, json};

const SAVED: &str = "tests/replay/workstation.json";

/// Keys that are present only if they apply.
const OPTIONAL: [&str; 19] = [
    "activates",
    "branch_bytes",
    "command_bytes",
    "compose",
    "control_bytes",
    "cgroup_bytes",
    "descriptor_store",
    "directory_bytes",
    "directories_bytes",
    "error",
    "executable_bytes",
    "hindrance",
    "interface_bytes",
    "kernel",
    "name_bytes",
    "path_bytes",
    "reason",
    "script_bytes",
    "user_unknown",
];

fn documents(output: &Output) -> Vec<Value> {
    let parse =
        |text: &str| serde_json::from_str(text).unwrap_or_else(|error| output.fail(&error.to_string()));
    match serde_json::from_slice(&output.stdout) {
        Ok(document) => vec![document],
        Err(_) => output.text().lines().map(parse).collect(),
    }
}

/// Returns documents of every schema: those of saved snapshots, and those of this machine.
fn staged() -> Vec<(&'static str, Value)> {
    let held = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{held}")]);
    let free = port();
    let (held, free) = (held.to_string(), free.to_string());
    let both = format!("{held},{free}");
    let runs: &[(&str, &[&str])] = &[
        ("snapshot", &["--from", SAVED, "--json"]),
        ("snapshot", &["--from", "tests/replay/mac.json", "--json"]),
        ("snapshot", &["--json", &held, "--parents", "--connections", "--probe"]),
        ("snapshot", &["--json", "--all", &both]),
        ("snapshot", &["--json", "/no/such/socket", "--user", "root", "--tree", "1"]),
        ("line", &["--from", SAVED, "--ndjson"]),
        ("why", &["why", "--json", &held]),
        ("why", &["why", "--json", &both]),
        ("why", &["why", "--json", "127.0.0.1:1"]),
        ("why", &["why", "--json", "192.0.2.1:3000"]),
        ("free", &["free", "--json", "--dry-run", &held]),
        ("free", &["free", "--json", "--yes", &format!("{free},udp/{free}")]),
        ("wait", &["wait", "--json", &held]),
        ("wait", &["wait", "--json", "--free", &format!("{free},localhost:{free}")]),
        ("wait", &["wait", "--json", "--accepts", &format!("localhost:{held}")]),
        ("wait", &["wait", "--json", "--timeout=0s", "/no/such/socket"]),
        ("wait", &["wait", "--json", "--http", "--timeout=100ms", &free]),
        ("next", &["next", "--json", "--count=2"]),
        ("next", &["next", "--json", &format!("{held}-{held}")]),
        ("diff", &["diff", "--json", SAVED, "tests/replay/later.json"]),
        ("diff", &["diff", "--json", SAVED, "tests/replay/mac.json"]),
        ("about", &["about", "--json", "http"]),
        ("about", &["about", "--json", "creativepartnr"]),
        ("about", &["about", "--json", "10309"]),
        ("watch-command", &["watch", "--ndjson", &held, "--", "true"]),
    ];
    let each = runs.iter().flat_map(|(schema, arguments)| {
        let output = Cmd::new(arguments.iter().copied()).run();
        let documents = documents(&output);
        output.assert(!documents.is_empty(), "it prints JSON");
        documents.into_iter().map(|document| (*schema, document))
    });
    each.collect()
}

#[live_test(Linux, Module("jsonschema"))]
fn documents_match_their_schemas() {
    let mut events = Cmd::new(["watch", "--ndjson", "--interval=100ms"]).stream();
    let server = Fixture::start(["tcp=127.0.0.1:0"]);
    let place = format!("\"port\":{},", server.port());
    let opened = events.line("the server", |line| line.contains(&place));
    let mut staged = staged();
    staged.push(("watch", serde_json::from_str(&opened).expect("a line of JSON")));
    let snapshot = &staged[0].1;
    let listener = snapshot["listeners"][0].clone();
    let parts = [
        ("gap", snapshot["gaps"][0].clone()),
        ("holder", listener["holders"][0].clone()),
        ("listener", listener),
    ];
    staged.extend(parts);
    let errors = validate(staged.iter().map(|(schema, document)| (*schema, document))).expect("a validator");
    assert_eq!(errors.len(), staged.len());
    for ((schema, document), errors) in staged.iter().zip(errors) {
        assert!(errors.is_empty(), "{schema}: {errors:#?}\n{document:#}");
    }
    let listed = Cmd::new(["schema"]).run().code(0);
    for name in listed.text().lines().filter_map(|line| line.split_whitespace().next()) {
        assert!(staged.iter().any(|(schema, _)| *schema == name), "no document of {name}");
    }
}

/// Returns a document with at most two elements in each list.
fn shorten(document: Value) -> Value {
    match document {
        Value::Array(list) => list.into_iter().take(2).map(shorten).collect(),
        Value::Object(object) => object.into_iter().map(|(key, value)| (key, shorten(value))).collect(),
        other => other,
    }
}

/// Adds to `mutants` the copies of a document that differ from it at one place.
fn mutate(document: &Value, at: &str, mutants: &mut Vec<(String, Value)>) {
    let Some(value) = document.pointer(at) else { return };
    let mut change = |what: &str, new: Value| {
        let mut copy = document.clone();
        *copy.pointer_mut(at).expect("it is there") = new;
        mutants.push((format!("{what} {at}"), copy));
    };
    // No value is an object with this key, and none is a list in a list in a list.
    change("another type of", json!([[[]]]));
    if let Some(object) = value.as_object() {
        let mut more = object.clone();
        more.insert("no such key".to_owned(), Value::Null);
        change("an unknown key of", more.into());
        for key in object.keys().filter(|key| !OPTIONAL.contains(&key.as_str())) {
            let mut less = object.clone();
            less.remove(key);
            change(&format!("without {key},"), less.into());
        }
        for key in object.keys() {
            mutate(document, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), mutants);
        }
    } else if let Some(list) = value.as_array() {
        if !list.is_empty() {
            mutate(document, &format!("{at}/0"), mutants);
        }
    } else if let Some(key) = at.rsplit('/').next().filter(|key| ENUMERATED.contains(key)) {
        change(&format!("another {key},"), json!("no-such-name"));
    }
}

/// Keys whose values have names that a schema lists.
const ENUMERATED: [&str; 15] = [
    "schema",
    "protocol",
    "family",
    "state",
    "exposure",
    "evidence",
    "verdict",
    "what",
    "action",
    "wanted",
    "event",
    "answer",
    "taken_at",
    "address",
    "hindrance",
];

#[live_test(Linux, Module("jsonschema"))]
fn other_documents_do_not_match() {
    let mut seen = Vec::new();
    let mut mutants: Vec<(&str, String, Value)> = Vec::new();
    for (schema, document) in staged() {
        // One of each form is enough.
        let form =
            (schema, document["ports"].is_array(), document["gap"].is_object(), document["event"].clone());
        if !seen.contains(&form) {
            seen.push(form);
            let mut own = Vec::new();
            let document = shorten(document);
            mutate(&document, "", &mut own);
            mutants.extend(own.into_iter().map(|(what, mutant)| (schema, what, mutant)));
        }
    }
    assert!(mutants.len() > 1000, "only {} mutants", mutants.len());
    let errors = validate(mutants.iter().map(|(schema, _, mutant)| (*schema, mutant))).expect("a validator");
    let accepted = mutants.iter().zip(errors).filter(|(_, errors)| errors.is_empty());
    let accepted: Vec<String> = accepted.map(|((schema, what, _), _)| format!("{schema}: {what}")).collect();
    assert!(accepted.is_empty(), "accepted: {accepted:#?}");
}

#[live_test]
fn an_unknown_document_is_a_usage_error() {
    let output = Cmd::new(["schema", "snapshto"]).run().code(2);
    output.assert_eq(output.text(), "", "standard output");
    output.assert(output.errors().contains("a similar value exists: 'snapshot'"), "a suggestion");
}
