//! Containers that neither a runtime nor a cgroup identifies. The arguments of the process that runs them name them.

#![cfg(unix)]

use crate::support::{
    Cmd, Engine, JsonOutput, NOBODY, Podman, Steps, copy_of, fixture_program, folder, holders, in_new_netns,
    kill_proxy, live_test, pids, send_signal, until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const PORT: u16 = 8080;

/// A private containerd with its own store.
struct Containerd {
    folder: PathBuf,
    daemon: Child,
}

impl Containerd {
    fn start() -> Self {
        let folder = folder().join("containerd");
        std::fs::create_dir_all(folder.join("rootfs")).expect("make a folder");
        // It shares nothing with Docker's shims and the machine's containerd.
        let part = |name: &str| folder.join(name).display().to_string();
        let daemon = Command::new("containerd")
            .args(["--root", &part("root"), "--state", &part("state"), "--address", &part("socket")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start containerd");
        let started = Self { folder, daemon };
        let answers = until(|| started.ctr(&["version"]).status.success().then_some(()));
        assert!(answers.is_some(), "containerd answers");
        started
    }

    fn ctr(&self, words: &[&str]) -> std::process::Output {
        let mut ctr = Command::new("ctr");
        ctr.arg("--address").arg(self.folder.join("socket")).args(words).stdin(Stdio::null());
        ctr.output().expect("run ctr")
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        self.ctr(&["task", "kill", "--signal", "SIGKILL", "allears-web"]);
        until(|| self.ctr(&["task", "rm", "allears-web"]).status.success().then_some(()));
        self.ctr(&["container", "rm", "allears-web"]);
        send_signal(self.daemon.id(), Signal::SIGTERM);
        let _ = self.daemon.wait();
    }
}

#[live_test(Linux, Root, Program("containerd"), Program("ctr"), Program("runc"), NETWORK_NAMESPACE)]
fn a_container_of_ctr_is_identified_by_its_shim() {
    in_new_netns(|| {
        let containerd = Containerd::start();
        let root = containerd.folder.join("rootfs").display().to_string();
        // The machine's programs are mounted read-only, and the network is the one of this thread.
        let mounts = ["/usr", "/lib", "/lib64", "/bin"]
            .into_iter()
            .filter(|place| std::path::Path::new(place).exists());
        let mounts: Vec<String> = mounts
            .map(|place| format!("type=bind,src={place},dst={place},options=rbind:ro"))
            .flat_map(|mount| ["--mount".to_owned(), mount])
            .collect();
        let server =
            format!("import socket, time; s = socket.create_server(('127.0.0.1', {PORT})); time.sleep(600)");
        let mut words = vec!["run", "--detach", "--net-host"];
        words.extend(mounts.iter().map(String::as_str));
        words.extend(["--rootfs", &root, "allears-web", "/usr/bin/python3", "-c", &server]);
        let run = containerd.ctr(&words);
        if !run.status.success() {
            panic!("ctr run: {}", String::from_utf8_lossy(&run.stderr));
        }
        let listens = until(|| Cmd::new([PORT.to_string()]).run().status.success().then_some(()));
        assert!(listens.is_some(), "it listens");
        let answer = Cmd::new([PORT.to_string()]).answer(0);
        let container = &answer.only_holder(answer.only())["container"];
        answer.assert_eq(
            [&container["runtime"], &container["id"], &container["name"]],
            [&json!("containerd"), &json!("allears-web"), &json!("allears-web")],
            "container",
        );
        let card = Cmd::new([PORT.to_string()]).run().code(0);
        card.assert(card.text().contains("allears-web (containerd)"), "the card names it");
        let plan = Cmd::new(["free", "-n", &PORT.to_string()]).run();
        plan.assert(plan.text().contains("allears-web"), "and so does free");
    });
}

#[live_test(PODMAN)]
fn a_ctr_container_in_the_host_network_is_named() {
    in_new_netns(|| {
        let podman = Podman::new();
        let pod = podman.run(&["--network", "host"], &[&format!("tcp=127.0.0.1:{PORT}")]);
        let answer = podman.cmd([format!("{PORT}")]).answer(0);
        let container = &answer.only_holder(answer.only())["container"];
        answer.assert_eq(
            [&container["runtime"], &container["id"], &container["name"]],
            [&json!("podman"), &json!(pod.id), &json!(pod.name)],
            "container",
        );
        let why = podman.cmd(["why", &PORT.to_string()]).run().code(1);
        why.assert(why.text().contains(&format!("podman stop {}", pod.name)), "what frees it");
    });
}

/// A stand-in with the name and arguments of systemd-nspawn(1), and its child.
#[live_test(Linux)]
fn a_machine_is_named_by_its_nspawn() {
    let nspawn = copy_of(&fixture_program(), Some("systemd-nspawn"));
    let words = ["-bqD", "/srv/shopbox", "steps", "tcp=127.0.0.1:0", "fork=1"];
    let machine = Steps::new(words).program(nspawn).start();
    let answer = Cmd::new([format!("tcp/{}", machine.port())]).answer(0);
    for holder in holders(answer.only()) {
        let is_outside = holder["pid"] == machine.pid();
        let name = &holder["container"]["name"];
        answer.assert_eq(name, &if is_outside { Value::Null } else { json!("shopbox") }, "container");
    }
    answer.assert_eq(holders(answer.only()).len(), 2, "holders");
}

#[live_test(PRIVATE_ENGINE)]
fn a_loopback_address_without_a_rule_is_not_forwarded() {
    in_new_netns(|| {
        let engine = Engine::start(&[]);
        let container = engine.run(&["--publish", &format!("127.0.0.1:{PORT}:80")], &["tcp=0.0.0.0:80"]);
        let before = engine.cmd([format!("{PORT}")]).answer(0);
        let [proxy] = pids(before.only())[..] else { before.fail("one proxy") };
        kill_proxy(proxy, "127.0.0.1", PORT);
        let output = engine.cmd([format!("{PORT}")]).run().code(1);
        output.assert(!output.text().contains(&container.name), "the container is not reached there");
        let all = engine.cmd([] as [&str; 0]).run();
        all.assert(!all.text().contains(&container.name), "nor in the list");
        let why = JsonOutput::parse(engine.cmd(["why", "--json", &PORT.to_string()]).run().code(0));
        why.assert_eq(&why.document["verdict"], &json!("free"), "verdict");
        // A user who may not read the rules gets a gap about them.
        let stranger = engine.cmd(["--json", &PORT.to_string()]).user(Some(NOBODY)).run().code(3);
        let document: Value = serde_json::from_str(stranger.text()).expect("a document");
        stranger.assert_eq(&document["complete"], &json!(false), "complete");
        stranger.assert_eq(holders(&document).len(), 0, "holders");
    });
}
