//! Rights: what is given up before anything of other programs is shown or a runtime is asked, what is kept for the
//! command that the user asked to run, and what an installation with capabilities shows to an ordinary user.

#![cfg(target_os = "linux")]

use crate::support::{
    Behavior, Cmd, FakeRuntime, Fixture, JsonOutput, NOBODY, copy_of, folder, holders, in_new_netns,
    live_test, pids, program, until,
};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::process::Command;

/// Returns the value of a line of /proc/PID/status.
fn status(pid: u32, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(text.lines().find_map(|line| line.strip_prefix(key))?.trim().to_owned())
}

/// Returns a snapshot of a port, as a file.
fn snapshot(port: u16) -> String {
    let path = folder().join(format!("rights-{port}.json"));
    std::fs::write(&path, Cmd::new([port.to_string()]).answer(0).document.to_string())
        .expect("save a snapshot");
    path.display().to_string()
}

/// A program that waits to write its answer holds no capability, in any thread.
#[live_test(Linux, Root)]
fn nothing_is_written_with_capabilities() {
    let server = Fixture::start(["tcp=127.0.0.1:0"]);
    let target = server.port().to_string();
    let saved = snapshot(server.port());
    let commands: [&[&str]; 14] = [
        &[&target],
        &["--json", &target],
        &["--ndjson"],
        &["--csv"],
        &["--pids", &target],
        &["--wide"],
        &["--all"],
        &["--probe", &target],
        &["--from", &saved],
        &["why", &target],
        &["why", "--json", &target],
        &["free", "--dry-run", "--json", &target],
        &["diff", "--json", &saved],
        &["about", &target],
    ];
    for words in commands {
        let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
        nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096)).expect("a small pipe");
        writer.write_all(&[b'.'; 4096]).expect("fill it");
        let running = Cmd::new(words.iter().copied()).stdout(writer).start();
        let pid = running.pid();
        // It cannot end before the pipe is read, so this is the state in which it writes.
        let is_bare = |pid| {
            let none = |key| status(pid, key).as_deref() == Some("0000000000000000");
            ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:", "CapBnd:"].into_iter().all(none)
                && status(pid, "NoNewPrivs:").as_deref() == Some("1")
        };
        let given_up = until(|| is_bare(pid).then_some(()));
        assert!(given_up.is_some(), "{words:?} keeps {:?}", status(pid, "CapEff:"));
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
        for thread in threads.flatten() {
            let thread = thread.file_name().to_string_lossy().parse().expect("a number");
            let left = status(thread, "CapEff:");
            assert!(
                left.is_none_or(|left| left == "0000000000000000"),
                "{words:?}: a thread with capabilities"
            );
        }
        let mut read = Vec::new();
        let _everything = reader.read_to_end(&mut read).expect("read the pipe");
        let output = running.wait().without_panic();
        output.assert(read.len() > 4096, "the answer follows");
    }
}

/// The parts of `free` and of `why` that are printed before the end: the capabilities are not in effect.
#[live_test(Linux, Root)]
fn a_plan_is_written_without_effective_capabilities() {
    let server = Fixture::start(["tcp=127.0.0.1:0"]);
    let target = server.port().to_string();
    for words in [vec!["free", "--dry-run", &target], vec!["why", &target, "1"]] {
        let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
        nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096)).expect("a small pipe");
        writer.write_all(&[b'.'; 4096]).expect("fill it");
        let running = Cmd::new(words.clone()).stdout(writer).start();
        let none = || status(running.pid(), "CapEff:").filter(|left| left == "0000000000000000");
        let lowered = until(none);
        assert!(lowered.is_some(), "{words:?}");
        let _everything = reader.read_to_end(&mut Vec::new()).expect("read the pipe");
        running.wait().without_panic();
    }
    // They come back for what follows: ending the process of another user takes CAP_KILL, and a port below 1024 is bound.
    let other = crate::support::Steps::new(["tcp=127.0.0.1:0"]).user(Some(NOBODY)).start();
    Cmd::new(["free".to_owned(), "--yes".into(), other.port().to_string()]).run().without_panic().code(0);
}

/// Returns the lines of a trace of capset, connect and write.
fn traced(cmd: Cmd, name: &str) -> Vec<String> {
    let file = folder().join(name);
    let path = file.to_str().expect("its path is text").to_owned();
    let strace = ["strace", "-f", "-s", "200", "-e", "trace=capset,connect,write,sendto", "-o", &path];
    cmd.through(strace).run().without_panic();
    let trace = std::fs::read(&file).expect("strace wrote its trace");
    String::from_utf8_lossy(&trace).lines().map(str::to_owned).collect()
}

/// Returns whether a line gives up every capability.
fn gives_up(line: &str) -> bool {
    line.contains("capset(") && line.contains("effective=0, permitted=0, inheritable=0")
}

#[live_test(Linux, Root, STRACE, NETWORK_NAMESPACE)]
fn a_runtime_is_asked_and_an_answer_printed_after_the_capabilities_are_gone() {
    // If no socket has the port, root asks the named runtime.
    in_new_netns(|| {
        let empty = b"HTTP/1.0 200 OK\r\n\r\n[]".to_vec();
        let runtime = FakeRuntime::new(Behavior::Replies(empty));
        let cmd = Cmd::new(["--json", "41414"]).env("DOCKER_HOST", &runtime.host);
        let lines = traced(cmd, "rights-order");
        let all = lines.join("\n");
        let pid = |line: &str| line.split_whitespace().next().map(str::to_owned);
        let connect = lines.iter().position(|line| line.contains("connect(") && line.contains(&runtime.path));
        let connect = connect.unwrap_or_else(|| panic!("no runtime was asked\n{all}"));
        let before =
            |at: usize| lines[..at].iter().any(|line| gives_up(line) && pid(line) == pid(&lines[at]));
        assert!(before(connect), "the thread that connects has capabilities\n{all}");
        let written = lines.iter().position(|line| line.contains(" write(1,"));
        let written = written.unwrap_or_else(|| panic!("nothing was written\n{all}"));
        assert!(before(written), "the answer is written with capabilities\n{all}");
        assert_eq!(runtime.connections(), 1, "connections to the runtime");
    });
}

/// `watch` runs the command that the user names with everything that the user has.
#[live_test(Linux, Root)]
fn a_command_of_watch_keeps_the_callers_rights() {
    let output =
        Cmd::new(["watch", "--", "grep", "-E", "^(Cap(Eff|Prm|Bnd)|NoNewPrivs):", "/proc/self/status"]);
    let output = output.run().without_panic().code(0);
    let printed: BTreeSet<String> = output.text().lines().map(str::to_owned).collect();
    let own = std::process::id();
    for key in ["CapEff:", "CapPrm:", "CapBnd:", "NoNewPrivs:"] {
        let wanted = format!("{key}\t{}", status(own, key).expect("a process has a status"));
        output.assert(printed.contains(&wanted), &format!("its command has {wanted}"));
    }
}

/// Returns a copy of the program with these file capabilities.
fn with_file_capabilities(capabilities: &str) -> std::path::PathBuf {
    let copy = copy_of(&program(), Some("allears"));
    // A hard link would give them to the program under test too.
    let own = copy.with_extension("own");
    assert!(Command::new("cp").arg(&copy).arg(&own).status().is_ok_and(|status| status.success()), "copy it");
    let set = Command::new("setcap").arg(format!("{capabilities}+ep")).arg(&own).status();
    assert!(set.is_ok_and(|status| status.success()), "setcap {capabilities}");
    own
}

/// Runs a program as nobody. The environment is empty.
fn as_nobody(program: &std::path::Path, words: &[&str]) -> JsonOutput {
    let mut launcher: Vec<String> =
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--"]
            .map(str::to_owned)
            .into();
    launcher.extend(["sh", "-c", "program=$1; shift 2; exec \"$program\" \"$@\"", "sh"].map(str::to_owned));
    launcher.push(program.display().to_string());
    JsonOutput::parse(Cmd::new(words.iter().copied()).through(launcher).run().without_panic().code(0))
}

/// The two capabilities of docs/security.md are enough for the walk, and fewer are not.
#[live_test(Linux, Root, Program("setcap"), Program("setpriv"))]
fn an_installation_with_capabilities_shows_an_ordinary_user_every_holder() {
    let server = Fixture::start(["tcp=127.0.0.1:0", "fork=1"]);
    let target = format!("tcp/{}", server.port());
    let words = ["--json", "--holders=walk", &target];
    let program = with_file_capabilities("cap_sys_ptrace,cap_dac_read_search");
    let answer = as_nobody(&program, &words);
    answer.assert_eq(pids(answer.only()), server.family(), "holders");
    answer.assert_eq(&answer.only()["unseen"], &json!(null), "nothing unseen");
    // All tests may run with a search of their own.
    let root = Cmd::new([target.as_str()]).answer(0);
    // What a process is depends on the rights to read it: these are the same as root's.
    let known = |answer: &JsonOutput| answer.only()["holders"].clone();
    answer.assert_eq(known(&answer), known(&root), "facts about the holders");
    for fewer in ["cap_sys_ptrace", "cap_dac_read_search"] {
        let answer = as_nobody(&with_file_capabilities(fewer), &words);
        answer.assert_eq(holders(answer.only()).len(), 0, &format!("holders with {fewer} alone"));
        answer.assert_eq(&answer.only()["unseen"]["reason"], &json!("permission"), "unseen.reason");
    }
}

#[live_test(Linux, Root, Program("setcap"), Program("setpriv"), BPF_ITERATOR)]
fn an_installation_with_capabilities_can_search_by_bpf() {
    let server = Fixture::start(["tcp=127.0.0.1:0"]);
    let target = format!("tcp/{}", server.port());
    let words = ["--json", "--holders=bpf", &target];
    let program = with_file_capabilities("cap_sys_ptrace,cap_dac_read_search,cap_bpf,cap_perfmon");
    let answer = as_nobody(&program, &words);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holders");
}
