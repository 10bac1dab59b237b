//! Sockets that do not listen: hidden by default, shown with `--all`. Also the options that filter by holder.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, NOBODY, Steps, live_test, pids, port};
use serde_json::{Value, json};

fn must_be_nothing(port: u16) {
    let answer = Cmd::new([port.to_string()]).answer(1);
    answer.assert_eq(answer.listeners().len(), 0, "listeners");
    let text = Cmd::new([port.to_string()]).run().code(1);
    text.assert(text.text().contains(&format!("nothing listens on port {port}")), "it reports this");
    let pids = Cmd::new(["--pids".to_owned(), port.to_string()]).run().code(1);
    pids.assert(
        pids.stdout.is_empty(),
        "a process that uses the port without listening is no holder of a listener",
    );
}

#[live_test(Linux)]
fn a_bound_socket_is_not_a_listener() {
    let port = port();
    let _bound = Fixture::start([format!("bound=127.0.0.1:{port}")]);
    must_be_nothing(port);
}

#[live_test(Linux)]
fn a_lingering_connection_is_not_a_listener() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "time-wait".into()]);
    drop(server);
    must_be_nothing(port);
    let every = Cmd::new(["--all".to_owned(), port.to_string()]).answer(0);
    every.assert_eq(states(&every), vec!["time-wait"], "states");
    every.assert_eq(pids(every.only()), Vec::<u32>::new(), "no process holds it any more");
}

#[live_test(Linux)]
fn a_connection_from_the_port_is_not_a_listener() {
    let [near, far] = [port(), port()];
    let server = Fixture::start([format!("tcp=127.0.0.1:{far}")]);
    let client = Fixture::start([format!("client-from=127.0.0.1:{near},127.0.0.1:{far}")]);
    must_be_nothing(near);
    let every = Cmd::new(["--all".to_owned(), near.to_string()]).answer(0);
    every.assert_eq(&every.only()["state"], &json!("established"), "state");
    every.assert_eq(pids(every.only()), vec![client.pid()], "the client on that port");
    drop(server);
}

fn states(answer: &JsonOutput) -> Vec<&str> {
    let mut states: Vec<&str> =
        answer.listeners().iter().filter_map(|one| one.get("state").and_then(Value::as_str)).collect();
    states.sort_unstable();
    states
}

#[live_test(Linux)]
fn every_state_is_shown_with_all() {
    let port = port();
    let listen = format!("tcp=127.0.0.1:{port}");
    let server = Fixture::start([listen, "time-wait".into(), "crowd=1".into()]);
    let default = Cmd::new([format!("tcp/{port}")]).answer(0);
    default.assert_eq(states(&default), vec!["listen"], "states without --all");
    for option in ["--all", "-a"] {
        let every = Cmd::new([option, &format!("tcp/{port}")]).answer(0);
        every.assert_eq(states(&every), vec!["established", "listen", "time-wait"], "states");
        for socket in every.listeners() {
            let wanted = if socket["state"] == "time-wait" { vec![] } else { vec![server.pid()] };
            every.assert_eq(pids(socket), wanted, "holder");
        }
    }
}

#[live_test(Linux, Root)]
fn holders_are_filtered_by_user() {
    let [mine, theirs] = [port(), port()];
    let own = Fixture::start([format!("tcp=127.0.0.1:{mine}")]);
    let other = Steps::new([format!("tcp=127.0.0.1:{theirs}")]).user(Some(NOBODY)).start();
    let both = format!("tcp/{mine},tcp/{theirs}");
    for (user, wanted) in [("root", &own), ("0", &own), ("nobody", &other), ("65534", &other)] {
        let answer = Cmd::new(["--user", user, &both]).answer(0);
        answer.assert_eq(pids(answer.only()), vec![wanted.pid()], "holder of that user");
    }
    let either = Cmd::new(["--user", "root", "--user", "nobody", &both]).answer(0);
    either.assert_eq(either.listeners().len(), 2, "repeated, it means either");
    let none = Cmd::new(["--user", "nobody", &format!("tcp/{mine}")]).answer(1);
    none.assert_eq(none.listeners().len(), 0, "listeners");
}

#[live_test(Linux)]
fn holders_are_filtered_by_command() {
    let [one, other] = [port(), port()];
    let named = Fixture::start([format!("tcp=127.0.0.1:{one}"), "name=quince".into()]);
    let plain = Fixture::start([format!("tcp=127.0.0.1:{other}")]);
    let both = format!("tcp/{one},tcp/{other}");
    let answer = Cmd::new(["-c", "quince", &both]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![named.pid()], "holder of that name");
    let answer = Cmd::new(["--command", "quince", "--pid", &plain.pid().to_string(), &both]).run();
    answer.assert(answer.status.code().is_some_and(|code| code < 2), "two kinds of choice can be combined");
    let none = Cmd::new(["--command", "no-such-name-anywhere", &both]).answer(1);
    none.assert_eq(none.listeners().len(), 0, "listeners");
}

#[live_test(Linux)]
fn chosen_columns_are_shown_in_their_order() {
    let servers = [(); 2].map(|()| Fixture::start([format!("tcp=127.0.0.1:{}", port())]));
    let target = format!("tcp/{},tcp/{}", servers[0].port(), servers[1].port());
    let output = Cmd::new(["--columns", "pid,port", "--no-header", &target]).run().code(0);
    let mut rows: Vec<Vec<String>> =
        output.text().lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
    rows.sort();
    let mut wanted = servers.map(|server| vec![server.pid().to_string(), server.port().to_string()]);
    wanted.sort();
    output.assert_eq(rows, wanted.to_vec(), "pid and port, and nothing else");
}

#[live_test]
fn connections_are_a_column_of_the_table() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), format!("client=127.0.0.1:{port}")]);
    let output = Cmd::new([
        "--connections".to_owned(),
        format!("tcp/{port}-{port}"),
        "--columns=port,connected".into(),
    ]);
    let output = output.run().code(0);
    let client = format!("(pid {})", server.pid());
    output.assert(output.text().contains("established") && output.text().contains(&client), "the client");
}
