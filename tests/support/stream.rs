//! A run of the program whose output is read line by line while it runs.

use super::running::Running;
use super::{Cmd, Output, documents};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

/// A started program. It is killed when this is dropped.
pub(crate) struct Stream {
    running: Running,
    lines: Receiver<String>,
    read: Vec<String>,
}

impl Cmd {
    /// Starts it.
    pub(crate) fn stream(self) -> Stream {
        let mut running = self.start();
        let output = running.output();
        let (schema, shown) = (running.schema(), running.shown().to_owned());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Without a receiver the reading end is closed.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // A program that is killed may leave a part of a line.
                if let Some(schema) = schema.filter(|_| line.ends_with('}')) {
                    documents::add(schema, &line, &shown);
                }
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Stream { running, lines, read: Vec::new() }
    }
}

impl Stream {
    /// Waits for a line for which `is_it` holds, and returns it.
    #[track_caller]
    pub(crate) fn line(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + super::PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!(
                    "{what}: no such line in the output of {}\n{}",
                    self.running.shown(),
                    self.read.join("\n")
                );
            };
            self.read.push(line.clone());
            if is_it(&line) {
                return line;
            }
        }
    }

    /// Waits for an event of this name, and returns it.
    #[track_caller]
    pub(crate) fn event(&mut self, name: &str) -> Value {
        let read = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_default();
        let line = self.line(name, |line| read(line)["event"] == name);
        read(&line)
    }

    /// Returns all lines read so far.
    pub(crate) fn read(&self) -> &[String] {
        &self.read
    }

    /// Sends SIGINT, as Ctrl-C does.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        self.running.interrupt();
    }

    /// Sends SIGTERM, as a supervisor does.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        self.running.terminate();
    }

    /// Returns its pid.
    #[cfg(unix)]
    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Waits for its end.
    pub(crate) fn wait(self) -> Output {
        self.running.wait()
    }
}
