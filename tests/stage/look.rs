//! One run of the program under test: with what it is started, and all that came of it.
//! Failing assertions show the command, the status and both streams.

use super::fixture::shorten;
use super::place::{self, for_everyone, spawn};
use super::{Answer, PATIENCE};
use std::ffi::OsString;
use std::fmt::Debug;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What to run, and how.
pub(crate) struct Look {
    launcher: Vec<OsString>,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    user: Option<u32>,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
}

impl Look {
    /// The program with these arguments and an empty environment but for the PATH.
    pub(crate) fn at<S: Into<String>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self {
            launcher: Vec::new(),
            arguments: arguments.into_iter().map(|argument| OsString::from(argument.into())).collect(),
            environment: Vec::new(),
            user: None,
            stdin: None,
            stdout: None,
        }
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As this user; only root may say so.
    pub(crate) fn user(mut self, user: Option<u32>) -> Self {
        self.user = user;
        self
    }

    /// Through another program, which is given the path of this one and its arguments.
    pub(crate) fn through<S: Into<String>>(mut self, launcher: impl IntoIterator<Item = S>) -> Self {
        self.launcher = launcher.into_iter().map(|word| OsString::from(word.into())).collect();
        self
    }

    /// In the namespaces of another process: `["net"]`, `["net", "pid", "mount"]`.
    pub(crate) fn inside<'a>(self, pid: u32, namespaces: impl IntoIterator<Item = &'a str>) -> Self {
        let mut launcher = vec!["nsenter".to_owned(), format!("--target={pid}")];
        launcher.extend(namespaces.into_iter().map(|namespace| format!("--{namespace}")));
        self.through(launcher)
    }

    /// Standard input comes from there, and not from nowhere.
    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Standard output goes there, and not into [`Seen`].
    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// The command, and its text for messages.
    pub(super) fn command(self) -> (Command, String) {
        // A launcher may change the user too, so it gets what everyone can run.
        let foreign = self.user.is_some() || !self.launcher.is_empty();
        let program = if foreign { for_everyone(&place::program()) } else { place::program() };
        let mut arguments = self.arguments;
        if let (Some(search), false) = (std::env::var_os("ALLEARS_HOLDERS"), foreign) {
            by_search(&mut arguments, search);
        }
        let words: Vec<OsString> =
            self.launcher.into_iter().chain([program.into_os_string()]).chain(arguments).collect();
        let (first, rest) = words.split_first().expect("the program at least");
        let mut command = Command::new(first);
        command.args(rest).env_clear().envs(self.environment);
        for name in ["PATH", "SystemRoot"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        #[cfg(unix)]
        if let Some(user) = self.user {
            std::os::unix::process::CommandExt::uid(&mut command, user);
            std::os::unix::process::CommandExt::gid(&mut command, user);
        }
        command.stdin(self.stdin.unwrap_or_else(Stdio::null)).stderr(Stdio::piped());
        command.stdout(self.stdout.unwrap_or_else(Stdio::piped));
        let user = self.user.map(|user| format!(" as uid {user}")).unwrap_or_default();
        let shown = shorten(&format!("{command:?}{user}"));
        (command, shown)
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Seen {
        let (mut command, shown) = self.command();
        let began = Instant::now();
        let child = spawn(&mut command, &shown);
        // The command keeps its end of a pipe that was handed to it.
        drop(command);
        Seen::of(child, shown, began)
    }

    /// Runs it, wants exit code `code`, and reads standard output as the JSON document.
    #[track_caller]
    pub(crate) fn answer(mut self, code: i32) -> Answer {
        self.arguments.insert(0, "--json".into());
        Answer::of(self.run().code(code))
    }
}

/// What came of a run.
pub(crate) struct Seen {
    shown: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// From its start to its end.
    pub(crate) took: Duration,
}

impl Seen {
    /// Waits for its end.
    pub(super) fn of(mut child: Child, shown: String, began: Instant) -> Self {
        let stdout = child.stdout.take().map(read_all);
        let stderr = child.stderr.take().map(read_all);
        let status = super::until(|| child.try_wait().ok().flatten());
        if status.is_none() {
            let _may_have_ended_just_now = child.kill();
            let _reaped = child.wait();
        }
        let took = began.elapsed();
        let stdout = stdout.and_then(|reader| reader.join().ok()).unwrap_or_default();
        let stderr = stderr.and_then(|reader| reader.join().ok()).unwrap_or_default();
        let Some(status) = status else {
            panic!("{shown} did not end within {PATIENCE:?}\n--- stderr\n{}", lossy(&stderr));
        };
        Self::new(shown, status, stdout, stderr, took)
    }

    pub(super) fn new(
        shown: String,
        status: ExitStatus,
        stdout: Vec<u8>,
        stderr: Vec<u8>,
        took: Duration,
    ) -> Self {
        let seen = Self { shown, status, stdout, stderr, took };
        let told = lossy(&seen.stdout) + &seen.errors();
        seen.must(!told.contains(super::SECRET), "it read and showed a process's environment");
        seen
    }

    /// Wants this exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        self.equal(self.status.code(), Some(code), "exit code");
        self
    }

    /// Standard output as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        match std::str::from_utf8(&self.stdout) {
            Ok(text) => text,
            Err(error) => self.fail(&format!("standard output is not UTF-8: {error}")),
        }
    }

    /// Standard error as text.
    pub(crate) fn errors(&self) -> String {
        lossy(&self.stderr)
    }

    /// Fails with all that is known of the run unless the two are equal.
    #[track_caller]
    pub(crate) fn equal<A: Debug + PartialEq<B>, B: Debug>(&self, got: A, wanted: B, what: &str) {
        if got != wanted {
            self.fail(&format!("{what}: got {got:?}, wanted {wanted:?}"));
        }
    }

    /// Fails with all that is known of the run unless `holds`.
    #[track_caller]
    pub(crate) fn must(&self, holds: bool, what: &str) {
        if !holds {
            self.fail(what);
        }
    }

    /// No panic, whatever else; a panic is never an answer.
    #[track_caller]
    pub(crate) fn without_panic(self) -> Self {
        let errors = self.errors();
        self.must(!errors.contains("panicked") && !errors.contains("RUST_BACKTRACE"), "it panicked");
        self.must(self.status.code().is_some(), "it was ended by a signal");
        self
    }

    /// Panics with the command, the status and both streams.
    #[track_caller]
    pub(crate) fn fail(&self, what: &str) -> ! {
        panic!(
            "{what}\n--- command\n{}\n--- {} after {:?}\n--- stdout\n{}\n--- stderr\n{}\n---",
            self.shown,
            self.status,
            self.took,
            shorten(&visible(&lossy(&self.stdout))),
            shorten(&visible(&lossy(&self.stderr))),
        )
    }
}

/// Has every list find holders the way that `ALLEARS_HOLDERS` names, so that all trials can be run for each.
fn by_search(arguments: &mut Vec<OsString>, search: OsString) {
    const COMMANDS: [&str; 9] =
        ["why", "free", "wait", "watch", "diff", "about", "completions", "man", "--from"];
    let is = |argument: &OsString, word: &str| argument.as_os_str() == word;
    let elsewhere = |argument: &OsString| COMMANDS.iter().any(|word| is(argument, word));
    if !arguments.iter().any(|argument| elsewhere(argument) || is(argument, "--holders")) {
        arguments.splice(0..0, ["--holders".into(), search]);
    }
}

fn read_all(mut stream: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _what_came_until_then = stream.read_to_end(&mut bytes);
        bytes
    })
}

/// A report must not do to a terminal what the program is tested not to do.
fn visible(text: &str) -> String {
    let show = |letter: char| {
        let live = super::live_character(letter.encode_utf8(&mut [0; 4])).is_some();
        if live { letter.escape_unicode().to_string() } else { letter.to_string() }
    };
    text.chars().map(show).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
