//! A machine of a developer, on which the commands of the pages run.

use super::{update, words};
use crate::docs::Shown;
use crate::support::{Cmd, Fixture, Output, Steps, copy_of, fixture_program, folder, program, until};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};
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

/// A machine of a developer: users, folders of projects, the program on the PATH, and terminals in which servers run.
pub(super) struct DeveloperMachine {
    /// The user who types the commands.
    pub(super) user: u32,
    postgres: u32,
    terminals: Vec<Terminal>,
    fixtures: Vec<Fixture>,
}

/// A shell in a terminal. Dropping it ends the shell and everything that was started in it.
struct Terminal {
    keys: File,
    shell: Child,
}

impl DeveloperMachine {
    /// Sets the machine up in the calling thread, which has its own network namespace.
    pub(super) fn start() -> Self {
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
        // A folder in which sudo searches for programs.
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
    pub(super) fn folder(project: &str) -> std::path::PathBuf {
        Path::new("/home/dev/src").join(project)
    }

    pub(super) fn write(&self, project: &str, name: &str, text: &str) {
        fs::write(Self::folder(project).join(name), text).expect("write a file of a project");
    }

    /// Types a command into a new terminal, in the folder of a project.
    pub(super) fn type_in(&mut self, project: &str, command: &str) {
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
    pub(super) fn press_ctrl_z(&mut self) {
        let terminal = self.terminals.last_mut().expect("a terminal");
        terminal.keys.write_all(b"\x1a").expect("press a key");
        until(|| Cmd::new(["3000"]).run().text().contains("\n  state ").then_some(()))
            .expect("the server is stopped");
    }

    /// A server of files, which listens when this returns.
    pub(super) fn serve(&mut self, project: &str, port: u16) {
        self.type_in(project, &format!("python3 -m http.server {port} --bind 127.0.0.1"));
        self.wait_for(&[&format!("127.0.0.1:{port}")]);
    }

    /// A client of port 3000.
    pub(super) fn connect(&mut self) {
        let client =
            "import socket, time\ns = socket.create_connection(('127.0.0.1', 3000))\ntime.sleep(600)\n";
        self.write("monitor", "client.py", client);
        self.type_in("monitor", "python3 client.py");
        self.wait_for(&["--all", "-c", "client.py"]);
    }

    /// A listener of another user.
    pub(super) fn serve_postgres(&mut self) {
        // A copy, since a hard link would change the fixture for a test that packs it into an image meanwhile.
        let program = folder().join("postgres");
        if !program.exists() {
            fs::copy(fixture_program(), &program).expect("copy the fixture");
        }
        let server = Steps::new(["tcp=127.0.0.1:5432"]).program(program).user(Some(self.postgres)).start();
        self.fixtures.push(server);
    }

    /// Waits until a list with these arguments has a row.
    pub(super) fn wait_for(&self, arguments: &[&str]) {
        let found = || Cmd::new(arguments.iter().copied().chain(["-q"])).run().status.success().then_some(());
        until(found).unwrap_or_else(|| panic!("never there: {arguments:?}"));
    }

    /// Runs a command as it is typed, in a terminal of 100 columns.
    pub(super) fn run(&self, command: &str, environment_too: &[(&str, &str)]) -> Output {
        let mut launcher = vec!["env".to_owned(), "--chdir=/home/dev/src/shop".to_owned()];
        launcher.extend(environment().iter().map(|(name, value)| format!("{name}={value}")));
        launcher.extend(environment_too.iter().map(|(name, value)| format!("{name}={value}")));
        // Both streams are the terminal, as they are for a typed command.
        launcher.extend(["sh", "-c", &format!("exec 2>&1\n{command}"), "sh"].map(str::to_owned));
        Cmd::new([""; 0]).through(launcher).user(Some(self.user)).run_on_terminal(100)
    }

    /// Runs the commands of a page. Returns what is wrong with the page.
    pub(super) fn check_all(
        &self,
        page: &str,
        shown: &[Shown],
        code: Option<i32>,
        environment_too: &[(&str, &str)],
    ) -> Vec<String> {
        shown.iter().filter_map(|shown| self.check(page, shown, code, environment_too)).collect()
    }

    /// Runs a command of a page. Returns what is wrong with the page, or `None`.
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
        // The shell is killed first, so that it starts nothing more, and reaped last, so that its session id is not reused.
        // SIGHUP is not enough: the tests may run with SIGHUP ignored, which is inherited.
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
