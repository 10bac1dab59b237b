//! `free`: the plan, its carrying out, and the proof. Who does not end at once, or comes back, is in
//! `free_endings`; what it refuses in `free_refuses`, what it asks on a terminal in `free_asks`.

use crate::stage::{Answer, Fixture, Look, Need, Seen, Steps, listen_strictly, on_one_port, port, until};
use crate::unprivileged::Cgroup;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};

cases![
    a_port_nobody_holds_is_free[Need::Linux],
    a_dry_run_does_nothing[Need::Linux],
    a_dry_run_is_no_outcome[Need::Linux],
    a_forked_server_is_ended_whole[Need::Linux],
    every_listener_of_the_port_is_ended[Need::Linux, Need::Ipv6],
    only_what_was_asked_about_is_ended[Need::Linux],
    a_socket_that_never_listened_is_freed[Need::Linux, Need::Kernel(6, 8)],
    udp_is_freed_by_name_alone[Need::Linux],
    clients_are_never_ended[Need::Linux],
    a_unit_is_stopped_by_its_manager[Need::Linux, Need::Root, Need::Cgroup],
    a_container_is_stopped_by_its_runtime[Need::Linux, Need::Root, Need::Cgroup],
    several_ports_are_freed_at_once[Need::Linux],
    several_ports_are_one_document[Need::Linux],
    a_connection_from_the_port_is_left_alone[Need::Linux],
    what_lingers_is_not_called_free[Need::Linux],
    durations_that_cannot_be_meant_are_refused[],
];

/// A process is there and has not ended; one that ended and was not waited for does not run.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// The run, its exit code, and the document with everything that must be in it.
#[track_caller]
pub(crate) fn freed(arguments: &[&str], code: i32) -> Answer {
    let words = ["free", "--json"].iter().chain(arguments).copied();
    let answer = Answer::of(Look::at(words).run().code(code));
    let (seen, told) = (&answer.seen, &answer.document);
    seen.equal(&told["schema"], &json!("allears/1"), "schema");
    seen.must(!told["target"].is_null(), "target");
    seen.must(told["free"].is_boolean(), "free");
    seen.must(told["done"].is_array(), "done");
    for step in told["plan"].as_array().unwrap_or_else(|| seen.fail("plan is an array")) {
        seen.must(step["pid"].is_u64(), "pid of a step");
        seen.must(step["action"].is_string(), "action of a step");
        seen.must(step.get("reason").is_some(), "reason of a step");
    }
    answer
}

/// Pids of a plan, or of what was done, in the order given.
#[track_caller]
pub(crate) fn steps(answer: &Answer, key: &str) -> Vec<u32> {
    let steps = answer.document[key].as_array().map(Vec::as_slice).unwrap_or_default();
    steps.iter().filter_map(|step| u32::try_from(step["pid"].as_u64()?).ok()).collect()
}

/// Nobody of these runs any more, and the port can be had without any option.
#[track_caller]
pub(crate) fn must_be_free(seen: &Seen, port: u16, ended: &[u32]) {
    let bound = until(|| listen_strictly(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok());
    seen.must(bound.is_some(), "the port can be bound");
    for pid in ended {
        seen.must(!runs(*pid), &format!("{pid} has ended"));
    }
}

#[track_caller]
pub(crate) fn must_still_hold(seen: &Seen, servers: &[&Fixture]) {
    for pid in servers.iter().flat_map(|server| server.family()) {
        seen.must(runs(pid), &format!("{pid} still runs"));
    }
    for server in servers {
        let still = Look::at(["--pids".to_owned(), server.port().to_string()]).run().code(0);
        let told: Vec<u32> = still.text().lines().filter_map(|line| line.parse().ok()).collect();
        seen.must(server.family().iter().all(|pid| told.contains(pid)), "they still hold the port");
    }
}

fn a_port_nobody_holds_is_free() {
    let port = port();
    for arguments in [vec![], vec!["--yes"], vec!["--dry-run"], vec!["--force", "--yes"]] {
        let target = port.to_string();
        let answer = freed(&[&arguments[..], &[&target]].concat(), 0);
        answer.seen.equal(&answer.document["free"], &json!(true), "free");
        answer.seen.equal(&answer.document["plan"], &json!([]), "plan");
        answer.seen.equal(&answer.document["done"], &json!([]), "done");
    }
    let seen = Look::at(["free".to_owned(), port.to_string()]).run().code(0);
    seen.must(seen.text().contains("free"), "it says so");
}

fn a_dry_run_does_nothing() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=2".into()]);
    let target = server.port().to_string();
    let text = Look::at(["free", "--dry-run", &target]).run().without_panic();
    for pid in server.family() {
        text.must(text.text().contains(&pid.to_string()), "the plan names every holder");
    }
    text.must(text.text().contains("nothing was done"), "it says so");
    must_still_hold(&text, &[&server]);
    let json = Answer::of(Look::at(["free", "--dry-run", "--json", &target]).run().without_panic());
    json.seen.equal(steps(&json, "plan"), server.family(), "the plan names every holder");
    json.seen.equal(&json.document["done"], &json!([]), "nothing was done");
    json.seen.equal(&json.document["free"], &json!(false), "free");
    let with_yes = Answer::of(Look::at(["free", "--dry-run", "--yes", "--json", &target]).run());
    must_still_hold(&with_yes.seen, &[&server]);

    let done = freed(&["--yes", &target], 0);
    done.seen.equal(&done.document["plan"], &json.document["plan"], "the very plan that was shown");
}

fn a_dry_run_is_no_outcome() {
    // A connection has the port, and there is nobody to end.
    let far = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let own = port();
    let _client = Fixture::start([format!("client-from=127.0.0.1:{own},127.0.0.1:{}", far.port())]);
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    for (target, what) in [
        (format!("127.0.0.1:{own}"), "is not free"),
        (server.port().to_string(), "nothing was done"),
        (format!("127.0.0.1:{own},{}", server.port()), "nothing was done"),
    ] {
        let seen = Look::at(["free", "--dry-run", &target]).run().without_panic().code(1);
        seen.must(!seen.text().contains("still"), "nothing was tried that left it as it was");
        seen.must(seen.text().contains(what), what);
    }
}

fn a_forked_server_is_ended_whole() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=2".into()]);
    let answer = freed(&["--yes", &server.port().to_string()], 0);
    answer.seen.equal(steps(&answer, "plan"), server.family(), "all holders, in order");
    for step in answer.document["plan"].as_array().into_iter().flatten() {
        answer.seen.equal(&step["action"], &json!("terminate"), "action");
    }
    let mut done = steps(&answer, "done");
    done.sort_unstable();
    done.dedup();
    answer.seen.equal(done, server.family(), "what was done");
    answer.seen.equal(&answer.document["free"], &json!(true), "free");
    must_be_free(&answer.seen, server.port(), &server.family());
}

fn every_listener_of_the_port_is_ended() {
    let alone = |address: String| Steps::new(["reuseport".into(), format!("tcp={address}")]);
    let (port, servers) = on_one_port(|port| {
        ["127.0.0.1", "127.0.0.1", "[::1]", "0.0.0.0"].map(|address| alone(format!("{address}:{port}")))
    });
    let seen = Look::at(["free", "--yes", &port.to_string()]).run().code(0);
    must_be_free(&seen, port, &servers.map(|server| server.pid()));
}

fn only_what_was_asked_about_is_ended() {
    let (port, [first, second]) = on_one_port(|port| {
        ["127.0.0.1", "127.0.0.2"].map(|address| Steps::new([format!("tcp={address}:{port}")]))
    });
    let answer = freed(&["--yes", &format!("127.0.0.1:{port}")], 0);
    answer.seen.equal(steps(&answer, "plan"), vec![first.pid()], "plan");
    must_be_free(&answer.seen, port, &[first.pid()]);
    must_still_hold(&answer.seen, &[&second]);
}

fn a_socket_that_never_listened_is_freed() {
    let server = Fixture::start([format!("bound=127.0.0.1:{}", port()), "fork=1".into()]);
    let answer = freed(&["--yes", &server.port().to_string()], 0);
    answer.seen.equal(steps(&answer, "plan"), server.family(), "plan");
    must_be_free(&answer.seen, server.port(), &server.family());
}

fn udp_is_freed_by_name_alone() {
    let (port, [tcp, udp]) = on_one_port(|port| {
        ["tcp", "udp"].map(|protocol| Steps::new([format!("{protocol}=127.0.0.1:{port}")]))
    });
    let answer = freed(&["--yes", &format!("udp/{port}")], 0);
    answer.seen.equal(steps(&answer, "plan"), vec![udp.pid()], "plan");
    answer.seen.must(!runs(udp.pid()), "the holder of the UDP socket has ended");
    must_still_hold(&answer.seen, &[&tcp]);

    let again = Fixture::start([format!("udp=127.0.0.1:{port}")]);
    let seen = Look::at(["free", "--yes", &port.to_string()]).run().code(0);
    seen.must(runs(again.pid()), "TCP is meant where nothing else is said");
    let told = (seen.text().to_owned() + &seen.errors()).to_lowercase();
    seen.must(told.contains("udp"), "that UDP uses the port too is said");
    must_be_free(&seen, port, &[tcp.pid()]);
}

fn clients_are_never_ended() {
    // As servers do it, so that what their connections leave behind is no obstacle.
    let server = ["reuseaddr".to_owned(), format!("tcp=127.0.0.1:{}", port())];
    for serves in [false, true] {
        let step = if serves { "serve" } else { "fork=1" };
        let server = Fixture::start(server.iter().cloned().chain([step.to_owned()]));
        let client = format!("client=127.0.0.1:{}", server.port());
        let clients = [
            Fixture::start([client.clone()]),
            Fixture::start([client.clone(), client.clone(), "fork=1".into()]),
            // A server elsewhere, which a client may be.
            Fixture::start([client, format!("tcp=127.0.0.1:{}", port())]),
        ];
        let answer = freed(&["--yes", &server.port().to_string()], 0);
        answer.seen.equal(steps(&answer, "plan"), server.family(), "the server alone is in the plan");
        answer.seen.must(!runs(server.pid()), "the server has ended");
        for pid in clients.iter().flat_map(Fixture::family) {
            answer.seen.must(runs(pid), &format!("client {pid} still runs"));
        }
    }
}

fn a_unit_is_stopped_by_its_manager() {
    let unit = format!("allears-free-{}.service", std::process::id());
    let cgroup = Cgroup::new(&format!("system.slice/{unit}"));
    let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{}", port())]);
    let seen = Look::at(["free".to_owned(), "--dry-run".into(), server.port().to_string()]).run();
    let told = seen.text().to_owned() + &seen.errors();
    seen.must(told.contains(&format!("systemctl stop -- {unit}")), "how it is stopped is said");
    drop(server);
}

fn a_container_is_stopped_by_its_runtime() {
    let id = format!("{:064x}", u64::from(std::process::id()) | 0xfedc_ba00_0000_0000);
    let cgroup = Cgroup::new(&format!("system.slice/docker-{id}.scope"));
    let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{}", port())]);
    let seen = Look::at(["free".to_owned(), "--dry-run".into(), server.port().to_string()]).run();
    let told = seen.text().to_owned() + &seen.errors();
    seen.must(told.contains("docker stop "), "how it is stopped is said");
    drop(server);
}

fn several_ports_are_freed_at_once() {
    let servers = [(); 2].map(|()| Fixture::start([format!("tcp=127.0.0.1:{}", port())]));
    let both = format!("{},{}", servers[0].port(), servers[1].port());
    let dry = Look::at(["free", "--dry-run", &both]).run().without_panic();
    for server in &servers {
        dry.must(dry.text().contains(&server.pid().to_string()), "every plan is shown");
    }
    must_still_hold(&dry, &[&servers[0], &servers[1]]);
    let seen = Look::at(["free", "--yes", &both]).run().code(0);
    for server in &servers {
        must_be_free(&seen, server.port(), &[server.pid()]);
    }
}

fn several_ports_are_one_document() {
    let servers = [(); 2].map(|()| Fixture::start([format!("tcp=127.0.0.1:{}", port())]));
    let both = format!("{},{}", servers[0].port(), servers[1].port());
    for options in [["free", "--json", "--dry-run"], ["free", "--json", "--yes"]] {
        let answer = Answer::of(Look::at(options.into_iter().chain([&both[..]])).run().without_panic());
        let told = answer.document.to_string();
        for server in &servers {
            let step = format!("\"pid\":{}", server.pid());
            answer.seen.must(told.contains(&step), "every plan is in it");
        }
    }
}

fn a_connection_from_the_port_is_left_alone() {
    let far = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let near = port();
    let client = Fixture::start([format!("client-from=127.0.0.1:{near},127.0.0.1:{}", far.port())]);
    for options in [&["free", "--yes"][..], &["free", "--yes", "--force", "--timeout=200ms"]] {
        let seen = Look::at(options.iter().map(|word| (*word).to_owned()).chain([near.to_string()])).run();
        let seen = seen.without_panic();
        seen.must(runs(client.pid()) && runs(far.pid()), "a client is never ended");
        let code = seen.status.code();
        seen.must(code == Some(1) || code == Some(3), "a port that cannot be bound is not free");
    }
}

fn what_lingers_is_not_called_free() {
    let port = port();
    drop(Fixture::start([format!("tcp=127.0.0.1:{port}"), "time-wait".into()]));
    let target = format!("127.0.0.1:{port}");
    let seen = Look::at(["free", "--yes", "--timeout=200ms", &target]).run().without_panic();
    let code = seen.status.code();
    seen.must(code == Some(1) || code == Some(3), "a port that cannot be bound is not free");
}

fn durations_that_cannot_be_meant_are_refused() {
    for duration in ["", "x", "9000h", "-1s", "5x", "s", "1.5.2s"] {
        let seen =
            Look::at(["free", "--yes", &format!("--timeout={duration}"), "1"]).run().without_panic().code(2);
        seen.must(seen.stdout.is_empty() && !seen.stderr.is_empty(), "standard error says what is wrong");
    }
}
