//! The project of a process: its folder, its git branch, and what the interpreter runs.

#![cfg(unix)]

use crate::support::{
    Cmd, Fixture, JsonOutput, Output, Steps, copy_of, decode_base64, fixture_program, folder, live_test,
    ordinary_user, port,
};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Creates an empty folder that every user may enter.
fn project_folder() -> PathBuf {
    static FOLDERS: AtomicU32 = AtomicU32::new(0);
    let project_folder = folder().join(format!("project-{}", FOLDERS.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir_all(&project_folder).expect("make a folder");
    // The path without symbolic links, as the program reports it.
    project_folder.canonicalize().expect("it was made a moment ago")
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args([
        "-c",
        "user.name=Test",
        "-c",
        "user.email=test@localhost",
        "-c",
        "protocol.file.allow=always",
    ]);
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().expect("start git");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Creates a repository with one commit on this branch, and a package in its folder `web`.
fn repository(branch: &str) -> PathBuf {
    let root = project_folder().join("shop");
    std::fs::create_dir_all(root.join("web")).expect("make a folder");
    std::fs::write(root.join("web/package.json"), "{}").expect("write a file");
    git(&root, &["init", "--quiet", "--initial-branch", branch]);
    git(&root, &["add", "."]);
    git(&root, &["commit", "--quiet", "--message", "first"]);
    root
}

/// Starts a listener in this folder, and returns its project in the JSON document.
fn listen_in(directory: &Path) -> (Fixture, u16) {
    let port = port();
    (Steps::new([format!("tcp=127.0.0.1:{port}")]).directory(directory).start(), port)
}

fn project_at(directory: &Path) -> Value {
    let (_server, port) = listen_in(directory);
    project_of(port)
}

fn project_of(port: u16) -> Value {
    let answer = scan(port);
    answer.only_holder(answer.only())["project"].clone()
}

fn scan(port: u16) -> JsonOutput {
    Cmd::new([format!("tcp/{port}")]).answer(0)
}

fn card(port: u16) -> Output {
    Cmd::new([format!("tcp/{port}")]).run().code(0)
}

/// Returns the line of a card with this label.
#[track_caller]
fn line<'a>(card: &'a Output, label: &str) -> &'a str {
    let found = card.text().lines().find(|line| line.trim_start().starts_with(label));
    found.unwrap_or_else(|| card.fail(&format!("no line {label}")))
}

#[live_test(Linux, Program("git"))]
fn a_branch_comes_from_the_repository_above_the_project() {
    let root = repository("feature/cart");
    let web = root.join("web");
    let (_server, port) = listen_in(&web);
    let wanted =
        json!({"directory": web, "marker": "package.json", "branch": "feature/cart", "worktree": null});
    assert_eq!(project_of(port), wanted);
    let card = card(port);
    // The project is the working directory itself. The branch is still shown.
    let shown = format!("project    {} (package.json), branch feature/cart", web.display());
    card.assert_eq(line(&card, "project").trim(), shown.as_str(), "the project's line");
    let table = Cmd::new(["--columns", "port,branch", "--no-header", &format!("tcp/{port}")]).run().code(0);
    table.assert_eq(table.text().trim(), format!("{port}  feature/cart").as_str(), "the column");
    let rows = Cmd::new(["--csv", "--columns", "branch,project", &format!("tcp/{port}")]).run().code(0);
    rows.assert_eq(rows.text(), format!("branch,project\nfeature/cart,{}\n", web.display()).as_str(), "CSV");
    git(&root, &["checkout", "--quiet", "-b", "other"]);
    assert_eq!(project_of(port)["branch"], "other", "what is checked out now");
    assert_eq!(project_at(&root)["marker"], ".git");
}

#[live_test(Linux, Program("git"))]
fn an_added_worktree_is_named() {
    let root = repository("main");
    let added = root.with_file_name("fix-1");
    git(
        &root,
        &["worktree", "add", "--quiet", "-b", "fix/one", added.to_str().expect("a path of this test")],
    );
    let (_server, port) = listen_in(&added.join("web"));
    let project = project_of(port);
    assert_eq!((&project["branch"], &project["worktree"]), (&json!("fix/one"), &json!("fix-1")));
    let card = card(port);
    card.assert(line(&card, "project").ends_with("(package.json), branch fix/one, worktree fix-1"), "both");
    let project = project_at(&root);
    assert_eq!((&project["branch"], &project["worktree"]), (&json!("main"), &json!(null)));
}

#[live_test(Linux, Program("git"))]
fn a_detached_commit_is_reported_as_one() {
    let root = repository("main");
    git(&root, &["checkout", "--quiet", "--detach"]);
    let commit = git(&root, &["rev-parse", "HEAD"]);
    let (_server, port) = listen_in(&root);
    assert_eq!(project_of(port)["branch"], commit[..10]);
    let card = card(port);
    card.assert(line(&card, "project").ends_with(&format!("(.git), commit {}", &commit[..10])), "a commit");
    // The name of a branch may look like a commit.
    git(&root, &["checkout", "--quiet", "-b", "0123456789"]);
    assert_eq!(project_of(port)["branch"], "heads/0123456789");
}

#[live_test(Linux, Program("git"))]
fn a_submodule_has_its_own_branch() {
    let (root, other) = (repository("main"), repository("inner"));
    let other = other.to_str().expect("a path of this test");
    git(&root, &["submodule", "--quiet", "add", "--branch", "inner", other, "worktrees/part"]);
    let project = project_at(&root.join("worktrees/part"));
    assert_eq!((&project["branch"], &project["worktree"]), (&json!("inner"), &json!(null)));
}

#[live_test(Linux)]
fn heads_of_every_form_are_read() {
    let project_folder = project_folder();
    std::fs::create_dir_all(project_folder.join("outer/.git")).expect("make a folder");
    std::fs::write(project_folder.join("outer/.git/HEAD"), "ref: refs/heads/outer\n").expect("write a file");
    let long = format!("ref: refs/heads/{}\n", "x".repeat(5000));
    for (at, (head, branch)) in [
        ("ref: refs/heads/main\n", Some("main")),
        ("ref: refs/heads/.invalid\n", None),
        ("ref: refs/heads/a b\n", None),
        ("ref: refs/heads/\u{1b}[31m\n", None),
        ("ref: refs/remotes/origin/main\n", None),
        ("", None),
        (long.as_str(), None),
    ]
    .into_iter()
    .enumerate()
    {
        let root = project_folder.join(format!("outer/{at}"));
        std::fs::create_dir_all(root.join(".git")).expect("make a folder");
        std::fs::write(root.join(".git/HEAD"), head).expect("write a file");
        assert_eq!(project_at(&root)["branch"], json!(branch), "{head}");
    }
    // A link in the place of HEAD, as old versions of git wrote it, and a link to the whole repository.
    let linked = project_folder.join("outer/linked");
    std::fs::create_dir_all(linked.join(".git")).expect("make a folder");
    symlink("refs/heads/old/way", linked.join(".git/HEAD")).expect("make a link");
    assert_eq!(project_at(&linked)["branch"], "old/way");
    let elsewhere = project_folder.join("outer/elsewhere");
    std::fs::create_dir_all(&elsewhere).expect("make a folder");
    symlink(linked.join(".git"), elsewhere.join(".git")).expect("make a link");
    assert_eq!(project_at(&elsewhere)["branch"], "old/way");
    // Without a HEAD it is no repository, and the next one above counts.
    let empty = project_folder.join("outer/empty");
    std::fs::create_dir_all(empty.join(".git")).expect("make a folder");
    assert_eq!(project_at(&empty)["branch"], "outer");
}

/// Creates a repository without a HEAD.
fn without_head() -> (PathBuf, PathBuf) {
    let root = project_folder();
    std::fs::create_dir(root.join(".git")).expect("make a folder");
    let head = root.join(".git/HEAD");
    (root, head)
}

#[live_test(Linux)]
fn a_fifo_in_place_of_head_does_not_block() {
    let (root, head) = without_head();
    nix::unistd::mkfifo(&head, nix::sys::stat::Mode::S_IRWXU).expect("make a FIFO");
    let (_server, port) = listen_in(&root);
    let answer = scan(port);
    let project = answer.only_holder(answer.only())["project"].clone();
    answer.assert_eq(&project["branch"], &json!(null), "branch");
    answer.assert_eq(&project["marker"], &json!(".git"), "the folder is still found");
    // A blocked read is abandoned after a timeout, and reported as a gap.
    let gaps = answer.document["gaps"].as_array().cloned().unwrap_or_default();
    answer.assert(gaps.iter().all(|gap| gap["what"] != "project"), "nothing waited");
}

#[live_test(Linux)]
fn an_unreadable_head_is_not_a_branch() {
    let (root, head) = without_head();
    std::fs::write(&head, "ref: refs/heads/secret\n").expect("write a file");
    std::fs::set_permissions(&head, std::fs::Permissions::from_mode(0o000)).expect("take the rights away");
    let port = port();
    let steps = Steps::new([format!("tcp=127.0.0.1:{port}")]).directory(&root).user(ordinary_user());
    let _server = steps.start();
    let answer = Cmd::new([format!("tcp/{port}")]).user(ordinary_user()).answer(0);
    let project = &answer.only_holder(answer.only())["project"];
    let wanted = json!({"directory": root, "marker": ".git", "branch": null, "worktree": null});
    answer.assert_eq(project, &wanted, "only the folder");
}

#[live_test(Linux)]
fn names_that_are_not_utf8_keep_their_bytes() {
    let root = project_folder().join(OsStr::from_bytes(b"r\xff"));
    std::fs::create_dir_all(root.join(".git")).expect("make a folder");
    // Git accepts this name. It has a byte that is not UTF-8, and U+202E, which reverses text.
    std::fs::write(root.join(".git/HEAD"), b"ref: refs/heads/b\xfe\xe2\x80\xaem\n").expect("write a file");
    let (_server, port) = listen_in(&root);
    let project = project_of(port);
    assert_eq!(project["branch"], "b\u{fffd}\u{202e}m");
    assert_eq!(decode_base64(&project["branch_bytes"]), b"b\xfe\xe2\x80\xaem");
    assert_eq!(decode_base64(&project["directory_bytes"]), root.as_os_str().as_bytes());
    let card = card(port);
    card.assert_eq(
        crate::support::control_character(card.text()),
        None,
        "a character that a terminal would act upon",
    );
    card.assert(line(&card, "project").ends_with(r"branch b\xfe\u{202e}m"), "the branch is shown");
}

#[live_test(Linux, Root, MOUNT_NAMESPACE)]
fn a_folder_of_another_mount_namespace_is_distinguished() {
    let root = project_folder();
    std::fs::write(root.join("package.json"), "{}").expect("write a file");
    assert_eq!(project_at(&root)["marker"], "package.json");
    let inside = r#"mount -t tmpfs tmpfs "$0" && cd "$0" && exec "$@""#;
    let path = root.to_str().expect("a path of this test");
    let port = port();
    let steps = Steps::new([format!("tcp=127.0.0.1:{port}")]);
    let _server = steps.through(["unshare", "--mount", "sh", "-c", inside, path]).start();
    let answer = scan(port);
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["directory"], &json!(path), "the path is the same");
    answer.assert_eq(&holder["project"], &json!(null), "the folder is another");
}

/// A listener with the command line of another program.
fn listen_as(name: &str, arguments: &[&str], directory: &Path) -> (Fixture, u16) {
    let port = port();
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program = copy_of(&fixture_program(), Some(&name));
    let last = ["steps".to_owned(), format!("tcp=127.0.0.1:{port}")];
    let steps = arguments.iter().map(|word| (*word).to_owned()).chain(last);
    (Steps::new(steps).program(program).directory(directory).start(), port)
}

/// Asserts what each format shows: JSON, the first line of the card after "held by", and the last column of the table.
#[track_caller]
fn must_show(port: u16, directory: &Path, script: Value, held_by: &str) {
    let answer = scan(port);
    answer.assert_eq(&answer.only_holder(answer.only())["script"], &script, "script");
    let card = card(port);
    let first = card.text().lines().next().unwrap_or_default();
    card.assert(first.contains(&format!(" is held by {held_by}")), held_by);
    let table =
        Cmd::new(["--no-header", "--wide", "--columns", "what", &format!("tcp/{port}")]).run().code(0);
    let what = match script.as_str() {
        Some(script) => format!("{}  ({script})", directory.display()),
        None => directory.display().to_string(),
    };
    table.assert_eq(table.text().trim(), what.as_str(), "the row's last column");
    let column =
        Cmd::new(["--csv", "--no-header", "--columns", "script", &format!("tcp/{port}")]).run().code(0);
    // An empty field is quoted if it is the only one.
    column.assert_eq(column.text().trim().trim_matches('"'), script.as_str().unwrap_or_default(), "CSV");
}

#[live_test]
fn a_tool_replaces_its_interpreter() {
    let project_folder = project_folder();
    let (server, port) = listen_as("node", &["/s/node_modules/.bin/vite", "dev", "--host"], &project_folder);
    must_show(port, &project_folder, json!("vite dev"), &format!("vite dev (node, pid {}", server.pid()));
    let by_name = Cmd::new(["--command", "node", &format!("tcp/{port}")]).answer(0);
    by_name.assert_eq(by_name.listeners().len(), 1, "found by the interpreter's name as before");
}

#[live_test]
fn a_jar_replaces_java() {
    let project_folder = project_folder();
    let (server, port) =
        listen_as("java", &["-Xmx1g", "-cp", "a.jar", "-jar", "/opt/shop-1.2.jar"], &project_folder);
    must_show(
        port,
        &project_folder,
        json!("shop-1.2.jar"),
        &format!("shop-1.2.jar (java, pid {}", server.pid()),
    );
}

#[live_test]
fn a_custom_script_does_not_replace_the_interpreter() {
    let project_folder = project_folder();
    let (server, port) = listen_as("node", &["--require", "dotenv", "src/server.js"], &project_folder);
    must_show(port, &project_folder, json!("server.js"), &format!("node (pid {}", server.pid()));
}

#[live_test]
fn code_on_the_command_line_is_not_a_script() {
    let project_folder = project_folder();
    let (server, port) = listen_as("python3", &["-c", "import http.server"], &project_folder);
    must_show(port, &project_folder, json!(null), &format!("python3 (pid {}", server.pid()));
}

#[live_test]
fn a_program_run_by_cargo_is_identified_by_its_parent() {
    let build = project_folder().join("target/debug");
    std::fs::create_dir_all(&build).expect("make a folder");
    let program = build.join(format!("shop{}", std::env::consts::EXE_SUFFIX));
    std::fs::copy(fixture_program(), &program).expect("copy a program");
    let port = port();
    let by_hand = Steps::new([format!("tcp=127.0.0.1:{port}")]).program(program.clone()).directory(&build);
    let server = by_hand.start();
    must_show(port, &build, json!(null), &format!("shop (pid {}", server.pid()));
    // A shell with the name of cargo, which starts the program and waits for it.
    let cargo = copy_of(&PathBuf::from("/bin/sh").canonicalize().expect("a shell"), Some("cargo"));
    let cargo = cargo.to_str().expect("a path of this test");
    let port = crate::support::port();
    let steps = Steps::new([format!("tcp=127.0.0.1:{port}")]).program(program).directory(&build);
    let server = steps.through([cargo, "-c", r#""$0" "$@"; exit $?"#]).start();
    must_show(port, &build, json!("cargo run"), &format!("cargo run (shop, pid {}", server.pid()));
}

/// A program that is killed when this is dropped.
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _may_have_ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[live_test(Linux, Program("python3"))]
fn the_web_server_of_python_is_named() {
    let project_folder = project_folder();
    let mut command = Command::new("python3");
    command
        .args(["-u", "-X", "utf8", "-m", "http.server", "0", "--bind", "127.0.0.1"])
        .current_dir(&project_folder);
    let server = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = KillOnDrop(server.spawn().expect("start python3"));
    let mut first = String::new();
    let output = server.0.stdout.take().expect("its output");
    BufReader::new(output).read_line(&mut first).expect("it names where it listens");
    let words = first.split_whitespace().skip_while(|word| *word != "port");
    let port: u16 = words.skip(1).find_map(|word| word.parse().ok()).expect("it names the port");
    must_show(port, &project_folder, json!("python -m http.server"), "python -m http.server (python3");
    let card = card(port);
    card.assert(card.text().contains(&format!(", pid {}", server.0.id())), "its pid");
}
