//! The same machine compared with `ss`, and the options that users of `ss`, `netstat` and `lsof` are used to.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, Steps, live_test, pids, port};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;

/// Address, port and pids of one listener.
type Row = (String, u16, Vec<u32>);

/// The sockets of the comparison, and their ports.
struct MixedServers {
    ports: BTreeSet<u16>,
    fixtures: Vec<Fixture>,
}

impl MixedServers {
    fn add(&mut self, port: u16, steps: &[&str]) {
        self.ports.insert(port);
        let steps = steps.iter().map(|step| step.replace("PORT", &port.to_string()));
        self.fixtures.push(Steps::new(steps).start());
    }

    /// Starts twenty-seven listeners of different kinds.
    fn start() -> Self {
        let mut servers = Self { ports: BTreeSet::new(), fixtures: Vec::new() };
        let kinds: [&[&str]; 13] = [
            &["tcp=127.0.0.1:PORT"],
            &["tcp=127.0.0.2:PORT", "dup=3"],
            &["tcp=0.0.0.0:PORT"],
            &["tcp=[::1]:PORT"],
            &["tcp=[::]:PORT"],
            &["v6only", "tcp=[::]:PORT"],
            &["tcp=[::ffff:127.0.0.1]:PORT"],
            &["device=lo", "tcp=0.0.0.0:PORT"],
            &["backlog=0", "tcp=127.0.0.1:PORT"],
            &["backlog=4096", "tcp=127.0.0.1:PORT", "client=127.0.0.1:PORT", "accept"],
            &["tcp=127.0.0.1:PORT", "fork=3"],
            &["tcp=127.0.0.1:PORT", "undumpable"],
            &["tcp=127.0.0.1:PORT", "client=127.0.0.1:PORT", "hand-over", "fork=1"],
        ];
        for kind in kinds {
            servers.add(port(), kind);
        }
        let shared = port();
        for _ in 0..3 {
            servers.add(shared, &["reuseport", "tcp=127.0.0.1:PORT", "fork=1"]);
        }
        let everywhere = port();
        for address in ["127.0.0.1", "127.0.0.2", "[::1]", "0.0.0.0"] {
            servers.add(everywhere, &["reuseport", &format!("tcp={address}:PORT")]);
        }
        servers.add(port(), &["v6only", "tcp=[::]:PORT", "plain", "tcp=0.0.0.0:PORT"]);
        servers.add(port(), &["tcp=127.0.0.1:PORT", "tcp=127.0.0.2:PORT", "tcp=127.0.0.3:PORT", "fork=2"]);
        // Sockets that do not listen, on other ports.
        servers.add(port(), &["bound=127.0.0.1:PORT"]);
        servers.add(port(), &["udp=127.0.0.1:PORT"]);
        servers
    }
}

/// Returns the rows of `ss -lnpH` for these ports, in order.
fn by_ss(options: &str, ports: &BTreeSet<u16>) -> Vec<Row> {
    let output = Command::new("ss").arg(options).output().expect("run ss");
    assert!(output.status.success(), "ss {options}: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut rows: Vec<Row> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (address, number) = words.nth(3)?.rsplit_once(':')?;
            let port = number.parse().ok()?;
            let address = address.split('%').next()?.trim_matches(['[', ']']);
            let address = if address == "*" { "::" } else { address };
            let named = line.split("pid=").skip(1);
            let pids: BTreeSet<u32> = named.filter_map(|rest| rest.split(',').next()?.parse().ok()).collect();
            ports.contains(&port).then(|| (address.to_owned(), port, pids.into_iter().collect()))
        })
        .collect();
    rows.sort();
    rows
}

fn by_allears(answer: &JsonOutput, ports: &BTreeSet<u16>) -> Vec<Row> {
    let row = |listener: &Value| -> Option<Row> {
        let port = u16::try_from(listener["port"].as_u64()?).ok()?;
        Some((listener["address"].as_str()?.to_owned(), port, pids(listener)))
    };
    let mut rows: Vec<Row> =
        answer.listeners().iter().filter_map(row).filter(|(_, port, _)| ports.contains(port)).collect();
    rows.sort();
    rows
}

#[live_test(Linux, Ipv6, Program("ss"))]
fn twenty_kinds_of_listeners_equal_those_of_ss() {
    let servers = MixedServers::start();
    let wanted = by_ss("-tlnpH", &servers.ports);
    assert!(wanted.len() >= 20, "only {} listeners staged", wanted.len());
    let answer = Cmd::new(["-t"]).answer(0);
    answer.assert_eq(
        by_allears(&answer, &servers.ports),
        wanted.clone(),
        "listeners and pids of `ss -tlnpH`",
    );
    let named: Vec<String> = servers.ports.iter().map(|port| format!("tcp/{port}")).collect();
    let requested = Cmd::new(named).answer(0);
    requested.assert_eq(by_allears(&requested, &servers.ports), wanted, "the same if requested port by port");
    let portable = Cmd::new(["-t", "--reader", "netstat2"]).answer(0);
    let portable = by_allears(&portable, &servers.ports);
    requested.assert_eq(by_allears(&requested, &servers.ports), portable, "the same by the portable reader");
    let again = Cmd::new(["-t"]).answer(0);
    let mine = |answer: &JsonOutput| -> Vec<Value> {
        let in_zoo = |one: &&Value| {
            one["port"]
                .as_u64()
                .and_then(|port| u16::try_from(port).ok())
                .is_some_and(|port| servers.ports.contains(&port))
        };
        let mut listeners: Vec<Value> = answer.listeners().iter().filter(in_zoo).cloned().collect();
        for listener in &mut listeners {
            // Other processes of the same user, which other tests start and end, are candidates too.
            if let Some(unseen) = listener["unseen"].as_object_mut() {
                unseen.remove("candidates");
            }
        }
        listeners
    };
    again.assert_eq(mine(&again), mine(&answer), "two scans in a row");
}

#[live_test(Linux, Ipv6, Program("ss"))]
fn udp_sockets_equal_those_of_ss() {
    let mut servers = MixedServers { ports: BTreeSet::new(), fixtures: Vec::new() };
    let kinds: [&[&str]; 6] = [
        &["udp=127.0.0.1:PORT"],
        &["udp=[::1]:PORT", "fork=2"],
        &["udp=0.0.0.0:PORT", "dup=2"],
        &["udp=[::]:PORT"],
        &["reuseport", "udp=127.0.0.1:PORT", "udp=127.0.0.1:PORT"],
        &["reuseaddr", "udp=127.0.0.1:PORT", "udp=0.0.0.0:PORT"],
    ];
    for kind in kinds {
        servers.add(port(), kind);
    }
    let wanted = by_ss("-ulnpH", &servers.ports);
    assert_eq!(wanted.len(), 8, "UDP sockets staged");
    let answer = Cmd::new(["-u"]).answer(0);
    answer.assert_eq(by_allears(&answer, &servers.ports), wanted, "sockets and pids of `ss -ulnpH`");
}

#[live_test(Linux, Mptcp)]
fn a_multipath_listener_is_a_tcp_listener() {
    let port = port();
    let server = Fixture::start([format!("mptcp=127.0.0.1:{port}"), "fork=1".into()]);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    answer.assert_eq(pids(answer.only()), server.family(), "holders");
    answer.assert_eq(&answer.only()["unseen"], &Value::Null, "nothing unseen");
}

/// Returns the ports and protocols of an answer, limited to these ports.
fn shown(arguments: &[&str], ports: &[u16]) -> Vec<(u64, String)> {
    let answer = Cmd::new(arguments.iter().copied()).answer(0);
    let mut rows = Vec::new();
    for listener in answer.listeners() {
        let port = listener["port"].as_u64().unwrap_or_default();
        if ports.iter().any(|one| u64::from(*one) == port) {
            rows.push((port, listener["protocol"].as_str().unwrap_or("?").to_owned()));
        }
    }
    rows
}

#[live_test]
fn options_of_ss_and_netstat_are_accepted() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}"), format!("udp=127.0.0.1:{port}")]);
    let tcp = (u64::from(port), "tcp".to_owned());
    let udp = (u64::from(port), "udp".to_owned());
    let both = vec![tcp.clone(), udp.clone()];
    for habit in [&["-tulnp"][..], &["-ano"], &["-lnp"], &["-tuln"], &["-tulpn"], &["-l"], &["-P", "-n"]] {
        assert_eq!(shown(habit, &[port]), both, "TCP and UDP for {habit:?}");
        let text = Cmd::new(habit.iter().copied()).run().code(0);
        text.assert(text.text().contains(&port.to_string()), "as text too");
    }
    assert_eq!(shown(&["-tlnp"], &[port]), vec![tcp], "TCP for -tlnp");
    assert_eq!(shown(&["-ulnp"], &[port]), vec![udp], "UDP for -ulnp");
}

#[live_test]
fn options_of_lsof_are_accepted() {
    let [port, other] = [port(), port()];
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), format!("tcp=127.0.0.1:{other}")]);
    let specs = ["", "tcp", "4", "4tcp", "tcp@127.0.0.1", "4tcp@127.0.0.1", "@127.0.0.1"];
    for spec in specs {
        let spec = format!("{spec}:{port}");
        for habit in [&["-nP", "-i", &spec][..], &["-i", &spec], &["-nPi", &spec], &[&format!("-i{spec}")]] {
            let answer = Cmd::new(habit.iter().copied()).answer(0);
            answer.assert_eq(&answer.only()["port"], &json!(port), "port");
            answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
        }
    }
    let listed = format!(":{port},{other}");
    let answer = Cmd::new(["-i", &listed]).answer(0);
    answer.assert_eq(answer.listeners().len(), 2, "a list of ports");
    for spec in ["udp", "6tcp", "tcp@127.0.0.2"] {
        let output = Cmd::new(["-nP".to_owned(), "-i".to_owned(), format!("{spec}:{port}")]).run().code(1);
        output.assert(output.text().contains("nothing listens"), "that is not there");
    }
}
