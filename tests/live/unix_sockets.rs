//! Listening Unix sockets: by protocol, by path, by abstract name; whatever bytes the name has.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, Steps, control_character, folder, live_test, ordinary_user, pids, until};
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};

static PATHS: AtomicU32 = AtomicU32::new(0);

/// Returns a path that no other test uses.
fn path() -> String {
    let number = PATHS.fetch_add(1, Ordering::Relaxed);
    folder().join(format!("socket-{number}")).to_str().expect("its path is text").to_owned()
}

#[live_test(Linux)]
fn a_unix_listener_is_found_by_path() {
    let path = path();
    let server = Fixture::start([format!("unix={path}"), "fork=2".into()]);
    let answer = Cmd::new([&path]).answer(0);
    let listener = answer.only();
    answer.assert_eq(pids(listener), server.family(), "holders");
    let reported = ["protocol", "family", "state", "exposure", "path", "address", "port", "unseen", "inode"]
        .map(|key| listener[key].clone());
    let wanted = json!(["unix", "unix", "listen", "local", path, null, null, null, server.inode(0)]);
    answer.assert_eq(json!(reported), wanted, "what it is");
    let card = Cmd::new([&path]).run().code(0);
    card.assert(card.text().contains(&path), "the card names the path");
    card.assert(card.text().contains(&server.pid().to_string()), "the card names the holder");
}

#[live_test(Linux)]
fn an_abstract_name_is_found() {
    let name = format!("@allears-live-{}", std::process::id());
    let server = Fixture::start([format!("unix={name}")]);
    let answer = Cmd::new([&name]).answer(0);
    answer.assert_eq(&answer.only()["path"], &json!(name), "path");
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
}

#[live_test(Linux)]
fn unix_listeners_are_listed_on_request() {
    let path = path();
    let server = Fixture::start([format!("unix={path}")]);
    for arguments in [["-x"], ["unix"], ["--unix"]] {
        let answer = Cmd::new(arguments).answer(0);
        answer.assert_eq(pids(answer.by_inode(server.inode(0))), vec![server.pid()], "holder");
        for listener in answer.listeners() {
            answer.assert_eq(&listener["protocol"], &json!("unix"), "protocol");
            answer.assert_eq(&listener["state"], &json!("listen"), "state");
        }
    }
    for arguments in [&[][..], &["-t"], &["--exposed"]] {
        let answer =
            crate::support::JsonOutput::parse(Cmd::new(["--json"].iter().chain(arguments).copied()).run());
        let listed = answer.listeners().iter().any(|listener| listener["protocol"] == "unix");
        answer.assert(!listed, "no Unix listener where none was asked for");
    }
}

#[live_test(Linux)]
fn a_path_that_is_not_utf8_keeps_its_bytes() {
    let path = path();
    let mut bytes = path.clone().into_bytes();
    bytes.extend_from_slice(b"-\xff\x1b[31m\n");
    let server = Steps::new([] as [String; 0]).bytes("unix", &bytes).start();
    let answer = Cmd::new(["-x"]).answer(0);
    let listener = answer.by_inode(server.inode(0));
    answer.assert_eq(&listener["path"], &json!(format!("{path}-\u{fffd}\u{1b}[31m\n")), "path");
    let kept = crate::support::decode_base64(&listener["path_bytes"]);
    answer.assert_eq(kept, bytes, "bytes of the path");
    let text = Cmd::new(["-x"]).run().code(0);
    text.assert_eq(control_character(text.text()), None, "a character that a terminal would act upon");
}

#[live_test(Linux)]
fn a_free_path_is_free() {
    let answer = Cmd::new([path()]).answer(1);
    answer.assert_eq(answer.listeners().len(), 0, "listeners");
}

/// Returns the entry for the only requested path.
fn holds(answer: &crate::support::JsonOutput) -> &serde_json::Value {
    &answer.document["paths"][0]["holds"]
}

#[live_test(Linux)]
fn a_listener_is_found_under_every_name() {
    let bound = path();
    let server = Fixture::start([format!("unix={bound}")]);
    let other = |suffix: &str| format!("{bound}-{suffix}");
    let (linked, symbolic, renamed) = (other("linked"), other("symbolic"), other("renamed"));
    std::fs::hard_link(&bound, &linked).expect("link the socket");
    std::os::unix::fs::symlink(&bound, &symbolic).expect("link to the socket");
    for name in [&linked, &symbolic] {
        let answer = Cmd::new([name]).answer(0);
        let listener = answer.only();
        answer.assert_eq(pids(listener), vec![server.pid()], "holder");
        answer.assert_eq(&listener["path"], &json!(bound), "the name it was bound by");
        answer.assert_eq(&listener["other_paths"], &json!([name]), "the requested name");
        answer.assert_eq(holds(&answer), &json!("listener"), "what is there");
    }
    std::fs::rename(&bound, &renamed).expect("rename the socket");
    let answer = Cmd::new([&renamed]).answer(0);
    answer.assert_eq(&answer.only()["path"], &json!(bound), "the name it was bound by");
    let card = Cmd::new([&renamed]).run().code(0);
    card.assert(card.text().starts_with(&format!("{renamed} is held by ")), "the requested name");
    card.assert(card.text().contains(&format!("bound as   {bound}\n")), "the name it was bound by");
    // Both names belong to one listener.
    let answer = Cmd::new([&renamed, &linked]).answer(0);
    answer.assert_eq(answer.only()["other_paths"].as_array().map(Vec::len), Some(2), "both names");

    let folder = folder();
    let name = format!("relative-{}", std::process::id());
    let server = Steps::new([format!("unix={name}")]).directory(&folder).start();
    let whole = folder.join(&name).to_str().expect("text").to_owned();
    let answer = Cmd::new([&whole]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder of a relative name");
    answer.assert_eq(&answer.only()["path"], &json!(name), "the relative name");
    // A target may be relative to the working directory.
    let inside = ["env", "-C", folder.to_str().expect("text")];
    let answer = Cmd::new([format!("./{name}")]).through(inside).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
    let inside = ["env", "-C", folder.to_str().expect("text")];
    let answer = Cmd::new(["./nothing-is-here".to_owned()]).through(inside).answer(1);
    answer.assert_eq(holds(&answer), &json!("nothing"), "what is there");
}

#[live_test(Linux, MOUNT_NAMESPACE)]
fn a_bind_mount_leads_to_its_listener() {
    let bound = path();
    let server = Fixture::start([format!("unix={bound}")]);
    let (file, directory) = (format!("{bound}-file"), format!("{bound}-directory"));
    std::fs::write(&file, "").expect("make a file");
    std::fs::create_dir(&directory).expect("make a folder");
    let script = format!(
        "mount --bind '{bound}' '{file}' && mount --bind '{}' '{directory}' && exec \"$@\"",
        folder().display()
    );
    let name = std::path::Path::new(&bound).file_name().and_then(|name| name.to_str()).expect("a name");
    for requested in [file, format!("{directory}/{name}")] {
        let inside = ["unshare", "--mount", "sh", "-c", &script, "sh"];
        let answer = Cmd::new([&requested]).through(inside).answer(0);
        answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
        answer.assert_eq(&answer.only()["other_paths"], &json!([requested]), "the requested name");
    }
}

#[live_test(Linux)]
fn a_later_server_replaces_the_path() {
    let path = path();
    let earlier = Fixture::start([format!("unix={path}")]);
    std::fs::remove_file(&path).expect("remove the first socket");
    let later = Fixture::start([format!("unix={path}")]);
    let answer = Cmd::new([&path]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![later.pid()], "only the later one is reached there");
    answer.assert_eq(&answer.only()["path_leads_to"], &json!("socket"), "where its path leads");
    drop(later);
    let answer = Cmd::new([&path]).answer(1);
    answer.assert_eq(holds(&answer), &json!("abandoned-socket"), "what is there");
    let all = Cmd::new(["-x"]).answer(0);
    all.assert_eq(pids(all.by_inode(earlier.inode(0))), vec![earlier.pid()], "the earlier one still listens");
}

#[live_test(Linux)]
fn a_removed_path_is_reported() {
    let path = path();
    let server = Fixture::start([format!("unix={path}")]);
    std::fs::remove_file(&path).expect("remove the socket");
    let answer = Cmd::new([&path]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
    answer.assert_eq(&answer.only()["path_leads_to"], &json!("nothing"), "where its path leads");
    let card = Cmd::new([&path]).run().code(0);
    card.assert(card.text().contains("no file is there"), "it cannot be reached by that path");
}

#[live_test(Linux, OwnProcess)]
fn an_abandoned_socket_is_reported_with_evidence() {
    let path = path();
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
    if let Some(user) = ordinary_user() {
        // The kernel reveals whether a socket is bound there only to users who may write to the file.
        let answer = Cmd::new([&path]).user(Some(user)).answer(3);
        answer.assert_eq(holds(&answer), &json!("unknown"), "what is there");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).expect("open it to all");
    for user in [None, ordinary_user()] {
        let answer = Cmd::new([&path]).user(user).answer(1);
        answer.assert_eq(holds(&answer), &json!("abandoned-socket"), "what is there");
        let output = Cmd::new([&path]).user(user).run().code(1);
        let reported =
            format!("nothing listens on {path}\n  the file of a socket is there, and no socket is bound");
        output.assert(output.text().starts_with(&reported), "it is reported as such");
    }
}

/// Asserts that this process holds the only socket, and no other. A program that another test is starting has copies of
/// this process's sockets until its exec.
#[track_caller]
fn must_be_held_here(arguments: &[&str]) {
    let held = until(|| {
        let answer = Cmd::new(arguments.iter().copied()).answer(0);
        (pids(answer.only()) == [std::process::id()]).then_some(())
    });
    assert!(held.is_some(), "this process alone is the holder: {arguments:?}");
}

#[live_test(Linux, OwnProcess)]
fn paths_without_a_listener_are_explained() {
    let path = path();
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("bind");
    let answer = Cmd::new([&path]).answer(1);
    answer.assert_eq(holds(&answer), &json!("bound-socket"), "what is there");
    must_be_held_here(&["-a", &path]);
    drop(socket);
    std::fs::remove_file(&path).expect("remove it");
    std::fs::write(&path, "").expect("write a file");
    let answer = Cmd::new([&path]).answer(1);
    answer.assert_eq(holds(&answer), &json!("other-file"), "what is there");
}

#[live_test(Linux, NETWORK_NAMESPACE)]
fn a_listener_of_another_network_is_found_by_its_path() {
    let path = path();
    let server = Steps::new([format!("unix={path}")]).through(["unshare", "--net"]).start();
    let linked = format!("{path}-linked");
    std::fs::hard_link(&path, &linked).expect("link the socket");
    for name in [&path, &linked] {
        let answer = Cmd::new([name]).answer(0);
        let listener = answer.only();
        answer.assert_eq(pids(listener), server.family(), "holder");
        let namespace = listener["namespace"].as_str().unwrap_or_default();
        answer.assert(namespace.starts_with("net:["), "in another network namespace");
    }
    // The file is known to be in use although the table of its namespace may not be read.
    let Some(user) = ordinary_user() else { return };
    let answer = Cmd::new([&linked]).user(Some(user)).answer(3);
    answer.assert_eq(holds(&answer), &json!("unknown"), "what is there");
    answer.assert_eq(&answer.document["complete"], &json!(false), "complete");
}

#[live_test(Linux, MOUNT_NAMESPACE)]
fn a_path_under_another_root_is_resolved_there() {
    let (outside, inside) = (path(), path());
    for folder in [&outside, &inside] {
        std::fs::create_dir(folder).expect("make a folder");
    }
    let name = format!("{inside}/socket");
    // A listener with the same name in this mount namespace is a different one.
    let _listener = std::os::unix::net::UnixListener::bind(&name).expect("bind");
    let script = format!("mount --bind '{outside}' '{inside}' && exec \"$@\"");
    let through = ["unshare", "--mount", "sh", "-c", &script, "sh"];
    let server = Steps::new([format!("unix={name}")]).through(through).start();
    for requested in [format!("{outside}/socket"), format!("/proc/{}/root{name}", server.pid())] {
        let answer = Cmd::new([&requested]).answer(0);
        answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
        answer.assert_eq(&answer.only()["path"], &json!(name), "the name that it knows");
    }
    must_be_held_here(&[&name]);
}

#[live_test(Linux, OVERLAY)]
fn files_with_a_device_of_their_own_are_matched() {
    // An overlay of two file systems gives its files another device number than its mount has, as btrfs does.
    let base = path();
    let name = format!("{base}/merged/socket");
    let script = format!(
        "mkdir -p {base}/lower {base}/merged {base}/upper && mount -t tmpfs tmpfs {base}/upper && \
        mkdir {base}/upper/files {base}/upper/work && mount -t overlay overlay \
        -o lowerdir={base}/lower,upperdir={base}/upper/files,workdir={base}/upper/work {base}/merged && exec \"$@\""
    );
    let server =
        Steps::new([format!("unix={name}")]).through(["unshare", "--mount", "sh", "-c", &script, "sh"]);
    let server = server.start();
    let linked = format!("{base}/merged/linked");
    let link = std::process::Command::new("nsenter")
        .args(["--mount", "--target", &server.pid().to_string(), "ln", &name, &linked])
        .status();
    assert!(link.is_ok_and(|status| status.success()), "link the socket");
    let requested = format!("/proc/{}/root{linked}", server.pid());
    let answer = Cmd::new([&requested]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder, from another mount namespace");
    let answer = Cmd::new([&linked]).inside(server.pid(), ["mount"]).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder, from the same one");
}

#[live_test(Linux, Root)]
fn an_unreadable_path_is_a_gap() {
    let folder = path();
    std::fs::create_dir(&folder).expect("make a folder");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).expect("close it");
    let (bound, linked) = (format!("{folder}/bound"), format!("{folder}/linked"));
    let _server = Fixture::start([format!("unix={bound}")]);
    std::fs::hard_link(&bound, &linked).expect("link the socket");
    // Every user can read the name by which it was bound. The other name may lead to a third socket.
    let user = ordinary_user();
    Cmd::new([&bound]).user(user).answer(0);
    let answer = Cmd::new([&linked]).user(user).answer(3);
    answer.assert_eq(holds(&answer), &json!("unknown"), "what is there");
    let gaps = answer.document["gaps"].as_array().cloned().unwrap_or_default();
    let is_it = |gap: &serde_json::Value| gap["what"] == "paths" && gap["reason"] == "permission";
    answer.assert(gaps.iter().any(is_it), "a gap says why");
}

#[live_test(Linux)]
fn names_survive_a_saved_snapshot() {
    let bound = path();
    let _server = Fixture::start([format!("unix={bound}")]);
    let linked = format!("{bound}-linked");
    std::fs::hard_link(&bound, &linked).expect("link the socket");
    let saved = Cmd::new(["--json", &linked]).run().code(0);
    let file = format!("{bound}.json");
    std::fs::write(&file, saved.text()).expect("save the snapshot");
    let answer = Cmd::new(["--from", &file, &linked]).answer(0);
    answer.assert_eq(&answer.only()["path"], &json!(bound), "found by the requested name");
    answer.assert_eq(holds(&answer), &json!("listener"), "what is there");
}

#[live_test(Linux, OwnProcess)]
fn a_path_is_waited_for() {
    let path = path();
    let output = Cmd::new(["wait", "--timeout", "50ms", &path]).run().code(1);
    output.assert(output.text().starts_with(&format!("nothing listens on {path} after ")), "nothing yet");
    let free = Cmd::new(["wait", "--free", &path]).run().code(0);
    free.assert(free.text().starts_with(&format!("{path} is free, ")), "free");
    let server = Fixture::start([format!("unix={path}-first")]);
    std::fs::rename(format!("{path}-first"), &path).expect("publish it");
    let output = Cmd::new(["wait", "--timeout", "20s", &path]).run().code(0);
    output.assert(output.text().contains(&format!("pid {}", server.pid())), "by the server");
    let json = Cmd::new(["wait", "--json", &path]).run().code(0);
    let document: serde_json::Value = serde_json::from_str(json.text()).expect("JSON");
    json.assert_eq(&document["target"]["path"], &json!(path), "target");
    json.assert_eq(&document["reached"], &json!(true), "reached");
    // The leftover file blocks a bind.
    drop(server);
    let output = Cmd::new(["wait", "--free", "--timeout", "50ms", &path]).run().code(1);
    output.assert(output.text().contains("is still not free"), "not free");
    let bind = std::os::unix::net::UnixListener::bind(&path);
    output.assert(bind.is_err(), "it cannot be bound");
}
