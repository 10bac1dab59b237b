//! The user of a socket: users without a mapping in a user namespace, servers that dropped privileges, and sockets for
//! which the kernel reports no user.

#![cfg(target_os = "linux")]

use crate::support::{
    Cmd, Fixture, JsonOutput, NOBODY, Steps, folder, holders, live_test, pids, port, until,
};
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// A second user who owns nothing.
const STRANGER: u32 = 65_533;
/// A launcher for that user in a new user namespace, where it is root and no other user is mapped.
const OWN_USERS: [&str; 7] =
    ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", "unshare", "--user", "--map-root-user"];
const NO_NUMBER: &str = "a user this namespace has no number for";

fn target(port: u16) -> String {
    format!("tcp/{port}")
}

fn server(port: u16) -> Steps {
    Steps::new([format!("tcp=127.0.0.1:{port}")])
}

/// Returns the keys of a listener that report its user.
fn user(listener: &Value) -> Value {
    json!([listener["uid"], listener["user"], listener["user_unknown"]])
}

#[live_test(Root, USER_NAMESPACE)]
fn an_unmapped_user_is_not_nobody() {
    let port = port();
    for opener in [None, Some(NOBODY)] {
        let _server = server(port).user(opener).start();
        let answer = Cmd::new([target(port)]).through(OWN_USERS).answer(0);
        answer.assert_eq(&user(answer.only()), &json!([null, null, "unmapped"]), "uid, user and why not");
        answer.assert_eq(&answer.document["complete"], &json!(true), "the socket was still seen");
        let users = json!([{"first": 0, "outside": STRANGER, "count": 1}]);
        answer.assert_eq(&answer.document["user_namespace"]["users"], &users, "users with a number");
        let card = Cmd::new([target(port)]).through(OWN_USERS).run().code(0);
        card.assert(card.text().contains(NO_NUMBER), "the card reports that the user has no mapping");
        card.assert(!card.text().contains("nobody"), "the card names no other user");
        card.assert(!card.text().contains("sudo"), "no useless help is suggested");
        let table = Cmd::new([target(port), "--columns=user".into()]).through(OWN_USERS).run().code(0);
        table.assert(table.text().contains("(unmapped)"), "the table shows it in one word");
    }
}

#[live_test(Root, USER_NAMESPACE)]
fn an_unmapped_user_may_be_any_user() {
    let port = port();
    let _server = server(port).start();
    for name in ["nobody", "root", "65534", "0"] {
        let requested = [target(port), "--user".into(), name.into()];
        let answer = Cmd::new(requested).through(OWN_USERS).answer(3);
        answer.assert_eq(answer.listeners().len(), 0, "listeners");
        let gaps = answer.document["gaps"].as_array().cloned().unwrap_or_default();
        let reported = gaps.iter().any(|gap| gap["what"] == "users" && gap["reason"] == "unknown");
        answer.assert(reported, "a gap explains why it may match");
    }
}

#[live_test(Root, USER_NAMESPACE)]
fn uids_of_two_namespaces_are_not_compared() {
    for opener in [None, Some(STRANGER)] {
        let port = port();
        let _server = server(port).user(opener).start();
        let before = Cmd::new(["--json".to_owned(), target(port)]).user(Some(STRANGER)).run().code(0);
        let path = folder().join(format!("users-{port}.json"));
        std::fs::write(&path, &before.stdout).expect("save a snapshot");
        let path = path.to_str().expect("a path in text");
        let now = JsonOutput::parse(Cmd::new(["diff", "--json", path]).through(OWN_USERS).run().code(0));
        now.assert_eq(&now.document["changes"], &json!([]), "changes");
        now.assert_eq(&now.document["same_users"], &json!(false), "same_users");
        let text = Cmd::new(["diff", path]).through(OWN_USERS).run().code(0);
        text.assert(
            text.errors().contains("users are not compared"),
            "the text output names what was not compared",
        );
        let outside =
            JsonOutput::parse(Cmd::new(["diff", "--json", path]).user(Some(STRANGER)).run().code(0));
        outside.assert_eq(&outside.document["same_users"], &json!(true), "same_users in one namespace");
    }
}

#[live_test(Root, USER_NAMESPACE)]
fn an_unmapped_holder_is_not_nobody() {
    let port = port();
    // A namespace without a map, in which no user is mapped. Its own user enters it, and may read its processes.
    let server = server(port).user(Some(STRANGER)).through(["unshare", "--user"]).start();
    let target_pid = format!("--target={}", server.pid());
    let enter = ["nsenter", &target_pid, "--user", "--preserve-credentials"];
    let launcher: Vec<&str> = OWN_USERS.into_iter().take(4).chain(enter).collect();
    let answer = Cmd::new([target(port)]).through(launcher.clone()).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holders");
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&user(holder), &json!([null, null, "unmapped"]), "uid, user and why not");
    let nobody = Cmd::new([target(port), "--user=nobody".into()]).through(launcher).answer(3);
    nobody.assert_eq(nobody.listeners().len(), 0, "listeners of nobody");
}

#[live_test(Root, USER_NAMESPACE)]
fn root_of_a_user_namespace_gets_the_same() {
    let port = port();
    let server = server(port).user(Some(NOBODY)).start();
    let launcher = ["unshare", "--user", "--map-root-user"];
    let answer = Cmd::new([target(port)]).through(launcher).answer(0);
    answer.assert_eq(&user(answer.only()), &json!([null, null, "unmapped"]), "uid, user and why not");
    drop(server);
    let inside = Steps::new([format!("tcp=127.0.0.1:{port}")]).through(launcher).start();
    let own = Cmd::new([target(port), "--user=root".into()]).inside(inside.pid(), ["user"]).answer(0);
    own.assert_eq(pids(own.only()), vec![inside.pid()], "a user with a mapping is known");
    own.assert_eq(&user(own.only()), &json!([0, "root", null]), "uid and user");
}

#[live_test(Root, USER_NAMESPACE)]
fn a_saved_snapshot_keeps_that_a_user_is_unknown() {
    let port = port();
    let _server = server(port).start();
    let inside = Cmd::new(["--json".to_owned(), target(port)]).through(OWN_USERS).run().code(0);
    let path = folder().join(format!("unmapped-{port}.json"));
    std::fs::write(&path, &inside.stdout).expect("save a snapshot");
    let from = format!("--from={}", path.display());
    let again = Cmd::new(["--json", &from]).run().code(0);
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("a document");
    let (saved, shown) = (read(&inside.stdout), read(&again.stdout));
    again.assert_eq(&shown["user_namespace"], &saved["user_namespace"], "user_namespace");
    again.assert_eq(&shown["listeners"], &saved["listeners"], "listeners");
    let card = Cmd::new([from, target(port)]).run().code(0);
    card.assert(card.text().contains(NO_NUMBER), "the card reports that the user has no mapping");
    card.assert(!card.text().contains("nobody"), "the card names no other user");
}

#[live_test(Root)]
fn a_process_that_dropped_root_is_a_candidate() {
    let port = port();
    let server = Steps::new([format!("tcp=127.0.0.1:{port}"), format!("become={NOBODY}")]).start();
    let root = Cmd::new([target(port)]).answer(0);
    root.assert_eq(pids(root.only()), vec![server.pid()], "holders");
    root.assert_eq(&root.only_holder(root.only())["uid"], &json!(NOBODY), "uid of the holder");
    root.assert_eq(&root.only()["uid"], &json!(0), "uid of the user who opened it");

    let answer = Cmd::new([target(port)]).user(Some(STRANGER)).answer(0);
    answer.assert_eq(holders(answer.only()).len(), 0, "holders");
    answer.assert_eq(&answer.only()["user"], &json!("root"), "the user who opened it");
    let candidates = answer.only()["unseen"]["candidates"].as_array().cloned().unwrap_or_default();
    let first = candidates.first().cloned().unwrap_or_default();
    answer.assert_eq(&first["pid"], &json!(server.pid()), "the first candidate");
    let reported = ["arguments", "unread"].map(Value::from).contains(&first["evidence"]);
    answer.assert(
        reported,
        "it is a candidate because of the port in its command line, or because there are no others",
    );
    answer.assert(candidates.len() <= 5, "only a few are named");
    let card = Cmd::new([target(port)]).user(Some(STRANGER)).run().code(0);
    card.assert(card.text().contains("was opened by user root; its holder could not be seen"), "the answer");
    card.assert(!card.text().contains("process of user root"), "the user of the holder is not reported");
}

#[live_test(Root, Program("setpriv"), OwnProcess)]
fn a_receiver_of_a_root_socket_is_not_denied() {
    for launcher in [&[][..], &["setpriv", "--reuid=65534", "--clear-groups"]] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let port = listener.local_addr().expect("its address").port();
        let words: Vec<&str> = launcher.iter().copied().chain(["cat"]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::piped()).stdout(OwnedFd::from(listener));
        if launcher.is_empty() {
            command.uid(NOBODY).gid(NOBODY);
        }
        // It ends with its input, which this process closes.
        let mut child = command.spawn().expect("pass the socket on");
        drop(command);
        let answer = Cmd::new([target(port)]).user(Some(STRANGER)).answer(0);
        answer.assert_eq(&answer.only()["user"], &json!("root"), "the user who opened it");
        let candidates = answer.only()["unseen"]["candidates"].as_array().cloned().unwrap_or_default();
        let among = candidates.iter().any(|one| one["pid"] == child.id());
        answer.assert(
            among || candidates.is_empty(),
            "the process that has it is among the candidates, or there are none",
        );
        let root = Cmd::new([target(port)]).answer(0);
        root.assert_eq(pids(root.only()), vec![child.id()], "holders");
        drop(child.stdin.take());
        let _ended = child.wait();
    }
}

#[live_test(Root)]
fn a_socket_of_root_matches_both_users() {
    let port = port();
    let server = Steps::new([format!("tcp=127.0.0.1:{port}"), format!("become={NOBODY}")]).start();
    for name in ["root", "nobody"] {
        let answer = Cmd::new([target(port), "--user".into(), name.into()]).answer(0);
        answer.assert_eq(pids(answer.only()), vec![server.pid()], name);
    }
    let other = Cmd::new([target(port), format!("--user={STRANGER}")]).answer(1);
    other.assert_eq(
        &other.document["complete"],
        &json!(true),
        "root sees that it belongs to no other process",
    );
    // A user who may not read the holder knows who opened the socket, and cannot exclude another user.
    let requested = |name: &str| Cmd::new([target(port), "--user".into(), name.into()]).user(Some(STRANGER));
    requested("root").answer(0);
    let unsure = requested("nobody").answer(3);
    unsure.assert_eq(unsure.listeners().len(), 0, "listeners");
}

#[live_test]
fn a_lingering_connection_has_no_user() {
    let port = port();
    drop(Fixture::start([format!("tcp=127.0.0.1:{port}"), "time-wait".into()]));
    for reader in ["native", "netstat2"] {
        let requested = ["--all".to_owned(), format!("--reader={reader}"), port.to_string()];
        let every = Cmd::new(requested.clone()).answer(0);
        every.assert_eq(&every.only()["state"], &json!("time-wait"), "state");
        every.assert_eq(&user(every.only()), &json!([null, null, "not-reported"]), "uid, user and why not");
        for name in ["root", "0"] {
            let requested = requested.iter().cloned().chain(["--user".to_owned(), name.to_owned()]);
            let chosen = Cmd::new(requested).answer(3);
            chosen.assert_eq(chosen.listeners().len(), 0, "listeners");
        }
    }
    let table = Cmd::new(["--all".to_owned(), "--columns=port,user".into(), port.to_string()]).run().code(0);
    table.assert(!table.text().contains("root"), "no process is named");
}

#[live_test(Root, OwnProcess)]
fn an_orphan_of_root_has_no_user() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let client = TcpStream::connect(listener.local_addr().expect("its address")).expect("connect");
    let port = client.local_addr().expect("its address").port();
    let accepted = listener.accept().expect("accept");
    drop(client);
    let requested = ["--all".to_owned(), format!("127.0.0.1:{port}")];
    // A busy machine handles the acknowledgement of the FIN later.
    let acknowledged = || {
        let every = Cmd::new(requested.clone()).answer(0);
        (every.only()["state"] == json!("fin-wait-2")).then_some(every)
    };
    let every = until(acknowledged).expect("an end that the peer acknowledged");
    every.assert_eq(&every.only()["inode"], &Value::Null, "inode");
    every.assert_eq(&user(every.only()), &json!([null, null, "not-reported"]), "uid, user and why not");
    Cmd::new(requested.into_iter().chain(["--user=root".to_owned()])).answer(3);
    drop(accepted);
}
