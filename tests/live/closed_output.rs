//! An answer that cannot be written is an error, whatever the command and the format. A reader that closes its pipe
//! ends the program quietly.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, Output, folder, live_test, port};

/// Every command in every format, for a listener on this port. Each ends by itself once it cannot write.
fn commands(port: u16) -> Vec<Vec<String>> {
    let old = snapshot(&format!("lost-old-{port}"), port, "4001");
    let new = snapshot(&format!("lost-new-{port}"), port, "4002");
    let diff = format!("diff {old} {new}");
    let lines = [
        "PORT",
        "--wide PORT",
        "--json PORT",
        "--ndjson PORT",
        "--csv PORT",
        "--openmetrics PORT",
        "--pids PORT",
        "-a PORT",
        "why PORT",
        "why --json PORT",
        "wait PORT",
        "wait --json PORT",
        "about 443",
        "about --json 443",
        "watch --interval 100ms PORT",
        "watch --interval 100ms --ndjson PORT",
        "free --dry-run PORT",
        "free --dry-run --json PORT",
        "completions bash",
        "completions fish",
        "man",
        "schema",
        "schema snapshot",
        "--help",
        "why --help",
        "free --help",
        "--version",
        &diff,
        &diff.replace("diff", "diff --json"),
    ];
    let line = |line: &str| {
        line.split(' ').map(|word| word.replace("PORT", &port.to_string())).collect::<Vec<String>>()
    };
    lines.into_iter().map(line).collect()
}

/// A snapshot of the port in which this process holds it.
fn snapshot(name: &str, port: u16, pid: &str) -> String {
    let answer = Cmd::new([port.to_string()]).answer(0);
    let held = answer.document.to_string();
    let holder = crate::support::pids(answer.only()).first().copied().unwrap_or_default();
    let path = folder().join(name);
    std::fs::write(&path, held.replace(&format!("\"pid\":{holder},"), &format!("\"pid\":{pid},")))
        .expect("save a snapshot");
    path.display().to_string()
}

fn server() -> Fixture {
    Fixture::start([format!("tcp=127.0.0.1:{}", port())])
}

/// Runs it with a shell's redirection of its streams.
fn run_redirected(redirection: &str, arguments: &[String]) -> Cmd {
    let script = format!("exec \"$@\" {redirection}");
    Cmd::new(arguments.iter().cloned()).through(["sh", "-c", &script, "sh"])
}

#[live_test(Linux)]
fn a_failed_write_is_an_error() {
    let server = server();
    for command in commands(server.port()) {
        // Closed, full, and open for reading only.
        for redirection in [">&-", ">/dev/full", "1</dev/null"] {
            let output = run_redirected(redirection, &command).run().without_panic().code(3);
            output.assert(
                output.errors().contains("cannot write the answer"),
                &format!("{redirection} is reported"),
            );
        }
    }
}

#[live_test]
fn a_pipe_that_is_closed_ends_every_command_quietly() {
    let server = server();
    for command in commands(server.port()) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Cmd::new(command).stdout(writer).run().without_panic().code(0);
        output.assert(!output.errors().contains("write the answer"), "it ends quietly");
    }
}

#[live_test]
fn a_closed_standard_error_changes_nothing() {
    let server = server();
    for command in commands(server.port()).into_iter().filter(|command| command[0] != "watch") {
        let run = |redirection| run_redirected(redirection, &command).run().without_panic();
        let (open, closed): (Output, Output) = (run(""), run("2>&-"));
        closed.assert_eq(closed.status.code(), open.status.code(), "the exit status");
        closed.assert(!closed.stdout.is_empty(), "the answer is there");
        run("2>&- >&- <&-").code(3);
    }
}

#[live_test]
fn a_quiet_run_needs_no_output() {
    let server = server();
    let place = server.port().to_string();
    for command in
        [["-q", &place].map(str::to_owned).to_vec(), ["wait", "-q", &place].map(str::to_owned).to_vec()]
    {
        for redirection in [">&-", ">/dev/full"] {
            run_redirected(redirection, &command).run().without_panic().code(0);
        }
    }
}

#[live_test]
fn free_ends_nothing_if_its_output_is_closed() {
    let server = server();
    for options in ["--yes", "--yes --json"] {
        let words = format!("free {options} {}", server.port());
        let command: Vec<String> = words.split(' ').map(str::to_owned).collect();
        run_redirected(">&-", &command).run().without_panic().code(3);
    }
    Cmd::new([server.port().to_string()]).answer(0).only();
}

#[live_test(Linux)]
fn a_nonblocking_pipe_gets_the_whole_answer() {
    let whole = Cmd::new(["completions", "powershell"]).run().code(0);
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let flags = rustix::fs::fcntl_getfl(&writer).expect("the flags of a pipe");
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).expect("set the flags");
    // Smaller than the answer, so that it is full before the reader starts.
    #[cfg(target_os = "linux")]
    nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096)).expect("a small pipe");
    let running = Cmd::new(["completions", "powershell"]).stdout(writer).start();
    // The program fills the pipe before the reader starts.
    let full = crate::support::until(|| (rustix::io::ioctl_fionread(&reader).ok()? >= 4096).then_some(()));
    assert!(full.is_some(), "the pipe is filled");
    let mut read = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut read).expect("read the pipe");
    running.wait().without_panic().code(0);
    whole.assert(read.len() > 4096 && read == whole.stdout, "the whole answer");
}
