//! Without permission to read a process, a port is reported as held, with the user and what helps to see more. Never
//! "nothing", never an empty list, never a guess.

#![cfg(unix)]

use crate::support::{
    Cmd, Fixture, JsonOutput, NOBODY, Steps, holders, live_test, ordinary_uid, ordinary_user, port,
    without_host_containers,
};
use serde_json::json;

/// Asserts everything that an answer must report of a listener whose holder may not be read.
#[track_caller]
fn must_be_unseen(answer: &JsonOutput, user: &str) {
    let listener = answer.only();
    answer.assert_eq(&listener["user"], &json!(user), "user of the socket");
    answer.assert_eq(holders(listener).len(), 0, "holders");
    answer.assert_eq(&listener["unseen"]["reason"], &json!("permission"), "unseen.reason");
    let help = listener["unseen"]["help"].as_str().unwrap_or_default();
    answer.assert(
        help.starts_with("sudo ") && help.contains("allears "),
        "unseen.help names the command that would show it",
    );
    answer.assert_eq(&answer.document["privileged"], &json!(false), "privileged");
    answer.assert_eq(answer.output.errors().as_str(), "", "standard error beside a JSON document");
}

#[live_test(Linux, Root)]
fn another_users_port_has_an_unseen_holder() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let target = format!("tcp/{port}");

    let answer = Cmd::new([&target]).user(Some(NOBODY)).answer(0);
    must_be_unseen(&answer, "root");
    answer.assert_eq(&answer.only()["uid"], &json!(0), "uid of the socket");
    answer.assert_eq(&answer.only()["inode"], &json!(server.inode(0)), "inode");

    let card = Cmd::new([&target]).user(Some(NOBODY)).run().code(0);
    card.assert(card.text().contains("root"), "the card names the user");
    card.assert(card.text().contains(&port.to_string()), "the card names the port");
    card.assert(!card.text().contains("nothing listens"), "it does not deny what it could not see");
    let reported = card.both_streams();
    card.assert(
        reported.contains("sudo ")
            && (reported.contains(&format!("allears {port}"))
                || reported.contains(&format!("allears {target}"))),
        "the command that shows it is printed as it must be typed",
    );
    let quiet = Cmd::new(["-q", &target]).user(Some(NOBODY)).run().code(0);
    quiet.assert(quiet.stdout.is_empty() && quiet.stderr.is_empty(), "-q prints nothing");
}

#[live_test(Linux, Root)]
fn pids_that_cannot_be_seen_are_not_an_empty_success() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let output = Cmd::new(["--pids".to_owned(), format!("tcp/{port}")]).user(Some(NOBODY)).run().code(3);
    output.assert(output.stdout.is_empty(), "standard output stays empty");
    output.assert(!output.errors().trim().is_empty(), "standard error gives the reason");
}

#[live_test(Linux, Root)]
fn an_ordinary_users_port_is_complete_for_root() {
    let port = port();
    let server = Steps::new([format!("tcp=127.0.0.1:{port}")]).user(Some(NOBODY)).start();
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let listener = answer.only();
    answer.assert_eq(&answer.only_holder(listener)["pid"], &json!(server.pid()), "pid");
    answer.assert_eq(&answer.only_holder(listener)["uid"], &json!(NOBODY), "uid");
    answer.assert_eq(&listener["uid"], &json!(NOBODY), "uid of the socket");
    answer.assert_eq(&listener["unseen"], &json!(null), "nothing unseen");
    answer.assert_eq(&answer.document["privileged"], &json!(true), "privileged");
    let own = Cmd::new([format!("tcp/{port}")]).user(Some(NOBODY)).answer(0);
    own.assert_eq(&own.only_holder(own.only())["pid"], &json!(server.pid()), "its own user sees it too");
}

#[live_test(Linux)]
fn an_own_undumpable_process_is_unseen() {
    let port = port();
    let user = ordinary_user();
    let steps = [format!("tcp=127.0.0.1:{port}"), "undumpable".into()];
    let server = Steps::new(steps).user(user).start();
    let name = {
        let uid = nix::unistd::Uid::from_raw(ordinary_uid());
        let found = nix::unistd::User::from_uid(uid).expect("the user database");
        found.expect("the account has a name").name
    };

    let answer = Cmd::new([format!("tcp/{port}")]).user(user).answer(0);
    must_be_unseen(&answer, &name);
    let candidates = answer.only()["unseen"]["candidates"].as_array().cloned().unwrap_or_default();
    let is_one = candidates.iter().any(|candidate| candidate["pid"] == server.pid());
    answer.assert(is_one, "it is a candidate by its user, though what is in its directory is root's");
    let card = Cmd::new([format!("tcp/{port}")]).user(user).run().code(0);
    card.assert(!card.text().contains("nothing listens"), "it does not deny what it could not see");
    let pids = Cmd::new(["--pids".to_owned(), format!("tcp/{port}")]).user(user).run().code(3);
    pids.assert(pids.stdout.is_empty(), "no pid is invented");
}

#[live_test(Linux, Root)]
fn root_sees_an_undumpable_process() {
    let port = port();
    let steps = [format!("tcp=127.0.0.1:{port}"), "undumpable".into()];
    let server = Steps::new(steps).user(Some(NOBODY)).start();
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["pid"], &json!(server.pid()), "pid");
    answer.assert_eq(
        &holder["uid"],
        &json!(NOBODY),
        "uid, though what is in the process's directory is root's",
    );
    answer.assert_eq(&answer.only()["unseen"], &json!(null), "nothing unseen");
}

#[live_test(Linux, Root, MOUNT_NAMESPACE)]
fn an_empty_proc_is_an_error() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let hide = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /proc && exec \"$@\"", "sh"];
    for arguments in [vec![format!("tcp/{port}")], vec![], vec!["--pids".into(), format!("tcp/{port}")]] {
        let output = Cmd::new(arguments).through(hide).run().without_panic().code(3);
        output.assert(output.errors().contains("/proc"), "standard error names what is missing");
        output.assert(!output.text().contains("nothing listens"), "it does not deny what it could not see");
    }
    let json = Cmd::new(["--json".to_owned(), format!("tcp/{port}")]).through(hide).run();
    let json = json.without_panic().code(3);
    let empty = json.text().trim().is_empty();
    let document = serde_json::from_str::<serde_json::Value>(json.text());
    json.assert(empty || document.is_ok(), "standard output is a JSON document or nothing");
}

#[live_test(Linux)]
fn free_ports_are_free_for_every_user() {
    let _quiet = without_host_containers();
    let port = port();
    let output = Cmd::new([port.to_string()]).user(ordinary_user()).run().code(1);
    output.assert(
        output.text().contains(&format!("nothing listens on port {port}")),
        "the socket table is open to all, so the answer is sure",
    );
    let answer = Cmd::new([port.to_string()]).user(ordinary_user()).answer(1);
    answer.assert_eq(answer.listeners().len(), 0, "listeners");
}

#[live_test(Linux, Root)]
fn unreadable_facts_are_a_gap_with_a_count() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let answer = Cmd::new([format!("tcp/{port}")]).user(Some(NOBODY)).answer(0);
    let gaps = answer.document["gaps"].as_array().cloned().unwrap_or_default();
    let gap = gaps.iter().find(|gap| gap["what"] == "descriptors" && gap["reason"] == "permission");
    let Some(gap) = gap else { answer.fail("no gap about the descriptors") };
    answer.assert(gap["count"].as_u64().is_some_and(|count| count > 0), "the gap has a count");
    for key in ["detail", "help"] {
        answer.assert(gap[key].as_str().is_some_and(|text| !text.is_empty()), "the gap explains itself");
    }
    let root = Cmd::new([format!("tcp/{port}")]).answer(0);
    root.assert_eq(root.listeners().len(), 1, "listeners");
}
