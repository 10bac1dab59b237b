//! `watch -- COMMAND`: what a command and its descendants opened, how it ended, its streams and its signals.

#![cfg(unix)]

use crate::support::{
    Cmd, Fixture, NOBODY, Output, Stream, fixture_program, folder, live_test, pids, port, program, runs,
    send_signal, until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::PipeWriter;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

/// Starts the rest of its arguments in a session of its own, as an orphan, and ends when that has printed a line.
const DAEMONIZE: &str = r#"exec 3<&0; (setsid "$@" <&3 2>/dev/null &) | read line"#;

fn watch<S: AsRef<str>>(options: &[&str], command: &[S]) -> Cmd {
    let words = options.iter().copied().chain(["--"]).chain(command.iter().map(AsRef::as_ref));
    Cmd::new(["watch"].into_iter().chain(words))
}

/// Returns the command line of a fixture with these steps.
fn fixture(steps: &[String]) -> Vec<String> {
    [fixture_program().display().to_string()].into_iter().chain(steps.iter().cloned()).collect()
}

fn shell(script: &str, arguments: &[String]) -> Vec<String> {
    let words = ["sh", "-c", script, "sh"].map(str::to_owned);
    words.into_iter().chain(arguments.iter().cloned()).collect()
}

/// Starts it with an input that lasts as long as the writer.
fn with_input(command: Cmd) -> (Cmd, PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    (command.stdin(reader), writer)
}

fn tcp(port: u16) -> String {
    format!("tcp=127.0.0.1:{port}")
}

/// Waits for the last event, and returns it with the result of the run.
#[track_caller]
fn end(mut events: Stream) -> (Value, Output) {
    let end = events.event("end");
    let read = events.read().iter();
    let all_json = read.clone().all(|line| serde_json::from_str::<Value>(line).is_ok());
    assert!(all_json, "{:?}", events.read());
    (end, events.wait().without_panic())
}

#[live_test(Linux)]
fn what_it_opens_and_closes_is_an_event() {
    let [one, other] = [port(), port()];
    let steps = [tcp(one), format!("udp=0.0.0.0:{other}")];
    let (command, input) = with_input(watch(&["--ndjson"], &fixture(&steps)));
    let mut events = command.stream();
    let first = events.event("opened");
    let both = [&first["listener"]["port"], &events.event("opened")["listener"]["port"]].map(Value::clone);
    assert!(both.contains(&json!(one)) && both.contains(&json!(other)), "{both:?}");
    assert_eq!((&first["schema"], &first["certain"]), (&json!("allears/1"), &json!(true)));
    drop(input);
    let (end, output) = end(events);
    let counts = ["opened", "closed", "still_open", "uncertain", "failed_passes"].map(|key| &end[key]);
    output.assert_eq(counts, [2, 2, 0, 0, 0].map(|count| json!(count)).each_ref(), "counts");
    output.assert_eq(&end["exit_status"], &json!(0), "exit status");
    output.assert_eq(&end["running"], &json!([]), "running");
    output.assert(end["may_miss_shorter_than_ms"].as_u64() > Some(0), "what can be missing is stated");
    let printed = output.errors();
    output.assert(printed.contains("\"sockets\""), "the command's output is on standard error");
    output.code(0);
}

#[live_test(Linux)]
fn what_a_daemon_opened_is_still_open() {
    let port = port();
    let (command, input) = with_input(watch(&["--events=off"], &shell(DAEMONIZE, &fixture(&[tcp(port)]))));
    let output = command.run().without_panic().code(0);
    let text = output.text();
    let row = text.lines().find(|line| line.contains(&format!("{port}/tcp")));
    output.assert(row.is_some_and(|row| row.contains("  still open  ")), "a row");
    output.assert(text.starts_with("AFTER  "), "a header");
    output.assert(text.contains("It opened 1 listener, which is still open.\n"), "a summary");
    let pid: Option<u32> = row.and_then(|row| row.split("(pid ").nth(1)?.split(',').next()?.parse().ok());
    let Some(pid) = pid else { output.fail("the row names a process") };
    output.assert(text.contains(&format!("Still running: fixture (pid {pid}).\n")), "the daemon");
    output.assert(runs(pid), "nothing is ended");
    output.assert(output.errors().contains("not seen: a listener that was open for less than "), "a limit");
    drop(input);
    output.assert(until(|| (!runs(pid)).then_some(())).is_some(), "its new parent reaps it");
}

#[live_test(Linux)]
fn a_daemon_is_listed_at_the_end() {
    let port = port();
    let daemon = shell(DAEMONIZE, &fixture(&[tcp(port), format!("udp=127.0.0.1:{port}")]));
    let (command, _input) = with_input(watch(&["--ndjson", "-u"], &daemon));
    let mut events = command.stream();
    let open = events.event("still-open");
    assert_eq!((&open["listener"]["protocol"], &open["listener"]["port"]), (&json!("udp"), &json!(port)));
    assert!(open["opened_after_ms"].is_u64() && open["certain"] == true, "{open}");
    let (end, output) = end(events);
    output.assert_eq([&end["opened"], &end["still_open"]], [&json!(1), &json!(1)], "the filter applies");
    output.assert_eq(&end["running"][0]["pid"], &json!(pids(&open["listener"])[0]), "running");
    output.code(0);
}

#[live_test(Linux)]
fn ended_orphans_are_reaped() {
    let file = folder().join("orphan");
    // The orphan writes its pid and ends. The command goes on until its input ends.
    let script = r#"(sh -c 'echo $$ >"$0"' "$1" &); read line"#;
    let (command, input) = with_input(watch(&[], &shell(script, &[file.display().to_string()])));
    let running = command.start();
    let orphan = until(|| std::fs::read_to_string(&file).ok()?.trim().parse::<u32>().ok());
    let orphan = orphan.expect("the orphan writes its pid");
    let gone = until(|| (!std::path::Path::new(&format!("/proc/{orphan}")).exists()).then_some(()));
    assert!(gone.is_some(), "process {orphan} stays");
    drop(input);
    running.wait().without_panic().code(1);
}

#[live_test]
fn the_exit_status_is_that_of_the_command() {
    let run = |script: &str| watch(&["--events=off"], &["sh", "-c", script]).run().without_panic();
    let failed = run("exit 7").code(7);
    let text = failed.text();
    failed.assert(text.starts_with("sh exited with status 7 after "), "a summary");
    failed.assert(text.ends_with(" It was not seen to open a listener.\n"), "nothing was seen");
    failed.assert(failed.errors().starts_with("not seen: a listener that was open for less than "), "limit");
    let killed = run("kill -TERM $$").code(128 + 15);
    killed.assert(killed.text().starts_with("sh was ended by SIGTERM after "), "a summary");
}

#[live_test]
fn a_command_that_cannot_be_started_is_named() {
    let script = folder().join("no-interpreter");
    std::fs::write(&script, "#!/no/such/interpreter\n").expect("write a script");
    let plain = folder().join("not-executable");
    std::fs::write(&plain, "").expect("write a file");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&script, executable).expect("make the script executable");
    for (program, code, reason) in [
        ("no-such-program\u{7}", 127, "cannot run no-such-program\\x07: it is in no folder of PATH"),
        ("/no/such/program", 127, "cannot run /no/such/program: there is no such file"),
        (script.to_str().expect("a path in text"), 127, "its interpreter is not found"),
        (plain.to_str().expect("a path in text"), 126, "it cannot be executed: permission denied"),
    ] {
        // As env(1) does, it reports a folder of PATH that may not be searched: that is 126.
        let output = watch(&[], &[program]).through(["env", "PATH=/usr/bin:/bin"]).run();
        let output = output.without_panic().code(code);
        output.assert(output.errors().contains(reason), reason);
        output.assert_eq(output.text(), "", "there is no report");
    }
}

#[live_test]
fn options_after_the_separator_are_those_of_the_command() {
    let words = ["sh", "-c", r#"printf '%s\n' "$@""#, "sh", "-t", "--ndjson", "--interval", "--", "-h"];
    let output = watch(&["--interval", "1s", "-t"], &words).run().without_panic().code(0);
    output.assert(output.text().starts_with("-t\n--ndjson\n--interval\n--\n-h\nsh exited"), "its output");
    output.assert(output.text().contains("not seen to open a matching listener"), "our filter applies");
    for wrong in [&["watch", "--"][..], &["watch", "3000", "--"], &["watch", "--tree=1", "--", "true"]] {
        let output = Cmd::new(wrong.iter().copied()).run().without_panic().code(2);
        output.assert(output.errors().contains("help: "), "an error that helps");
    }
}

#[live_test(Linux)]
fn what_others_open_is_left_out() {
    let [own, others, before, later] = [port(), port(), port(), port()];
    let there = Fixture::start([tcp(before)]);
    // It inherits a listener, which its descendants inherit too.
    let inherited = port();
    let through = [fixture_program().display().to_string(), tcp(inherited), "exec".to_owned()];
    let (command, input) = with_input(watch(&["--ndjson"], &fixture(&[tcp(own), tcp(later)])));
    let mut events = command.through(through).stream();
    events.event("opened");
    events.event("opened");
    let another = Fixture::start([tcp(others)]);
    drop((there, another, input));
    let (end, output) = end(events);
    output.assert_eq([&end["opened"], &end["closed"]], [&json!(2), &json!(2)], "its own listeners");
    output.code(0);
}

/// The kernel's events alone report it: no pass is made before the first of them.
#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR)]
fn a_listener_that_closes_at_once_is_reported() {
    const TIMES: usize = 20;
    let [own, others] = [port(), port()];
    let steps = vec![format!("brief={}", tcp(own)); TIMES];
    let (command, input) =
        with_input(watch(&["--ndjson", "--interval=1h", &format!("{own},{others}")], &fixture(&steps)));
    let mut events = command.stream();
    let opened = events.event("opened");
    let another = Fixture::start([format!("brief={}", tcp(others))]);
    drop(input);
    let closed = events.event("closed");
    let (end, output) = end(events);
    drop(another);
    for event in [&opened, &closed] {
        assert_eq!((&event["listener"]["port"], &event["certain"]), (&json!(own), &json!(true)), "{event}");
    }
    let counts = ["opened", "closed", "uncertain", "refused"].map(|key| end[key].as_u64());
    output.assert_eq(counts, [Some(20), Some(20), Some(0), Some(0)], "counts");
    output.assert_eq(&end["unassigned"], &json!([]), "each process is known");
    let may_miss =
        |protocol: &str| end["may_miss"].as_array().is_some_and(|all| all.contains(&json!(protocol)));
    output.assert(!may_miss("tcp"), "no TCP listener is missing");
    output.assert(!output.text().contains(&format!("\"port\":{others}")), "another program's is left out");
    output.code(0);
}

#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR)]
fn a_process_that_has_ended_is_named() {
    let port = port();
    let words = fixture(&[format!("brief={}", tcp(port))]);
    let output = watch(&["-t", "--interval=1h"], &words).stdin(Stdio::null()).run().without_panic();
    let text = output.text();
    let row = text.lines().find(|line| line.contains(&format!("{port}/tcp")));
    output.assert(row.is_some_and(|row| row.contains("fixture (pid ")), "the row names the process");
    output.assert(row.is_some_and(|row| row.contains(" us ") || row.contains(" ms ")), "and a time");
    output.assert(text.contains("It opened 1 matching listener, which is closed again."), "a summary");
    output.assert(!output.errors().contains("can be missing"), "nothing is");
    output.code(0);
}

/// Its parent reaps it, perhaps before it can be seen.
#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR)]
fn a_descendant_that_ended_too_soon_is_not_lost() {
    let port = port();
    let words = shell(r#""$@" </dev/null; exit 0"#, &fixture(&[format!("brief={}", tcp(port))]));
    let (end, output) = end(watch(&["--ndjson", &port.to_string()], &words).stream());
    let unassigned = end["unassigned"].as_array().map_or(0, Vec::len);
    let opened = end["opened"].as_u64().and_then(|opened| usize::try_from(opened).ok());
    output.assert_eq(opened.map(|opened| opened + unassigned), Some(1), "either has it");
    output.assert_eq(&end["uncertain"], &json!(0), "nothing is guessed");
    output.code(0);
}

#[cfg(target_os = "linux")]
#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR, FunctionTracing)]
fn a_refused_bind_is_reported() {
    let port = port();
    let server = Fixture::start([tcp(port)]);
    let words = fixture(&[format!("refused=127.0.0.1:{port}")]);
    let output = watch(&[], &words).stdin(Stdio::null()).run().without_panic().code(0);
    let held = format!("in use; it is held by fixture (pid {}, ", server.pid());
    let wanted = format!("could not bind 127.0.0.1:{port}: address already ");
    let line = output.text().lines().find(|line| line.contains(&wanted));
    output.assert(line.is_some_and(|line| line.contains(&held)), "both processes");
    let (command, input) = with_input(watch(&["--ndjson"], &words));
    let mut events = command.stream();
    let refused = events.event("refused");
    assert_eq!(
        (&refused["refused"]["error"], &refused["refused"]["port"]),
        (&json!("EADDRINUSE"), &json!(port))
    );
    drop(input);
    let (end, output) = end(events);
    output.assert_eq(&end["refused"], &json!(1), "a count");
}

#[live_test(Linux, Root)]
fn the_source_of_events_applies() {
    let file = folder().join("started");
    let words = ["touch".to_owned(), file.display().to_string()];
    let output = watch(&["--events=bpf"], &words).user(Some(NOBODY)).run().code(3);
    output.assert(output.errors().contains("CAP_BPF"), "it names the missing permissions");
    output.assert(!file.exists(), "the command is not started");
    for source in ["off", "destroyed"] {
        let output = watch(&["--events", source], &["true"]).run().without_panic().code(0);
        let limit = "not seen: a listener that was open for less than ";
        output.assert(output.errors().contains(limit), "no process is named");
    }
}

#[live_test]
fn the_terminal_interrupts_the_command_alone() {
    for (script, code, what) in [
        (r#"trap "echo caught; exit 5" INT; echo ready; while :; do sleep 0.05; done"#, 5, "caught"),
        ("echo ready; while :; do sleep 0.05; done", 130, "sh was ended by SIGINT after"),
    ] {
        // The program leads a session with this terminal, as one that a shell starts in the foreground.
        let command = watch(&[], &["sh", "-c", script]).through(["setsid", "--ctty"]);
        let mut session = command.start_on_terminal();
        session.wait_for_text("ready");
        let output = session.type_in("\u{3}").without_panic().code(code);
        output.assert(output.text().contains(what), what);
        output.assert(output.text().contains("It was not seen to open a listener."), "and a report follows");
    }
}

#[live_test]
fn signals_are_passed_on() {
    for (signal, name) in [(Signal::SIGTERM, "TERM"), (Signal::SIGHUP, "HUP")] {
        let script =
            format!(r#"trap "echo got {name}; exit 9" {name}; echo ready; while :; do sleep 0.05; done"#);
        // nohup(1) and others start programs with SIGHUP ignored, which then stays so.
        let default: &[&str] =
            if cfg!(target_os = "linux") { &["env", "--default-signal=HUP,INT,QUIT,TERM"] } else { &[] };
        let mut lines = watch(&[], &["sh", "-c", &script]).through(default.iter().copied()).stream();
        lines.line("ready", |line| line == "ready");
        // A signal to it alone, which a terminal would send to both, is not passed on.
        send_signal(lines.pid(), Signal::SIGINT);
        send_signal(lines.pid(), Signal::SIGQUIT);
        send_signal(lines.pid(), signal);
        lines.line("its trap", |line| line == format!("got {name}"));
        lines.line("a report", |line| line.starts_with("sh exited with status 9 "));
        lines.wait().without_panic().code(9);
    }
}

#[live_test(Linux, Root)]
fn a_holder_that_cannot_be_seen_may_be_its_own() {
    let port = port();
    let program = folder().join("set-user-id");
    let install = Command::new("install").arg("--mode=4755").arg(fixture_program()).arg(&program).status();
    assert!(install.is_ok_and(|status| status.success()), "install the fixture");
    let words = [program.display().to_string(), tcp(port)];
    let (command, input) = with_input(watch(&["--ndjson", &port.to_string()], &words).user(Some(NOBODY)));
    let mut events = command.stream();
    let opened = events.event("opened");
    assert_eq!((&opened["certain"], &opened["listener"]["port"]), (&json!(false), &json!(port)), "{opened}");
    assert_eq!(opened["listener"]["unseen"]["reason"], "permission", "{opened}");
    events.line("a gap", |line| line.contains("\"gap\"") && line.contains("permission"));
    drop(input);
    let (end, output) = end(events);
    output.assert_eq([&end["opened"], &end["uncertain"]], [&json!(1), &json!(1)], "counts");
    output.code(0);
}

#[live_test(Linux, Root)]
fn other_network_namespaces_are_reported() {
    let port = port();
    let words: Vec<String> = ["unshare", "--net"].map(str::to_owned).into();
    let words = [words, fixture(&[format!("tcp=0.0.0.0:{port}")])].concat();
    for (option, what) in
        [(&[][..], "not seen: what fixture (pid "), (&["--all-namespaces"], "  still open  ")]
    {
        let (command, _input) = with_input(watch(option, &shell(DAEMONIZE, &words)));
        let output = command.run().without_panic().code(0);
        output.assert(output.both_streams().contains(what), what);
    }
}

#[live_test(Linux, Root)]
fn a_short_command_in_a_network_namespace_is_named() {
    let script = ["unshare", "--net", "sleep", "0.6"].map(str::to_owned);
    let output = watch(&[], &script).run().without_panic().code(0);
    let what = "not seen: what sleep (pid ";
    output.assert(output.both_streams().contains(what), what);
}

/// allears has a pair of sockets by which it hears of signals.
#[live_test(Linux)]
fn its_own_sockets_are_left_out() {
    let output = watch(&["-ax"], &["sleep", "0.3"].map(str::to_owned)).run().without_panic().code(0);
    let what = "It was not seen to open a matching listener.";
    output.assert(output.both_streams().contains(what), what);
}

#[live_test(Linux)]
fn standard_output_is_not_needed() {
    let file = folder().join("ran-without-output");
    let script = r#"allears="$1"; shift; "$allears" watch -- sh -c 'touch "$1"; exit 5' sh "$1" >&-; echo "status $?""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(program()).arg(&file);
    let output = command.output().expect("run sh");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(file.exists() && text == "status 5\n", "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[live_test(Linux)]
fn a_closed_reader_does_not_end_the_command() {
    let file = folder().join("still-runs");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let script = r#"read line; echo done >"$1"; exit 3"#;
    let (command, input) =
        with_input(watch(&["--ndjson"], &shell(script, &[file.display().to_string()])).stdout(writer));
    let running = command.start();
    drop(input);
    let output = running.wait().without_panic().code(3);
    output.assert(file.exists(), "the command went on");
    output.assert(!output.errors().contains("error"), "it does not mention it");
}

#[live_test(Linux)]
fn a_full_output_is_an_error() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("open /dev/full");
    for (status, code) in [("0", 3), ("4", 4)] {
        let script = format!("exit {status}");
        let output = watch(&[], &["sh", "-c", &script]).stdout(full()).run().without_panic().code(code);
        output.assert(output.errors().contains("error: cannot write the answer"), "an error");
    }
}

#[live_test(Linux)]
fn it_opens_nothing_in_the_command() {
    let script = r#"ls -l /proc/self/fd | grep -c -e socket: -e anon_inode: -e pipe:; exit 0"#;
    let own = Command::new("sh").args(["-c", script]).output().expect("run a shell");
    let output = watch(&[], &["sh", "-c", script]).run().without_panic().code(0);
    let count = |text: &str| text.lines().next().and_then(|line| line.parse::<u32>().ok());
    let own = count(&String::from_utf8_lossy(&own.stdout));
    output.assert_eq(count(output.text()), own, "descriptors of pipes and sockets");
}
