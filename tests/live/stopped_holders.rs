//! Holders that do not run: stopped by a signal or a debugger, or frozen with their cgroup. The kernel keeps their
//! sockets and completes connections for them.

#![cfg(target_os = "linux")]

use crate::support::{
    Cmd, Engine, Fixture, JsonOutput, Need, Steps, cgroup_root, holders, live_test, pids, port, send_signal,
    state, stop, until, wait_for_state,
};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::path::PathBuf;

/// A freezer of cgroup v1.
const FREEZER: Need = Need::Probe("a cgroup v1 freezer", &["test", "-d", "/sys/fs/cgroup/freezer"]);

/// Returns the condition of the only holder of a port.
#[track_caller]
fn condition(port: u16) -> Value {
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    answer.only_holder(answer.only())["condition"].clone()
}

/// Asserts everything that is reported of a server that does not run.
#[track_caller]
fn must_be(server: &Fixture, word: &str, resumes: &str) {
    let port = server.port();
    let target = format!("tcp/{port}");
    let reported = condition(port);
    assert_eq!(reported["state"], word, "{reported}");
    let card = Cmd::new(["--probe", &target]).run().code(0);
    card.assert(card.text().contains(&format!("which is {word}")), "the probe line of the card reports it");
    card.assert(card.text().contains(resumes), &format!("the card names what helps: {resumes}"));
    card.assert(card.text().contains("connects ("), "the probe connects");
    card.assert(!card.text().contains("accepts"), "and nothing accepts");
    let table = Cmd::new(["--columns", "port,what", &target]).run().code(0);
    table.assert(table.text().contains(&format!("({word})")), "the table marks it");
    let why = JsonOutput::parse(Cmd::new(["why", "--json", &target]).run().code(1));
    let facts = why.document["facts"].to_string();
    why.assert(facts.contains(&server.pid().to_string()), "a fact names it");
    why.assert(facts.contains("nobody answers"), "and what that means");
    why.assert(why.document["advice"].to_string().contains(resumes), "the advice names what helps");

    // A saved snapshot keeps it.
    let saved = JsonOutput::parse(Cmd::new(["--json", &target]).run().code(0));
    let file = crate::support::folder().join(format!("condition-{port}.json"));
    std::fs::write(&file, &saved.output.stdout).expect("save a snapshot");
    let read = Cmd::new(["--from", &file.display().to_string()]).answer(0);
    read.assert_eq(read.listeners(), saved.listeners(), "read back");
}

#[track_caller]
fn must_run(port: u16) {
    assert_eq!(condition(port), json!(null), "a server that runs");
    let card = Cmd::new(["--probe", &format!("tcp/{port}")]).run().code(0);
    card.assert(card.text().contains("accepts"), "it accepts");
    card.assert(!card.text().contains("which is"), "no condition is reported");
}

fn server() -> Fixture {
    Fixture::start([format!("tcp=127.0.0.1:{}", port())])
}

#[live_test]
fn a_server_stopped_by_a_signal() {
    let server = server();
    must_run(server.port());
    stop(server.pid());
    must_be(&server, "stopped", &format!("kill -CONT {}", server.pid()));
    send_signal(server.pid(), Signal::SIGCONT);
    wait_for_state(server.pid(), 'S');
    must_run(server.port());
}

/// A shell on a terminal, with a server as its stopped job.
#[live_test(Program("script"), Program("bash"))]
fn a_stopped_job_of_a_shell() {
    let port = port();
    let fixture = crate::support::fixture_program();
    let job = format!("{} tcp=127.0.0.1:{port} </dev/zero >/dev/null & read x", fixture.display());
    let mut shell = std::process::Command::new("script")
        .args(["--quiet", "--command", &format!("bash -ic '{job}'"), "/dev/null"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("start a shell on a terminal");
    let server = until(|| {
        let document: Value =
            serde_json::from_slice(&Cmd::new(["--json", &format!("tcp/{port}")]).run().stdout).ok()?;
        u32::try_from(document["listeners"].get(0)?["holders"].get(0)?["pid"].as_u64()?).ok()
    });
    let reported = server.map(|server| {
        // The signal that a terminal sends, and those that stop any process. A job is in no orphaned group, so all of
        // them stop it.
        for signal in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU, Signal::SIGSTOP] {
            must_run(port);
            send_signal(server, signal);
            wait_for_state(server, 'T');
            assert_eq!(condition(port)["state"], "stopped", "{signal}");
            send_signal(server, Signal::SIGCONT);
            assert!(until(|| (state(server) != Some('T')).then_some(())).is_some(), "it runs again");
        }
        send_signal(server, Signal::SIGTSTP);
        wait_for_state(server, 'T');
        let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
        let card = Cmd::new([format!("tcp/{port}")]).run().code(0);
        send_signal(server, Signal::SIGKILL);
        (answer, card)
    });
    let _may_have_ended = shell.kill();
    let _reaped = shell.wait();
    let (answer, card) = reported.expect("a job of the shell");
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["condition"]["shell"]["name"], &json!("bash"), "the shell that can resume it");
    answer.assert_eq(&holder["condition"]["shell"]["pid"], &holder["parents"][0]["pid"], "by its pid");
    card.assert(card.text().contains("as does fg in its shell, bash"), "the card reports it");
}

#[live_test]
fn a_server_stopped_by_a_debugger() {
    let server = server();
    let pid = Pid::from_raw(i32::try_from(server.pid()).expect("a pid"));
    ptrace::seize(pid, ptrace::Options::empty()).expect("trace it");
    must_run(server.port());
    ptrace::interrupt(pid).expect("stop it");
    waitpid(pid, Some(WaitPidFlag::__WALL)).expect("it stops");
    let reported = condition(server.port());
    // The tracer is a thread of this process.
    assert_eq!(
        (&reported["state"], &reported["tracer"]["pid"]),
        (&json!("traced"), &json!(std::process::id()))
    );
    must_be(&server, "traced", &format!("(pid {})", std::process::id()));
    ptrace::detach(pid, None).expect("let it go");
    wait_for_state(server.pid(), 'S');
    must_run(server.port());
}

/// A tracer of system calls stops its process briefly at each call.
#[live_test(STRACE)]
fn a_server_with_traced_system_calls_runs() {
    let steps = Steps::new([format!("tcp=127.0.0.1:{}", port())]);
    let server = steps.through(["strace", "-f", "-o", "/dev/null"]).start();
    for _ in 0..20 {
        assert_eq!(condition(server.port()), json!(null), "a traced server that runs");
    }
}

#[live_test]
fn a_server_whose_first_thread_has_ended() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "leave-main".into()]);
    assert_eq!(state(server.pid()), Some('Z'), "its first thread has ended");
    must_run(server.port());
    send_signal(server.pid(), Signal::SIGSTOP);
    let stopped = until(|| (condition(server.port())["state"] == "stopped").then_some(()));
    assert!(stopped.is_some(), "its other threads are stopped");
    must_be(&server, "stopped", &format!("kill -CONT {}", server.pid()));
    send_signal(server.pid(), Signal::SIGCONT);
    assert!(until(|| condition(server.port()).is_null().then_some(())).is_some(), "it runs again");
}

#[live_test]
fn one_of_two_holders_is_stopped() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=1".into()]);
    let [child] = server.children()[..] else { panic!("one child") };
    stop(child);
    let target = format!("tcp/{}", server.port());
    let answer = Cmd::new([target.as_str()]).answer(0);
    let reported: Vec<&Value> =
        holders(answer.only()).iter().map(|holder| &holder["condition"]["state"]).collect();
    let wanted: Vec<Value> = pids(answer.only())
        .iter()
        .map(|pid| if *pid == child { json!("stopped") } else { json!(null) })
        .collect();
    answer.assert_eq(reported, wanted.iter().collect::<Vec<_>>(), "conditions");
    let card = Cmd::new(["--probe", &target]).run().code(0);
    card.assert(card.text().contains("accepts"), "the other one may accept");
    card.assert(card.text().contains(&format!("{child} is stopped")), "the card names which one is stopped");
    send_signal(child, Signal::SIGCONT);
}

/// A cgroup with a process in it. It is thawed and removed when this is dropped.
struct Group {
    outer: PathBuf,
    inner: PathBuf,
    control: &'static str,
    thaw: &'static str,
}

impl Group {
    fn new(root: PathBuf, control: &'static str, thaw: &'static str) -> Group {
        let outer = root.join(format!("allears-condition-{}", port()));
        let inner = outer.join("in side");
        std::fs::create_dir_all(&inner).expect("make a cgroup");
        Group { outer, inner, control, thaw }
    }

    fn take(&self, server: &Fixture) {
        std::fs::write(self.inner.join("cgroup.procs"), server.pid().to_string()).expect("enter the cgroup");
    }

    fn freeze(folder: &std::path::Path, control: &str, value: &str) {
        std::fs::write(folder.join(control), value).expect("write the freezer's state");
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in [&self.outer, &self.inner] {
            let _thawed = std::fs::write(folder.join(self.control), self.thaw);
        }
        for folder in [&self.inner, &self.outer] {
            // The cgroup must be empty.
            let procs = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            let above = self.outer.parent().map(|root| root.join("cgroup.procs"));
            for pid in procs.lines() {
                let _moved = above.as_ref().map(|above| std::fs::write(above, pid));
            }
            let _removed = std::fs::remove_dir(folder);
        }
    }
}

#[track_caller]
fn must_be_frozen(server: &Fixture, version: u8, frozen: &std::path::Path, control: &str) {
    let reported = until(|| Some(condition(server.port())).filter(|reported| reported["state"] == "frozen"));
    let freezer = reported.expect("it is frozen")["freezer"].clone();
    assert_eq!(freezer["version"], version);
    assert_eq!(freezer["control"], frozen.join(control).display().to_string());
    assert_eq!(freezer["scope"], json!(null), "neither a container nor a service");
}

#[live_test(Root, Cgroup)]
fn a_server_in_a_frozen_cgroup() {
    let server = server();
    let group = Group::new(cgroup_root().expect("a tree"), "cgroup.freeze", "0");
    group.take(&server);
    must_run(server.port());
    Group::freeze(&group.inner, "cgroup.freeze", "1");
    must_be_frozen(&server, 2, &group.inner, "cgroup.freeze");
    let control = group.inner.join("cgroup.freeze");
    must_be(&server, "frozen", &format!("echo 0 | sudo tee '{}'", control.display()));
    Group::freeze(&group.inner, "cgroup.freeze", "0");
    assert!(until(|| condition(server.port()).is_null().then_some(())).is_some(), "it runs again");
}

#[live_test(Root, Cgroup)]
fn a_server_below_a_frozen_cgroup() {
    let server = server();
    let group = Group::new(cgroup_root().expect("a tree"), "cgroup.freeze", "0");
    group.take(&server);
    Group::freeze(&group.outer, "cgroup.freeze", "1");
    must_be_frozen(&server, 2, &group.outer, "cgroup.freeze");
    drop(group);
}

#[live_test(Root, FREEZER)]
fn a_server_in_a_frozen_cgroup_of_version_1() {
    let server = server();
    let group = Group::new("/sys/fs/cgroup/freezer".into(), "freezer.state", "THAWED");
    group.take(&server);
    must_run(server.port());
    Group::freeze(&group.outer, "freezer.state", "FROZEN");
    must_be_frozen(&server, 1, &group.outer, "freezer.state");
    must_be(
        &server,
        "frozen",
        &format!("echo THAWED | sudo tee {}", group.outer.join("freezer.state").display()),
    );
    let why = Cmd::new(["why", &format!("tcp/{}", server.port())]).run().code(1);
    why.assert(why.text().contains("neither SIGTERM nor SIGKILL"), "it explains what signals do");
    drop(group);
    assert!(until(|| condition(server.port()).is_null().then_some(())).is_some(), "it runs again");
}

#[live_test(Root, Docker)]
fn a_paused_container() {
    let engine = Engine::host();
    let port = port();
    let container = engine.run(&["--network", "host"], &[&format!("tcp=127.0.0.1:{port}")]);
    must_run(port);
    engine.client(&["pause", &container.id]);
    let reported = condition(port);
    let card = Cmd::new([format!("tcp/{port}")]).run();
    engine.client(&["unpause", &container.id]);
    assert_eq!(
        (&reported["state"], &reported["freezer"]["scope"]),
        (&json!("frozen"), &json!("container")),
        "{reported}"
    );
    card.assert(
        card.text().contains(&format!("docker unpause {}", container.name)),
        "the card names what helps",
    );
    must_run(port);
}
