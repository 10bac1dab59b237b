//! `why` about limits of the machine: privileged ports, local addresses, ephemeral and reserved ports, and what answers
//! although nothing listens. Each test has its own network namespace.

#![cfg(unix)]

use crate::support::{
    Cmd, Fixture, NOBODY, Steps, copy_of, fixture_program, in_new_netns, ip, live_test, nft, pids, port,
    set_limit,
};
use crate::why::{must_be_bindable, must_have_verdict, obstacles, only_obstacle, run_why, sentences, why};
use serde_json::json;

fn as_nobody(target: &str) -> Cmd {
    Cmd::new(["why", "--json", target]).user(Some(NOBODY))
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn low_ports_need_a_privilege() {
    in_new_netns(|| {
        for (limit, low, high) in [("700", "600", "800"), ("2000", "1500", "2500")] {
            set_limit("ipv4/ip_unprivileged_port_start", limit);
            for target in [low.to_owned(), format!("127.0.0.1:{low}"), format!("udp/{low}")] {
                let answer = run_why(as_nobody(&target), 1);
                must_have_verdict(&answer, "privileged");
                answer.assert_eq(&answer.document["error"], &json!("EACCES"), "error");
                answer.assert_eq(obstacles(&answer).len(), 0, "no socket prevents the bind");
                answer.assert(sentences(&answer).contains(limit), "the limit of this machine is named");
                let advice = answer.document["advice"].to_string().to_lowercase();
                answer.assert(advice.contains("setcap"), "a file can be given the right");
                answer.assert(advice.contains("ip_unprivileged_port_start"), "the limit can be moved");
                let activated = advice.contains("activat") || advice.contains(".socket");
                answer.assert(activated, "a manager can open the port");
            }
            must_have_verdict(&run_why(as_nobody(high), 0), "free");
            // A privileged user gets no hint about the missing privilege.
            must_be_bindable(low);
        }
        let text = Cmd::new(["why", "600"]).user(Some(NOBODY)).run().code(1);
        text.assert(text.text().contains("2000"), "the limit is reported in words");
    });
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn a_held_low_port_is_reported_as_both() {
    in_new_netns(|| {
        let server = Fixture::start(["tcp=127.0.0.1:600"]);
        let answer = run_why(as_nobody("127.0.0.1:600"), 1);
        let either = ["privileged", "listening"].iter().any(|one| answer.document["verdict"] == *one);
        answer.assert(either, "verdict privileged or listening: both are true");
        answer.assert_eq(
            &only_obstacle(&answer)["inode"],
            &json!(server.inode(0)),
            "the process that has it",
        );
        answer.assert(sentences(&answer).contains("1024"), "it reports that the port is privileged too");
    });
}

#[live_test(Linux, Root, NETWORK_NAMESPACE, VETH)]
fn addresses_of_other_machines_cannot_be_bound() {
    in_new_netns(|| {
        ip("link add x0 type veth peer name x1");
        ip("addr add 10.77.0.5/24 dev x0");
        ip("addr add 172.20.0.1/16 dev x1");
        ip("addr add fd00:77::5/64 dev x0 nodad");
        for device in ["x0", "x1"] {
            ip(&format!("link set {device} up"));
        }
        let requested = [
            ("10.77.0.9:8080", Some("10.77.0.5")),
            ("172.20.3.4:8080", Some("172.20.0.1")),
            ("[fd00:77::9]:8080", Some("fd00:77::5")),
            ("udp/10.77.0.9:8080", Some("10.77.0.5")),
            ("192.0.2.1:8080", None),
        ];
        for (target, nearest) in requested {
            let answer = why(target, 1);
            must_have_verdict(&answer, "address-not-local");
            answer.assert_eq(&answer.document["error"], &json!("EADDRNOTAVAIL"), "error");
            answer.assert_eq(obstacles(&answer).len(), 0, "no socket prevents the bind");
            if let Some(nearest) = nearest {
                answer.assert(sentences(&answer).contains(nearest), "the nearest local address is named");
            }
        }
        for target in ["10.77.0.5:8080", "[fd00:77::5]:8080", "127.9.9.9:8080"] {
            must_be_bindable(target);
        }
    });
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn reserved_ports_can_be_bound() {
    in_new_netns(|| {
        set_limit("ipv4/ip_local_reserved_ports", "12345-12347,40000");
        for target in ["12346", "40000", "127.0.0.1:12345", "udp/12347"] {
            // Reserved ports are only excluded from automatic assignment.
            let answer = why(target, 0);
            must_have_verdict(&answer, "reserved");
            answer.assert_eq(&answer.document["error"], &json!(null), "error");
            answer.assert(sentences(&answer).contains("reserved"), "it reports who reserves it");
        }
        must_be_bindable("12348");
        let server = Fixture::start(["tcp=127.0.0.1:12346"]);
        let answer = why("12346", 1);
        must_have_verdict(&answer, "listening");
        answer.assert_eq(pids(only_obstacle(&answer)), vec![server.pid()], "holder");
    });
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn ephemeral_ports_can_be_reserved() {
    in_new_netns(|| {
        set_limit("ipv4/ip_local_port_range", "40000 40100");
        let _server = Fixture::start(["tcp=127.0.0.1:8080"]);
        for (near, dealt_out) in [("40050", true), ("50050", false)] {
            let client = Fixture::start([format!("client-from=127.0.0.1:{near},127.0.0.1:8080")]);
            let answer = why(near, 1);
            must_have_verdict(&answer, "connection");
            answer.assert_eq(pids(only_obstacle(&answer)), vec![client.pid()], "holder");
            let kept_out = sentences(&answer).contains("ip_local_reserved_ports");
            answer.assert_eq(
                kept_out,
                dealt_out,
                "how to reserve it, only for the ephemeral range of this machine",
            );
            if dealt_out {
                let range = sentences(&answer).contains("40000") && sentences(&answer).contains("40100");
                answer.assert(range, "the range of this machine is named");
            }
        }
    });
}

#[live_test(Linux, Root, NFT)]
fn a_redirected_port_is_reported() {
    in_new_netns(|| {
        nft("add table ip t; add chain ip t c { type nat hook output priority -100; }; \
             add rule ip t c tcp dport 8081 redirect to :8082");
        let _server = Fixture::start(["tcp=127.0.0.1:8082"]);
        // It can be bound, but no connection would ever arrive there.
        let answer = why("8081", 0);
        must_have_verdict(&answer, "forwarded");
        let standing = obstacles(&answer);
        let no_sockets = standing.iter().all(|one| one["state"] == "forwarded" && one["inode"].is_null());
        answer.assert(no_sockets && standing.len() == 1, "a rule prevents the bind, not a socket");
        must_be_bindable("8083");
    });
}

#[live_test(Linux)]
fn the_proxy_of_a_container_is_reported() {
    let port = port();
    let line = format!(
        "/usr/bin/docker-proxy -proto tcp -host-ip 127.0.0.1 -host-port {port} \
         -container-ip 172.17.0.2 -container-port 80"
    );
    let server = Steps::new([format!("tcp=127.0.0.1:{port}")])
        .program(copy_of(&fixture_program(), Some("docker-proxy")))
        .bytes("pad", &[b'x'; 400])
        .bytes("arguments", line.as_bytes())
        .start();
    let answer = why(&port.to_string(), 1);
    must_have_verdict(&answer, "forwarded");
    answer.assert_eq(pids(only_obstacle(&answer)), vec![server.pid()], "the proxy that holds it");
    answer.assert(sentences(&answer).contains("172.17.0.2"), "the answering address is reported");
}
