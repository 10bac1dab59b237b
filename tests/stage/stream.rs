//! A run of the program whose lines are read while it goes on.

use super::look::{Look, Seen};
use super::place::spawn;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

/// A started program, ended when this is dropped.
pub(crate) struct Stream {
    child: Option<Child>,
    shown: String,
    began: Instant,
    lines: Receiver<String>,
    read: Vec<String>,
}

impl Look {
    /// Starts it.
    pub(crate) fn stream(self) -> Stream {
        let (mut command, shown) = self.command();
        let began = Instant::now();
        let mut child = spawn(&mut command, &shown);
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Whoever asks for no more lines has the reading end closed.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Stream { child: Some(child), shown, began, lines, read: Vec::new() }
    }
}

impl Stream {
    /// Waits for a line that is the one, and gives it.
    #[track_caller]
    pub(crate) fn line(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + super::PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("{what}: no such line from {}\n{}", self.shown, self.read.join("\n"));
            };
            self.read.push(line.clone());
            if is_it(&line) {
                return line;
            }
        }
    }

    /// Waits for an event of this name, and gives it.
    #[track_caller]
    pub(crate) fn event(&mut self, name: &str) -> Value {
        let read = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_default();
        let line = self.line(name, |line| read(line)["event"] == name);
        read(&line)
    }

    /// All lines that were read.
    pub(crate) fn read(&self) -> &[String] {
        &self.read
    }

    /// What Ctrl-C sends.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        let pid = self.child.as_ref().expect("started and not ended").id();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a pid"));
        // Not reaped yet, so the pid is still its own.
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("send SIGINT");
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Seen {
        let child = self.child.take().expect("started and not ended");
        Seen::of(child, std::mem::take(&mut self.shown), self.began)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _may_have_ended_just_now = child.kill();
            let _reaped = child.wait();
        }
    }
}
