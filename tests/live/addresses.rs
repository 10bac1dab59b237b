//! Which listener answers at an address: a specific one or the wildcard. Ports are compared as numbers.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, Steps, live_test, pids, port, start_on_one_port};
use serde_json::json;

fn reuseport_on(address: String) -> Steps {
    Steps::new(["reuseport".into(), format!("tcp={address}")])
}

fn four_addresses() -> (u16, [Fixture; 4]) {
    start_on_one_port(|port| {
        [
            reuseport_on(format!("127.0.0.1:{port}")),
            reuseport_on(format!("127.0.0.2:{port}")),
            reuseport_on(format!("[::1]:{port}")),
            reuseport_on(format!("0.0.0.0:{port}")),
        ]
    })
}

#[live_test(Linux, Ipv6)]
fn one_port_on_four_addresses_is_four_listeners() {
    let (port, [first, second, sixth, wildcard]) = four_addresses();
    let answer = Cmd::new([port.to_string()]).answer(0);
    let wanted = [("0.0.0.0", &wildcard), ("127.0.0.1", &first), ("127.0.0.2", &second), ("::1", &sixth)];
    answer.assert_eq(answer.addresses(), wanted.map(|(address, _)| address).to_vec(), "addresses in order");
    for (listener, (_, server)) in answer.listeners().iter().zip(wanted) {
        answer.assert_eq(pids(listener), vec![server.pid()], "holder of this address");
        answer.assert_eq(&listener["inode"], &json!(server.inode(0)), "inode of this address");
    }
    let rows = Cmd::new(["--no-header".into(), format!("{port}-{port}")]).run().code(0);
    for server in [&first, &second, &sixth, &wildcard] {
        rows.assert(rows.text().contains(&server.pid().to_string()), "the text names each");
    }
}

#[live_test(Linux, Ipv6)]
fn an_address_selects_what_a_peer_reaches() {
    let (port, [first, second, sixth, wildcard]) = four_addresses();
    let requested = [
        (format!("127.0.0.1:{port}"), &first),
        (format!("tcp/127.0.0.2:{port}"), &second),
        (format!("[::1]:{port}"), &sixth),
        // No listener is bound to this address, so the wildcard answers.
        (format!("127.0.0.3:{port}"), &wildcard),
    ];
    for (target, server) in requested {
        let answer = Cmd::new([target]).answer(0);
        answer.assert_eq(
            pids(answer.only()),
            vec![server.pid()],
            "the holder of the listener that a peer reaches",
        );
    }
    let answer = Cmd::new([format!("127.0.0.1:{port},127.0.0.3:{port}")]).answer(0);
    answer.assert_eq(answer.addresses(), vec!["0.0.0.0", "127.0.0.1"], "a union of two");
    let answer = Cmd::new([format!("[2001:db8::1]:{port}")]).answer(1);
    answer.assert_eq(answer.listeners().len(), 0, "an IPv4 wildcard does not answer for IPv6");
}

#[live_test(Linux, Ipv6)]
fn a_dual_stack_listener_answers_for_ipv4() {
    let port = port();
    let server = Fixture::start(["dual".into(), format!("tcp=[::]:{port}")]);
    for target in [format!("127.0.0.1:{port}"), format!("127.9.9.9:{port}"), format!("[::1]:{port}")] {
        let answer = Cmd::new([target]).answer(0);
        answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
        answer.assert_eq(&answer.only()["address"], &json!("::"), "address");
        answer.assert_eq(&answer.only()["family"], &json!("ipv6"), "family");
        answer.assert(answer.only()["dual_stack"] != json!(false), "it accepts IPv4 too");
    }
}

#[live_test(Linux)]
fn a_loopback_listener_does_not_answer_elsewhere() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    for target in [format!("127.0.0.2:{port}"), format!("[::1]:{port}"), format!("udp/127.0.0.1:{port}")] {
        let answer = Cmd::new([target]).answer(1);
        answer.assert_eq(answer.listeners().len(), 0, "listeners");
    }
}

#[live_test(Linux)]
fn ports_are_compared_as_numbers() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    for requested in [port / 10, port / 100] {
        let output = Cmd::new(["--json".to_owned(), requested.to_string()]).run();
        let answer = crate::support::JsonOutput::parse(output);
        for listener in answer.listeners() {
            answer.assert_eq(&listener["port"], &json!(requested), "port");
        }
        let code = i32::from(answer.listeners().is_empty());
        answer.assert_eq(answer.output.status.code(), Some(code), "exit code");
    }
}

#[live_test(Linux, Root, Program("nsenter"), NETWORK_NAMESPACE)]
fn port_300_is_neither_3000_nor_30001() {
    let steps = ["namespace=net", "tcp=127.0.0.1:3000", "tcp=0.0.0.0:30001", "udp=127.0.0.1:3001"];
    let server = Fixture::start(steps);
    let ask = |target: &str| Cmd::new([target]).inside(server.pid(), ["net"]);
    let output = ask("300").run().code(1);
    output.assert(output.text().contains("nothing listens on port 300"), "it names what does not exist");
    let three_thousand = ask("3000").answer(0);
    three_thousand.assert_eq(&three_thousand.only()["port"], &json!(3000), "port");
    let range = ask("300-3000").answer(0);
    range.assert_eq(&range.only()["port"], &json!(3000), "the end of a range is in it");
    let range = ask("3001-30001").answer(0);
    let ports: Vec<_> = range.listeners().iter().map(|listener| &listener["port"]).collect();
    range.assert_eq(ports, vec![&json!(3001), &json!(30001)], "both ends of a range");
    let whole = Cmd::new([] as [&str; 0]).inside(server.pid(), ["net"]).answer(0);
    whole.assert_eq(whole.listeners().len(), 3, "listeners of this namespace");
    for listener in whole.listeners() {
        whole.assert_eq(pids(listener), vec![server.pid()], "holder");
    }
}

#[live_test(Linux, Ipv6)]
fn exposure_and_family_are_reported() {
    let port = port();
    let _server = Fixture::start([
        format!("tcp=127.0.0.2:{port}"),
        format!("tcp=[::1]:{port}"),
        format!("udp=0.0.0.0:{port}"),
        "v6only".into(),
        format!("udp=[::]:{port}"),
    ]);
    let answer = Cmd::new([port.to_string()]).answer(0);
    let reported: Vec<_> = answer
        .listeners()
        .iter()
        .map(|one| ["protocol", "family", "address", "exposure"].map(|key| one[key].as_str().unwrap_or("?")))
        .collect();
    let wanted = vec![
        ["tcp", "ipv4", "127.0.0.2", "loopback"],
        ["tcp", "ipv6", "::1", "loopback"],
        ["udp", "ipv4", "0.0.0.0", "all"],
        ["udp", "ipv6", "::", "all"],
    ];
    answer.assert_eq(reported, wanted, "protocol, family, address, exposure");
}

#[live_test(Linux, Ipv6)]
fn exposed_listeners_are_those_others_can_reach() {
    let port = port();
    let _server = Fixture::start([
        format!("tcp=127.0.0.1:{port}"),
        format!("udp=0.0.0.0:{port}"),
        format!("udp=[::1]:{port}"),
    ]);
    let answer = Cmd::new(["--exposed".to_owned(), port.to_string()]).answer(0);
    answer.assert_eq(&answer.only()["protocol"], &json!("udp"), "protocol");
    answer.assert_eq(&answer.only()["address"], &json!("0.0.0.0"), "address");
    let answer = Cmd::new(["--exposed".to_owned(), format!("tcp/{port}")]).answer(1);
    answer.assert_eq(answer.listeners().len(), 0, "listeners that others reach");
}

#[live_test(Linux, Ipv6)]
fn protocol_and_family_options_add_up() {
    let port = port();
    let _server = Fixture::start([
        format!("tcp=127.0.0.1:{port}"),
        format!("tcp=[::1]:{port}"),
        format!("udp=127.0.0.1:{port}"),
        format!("udp=[::1]:{port}"),
    ]);
    let requested: [(&[&str], &[&str]); 8] = [
        (&[], &["tcp ipv4", "tcp ipv6", "udp ipv4", "udp ipv6"]),
        (&["-t"], &["tcp ipv4", "tcp ipv6"]),
        (&["-u"], &["udp ipv4", "udp ipv6"]),
        (&["-tu"], &["tcp ipv4", "tcp ipv6", "udp ipv4", "udp ipv6"]),
        (&["-4"], &["tcp ipv4", "udp ipv4"]),
        (&["-6"], &["tcp ipv6", "udp ipv6"]),
        (&["-4", "-6", "--tcp"], &["tcp ipv4", "tcp ipv6"]),
        (&["-u6"], &["udp ipv6"]),
    ];
    for (options, wanted) in requested {
        let target = port.to_string();
        let answer = Cmd::new(options.iter().copied().chain([target.as_str()])).answer(0);
        let reported: Vec<_> = answer
            .listeners()
            .iter()
            .map(|one| {
                format!(
                    "{} {}",
                    one["protocol"].as_str().unwrap_or("?"),
                    one["family"].as_str().unwrap_or("?")
                )
            })
            .collect();
        answer.assert_eq(reported, wanted.to_vec(), "protocol and family");
    }
}

#[live_test(Linux)]
fn several_targets_are_a_union_in_default_order() {
    let mut ports = [port(), port(), port()];
    let _servers = ports.map(|port| Fixture::start([format!("tcp=127.0.0.1:{port}")]));
    let [a, b, c] = ports;
    // In reverse order, with duplicates, and in both forms of a union.
    let targets = [format!("tcp/{c},{b}/tcp"), format!("tcp/{a}"), format!("127.0.0.1:{c}")];
    let answer = Cmd::new(targets).answer(0);
    ports.sort_unstable();
    let reported: Vec<_> = answer.listeners().iter().filter_map(|one| one["port"].as_u64()).collect();
    answer.assert_eq(reported, ports.map(u64::from).to_vec(), "ports, each once and ascending");
}
