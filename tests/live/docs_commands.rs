//! The commands of docs/questions.md and of the README do what the pages show: each is run exactly as it is printed, on
//! a terminal of 100 columns, as the user `dev` of a machine that is staged for it.
//!
//! Every line that a page shows must be in the output, in that order. Numbers may differ, except those of ports and
//! those in the command. The output may have more lines, which the surroundings of a test add. A page that leaves some
//! out shows `...` there.
//!
//! With `ALLEARS_UPDATE_DOCS=1` the pages get what the program prints instead, to be read before it is committed.

#![cfg(target_os = "linux")]

use crate::docs::{Section, Shown, commands, inline_code, read, sections};
use crate::support::{
    Cmd, Engine, Fixture, Output, Steps, copy_of, fixture_program, folder, in_new_netns, ip, live_test,
    program, until,
};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const DEV: u32 = 1000;

/// The account `postgres` of the next machine, which no other process has: it would be a candidate.
static POSTGRES: AtomicU32 = AtomicU32::new(64_105);

/// The page of questions.
const PAGE: &str = "docs/questions.md";

/// A question that needs a container engine, and so has a test of its own.
const CONTAINER: &str = "Which container has a port?";

/// A heading of the page, and how what it asks about is staged.
type Question = (&'static str, fn(&mut Machine));

/// All questions, in the order of the page.
const QUESTIONS: &[Question] = &[
    ("Which process uses a port?", |machine| machine.serve("monitor", 3000)),
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
        // The end that closes first is the one that waits.
        let server = "import socket\nwith socket.create_server(('127.0.0.1', 3000)) as server:\n    \
            client = socket.create_connection(('127.0.0.1', 3000))\n    accepted, _ = server.accept()\n    \
            accepted.close()\n    client.recv(1)\n    client.close()\n";
        machine.write("shop", "server.py", server);
        machine.type_in("shop", "python3 server.py; touch ended");
        let ended = Machine::folder("shop").join("ended");
        until(|| ended.exists().then_some(())).expect("the server has ended");
    }),
    ("Why is permission denied for port 80?", |_| {}),
    ("Why can an address not be assigned?", |_| {}),
    ("Why is the process of a port not shown?", Machine::serve_postgres),
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
fn every_question_of_the_book_is_answered_as_the_page_shows() {
    let page = read(Path::new(PAGE));
    let questions = sections(&page, "## ");
    let asked: Vec<&str> = questions.iter().map(|question| &*question.heading).collect();
    let staged: Vec<&str> = QUESTIONS.iter().map(|(heading, _)| *heading).collect();
    assert_eq!(asked, staged, "the questions of the page, and those that are staged here");
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
            let mut machine = Machine::start();
            stage(&mut machine);
            shown.iter().filter_map(|shown| machine.check(PAGE, shown, Some(code), &[])).collect::<Vec<_>>()
        }));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[live_test(PRIVATE_ENGINE)]
fn the_question_about_a_container_is_answered_as_the_page_shows() {
    let page = read(Path::new(PAGE));
    let questions = sections(&page, "## ");
    let question =
        questions.iter().find(|question| question.heading == CONTAINER).expect("it is on the page");
    let shown = commands(&question.text);
    let wrong: Vec<String> = in_new_netns(|| {
        ip("link set lo up");
        let engine = Engine::start(&[]);
        let mut machine = Machine::start();
        machine.user = 0;
        engine.another_image("web:3");
        let options = ["--publish", "8080:80", "--name", "web"];
        let _container = engine.run_image("web:3", &options, &["tcp=0.0.0.0:80"]);
        let host = engine.host.clone().expect("an engine of its own has an address");
        let check = |shown| machine.check(PAGE, shown, Some(exit_code(question)), &[("DOCKER_HOST", &host)]);
        shown.iter().filter_map(check).collect()
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
fn every_command_of_the_readme_does_what_it_shows() {
    let page = read(Path::new("README.md"));
    let shown = commands(&page);
    assert!(shown.len() > 4, "the README shows examples");
    let wrong: Vec<String> = in_new_netns(|| {
        let mut machine = Machine::start();
        machine.type_in("shop", "python3 -m http.server 3000");
        machine.wait_for(&["3000"]);
        machine.serve("monitor", 10309);
        machine.serve_postgres();
        machine.connect();
        shown.iter().filter_map(|shown| machine.check("README.md", shown, None, &[])).collect()
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
fn no_page_names_a_command_that_the_program_refuses() {
    let pages = [
        "README.md",
        "docs/start.md",
        "docs/options.md",
        "docs/exit-codes.md",
        "docs/free.md",
        "docs/wait.md",
    ];
    let texts = pages.map(|page| read(Path::new(page)));
    let in_blocks = texts.iter().flat_map(|text| text.lines().map(str::to_owned));
    let written: BTreeSet<String> =
        texts.iter().flat_map(|text| inline_code(text)).chain(in_blocks).collect();
    // Forms of commands, and parts of longer ones, are no commands.
    let is_command = |text: &&String| text.starts_with("allears ") && !text.contains(['<', '>', '&']);
    let forms = ["[OPTIONS]", "[TARGET]", "COMMAND", "bash|"];
    let is_form = |text: &&String| forms.iter().any(|form| text.contains(form));
    let commands: Vec<&String> = written.iter().filter(is_command).filter(|text| !is_form(text)).collect();
    assert!(commands.len() > 30, "only {commands:?}");
    let refused: Vec<String> = in_new_netns(|| {
        let mut machine = Machine::start();
        machine.serve("shop", 3000);
        let saved = machine.run("allears --json >before.json && cp before.json theirs.json", &[]);
        saved.assert(saved.status.success(), "a snapshot is saved");
        let run = |command: &&String| {
            let placeholders =
                [("PORT", "3000"), ("FILE", "before.json"), ("DIR", "."), (" TARGET...", " 3000")];
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

/// A machine of a developer: users, folders of projects, the program on the PATH, and terminals in which servers run.
struct Machine {
    user: u32,
    postgres: u32,
    terminals: Vec<Terminal>,
    fixtures: Vec<Fixture>,
}

/// A shell in a terminal. It ends when this is dropped, and with it all that was started there.
struct Terminal {
    keys: File,
    shell: Child,
}

impl Machine {
    /// Stages it where the calling thread is, which has a network of its own.
    fn start() -> Self {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("unshare the mounts");
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).expect("private mounts");
        let postgres = POSTGRES.fetch_add(1, Ordering::Relaxed);
        let users = folder().join(format!("users-{postgres}"));
        let accounts = format!(
            "root:x:0:0::/root:/bin/sh\ndev:x:1000:1000::/home/dev:/bin/sh\n\
            postgres:x:{postgres}:{postgres}::/nonexistent:/bin/false\n"
        );
        fs::write(&users, accounts).expect("write users");
        bind(&users, Path::new("/etc/passwd"));
        let built = copy_of(&program(), None);
        for place in ["/home", "/usr/local/sbin"] {
            let options = Some("mode=755");
            mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), options).expect("mount a tmpfs");
        }
        // In a folder in which sudo looks for programs.
        let installed = Path::new("/usr/local/sbin/allears");
        File::create(installed).expect("a place to mount the program");
        bind(&built, installed);
        let machine = Self { user: DEV, postgres, terminals: Vec::new(), fixtures: Vec::new() };
        for project in ["shop", "monitor"] {
            fs::create_dir_all(Self::folder(project).join(".git")).expect("make a project");
            machine.write(project, ".git/HEAD", "ref: refs/heads/main\n");
        }
        for owned in ["/home/dev", "/home/dev/src", "/home/dev/src/shop", "/home/dev/src/monitor"] {
            chown(owned, Some(DEV), Some(DEV)).expect("give a folder to its user");
        }
        machine
    }

    /// The folder of a project.
    fn folder(project: &str) -> std::path::PathBuf {
        Path::new("/home/dev/src").join(project)
    }

    fn write(&self, project: &str, name: &str, text: &str) {
        fs::write(Self::folder(project).join(name), text).expect("write a file of a project");
    }

    /// Types a command into a new terminal, in the folder of a project.
    fn type_in(&mut self, project: &str, command: &str) {
        let pair = nix::pty::openpty(None, None).expect("open a pseudo-terminal");
        let end = || Stdio::from(pair.slave.try_clone().expect("dup"));
        let mut shell = Command::new("setsid");
        shell
            .args(["--ctty", "--wait", "bash", "--norc", "--noprofile", "-i"])
            .current_dir(Self::folder(project));
        shell.env_clear().envs(environment()).uid(DEV).gid(DEV).stdin(end()).stdout(end()).stderr(end());
        let shell = shell.spawn().expect("start a shell");
        let mut keys = File::from(pair.master);
        writeln!(keys, "{command}").expect("type a command");
        self.terminals.push(Terminal { keys, shell });
    }

    /// Suspends what runs in the terminal that was opened last.
    fn press_ctrl_z(&mut self) {
        let terminal = self.terminals.last_mut().expect("a terminal");
        terminal.keys.write_all(b"\x1a").expect("press a key");
        until(|| Cmd::new(["3000"]).run().text().contains("\n  state ").then_some(()))
            .expect("the server is stopped");
    }

    /// A server of files, which listens when this returns.
    fn serve(&mut self, project: &str, port: u16) {
        self.type_in(project, &format!("python3 -m http.server {port} --bind 127.0.0.1"));
        self.wait_for(&[&format!("127.0.0.1:{port}")]);
    }

    /// A client of port 3000.
    fn connect(&mut self) {
        let client =
            "import socket, time\ns = socket.create_connection(('127.0.0.1', 3000))\ntime.sleep(600)\n";
        self.write("monitor", "client.py", client);
        self.type_in("monitor", "python3 client.py");
        self.wait_for(&["--all", "-c", "client.py"]);
    }

    /// A listener of another user.
    fn serve_postgres(&mut self) {
        // A copy, since a hard link would change the fixture for a test that packs it into an image meanwhile.
        let program = folder().join("postgres");
        if !program.exists() {
            fs::copy(fixture_program(), &program).expect("copy the fixture");
        }
        let server = Steps::new(["tcp=127.0.0.1:5432"]).program(program).user(Some(self.postgres)).start();
        self.fixtures.push(server);
    }

    /// Waits until a list with these arguments has a row.
    fn wait_for(&self, arguments: &[&str]) {
        let found = || Cmd::new(arguments.iter().copied().chain(["-q"])).run().status.success().then_some(());
        until(found).unwrap_or_else(|| panic!("never there: {arguments:?}"));
    }

    /// Runs a command as it is typed, in a terminal of 100 columns.
    fn run(&self, command: &str, environment_too: &[(&str, &str)]) -> Output {
        let mut launcher = vec!["env".to_owned(), "--chdir=/home/dev/src/shop".to_owned()];
        launcher.extend(environment().iter().map(|(name, value)| format!("{name}={value}")));
        launcher.extend(environment_too.iter().map(|(name, value)| format!("{name}={value}")));
        // Both streams are the terminal's, as they are for whoever types the command.
        launcher.extend(["sh", "-c", &format!("exec 2>&1\n{command}"), "sh"].map(str::to_owned));
        Cmd::new([""; 0]).through(launcher).user(Some(self.user)).run_on_terminal(100)
    }

    /// Runs a command of a page; what is wrong with the page, if anything is.
    fn check(
        &self,
        page: &str,
        shown: &Shown,
        code: Option<i32>,
        environment_too: &[(&str, &str)],
    ) -> Option<String> {
        let seen = self.run(&shown.command, environment_too);
        let output = seen.both_streams();
        let whole = words(&output, &shown.command);
        let mut rest = &*whole;
        let lines = shown.output.iter().filter(|line| line.trim() != "...");
        let missing = lines.map(|line| words(line, &shown.command)).find(|line| {
            let found = rest.find(&**line).and_then(|at| rest.get(at + line.len()..));
            rest = found.unwrap_or(rest);
            found.is_none()
        });
        let is_empty = shown.output.iter().all(|line| line.trim().is_empty());
        if (missing.is_some() || is_empty) && std::env::var_os("ALLEARS_UPDATE_DOCS").is_some() {
            update(page, shown, &output);
            return None;
        }
        let report =
            |what: &str| format!("{what}\n$ {}\n{output}[exit code {:?}]", shown.command, seen.status.code());
        if is_empty {
            return Some(report("the page shows no output"));
        }
        if let Some(line) = missing {
            return Some(report(&format!("the page shows this line, and the program does not: {line}")));
        }
        code.filter(|code| seen.status.code() != Some(*code))
            .map(|code| report(&format!("the page states {code}")))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The shell first, so that it starts nothing more. It is reaped last, so that its session stays its own. A hang-up
        // would not do: who runs the tests may have them ignore it, and what they start.
        let _may_have_ended = self.shell.kill();
        let session = Pid::from_raw(i32::try_from(self.shell.id()).expect("a pid"));
        let _none_left = until(|| {
            let left: Vec<Pid> = members(session).collect();
            for pid in &left {
                let _may_have_ended = kill(*pid, Signal::SIGKILL);
            }
            left.is_empty().then_some(())
        });
        let _reaped = self.shell.wait();
    }
}

/// Writes what a command printed into the page, without the notes that are due to the surroundings of the test.
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

/// The processes of a session that have not ended, except its leader.
fn members(session: Pid) -> impl Iterator<Item = Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Pid::from_raw);
    let has_ended = |pid: &Pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
    };
    pids.filter(move |pid| *pid != session && getsid(Some(*pid)) == Ok(session) && !has_ended(pid))
}

fn bind(from: &Path, to: &Path) {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .unwrap_or_else(|error| panic!("mount {} at {}: {error}", from.display(), to.display()));
}

fn environment() -> [(&'static str, &'static str); 5] {
    [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/home/dev"),
        ("USER", "dev"),
        ("TERM", "xterm"),
        ("NO_COLOR", "1"),
    ]
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
        plain.push_str(if kept.contains(&number) { number } else { "N" });
        rest = after;
    }
    plain.push_str(rest);
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    // How long something took, in any unit.
    ["N.N s", "N ms", "N min"].iter().fold(plain, |plain, time| plain.replace(time, "N s"))
}
