//! Endless input and long input: a snapshot is read to its end or refused.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, folder, live_test, port};
use std::process::{Command, Stdio};

#[live_test(Linux)]
fn an_endless_device_is_refused() {
    let saved = folder().join("endless-saved");
    let answer = Cmd::new([port().to_string()]).answer(1);
    std::fs::write(&saved, answer.document.to_string()).expect("save a snapshot");
    let saved = saved.display().to_string();
    for device in ["/dev/zero", "/dev/urandom", "/dev/full"] {
        for arguments in [
            &["--from", device][..],
            &["--from", device, "--json"],
            &["diff", device],
            &["diff", device, &saved],
            &["diff", &saved, device],
        ] {
            let output = Cmd::new(arguments.iter().copied()).run().without_panic().code(3);
            let reported = output.errors();
            output.assert(
                reported.contains(device) && reported.contains("not a JSON document"),
                "it names the error",
            );
            output.assert(output.stdout.is_empty(), "no answer");
        }
    }
}

#[live_test(Program("yes"))]
fn an_endless_pipe_is_refused() {
    for word in ["y", "", "[1,", "{\"listeners\":\u{1}"] {
        for arguments in [&["--from", "-"][..], &["diff", "-"]] {
            let mut endless =
                Command::new("yes").arg(word).stdout(Stdio::piped()).spawn().expect("start yes");
            let output = endless.stdout.take().expect("a pipe");
            let output = Cmd::new(arguments.iter().copied()).stdin(output).run().without_panic().code(3);
            let _ended_by_the_closed_pipe = endless.wait();
            output.assert(output.errors().contains("not a JSON document"), "it names the error");
        }
    }
}

/// Many listeners on one port: the longest list, for which a slow comparison would be noticed.
#[live_test]
fn a_long_snapshot_is_read_from_a_file_and_a_pipe() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let answer = Cmd::new([server.port().to_string()]).answer(0);
    let document = |first: u64| {
        let mut document = answer.document.clone();
        let listener = |at: u64| {
            let mut listener = answer.only().clone();
            listener["inode"] = (first + at).into();
            listener["holders"][0]["pid"] = (10_000 + first / 100_000 + at * 2).into();
            listener
        };
        document["listeners"] = (0..4_000).map(listener).collect();
        document
    };
    let path = |name: &str, first: u64| {
        let path = folder().join(name);
        std::fs::write(&path, document(first).to_string()).expect("save a snapshot");
        path.display().to_string()
    };
    let (old, new) = (path("long-old", 100_000), path("long-new", 200_000));
    let whole = Cmd::new(["--from", &old]).answer(0);
    whole.assert_eq(whole.listeners().len(), 4_000, "listeners");
    let input = std::fs::File::open(&old).expect("open a snapshot");
    let piped = Cmd::new(["--from", "-"]).stdin(input).answer(0);
    piped.assert_eq(piped.listeners().len(), 4_000, "listeners");
    let output = Cmd::new(["diff", &old, &new]).run().without_panic().code(1);
    output.assert_eq(output.text().lines().count(), 4_000, "changes");
}
