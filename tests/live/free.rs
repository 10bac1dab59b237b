//! `free`: the plan, its execution, and the check that the port is free. Processes that do not end at once or are restarted are in
//! `free_termination`, refusals in `free_refusals`, prompts in `free_prompt`.

#![cfg(unix)]

use crate::support::{
    Cgroup, Cmd, Fixture, JsonOutput, Output, Steps, listen_without_reuse, live_test, port, runs,
    start_on_one_port, until,
};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};

/// Runs `free --json`, asserts the exit code, and checks the whole document.
#[track_caller]
pub(crate) fn freed(arguments: &[&str], code: i32) -> JsonOutput {
    let words = ["free", "--json"].iter().chain(arguments).copied();
    let answer = JsonOutput::parse(Cmd::new(words).run().code(code));
    let (output, reported) = (&answer.output, &answer.document);
    output.assert_eq(&reported["schema"], &json!("allears/1"), "schema");
    output.assert(!reported["target"].is_null(), "target");
    output.assert(reported["free"].is_boolean(), "free");
    output.assert(reported["done"].is_array(), "done");
    for step in reported["plan"].as_array().unwrap_or_else(|| output.fail("plan is an array")) {
        output.assert(step["pid"].is_u64(), "pid of a step");
        output.assert(step["action"].is_string(), "action of a step");
        output.assert(step.get("reason").is_some(), "reason of a step");
    }
    answer
}

/// Returns the pids of a plan, or of what was done, in their order.
#[track_caller]
pub(crate) fn steps(answer: &JsonOutput, key: &str) -> Vec<u32> {
    let steps = answer.document[key].as_array().map(Vec::as_slice).unwrap_or_default();
    steps.iter().filter_map(|step| u32::try_from(step["pid"].as_u64()?).ok()).collect()
}

/// Asserts that none of these processes runs, and that the port can be bound without any option.
#[track_caller]
pub(crate) fn must_be_free(output: &Output, port: u16, ended: &[u32]) {
    let bound = until(|| listen_without_reuse(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok());
    output.assert(bound.is_some(), "the port can be bound");
    for pid in ended {
        output.assert(!runs(*pid), &format!("{pid} has ended"));
    }
}

#[track_caller]
pub(crate) fn must_still_hold(output: &Output, servers: &[&Fixture]) {
    for pid in servers.iter().flat_map(|server| server.family()) {
        output.assert(runs(pid), &format!("{pid} still runs"));
    }
    for server in servers {
        let still = Cmd::new(["--pids".to_owned(), server.port().to_string()]).run().code(0);
        let reported: Vec<u32> = still.text().lines().filter_map(|line| line.parse().ok()).collect();
        output.assert(server.family().iter().all(|pid| reported.contains(pid)), "they still hold the port");
    }
}

#[live_test(Linux)]
fn an_unused_port_is_free() {
    let port = port();
    for arguments in [vec![], vec!["--yes"], vec!["--dry-run"], vec!["--force", "--yes"]] {
        let target = port.to_string();
        let answer = freed(&[&arguments[..], &[&target]].concat(), 0);
        answer.assert_eq(&answer.document["free"], &json!(true), "free");
        answer.assert_eq(&answer.document["plan"], &json!([]), "plan");
        answer.assert_eq(&answer.document["done"], &json!([]), "done");
    }
    let output = Cmd::new(["free".to_owned(), port.to_string()]).run().code(0);
    output.assert(output.text().contains("free"), "it reports this");
}

#[live_test(Linux)]
fn a_dry_run_does_nothing() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=2".into()]);
    let target = server.port().to_string();
    let text = Cmd::new(["free", "--dry-run", &target]).run().without_panic();
    for pid in server.family() {
        text.assert(text.text().contains(&pid.to_string()), "the plan names every holder");
    }
    text.assert(text.text().contains("nothing was done"), "it reports this");
    must_still_hold(&text, &[&server]);
    let json = JsonOutput::parse(Cmd::new(["free", "--dry-run", "--json", &target]).run().without_panic());
    json.assert_eq(steps(&json, "plan"), server.family(), "the plan names every holder");
    json.assert_eq(&json.document["done"], &json!([]), "nothing was done");
    json.assert_eq(&json.document["free"], &json!(false), "free");
    let with_yes = JsonOutput::parse(Cmd::new(["free", "--dry-run", "--yes", "--json", &target]).run());
    must_still_hold(&with_yes.output, &[&server]);

    let done = freed(&["--yes", &target], 0);
    done.assert_eq(&done.document["plan"], &json.document["plan"], "the very plan that was shown");
}

#[live_test(Linux)]
fn a_dry_run_reports_no_outcome() {
    // A connection has the port, and there is no process to end.
    let far = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let own = port();
    let _client = Fixture::start([format!("client-from=127.0.0.1:{own},127.0.0.1:{}", far.port())]);
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    for (target, what) in [
        (format!("127.0.0.1:{own}"), "is not free"),
        (server.port().to_string(), "nothing was done"),
        (format!("127.0.0.1:{own},{}", server.port()), "nothing was done"),
    ] {
        let output = Cmd::new(["free", "--dry-run", &target]).run().without_panic().code(1);
        output.assert(!output.text().contains("still"), "no bind attempt was made that left it as it was");
        output.assert(output.text().contains(what), what);
    }
}

#[live_test(Linux)]
fn the_plan_names_the_signal() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let port = server.port().to_string();
    for (options, action, signal, label) in [
        (&[][..], "terminate", "TERM", "terminate  fixture"),
        (&["-9"], "kill", "KILL", "kill       fixture"),
        (&["--signal", "HUP"], "terminate", "HUP", "SIGHUP     fixture"),
    ] {
        let arguments = [&["free", "--dry-run", &port], options].concat();
        let plan = Cmd::new(arguments.clone()).run().code(1);
        plan.assert(plan.text().contains(label), label);
        let answer = JsonOutput::parse(Cmd::new([&arguments[..], &["--json"]].concat()).run().code(1));
        let step = &answer.document["plan"][0];
        answer.assert_eq(&[&step["action"], &step["signal"]], &[&json!(action), &json!(signal)], "signal");
    }
}

#[live_test(Linux)]
fn a_forked_server_is_ended_whole() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=2".into()]);
    let answer = freed(&["--yes", &server.port().to_string()], 0);
    answer.assert_eq(steps(&answer, "plan"), server.family(), "all holders, in order");
    for step in answer.document["plan"].as_array().into_iter().flatten() {
        answer.assert_eq(&step["action"], &json!("terminate"), "action");
    }
    let mut done = steps(&answer, "done");
    done.sort_unstable();
    done.dedup();
    answer.assert_eq(done, server.family(), "what was done");
    answer.assert_eq(&answer.document["free"], &json!(true), "free");
    must_be_free(&answer.output, server.port(), &server.family());
}

#[live_test(Linux, Ipv6)]
fn every_listener_of_the_port_is_ended() {
    let alone = |address: String| Steps::new(["reuseport".into(), format!("tcp={address}")]);
    let (port, servers) = start_on_one_port(|port| {
        ["127.0.0.1", "127.0.0.1", "[::1]", "0.0.0.0"].map(|address| alone(format!("{address}:{port}")))
    });
    let output = Cmd::new(["free", "--yes", &port.to_string()]).run().code(0);
    must_be_free(&output, port, &servers.map(|server| server.pid()));
}

#[live_test(Linux)]
fn only_the_target_is_ended() {
    let (port, [first, second]) = start_on_one_port(|port| {
        ["127.0.0.1", "127.0.0.2"].map(|address| Steps::new([format!("tcp={address}:{port}")]))
    });
    let answer = freed(&["--yes", &format!("127.0.0.1:{port}")], 0);
    answer.assert_eq(steps(&answer, "plan"), vec![first.pid()], "plan");
    must_be_free(&answer.output, port, &[first.pid()]);
    must_still_hold(&answer.output, &[&second]);
}

#[live_test(Linux, Kernel(6, 8))]
fn a_socket_that_never_listened_is_freed() {
    let server = Fixture::start([format!("bound=127.0.0.1:{}", port()), "fork=1".into()]);
    let answer = freed(&["--yes", &server.port().to_string()], 0);
    answer.assert_eq(steps(&answer, "plan"), server.family(), "plan");
    must_be_free(&answer.output, server.port(), &server.family());
}

#[live_test(Linux)]
fn udp_is_freed_only_on_request() {
    let (port, [tcp, udp]) = start_on_one_port(|port| {
        ["tcp", "udp"].map(|protocol| Steps::new([format!("{protocol}=127.0.0.1:{port}")]))
    });
    let answer = freed(&["--yes", &format!("udp/{port}")], 0);
    answer.assert_eq(steps(&answer, "plan"), vec![udp.pid()], "plan");
    answer.assert(!runs(udp.pid()), "the holder of the UDP socket has ended");
    must_still_hold(&answer.output, &[&tcp]);

    let again = Fixture::start([format!("udp=127.0.0.1:{port}")]);
    let output = Cmd::new(["free", "--yes", &port.to_string()]).run().code(0);
    output.assert(runs(again.pid()), "TCP is the default");
    let reported = output.both_streams().to_lowercase();
    output.assert(reported.contains("udp"), "it reports that UDP uses the port too");
    must_be_free(&output, port, &[tcp.pid()]);
}

#[live_test(Linux)]
fn clients_are_never_ended() {
    // As servers do, so that what their connections leave behind does not block the port.
    let server = ["reuseaddr".to_owned(), format!("tcp=127.0.0.1:{}", port())];
    for serves in [false, true] {
        let step = if serves { "serve" } else { "fork=1" };
        let server = Fixture::start(server.iter().cloned().chain([step.to_owned()]));
        let client = format!("client=127.0.0.1:{}", server.port());
        let clients = [
            Fixture::start([client.clone()]),
            Fixture::start([client.clone(), client.clone(), "fork=1".into()]),
            // A server on another port, which a client may be too.
            Fixture::start([client, format!("tcp=127.0.0.1:{}", port())]),
        ];
        let answer = freed(&["--yes", &server.port().to_string()], 0);
        answer.assert_eq(steps(&answer, "plan"), server.family(), "only the server is in the plan");
        answer.assert(!runs(server.pid()), "the server has ended");
        for pid in clients.iter().flat_map(Fixture::family) {
            answer.assert(runs(pid), &format!("client {pid} still runs"));
        }
    }
}

#[live_test(Linux, Root, Cgroup)]
fn a_unit_is_stopped_by_its_manager() {
    let unit = format!("allears-free-{}.service", std::process::id());
    let cgroup = Cgroup::new(&format!("system.slice/{unit}"));
    let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{}", port())]);
    let output = Cmd::new(["free".to_owned(), "--dry-run".into(), server.port().to_string()]).run();
    let reported = output.both_streams();
    output.assert(
        reported.contains(&format!("systemctl stop -- {unit}")),
        "the command that stops it is printed",
    );
    drop(server);
}

#[live_test(Linux, Root, Cgroup)]
fn a_container_is_stopped_by_its_runtime() {
    let id = format!("{:064x}", u64::from(std::process::id()) | 0xfedc_ba00_0000_0000);
    let cgroup = Cgroup::new(&format!("system.slice/docker-{id}.scope"));
    let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{}", port())]);
    let output = Cmd::new(["free".to_owned(), "--dry-run".into(), server.port().to_string()]).run();
    let reported = output.both_streams();
    output.assert(reported.contains("docker stop "), "the command that stops it is printed");
    drop(server);
}

#[live_test(Linux)]
fn several_ports_are_freed_at_once() {
    let servers = [(); 2].map(|()| Fixture::start([format!("tcp=127.0.0.1:{}", port())]));
    let both = format!("{},{}", servers[0].port(), servers[1].port());
    let dry = Cmd::new(["free", "--dry-run", &both]).run().without_panic();
    for server in &servers {
        dry.assert(dry.text().contains(&server.pid().to_string()), "every plan is shown");
    }
    must_still_hold(&dry, &[&servers[0], &servers[1]]);
    let output = Cmd::new(["free", "--yes", &both]).run().code(0);
    for server in &servers {
        must_be_free(&output, server.port(), &[server.pid()]);
    }
}

#[live_test(Linux)]
fn several_ports_are_one_document() {
    let servers = [(); 2].map(|()| Fixture::start([format!("tcp=127.0.0.1:{}", port())]));
    let both = format!("{},{}", servers[0].port(), servers[1].port());
    for options in [["free", "--json", "--dry-run"], ["free", "--json", "--yes"]] {
        let answer =
            JsonOutput::parse(Cmd::new(options.into_iter().chain([&both[..]])).run().without_panic());
        let reported = answer.document.to_string();
        for server in &servers {
            let step = format!("\"pid\":{}", server.pid());
            answer.assert(reported.contains(&step), "every plan is in it");
        }
    }
}

#[live_test(Linux)]
fn a_connection_from_the_port_is_left_alone() {
    let far = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let near = port();
    let client = Fixture::start([format!("client-from=127.0.0.1:{near},127.0.0.1:{}", far.port())]);
    for options in [&["free", "--yes"][..], &["free", "--yes", "--force", "--timeout=200ms"]] {
        let output = Cmd::new(options.iter().map(|word| (*word).to_owned()).chain([near.to_string()])).run();
        let output = output.without_panic();
        output.assert(runs(client.pid()) && runs(far.pid()), "a client is never ended");
        let code = output.status.code();
        output.assert(code == Some(1) || code == Some(3), "a port that cannot be bound is not free");
    }
}

#[live_test(Linux)]
fn a_lingering_port_is_not_free() {
    let port = port();
    drop(Fixture::start([format!("tcp=127.0.0.1:{port}"), "time-wait".into()]));
    let target = format!("127.0.0.1:{port}");
    let output = Cmd::new(["free", "--yes", "--timeout=200ms", &target]).run().without_panic();
    let code = output.status.code();
    output.assert(code == Some(1) || code == Some(3), "a port that cannot be bound is not free");
}

#[live_test]
fn invalid_durations_are_refused() {
    for duration in ["", "x", "9000h", "-1s", "5x", "s", "1.5.2s"] {
        let output =
            Cmd::new(["free", "--yes", &format!("--timeout={duration}"), "1"]).run().without_panic().code(2);
        output
            .assert(output.stdout.is_empty() && !output.stderr.is_empty(), "standard error names the error");
    }
}
