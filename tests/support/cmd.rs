//! A command line of the program under test, and how it is started.

use super::fixture::shorten;
use super::programs::{for_everyone, program, spawn};
use super::{JsonOutput, Output, documents};
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Instant;

/// A command line, and how it is started.
pub(crate) struct Cmd {
    launcher: Vec<OsString>,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    user: Option<u32>,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
}

impl Cmd {
    /// Runs the program with these arguments. The environment holds nothing but the PATH.
    pub(crate) fn new<S: Into<String>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self {
            launcher: Vec::new(),
            arguments: arguments.into_iter().map(|argument| OsString::from(argument.into())).collect(),
            environment: Vec::new(),
            user: None,
            stdin: None,
            stdout: None,
        }
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs it as this user, which only root can.
    pub(crate) fn user(mut self, user: Option<u32>) -> Self {
        self.user = user;
        self
    }

    /// Runs it through another program, which gets the path of this one and its arguments.
    pub(crate) fn through<S: Into<String>>(mut self, launcher: impl IntoIterator<Item = S>) -> Self {
        self.launcher = launcher.into_iter().map(|word| OsString::from(word.into())).collect();
        self
    }

    /// Runs it in the namespaces of another process: `["net"]`, `["net", "pid", "mount"]`.
    pub(crate) fn inside<'a>(self, pid: u32, namespaces: impl IntoIterator<Item = &'a str>) -> Self {
        let mut launcher = vec!["nsenter".to_owned(), format!("--target={pid}")];
        launcher.extend(namespaces.into_iter().map(|namespace| format!("--{namespace}")));
        self.through(launcher)
    }

    /// Sets standard input, which is empty by default.
    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Redirects standard output, which [`Output`] holds by default.
    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// Returns the schema of what it prints, if that is JSON.
    pub(super) fn schema(&self) -> Option<&'static str> {
        documents::schema(&self.arguments)
    }

    /// Returns the command, and its text for messages.
    pub(super) fn command(self) -> (Command, String) {
        // A launcher may change the user too, so it gets a copy that everyone can run.
        let foreign = self.user.is_some() || !self.launcher.is_empty();
        let program = if foreign { for_everyone(&program()) } else { program() };
        let mut arguments = self.arguments;
        if let (Some(search), false) = (std::env::var_os("ALLEARS_HOLDERS"), foreign) {
            add_holder_search(&mut arguments, search);
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

    /// Runs it and waits for its end.
    pub(crate) fn run(self) -> Output {
        let schema = self.schema();
        let (mut command, shown) = self.command();
        let began = Instant::now();
        let child = spawn(&mut command, &shown);
        // The command keeps its end of a pipe that was passed to it.
        drop(command);
        Output::wait_for(child, shown, began).record(schema)
    }

    /// Runs it with `--json`, asserts exit code `code`, and parses standard output.
    #[track_caller]
    pub(crate) fn answer(mut self, code: i32) -> JsonOutput {
        self.arguments.insert(0, "--json".into());
        JsonOutput::parse(self.run().code(code))
    }
}

/// Adds `--holders` with the value of `ALLEARS_HOLDERS`, so that all tests can run with each search for holders.
fn add_holder_search(arguments: &mut Vec<OsString>, search: OsString) {
    const COMMANDS: [&str; 13] = [
        "why",
        "free",
        "wait",
        "watch",
        "diff",
        "about",
        "next",
        "help",
        "completions",
        "__complete",
        "man",
        "schema",
        "--from",
    ];
    let is = |argument: &OsString, word: &str| argument.as_os_str() == word;
    let takes_no_search = |argument: &OsString| COMMANDS.iter().any(|word| is(argument, word));
    if !arguments.iter().any(|argument| takes_no_search(argument) || is(argument, "--holders")) {
        arguments.splice(0..0, ["--holders".into(), search]);
    }
}
