//! What a run of the program gave: its status and both streams.
//! A failing assertion shows the command, the status and both streams.

use super::PATIENCE;
use super::documents;
use super::fixture::shorten;
use std::fmt::Debug;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// The result of a run.
pub(crate) struct Output {
    shown: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// The time from its start to its end.
    pub(crate) took: Duration,
}

impl Output {
    /// Waits for the end of `child`.
    pub(super) fn wait_for(mut child: Child, shown: String, began: Instant) -> Self {
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
        let output = Self { shown, status, stdout, stderr, took };
        let both = lossy(&output.stdout) + &output.errors();
        output.assert(!both.contains(super::SECRET), "it showed the environment of a process");
        output
    }

    /// Records what it printed as documents of this schema.
    pub(super) fn record(self, schema: Option<&'static str>) -> Self {
        if let Some(schema) = schema {
            documents::record(schema, &self.stdout, self.status.code().is_some(), &self.shown);
        }
        self
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        self.assert_eq(self.status.code(), Some(code), "exit code");
        self
    }

    /// Returns standard output as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        match std::str::from_utf8(&self.stdout) {
            Ok(text) => text,
            Err(error) => self.fail(&format!("standard output is not UTF-8: {error}")),
        }
    }

    /// Returns standard error as text.
    pub(crate) fn errors(&self) -> String {
        lossy(&self.stderr)
    }

    /// Returns standard output and then standard error as text.
    #[track_caller]
    pub(crate) fn both_streams(&self) -> String {
        self.text().to_owned() + &self.errors()
    }

    /// Asserts that the two are equal. A failure shows the whole run.
    #[track_caller]
    pub(crate) fn assert_eq<A: Debug + PartialEq<B>, B: Debug>(&self, got: A, wanted: B, what: &str) {
        if got != wanted {
            self.fail(&format!("{what}: got {got:?}, wanted {wanted:?}"));
        }
    }

    /// Asserts that `holds` is true. A failure shows the whole run.
    #[track_caller]
    pub(crate) fn assert(&self, holds: bool, what: &str) {
        if !holds {
            self.fail(what);
        }
    }

    /// Asserts that it did not panic and was not killed by a signal.
    #[track_caller]
    pub(crate) fn without_panic(self) -> Self {
        let errors = self.errors();
        self.assert(!errors.contains("panicked") && !errors.contains("RUST_BACKTRACE"), "it panicked");
        self.assert(self.status.code().is_some(), "it was ended by a signal");
        self
    }

    /// Fails the test, and shows the command, the status and both streams.
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

fn read_all(mut stream: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _what_came_until_then = stream.read_to_end(&mut bytes);
        bytes
    })
}

/// Escapes the characters that a terminal would act upon.
fn visible(text: &str) -> String {
    let show = |letter: char| {
        let live = super::control_character(letter.encode_utf8(&mut [0; 4])).is_some();
        if live { letter.escape_unicode().to_string() } else { letter.to_string() }
    };
    text.chars().map(show).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
