//! The commands of docs/questions.md and of the README do what the pages show: each is run exactly as it is printed, on
//! a terminal of 100 columns, as the user `dev` of a machine that is staged for it.
//!
//! Every line that a page shows must be in the output, in that order. Numbers may differ, except those of ports and
//! those in the command. The output may have more lines, which the surroundings of a test add. A page that leaves some
//! out shows `...` there.
//!
//! With `ALLEARS_UPDATE_DOCS=1` the pages get what the program prints instead, to be read before it is committed.

#![cfg(target_os = "linux")]

mod machine;

use crate::docs::{Section, Shown, commands, inline_code, read, sections};
use crate::support::{Engine, in_new_netns, ip, live_test, until};
use machine::DeveloperMachine;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The page of questions.
const PAGE: &str = "docs/questions.md";

/// A question that needs a container engine, and so has its own test.
const CONTAINER: &str = "Which container publishes a port?";

/// A heading of the page, and what sets its situation up.
type Question = (&'static str, fn(&mut DeveloperMachine));

/// All questions, in the order of the page.
const QUESTIONS: &[Question] = &[
    ("Which process holds a port?", |machine| machine.serve("monitor", 3000)),
    ("What listens on this machine?", |machine| {
        machine.serve("shop", 3000);
        machine.serve_postgres();
        machine.type_in("monitor", "python3 -m http.server 8000");
        machine.wait_for(&["8000"]);
    }),
    ("Why does a server report \"address already in use\"?", |machine| machine.serve("shop", 3000)),
    ("How do I free a port?", |machine| machine.serve("shop", 3000)),
    ("Why is a port in use again after its process ended?", |machine| {
        let server = "while true; do python3 -m http.server 3000 --bind 127.0.0.1; sleep 1; done\n";
        machine.write("shop", "run.sh", server);
        machine.type_in("shop", "sh run.sh");
        machine.wait_for(&["3000"]);
    }),
    ("How do I get the pid for kill?", |machine| machine.serve("shop", 3000)),
    ("How does a script test whether a port is in use?", |machine| machine.serve("shop", 3000)),
    ("How does a script wait for a server?", |machine| {
        machine.type_in("shop", "sleep 3; python3 -m http.server 3000 --bind 127.0.0.1");
    }),
    ("Why is a port in use although nothing listens?", |machine| {
        let bound =
            "import socket, time\ns = socket.socket()\ns.bind(('127.0.0.1', 3000))\ntime.sleep(600)\n";
        machine.write("shop", "server.py", bound);
        machine.type_in("shop", "python3 server.py");
        machine.wait_for(&["--all", "tcp/3000"]);
    }),
    ("Why can a server not bind right after it was stopped?", |machine| {
        // The end that closes first waits in TIME_WAIT.
        let server = "import socket\nwith socket.create_server(('127.0.0.1', 3000)) as server:\n    \
            client = socket.create_connection(('127.0.0.1', 3000))\n    accepted, _ = server.accept()\n    \
            accepted.close()\n    client.recv(1)\n    client.close()\n";
        machine.write("shop", "server.py", server);
        machine.type_in("shop", "python3 server.py; touch ended");
        let ended = DeveloperMachine::folder("shop").join("ended");
        until(|| ended.exists().then_some(())).expect("the server has ended");
    }),
    ("Why is permission denied for port 80?", |_| {}),
    ("Why can an address not be assigned?", |_| {}),
    ("Why is the process of a port not shown?", DeveloperMachine::serve_postgres),
    ("Which of several servers belongs to which project?", |machine| {
        machine.serve("shop", 3000);
        machine.serve("monitor", 3001);
    }),
    ("Can other machines reach a port?", |machine| {
        machine.serve("shop", 3000);
        machine.type_in("monitor", "python3 -m http.server 8000");
        machine.wait_for(&["8000"]);
    }),
    ("Which of two servers answers on localhost?", |machine| {
        machine.serve("shop", 3000);
        machine.type_in("monitor", "python3 -m http.server 3000 --bind ::1");
        machine.wait_for(&["[::1]:3000"]);
    }),
    ("Who is connected to a port?", |machine| {
        machine.serve("shop", 3000);
        machine.connect();
    }),
    ("Why does a server accept connections and never answer?", |machine| {
        machine.serve("shop", 3000);
        machine.press_ctrl_z();
    }),
    ("What did an installer or a test suite open?", |machine| {
        // It ends by itself: it is no descendant of the test.
        let server = "import http.server, signal\nsignal.alarm(20)\n\
            http.server.HTTPServer(('127.0.0.1', 8000), http.server.SimpleHTTPRequestHandler).serve_forever()\n";
        machine.write("shop", "server.py", server);
        machine.write("shop", "install.sh", "python3 server.py &\nallears wait 8000 -q\n");
    }),
    (CONTAINER, |_| {}),
    ("What is a port number for?", |_| {}),
];

#[live_test(
    Linux,
    Root,
    NETWORK_NAMESPACE,
    MOUNT_NAMESPACE,
    Program("python3"),
    Program("setsid"),
    Program("bash")
)]
fn every_question_of_the_page_is_answered_as_shown() {
    let page = read(Path::new(PAGE));
    let questions = sections(&page, "## ");
    let headings: Vec<&str> = questions.iter().map(|question| &*question.heading).collect();
    let staged: Vec<&str> = QUESTIONS.iter().map(|(heading, _)| *heading).collect();
    assert_eq!(headings, staged, "the questions of the page, and those that are staged here");
    let unchecked =
        inline_code(&page).into_iter().filter(|code| code.starts_with("allears ")).collect::<Vec<_>>();
    assert!(
        unchecked.is_empty(),
        "commands that no test runs, since they are outside of console blocks: {unchecked:?}"
    );
    let mut wrong = Vec::new();
    for (question, (_, stage)) in
        questions.iter().zip(QUESTIONS).filter(|(question, _)| question.heading != CONTAINER)
    {
        let code = exit_code(question);
        let shown = commands(&question.text);
        assert_eq!(shown.len(), 1, "commands of: {}", question.heading);
        wrong.extend(in_new_netns(|| {
            let mut machine = DeveloperMachine::start();
            stage(&mut machine);
            machine.check_all(PAGE, &shown, Some(code), &[])
        }));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[live_test(PRIVATE_ENGINE)]
fn the_question_about_a_container_is_answered_as_shown() {
    let page = read(Path::new(PAGE));
    let questions = sections(&page, "## ");
    let question =
        questions.iter().find(|question| question.heading == CONTAINER).expect("it is on the page");
    let shown = commands(&question.text);
    let wrong: Vec<String> = in_new_netns(|| {
        ip("link set lo up");
        let engine = Engine::start(&[]);
        let mut machine = DeveloperMachine::start();
        machine.user = 0;
        engine.another_image("web:3");
        let options = ["--publish", "8080:80", "--name", "web"];
        let _container = engine.run_image("web:3", &options, &["tcp=0.0.0.0:80"]);
        let host = engine.host.clone().expect("an engine of its own has an address");
        machine.check_all(PAGE, &shown, Some(exit_code(question)), &[("DOCKER_HOST", &host)])
    });
    assert!(!shown.is_empty(), "the page has no command");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[live_test(
    Linux,
    Root,
    NETWORK_NAMESPACE,
    MOUNT_NAMESPACE,
    Program("python3"),
    Program("setsid"),
    Program("bash")
)]
fn every_command_of_the_readme_prints_the_shown_output() {
    let page = read(Path::new("README.md"));
    let shown = commands(&page);
    assert!(shown.len() > 4, "the README shows examples");
    let wrong: Vec<String> = in_new_netns(|| {
        let mut machine = DeveloperMachine::start();
        machine.type_in("shop", "python3 -m http.server 3000");
        machine.wait_for(&["3000"]);
        machine.serve("monitor", 10309);
        machine.serve_postgres();
        machine.connect();
        machine.check_all("README.md", &shown, None, &[])
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[live_test(
    Linux,
    Root,
    NETWORK_NAMESPACE,
    MOUNT_NAMESPACE,
    Program("python3"),
    Program("setsid"),
    Program("bash")
)]
fn every_command_of_a_page_is_valid() {
    let pages = [
        "README.md",
        "docs/start.md",
        "docs/options.md",
        "docs/exit-codes.md",
        "docs/free.md",
        "docs/next.md",
        "docs/wait.md",
    ];
    let texts = pages.map(|page| read(Path::new(page)));
    let in_blocks = texts.iter().flat_map(|text| text.lines().map(str::to_owned));
    let written: BTreeSet<String> =
        texts.iter().flat_map(|text| inline_code(text)).chain(in_blocks).collect();
    // Forms of commands, and parts of longer commands, are not commands.
    let is_command = |text: &&String| text.starts_with("allears ") && !text.contains(['<', '>', '&']);
    let forms = ["[OPTIONS]", "[TARGET]", "COMMAND", "bash|"];
    let is_form = |text: &&String| forms.iter().any(|form| text.contains(form));
    let commands: Vec<&String> = written.iter().filter(is_command).filter(|text| !is_form(text)).collect();
    assert!(commands.len() > 30, "only {commands:?}");
    let refused: Vec<String> = in_new_netns(|| {
        let mut machine = DeveloperMachine::start();
        machine.serve("shop", 3000);
        let saved = machine.run("allears --json >before.json && cp before.json theirs.json", &[]);
        saved.assert(saved.status.success(), "a snapshot is saved");
        let run = |command: &&String| {
            let placeholders = [
                ("PORT", "3000"),
                ("FILE", "before.json"),
                ("DIR", "."),
                (" TARGET...", " 3000"),
                (" NAME", " why"),
            ];
            let command =
                placeholders.iter().fold((*command).clone(), |text, (form, value)| text.replace(form, value));
            // A screen does not end by itself, and a server may never start.
            let seen = machine.run(&format!("timeout 0.3 {command}"), &[]);
            let refused = seen.status.code() == Some(2) || seen.both_streams().contains("panicked");
            refused.then(|| format!("{command}: {}", seen.both_streams()))
        };
        commands.iter().filter_map(run).collect()
    });
    assert!(refused.is_empty(), "{}", refused.join("\n\n"));
}

/// The exit code that a section states.
fn exit_code(section: &Section) -> i32 {
    let stated: Vec<&str> = section.text.split("Exit code ").skip(1).collect();
    assert_eq!(stated.len(), 1, "exit codes that this section states: {}", section.heading);
    let digits: String = stated[0].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no exit code in: {}", section.heading))
}

/// Writes the output of a command into the page, without the notes that come from the test's environment.
fn update(page: &str, shown: &Shown, output: &str) {
    let block = |lines: &[&str]| format!("$ {}\n{}\n```", shown.command, lines.join("\n"));
    let old: Vec<&str> = shown.output.iter().map(String::as_str).collect();
    let new: Vec<&str> =
        output.lines().filter(|line| !line.starts_with("note: this is not the machine's first")).collect();
    let old = if old.is_empty() { format!("$ {}\n```", shown.command) } else { block(&old) };
    let text = read(Path::new(page));
    assert!(text.contains(&old), "{page} has this block no more:\n{old}");
    fs::write(page, text.replacen(&old, &block(&new), 1)).expect("write a page");
}

/// The words of a text with one blank between them, and `N` for each number that is neither a port of these pages nor,
/// with two digits or more, in the command.
fn words(text: &str, command: &str) -> String {
    const PORTS: [&str; 7] = ["80", "3000", "3001", "5432", "8000", "8080", "10309"];
    let in_command = command.split(|letter: char| !letter.is_ascii_digit()).filter(|number| number.len() > 1);
    let kept: Vec<&str> = in_command.chain(PORTS).collect();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        let end = number.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(number.len());
        let (number, after) = number.split_at(end);
        plain.push_str(before);
        let is_time = [" ms", " s ", " min"].iter().any(|unit| after.starts_with(unit));
        plain.push_str(if kept.contains(&number) && !is_time { number } else { "N" });
        rest = after;
    }
    plain.push_str(rest);
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    // How long something took, in any unit.
    ["N.N s", "N ms", "N min"].iter().fold(plain, |plain, time| plain.replace(time, "N s"))
}
