//! `free` on processes that act for others: recognised by name and command line, and with a real engine.

#![cfg(unix)]

use crate::free::must_still_hold;
use crate::support::{Cmd, Engine, Fixture, Steps, live_test, port, runs, until};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

/// Starts a listener with this name and command line.
fn stand_in(name: &str, command: &str) -> Fixture {
    // A command line of one word is a title, as sshd sets it.
    let step = if command.contains(": ") { "command" } else { "arguments" };
    let room = format!("pad={}", "x".repeat(200));
    Steps::new([
        room,
        format!("name={name}"),
        format!("{step}={command}"),
        format!("tcp=127.0.0.1:{}", port()),
    ])
    .start()
}

#[live_test(Linux)]
fn processes_that_act_for_others_are_refused_by_name() {
    for (name, command) in [
        ("systemd", "/usr/lib/systemd/systemd --user"),
        ("launchd", "/sbin/launchd"),
        ("dockerd", "/usr/bin/dockerd -H fd://"),
        ("containerd", "/usr/bin/containerd"),
        ("rootlesskit", "rootlesskit --net=slirp4netns dockerd"),
        ("podman", "podman system service"),
        ("incusd", "incusd --group incus-admin"),
        ("systemd-nspawn", "systemd-nspawn --machine web"),
        ("containerd-shim", "/usr/bin/containerd-shim-runc-v2 -namespace moby"),
        ("conmon", "/usr/bin/conmon --api-version 1"),
        ("docker-proxy", "/usr/bin/docker-proxy -proto tcp"),
        ("rootlessport", "rootlessport"),
        ("slirp4netns", "slirp4netns --configure 41"),
        ("pasta", "/usr/bin/pasta --config-net"),
        ("lxc-start", "lxc-start --name web"),
        ("runc", "runc init"),
        ("gvproxy", "gvproxy -mtu 1500"),
        ("limactl", "limactl hostagent"),
        ("wslrelay.exe", "wslrelay.exe"),
        ("wineserver", "/usr/lib/wine/wineserver"),
        ("sshd", "sshd: dev@pts/0"),
        ("sshd-session", "sshd-session: dev@notty"),
        // The name in the kernel may be anything, and so may the command line.
        ("x", "/usr/bin/dockerd -H fd://"),
        ("dockerd", "x"),
    ] {
        let server = stand_in(name, command);
        let target = server.port().to_string();
        for options in [&["--yes"][..], &["--yes", "-9"], &["--yes", "--tree", "--force", "--timeout=100ms"]]
        {
            let words = ["free"].iter().chain(options).copied().chain([&target[..]]);
            let output = Cmd::new(words).run().without_panic().code(3);
            output.assert(output.text().contains("refused"), &format!("{command} is refused"));
            output.assert(runs(server.pid()), &format!("{command} still runs"));
        }
        let dry = Cmd::new(["free", "-n", &target]).run().code(3);
        dry.assert(!dry.text().contains("end this process"), "no plan ends it");
        must_still_hold(&dry, &[&server]);
    }
}

#[live_test(Linux)]
fn programs_with_similar_names_are_ended() {
    for (name, command) in [
        ("node", "node dockerd.js"),
        ("python3", "python3 /srv/systemd --user"),
        ("gunicorn", "gunicorn: master [app]"),
        ("docker-registry", "docker-registry serve"),
        ("sshd", "/usr/sbin/sshd -D"),
    ] {
        let server = stand_in(name, command);
        let output = Cmd::new(["free".to_owned(), "--yes".into(), server.port().to_string()]).run().code(0);
        output.assert(!runs(server.pid()), &format!("{command} has ended"));
    }
}

#[live_test(Linux, Root, Docker)]
fn a_docker_proxy_is_refused_and_its_container_stopped() {
    let engine = Engine::host();
    let port = port();
    let container = engine.run(&["--publish", &format!("{port}:80")], &["tcp=0.0.0.0:80"]);
    let target = port.to_string();
    let answers = || {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpStream::connect_timeout(&address, std::time::Duration::from_secs(1)).is_ok()
    };
    let stop = format!("docker stop {}", container.name);
    for options in [&["--yes"][..], &["--yes", "-9"], &["--yes", "--tree"]] {
        let words = ["free"].iter().chain(options).copied().chain([&target[..]]);
        let output = engine.cmd(words).run().code(3);
        output.assert(output.text().contains(&stop), "the one command is named");
        output.assert_eq(container.inspect("{{.State.Running}}"), "true", "it runs");
        output.assert(answers(), "it still answers");
    }
    let output = engine.cmd(["free", "--via", "service", "--yes", &target]).run().code(3);
    output.assert_eq(
        container.inspect("{{.State.Running}}"),
        "true",
        "the engine's own unit is never stopped",
    );

    let output = engine.cmd(["free", "--via", "container", "--yes", &target]).run().code(0);
    output.assert_eq(container.inspect("{{.State.Running}}"), "false", "it is stopped");
    let silent = until(|| (!answers()).then_some(()));
    output.assert(silent.is_some(), "nothing answers any more");
}
