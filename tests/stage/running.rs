//! A run of the program that goes on while a test does other things.

use super::look::{Look, Seen};
use super::place::spawn;
use std::process::{Child, ChildStdout};
use std::time::{Duration, Instant};

/// A started program, ended when this is dropped.
pub(crate) struct Running {
    child: Option<Child>,
    shown: String,
    began: Instant,
}

impl Look {
    /// Starts it.
    pub(crate) fn start(self) -> Running {
        let (mut command, shown) = self.command();
        let began = Instant::now();
        let child = spawn(&mut command, &shown);
        Running { child: Some(child), shown, began }
    }
}

impl Running {
    /// How it was called.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// What it writes, for whoever reads it before it has ended.
    pub(super) fn output(&mut self) -> ChildStdout {
        let child = self.child.as_mut().expect("started and not ended");
        child.stdout.take().expect("standard output is a pipe that nobody else has")
    }

    /// It is still running after so long.
    #[track_caller]
    pub(crate) fn goes_on_for(mut self, time: Duration) -> Self {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            let child = self.child.as_mut().expect("started and not ended");
            if !matches!(child.try_wait(), Ok(None)) {
                self.end().fail(&format!("it ended within {time:?}, and had to wait longer"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self
    }

    /// What Ctrl-C sends.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        self.signal(nix::sys::signal::Signal::SIGINT);
    }

    /// What a supervisor sends.
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

    /// Its pid.
    #[cfg(unix)]
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("started and not ended").id()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Seen {
        let child = self.child.take().expect("started and not ended");
        Seen::of(child, std::mem::take(&mut self.shown), self.began)
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
