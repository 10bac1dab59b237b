//! `why` about connections that no process holds any more: who has the other end, and how long the kernel keeps them.

#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use crate::support::{
    Cmd, Fixture, JsonOutput, NOBODY, Steps, holders, in_new_netns, ip, listen_without_reuse, live_test, nft,
    pids, port, until,
};
use crate::why::{must_have_verdict, obstacles, run_why, sentences};
use serde_json::json;

fn listen(address: &str) -> TcpListener {
    let address = address.parse().expect("an address and a port");
    TcpListener::from(listen_without_reuse(address).expect("listen"))
}

/// A listener without options, like a server that cannot be restarted at once.
fn strict(address: &str) -> (TcpListener, u16) {
    let port = port();
    (listen(&format!("{address}:{port}")), port)
}

/// Waits until the connections of a port are in this state and no process holds them.
fn orphaned(target: &str, state: &str) -> JsonOutput {
    let answer = until(|| {
        let answer = run_why(Cmd::new(["why", "--json", target]), 1);
        let there =
            obstacles(&answer).iter().all(|socket| socket["state"] == state && holders(socket).is_empty());
        (there && !obstacles(&answer).is_empty()).then_some(answer)
    });
    let answer = answer.unwrap_or_else(|| panic!("{target} in {state}"));
    must_have_verdict(&answer, "connection");
    for socket in obstacles(&answer) {
        answer.assert(socket["uid"] != json!(0), "uid 0 without an inode is no user");
        answer.assert(socket["user"] != json!("root"), "and is not root");
    }
    answer
}

#[live_test(Ipv6, OwnProcess)]
fn a_fin_that_the_peer_does_not_answer() {
    for address in ["127.0.0.1", "[::1]"] {
        let (listener, port) = strict(address);
        let client = Fixture::start([format!("client={address}:{port}")]);
        drop(listener.accept().expect("accept"));
        drop(listener);
        let answer = orphaned(&format!("{address}:{port}"), "fin-wait-2");
        let reported = sentences(&answer);
        answer.assert(reported.contains(&format!("pid {}", client.pid())), "the process with the other end");
        answer.assert(reported.contains("tcp_fin_timeout"), "what limits it");
        answer.assert(
            reported.contains("for up to 5") || reported.contains("for up to 60 s"),
            "how long it lasts",
        );
        answer.assert(reported.contains("time_wait may follow"), "and what follows");
        let end = &answer.document["other_ends"][0];
        answer.assert_eq(pids(end), vec![client.pid()], "the other end");
        answer.assert_eq(&end["state"], &json!("close-wait"), "its state");
    }
}

#[live_test(OwnProcess)]
fn a_fin_behind_unread_data() {
    let (listener, port) = strict("127.0.0.1");
    let client = Fixture::start([format!("client=127.0.0.1:{port}")]);
    let (mut connection, _) = listener.accept().expect("accept");
    connection.set_nonblocking(true).expect("non-blocking");
    while connection.write(&[0; 65536]).is_ok() {}
    drop((connection, listener));
    // First there is data in flight.
    let answer = until(|| {
        let answer = orphaned(&format!("127.0.0.1:{port}"), "fin-wait-1");
        sentences(&answer).contains("takes no data").then_some(answer)
    });
    let answer = answer.expect("a connection whose end is not sent");
    let reported = sentences(&answer);
    answer.assert(reported.contains(&format!("pid {}", client.pid())), "the process with the other end");
    answer.assert(reported.contains("it asks again in"), "when it asks again");
    answer.assert(reported.contains("tcp_orphan_retries"), "what limits it");
    answer.assert(!reported.contains("tcp_fin_timeout"), "that limit belongs to another state");
}

#[live_test(Root, NETWORK_NAMESPACE, NFT, OwnProcess)]
fn a_fin_that_is_not_acknowledged() {
    in_new_netns(|| {
        for (state, port) in [("last-ack", 8081), ("fin-wait-1", 8082), ("closing", 8083)] {
            let client_first = state == "last-ack";
            let listener = listen(&format!("127.0.0.1:{port}"));
            let client = TcpStream::connect(("127.0.0.1", port)).expect("connect");
            let (connection, _) = listener.accept().expect("accept");
            if client_first {
                client.shutdown(std::net::Shutdown::Write).expect("shut down");
                // It has arrived when the other side reads the end.
                let end = std::io::Read::read(&mut &connection, &mut [0]).expect("read");
                assert_eq!(end, 0);
            }
            nft(&format!(
                "add table ip t{port}; add chain ip t{port} c {{ type filter hook input priority 0; }}; \
                 add rule ip t{port} c tcp sport {port} drop"
            ));
            drop((connection, listener));
            if state == "closing" {
                // A program that another test starts meanwhile has copies of these sockets until its exec, and the end
                // is sent when the last copy is closed.
                orphaned(&format!("127.0.0.1:{port}"), "fin-wait-1");
                client.shutdown(std::net::Shutdown::Write).expect("shut down");
            }
            let answer = orphaned(&format!("127.0.0.1:{port}"), state);
            let reported = sentences(&answer);
            answer.assert(reported.contains("acknowledge"), "what it waits for");
            answer.assert(reported.contains("it tries again in"), "when it tries again");
            // A program that another test starts meanwhile has the sockets of this process until its exec.
            let ends = answer.document["other_ends"].as_array().map(Vec::as_slice).unwrap_or_default();
            let own = ends.iter().any(|end| pids(end).contains(&std::process::id()));
            answer.assert(
                own && reported.contains("the other end is held by"),
                "the process with the other end",
            );
            let follows = reported.contains("time_wait may follow");
            answer.assert_eq(follows, !client_first, "nothing follows where the other end closed first");
        }
    });
}

#[live_test(OwnProcess)]
fn many_clients_are_counted() {
    let (listener, port) = strict("127.0.0.1");
    let clients: Vec<Fixture> =
        (0..6).map(|_| Fixture::start([format!("client=127.0.0.1:{port}")])).collect();
    for _ in &clients {
        drop(listener.accept().expect("accept"));
    }
    drop(listener);
    let answer = orphaned(&format!("127.0.0.1:{port}"), "fin-wait-2");
    answer.assert_eq(obstacles(&answer).len(), 6, "all of them prevent the bind");
    let ends = answer.document["other_ends"].as_array().cloned().unwrap_or_default();
    let mut found: Vec<u32> = ends.iter().flat_map(pids).collect();
    found.sort_unstable();
    let mut wanted: Vec<u32> = clients.iter().map(Fixture::pid).collect();
    wanted.sort_unstable();
    answer.assert_eq(found, wanted, "every peer");
    answer.assert(sentences(&answer).contains("and 2 more"), "the text names some of them");
}

#[live_test(Root, NETWORK_NAMESPACE, VETH, OwnProcess)]
fn a_client_in_another_namespace_is_found() {
    in_new_netns(|| {
        let other = Steps::new(["pad=0"]).through(["unshare", "--net"]).start();
        ip(&format!("link add v0 type veth peer name v1 netns {}", other.pid()));
        ip("addr add 10.77.0.1/24 dev v0");
        ip("link set v0 up");
        let inside = |words: &str| {
            let mut command = std::process::Command::new("nsenter");
            command.arg(format!("--net=/proc/{}/ns/net", other.pid())).args(words.split(' '));
            assert!(command.status().is_ok_and(|status| status.success()), "{words}");
        };
        inside("ip addr add 10.77.0.2/24 dev v1");
        inside("ip link set v1 up");
        let listener = listen("10.77.0.1:8080");
        let client = Steps::new(["client=10.77.0.1:8080"])
            .through(["nsenter".to_owned(), format!("--net=/proc/{}/ns/net", other.pid())])
            .start();
        drop(listener.accept().expect("accept"));
        drop(listener);
        let answer = orphaned("10.77.0.1:8080", "fin-wait-2");
        let reported = sentences(&answer);
        answer.assert(reported.contains(&format!("pid {}", client.pid())), "the process with the other end");
        answer.assert(reported.contains("in network namespace"), "where");
        // A user who may not read the other namespace gets only what the address reveals.
        let answer = run_why(Cmd::new(["why", "--json", "10.77.0.1:8080"]).user(Some(NOBODY)), 1);
        let reported = sentences(&answer);
        answer
            .assert(reported.contains("on another machine or in another network namespace"), "what is known");
    });
}
