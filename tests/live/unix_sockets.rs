//! Listening Unix sockets: by protocol, by path, by abstract name; whatever bytes the name has.

use crate::stage::{Fixture, Look, Need, Steps, folder, live_character, pids};
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};

cases![
    a_unix_listener_is_found_by_path[Need::Linux],
    an_abstract_name_is_found[Need::Linux],
    unix_listeners_are_listed_when_asked_for[Need::Linux],
    a_path_that_is_not_text_keeps_its_bytes[Need::Linux],
    a_free_path_is_free[Need::Linux],
];

static PATHS: AtomicU32 = AtomicU32::new(0);

/// A path that no other trial has.
fn path() -> String {
    let number = PATHS.fetch_add(1, Ordering::Relaxed);
    folder().join(format!("socket-{number}")).to_str().expect("its path is text").to_owned()
}

fn a_unix_listener_is_found_by_path() {
    let path = path();
    let server = Fixture::start([format!("unix={path}"), "fork=2".into()]);
    let answer = Look::at([&path]).answer(0);
    let listener = answer.only();
    answer.seen.equal(pids(listener), server.family(), "holders");
    let told = ["protocol", "family", "state", "exposure", "path", "address", "port", "unseen", "inode"]
        .map(|key| listener[key].clone());
    let wanted = json!(["unix", "unix", "listen", "local", path, null, null, null, server.inode(0)]);
    answer.seen.equal(json!(told), wanted, "what it is");
    let card = Look::at([&path]).run().code(0);
    card.must(card.text().contains(&path), "the card names the path");
    card.must(card.text().contains(&server.pid().to_string()), "the card names the holder");
}

fn an_abstract_name_is_found() {
    let name = format!("@allears-live-{}", std::process::id());
    let server = Fixture::start([format!("unix={name}")]);
    let answer = Look::at([&name]).answer(0);
    answer.seen.equal(&answer.only()["path"], &json!(name), "path");
    answer.seen.equal(pids(answer.only()), vec![server.pid()], "holder");
}

fn unix_listeners_are_listed_when_asked_for() {
    let path = path();
    let server = Fixture::start([format!("unix={path}")]);
    for arguments in [["-x"], ["unix"], ["--unix"]] {
        let answer = Look::at(arguments).answer(0);
        answer.seen.equal(pids(answer.by_inode(server.inode(0))), vec![server.pid()], "holder");
        for listener in answer.listeners() {
            answer.seen.equal(&listener["protocol"], &json!("unix"), "protocol");
            answer.seen.equal(&listener["state"], &json!("listen"), "state");
        }
    }
    for arguments in [&[][..], &["-t"], &["--exposed"]] {
        let answer = crate::stage::Answer::of(Look::at(["--json"].iter().chain(arguments).copied()).run());
        let listed = answer.listeners().iter().any(|listener| listener["protocol"] == "unix");
        answer.seen.must(!listed, "no Unix listener where none was asked for");
    }
}

fn a_path_that_is_not_text_keeps_its_bytes() {
    let path = path();
    let mut bytes = path.clone().into_bytes();
    bytes.extend_from_slice(b"-\xff\x1b[31m\n");
    let server = Steps::new([] as [String; 0]).bytes("unix", &bytes).start();
    let answer = Look::at(["-x"]).answer(0);
    let listener = answer.by_inode(server.inode(0));
    answer.seen.equal(&listener["path"], &json!(format!("{path}-\u{fffd}\u{1b}[31m\n")), "path");
    let kept = crate::stage::decoded(&listener["path_bytes"]);
    answer.seen.equal(kept, bytes, "bytes of the path");
    let text = Look::at(["-x"]).run().code(0);
    text.equal(live_character(text.text()), None, "a character that a terminal would act upon");
}

fn a_free_path_is_free() {
    let answer = Look::at([path()]).answer(1);
    answer.seen.equal(answer.listeners().len(), 0, "listeners");
}
