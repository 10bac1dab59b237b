//! `free` on processes that stand for others: by name and command line alone, and with a real engine.

use crate::free::{must_still_hold, runs};
use crate::stage::{Engine, Fixture, Look, Need, Steps, port, until};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

cases![
    who_stands_for_others_is_refused_by_name[Need::Linux],
    programs_with_names_like_theirs_are_ended[Need::Linux],
    a_docker_proxy_is_refused_and_its_container_stopped[Need::Linux, Need::Root, Need::Docker],
];

/// A process of this name and command line that listens.
fn stand_in(name: &str, command: &str) -> Fixture {
    // A command line of one word is a title, as sshd writes it.
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

fn who_stands_for_others_is_refused_by_name() {
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
        // The kernel's name may be anything, as may the command line.
        ("x", "/usr/bin/dockerd -H fd://"),
        ("dockerd", "x"),
    ] {
        let server = stand_in(name, command);
        let target = server.port().to_string();
        for options in [&["--yes"][..], &["--yes", "-9"], &["--yes", "--tree", "--force", "--timeout=100ms"]]
        {
            let words = ["free"].iter().chain(options).copied().chain([&target[..]]);
            let seen = Look::at(words).run().without_panic().code(3);
            seen.must(seen.text().contains("refused"), &format!("{command} is refused"));
            seen.must(runs(server.pid()), &format!("{command} still runs"));
        }
        let dry = Look::at(["free", "-n", &target]).run().code(3);
        dry.must(!dry.text().contains("end this process"), "no plan ends it");
        must_still_hold(&dry, &[&server]);
    }
}

fn programs_with_names_like_theirs_are_ended() {
    for (name, command) in [
        ("node", "node dockerd.js"),
        ("python3", "python3 /srv/systemd --user"),
        ("gunicorn", "gunicorn: master [app]"),
        ("docker-registry", "docker-registry serve"),
        ("sshd", "/usr/sbin/sshd -D"),
    ] {
        let server = stand_in(name, command);
        let seen = Look::at(["free".to_owned(), "--yes".into(), server.port().to_string()]).run().code(0);
        seen.must(!runs(server.pid()), &format!("{command} has ended"));
    }
}

fn a_docker_proxy_is_refused_and_its_container_stopped() {
    let engine = Engine::machine();
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
        let seen = engine.look(words).run().code(3);
        seen.must(seen.text().contains(&stop), "the one command is named");
        seen.equal(container.inspect("{{.State.Running}}"), "true", "it runs");
        seen.must(answers(), "it still answers");
    }
    let seen = engine.look(["free", "--via", "service", "--yes", &target]).run().code(3);
    seen.equal(container.inspect("{{.State.Running}}"), "true", "the engine's own unit is never stopped");

    let seen = engine.look(["free", "--via", "container", "--yes", &target]).run().code(0);
    seen.equal(container.inspect("{{.State.Running}}"), "false", "it is stopped");
    let silent = until(|| (!answers()).then_some(()));
    seen.must(silent.is_some(), "nothing answers any more");
}
