//! Runs the program with all three streams on a pseudo-terminal, and types into it.

use super::programs::spawn;
use super::{Cmd, Output};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// A program on a terminal. It is killed when this is dropped.
pub(crate) struct PtySession {
    child: Option<Child>,
    shown: String,
    began: Instant,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Cmd {
    /// Starts it on a new terminal.
    pub(crate) fn start_on_terminal(self) -> PtySession {
        let size = nix::pty::Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = nix::pty::openpty(Some(&size), None).expect("open a pseudo-terminal");
        let copy = || pair.slave.try_clone().expect("dup");
        let (mut command, shown) = self.stdout(copy()).command();
        command.stdin(copy()).stderr(copy());
        let began = Instant::now();
        let child = spawn(&mut command, &shown);
        // The terminal hangs up when the last writer is gone.
        drop((command, pair.slave));
        let keyboard = File::from(pair.master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut master, written) = (keyboard.try_clone().expect("dup"), Arc::clone(&screen));
        let reader = std::thread::spawn(move || {
            let mut part = [0_u8; 4096];
            while let Ok(length @ 1..) = master.read(&mut part) {
                let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                written.extend_from_slice(part.get(..length).unwrap_or_default());
            }
        });
        PtySession { child: Some(child), shown, began, keyboard, screen, reader: Some(reader) }
    }
}

impl PtySession {
    /// Waits until the screen shows a question.
    #[track_caller]
    pub(crate) fn wait_for_question(mut self) -> Self {
        let shown = super::until(|| {
            if self.screen().contains(&b'?') {
                return Some(true);
            }
            let ended = !matches!(self.child.as_mut()?.try_wait(), Ok(None));
            ended.then_some(false)
        });
        if shown != Some(true) {
            self.end().fail("it did not ask before it acted");
        }
        self
    }

    /// Waits until this text is or was on the screen.
    #[track_caller]
    pub(crate) fn wait_for_text(&mut self, text: &str) {
        let shown = super::until(|| {
            if String::from_utf8_lossy(&self.screen()).contains(text) {
                return Some(true);
            }
            let ended = !matches!(self.child.as_mut()?.try_wait(), Ok(None));
            ended.then_some(false)
        });
        if shown != Some(true) {
            let screen =
                super::fixture::shorten(&String::from_utf8_lossy(&self.screen()).escape_debug().to_string());
            panic!("{text} is not shown by {}\n{screen}", self.shown);
        }
    }

    /// Returns the mode of the terminal: by lines and with an echo, or raw.
    pub(crate) fn mode(&self) -> nix::sys::termios::LocalFlags {
        nix::sys::termios::tcgetattr(&self.keyboard).expect("the terminal's mode").local_flags
    }

    /// Resizes the terminal and notifies the program.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.keyboard, size).expect("set the terminal's size");
        // The terminal has no foreground group that the kernel would notify.
        self.signal(nix::sys::signal::Signal::SIGWINCH);
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = self.child.as_ref().expect("started and not ended").id();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a pid"));
        // Not reaped yet, so the pid is still its own.
        nix::sys::signal::kill(pid, signal).expect("send a signal");
    }

    /// Types `keys` and waits for the end. Returns the screen as standard output, and the mode of the terminal.
    pub(crate) fn type_in_and_leave(mut self, keys: &str) -> (Output, nix::sys::termios::LocalFlags) {
        self.keyboard.write_all(keys.as_bytes()).expect("type on the terminal");
        let output = self.end();
        (output, self.mode())
    }

    /// Types `keys` and waits for the end. Returns the screen as standard output.
    pub(crate) fn type_in(mut self, keys: &str) -> Output {
        self.keyboard.write_all(keys.as_bytes()).expect("type on the terminal");
        self.end()
    }

    /// Types `keys`.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("type on the terminal");
    }

    /// Returns whether this text is or was on the screen.
    #[cfg(target_os = "linux")]
    pub(crate) fn shows(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.screen()).contains(text)
    }

    fn screen(&self) -> Vec<u8> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn end(&mut self) -> Output {
        let mut child = self.child.take().expect("started and not ended");
        let ended = super::until(|| child.try_wait().ok().flatten());
        if ended.is_none() {
            let _may_have_ended_just_now = child.kill();
        }
        let status = child.wait().expect("a started program can be waited for");
        let _read_to_the_end = self.reader.take().map(JoinHandle::join);
        let screen = String::from_utf8_lossy(&self.screen()).replace("\r\n", "\n").into_bytes();
        let shown = std::mem::take(&mut self.shown);
        let output = Output::new(shown, status, screen, Vec::new(), self.began.elapsed());
        output.assert(ended.is_some(), "it did not end");
        output
    }
}

impl Drop for PtySession {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _may_have_ended_just_now = child.kill();
            let _reaped = child.wait();
        }
    }
}
