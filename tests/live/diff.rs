//! `diff`: two snapshots of real sockets, or a snapshot and the current state. What only one side could see is no
//! difference.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, Output, folder, live_test, ordinary_user, pids, port};
use serde_json::json;
use std::path::PathBuf;
use std::process::Stdio;

/// Saves a snapshot with these arguments in a file of this name.
fn save(name: &str, cmd: Cmd) -> PathBuf {
    let path = folder().join(name);
    let output = cmd.run().without_panic();
    std::fs::write(&path, &output.stdout).expect("save a snapshot");
    path
}

fn listed(arguments: &[&str]) -> Cmd {
    Cmd::new(["--json"].iter().chain(arguments).copied())
}

fn diff(sides: &[&PathBuf]) -> Cmd {
    let sides = sides.iter().map(|side| side.to_str().expect("a path in text"));
    Cmd::new(["diff", "--json"].into_iter().chain(sides))
}

fn server(port: u16) -> Fixture {
    Fixture::start([format!("tcp=127.0.0.1:{port}")])
}

#[track_caller]
fn events(answer: &JsonOutput) -> Vec<String> {
    let changes = answer.document["changes"].as_array().cloned().unwrap_or_default();
    changes
        .iter()
        .map(|change| format!("{} {}", change["event"], change["differs"]).replace('"', ""))
        .collect()
}

#[live_test]
fn opened_and_closed_sockets_are_reported() {
    let [one, other] = [port(), port()];
    let target = format!("{one},{other}");
    let first = server(one);
    let before = save("diff-before", listed(&[&target]));
    let same = JsonOutput::parse(diff(&[&before]).run().code(0));
    same.assert_eq(events(&same), Vec::<String>::new(), "nothing was done");
    same.assert_eq(&same.document["complete"], &json!(true), "complete");
    drop(first);
    let second = server(other);
    let now = JsonOutput::parse(diff(&[&before]).run().code(1));
    let reported = if one < other { ["closed []", "opened []"] } else { ["opened []", "closed []"] };
    now.assert_eq(events(&now), reported.map(str::to_owned).to_vec(), "what happened");
    let after = save("diff-after", listed(&[&target]));
    let both = JsonOutput::parse(diff(&[&before, &after]).run().code(1));
    both.assert_eq(events(&both), events(&now), "of two files");
    let opened =
        both.document["changes"].as_array().into_iter().flatten().find(|one| one["before"].is_null());
    both.assert_eq(opened.map(|one| pids(&one["after"])), Some(vec![second.pid()]), "the user who opened it");
}

#[live_test(Linux)]
fn a_restarted_server_has_another_socket() {
    let place = port();
    let first = server(place);
    let before = save("diff-restart", listed(&[&place.to_string()]));
    drop(first);
    let _second = server(place);
    let now = JsonOutput::parse(diff(&[&before]).run().code(1));
    now.assert_eq(events(&now), vec!["changed [socket,holders]".to_owned()], "what happened");
    // Another holder of the same socket.
    let shared = port();
    let alone = server(shared);
    let before = save("diff-alone", listed(&[&shared.to_string()]));
    drop(alone);
    let _family = Fixture::start([format!("tcp=127.0.0.1:{shared}"), "fork=1".into()]);
    let after = save("diff-family", listed(&[&shared.to_string()]));
    let now = JsonOutput::parse(diff(&[&before, &after]).run().code(1));
    now.assert_eq(events(&now), vec!["changed [socket,holders]".to_owned()], "what happened");
}

#[live_test(Linux)]
fn the_current_state_is_read_with_the_same_request() {
    let folder_of = folder().join("diff.sock");
    let path = folder_of.to_str().expect("a path in text");
    let place = port();
    let second = format!("tcp=127.0.0.1:{}", port());
    let server = Fixture::start([format!("tcp=127.0.0.1:{place}"), second, format!("unix={path}")]);
    let pid = server.pid().to_string();
    // Other tests open and close sockets meanwhile, so only the sockets of this test are compared.
    for (name, arguments) in [
        ("diff-unix", &["-x", "--pid", &pid][..]),
        ("diff-path", &[path]),
        ("diff-family", &["-4", "-t", "--pid", &pid]),
        ("diff-command", &["-c", path]),
        ("diff-spec", &["-i", &format!("4tcp:{place}")]),
        ("diff-exposed", &["--exposed", "--pid", &pid]),
    ] {
        let before = save(name, listed(arguments));
        let now = JsonOutput::parse(diff(&[&before]).run().code(0));
        now.assert_eq(&now.document["same_question"], &json!(true), "the request");
    }
    let [narrow, wide] =
        [save("diff-narrow", listed(&[&place.to_string()])), save("diff-wide", listed(&["--pid", &pid]))];
    for sides in [[&narrow, &wide], [&wide, &narrow]] {
        let now = JsonOutput::parse(diff(&sides).run().code(0));
        now.assert_eq(&now.document["same_question"], &json!(false), "the request");
    }
}

#[live_test(Linux)]
fn all_states_are_compared_if_requested() {
    let place = format!("127.0.0.1:{}", port());
    let client = format!("client={place}");
    let server = Fixture::start([format!("tcp={place}"), client.clone(), "accept".to_owned()]);
    let other = Fixture::start([client]);
    let target = server.port().to_string();
    let before = save("diff-all", listed(&["--all", &target]));
    JsonOutput::parse(diff(&[&before]).run().code(0));
    let listening = save("diff-listening", listed(&[&target]));
    JsonOutput::parse(diff(&[&before, &listening]).run().code(0));
    drop(other);
    let now = JsonOutput::parse(diff(&[&before]).run().code(1));
    now.assert_eq(events(&now).len(), 1, "one of two connections is not as it was");
}

#[live_test(Linux, Root)]
fn permissions_are_no_difference() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=2".into()]);
    let target = server.port().to_string();
    let ordinary = save("diff-ordinary", listed(&[&target]).user(ordinary_user()));
    let root = save("diff-root", listed(&[&target]));
    for sides in [[&ordinary, &root], [&root, &ordinary]] {
        JsonOutput::parse(diff(&sides).run().code(0));
    }
    let output =
        Cmd::new(["diff", ordinary.to_str().expect("text"), root.to_str().expect("text")]).run().code(0);
    output.assert_eq(output.text(), "no difference\n", "the text");
    output.assert(
        output.errors().contains("holders of 1 listener could not be compared"),
        "and what it could not tell",
    );
}

#[live_test(Linux, Root)]
fn unreadable_holders_are_not_reported_as_gone() {
    let server = server(port());
    let root = save("diff-of-pid", listed(&["--pid", &server.pid().to_string()]));
    let target = save("diff-blind", listed(&[&server.port().to_string()]).user(ordinary_user()));
    let unsure = JsonOutput::parse(diff(&[&root, &target]).run().code(3));
    unsure.assert_eq(&unsure.document["changes"][0]["certain"], &json!(false), "certain");
    unsure.assert_eq(&unsure.document["complete"], &json!(false), "complete");
    let reported =
        Cmd::new(["diff", root.to_str().expect("text"), target.to_str().expect("text")]).run().code(3);
    reported.assert(reported.text().starts_with("closed?"), "it may have been closed");
    reported.assert(reported.errors().contains("could not determine whether they differ"), "and says why");
}

#[live_test]
fn standard_input_is_a_snapshot_too() {
    let server = server(port());
    let before = save("diff-input", listed(&[&server.port().to_string()]));
    let input = || Stdio::from(std::fs::File::open(&before).expect("open the snapshot"));
    let path = before.to_str().expect("a path in text");
    for arguments in [&["diff", "-"][..], &["diff", "-", path], &["diff", path, "-"]] {
        Cmd::new(arguments.iter().copied()).stdin(input()).run().without_panic().code(0);
    }
    let output = Cmd::new(["diff", "-", "-"]).stdin(input()).run().without_panic().code(2);
    output.assert(output.stdout.is_empty(), "both cannot be read from it");
}

#[live_test]
fn text_output_has_a_line_per_change() {
    let place = port();
    let before = save("diff-lines", listed(&[&place.to_string()]));
    let server = server(place);
    let cmd = || Cmd::new(["diff", before.to_str().expect("a path in text")]);
    let output: Output = cmd().run().code(1);
    let line = format!("opened  {place}/tcp  127.0.0.1  fixture (pid {}, ", server.pid());
    output.assert(output.text().starts_with(&line) && !output.text().contains('\u{1b}'), "a line in a pipe");
    output.assert(output.errors().is_empty(), "without a terminal there is no summary");
    let shown = cmd().env("TERM", "xterm").start_on_terminal().type_in("").code(1);
    shown.assert(shown.text().contains("\u{1b}[1m\u{1b}[32mopened"), "a colour on a terminal");
    shown.assert(shown.text().contains("1 opened within "), "and a summary");
}
