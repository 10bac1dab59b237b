//! Printed commands are safe to paste: what comes from outside is quoted or left out, and sudo finds the program.

use super::unprivileged::Cgroup;
use crate::stage::{Answer, Fixture, Look, Manner, NOBODY, Need, Odd, Seen, copy_of, folder, port, program};
use std::process::Command;

cases![
    sudo_is_told_the_path_of_a_program_that_it_would_not_find[Need::Linux, Need::Root],
    sudo_is_told_the_name_of_a_program_that_it_finds[
        Need::Linux, Need::Root, Need::MOUNT_NAMESPACE, Need::Program("setpriv")
    ],
    the_path_of_a_unix_socket_is_quoted[Need::Linux, Need::Root],
    a_containers_name_is_never_shell_syntax[Need::Linux, Need::Root, Need::Cgroup],
    a_units_name_is_never_a_pattern_or_shell_syntax[Need::Linux, Need::Root, Need::Cgroup],
    a_saved_snapshot_gives_no_commands[],
];

/// The program under this path, as an ordinary user.
fn at(path: &str, arguments: &[&str]) -> Look {
    // Given the path, the program that it is given in addition, and the arguments.
    let script = "path=$0; shift; exec \"$path\" \"$@\"";
    Look::at(arguments.iter().copied()).through(["sh", "-c", script, path]).user(Some(NOBODY))
}

#[track_caller]
fn help(answer: &Answer) -> String {
    answer.only()["unseen"]["help"].as_str().unwrap_or_default().to_owned()
}

/// Runs a command as it was printed, in a shell whose sudo has the rights already.
#[track_caller]
fn pasted(command: &str) -> String {
    let script = format!("sudo() {{ \"$@\"; }}; {command} --json");
    let output = Command::new("sh").args(["-c", &script]).output().expect("run a shell");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command}: {told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

fn sudo_is_told_the_path_of_a_program_that_it_would_not_find() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let place = server.port().to_string();
    let home = folder().join("it's a \"$HOME\"; echo x");
    std::fs::create_dir_all(&home).expect("make a folder");
    let copy = home.join("allears");
    std::fs::copy(copy_of(&program(), None), &copy).expect("copy the program");
    let path = copy.display().to_string();
    let answer = Answer::of(at(&path, &["--json", &place]).run().code(0));
    let command = help(&answer);
    let quoted = copy.display().to_string().replace('\'', r"'\''");
    answer.seen.equal(command.as_str(), format!("sudo '{quoted}' {place}").as_str(), "unseen.help");
    answer.seen.must(pasted(&command).contains(&server.pid().to_string()), "the command shows the holder");
    let card = at(&path, &[&place]).run().code(0);
    card.must(card.text().contains(&command), "the card has the same command");
    let why = at(&path, &["why", &place]).run().code(1);
    why.must(why.text().contains(&format!("sudo '{quoted}' free {place}")), "so has why");
}

fn sudo_is_told_the_name_of_a_program_that_it_finds() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let place = server.port().to_string();
    let run = |of: &str| {
        let script = format!(
            "mount -t tmpfs none /usr/local/sbin && cp \"$0\" /usr/local/sbin/allears && \
             exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {of} \"$@\""
        );
        let launcher = ["unshare", "--mount", "sh", "-c", &script];
        Answer::of(Look::at(["--json", &place]).through(launcher).run().code(0))
    };
    let found = run("/usr/local/sbin/allears");
    found.seen.equal(help(&found).as_str(), format!("sudo allears {place}").as_str(), "unseen.help");
    // Another program of that name is not this one.
    let other = run("\"$0\"");
    other.seen.must(help(&other).starts_with("sudo /"), "the path is told");
}

fn the_path_of_a_unix_socket_is_quoted() {
    let path = folder().join("a b;echo x.sock").display().to_string();
    let server = Fixture::start([format!("unix={path}")]);
    let answer = Look::at([&path]).user(Some(NOBODY)).answer(0);
    let command = help(&answer);
    answer.seen.must(command.ends_with(&format!(" '{path}'")), "the path is one word");
    answer.seen.must(pasted(&command).contains(&server.pid().to_string()), "the command shows the holder");
    // A comma parts targets, so that such a path cannot be one.
    let path = folder().join("a,b.sock").display().to_string();
    let _server = Fixture::start([format!("unix={path}")]);
    let answer = Look::at(["-x", "--user", "root", "-c", "fixture"]).user(Some(NOBODY)).run();
    answer.must(!answer.text().contains(&format!("allears {path}")), "no such target is told");
}

/// Everything that is printed about a port which could be a command.
fn told(port: u16, host: &str) -> Vec<Seen> {
    let place = port.to_string();
    let forms: [&[&str]; 5] = [&[], &["--json"], &["why"], &["why", "--json"], &["--csv"]];
    let look = |form: &&[&str]| {
        Look::at(form.iter().copied().chain([&place[..]])).env("DOCKER_HOST", host).run().without_panic()
    };
    forms.iter().map(look).collect()
}

fn a_containers_name_is_never_shell_syntax() {
    let id = format!("{:064x}", u128::from(std::process::id()) | 0xabcd_0000_0000_0000_0000);
    let cgroup = Cgroup::new(&format!("system.slice/docker-{id}.scope"));
    for name in ["web; echo not quoted #", "-f", "$(reboot)", "a\nb", "`x`", "\u{202e}x", ""] {
        let body =
            serde_json::json!([{ "Id": id, "Names": [format!("/{name}")], "Image": "web", "Ports": [] }]);
        let reply = format!("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{body}");
        let engine = Odd::new(Manner::Says(reply.into_bytes()));
        let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{}", port())]);
        for seen in told(server.port(), &engine.host) {
            for after in seen.text().split("docker stop ").skip(1) {
                seen.must(after.starts_with(&id[..12]), "a container is stopped by its id");
            }
        }
        let why =
            Look::at(["why".to_owned(), server.port().to_string()]).env("DOCKER_HOST", &engine.host).run();
        why.must(why.text().contains(&format!("docker stop {}", &id[..12])), "the id is the advice");
    }
}

fn a_units_name_is_never_a_pattern_or_shell_syntax() {
    for unit in
        ["a;reboot.service", "*.service", "[a-z]?.service", "$(x).service", "--force.service", "a b.service"]
    {
        let cgroup = Cgroup::new(&format!("system.slice/{unit}"));
        let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{}", port())]);
        for seen in told(server.port(), "unix:///nonexistent") {
            for after in seen.text().split("systemctl stop ").skip(1) {
                seen.must(after.starts_with("-- --force.service "), "only a unit's own name is told");
            }
        }
        drop(server);
    }
}

fn a_saved_snapshot_gives_no_commands() {
    let answer = Look::at([port().to_string()]).answer(1);
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let mut document = Look::at([server.port().to_string()]).answer(0).document;
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
            let seen = Look::at(arguments.iter().map(|word| (*word).to_owned()).chain(target)).run();
            let told = seen.text().to_owned() + &seen.errors();
            seen.must(!told.contains("sudo"), "what a file says is no advice");
        }
    }
    let again = Look::at(["--from", &path]).answer(0);
    again.seen.equal(
        &again.only()["unseen"]["help"],
        &serde_json::json!("sudo rm -rf /"),
        "the document is whole",
    );
    drop(answer);
}
