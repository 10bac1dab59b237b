//! Sockets in other states than listening: no listeners by default, shown with `--all`;
//! and the options that narrow by who holds.

use crate::stage::{Answer, Fixture, Look, NOBODY, Need, Steps, pids, port};
use serde_json::{Value, json};

cases![
    connections_are_a_column_of_the_table[],
    a_bound_socket_is_no_listener[Need::Linux],
    a_lingering_connection_is_no_listener[Need::Linux],
    a_connection_from_the_port_is_no_listener[Need::Linux],
    every_state_is_shown_with_all[Need::Linux],
    holders_are_chosen_by_user[Need::Linux, Need::Root],
    holders_are_chosen_by_command[Need::Linux],
    chosen_columns_are_shown_in_their_order[Need::Linux],
];

fn must_be_nothing(port: u16) {
    let answer = Look::at([port.to_string()]).answer(1);
    answer.seen.equal(answer.listeners().len(), 0, "listeners");
    let text = Look::at([port.to_string()]).run().code(1);
    text.must(text.text().contains(&format!("nothing listens on port {port}")), "it says so");
    let pids = Look::at(["--pids".to_owned(), port.to_string()]).run().code(1);
    pids.must(pids.stdout.is_empty(), "whoever uses it without listening is no holder of a listener");
}

fn a_bound_socket_is_no_listener() {
    let port = port();
    let _bound = Fixture::start([format!("bound=127.0.0.1:{port}")]);
    must_be_nothing(port);
}

fn a_lingering_connection_is_no_listener() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "time-wait".into()]);
    drop(server);
    must_be_nothing(port);
    let every = Look::at(["--all".to_owned(), port.to_string()]).answer(0);
    every.seen.equal(states(&every), vec!["time-wait"], "states");
    every.seen.equal(pids(every.only()), Vec::<u32>::new(), "nobody holds it any more");
}

fn a_connection_from_the_port_is_no_listener() {
    let [near, far] = [port(), port()];
    let server = Fixture::start([format!("tcp=127.0.0.1:{far}")]);
    let client = Fixture::start([format!("client-from=127.0.0.1:{near},127.0.0.1:{far}")]);
    must_be_nothing(near);
    let every = Look::at(["--all".to_owned(), near.to_string()]).answer(0);
    every.seen.equal(&every.only()["state"], &json!("established"), "state");
    every.seen.equal(pids(every.only()), vec![client.pid()], "who is connected from there");
    drop(server);
}

fn states(answer: &Answer) -> Vec<&str> {
    let mut states: Vec<&str> =
        answer.listeners().iter().filter_map(|one| one.get("state").and_then(Value::as_str)).collect();
    states.sort_unstable();
    states
}

fn every_state_is_shown_with_all() {
    let port = port();
    let listen = format!("tcp=127.0.0.1:{port}");
    let server = Fixture::start([listen, "time-wait".into(), "crowd=1".into()]);
    let default = Look::at([format!("tcp/{port}")]).answer(0);
    default.seen.equal(states(&default), vec!["listen"], "states without --all");
    for option in ["--all", "-a"] {
        let every = Look::at([option, &format!("tcp/{port}")]).answer(0);
        every.seen.equal(states(&every), vec!["established", "listen", "time-wait"], "states");
        for socket in every.listeners() {
            let wanted = if socket["state"] == "time-wait" { vec![] } else { vec![server.pid()] };
            every.seen.equal(pids(socket), wanted, "holder");
        }
    }
}

fn holders_are_chosen_by_user() {
    let [mine, theirs] = [port(), port()];
    let own = Fixture::start([format!("tcp=127.0.0.1:{mine}")]);
    let other = Steps::new([format!("tcp=127.0.0.1:{theirs}")]).user(Some(NOBODY)).start();
    let both = format!("tcp/{mine},tcp/{theirs}");
    for (user, wanted) in [("root", &own), ("0", &own), ("nobody", &other), ("65534", &other)] {
        let answer = Look::at(["--user", user, &both]).answer(0);
        answer.seen.equal(pids(answer.only()), vec![wanted.pid()], "holder of that user");
    }
    let either = Look::at(["--user", "root", "--user", "nobody", &both]).answer(0);
    either.seen.equal(either.listeners().len(), 2, "repeated, it means either");
    let none = Look::at(["--user", "nobody", &format!("tcp/{mine}")]).answer(1);
    none.seen.equal(none.listeners().len(), 0, "listeners");
}

fn holders_are_chosen_by_command() {
    let [one, other] = [port(), port()];
    let named = Fixture::start([format!("tcp=127.0.0.1:{one}"), "name=quince".into()]);
    let plain = Fixture::start([format!("tcp=127.0.0.1:{other}")]);
    let both = format!("tcp/{one},tcp/{other}");
    let answer = Look::at(["-c", "quince", &both]).answer(0);
    answer.seen.equal(pids(answer.only()), vec![named.pid()], "holder of that name");
    let answer = Look::at(["--command", "quince", "--pid", &plain.pid().to_string(), &both]).run();
    answer.must(answer.status.code().is_some_and(|code| code < 2), "two kinds of choice can be combined");
    let none = Look::at(["--command", "no-such-name-anywhere", &both]).answer(1);
    none.seen.equal(none.listeners().len(), 0, "listeners");
}

fn chosen_columns_are_shown_in_their_order() {
    let servers = [(); 2].map(|()| Fixture::start([format!("tcp=127.0.0.1:{}", port())]));
    let target = format!("tcp/{},tcp/{}", servers[0].port(), servers[1].port());
    let seen = Look::at(["--columns", "pid,port", "--no-header", &target]).run().code(0);
    let mut rows: Vec<Vec<String>> =
        seen.text().lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
    rows.sort();
    let mut wanted = servers.map(|server| vec![server.pid().to_string(), server.port().to_string()]);
    wanted.sort();
    seen.equal(rows, wanted.to_vec(), "pid and port, and nothing else");
}

fn connections_are_a_column_of_the_table() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), format!("client=127.0.0.1:{port}")]);
    let seen = Look::at([
        "--connections".to_owned(),
        format!("tcp/{port}-{port}"),
        "--columns=port,connected".into(),
    ]);
    let seen = seen.run().code(0);
    let client = format!("(pid {})", server.pid());
    seen.must(seen.text().contains("established") && seen.text().contains(&client), "who is connected");
}
