//! Asked without the rights to see: held is said as held, with who and how to see more.
//! Never "nothing", never an empty list, never a guess.

use crate::stage::{Answer, Fixture, Look, NOBODY, Need, Steps, holders, ordinary_uid, ordinary_user, port};
use serde_json::json;

cases![
    another_users_port_is_held_by_someone_unseen[Need::Linux, Need::Root],
    pids_that_cannot_be_seen_are_not_an_empty_success[Need::Linux, Need::Root],
    an_ordinary_users_port_is_whole_to_root[Need::Linux, Need::Root],
    an_own_undumpable_process_is_unseen_and_not_absent[Need::Linux],
    root_sees_an_undumpable_process[Need::Linux, Need::Root],
    an_empty_proc_is_an_error[Need::Linux, Need::Root, Need::MOUNT_NAMESPACE],
    free_ports_are_free_to_everyone[Need::Linux],
    what_could_not_be_read_is_a_gap_with_a_count[Need::Linux, Need::Root],
];

/// Everything an answer must say of a listener whose holder may not be looked at.
#[track_caller]
fn must_be_unseen(answer: &Answer, user: &str) {
    let listener = answer.only();
    answer.seen.equal(&listener["user"], &json!(user), "user of the socket");
    answer.seen.equal(holders(listener).len(), 0, "holders");
    answer.seen.equal(&listener["unseen"]["reason"], &json!("permission"), "unseen.reason");
    let help = listener["unseen"]["help"].as_str().unwrap_or_default();
    answer.seen.must(
        help.starts_with("sudo ") && help.contains("allears "),
        "unseen.help names the command that would show it",
    );
    answer.seen.equal(&answer.document["privileged"], &json!(false), "privileged");
    answer.seen.equal(answer.seen.errors().as_str(), "", "standard error beside a JSON document");
}

fn another_users_port_is_held_by_someone_unseen() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let target = format!("tcp/{port}");

    let answer = Look::at([&target]).user(Some(NOBODY)).answer(0);
    must_be_unseen(&answer, "root");
    answer.seen.equal(&answer.only()["uid"], &json!(0), "uid of the socket");
    answer.seen.equal(&answer.only()["inode"], &json!(server.inode(0)), "inode");

    let card = Look::at([&target]).user(Some(NOBODY)).run().code(0);
    card.must(card.text().contains("root"), "the card names the user");
    card.must(card.text().contains(&port.to_string()), "the card names the port");
    card.must(!card.text().contains("nothing listens"), "it does not deny what it could not see");
    let told = card.text().to_owned() + &card.errors();
    card.must(
        told.contains("sudo ")
            && (told.contains(&format!("allears {port}")) || told.contains(&format!("allears {target}"))),
        "the command that shows it is told as it must be typed",
    );
    let quiet = Look::at(["-q", &target]).user(Some(NOBODY)).run().code(0);
    quiet.must(quiet.stdout.is_empty() && quiet.stderr.is_empty(), "-q prints nothing");
}

fn pids_that_cannot_be_seen_are_not_an_empty_success() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let seen = Look::at(["--pids".to_owned(), format!("tcp/{port}")]).user(Some(NOBODY)).run().code(3);
    seen.must(seen.stdout.is_empty(), "standard output stays empty");
    seen.must(!seen.errors().trim().is_empty(), "standard error says why");
}

fn an_ordinary_users_port_is_whole_to_root() {
    let port = port();
    let server = Steps::new([format!("tcp=127.0.0.1:{port}")]).user(Some(NOBODY)).start();
    let answer = Look::at([format!("tcp/{port}")]).answer(0);
    let listener = answer.only();
    answer.seen.equal(&answer.only_holder(listener)["pid"], &json!(server.pid()), "pid");
    answer.seen.equal(&answer.only_holder(listener)["uid"], &json!(NOBODY), "uid");
    answer.seen.equal(&listener["uid"], &json!(NOBODY), "uid of the socket");
    answer.seen.equal(&listener["unseen"], &json!(null), "nothing unseen");
    answer.seen.equal(&answer.document["privileged"], &json!(true), "privileged");
    let own = Look::at([format!("tcp/{port}")]).user(Some(NOBODY)).answer(0);
    own.seen.equal(&own.only_holder(own.only())["pid"], &json!(server.pid()), "its own user sees it too");
}

fn an_own_undumpable_process_is_unseen_and_not_absent() {
    let port = port();
    let user = ordinary_user();
    let steps = [format!("tcp=127.0.0.1:{port}"), "undumpable".into()];
    let server = Steps::new(steps).user(user).start();
    let name = {
        let uid = nix::unistd::Uid::from_raw(ordinary_uid());
        let found = nix::unistd::User::from_uid(uid).expect("the user database");
        found.expect("the account has a name").name
    };

    let answer = Look::at([format!("tcp/{port}")]).user(user).answer(0);
    must_be_unseen(&answer, &name);
    let candidates = answer.only()["unseen"]["candidates"].as_array().cloned().unwrap_or_default();
    let is_one = candidates.iter().any(|candidate| candidate["pid"] == server.pid());
    answer.seen.must(is_one, "it is a candidate by its user, though what is in its directory is root's");
    let card = Look::at([format!("tcp/{port}")]).user(user).run().code(0);
    card.must(!card.text().contains("nothing listens"), "it does not deny what it could not see");
    let pids = Look::at(["--pids".to_owned(), format!("tcp/{port}")]).user(user).run().code(3);
    pids.must(pids.stdout.is_empty(), "no pid is made up");
}

fn root_sees_an_undumpable_process() {
    let port = port();
    let steps = [format!("tcp=127.0.0.1:{port}"), "undumpable".into()];
    let server = Steps::new(steps).user(Some(NOBODY)).start();
    let answer = Look::at([format!("tcp/{port}")]).answer(0);
    let holder = answer.only_holder(answer.only());
    answer.seen.equal(&holder["pid"], &json!(server.pid()), "pid");
    answer.seen.equal(
        &holder["uid"],
        &json!(NOBODY),
        "uid, though what is in the process's directory is root's",
    );
    answer.seen.equal(&answer.only()["unseen"], &json!(null), "nothing unseen");
}

fn an_empty_proc_is_an_error() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let hide = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /proc && exec \"$@\"", "sh"];
    for arguments in [vec![format!("tcp/{port}")], vec![], vec!["--pids".into(), format!("tcp/{port}")]] {
        let seen = Look::at(arguments).through(hide).run().without_panic().code(3);
        seen.must(seen.errors().contains("/proc"), "standard error says what is missing");
        seen.must(!seen.text().contains("nothing listens"), "it does not deny what it could not see");
    }
    let json = Look::at(["--json".to_owned(), format!("tcp/{port}")]).through(hide).run();
    let json = json.without_panic().code(3);
    let empty = json.text().trim().is_empty();
    let document = serde_json::from_str::<serde_json::Value>(json.text());
    json.must(empty || document.is_ok(), "standard output is a JSON document or nothing");
}

fn free_ports_are_free_to_everyone() {
    let port = port();
    let seen = Look::at([port.to_string()]).user(ordinary_user()).run().code(1);
    seen.must(
        seen.text().contains(&format!("nothing listens on port {port}")),
        "the socket table is open to all, so the answer is sure",
    );
    let answer = Look::at([port.to_string()]).user(ordinary_user()).answer(1);
    answer.seen.equal(answer.listeners().len(), 0, "listeners");
}

fn what_could_not_be_read_is_a_gap_with_a_count() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let answer = Look::at([format!("tcp/{port}")]).user(Some(NOBODY)).answer(0);
    let gaps = answer.document["gaps"].as_array().cloned().unwrap_or_default();
    let gap = gaps.iter().find(|gap| gap["what"] == "descriptors" && gap["reason"] == "permission");
    let Some(gap) = gap else { answer.seen.fail("no gap about the descriptors") };
    answer.seen.must(gap["count"].as_u64().is_some_and(|count| count > 0), "the gap has a count");
    for key in ["detail", "help"] {
        answer.seen.must(gap[key].as_str().is_some_and(|text| !text.is_empty()), "the gap explains itself");
    }
    let root = Look::at([format!("tcp/{port}")]).answer(0);
    root.seen.equal(root.listeners().len(), 1, "listeners");
}
