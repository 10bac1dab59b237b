//! `why`: what prevents a bind, each kind distinguished and with its evidence. Sockets that do not listen are in
//! `why_other_states`, limits of the machine in `why_limits`, and the comparison with a real bind in `why_and_bind`.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, NOBODY, Steps, live_test, pids, port, start_on_one_port};
use serde_json::{Value, json};

const VERDICTS: [&str; 10] = [
    "free",
    "listening",
    "bound",
    "time-wait",
    "connection",
    "privileged",
    "reserved",
    "address-not-local",
    "forwarded",
    "unknown",
];

/// Runs `why --json`, asserts the exit code, and checks everything that each answer must have.
#[track_caller]
pub(crate) fn why(target: &str, code: i32) -> JsonOutput {
    run_why(Cmd::new(["why", "--json", target]), code)
}

/// Does the same for a prepared command.
#[track_caller]
pub(crate) fn run_why(cmd: Cmd, code: i32) -> JsonOutput {
    let answer = JsonOutput::parse(cmd.run().code(code));
    let (output, reported) = (&answer.output, &answer.document);
    output.assert_eq(&reported["schema"], &json!("allears/1"), "schema");
    output.assert(reported["target"]["protocol"].is_string(), "target.protocol");
    output.assert(reported["target"]["port"].is_u64(), "target.port");
    output.assert(reported["target"].get("address").is_some(), "target.address");
    output
        .assert(VERDICTS.iter().any(|verdict| reported["verdict"] == *verdict), "a verdict of the contract");
    let wanted = match code {
        0 => json!(true),
        1 => json!(false),
        _ => json!(null),
    };
    output.assert_eq(&reported["can_bind"], &wanted, "can_bind agrees with the exit code");
    let error = reported.get("error").unwrap_or_else(|| output.fail("key error"));
    output.assert(error.is_null() || error.as_str().is_some_and(|name| name.starts_with('E')), "error");
    output.assert(code != 1 || error.is_string(), "what does not bind has an error");
    for (key, listener) in [("ipv4", &reported["localhost"]), ("ipv6", &reported["localhost"])] {
        output.assert(listener.get(key).is_some(), &format!("localhost.{key}"));
    }
    for (key, wanted) in [("facts", reported["verdict"] != "free"), ("advice", code == 1)] {
        let lines = reported[key].as_array().unwrap_or_else(|| output.fail(&format!("{key} is an array")));
        output.assert(lines.iter().all(Value::is_string), &format!("{key} are sentences"));
        output.assert(!wanted || !lines.is_empty(), &format!("{key}, if there is something to report"));
    }
    for socket in obstacles(&answer) {
        for key in
            ["protocol", "family", "address", "port", "state", "inode", "uid", "user", "holders", "unseen"]
        {
            output.assert(socket.get(key).is_some(), &format!("{key} of the obstacle"));
        }
    }
    answer
}

/// Returns the sockets that prevent the bind.
#[track_caller]
pub(crate) fn obstacles(answer: &JsonOutput) -> &[Value] {
    let sockets = answer.document["standing_in_the_way"].as_array();
    sockets.unwrap_or_else(|| answer.fail("standing_in_the_way is an array"))
}

/// Returns the only socket that prevents the bind.
#[track_caller]
pub(crate) fn only_obstacle(answer: &JsonOutput) -> &Value {
    match obstacles(answer) {
        [one] => one,
        more => answer.fail(&format!("{} sockets stand in the way, where there is one", more.len())),
    }
}

/// Returns all sentences of the answer in lower case.
pub(crate) fn sentences(answer: &JsonOutput) -> String {
    ["reason", "facts", "advice"].map(|key| answer.document[key].to_string()).join("\n").to_lowercase()
}

#[track_caller]
pub(crate) fn must_have_verdict(answer: &JsonOutput, wanted: &str) {
    answer.assert_eq(&answer.document["verdict"], &json!(wanted), "verdict");
}

/// Asserts that this listener prevents the bind, held by these processes.
#[track_caller]
fn must_be_listening(target: &str, address: &str, server: &Fixture) -> JsonOutput {
    let answer = why(target, 1);
    must_have_verdict(&answer, "listening");
    answer.assert_eq(&answer.document["error"], &json!("EADDRINUSE"), "error");
    let socket = only_obstacle(&answer);
    answer.assert_eq(&socket["address"], &json!(address), "address of the socket that prevents the bind");
    answer.assert_eq(&socket["inode"], &json!(server.inode(0)), "inode of the socket that prevents the bind");
    answer.assert_eq(pids(socket), server.family(), "its holders");
    answer
}

/// Asserts that nothing prevents the bind.
#[track_caller]
pub(crate) fn must_be_bindable(target: &str) -> JsonOutput {
    let answer = why(target, 0);
    must_have_verdict(&answer, "free");
    answer.assert_eq(&answer.document["error"], &json!(null), "error");
    answer.assert_eq(obstacles(&answer).len(), 0, "nothing prevents the bind");
    answer
}

#[live_test(Linux, Ipv6)]
fn an_unused_port_can_be_bound() {
    let port = port();
    for target in
        [port.to_string(), format!("tcp/{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")]
    {
        let answer = must_be_bindable(&target);
        answer.assert_eq(&answer.document["target"]["port"], &json!(port), "target.port");
        answer.assert_eq(&answer.document["target"]["protocol"], &json!("tcp"), "target.protocol");
        let nobody = json!({"ipv4": null, "ipv6": null, "ipv4_shared": null, "ipv6_shared": null});
        answer.assert_eq(&answer.document["localhost"], &nobody, "localhost");
    }
    let answer = must_be_bindable(&format!("127.0.0.1:{port}"));
    answer.assert_eq(&answer.document["target"]["address"], &json!("127.0.0.1"), "target.address");
}

#[live_test(Linux, Ipv6)]
fn a_listener_on_the_same_address_prevents_a_bind() {
    for address in ["127.0.0.1", "[::1]", "0.0.0.0", "[::]"] {
        let server = Fixture::start([format!("tcp={address}:{}", port()), "fork=1".into()]);
        let target = format!("{address}:{}", server.port());
        let answer = must_be_listening(&target, address.trim_matches(['[', ']']), &server);
        let reported = sentences(&answer);
        answer.assert(reported.contains(&server.pid().to_string()), "the facts name who holds it");
    }
}

#[live_test(Linux, Ipv6)]
fn a_wildcard_prevents_a_bind_of_every_address() {
    let server = Fixture::start([format!("tcp=0.0.0.0:{}", port())]);
    for requested in ["127.0.0.1:", "127.0.0.2:", "0.0.0.0:", ""] {
        let answer = must_be_listening(&format!("{requested}{}", server.port()), "0.0.0.0", &server);
        if requested.starts_with("127") {
            let reported = sentences(&answer);
            let explained = ["wildcard", "all addresses", "every address", "any address"];
            answer.assert(explained.iter().any(|words| reported.contains(words)), "it explains the conflict");
        }
    }
    let specific = Fixture::start([format!("tcp=127.0.0.2:{}", port())]);
    for requested in ["0.0.0.0:", ""] {
        must_be_listening(&format!("{requested}{}", specific.port()), "127.0.0.2", &specific);
    }
}

#[live_test(Linux, Ipv6)]
fn a_listener_on_another_address_prevents_nothing() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    for requested in ["127.0.0.2", "[::1]"] {
        must_be_bindable(&format!("{requested}:{}", server.port()));
    }
}

#[live_test(Linux, Ipv6)]
fn a_dual_stack_listener_prevents_a_bind_of_ipv4() {
    let dual = Fixture::start(["dual".into(), format!("tcp=[::]:{}", port())]);
    for requested in ["0.0.0.0:", "127.0.0.1:", "[::1]:", ""] {
        let answer = must_be_listening(&format!("{requested}{}", dual.port()), "::", &dual);
        if !requested.starts_with('[') && !requested.is_empty() {
            let reported = sentences(&answer);
            answer.assert(reported.contains("ipv4"), "it reports that it accepts IPv4 too");
        }
    }
    let sixth = Fixture::start(["v6only".into(), format!("tcp=[::]:{}", port())]);
    for requested in ["0.0.0.0:", "127.0.0.1:"] {
        must_be_bindable(&format!("{requested}{}", sixth.port()));
    }
    for requested in ["[::1]:", ""] {
        must_be_listening(&format!("{requested}{}", sixth.port()), "::", &sixth);
    }
}

#[live_test(Linux, Root)]
fn a_shared_port_is_reported_as_shared() {
    let shared = |port: u16| Steps::new(["reuseport".into(), format!("tcp=127.0.0.1:{port}")]);
    let (port, [one, other]) = start_on_one_port(|port| [shared(port), shared(port)]);
    for user in [None, Some(NOBODY)] {
        let cmd = Cmd::new(["why", "--json", &format!("127.0.0.1:{port}")]).user(user);
        let answer = run_why(cmd, 1);
        must_have_verdict(&answer, "listening");
        let mut inodes: Vec<_> =
            obstacles(&answer).iter().filter_map(|socket| socket["inode"].as_u64()).collect();
        inodes.sort_unstable();
        let mut wanted = vec![one.inode(0), other.inode(0)];
        wanted.sort_unstable();
        answer.assert_eq(inodes, wanted, "both prevent the bind");
        answer.assert(sentences(&answer).contains("so_reuseport"), "it reports that they share the port");
    }
    let alone = shared(crate::support::port()).start();
    let answer = must_be_listening(&format!("127.0.0.1:{}", alone.port()), "127.0.0.1", &alone);
    answer
        .assert(sentences(&answer).contains("so_reuseport"), "a process that sets it too can share the port");
}

#[live_test(Linux)]
fn udp_is_explained_on_request() {
    let port = port();
    let server = Fixture::start([format!("udp=127.0.0.1:{port}"), "fork=1".into()]);
    let answer = why(&format!("udp/{port}"), 1);
    must_have_verdict(&answer, "listening");
    answer.assert_eq(&answer.document["target"]["protocol"], &json!("udp"), "target.protocol");
    answer.assert_eq(&only_obstacle(&answer)["protocol"], &json!("udp"), "protocol");
    answer.assert_eq(pids(only_obstacle(&answer)), server.family(), "holders");
    must_be_bindable(&format!("udp/127.0.0.2:{port}"));
}

#[live_test(Linux)]
fn the_other_protocol_is_mentioned() {
    let [tcp, udp] = [port(), port()];
    let _server = Fixture::start([format!("tcp=127.0.0.1:{tcp}"), format!("udp=127.0.0.1:{udp}")]);
    for (target, other) in [(udp.to_string(), "udp"), (format!("udp/{tcp}"), "tcp")] {
        let answer = must_be_bindable(&target);
        let facts = answer.document["facts"].to_string().to_lowercase();
        answer.assert(facts.contains(other), "a fact names the other protocol on the port");
        let text = Cmd::new(["why", &target]).run().code(0);
        let reported = text.both_streams().to_lowercase();
        text.assert(reported.contains(other), "and is reported in words");
    }
}

#[live_test(Linux, Ipv6)]
fn localhost_is_explained_for_each_family() {
    let alone = |address: String| Steps::new(["reuseport".into(), format!("tcp={address}")]);
    let (port, [first, second, sixth, wildcard]) = start_on_one_port(|port| {
        ["127.0.0.1", "127.0.0.2", "[::1]", "0.0.0.0"].map(|address| alone(format!("{address}:{port}")))
    });
    let reaches = |ipv4: Option<u64>, ipv6: Option<u64>| {
        let answer = why(&port.to_string(), 1);
        let localhost = &answer.document["localhost"];
        answer.assert_eq(localhost["ipv4"]["inode"].as_u64(), ipv4, "what localhost reaches over IPv4");
        answer.assert_eq(localhost["ipv6"]["inode"].as_u64(), ipv6, "what localhost reaches over IPv6");
        answer
    };
    let answer = reaches(Some(first.inode(0)), Some(sixth.inode(0)));
    answer.assert_eq(obstacles(&answer).len(), 4, "all of them prevent a bind of the wildcards");
    let text = Cmd::new(["why".to_owned(), port.to_string()]).run().code(1);
    text.assert(text.text().contains("localhost"), "the one that localhost reaches is named in words");
    drop(first);
    reaches(Some(wildcard.inode(0)), Some(sixth.inode(0)));
    drop((wildcard, sixth));
    reaches(None, None);
    drop(second);
    let dual = Fixture::start(["dual".into(), format!("tcp=[::]:{port}")]);
    reaches(Some(dual.inode(0)), Some(dual.inode(0)));
}

#[live_test(Linux)]
fn clients_are_named_as_clients() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let client = Fixture::start(["name=quince".into(), format!("client=127.0.0.1:{port}")]);
    let answer = must_be_listening(&port.to_string(), "127.0.0.1", &server);
    let facts = answer.document["facts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = facts.iter().filter_map(Value::as_str).any(|fact| {
        fact.contains("client") && (fact.contains("quince") || fact.contains(&client.pid().to_string()))
    });
    answer.assert(named, "a fact names the client, and as a client");
}

#[live_test(Linux, Root)]
fn an_unseen_holder_is_reported_as_unseen() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let cmd = Cmd::new(["why".to_owned(), "--json".into(), server.port().to_string()]).user(Some(NOBODY));
    let answer = run_why(cmd, 1);
    must_have_verdict(&answer, "listening");
    let socket = only_obstacle(&answer);
    answer.assert_eq(&socket["user"], &json!("root"), "user of the socket");
    answer.assert_eq(&socket["unseen"]["reason"], &json!("permission"), "unseen.reason");
}

#[live_test(Linux)]
fn text_and_exit_code_agree() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let held = Cmd::new(["why".to_owned(), server.port().to_string()]).run().code(1);
    for wanted in [server.port().to_string(), server.pid().to_string(), "fixture".into()] {
        held.assert(held.text().contains(&wanted), &format!("it contains {wanted}"));
    }
    let free = port().to_string();
    let output = Cmd::new(["why", &free]).run().code(0);
    output.assert(
        output.text().contains(&free)
            && (output.text().contains("free") || output.text().contains("can be bound")),
        "it names the free port",
    );
}

#[live_test]
fn invalid_targets_are_refused() {
    for arguments in [
        &["why"][..],
        &["why", "0"],
        &["why", "65536"],
        &["why", ""],
        &["why", "nosuchservice"],
        &["why", "--nosuch", "80"],
    ] {
        let output = Cmd::new(arguments.iter().copied()).run().without_panic().code(2);
        output.assert(output.stdout.is_empty(), "standard output stays empty");
        output.assert(!output.errors().trim().is_empty(), "standard error names the error");
    }
}
