//! Output: closed pipes, full disks, narrow and dumb terminals, minimal environments.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, Output, Steps, live_test, ordinary_user, port, without_styles};

/// Two listeners, and the target that matches both.
fn must_show_all() -> (String, [Fixture; 2]) {
    let servers = [(); 2].map(|()| Fixture::start([format!("tcp=127.0.0.1:{}", port())]));
    (format!("tcp/{},tcp/{}", servers[0].port(), servers[1].port()), servers)
}

/// Every output format. The first two are text.
const FORMS: [&[&str]; 8] =
    [&[], &["--wide"], &["--json"], &["--ndjson"], &["--csv"], &["--openmetrics"], &["--pids"], &["--help"]];

#[live_test]
fn a_closed_pipe_ends_quietly() {
    let (target, _servers) = must_show_all();
    for form in FORMS {
        let open = Cmd::new(form.iter().copied().chain([target.as_str()])).run().code(0);
        open.assert(!open.stdout.is_empty(), "there is something to write");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let arguments = form.iter().copied().chain([target.as_str()]);
        let output = Cmd::new(arguments).stdout(writer).run().without_panic().code(0);
        output.assert_eq(output.errors().as_str(), "", "standard error");
    }
    // A free port, and a card.
    for target in [format!("tcp/{}", port()), target.split(',').next().unwrap_or_default().to_owned()] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Cmd::new([target]).stdout(writer).run().without_panic();
        output.assert_eq(output.errors().as_str(), "", "standard error");
    }
}

#[live_test]
fn the_manual_is_shown_on_a_terminal_and_its_source_goes_into_a_pipe() {
    let source = Cmd::new(["man"]).run().code(0);
    source.assert(source.text().contains(".TH allears 1"), "the source of a page");
    // A system without man-db shows the help instead.
    let shown = Cmd::new(["man"]).env("MANPAGER", "cat").env("TERM", "xterm").run_on_terminal(80).code(0);
    shown.assert(shown.text().contains("Show what holds a port"), "the first sentence");
    shown.assert(!shown.text().contains(".TH "), "no source");
}

#[live_test(Linux)]
fn a_full_disk_is_an_error_and_no_panic() {
    let (target, _servers) = must_show_all();
    for form in FORMS {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
        let arguments = form.iter().copied().chain([target.as_str()]);
        let output = Cmd::new(arguments).stdout(full).run().without_panic().code(3);
        output.assert(!output.errors().trim().is_empty(), "standard error reports that the answer was lost");
    }
}

/// Asserts that no line is wider than the terminal, and that everything of each server is shown.
fn must_fit(output: &Output, columns: usize, servers: &[Fixture]) {
    let screen = without_styles(output.text());
    output.assert_eq(crate::support::control_character(&screen), None, "a character that is not text");
    for line in screen.lines() {
        let width = unicode_width::UnicodeWidthStr::width(line);
        output.assert(width <= columns, &format!("{width} columns: {line:?}"));
    }
    for server in servers {
        let has = |what: &str| screen.lines().any(|line| line.contains(what));
        output.assert(has(&server.port().to_string()), "the port is whole");
        output.assert(has(&server.pid().to_string()), "the pid is whole");
    }
    output.assert(screen.contains("fix"), "the process is named");
}

#[live_test]
fn a_table_fits_twenty_columns() {
    let (target, servers) = must_show_all();
    let output = Cmd::new([&target]).env("TERM", "xterm").run_on_terminal(20).code(0);
    must_fit(&output, 20, &servers);
    let screen = without_styles(output.text());
    for server in &servers {
        let row = screen.lines().find(|line| line.contains(&server.port().to_string())).unwrap_or_default();
        output.assert(row.contains(&server.pid().to_string()), "port and pid share a row");
        output.assert(row.contains("fix"), "port and process share a row");
    }
}

#[live_test]
fn a_card_fits_twenty_columns() {
    let (target, servers) = must_show_all();
    let target = target.split(',').next().unwrap_or_default();
    let output = Cmd::new([target]).env("TERM", "xterm").run_on_terminal(20).code(0);
    must_fit(&output, 20, &servers[..1]);
}

#[live_test]
fn a_table_fits_every_width() {
    let (target, servers) = must_show_all();
    for columns in [21, 24, 30, 40, 55, 80, 120, 200] {
        let output = Cmd::new([&target]).env("TERM", "xterm-256color").run_on_terminal(columns).code(0);
        must_fit(&output, columns.into(), &servers);
    }
}

#[live_test(Linux)]
fn wide_characters_fit_too() {
    // Fifteen bytes in ten columns, and characters of width zero.
    let names = [
        "\u{76d1}\u{542c}\u{670d}\u{52a1}\u{7aef}",
        "e\u{301}e\u{301}e\u{301}e\u{301}",
        "\u{1f980}\u{1f980}",
    ];
    let servers = names
        .map(|name| Steps::new([format!("tcp=127.0.0.1:{}", port())]).bytes("name", name.as_bytes()).start());
    let target: Vec<String> = servers.iter().map(|server| format!("tcp/{}", server.port())).collect();
    for columns in [20, 26, 40, 80] {
        for target in target.iter().chain([&target.join(",")]) {
            let output = Cmd::new([target])
                .env("TERM", "xterm")
                .env("LANG", "C.UTF-8")
                .run_on_terminal(columns)
                .code(0);
            let screen = without_styles(output.text());
            for line in screen.lines() {
                let width = unicode_width::UnicodeWidthStr::width(line);
                output.assert(width <= columns.into(), &format!("{width} columns: {line:?}"));
            }
            for server in servers.iter().filter(|server| target.contains(&server.port().to_string())) {
                output.assert(screen.contains(&server.pid().to_string()), "the pid is whole");
            }
        }
    }
}

#[live_test]
fn a_terminal_without_size_works() {
    let (target, _servers) = must_show_all();
    let card = target.split(',').next().unwrap_or_default().to_owned();
    for columns in [0, 1, 2, 7, 13] {
        for target in [&target, &card] {
            let output =
                Cmd::new([target]).env("TERM", "xterm").run_on_terminal(columns).without_panic().code(0);
            output.assert(!output.text().trim().is_empty(), "it answers");
        }
    }
}

/// Runs it with a redirection of its streams, as a shell writes it.
fn run_redirected(redirection: &str, arguments: &[&str]) -> Cmd {
    let script = format!("exec \"$@\" {redirection}");
    Cmd::new(arguments.iter().copied()).through(["sh", "-c", &script, "sh"])
}

#[live_test(Linux)]
fn a_full_standard_error_changes_no_exit_code() {
    let (target, _servers) = must_show_all();
    let free = format!("tcp/{}", port());
    let hidden = format!("tcp/{}", port());
    let _hidden = Steps::new([format!("tcp=127.0.0.1:{}", &hidden[4..]), "undumpable".to_owned()])
        .user(ordinary_user())
        .start();
    let requested: [(&[&str], i32); 6] = [
        (&[&target], 0),
        (&[&free], 1),
        (&["65536"], 2),
        (&["--no-such-option"], 2),
        (&[&hidden], 0),
        (&["--pids", &hidden], 3),
    ];
    for (arguments, code) in requested {
        for redirection in ["2>/dev/full", "2>&-"] {
            run_redirected(redirection, arguments).user(ordinary_user()).run().code(code);
        }
    }
}

#[live_test]
fn closed_streams_work() {
    let (target, _servers) = must_show_all();
    for (redirection, readable) in
        [("<&-", true), ("<&- 2>&-", true), (">&-", false), (">&- 2>&- <&-", false)]
    {
        let output =
            run_redirected(redirection, &[&target]).run().without_panic().code(if readable { 0 } else { 3 });
        output.assert_eq(!output.stdout.is_empty(), readable, "an answer if it can be read");
    }
}

#[live_test]
fn a_dumb_terminal_gets_no_escape() {
    let (target, servers) = must_show_all();
    let plain = [("TERM", "dumb"), ("NO_COLOR", "1")];
    for (name, value) in plain {
        let cmd = Cmd::new([&target]).env("TERM", "xterm").env(name, value);
        let output = cmd.run_on_terminal(80).code(0);
        must_fit(&output, 80, &servers);
        output.assert(!output.text().contains('\u{1b}'), &format!("no escape with {name}={value}"));
    }
    let output = Cmd::new(["--color=never", &target]).env("TERM", "xterm").run_on_terminal(80).code(0);
    output.assert(!output.text().contains('\u{1b}'), "no escape with --color=never");
}

#[live_test]
fn colour_is_requested_and_disabled() {
    let (target, _servers) = must_show_all();
    let piped = Cmd::new([&target]).env("TERM", "xterm").run().code(0);
    piped.assert(!piped.text().contains('\u{1b}'), "no colour in a pipe");
    let always = Cmd::new(["--color=always", &target]).env("TERM", "xterm").run().code(0);
    always.assert(always.text().contains("\u{1b}["), "colour in a pipe where asked for");
    let same = without_styles(always.text());
    always.assert_eq(same.as_str(), piped.text(), "the same text beneath the colour");
    let forced = Cmd::new([&target]).env("TERM", "xterm").env("CLICOLOR_FORCE", "1").run().code(0);
    forced.assert(forced.text().contains("\u{1b}["), "colour with CLICOLOR_FORCE");
    let empty = Cmd::new([&target]).env("TERM", "xterm").env("NO_COLOR", "").run_on_terminal(80).code(0);
    empty.assert(empty.text().contains("\u{1b}["), "an empty NO_COLOR says nothing");
    let json = Cmd::new(["--json", "--color=always", &target]).run().code(0);
    json.assert(!json.text().contains('\u{1b}'), "JSON has no colour");
}

#[live_test]
fn a_pipe_gets_a_plain_whole_table() {
    let (target, servers) = must_show_all();
    let output = Cmd::new([&target]).env("COLUMNS", "20").run().code(0);
    let rows: Vec<&str> = output.text().lines().filter(|line| !line.trim().is_empty()).collect();
    output.assert_eq(rows.len(), 3, "a header and a row a listener");
    output.assert(output.text().is_ascii(), "no box drawing, no ellipsis");
    let mut ports: Vec<_> = servers.iter().collect();
    ports.sort_by_key(|server| server.port());
    for (row, server) in rows.iter().skip(1).zip(ports) {
        let words: Vec<&str> = row.split_whitespace().collect();
        for word in
            [server.port().to_string().as_str(), "tcp", "127.0.0.1", "fixture", &server.pid().to_string()]
        {
            output.assert(words.contains(&word), &format!("the row {row:?} has {word}"));
        }
    }
}

#[live_test]
fn a_minimal_environment_is_enough() {
    let (target, servers) = must_show_all();
    let card = target.split(',').next().unwrap_or_default().to_owned();
    let environments: [&[(&str, &str)]; 5] = [
        &[],
        &[("LANG", "C"), ("LC_ALL", "C")],
        &[("HOME", "")],
        &[("HOME", "/nonexistent"), ("TERM", ""), ("COLUMNS", "x")],
        &[("LANG", "no_SUCH.locale"), ("TZ", "No/Such_Place"), ("RUST_BACKTRACE", "1")],
    ];
    for environment in environments {
        for target in [&target, &card] {
            let cmd = environment.iter().fold(Cmd::new([target]), |cmd, (name, value)| cmd.env(name, value));
            let output = cmd.run().without_panic().code(0);
            output.assert(output.text().contains(&servers[0].pid().to_string()), "the answer is there");
        }
    }
}
