//! Tests for every system: each command once on real sockets. They also run under wine.

use crate::support::{
    Cmd, Fixture, JsonOutput, Steps, fixture_program, folder, live_test, pids, port, until,
};
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

fn listener(port: u16) -> Fixture {
    Fixture::start([format!("tcp=127.0.0.1:{port}")])
}

#[track_caller]
fn document(arguments: &[&str], code: i32) -> JsonOutput {
    JsonOutput::parse(Cmd::new(arguments.iter().copied()).run().without_panic().code(code))
}

#[live_test]
fn a_listener_is_named_with_its_process() {
    let server = listener(port());
    let answer = Cmd::new([server.port().to_string()]).answer(0);
    let row = answer.only();
    answer.assert_eq(
        [&row["protocol"], &row["family"], &row["address"], &row["state"], &row["exposure"]],
        [&json!("tcp"), &json!("ipv4"), &json!("127.0.0.1"), &json!("listen"), &json!("loopback")],
        "the socket",
    );
    let holder = answer.only_holder(row);
    answer.assert_eq(&holder["pid"], &json!(server.pid()), "pid");
    let name = format!("fixture{}", std::env::consts::EXE_SUFFIX);
    answer.assert_eq(&holder["name"], &json!(name), "name");
    let command = holder["command"].as_array().map(Vec::as_slice).unwrap_or_default();
    let step = format!("tcp=127.0.0.1:{}", server.port());
    answer.assert_eq(command.last(), Some(&json!(step)), "the end of the command line");
    answer.assert(holder["started_at"].is_string(), "when it began");
    answer.assert(holder["directory"].is_string(), "its working directory");
}

#[live_test]
fn a_long_name_is_kept() {
    let name = format!("a server with a rather long name and spaces{}", std::env::consts::EXE_SUFFIX);
    // A copy instead of a link: some systems report the other name of a file that has two.
    let program = folder().join(&name);
    std::fs::copy(fixture_program(), &program).expect("copy the fixture");
    let server = Steps::new([format!("tcp=127.0.0.1:{}", port())]).program(program).start();
    let answer = Cmd::new([server.port().to_string()]).answer(0);
    answer.assert_eq(&answer.only_holder(answer.only())["name"], &json!(name), "name");
}

#[live_test(Ipv6)]
fn a_socket_over_ipv6_is_listed() {
    let port = port();
    let _server = Fixture::start([format!("tcp=[::1]:{port}")]);
    let answer = Cmd::new([port.to_string()]).answer(0);
    let row = answer.only();
    answer.assert_eq([&row["family"], &row["address"]], [&json!("ipv6"), &json!("::1")], "the socket");
    answer.assert_eq(&row["interface"], &json!(null), "loopback has no scope");
    answer.assert_eq(&row["state"], &json!("listen"), "state");
}

#[live_test(Ipv6)]
fn udp_sockets_have_holders_in_both_families() {
    let port = port();
    let server = Fixture::start([format!("udp=127.0.0.1:{port}"), format!("udp=[::1]:{port}")]);
    let answer = Cmd::new([format!("udp/{port}")]).answer(0);
    answer.assert_eq(answer.addresses(), vec!["127.0.0.1", "::1"], "addresses");
    for row in answer.listeners() {
        answer.assert_eq(pids(row), vec![server.pid()], "holder");
        answer.assert_eq(&row["state"], &json!("bound"), "state");
    }
}

#[live_test]
fn connections_are_listed_with_all() {
    let server = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = server.local_addr().expect("its address");
    let client = TcpStream::connect(address).expect("connect");
    let near = client.local_addr().expect("its address").port();
    // Wine 10 lists a connection once it is accepted.
    let _accepted = server.accept().expect("accept");
    let target = address.port().to_string();
    let listening = Cmd::new([&target]).answer(0);
    listening.assert_eq(listening.listeners().len(), 1, "only listeners");
    let all = Cmd::new(["--all", &target]).answer(0);
    let accepted = |row: &&Value| row["state"] == "established" && row["peer"]["port"] == near;
    all.assert_eq(all.listeners().iter().filter(accepted).count(), 1, "the connection and its peer");
}

#[live_test]
fn both_readers_see_the_same() {
    let [one, other] = [port(), port()];
    let _servers = [
        Fixture::start([format!("tcp=127.0.0.1:{one}"), format!("udp=127.0.0.1:{one}")]),
        Fixture::start([format!("tcp=0.0.0.0:{other}")]),
    ];
    let target = format!("{one},{other}");
    let reported = |reader: &str| {
        let answer = document(&["--json", "--reader", reader, &target], 0);
        let rows = answer.listeners().iter().map(|row| {
            let socket = ["protocol", "address", "port", "state"].map(|key| row[key].clone());
            (socket, pids(row))
        });
        rows.collect::<Vec<_>>()
    };
    let native = reported("native");
    assert_eq!(native.len(), 3, "{native:?}");
    assert_eq!(native, reported("netstat2"), "the readers agree");
}

#[live_test]
fn one_process_is_one_pid() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), format!("udp=127.0.0.1:{port}")]);
    let output = Cmd::new(["--pids".to_owned(), port.to_string()]).run().code(0);
    output.assert_eq(output.text().trim_end(), server.pid().to_string().as_str(), "pids");
    let by_pid = Cmd::new(["--pid".to_owned(), server.pid().to_string()]).answer(0);
    by_pid.assert_eq(by_pid.listeners().len(), 2, "what it holds");
}

#[live_test]
fn why_names_the_obstacle() {
    let server = listener(port());
    let answer = document(&["why", "--json", &format!("127.0.0.1:{}", server.port())], 1);
    answer.assert_eq(&answer.document["verdict"], &json!("listening"), "verdict");
    answer.assert_eq(&answer.document["can_bind"], &json!(false), "can_bind");
    answer.assert_eq(&answer.document["error"], &json!("EADDRINUSE"), "error");
    let reported = answer.document.to_string();
    answer.assert(reported.contains(&format!("pid {}", server.pid())), "the holder is named");
}

#[live_test]
fn why_reports_a_free_port() {
    let answer = document(&["why", "--json", &format!("127.0.0.1:{}", port())], 0);
    answer.assert_eq(&answer.document["verdict"], &json!("free"), "verdict");
}

#[live_test]
fn free_ends_the_holder_and_frees_the_port() {
    for force in [&[][..], &["--force"]] {
        let server = listener(port());
        let target = server.port().to_string();
        let arguments = [&["free", "--json", "--yes"][..], force, &[&target]].concat();
        let answer = document(&arguments, 0);
        let step = |key: &str| answer.document[key][0].clone();
        answer.assert_eq(&answer.document["free"], &json!(true), "free");
        answer.assert_eq(&step("plan")["pid"], &json!(server.pid()), "the processes to end");
        answer.assert_eq(&step("done")["result"], &json!("ended"), "the result");
        let bound = until(|| TcpListener::bind(("127.0.0.1", server.port())).ok());
        answer.assert(bound.is_some(), "the port can be bound");
    }
}

#[live_test]
fn a_dry_run_ends_no_process() {
    let server = listener(port());
    let target = server.port().to_string();
    let answer = JsonOutput::parse(Cmd::new(["free", "--json", "--dry-run", &target]).run().without_panic());
    answer.assert_eq(&answer.document["plan"][0]["pid"], &json!(server.pid()), "the plan");
    answer.assert_eq(&answer.document["done"], &json!([]), "nothing was done");
    let still = Cmd::new([target]).answer(0);
    still.assert_eq(pids(still.only()), vec![server.pid()], "it still listens");
}

#[live_test]
fn free_never_ends_its_caller() {
    // The process that starts the program.
    let own = TcpListener::bind("127.0.0.1:0").expect("listen");
    let _ttl = own.ttl();
    let target = own.local_addr().expect("its address").port().to_string();
    let output = Cmd::new(["free", "--yes", &target]).run().without_panic();
    output.assert(!output.status.success(), "it refuses");
    output.assert(output.errors().contains("ancestor"), "and says why");
}

/// Long enough to show that it waits.
const A_WHILE: Duration = Duration::from_millis(300);

#[live_test]
fn waiting_ends_when_it_listens() {
    let port = port();
    Cmd::new(["wait", "--timeout=100ms", &port.to_string()]).run().without_panic().code(1);
    let waiting = Cmd::new(["wait", &port.to_string()]).start().must_keep_running(A_WHILE);
    let _server = listener(port);
    waiting.wait().without_panic().code(0);
}

#[live_test]
fn waiting_ends_when_it_is_free() {
    let server = listener(port());
    let target = server.port().to_string();
    Cmd::new(["wait", "--free", "--timeout=100ms", &target]).run().without_panic().code(1);
    let waiting = Cmd::new(["wait", "--free", &target]).start().must_keep_running(A_WHILE);
    drop(server);
    waiting.wait().without_panic().code(0);
}

#[live_test]
fn diff_reports_changes() {
    let (place, saved) = (port(), folder().join("everywhere.json"));
    let path = saved.to_str().expect("a path in text");
    let first = listener(place);
    let document = Cmd::new(["--json".to_owned(), place.to_string()]).run().code(0);
    std::fs::write(&saved, &document.stdout).expect("save a snapshot");
    // A listener on another port does not end it.
    let _other = listener(port());
    Cmd::new(["diff", path]).run().without_panic().code(0);
    drop(first);
    let gone = document_of_diff(path, 1);
    gone.assert_eq(&gone.document["changes"][0]["event"], &json!("closed"), "event");
    let second = listener(place);
    let changed = document_of_diff(path, 1);
    let change = &changed.document["changes"][0];
    changed.assert_eq(&change["event"], &json!("changed"), "event");
    changed.assert_eq(pids(&change["after"]), vec![second.pid()], "the current holder");
    changed.assert(change["differs"].to_string().contains("holders"), "in what");
}

#[track_caller]
fn document_of_diff(path: &str, code: i32) -> JsonOutput {
    document(&["diff", "--json", path], code)
}

#[live_test]
fn watch_reports_events_as_they_happen() {
    let place = port();
    let mut events = Cmd::new(["watch", "--ndjson", "--interval=100ms", &place.to_string()]).stream();
    // It may listen before the first scan.
    let server = listener(place);
    let is = |line: &str| {
        serde_json::from_str::<Value>(line).is_ok_and(|event| event["listener"]["port"] == place)
    };
    let reported: Value = serde_json::from_str(&events.line("a listener", is)).expect("JSON");
    assert_eq!(pids(&reported["listener"]), [server.pid()], "{reported}");
    drop(server);
    assert_eq!(events.event("closed")["listener"]["port"], place);
}
