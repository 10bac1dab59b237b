//! Starts fixtures, reads their reports, and ends them by their pid.

use super::fixture_program;
use super::programs::{for_everyone, spawn};
use serde_json::Value;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The steps of a fixture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps {
    arguments: Vec<OsString>,
    program: Option<PathBuf>,
    user: Option<u32>,
    launcher: Vec<String>,
    directory: Option<PathBuf>,
    #[cfg(windows)]
    creation: u32,
}

impl Steps {
    /// Creates the steps, which the documentation of the fixture lists.
    pub(crate) fn new<S: Into<String>>(steps: impl IntoIterator<Item = S>) -> Self {
        let arguments = steps.into_iter().map(|step| OsString::from(step.into())).collect();
        Self { arguments, ..Self::default() }
    }

    /// Adds a step whose value may be any bytes but NUL.
    #[cfg(unix)]
    pub(crate) fn bytes(mut self, word: &str, value: &[u8]) -> Self {
        let mut step = format!("{word}=").into_bytes();
        step.extend_from_slice(value);
        self.arguments.push(std::os::unix::ffi::OsStringExt::from_vec(step));
        self
    }

    /// Runs this copy of the fixture.
    pub(crate) fn program(mut self, program: PathBuf) -> Self {
        self.program = Some(program);
        self
    }

    /// Runs it as this user from its start, which only root can.
    pub(crate) fn user(mut self, user: Option<u32>) -> Self {
        self.user = user;
        self
    }

    /// Runs in this folder.
    pub(crate) fn directory(mut self, directory: &std::path::Path) -> Self {
        self.directory = Some(directory.to_path_buf());
        self
    }

    /// Runs through another program, such as `ip netns exec`.
    pub(crate) fn through<S: Into<String>>(mut self, launcher: impl IntoIterator<Item = S>) -> Self {
        self.launcher = launcher.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a step.
    #[cfg(windows)]
    pub(crate) fn step(mut self, step: &str) -> Self {
        self.arguments.push(step.into());
        self
    }

    /// Adds an argument of any UTF-16 units but NUL.
    #[cfg(windows)]
    pub(crate) fn wide(mut self, argument: &[u16]) -> Self {
        self.arguments.push(std::os::windows::ffi::OsStringExt::from_wide(argument));
        self
    }

    /// Sets the creation flags of Windows.
    #[cfg(windows)]
    pub(crate) fn creation(mut self, flags: u32) -> Self {
        self.creation = flags;
        self
    }

    /// Starts it, and returns when all steps are done.
    pub(crate) fn start(self) -> Fixture {
        let program = self.program.unwrap_or_else(fixture_program);
        let program = if self.user.is_some() { for_everyone(&program) } else { program };
        let mut words = self.launcher.iter().map(OsString::from).chain([program.into_os_string()]);
        let mut command = Command::new(words.next().expect("the fixture at least"));
        command.args(words).args(&self.arguments).env_clear();
        for name in ["PATH", "SystemRoot"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        // A secret that no output may show.
        command.env("ALLEARS_TEST_SECRET", super::SECRET);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        if let Some(user) = self.user {
            std::os::unix::process::CommandExt::uid(&mut command, user);
            std::os::unix::process::CommandExt::gid(&mut command, user);
        }
        #[cfg(windows)]
        std::os::windows::process::CommandExt::creation_flags(&mut command, self.creation);
        let shown = shorten(&format!("{command:?}"));
        let mut child = spawn(&mut command, &shown);
        let reported = first_line(&mut child);
        let reported = reported.and_then(|line| serde_json::from_str(&line).ok());
        let Some(reported) = reported else {
            // It reports or ends. In both cases its standard error has the reason.
            let _may_have_ended = child.kill();
            let output = child.wait_with_output().expect("a started fixture can be waited for");
            panic!("{shown} staged nothing: {}", String::from_utf8_lossy(&output.stderr));
        };
        Fixture { child, reported }
    }
}

/// A running fixture. It ends when this is dropped.
pub(crate) struct Fixture {
    child: Child,
    reported: Value,
}

impl Fixture {
    /// Starts a fixture with these steps.
    pub(crate) fn start<S: Into<String>>(steps: impl IntoIterator<Item = S>) -> Self {
        Steps::new(steps).start()
    }

    /// Returns its pid in this pid namespace.
    pub(crate) fn pid(&self) -> u32 {
        number(&self.reported, "outer_pid")
    }

    /// Returns its exit code. It must have ended.
    #[cfg(windows)]
    pub(crate) fn code(&mut self) -> u32 {
        let status = super::until(|| self.child.try_wait().ok().flatten()).expect("it has ended");
        status.code().expect("every program ends with an exit code here").cast_unsigned()
    }

    /// Returns its pid and those of its children, ascending, in its pid namespace.
    pub(crate) fn family(&self) -> Vec<u32> {
        let children = self.reported.get("children").and_then(Value::as_array).cloned().unwrap_or_default();
        let children = children.iter().filter_map(|pid| u32::try_from(pid.as_u64()?).ok());
        let mut pids: Vec<u32> = children.chain([number(&self.reported, "pid")]).collect();
        pids.sort_unstable();
        pids
    }

    /// Returns the pids of its children, in the order of their creation.
    pub(crate) fn children(&self) -> Vec<u32> {
        let own = number(&self.reported, "pid");
        self.family().into_iter().filter(|pid| *pid != own).collect()
    }

    /// Returns the port of its first socket.
    pub(crate) fn port(&self) -> u16 {
        u16::try_from(self.socket(0).get("port").and_then(Value::as_u64).unwrap_or_default()).expect("a port")
    }

    /// Returns its report on the socket opened by its n-th socket step.
    pub(crate) fn socket(&self, index: usize) -> &Value {
        self.reported
            .get("sockets")
            .and_then(|sockets| sockets.get(index))
            .expect("so many sockets were staged")
    }

    /// Returns the inode of that socket.
    pub(crate) fn inode(&self, index: usize) -> u64 {
        self.socket(index).get("inode").and_then(Value::as_u64).expect("sockets have inodes on Unix")
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // Not reaped yet, so the pid is still its own.
        let _may_have_ended_just_now = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn first_line(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        if reader.read_line(&mut line).is_ok_and(|length| length > 0) {
            let _nobody_waits_any_more = sender.send(line);
        }
        drop(sender);
        let _kept_open_to_its_end = reader.read_to_end(&mut Vec::new());
    });
    receiver.recv_timeout(super::PATIENCE).ok()
}

fn number(reported: &Value, key: &str) -> u32 {
    reported
        .get(key)
        .and_then(Value::as_u64)
        .and_then(|pid| u32::try_from(pid).ok())
        .expect("a pid was reported")
}

/// Shortens text for messages: command lines may have megabytes.
pub(super) fn shorten(text: &str) -> String {
    if text.len() < 2_000 {
        text.to_owned()
    } else {
        format!("{} ...", text.chars().take(2_000).collect::<String>())
    }
}
