//! Names and command lines are untrusted text: every name is found, escaped for people, and complete for scripts.

#![cfg(unix)]

use crate::support::{
    Cmd, Fixture, Output, Steps, control_character, copy_of, decode_base64, fixture_program, live_test, pids,
    port, without_styles,
};
use serde_json::{Value, json};

/// A listener with this name, beside an ordinary one.
struct Named {
    server: Fixture,
    port: u16,
    _ordinary: Fixture,
    ordinary_port: u16,
}

impl Named {
    fn start_named(name: &[u8]) -> Self {
        let [port, ordinary_port] = [port(), port()];
        let server = Steps::new([format!("tcp=127.0.0.1:{port}")]).bytes("name", name).start();
        let ordinary = Fixture::start([format!("tcp=127.0.0.1:{ordinary_port}")]);
        Self { server, port, _ordinary: ordinary, ordinary_port }
    }

    /// Returns the holder in the JSON document. Checks every other format on the way.
    fn holder(&self) -> Value {
        must_be_escaped_everywhere(&[self.port], 1, self.server.pid());
        must_be_escaped_everywhere(&[self.port, self.ordinary_port], 2, self.server.pid());
        let answer = Cmd::new([format!("tcp/{}", self.port)]).answer(0);
        let holder = answer.only_holder(answer.only());
        answer.assert_eq(&holder["pid"], &json!(self.server.pid()), "pid");
        holder.clone()
    }
}

/// Asserts that text, NDJSON and CSV of these ports have so many rows, and nothing that a terminal would act upon.
fn must_be_escaped_everywhere(ports: &[u16], rows: usize, pid: u32) {
    let target: Vec<String> = ports.iter().map(|port| format!("tcp/{port}")).collect();
    let target = target.join(",");
    let text = Cmd::new([&target]).run().code(0);
    must_be_escaped(&text, text.text());
    text.assert(text.text().contains(&pid.to_string()), "the pid is there");
    let screen = Cmd::new([&target]).env("TERM", "xterm-256color").run_on_terminal(100).code(0);
    must_be_escaped(&screen, &without_styles(screen.text()));
    screen.assert(screen.text().contains(&pid.to_string()), "the pid is on the screen");
    if rows > 1 {
        let table = Cmd::new(["--no-header", &target]).run().code(0);
        let lines = table.text().lines().filter(|line| !line.trim().is_empty()).count();
        table.assert_eq(lines, rows, "rows of a table printed to a pipe");
    }
    let lines = Cmd::new(["--ndjson", &target]).run().code(0);
    let listeners = lines.text().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.assert_eq(listeners.filter(|line| line.get("gap").is_none()).count(), rows, "lines of NDJSON");
    let table = Cmd::new(["--csv", &target]).run().code(0);
    table.assert(!table.text().contains('\u{1b}'), "no escape in CSV");
}

fn must_be_escaped(output: &Output, text: &str) {
    output.assert_eq(control_character(text), None, "a character that a terminal would act upon");
}

#[live_test(Linux)]
fn a_name_with_newline_and_escape_is_escaped() {
    let holder = Named::start_named(b"a)\n\x1b[31m").holder();
    assert_eq!(holder["name"], "a)\n\u{1b}[31m");
}

#[live_test(Linux)]
fn a_name_with_an_open_parenthesis_is_found() {
    assert_eq!(Named::start_named(b"(x").holder()["name"], "(x");
    assert_eq!(Named::start_named(b") R 1 (").holder()["name"], ") R 1 (");
}

#[live_test(Linux)]
fn an_empty_name_is_found() {
    let name = Named::start_named(b"").holder()["name"].clone();
    assert!(name == "" || name == "fixture", "neither empty nor the program's: {name:?}");
}

#[live_test(Linux)]
fn a_name_of_broken_utf8_keeps_its_bytes() {
    let holder = Named::start_named(b"\xff\xfeab").holder();
    assert_eq!(holder["name"], "\u{fffd}\u{fffd}ab");
    assert_eq!(holder["name_bytes"], "//5hYg==");
}

const LONG_NAME: &str = "a-name-that-is-much-longer-than-fifteen";

fn long_named(steps: impl IntoIterator<Item = String>) -> (Fixture, u16) {
    let port = port();
    let listen = format!("tcp=127.0.0.1:{port}");
    let program = copy_of(&fixture_program(), Some(LONG_NAME));
    (Steps::new([listen].into_iter().chain(steps)).program(program).start(), port)
}

#[live_test(Linux)]
fn a_long_name_is_complete() {
    let (server, port) = long_named([]);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["name"], &json!(LONG_NAME), "name");
    answer.assert_eq(&holder["pid"], &json!(server.pid()), "pid");
    let card = Cmd::new([format!("tcp/{port}")]).run().code(0);
    card.assert(card.text().contains(&format!("{LONG_NAME} (pid {}", server.pid())), "the card's first line");
    let ordinary = crate::support::port();
    let _ordinary = Fixture::start([format!("tcp=127.0.0.1:{ordinary}")]);
    let table = Cmd::new([format!("tcp/{port}"), format!("tcp/{ordinary}")]).run().code(0);
    let row = table.text().lines().find(|line| line.contains(&port.to_string())).unwrap_or_default();
    table.assert(row.contains(&format!(" {LONG_NAME} ")), "the row has the name as a word");
    let by_name = Cmd::new(["--command", LONG_NAME, &format!("tcp/{port},tcp/{ordinary}")]).answer(0);
    by_name.assert_eq(pids(by_name.only()), vec![server.pid()], "found by its name");
}

#[live_test(Linux)]
fn a_long_name_is_complete_without_its_command_line() {
    let (_server, port) = long_named(["command=x".to_owned()]);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["name"], &json!(LONG_NAME), "name, of which the executable is left to tell");
}

#[live_test(Linux)]
fn a_name_set_by_the_process_is_kept() {
    let (_server, port) = long_named(["name=worker-7".to_owned()]);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    answer.assert_eq(&answer.only_holder(answer.only())["name"], &json!("worker-7"), "name");
}

#[live_test(Linux)]
fn the_program_is_preferred_to_a_thread_name() {
    let ordinary = port();
    let _ordinary = Fixture::start([format!("tcp=127.0.0.1:{ordinary}")]);
    for name in ["MainThread", "Main Thread", "main", "Thread-1"] {
        let (server, port) = long_named([format!("name={name}")]);
        let target = format!("tcp/{port}");
        let answer = Cmd::new([&target]).answer(0);
        answer.assert_eq(&answer.only_holder(answer.only())["name"], &json!(LONG_NAME), name);
        let reported = format!("{LONG_NAME} (pid {}", server.pid());
        let card = Cmd::new([&target]).run().code(0);
        card.assert(card.text().contains(&format!("held by {reported}")), "the headline");
        let table = Cmd::new([format!("{target},tcp/{ordinary}")]).run().code(0);
        table.assert(table.text().contains(&format!(" {LONG_NAME} ")), "the row");
        let plan = Cmd::new(["free", "--dry-run", &target]).run();
        plan.assert(plan.text().contains(&reported), "the plan");
        let by_name =
            Cmd::new(["-c", LONG_NAME, "--pids", &format!("{target},tcp/{ordinary}")]).run().code(0);
        by_name.assert_eq(by_name.text().trim(), server.pid().to_string().as_str(), "found by its name");
    }
    // An informative name is kept, and the program is reported beside it.
    let (server, port) = long_named(["name=worker-7".to_owned()]);
    let card = Cmd::new([format!("tcp/{port}")]).run().code(0);
    let reported = format!("held by worker-7 ({LONG_NAME}, pid {}", server.pid());
    card.assert(card.text().contains(&reported), "the headline names both");
    let by_program =
        Cmd::new(["-c", LONG_NAME, "--pids", &format!("tcp/{port},tcp/{ordinary}")]).run().code(0);
    by_program.assert_eq(by_program.text().trim(), server.pid().to_string().as_str(), "found by its program");
}

#[live_test(Linux)]
fn a_parent_is_known_by_its_program() {
    let port = port();
    let listen = format!("tcp=127.0.0.1:{port}");
    // A shell that renames itself, as the first thread of a server would.
    let script = "printf MainThread > /proc/$$/comm; \"$0\" \"$@\"; :";
    let _server = Steps::new([listen]).through(["sh", "-c", script]).start();
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["parents"][0]["name"], &json!("sh"), "the parent's name");
}

#[live_test(Linux)]
fn a_title_with_slashes_is_kept() {
    for title in [
        "node /srv/blog/server.js",
        "server 6.4.0 (tcp://127.0.0.1:3000) [shop]",
        "/opt/my app/bin/server --flag",
        "worker: /srv/a",
    ] {
        let name = &title[..title.len().min(15)];
        let (server, port) = long_named([
            format!("pad={}", "x".repeat(80)),
            format!("command={title}"),
            format!("name={name}"),
        ]);
        let target = format!("tcp/{port}");
        let answer = Cmd::new([&target]).answer(0);
        let holder = answer.only_holder(answer.only());
        answer.assert_eq(&holder["name"], &json!(title), "name");
        answer.assert_eq(&holder["command"], &json!([title]), "command");
        let card = Cmd::new([&target]).run().code(0);
        let reported = format!("held by {title} ({LONG_NAME}, pid {}", server.pid());
        card.assert(card.text().contains(&reported), "the headline");
        let found = Cmd::new(["-c", LONG_NAME, "--pids", &target]).run().code(0);
        found.assert_eq(
            found.text().trim(),
            server.pid().to_string().as_str(),
            "found by the program's file",
        );
    }
}

#[live_test(Linux)]
fn ssh_is_labelled_by_its_forwards() {
    let port = port();
    let program = copy_of(&fixture_program(), Some("ssh"));
    let line = format!("ssh -NL {port}:db.example.org:5432 dev@host");
    let steps =
        [format!("pad={}", "x".repeat(80)), format!("arguments={line}"), format!("tcp=127.0.0.1:{port}")];
    let server = Steps::new(steps).program(program).start();
    let target = format!("tcp/{port}");
    let answer = Cmd::new([&target]).answer(0);
    let label = format!("ssh -L {port}:db.example.org:5432 dev@host");
    answer.assert_eq(&answer.only_holder(answer.only())["script"], &json!(label), "label");
    let note = "ssh forwards it to db.example.org:5432 through dev@host";
    answer.assert_eq(&answer.only()["note"], &json!(note), "note");
    let card = Cmd::new([&target]).run().code(0);
    card.assert(card.text().contains(&format!("is held by {label} (pid {}", server.pid())), "the headline");
    card.assert(card.text().contains(note), "the note");
}

/// Returns the rows of a table on a terminal, and the number of cards and of listeners in JSON and in a pipe.
fn rows(port: u16) -> (Vec<String>, Output, usize, usize) {
    let ordinary = Fixture::start(["tcp=127.0.0.1:0"]);
    let both = format!("tcp/{port},tcp/{}", ordinary.port());
    let screen = Cmd::new([&both]).env("TERM", "xterm-256color").run_on_terminal(160).code(0);
    let text = without_styles(screen.text());
    let lines = text.lines().filter(|line| line.trim_start().starts_with(&port.to_string()));
    let lines = lines.map(str::to_owned).collect();
    let pipe = Cmd::new([&both]).run().code(0);
    let piped = pipe.text().lines().filter(|line| line.trim_start().starts_with(&port.to_string())).count();
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    let listeners = answer.listeners().len();
    (lines, Cmd::new([format!("tcp/{port}")]).run().code(0), listeners, piped)
}

#[live_test(Linux)]
fn equal_sockets_of_one_program_share_a_row() {
    let port = port();
    let listen = format!("tcp=127.0.0.1:{port}");
    let server = Fixture::start(["reuseport".to_owned(), listen.clone(), listen.clone(), listen]);
    let (lines, card, listeners, piped) = rows(port);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("127.0.0.1 x3"), "{lines:?}");
    assert_eq!((listeners, piped), (3, 3), "JSON and a pipe have each");
    let reported = format!("{port}/tcp on 127.0.0.1 (3 sockets) is held by fixture (pid {}", server.pid());
    card.assert(
        card.text().starts_with(&reported) && card.text().matches("is held by").count() == 1,
        "one card",
    );
}

#[live_test(Linux)]
fn equal_sockets_of_its_workers_share_a_row() {
    let port = port();
    let listen = format!("tcp=127.0.0.1:{port}");
    // Two children of this test, each with its own socket.
    let first = Fixture::start(["reuseport", &listen]);
    let second = Fixture::start(["reuseport", &listen]);
    let (lines, card, listeners, piped) = rows(port);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("127.0.0.1 x2") && lines[0].contains("fixture +1"), "{lines:?}");
    assert_eq!((listeners, piped), (2, 2), "JSON and a pipe have each");
    card.assert(card.text().contains("(2 sockets) is held by fixture"), "one card");
    for server in [first.pid(), second.pid()] {
        card.assert(card.text().contains(&format!("{server} fixture")), "every holder is named");
    }
}

#[live_test(Linux)]
fn equal_sockets_of_two_programs_do_not() {
    let port = port();
    let listen = ["reuseport".to_owned(), format!("tcp=127.0.0.1:{port}")];
    let _first = Fixture::start(listen.clone());
    let _second = Steps::new(listen).program(copy_of(&fixture_program(), Some("another"))).start();
    let (lines, card, ..) = rows(port);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains(" x2")), "{lines:?}");
    card.assert_eq(card.text().matches("is held by").count(), 2, "two cards");
}

/// Returns the holder. Checks all text formats and that the size of both formats is bounded.
fn must_be_bounded(steps: Steps, port: u16) -> Value {
    let server = steps.start();
    must_be_escaped_everywhere(&[port], 1, server.pid());
    let target = format!("tcp/{port}");
    let text = Cmd::new([&target]).run().code(0);
    text.assert(text.stdout.len() + text.stderr.len() < 20_000, "text is below 20 kB");
    let answer = Cmd::new([&target]).answer(0);
    answer.assert(answer.output.stdout.len() < 200_000, "JSON is below 200 kB");
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["pid"], &json!(server.pid()), "pid");
    answer.assert_eq(&holder["name"], &json!("fixture"), "name");
    holder.clone()
}

fn listen(port: u16) -> Steps {
    Steps::new([format!("tcp=127.0.0.1:{port}")])
}

#[live_test(Linux)]
fn a_rewritten_command_line_is_reported_unchanged() {
    let port = port();
    let line = b"nginx: master process";
    let holder = must_be_bounded(listen(port).bytes("pad", &[b'x'; 40]).bytes("command", line), port);
    assert_eq!(holder["command"], json!(["nginx: master process"]));
}

#[live_test(Linux)]
fn a_process_without_command_line_is_found() {
    let port = port();
    let command = must_be_bounded(listen(port).bytes("no-command", b""), port)["command"].clone();
    assert!(command == json!([]) || command == json!(null), "an invented command: {command}");
}

#[live_test(Linux)]
fn a_command_line_of_nothing_but_nul_is_bounded() {
    let port = port();
    let steps = listen(port).bytes("pad", &[b'x'; 100_000]).bytes("command", b"");
    let holder = must_be_bounded(steps, port);
    let words = holder["command"].as_array().cloned().unwrap_or_default();
    assert!(words.iter().all(|word| word == ""), "invented words: {holder}");
}

#[live_test(Linux)]
fn a_command_line_of_megabytes_is_bounded() {
    let port = port();
    let steps = (0..20).fold(listen(port), |steps, _| steps.bytes("pad", &[b'y'; 100_000]));
    let holder = must_be_bounded(steps, port);
    let listen = json!(format!("tcp=127.0.0.1:{port}"));
    assert_eq!(holder["command"][1], listen, "the beginning of the command line is there");
}

#[live_test(Linux)]
fn a_command_line_with_escape_sequences_is_escaped() {
    let port = port();
    let clipboard = "pad=\u{1b}]52;c;aGVsbG8=\u{7}";
    let reordered = "pad=\u{202e}evil\u{2066}\u{200b}\u{9b}31m\r\n";
    let steps =
        listen(port).bytes("pad", &clipboard.as_bytes()[4..]).bytes("pad", &reordered.as_bytes()[4..]);
    let holder = must_be_bounded(steps, port);
    assert_eq!(holder["command"][2], clipboard, "JSON keeps it");
    assert_eq!(holder["command"][3], reordered, "JSON keeps it");
}

#[live_test(Linux)]
fn a_command_line_of_broken_utf8_keeps_its_bytes() {
    let port = port();
    let holder = must_be_bounded(listen(port).bytes("pad", b"\xff\xfe"), port);
    assert_eq!(holder["command"][2], "pad=\u{fffd}\u{fffd}");
    let kept = match &holder["command_bytes"] {
        Value::Array(words) => words.iter().any(|word| decode_base64(word) == b"pad=\xff\xfe"),
        line => decode_base64(line).windows(6).any(|part| part == b"pad=\xff\xfe"),
    };
    assert!(kept, "command_bytes lost them: {holder}");
}
