//! Printed commands are safe to paste: untrusted text is quoted or left out, and sudo finds the program.

#![cfg(unix)]

use crate::support::{
    Behavior, Cgroup, Cmd, FakeRuntime, Fixture, JsonOutput, NOBODY, Output, copy_of, folder, link_or_copy,
    live_test, port, program,
};
use std::process::Command;

/// Runs the program under this path as an unprivileged user.
fn run_at(path: &str, arguments: &[&str]) -> Cmd {
    // Gets the path, the program that is always passed, and the arguments.
    let script = "path=$0; shift; exec \"$path\" \"$@\"";
    Cmd::new(arguments.iter().copied()).through(["sh", "-c", script, path]).user(Some(NOBODY))
}

#[track_caller]
fn help(answer: &JsonOutput) -> String {
    answer.only()["unseen"]["help"].as_str().unwrap_or_default().to_owned()
}

/// Runs a printed command in a shell in which sudo does nothing.
#[track_caller]
fn run_pasted(command: &str) -> String {
    let script = format!("sudo() {{ \"$@\"; }}; {command} --json");
    let output = Command::new("sh").args(["-c", &script]).output().expect("run a shell");
    let reported = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command}: {reported}{}", String::from_utf8_lossy(&output.stderr));
    reported
}

#[live_test(Linux, Root)]
fn sudo_gets_the_path_of_a_program_outside_its_path() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let place = server.port().to_string();
    let home = folder().join("it's a \"$HOME\"; echo x");
    std::fs::create_dir_all(&home).expect("make a folder");
    let copy = home.join("allears");
    link_or_copy(&copy_of(&program(), None), &copy);
    let path = copy.display().to_string();
    let answer = JsonOutput::parse(run_at(&path, &["--json", &place]).run().code(0));
    let command = help(&answer);
    let quoted = copy.display().to_string().replace('\'', r"'\''");
    answer.assert_eq(command.as_str(), format!("sudo '{quoted}' {place}").as_str(), "unseen.help");
    answer.assert(run_pasted(&command).contains(&server.pid().to_string()), "the command shows the holder");
    let card = run_at(&path, &[&place]).run().code(0);
    card.assert(card.text().contains(&command), "the card has the same command");
    let why = run_at(&path, &["why", &place]).run().code(1);
    why.assert(why.text().contains(&format!("sudo '{quoted}' free {place}")), "so has why");
}

#[live_test(Linux, Root, MOUNT_NAMESPACE, Program("setpriv"))]
fn sudo_gets_the_name_of_a_program_on_its_path() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let place = server.port().to_string();
    let run = |of: &str| {
        let script = format!(
            "mount -t tmpfs none /usr/local/sbin && cp \"$0\" /usr/local/sbin/allears && \
             exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {of} \"$@\""
        );
        let launcher = ["unshare", "--mount", "sh", "-c", &script];
        JsonOutput::parse(Cmd::new(["--json", &place]).through(launcher).run().code(0))
    };
    let found = run("/usr/local/sbin/allears");
    found.assert_eq(help(&found).as_str(), format!("sudo allears {place}").as_str(), "unseen.help");
    // Another program of that name does not count.
    let other = run("\"$0\"");
    other.assert(help(&other).starts_with("sudo /"), "the path is printed");
}

#[live_test(Linux, Root)]
fn the_path_of_a_unix_socket_is_quoted() {
    let path = folder().join("a b;echo x.sock").display().to_string();
    let server = Fixture::start([format!("unix={path}")]);
    let answer = Cmd::new([&path]).user(Some(NOBODY)).answer(0);
    let command = help(&answer);
    answer.assert(command.ends_with(&format!(" '{path}'")), "the path is one word");
    answer.assert(run_pasted(&command).contains(&server.pid().to_string()), "the command shows the holder");
    // A comma separates targets, so this path cannot be a target.
    let path = folder().join("a,b.sock").display().to_string();
    let _server = Fixture::start([format!("unix={path}")]);
    let answer = Cmd::new(["-x", "--user", "root", "-c", "fixture"]).user(Some(NOBODY)).run();
    answer.assert(!answer.text().contains(&format!("allears {path}")), "no such target is suggested");
}

/// Returns every output about a port that could contain a command.
fn all_outputs(port: u16, host: &str) -> Vec<Output> {
    let place = port.to_string();
    let forms: [&[&str]; 5] = [&[], &["--json"], &["why"], &["why", "--json"], &["--csv"]];
    let cmd = |form: &&[&str]| {
        Cmd::new(form.iter().copied().chain([&place[..]])).env("DOCKER_HOST", host).run().without_panic()
    };
    forms.iter().map(cmd).collect()
}

#[live_test(Linux, Root, Cgroup)]
fn a_containers_name_is_never_shell_syntax() {
    let id = format!("{:064x}", u128::from(std::process::id()) | 0xabcd_0000_0000_0000_0000);
    let cgroup = Cgroup::new(&format!("system.slice/docker-{id}.scope"));
    for name in ["web; echo not quoted #", "-f", "$(reboot)", "a\nb", "`x`", "\u{202e}x", ""] {
        let body =
            serde_json::json!([{ "Id": id, "Names": [format!("/{name}")], "Image": "web", "Ports": [] }]);
        let reply = format!("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{body}");
        let engine = FakeRuntime::new(Behavior::Replies(reply.into_bytes()));
        let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{}", port())]);
        for output in all_outputs(server.port(), &engine.host) {
            for after in output.text().split("docker stop ").skip(1) {
                output.assert(after.starts_with(&id[..12]), "a container is stopped by its id");
            }
        }
        let why =
            Cmd::new(["why".to_owned(), server.port().to_string()]).env("DOCKER_HOST", &engine.host).run();
        why.assert(why.text().contains(&format!("docker stop {}", &id[..12])), "the id is the advice");
    }
}

#[live_test(Linux, Root, Cgroup)]
fn a_units_name_is_never_a_pattern_or_shell_syntax() {
    for unit in
        ["a;reboot.service", "*.service", "[a-z]?.service", "$(x).service", "--force.service", "a b.service"]
    {
        let cgroup = Cgroup::new(&format!("system.slice/{unit}"));
        let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{}", port())]);
        for output in all_outputs(server.port(), "unix:///nonexistent") {
            for after in output.text().split("systemctl stop ").skip(1) {
                output.assert(
                    after.starts_with("-- --force.service "),
                    "only the full name of a unit is printed",
                );
            }
        }
        drop(server);
    }
}

#[live_test]
fn a_saved_snapshot_gives_no_commands() {
    let answer = Cmd::new([port().to_string()]).answer(1);
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let mut document = Cmd::new([server.port().to_string()]).answer(0).document;
    let listener = &mut document["listeners"][0];
    listener["holders"] = serde_json::json!([]);
    listener["unseen"] =
        serde_json::json!({ "reason": "permission", "help": "sudo rm -rf /", "candidates": [] });
    document["gaps"] = serde_json::json!([
        { "what": "descriptors", "reason": "permission", "count": 1, "detail": "some", "help": "sudo rm -rf /" }
    ]);
    document["complete"] = false.into();
    let path = folder().join("saved-help");
    std::fs::write(&path, document.to_string()).expect("save a snapshot");
    let path = path.display().to_string();
    for arguments in [&["--from", &path][..], &["--from", &path, "--wide"], &["--from", &path, "--pids"]] {
        for target in [Some(server.port().to_string()), Some("1".to_owned()), None] {
            let output = Cmd::new(arguments.iter().map(|word| (*word).to_owned()).chain(target)).run();
            let reported = output.both_streams();
            output.assert(!reported.contains("sudo"), "the content of a file is no advice");
        }
    }
    let again = Cmd::new(["--from", &path]).answer(0);
    again.assert_eq(
        &again.only()["unseen"]["help"],
        &serde_json::json!("sudo rm -rf /"),
        "the document is whole",
    );
    drop(answer);
}
