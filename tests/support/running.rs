//! A run of the program that continues while a test does other things.

use super::programs::spawn;
use super::{Cmd, Output};
use std::process::{Child, ChildStdout};
use std::time::{Duration, Instant};

/// A started program. It is killed when this is dropped.
pub(crate) struct Running {
    child: Option<Child>,
    shown: String,
    /// The schema of what it prints, if that is JSON.
    schema: Option<&'static str>,
    began: Instant,
}

impl Cmd {
    /// Starts it.
    pub(crate) fn start(self) -> Running {
        let schema = self.schema();
        let (mut command, shown) = self.command();
        let began = Instant::now();
        let child = spawn(&mut command, &shown);
        Running { child: Some(child), shown, schema, began }
    }
}

impl Running {
    /// Returns its command line.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Returns the schema of what it prints, if that is JSON.
    pub(super) fn schema(&self) -> Option<&'static str> {
        self.schema
    }

    /// Returns its standard output, for a reader that starts before it has ended.
    pub(super) fn output(&mut self) -> ChildStdout {
        let child = self.child.as_mut().expect("started and not ended");
        child.stdout.take().expect("standard output is a pipe that nobody has taken")
    }

    /// Asserts that it keeps running for so long.
    #[track_caller]
    pub(crate) fn must_keep_running(mut self, time: Duration) -> Self {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            let child = self.child.as_mut().expect("started and not ended");
            if !matches!(child.try_wait(), Ok(None)) {
                self.wait().fail(&format!("it ended within {time:?} and should have waited longer"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self
    }

    /// Sends SIGINT, as Ctrl-C does.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        self.signal(nix::sys::signal::Signal::SIGINT);
    }

    /// Sends SIGTERM, as a supervisor does.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
    }

    #[cfg(unix)]
    fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).expect("a pid"));
        // Not reaped yet, so the pid is still its own.
        nix::sys::signal::kill(pid, signal).expect("send a signal");
    }

    /// Returns its pid.
    #[cfg(unix)]
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("started and not ended").id()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Output {
        let child = self.child.take().expect("started and not ended");
        Output::wait_for(child, std::mem::take(&mut self.shown), self.began).record(self.schema)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _may_have_ended_just_now = child.kill();
            let _reaped = child.wait();
        }
    }
}
