//! A run of the program whose lines are read while it goes on.

use super::look::{Look, Seen};
use super::running::Running;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

/// A started program, ended when this is dropped.
pub(crate) struct Stream {
    running: Running,
    lines: Receiver<String>,
    read: Vec<String>,
}

impl Look {
    /// Starts it.
    pub(crate) fn stream(self) -> Stream {
        let mut running = self.start();
        let output = running.output();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Whoever asks for no more lines has the reading end closed.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Stream { running, lines, read: Vec::new() }
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
                panic!("{what}: no such line from {}\n{}", self.running.shown(), self.read.join("\n"));
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
        self.running.interrupt();
    }

    /// What a supervisor sends.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        self.running.terminate();
    }

    /// Its pid.
    #[cfg(unix)]
    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Seen {
        self.running.end()
    }
}
