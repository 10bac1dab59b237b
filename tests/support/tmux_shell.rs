//! A shell in tmux, a terminal whose screen can be read, for `watch` on a screen.

use super::{folder, program};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A shell with job control on a terminal whose screen can be read.
pub(crate) struct TmuxShell {
    socket: String,
    pid_file: String,
}

impl TmuxShell {
    pub(crate) fn new() -> TmuxShell {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let place = |name: &str| folder().join(format!("{name}-{number}")).display().to_string();
        let shell = TmuxShell { socket: place("tmux"), pid_file: place("watch-pid") };
        let bash = ["env", "PS1=ready> ", "bash", "--norc", "--noprofile", "-i"];
        let size = ["-x", "100", "-y", "30"];
        shell.tmux(&[&["new-session", "-d"][..], &size, &bash].concat());
        shell.wait_for_text("ready>");
        shell
    }

    pub(crate) fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-f", "/dev/null", "-S", &self.socket]).args(arguments);
        let output = command.env_remove("TMUX").output().expect("run tmux");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types a text.
    pub(crate) fn type_in(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Types a line.
    pub(crate) fn enter(&self, line: &str) {
        self.type_in(line);
        self.tmux(&["send-keys", "Enter"]);
    }

    pub(crate) fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    #[track_caller]
    pub(crate) fn shows_what(&self, what: &str, is_there: impl Fn(&str) -> bool) {
        let shown = super::until(|| is_there(&self.screen()).then_some(()));
        assert!(shown.is_some(), "{what} is not shown:\n{}", self.screen());
    }

    #[track_caller]
    pub(crate) fn wait_for_text(&self, text: &str) {
        self.shows_what(text, |screen| screen.contains(text));
    }

    /// Starts `watch` with these arguments in the foreground, and waits until its screen is drawn.
    pub(crate) fn watch(&self, arguments: &str) {
        let program = program().display().to_string();
        let start = format!("echo $$ >{}; exec {program} watch --interval 100ms {arguments}", self.pid_file);
        self.enter(&format!("sh -c '{start}'"));
        self.wait_for_text("q quits");
    }

    /// Sends `watch` a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = std::fs::read_to_string(&self.pid_file).expect("the pid of watch");
        kill(Pid::from_raw(pid.trim().parse().expect("a pid")), signal).expect("send a signal");
    }

    /// Asserts that the shell has the terminal: it shows no screen of `watch`, and reads lines with an echo.
    #[track_caller]
    pub(crate) fn has_the_terminal(&self, what: &str) {
        self.shows_what(what, |screen| screen.contains(what) && !screen.contains("q quits"));
        self.enter("clear; stty -a");
        let cooked = |screen: &str| {
            let has = |word| screen.split([' ', '\n', ';']).any(|it| it == word);
            has("icanon") && has("echo") && has("isig")
        };
        self.shows_what("a terminal that takes lines", cooked);
        self.enter("clear");
    }

    /// Asserts that `watch` has the terminal, and that its quit key ends it with success.
    #[track_caller]
    pub(crate) fn ends_by_its_key(&self) {
        self.press("q");
        self.shows_what("the end", |screen| !screen.contains("q quits"));
        self.enter("echo ended-$?");
        self.wait_for_text("ended-0");
    }
}

impl Drop for TmuxShell {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        let _ended_already = command.args(["-S", &self.socket, "kill-server"]).output();
    }
}
