//! `why` about sockets that do not listen: bound only, lingering, connected.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, Need, holders, live_test, pids, port};
use crate::why::{must_be_bindable, must_have_verdict, only_obstacle, sentences, why};
use serde_json::json;

#[live_test(Linux, Kernel(6, 8))]
fn a_socket_that_never_listened_is_named() {
    let port = port();
    let server = Fixture::start([format!("bound=127.0.0.1:{port}"), "fork=1".into()]);
    for target in [format!("127.0.0.1:{port}"), port.to_string()] {
        let answer = why(&target, 1);
        must_have_verdict(&answer, "bound");
        answer.assert_eq(&answer.document["error"], &json!("EADDRINUSE"), "error");
        let socket = only_obstacle(&answer);
        answer.assert_eq(&socket["state"], &json!("bound"), "state");
        answer.assert_eq(&socket["inode"], &json!(server.inode(0)), "inode");
        answer.assert_eq(pids(socket), server.family(), "holders");
        answer.assert(sentences(&answer).contains("never listen"), "it is named");
    }
    must_be_bindable(&format!("127.0.0.2:{port}"));
}

/// Returns whether the text contains a number of seconds.
fn contains_seconds(text: &str) -> bool {
    let words: Vec<&str> = text.split(|letter: char| !letter.is_alphanumeric()).collect();
    words.windows(2).any(|pair| {
        let [number, unit] = pair else { return false };
        let apart = number.parse::<u32>().is_ok() && (*unit == "s" || unit.starts_with("sec"));
        apart || number.strip_suffix('s').is_some_and(|number| number.parse::<u32>().is_ok())
    })
}

#[live_test(Linux)]
fn a_lingering_connection_keeps_some_servers_out() {
    let port = port();
    drop(Fixture::start(["reuseaddr".into(), format!("tcp=127.0.0.1:{port}"), "time-wait".into()]));
    for target in [format!("127.0.0.1:{port}"), port.to_string()] {
        // Servers that set SO_REUSEADDR may bind now.
        let answer = why(&target, 0);
        must_have_verdict(&answer, "time-wait");
        answer.assert(sentences(&answer).contains("so_reuseaddr"), "it reports who may bind now");
        answer.assert(contains_seconds(&sentences(&answer)), "the wait of the others is printed");
        answer.assert_eq(&only_obstacle(&answer)["state"], &json!("time-wait"), "state");
        answer.assert_eq(holders(only_obstacle(&answer)).len(), 0, "no process holds it any more");
    }
}

#[live_test(Linux)]
fn a_lingering_connection_keeps_every_server_out() {
    let port = port();
    // Linux honours SO_REUSEADDR only if the lingering socket had set it too.
    drop(Fixture::start([format!("tcp=127.0.0.1:{port}"), "time-wait".into()]));
    let answer = why(&format!("127.0.0.1:{port}"), 1);
    must_have_verdict(&answer, "time-wait");
    answer.assert_eq(&answer.document["error"], &json!("EADDRINUSE"), "error");
    answer.assert_eq(&only_obstacle(&answer)["state"], &json!("time-wait"), "state");
    answer.assert(contains_seconds(&sentences(&answer)), "the duration is printed");
}

#[live_test(Linux)]
fn a_connection_from_the_port_is_named_with_its_peer() {
    let [near, far] = [port(), port()];
    let _server = Fixture::start([format!("tcp=127.0.0.1:{far}")]);
    let client = Fixture::start([format!("client-from=127.0.0.1:{near},127.0.0.1:{far}")]);
    for target in [format!("127.0.0.1:{near}"), near.to_string()] {
        let answer = why(&target, 1);
        must_have_verdict(&answer, "connection");
        let socket = only_obstacle(&answer);
        answer.assert_eq(&socket["state"], &json!("established"), "state");
        answer.assert_eq(pids(socket), vec![client.pid()], "holder");
        answer.assert(sentences(&answer).contains(&format!("127.0.0.1:{far}")), "the peer is named");
    }
}

#[live_test(Linux)]
fn a_connection_outlives_its_server() {
    let port = port();
    let steps = [
        format!("tcp=127.0.0.1:{port}"),
        format!("client=127.0.0.1:{port}"),
        "hand-over".into(),
        "close".into(),
    ];
    let server = Fixture::start(steps);
    let answer = why(&format!("127.0.0.1:{port}"), 1);
    must_have_verdict(&answer, "connection");
    let socket = only_obstacle(&answer);
    answer.assert_eq(&socket["state"], &json!("established"), "state");
    answer.assert_eq(pids(socket), server.children(), "the worker that still has it");
}

#[live_test(Linux, Ipv6)]
fn a_connection_of_a_dual_stack_socket_prevents_a_bind_of_ipv4() {
    let [near, far] = [port(), port()];
    let _server = Fixture::start([format!("tcp=[::1]:{far}")]);
    // Between IPv6 addresses, but its socket was bound for IPv4 too, which decides on Linux.
    let client = Fixture::start(["dual".into(), format!("client-from=[::]:{near},[::1]:{far}")]);
    let answer = why(&format!("0.0.0.0:{near}"), 1);
    must_have_verdict(&answer, "connection");
    answer.assert_eq(&answer.document["error"], &json!("EADDRINUSE"), "error");
    answer.assert_eq(pids(only_obstacle(&answer)), vec![client.pid()], "holder");
    must_be_bindable(&format!("127.0.0.1:{near}"));
}

#[live_test(Linux)]
fn a_connected_udp_socket_is_a_connection() {
    let [server_port, client_port] = [port(), port()];
    let _server = Fixture::start([format!("udp=127.0.0.1:{server_port}")]);
    let client = Fixture::start([format!("udp-client=127.0.0.1:{client_port},127.0.0.1:{server_port}")]);
    let answer = why(&format!("udp/{client_port}"), 1);
    must_have_verdict(&answer, "connection");
    answer.assert_eq(pids(only_obstacle(&answer)), vec![client.pid()], "holder");
    answer.assert(sentences(&answer).contains(&format!("127.0.0.1:{server_port}")), "the peer is named");
}

#[live_test(Linux)]
fn the_history_of_a_bound_socket_is_reported() {
    // A chosen port, because one assigned by the system is released when listening ends.
    let kernel_tells = Need::Kernel(6, 8).missing().is_none();
    for (step, said) in
        [("shut-down", "was shut down"), ("disconnect", "was shut down"), ("pad", "never listened")]
    {
        let port = port();
        let word = if step == "shut-down" { "tcp" } else { "bound" };
        let server = Fixture::start([format!("{word}=127.0.0.1:{port}"), step.to_owned()]);
        let answer = why(&format!("127.0.0.1:{port}"), 1);
        if !kernel_tells {
            must_have_verdict(&answer, "unknown");
            continue;
        }
        must_have_verdict(&answer, "bound");
        answer.assert_eq(pids(only_obstacle(&answer)), vec![server.pid()], "holder");
        let reported = sentences(&answer);
        answer.assert(reported.contains(said), said);
        answer.assert_eq(
            reported.contains("never listened"),
            step == "pad",
            "a claim about the past needs evidence",
        );
        answer.assert_eq(
            reported.contains("may be about to listen"),
            step == "pad",
            "and one about the future",
        );
    }
}

#[live_test(Linux)]
fn a_connection_with_reuseaddr_lets_servers_bind() {
    let [near, far] = [port(), port()];
    let _server = Fixture::start([format!("tcp=127.0.0.1:{far}")]);
    let _client =
        Fixture::start(["reuseaddr".into(), format!("client-from=127.0.0.1:{near},127.0.0.1:{far}")]);
    let answer = why(&near.to_string(), 0);
    must_have_verdict(&answer, "connection");
    let reported = sentences(&answer);
    answer.assert(reported.contains("so_reuseaddr"), "who may bind");
    answer.assert(!reported.contains("wait --free"), "a wait would end at once");
    let strict = Fixture::start([format!("client-from=127.0.0.2:{near},127.0.0.1:{far}")]);
    let answer = why(&format!("127.0.0.2:{near}"), 1);
    must_have_verdict(&answer, "connection");
    answer.assert_eq(pids(only_obstacle(&answer)), vec![strict.pid()], "holder");
    answer.assert(sentences(&answer).contains("not even so_reuseaddr helps"), "what does not help");
}

#[live_test(Linux, Ipv6)]
fn a_connected_udp_socket_is_reported_below_the_list() {
    for (address, bracketed) in [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")] {
        let [server_port, client_port] = [port(), port()];
        let _server = Fixture::start([format!("udp={bracketed}:{server_port}")]);
        let client =
            Fixture::start([format!("udp-client={bracketed}:{client_port},{bracketed}:{server_port}")]);
        for arguments in [vec![format!("udp/{client_port}")], vec!["-u".into(), client_port.to_string()]] {
            let listed = Cmd::new(arguments).run().code(1);
            let text = listed.text();
            listed.assert(text.contains("nothing listens on"), "it is no listener");
            listed.assert(text.contains("but it cannot be bound"), "and it has the port");
            listed.assert(text.contains(&format!("pid {}", client.pid())), "the process that has it");
            listed.assert(text.contains(&format!("why udp/{client_port}")), "the command that explains it");
            listed.assert(text.contains(address), "where");
        }
    }
}
