//! Listeners in no descriptor table: a thread waits on them in a system call, or a ring or a mapping has them. Their
//! process is named as a candidate with the evidence, and the kernel is never named as the holder.

#![cfg(target_os = "linux")]

use crate::support::{Cmd, Fixture, JsonOutput, NOBODY, Steps, live_test, port, until};
use serde_json::{Value, json};

/// Returns the pids of the candidates with this evidence.
fn candidates(unseen: &Value, evidence: &str) -> Vec<u64> {
    let all = unseen["candidates"].as_array().into_iter().flatten();
    let alike = all.filter(|candidate| candidate["evidence"] == evidence);
    alike.filter_map(|candidate| candidate["pid"].as_u64()).collect()
}

/// Asserts that the listener has no holder in a table, and that the fixture is a candidate. Other tests may hide
/// sockets at the same time.
fn must_be_named(answer: &JsonOutput, server: &Fixture, evidence: &str) {
    let listener = answer.only();
    answer.assert_eq(&listener["holders"], &json!([]), "it is in no table");
    let unseen = &listener["unseen"];
    answer.assert_eq(&unseen["reason"], &json!("unknown"), "unseen.reason");
    answer.assert(candidates(unseen, evidence).contains(&server.pid().into()), evidence);
    let first = &unseen["candidates"][0]["evidence"];
    answer.assert(first != "user", "holders of hidden sockets come before unreadable processes");
}

#[live_test]
fn a_thread_in_a_system_call_keeps_its_socket() {
    for call in ["accept", "poll", "select"] {
        let port = port();
        let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), format!("wait-in={call}")]);
        let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
        must_be_named(&answer, &server, &format!("waits-in-{call}"));
    }
    let port = port();
    let server = Fixture::start([format!("tcp=[::1]:{port}"), "wait-in=accept".to_owned()]);
    must_be_named(&Cmd::new([format!("tcp/{port}")]).answer(0), &server, "waits-in-accept");
    let card = Cmd::new([format!("tcp/{port}")]).run().code(0);
    card.assert(card.text().contains("waits in accept(2) on a closed descriptor"), "the card explains how");
    card.assert(!card.text().contains("kernel"), "the kernel is not named as the holder");
    let pids = Cmd::new(["--pids".to_owned(), format!("tcp/{port}")]).run().code(3);
    pids.assert(pids.stdout.is_empty(), "a candidate is no holder");
}

#[live_test]
fn a_thread_in_a_system_call_keeps_its_udp_socket() {
    for (call, named) in
        [("recv", "recv"), ("recvfrom", "recv"), ("recvmsg", "recv"), ("read", "recv"), ("poll", "poll")]
    {
        let port = port();
        let server = Fixture::start([format!("udp=127.0.0.1:{port}"), format!("wait-in={call}")]);
        let answer = Cmd::new([format!("udp/{port}")]).answer(0);
        must_be_named(&answer, &server, &format!("waits-in-{named}"));
    }
}

#[live_test]
fn a_reused_descriptor_number_hides_nothing() {
    for other in ["reuse-number".to_owned(), "udp=127.0.0.1:0".to_owned()] {
        let port = port();
        let steps = [format!("tcp=127.0.0.1:{port}"), "wait-in=accept".to_owned(), other];
        let server = Fixture::start(steps);
        must_be_named(&Cmd::new([format!("tcp/{port}")]).answer(0), &server, "waits-in-accept");
    }
}

#[live_test]
fn epoll_keeps_nothing() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "wait-in=epoll".to_owned()]);
    let output = Cmd::new([format!("tcp/{port}")]).run().code(1);
    output.assert(output.text().contains("nothing listens"), "the socket went with its descriptor");
}

#[live_test(IoUring)]
fn a_pending_accept_in_a_ring_is_named() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "ring-accept".to_owned()]);
    must_be_named(&Cmd::new([format!("tcp/{port}")]).answer(0), &server, "io-uring");
}

#[live_test(IoUring, Kernel(5, 18))]
fn a_ring_without_a_descriptor_is_named() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "ring-accept=registered".to_owned()]);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let unseen = &answer.only()["unseen"];
    answer.assert(unseen["reason"] != "kernel", "the kernel is not named as the holder");
    answer.assert(candidates(unseen, "io-uring").contains(&server.pid().into()), "the ring's process");
}

#[live_test]
fn a_process_that_shares_the_table_is_named() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "share-table".to_owned()]);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    answer.assert_eq(&answer.only()["holders"], &json!([]), "it is in no table");
    let found = candidates(&answer.only()["unseen"], "waits-in-accept");
    let child = server.children().first().copied().expect("a child");
    answer.assert(found.contains(&child.into()), "the child, whose system call keeps it");
    answer.assert(!found.contains(&server.pid().into()), "not its parent, which only waits");
}

#[live_test]
fn a_mapping_is_named() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "map".to_owned()]);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    must_be_named(&answer, &server, "mapping");
    let all = &answer.only()["unseen"]["candidates"];
    answer.assert_eq(
        all.as_array().map_or(0, Vec::len),
        1,
        "the kernel names this socket, so no other is named",
    );
}

#[live_test]
fn why_and_free_name_the_same_candidate() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "wait-in=accept".to_owned()]);
    let target = format!("tcp/{port}");
    let named = format!("(pid {}", server.pid());
    let why = Cmd::new(["why", &target]).run().code(1);
    why.assert(why.text().contains(&named), "why names it");
    why.assert(why.text().contains("waits in accept(2)"), "and shows the evidence");
    why.assert(
        !why.text().contains("tunnel") && !why.text().contains("kernel"),
        "no advice about the kernel",
    );
    let free = Cmd::new(["free", "--dry-run", &target]).run().code(3);
    free.assert(free.errors().contains(&named), "free names it");
    free.assert(!free.errors().contains("kernel"), "and does not attribute it to the kernel");
    let document = Cmd::new(["why", "--json", &target]).run().code(1);
    let document: Value = serde_json::from_str(document.text()).expect("JSON");
    let unseen = &document["standing_in_the_way"][0]["unseen"];
    assert!(candidates(unseen, "waits-in-accept").contains(&server.pid().into()), "{unseen}");
}

/// A ring of root has the socket, and descriptors are in flight to a process of another user.
#[live_test(Root, IoUring)]
fn a_message_for_another_user_is_not_evidence() {
    let [port, other] = [port(), port()];
    let steps = [format!("tcp=127.0.0.1:{other}"), "in-flight".to_owned()];
    let sender = Steps::new(steps).user(Some(NOBODY)).start();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "ring-accept".to_owned()]);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    must_be_named(&answer, &server, "io-uring");
    let unseen = &answer.only()["unseen"];
    let receivers = candidates(unseen, "message");
    answer.assert(!receivers.contains(&sender.pid().into()), "that message cannot hold it");
}

#[live_test]
fn a_message_is_reported_alike_everywhere() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "in-flight".to_owned()]);
    let target = format!("tcp/{port}");
    let named = format!("(pid {})", server.pid());
    // Other tests briefly hide sockets of the same user, which may be the ones seen here.
    let alike = || {
        let card = Cmd::new([&target]).run().code(0);
        let why = Cmd::new(["why", &target]).run().code(1);
        let free = Cmd::new(["free", "--dry-run", &target]).run().code(3);
        why.assert(
            !why.text().contains("kernel") && !why.text().contains("tunnel"),
            "no advice about the kernel",
        );
        let all = card.text().contains("in a message that nobody has received yet")
            && why.text().contains("held by a message that nobody has received yet")
            && free.errors().contains("in a message that is not received yet");
        let receiver = [card.text(), why.text(), &free.errors()].iter().all(|text| text.contains(&named));
        (all && receiver).then_some(())
    };
    until(alike).expect("the card, why and free name the message and its receiver");
}

/// A zombie has the user of the socket, and holds nothing.
#[live_test(Root)]
fn a_zombie_is_not_a_candidate() {
    const SOMEBODY: u32 = 4321;
    let port = port();
    let steps = [format!("tcp=127.0.0.1:{port}"), "zombie".to_owned()];
    let server = Steps::new(steps).user(Some(SOMEBODY)).start();
    let zombie = server.children().first().copied().expect("a child");
    let ended = || {
        let stat = std::fs::read_to_string(format!("/proc/{zombie}/stat")).expect("nothing waits for it");
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')).then_some(())
    };
    until(ended).expect("the child ends");
    let answer = Cmd::new([format!("tcp/{port}")]).user(Some(NOBODY)).answer(0);
    let all = answer.only()["unseen"]["candidates"].as_array().cloned().unwrap_or_default();
    let pids: Vec<u64> = all.iter().filter_map(|candidate| candidate["pid"].as_u64()).collect();
    answer.assert(pids.contains(&server.pid().into()), "the server");
    answer.assert(!pids.contains(&zombie.into()), "not the zombie");
}

/// A user who may not read what the threads of other users do.
#[live_test(Root)]
fn a_user_sees_its_own_candidates() {
    let port = port();
    let steps = [format!("tcp=127.0.0.1:{port}"), "wait-in=accept".to_owned()];
    let server = Steps::new(steps).user(Some(NOBODY)).start();
    // Other processes of the same user may hide sockets at the moment.
    let answer = Cmd::new([format!("tcp/{port}")]).user(Some(NOBODY)).answer(0);
    let found = candidates(&answer.only()["unseen"], "waits-in-accept");
    answer.assert(found.contains(&server.pid().into()), "its own process");
}
