//! Filters by process that need more than one fact: the tree of a process, the folder that it runs in, and whether it is
//! somebody's own program.

#![cfg(unix)]

use crate::support::{
    Cmd, Fixture, JsonOutput, NOBODY, Steps, folder, live_test, ordinary_user, port, send_signal, until,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// An account of the system: below UID_MIN everywhere.
const SERVICE: u32 = 33;
/// A person without an entry in the user database.
const PERSON: u32 = 12_345;

/// Creates an empty folder that every user may enter.
fn test_folder() -> PathBuf {
    static FOLDERS: AtomicU32 = AtomicU32::new(0);
    let test_folder = folder().join(format!("filters-{}", FOLDERS.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir_all(&test_folder).expect("make a folder");
    test_folder.canonicalize().expect("it was made a moment ago")
}

fn git(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Test", "-c", "user.email=test@localhost"]).args(arguments);
    command.current_dir(directory).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().expect("start git");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Creates a repository with a package in its folder `web`.
fn repository() -> PathBuf {
    let root = test_folder().join("shop");
    std::fs::create_dir_all(root.join("web")).expect("make a folder");
    std::fs::write(root.join("web/package.json"), "{}").expect("write a file");
    git(&root, &["init", "--quiet", "--initial-branch", "main"]);
    git(&root, &["add", "."]);
    git(&root, &["commit", "--quiet", "--message", "first"]);
    root
}

/// Starts a listener in this folder.
fn listen_in(directory: &Path) -> Fixture {
    Steps::new([format!("tcp=127.0.0.1:{}", port())]).directory(directory).start()
}

/// Starts a listener as the child of a shell.
fn listen_below_shell() -> Fixture {
    let shell = ["sh", "-c", "\"$@\"; true", "sh"];
    Steps::new([format!("tcp=127.0.0.1:{}", port())]).through(shell).start()
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path of this test").to_owned()
}

/// Returns the ports of these servers as one target.
fn target(servers: &[&Fixture]) -> String {
    servers.iter().map(|server| format!("tcp/{}", server.port())).collect::<Vec<_>>().join(",")
}

fn ports(answer: &JsonOutput) -> BTreeSet<u64> {
    answer.listeners().iter().filter_map(|listener| listener["port"].as_u64()).collect()
}

/// Asserts that a query answers with exactly these servers.
#[track_caller]
fn must_find(command: Cmd, servers: &[&Fixture]) {
    let answer = command.answer(i32::from(servers.is_empty()));
    let wanted: BTreeSet<u64> = servers.iter().map(|server| u64::from(server.port())).collect();
    answer.assert_eq(ports(&answer), wanted, "the ports");
    answer.assert_eq(&answer.document["complete"], &json!(true), "complete");
}

/// Saves a snapshot of this machine with these arguments.
fn save(name: &str, arguments: &[&str]) -> String {
    let path = folder().join(name);
    let output = Cmd::new(["--json"].iter().chain(arguments).copied()).run().without_panic();
    std::fs::write(&path, &output.stdout).expect("save a snapshot");
    text(&path)
}

/// Returns the pid of the parent of the only holder.
fn parent(server: &Fixture) -> u64 {
    let answer = Cmd::new([target(&[server])]).answer(0);
    answer.only_holder(answer.only())["parents"][0]["pid"].as_u64().expect("it has a parent")
}

#[live_test(Linux, Program("git"))]
fn a_folder_has_what_runs_in_it() {
    let root = repository();
    let added = root.with_file_name("shop-fix");
    git(&root, &["worktree", "add", "--quiet", "-b", "fix", &text(&added)]);
    let (in_root, in_web) = (listen_in(&root), listen_in(&root.join("web")));
    let in_added = listen_in(&added.join("web"));
    let all = target(&[&in_root, &in_web, &in_added]);
    let inside = |folder: &Path| Cmd::new(["--in".to_owned(), text(folder), all.clone()]);
    must_find(inside(&root), &[&in_root, &in_web]);
    must_find(inside(&root.join("web")), &[&in_web]);
    must_find(inside(&added), &[&in_added]);
    must_find(inside(root.parent().expect("it has one")), &[&in_root, &in_web, &in_added]);
    must_find(inside(&test_folder()), &[]);
    // Each filter narrows the others; one filter given twice is a union.
    let both = ["--in".to_owned(), text(&added), "--in".to_owned(), text(&root.join("web")), all.clone()];
    must_find(Cmd::new(both), &[&in_web, &in_added]);
    let pid = in_web.pid().to_string();
    must_find(Cmd::new(["--in", &text(&root), "--pid", &pid, &all]), &[&in_web]);
    // A path through a symbolic link names the same folder.
    let link = test_folder().join("link");
    std::os::unix::fs::symlink(&root, &link).expect("make a link");
    must_find(inside(&link), &[&in_root, &in_web]);
    // The project of the current directory is its git worktree, not the package in it.
    let here = |folder: &Path| {
        Cmd::new(["--here", all.as_str()]).through(["env".to_owned(), "-C".to_owned(), text(folder)])
    };
    must_find(here(&root.join("web")), &[&in_root, &in_web]);
    must_find(here(&added.join("web")), &[&in_added]);
    let relative = Cmd::new(["--in", "web", &all]).through(["env", "-C", &text(&root)]);
    must_find(relative, &[&in_web]);
}

#[live_test(Linux)]
fn a_folder_without_a_project_is_itself() {
    // A repository may be above the folder of the tests, and would be the project.
    let test_folder = test_folder();
    std::fs::write(test_folder.join("Makefile"), "").expect("write a file");
    let inner = test_folder.join("a/b");
    std::fs::create_dir_all(&inner).expect("make a folder");
    let (in_place, in_inner) = (listen_in(&test_folder), listen_in(&inner));
    let all = target(&[&in_place, &in_inner]);
    let answer =
        Cmd::new(["--here", &all]).through(["env".to_owned(), "-C".to_owned(), text(&inner)]).answer(0);
    answer.assert(ports(&answer).contains(&u64::from(in_inner.port())), "what runs in the folder");
    let asked = &answer.document["asked"][0]["directories"];
    let project = asked[0].as_str().expect("one folder");
    answer.assert(inner.starts_with(project), "the project is at or above the folder");
}

#[live_test(Linux)]
fn every_format_takes_the_filters() {
    let test_folder = test_folder();
    let (server, other) = (listen_in(&test_folder), listen_below_shell());
    let (all, inside) = (target(&[&server, &other]), text(&test_folder));
    let run = |arguments: &[&str]| {
        Cmd::new(["--in", &inside, &all].into_iter().chain(arguments.iter().copied())).run()
    };
    run(&["-q"]).code(0);
    let pids = run(&["--pids"]).code(0);
    pids.assert_eq(pids.text(), format!("{}\n", server.pid()).as_str(), "pids");
    let rows = run(&["--csv", "--columns", "port", "--no-header"]).code(0);
    rows.assert_eq(rows.text(), format!("{}\n", server.port()).as_str(), "CSV");
    let nothing = Cmd::new(["--in", &inside, &target(&[&other])]).run().code(1);
    nothing.assert(nothing.text().contains("nothing that passes the filters listens on"), "the reason");
    Cmd::new(["-q", "--in", &inside, &target(&[&other])]).run().code(1);
}

#[live_test]
fn a_folder_must_exist() {
    for (path, reason) in [
        (text(&test_folder().join("no-such")), "there is no such folder"),
        ("/dev/null".to_owned(), "it is not a folder"),
    ] {
        let output = Cmd::new(["--in", &path]).run().code(2);
        output.assert(output.errors().contains(reason), reason);
    }
}

#[live_test(Linux)]
fn a_saved_snapshot_has_the_folders() {
    let test_folder = test_folder();
    let (server, other) = (listen_in(&test_folder), listen_below_shell());
    let all = target(&[&server, &other]);
    let inside = text(&test_folder);
    let saved = save("filters-folders.json", &[&all]);
    must_find(Cmd::new(["--from", &saved, "--in", &inside, &all]), &[&server]);
    // The folder may be one of another machine.
    must_find(Cmd::new(["--from", &saved, "--in", "/no/such/folder", &all]), &[]);
    // The snapshot records the filter and answers nothing beyond it.
    let narrow = save("filters-narrow.json", &["--in", &inside, &all]);
    let document: Value =
        serde_json::from_slice(&std::fs::read(&narrow).expect("it was saved")).expect("JSON");
    assert_eq!(document["asked"][0]["directories"], json!([inside]));
    must_find(Cmd::new(["--from", &narrow, "--in", &inside, &all]), &[&server]);
    let beyond = Cmd::new(["--from", &narrow, &target(&[&other])]).run().code(3);
    beyond.assert(beyond.errors().contains(&format!("that run in {inside}")), "what it covers");
}

#[live_test(Linux)]
fn a_tree_has_the_descendants_of_a_process() {
    let (below, other) = (listen_below_shell(), Fixture::start([format!("tcp=127.0.0.1:{}", port())]));
    let all = target(&[&below, &other]);
    let shell = parent(&below).to_string();
    let (own, holder) = (std::process::id().to_string(), below.pid().to_string());
    let tree = |pid: &str| Cmd::new(["--tree", pid, &all]);
    must_find(tree(&shell), &[&below]);
    must_find(tree(&holder), &[&below]);
    must_find(tree(&own), &[&below, &other]);
    must_find(Cmd::new(["--tree", &shell, "--tree", &other.pid().to_string(), &all]), &[&below, &other]);
    must_find(tree("4194304"), &[]);
    let answer = tree(&shell).answer(0);
    answer.assert_eq(&answer.document["asked"][0]["trees"], &json!([parent(&below)]), "the query");
    // A process whose parent has ended is nobody's descendant any more.
    send_signal(u32::try_from(parent(&below)).expect("a pid"), nix::sys::signal::Signal::SIGKILL);
    until(|| (parent(&below).to_string() != shell).then_some(())).expect("it has another parent");
    must_find(tree(&shell), &[]);
}

#[live_test(Linux)]
fn a_saved_snapshot_may_lack_the_ancestors() {
    let (below, other) = (listen_below_shell(), Fixture::start([format!("tcp=127.0.0.1:{}", port())]));
    let (all, shell) = (target(&[&below, &other]), parent(&below).to_string());
    let own = std::process::id().to_string();
    // It has the parent of each process.
    let saved = save("filters-parent.json", &[&all]);
    let found = Cmd::new(["--from", &saved, "--tree", &shell, &all]).answer(0);
    found.assert_eq(ports(&found), BTreeSet::from([u64::from(below.port())]), "the child");
    found.assert_eq(&found.document["complete"], &json!(false), "others may be below it too");
    let unknown = Cmd::new(["--from", &saved, "--tree", "4194304", &all]).run().code(3);
    unknown.assert(unknown.errors().contains("may match too"), "what is not known");
    // One that was taken for a tree has all of them.
    let whole = save("filters-tree.json", &["--tree", &own, &all]);
    must_find(Cmd::new(["--from", &whole, "--tree", &own, &all]), &[&below, &other]);
}

#[live_test(Root, Program("sleep"))]
fn an_unseen_holder_may_match() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let all = target(&[&server]);
    let as_other = |arguments: &[&str]| {
        Cmd::new(arguments.iter().copied().chain([all.as_str()])).user(ordinary_user()).run()
    };
    let unseen = as_other(&["--in", "/dev"]).code(3);
    unseen.assert(unseen.errors().contains("could not all be seen may match too"), "the reason");
    as_other(&["-q", "--in", "/dev"]).code(3);
    as_other(&["--tree", &server.pid().to_string()]).code(3);
    // Everybody may know which processes have this one as an ancestor: none has.
    let mut sleep = Command::new("sleep").arg("60").uid(NOBODY).gid(NOBODY).spawn().expect("start sleep");
    as_other(&["--tree", &sleep.id().to_string()]).code(1);
    sleep.kill().expect("it sleeps");
    sleep.wait().expect("it ended");
}

#[live_test(Root, Program("git"))]
fn services_are_not_peoples_own_programs() {
    let start = |user: u32, directory: &Path| {
        let steps = Steps::new([format!("tcp=127.0.0.1:{}", port())]);
        steps.user(Some(user)).directory(directory).start()
    };
    let root = repository();
    let (person, service) = (start(PERSON, Path::new("/")), start(SERVICE, Path::new("/")));
    let nobody = start(NOBODY, Path::new("/"));
    // Root's own work is known by its project.
    let in_project = listen_in(&root);
    let all = target(&[&person, &service, &nobody, &in_project]);
    must_find(Cmd::new(["--dev", &all]), &[&person, &in_project]);
    must_find(Cmd::new(["--dev", &target(&[&service])]), &[]);
    must_find(Cmd::new(["--dev", "--in", &text(&root), &all]), &[&in_project]);
    must_find(Cmd::new(["--dev", "--user", &PERSON.to_string(), &all]), &[&person]);
    let saved = save("filters-dev.json", &[&all]);
    must_find(Cmd::new(["--from", &saved, "--dev", &all]), &[&person, &in_project]);
    let narrow = save("filters-dev-narrow.json", &["--dev", &all]);
    let beyond = Cmd::new(["--from", &narrow, &target(&[&service])]).run().code(3);
    beyond.assert(beyond.errors().contains("of people's own programs"), "what it covers");
}
