//! Programs whose file was removed or replaced while they run, and what does not count as such a change.

#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};

use crate::support::{
    Cmd, Fixture, Output, Steps, copy_of, fixture_program, folder, live_test, ordinary_user, port,
};
use serde_json::{Value, json};

/// A server with its own executable file, and its port.
fn server(name: &str) -> (Fixture, PathBuf, u16) {
    let (program, port) = (copy_of(&fixture_program(), Some(name)), port());
    let server = Steps::new([format!("tcp=127.0.0.1:{port}")]).program(program.clone()).start();
    (server, program, port)
}

/// Returns the only holder of a port, and the card of the same state.
fn holder_and_card(port: u16) -> (Value, Output) {
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let holder = answer.only_holder(answer.only()).clone();
    (holder, Cmd::new([format!("tcp/{port}")]).run().code(0))
}

fn path(path: &Path) -> Value {
    json!(path.to_str().expect("paths of tests are text"))
}

/// Asserts that the change is in JSON, on the card, in the table, and in a snapshot that was saved and read again.
fn must_be_reported(port: u16, change: &str, program: &Value, words: &str) {
    let (holder, card) = holder_and_card(port);
    assert_eq!((&holder["executable_change"], &holder["executable"]), (&json!(change), program), "{holder}");
    card.assert(card.text().contains(words), words);
    let other = Fixture::start(["tcp=127.0.0.1:0"]);
    let table = Cmd::new([format!("tcp/{port},tcp/{}", other.port())]).run().code(0);
    let mark = match change {
        "memory" => "(program in memory",
        "deleted" => "(program removed or replaced",
        change => &format!("(program {change}"),
    };
    table.assert(table.text().contains(mark), mark);
    let saved = folder().join(format!("program-{port}.json"));
    let document = Cmd::new(["--json", &format!("tcp/{port}")]).run().code(0);
    std::fs::write(&saved, &document.stdout).expect("save a snapshot");
    let from = saved.to_str().expect("paths of tests are text");
    let again = Cmd::new(["--from", from, &format!("tcp/{port}")]).answer(0);
    let read = again.only_holder(again.only());
    again.assert_eq(&read["executable_change"], &json!(change), "read again");
}

#[live_test]
fn a_removed_program_is_reported() {
    let (_server, program, port) = server("removed-program");
    let (holder, card) = holder_and_card(port);
    assert_eq!(holder["executable_change"], json!(null), "before");
    card.assert(!card.text().contains("removed since"), "it is not mentioned before");
    std::fs::remove_file(&program).expect("remove a program");
    must_be_reported(
        port,
        "removed",
        &path(&program),
        "which was removed since it started: a restart would not find it",
    );
    // Another user cannot read which file it is.
    if ordinary_user().is_some() {
        let answer = Cmd::new([format!("tcp/{port}")]).user(ordinary_user()).answer(0);
        answer.assert_eq(answer.only()["holders"].as_array().map(Vec::len), Some(0), "an unseen holder");
    }
}

#[live_test]
fn a_replaced_program_is_reported() {
    let (_server, program, port) = server("replaced-program");
    let newer = program.with_extension("new");
    std::fs::write(&newer, "another file").expect("write a file");
    std::fs::rename(&newer, &program).expect("replace a program");
    must_be_reported(
        port,
        "replaced",
        &path(&program),
        "which was replaced since it started: a restart would run another file",
    );
}

#[live_test]
fn a_restored_program_is_unchanged() {
    let (_server, program, port) = server("program-and-back");
    let aside = program.with_extension("aside");
    std::fs::hard_link(&program, &aside).expect("link a program");
    std::fs::remove_file(&program).expect("remove a program");
    std::fs::hard_link(&aside, &program).expect("link it back");
    let (holder, card) = holder_and_card(port);
    assert_eq!((&holder["executable_change"], &holder["executable"]), (&json!(null), &path(&program)));
    card.assert(!card.text().contains("since it started"), "no change");
}

#[live_test]
fn a_name_that_ends_in_deleted_is_unchanged() {
    let (_server, program, port) = server("server (deleted)");
    let (holder, _) = holder_and_card(port);
    assert_eq!((&holder["executable_change"], &holder["executable"]), (&json!(null), &path(&program)));
    std::fs::remove_file(&program).expect("remove a program");
    must_be_reported(port, "removed", &path(&program), "(deleted), which was removed since it started");
}

#[live_test]
fn a_program_in_memory_is_reported() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    let memory =
        rustix::fs::memfd_create("in-memory", rustix::fs::MemfdFlags::empty()).expect("memfd_create");
    let mut memory = std::fs::File::from(memory);
    memory.write_all(&std::fs::read(fixture_program()).expect("read the fixture")).expect("fill it");
    let program = format!("/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd());
    // A file that is open for writing cannot be run.
    let readable = std::fs::File::open(&program).expect("open it for reading");
    drop(memory);
    let program = format!("/proc/{}/fd/{}", std::process::id(), readable.as_raw_fd());
    let port = port();
    let _server = Steps::new([format!("tcp=127.0.0.1:{port}")]).program(program.into()).start();
    must_be_reported(
        port,
        "memory",
        &json!("/memfd:in-memory"),
        "in memory alone: there is no file to start it from",
    );
}

/// Root may enter every folder. An unprivileged user that runs a program may lose the permission to reach it.
#[live_test(Root)]
fn a_program_below_an_unreadable_folder_may_be_either() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = copy_of(&fixture_program(), Some("behind-a-door"));
    let door = program.parent().expect("a folder").to_owned();
    let port = port();
    let steps = Steps::new([format!("tcp=127.0.0.1:{port}")]);
    let _server = steps
        .through(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
        .program(program.clone())
        .start();
    std::fs::remove_file(&program).expect("remove a program");
    std::fs::set_permissions(&door, std::fs::Permissions::from_mode(0o700)).expect("shut the folder");
    let answer = Cmd::new([format!("tcp/{port}")]).user(ordinary_user()).answer(0);
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["executable_change"], &json!("deleted"), "removed or replaced");
}

/// The beginning of a launcher that mounts a private file system and runs a copy of the program there.
fn mounted(place: &str) -> [String; 5] {
    let script =
        format!("mount -t tmpfs t {place} && cp \"$0\" {place}/server && exec {place}/server \"$@\"");
    ["unshare".into(), "--mount".into(), "sh".into(), "-c".into(), script]
}

#[live_test(Root, MOUNT_NAMESPACE)]
fn a_program_in_a_mount_namespace_is_looked_up_there() {
    let place = folder().join("looked-up-there");
    std::fs::create_dir(&place).expect("make a folder");
    let place = place.to_str().expect("paths of tests are text");
    let port = port();
    let server = Steps::new([format!("tcp=127.0.0.1:{port}")]).through(mounted(place)).start();
    let program = json!(format!("{place}/server"));
    // There is no such file here.
    let (holder, _) = holder_and_card(port);
    assert_eq!((&holder["executable_change"], &holder["executable"]), (&json!(null), &program));
    inside(server.pid(), &["rm", &format!("{place}/server")]);
    must_be_reported_as_either(port, &program);
}

/// A file system that is mounted below the root of the process is not entered, because it may be silent.
fn must_be_reported_as_either(port: u16, program: &Value) {
    must_be_reported(port, "deleted", program, "which was removed or replaced since it started");
}

#[live_test(Root, MOUNT_NAMESPACE)]
fn an_unmounted_program_is_reported() {
    let place = folder().join("unmounted-there");
    std::fs::create_dir(&place).expect("make a folder");
    let place = place.to_str().expect("paths of tests are text");
    let port = port();
    let server = Steps::new([format!("tcp=127.0.0.1:{port}")]).through(mounted(place)).start();
    inside(server.pid(), &["umount", "--lazy", place]);
    must_be_reported(port, "unmounted", &json!("/server"), "whose file system was unmounted");
}

fn inside(pid: u32, command: &[&str]) {
    let target = format!("--target={pid}");
    let status = std::process::Command::new("nsenter").args([&target, "--mount"]).args(command).status();
    assert!(status.expect("run nsenter").success(), "{command:?}");
}

#[live_test(Program("python3"))]
fn a_removed_script_is_reported() {
    let script = folder().join("a-script-of-this-test.py");
    let server = "import socket, time\ns = socket.create_server((\"127.0.0.1\", 0))\nprint(s.getsockname()[1], flush=True)\ntime.sleep(600)\n";
    std::fs::write(&script, server).expect("write a script");
    let mut child = std::process::Command::new("python3")
        .arg(&script)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("start python3");
    let mut line = String::new();
    let output = child.stdout.take().expect("a pipe");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).expect("read a port");
    let ended = std::panic::catch_unwind(|| {
        let port: u16 = line.trim().parse().expect("a port");
        let (holder, _) = holder_and_card(port);
        assert_eq!(
            (&holder["script_change"], &holder["script"]),
            (&json!(null), &json!("a-script-of-this-test.py"))
        );
        std::fs::remove_file(&script).expect("remove a script");
        let (holder, card) = holder_and_card(port);
        assert_eq!(
            (&holder["script_change"], &holder["executable_change"]),
            (&json!("removed"), &json!(null))
        );
        let reported = format!("{}, which was removed since it started", script.display());
        card.assert(card.text().contains(&reported), &reported);
    });
    child.kill().expect("end python3");
    child.wait().expect("reap python3");
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}
