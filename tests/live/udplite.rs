//! UDP-Lite, which has a port space of its own: shown on request, and never taken for UDP.

#![cfg(target_os = "linux")]

use crate::support::{Cmd, Fixture, JsonOutput, NOBODY, Steps, live_test, pids, port, without_netlink};
use serde_json::json;

fn cmd(arguments: &[&str]) -> Cmd {
    Cmd::new(arguments.iter().copied())
}

#[live_test(UdpLite)]
fn udplite_is_shown_on_request() {
    let port = port();
    let server = Fixture::start([format!("udplite=127.0.0.1:{port}")]);
    let number = port.to_string();
    for requested in [
        vec![format!("udplite/{port}")],
        vec![format!("{port}/udplite")],
        vec!["--all".into(), number.clone()],
    ] {
        let answer = Cmd::new(requested).answer(0);
        let listener = answer.only();
        answer.assert_eq(&listener["protocol"], &json!("udplite"), "protocol");
        answer.assert_eq(&listener["state"], &json!("bound"), "state");
        answer.assert_eq(&listener["inode"], &json!(server.inode(0)), "inode");
        answer.assert_eq(pids(listener), vec![server.pid()], "holders");
    }
    for requested in [vec![number.clone()], vec![format!("udp/{port}")], vec!["--udp".into(), number.clone()]]
    {
        let text = Cmd::new(requested).run().code(1);
        text.assert(text.text().contains("nothing listens"), "a request for UDP does not include it");
    }
    let card = Cmd::new([format!("udplite/{port}")]).run().code(0);
    card.assert(
        card.text().contains(&format!("{port}/udplite on 127.0.0.1 is held by")),
        "the card names it",
    );
    let nothing = Cmd::new([format!("udplite/{}", crate::support::port())]).answer(1);
    nothing.assert_eq(&nothing.document["gaps"], &json!([]), "gaps");
}

#[live_test(UdpLite, Ipv6)]
fn udplite_over_ipv6_is_shown_too() {
    let port = port();
    let server = Fixture::start([format!("udplite=[::1]:{port}")]);
    let answer = Cmd::new([format!("udplite/[::1]:{port}")]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holders");
    cmd(&["-4", &format!("udplite/{port}")]).answer(1);
    cmd(&["-6", &format!("udplite/{port}")]).answer(0);
}

#[live_test(UdpLite)]
fn udplite_and_udp_share_a_port_number() {
    let port = port();
    let lite = Fixture::start([format!("udplite=127.0.0.1:{port}")]);
    let udp = Fixture::start([format!("udp=127.0.0.1:{port}")]);
    for (protocol, server) in [("udplite", &lite), ("udp", &udp)] {
        let target = format!("{protocol}/{port}");
        let answer = Cmd::new([target.clone()]).answer(0);
        answer.assert_eq(pids(answer.only()), vec![server.pid()], protocol);
        let why = JsonOutput::parse(cmd(&["why", "--json", &target]).run().code(1));
        why.assert_eq(&why.document["can_bind"], &json!(false), "can_bind");
        let standing = why.document["standing_in_the_way"].as_array().cloned().unwrap_or_default();
        why.assert_eq(standing.iter().flat_map(pids).collect::<Vec<_>>(), vec![server.pid()], protocol);
        let text = cmd(&["why", &target]).run().code(1);
        let other = if server.pid() == lite.pid() { &udp } else { &lite };
        text.assert(!text.text().contains(&other.pid().to_string()), "the other one is not blamed");
    }
    cmd(&[&port.to_string()]).answer(0).only();
}

#[live_test(UdpLite)]
fn udplite_does_not_block_udp_nor_the_other_way_round() {
    for (held, requested) in [("udplite", "udp"), ("udp", "udplite")] {
        let port = port();
        let _server = Fixture::start([format!("{held}=127.0.0.1:{port}")]);
        let why = JsonOutput::parse(cmd(&["why", "--json", &format!("{requested}/{port}")]).run().code(0));
        why.assert_eq(&why.document["verdict"], &json!("free"), "verdict");
        why.assert_eq(&why.document["standing_in_the_way"], &json!([]), "standing in the way");
        let why = JsonOutput::parse(cmd(&["why", "--json", &format!("{held}/{port}")]).run().code(1));
        why.assert_eq(&why.document["verdict"], &json!("listening"), "verdict of the other");
    }
}

#[live_test(UdpLite)]
fn udplite_is_read_from_proc_net_too() {
    let port = port();
    let server = Fixture::start([format!("udplite=127.0.0.1:{port}")]);
    let target = format!("udplite/{port}");
    let refused = Cmd::new([target.clone()]).through(without_netlink(libc::EPERM)).answer(0);
    refused.assert_eq(pids(refused.only()), vec![server.pid()], "holders, without netlink");
    refused.assert_eq(&refused.only()["state"], &json!("bound"), "state");
    let gaps = refused.document["gaps"].as_array().cloned().unwrap_or_default();
    refused.assert(gaps.iter().any(|gap| gap["reason"] == "netlink"), "a gap names what that source lacks");
    let crates = cmd(&["--reader=netstat2", &target]).answer(0);
    crates.assert_eq(pids(crates.only()), vec![server.pid()], "holders, beside netstat2");
}

#[live_test(UdpLite, Root)]
fn an_unseen_holder_of_udplite_gets_a_udplite_command() {
    let port = port();
    let _server = Fixture::start([format!("udplite=127.0.0.1:{port}")]);
    let answer = Cmd::new([format!("udplite/{port}")]).user(Some(NOBODY)).answer(0);
    let help = answer.only()["unseen"]["help"].as_str().unwrap_or_default();
    let command = format!("allears udplite/{port}");
    answer
        .assert(help.starts_with("sudo ") && help.ends_with(&command), "the command that shows who holds it");
}

#[live_test(UdpLite)]
fn udplite_ports_are_freed() {
    let port = port();
    let other = Steps::new([format!("udp=127.0.0.1:{port}")]).start();
    let server = Fixture::start([format!("udplite=127.0.0.1:{port}")]);
    let freed =
        JsonOutput::parse(cmd(&["free", "--json", "--yes", &format!("udplite/{port}")]).run().code(0));
    let plan = freed.document["plan"].as_array().cloned().unwrap_or_default();
    let pids_in_plan: Vec<_> = plan.iter().map(|step| step["pid"].clone()).collect();
    freed.assert_eq(pids_in_plan, vec![json!(server.pid())], "the ended processes");
    let udp = Cmd::new([format!("udp/{port}")]).answer(0);
    udp.assert_eq(pids(udp.only()), vec![other.pid()], "the holder of the UDP port still runs");
}
