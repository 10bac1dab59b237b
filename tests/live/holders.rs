//! The holders of a socket: every process that has it open, each once, and no other. Short-lived processes are in
//! `churn`.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, Steps, holders, live_test, pids, port};
use serde_json::json;

#[live_test(Linux)]
fn forked_workers_share_one_listener() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "fork=3".into()]);
    let target = format!("tcp/{port}");

    let answer = Cmd::new([&target]).answer(0);
    let listener = answer.only();
    answer.assert_eq(server.family().len(), 4, "a parent and three workers");
    answer.assert_eq(pids(listener), server.family(), "pids of all holders, ascending");
    answer.assert_eq(&listener["inode"], &json!(server.inode(0)), "inode");
    answer.assert_eq(&listener["unseen"], &json!(null), "nothing unseen");
    for holder in holders(listener) {
        answer.assert_eq(&holder["name"], &json!("fixture"), "name");
        answer.assert_eq(&holder["evidence"], &json!("descriptor"), "evidence");
        answer.assert_eq(&holder["descriptors"], &server.socket(0)["descriptors"], "descriptors");
    }

    let wanted: String = server.family().iter().map(|pid| format!("{pid}\n")).collect();
    let output = Cmd::new(["--pids", &target]).run().code(0);
    output.assert_eq(output.text(), wanted.as_str(), "--pids");
    let card = Cmd::new([&target]).run().code(0);
    for pid in server.family() {
        card.assert(card.text().contains(&pid.to_string()), "the card names every holder's pid");
    }
}

#[live_test(Linux)]
fn processes_that_share_a_port_are_listeners_of_their_own() {
    let port = port();
    let start = || Fixture::start(["reuseport".into(), format!("tcp=127.0.0.1:{port}")]);
    let servers = [start(), start(), start()];

    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    answer.assert_eq(answer.listeners().len(), servers.len(), "listeners");
    for server in &servers {
        let listener = answer.by_inode(server.inode(0));
        answer.assert_eq(pids(listener), vec![server.pid()], "its own holder");
        answer.assert_eq(&listener["port"], &json!(port), "port");
    }
    let in_order: Vec<u32> = answer.listeners().iter().flat_map(pids).collect();
    answer.assert(in_order.is_sorted(), "listeners that differ only in their holder are ordered by pid");
}

#[live_test(Linux)]
fn one_holder_has_all_its_descriptors_of_a_socket() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "dup=3".into()]);

    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["pid"], &json!(server.pid()), "pid");
    let reported = &server.socket(0)["descriptors"];
    answer.assert_eq(reported.as_array().map(Vec::len), Some(3), "descriptors staged");
    answer.assert_eq(&holder["descriptors"], reported, "descriptors, ascending");
}

#[live_test(Linux)]
fn a_holder_is_reported_completely() {
    let port = port();
    let folder = std::env::temp_dir().canonicalize().expect("a folder for temporary files");
    let folder = folder.to_str().expect("its path is text");
    let steps = [format!("directory={folder}"), format!("tcp=127.0.0.1:{port}")];
    let before = jiff::Timestamp::now().as_second() - 2;
    let server = Fixture::start(steps.clone());
    let after = jiff::Timestamp::now().as_second() + 2;

    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let listener = answer.only();
    let holder = answer.only_holder(listener);
    let program = crate::support::fixture_program();
    let program = program.to_str().expect("the path of the fixture is text");
    let own = nix::unistd::geteuid();
    let user = nix::unistd::User::from_uid(own).expect("the user database").map(|user| user.name);
    answer.assert_eq(&holder["pid"], &json!(server.pid()), "pid");
    answer.assert_eq(&holder["name"], &json!("fixture"), "name");
    answer.assert_eq(&holder["command"], &json!([program, steps[0], steps[1]]), "command");
    answer.assert_eq(&holder["executable"], &json!(program), "executable");
    answer.assert_eq(&holder["directory"], &json!(folder), "directory");
    answer.assert_eq(&holder["uid"], &json!(own.as_raw()), "uid");
    answer.assert_eq(&holder["user"], &json!(user), "user");
    answer.assert_eq(&listener["uid"], &json!(own.as_raw()), "uid of the socket");
    answer.assert_eq(&listener["user"], &json!(user), "user of the socket");
    let started: Option<jiff::Timestamp> =
        holder["started_at"].as_str().and_then(|started| started.parse().ok());
    let started = started.map(jiff::Timestamp::as_second);
    answer.assert(
        started.is_some_and(|started| (before..=after).contains(&started)),
        "started_at is the time of its start",
    );
    answer.assert_eq(
        [&listener["protocol"], &listener["family"], &listener["state"], &listener["exposure"]],
        [&json!("tcp"), &json!("ipv4"), &json!("listen"), &json!("loopback")],
        "protocol, family, state, exposure",
    );
    answer.assert_eq(&listener["address"], &json!("127.0.0.1"), "address");
}

#[live_test(Linux)]
fn parents_are_reported_on_request() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "fork=1".into()]);

    let answer = Cmd::new(["--parents", &format!("tcp/{port}")]).answer(0);
    let worker = holders(answer.only()).iter().find(|holder| holder["pid"] != server.pid());
    let worker = worker.expect("the worker is a holder");
    answer.assert_eq(
        &worker["parents"][0],
        &json!({"pid": server.pid(), "name": "fixture"}),
        "the nearest ancestor of a worker",
    );
    answer.assert_eq(&worker["parents"][1]["pid"], &json!(std::process::id()), "the one after it");
    answer.assert_eq(&worker["children"], &json!([]), "a worker has no children");
    let main = holders(answer.only()).iter().find(|holder| holder["pid"] == server.pid());
    let main = main.expect("the server is a holder");
    let child = json!([{"pid": worker["pid"], "name": "fixture"}]);
    answer.assert_eq(&main["children"], &child, "the children of the server");
    let card = Cmd::new(["--parents".to_owned(), format!("tcp/{port}")]).run().code(0);
    let line = format!("children   fixture ({})", worker["pid"]);
    card.assert(card.text().contains(&line), &line);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let unread = holders(answer.only()).iter().all(|holder| holder["children"].is_null());
    answer.assert(unread, "unknown without --parents");
}

#[live_test(Linux)]
fn connected_clients_are_never_holders() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let clients = [
        Fixture::start([format!("client=127.0.0.1:{port}")]),
        Fixture::start([format!("client=127.0.0.1:{port}")]),
    ];

    let answer = Cmd::new([port.to_string()]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holders");
    let output = Cmd::new(["--pids".to_owned(), port.to_string()]).run().code(0);
    output.assert_eq(output.text(), format!("{}\n", server.pid()).as_str(), "--pids");
    let text = Cmd::new([port.to_string()]).run().code(0);
    for client in &clients {
        let pid = format!("pid {}", client.pid());
        text.assert(!text.text().contains(&pid), "a client is not named as the holder");
    }
    let requested = Cmd::new(["--json", "--pid", &clients[0].pid().to_string()]).run();
    requested.assert_eq(requested.status.code(), Some(1), "a client holds no listener");
}

#[live_test(Linux)]
fn a_child_with_only_a_connection_is_not_a_holder() {
    let port = port();
    // The client connects between two steps of the server, because both are the same process.
    let server = Fixture::start([
        format!("tcp=127.0.0.1:{port}"),
        format!("client=127.0.0.1:{port}"),
        "hand-over".into(),
    ]);
    let child = server.children();

    let answer = Cmd::new([port.to_string()]).answer(0);
    answer.assert_eq(child.len(), 1, "children");
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holders, without the child");
}

#[live_test(Linux)]
fn a_connected_udp_client_is_not_a_listener() {
    let (local, remote) = (port(), port());
    let resolver = Fixture::start([format!("udp=127.0.0.1:{remote}")]);
    let client = Fixture::start([format!("udp-client=127.0.0.1:{local},127.0.0.1:{remote}")]);

    let answer = Cmd::new([local.to_string()]).answer(1);
    answer.assert_eq(answer.listeners().len(), 0, "listeners");
    let text = Cmd::new([format!("udp/{local}")]).run().code(1);
    text.assert(text.text().contains("nothing listens"), "it reports that nothing listens");
    let whole = Cmd::new(["-u"]).answer(0);
    let listed = whole.listeners().iter().any(|listener| listener["inode"] == client.inode(0));
    whole.assert(!listed, "the whole list is without it");
    whole.assert_eq(pids(whole.by_inode(resolver.inode(0))), vec![resolver.pid()], "the other end");
    let every = Cmd::new(["--all".to_owned(), format!("udp/{local}")]).answer(0);
    every.assert_eq(pids(every.by_inode(client.inode(0))), vec![client.pid()], "--all shows it");
}

#[live_test(Linux, Ipv6)]
fn an_unconnected_udp_socket_is_a_listener() {
    let port = port();
    let server = Fixture::start([
        format!("udp=127.0.0.1:{port}"),
        format!("udp=[::1]:{port}"),
        format!("tcp=127.0.0.1:{port}"),
    ]);

    let answer = Cmd::new([format!("udp/{port}")]).answer(0);
    answer.assert_eq(answer.addresses(), vec!["127.0.0.1", "::1"], "addresses");
    for (listener, index) in answer.listeners().iter().zip(0..) {
        answer.assert_eq(&listener["protocol"], &json!("udp"), "protocol");
        answer.assert_eq(&listener["state"], &json!("bound"), "state");
        answer.assert_eq(&listener["inode"], &json!(server.inode(index)), "inode");
        answer.assert_eq(pids(listener), vec![server.pid()], "holder");
    }
    let both = Cmd::new([port.to_string()]).answer(0);
    both.assert_eq(both.listeners().len(), 3, "a bare number asks for both protocols");
    let protocols: Vec<_> = both.listeners().iter().map(|listener| &listener["protocol"]).collect();
    both.assert_eq(protocols, vec!["tcp", "udp", "udp"], "ordered by protocol after the port");
}

#[live_test(Linux)]
fn two_scans_give_the_same_listeners() {
    let port = port();
    let start = || {
        Fixture::start(["reuseport".into(), format!("tcp=127.0.0.1:{port}"), "dup=4".into(), "fork=4".into()])
    };
    let _servers = [start(), start(), start()];
    let looks: Vec<_> = (0..8).map(|_| Cmd::new([format!("tcp/{port}")]).answer(0)).collect();
    for cmd in &looks {
        cmd.assert_eq(cmd.listeners().len(), 3, "listeners");
        cmd.assert_eq(cmd.listeners(), looks[0].listeners(), "the listeners of another scan");
    }
}

#[live_test(Linux)]
fn a_pid_selects_only_sockets_of_the_process() {
    let [one, other] = [port(), port()];
    let server = Steps::new([format!("tcp=127.0.0.1:{one}")]).start();
    let _stranger = Steps::new([format!("tcp=127.0.0.1:{other}")]).start();
    let answer = Cmd::new(["--pid", &server.pid().to_string()]).answer(0);
    answer.assert_eq(&answer.only()["port"], &json!(one), "port");
    let narrowed = format!("tcp/{one},tcp/{other}");
    let answer = Cmd::new(["--pid", &server.pid().to_string(), &narrowed]).answer(0);
    answer.assert_eq(&answer.only()["port"], &json!(one), "port");
}
