//! File systems that do not answer: the program answers in time, and exits while they are still silent.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, live_test, until};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// A server whose working directory is on a silent file system, which ends with it.
struct Silent {
    server: Fixture,
    folder: PathBuf,
    port: u16,
}

impl Silent {
    fn new() -> Self {
        let port = crate::support::port();
        let folder = crate::support::folder().join(format!("silent-{port}"));
        std::fs::create_dir_all(&folder).expect("make a folder to mount on");
        let path = folder.to_str().expect("its path is text");
        let steps = ["namespace=mount".into(), format!("silent={path}"), format!("tcp=127.0.0.1:{port}")];
        Self { server: Fixture::start(steps), folder, port }
    }

    fn cmd<S: Into<String>>(&self, words: impl IntoIterator<Item = S>) -> Cmd {
        Cmd::new(words).inside(self.server.pid(), ["mount"])
    }

    /// Ends the file system, and waits until no process is blocked by it.
    fn end(self) {
        let left = helpers();
        drop(self.server);
        let gone = until(|| helpers().iter().all(|pid| !left.contains(pid)).then_some(()));
        assert!(gone.is_some(), "processes {left:?} that asked the file system are still there");
    }
}

/// The child processes of all runs that query file systems.
fn helpers() -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_helper =
        |pid: &u32| std::fs::read(format!("/proc/{pid}/comm")).is_ok_and(|name| name == b"allears-files\n");
    pids.filter(is_helper).collect()
}

/// Longer than any timeout of the program for file systems.
const BOUND: Duration = Duration::from_secs(30);

#[live_test(Linux, Root, Program("nsenter"), Fuse, MOUNT_NAMESPACE)]
fn a_silent_file_system_does_not_delay_the_exit() {
    let silent = Silent::new();
    let target = format!("tcp/{}", silent.port);
    let answer = silent.cmd([target.as_str()]).answer(0);
    // The run has exited and both its streams have ended, so no leftover process has them open.
    answer.assert(answer.output.took < BOUND, "it exits while the file system is silent");
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["pid"], &json!(silent.server.pid()), "the holder");
    let directory = silent.folder.join("d");
    answer.assert_eq(
        &holder["directory"],
        &json!(directory.to_str()),
        "its directory, which is read without a child process",
    );
    let gaps = answer.document["gaps"].as_array().cloned().unwrap_or_default();
    let reported =
        gaps.iter().any(|gap| gap["what"] == json!("project") && gap["reason"] == json!("timeout"));
    answer.assert(reported, "a gap reports that the project is unknown");
    for words in [vec![target.as_str()], vec!["--parents", "--wide", &target], vec!["why", &target]] {
        let output = silent.cmd(words).run();
        output.assert(output.took < BOUND, "it exits while the file system is silent");
        output.assert(output.text().contains(&silent.server.pid().to_string()), "the holder is there");
    }
    silent.end();
}

#[live_test(Linux, Root, Program("nsenter"), Fuse, MOUNT_NAMESPACE)]
fn a_snapshot_on_a_silent_file_system_is_an_error() {
    let silent = Silent::new();
    let file = silent.folder.join("d/snapshot.json");
    let output = silent.cmd(["--from", file.to_str().expect("text")]).run().code(3);
    output.assert(output.took < BOUND, "it exits while the file system is silent");
    output.assert(output.errors().contains("did not answer within"), "the error names the cause");
    silent.end();
}

#[live_test(Linux, Root, Program("nsenter"), Fuse, MOUNT_NAMESPACE)]
fn a_socket_on_a_silent_file_system_is_not_opened() {
    let silent = Silent::new();
    let socket = silent.folder.join("d/docker.sock");
    let socket = format!("unix://{}", socket.display());
    let output = silent.cmd(["--json"]).env("DOCKER_HOST", &socket).run();
    output.assert(output.took < BOUND, "it exits while the file system is silent");
    silent.end();
}

/// 9p, NFS and FUSE folders that answer show their projects. A bind mount that the program takes for such a folder
/// stands in for them, because only the type of the file system matters.
#[live_test(Linux, Root, Program("nsenter"), MOUNT_NAMESPACE)]
fn a_project_on_a_file_system_that_answers_is_found() {
    let port = crate::support::port();
    let folder = crate::support::folder().join(format!("project-{port}"));
    std::fs::create_dir_all(folder.join("web")).expect("make a folder");
    std::fs::write(folder.join("web/package.json"), b"{}").expect("make a project");
    let path = folder.join("web");
    let path = path.to_str().expect("its path is text");
    // In another mount namespace than the program, so the child process checks whether it is the same folder.
    let steps = ["namespace=mount".into(), format!("directory={path}"), format!("tcp=127.0.0.1:{port}")];
    let server = Fixture::start(steps);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["pid"], &json!(server.pid()), "the holder");
    answer.assert_eq(&holder["project"]["directory"], &json!(path), "the project");
}
