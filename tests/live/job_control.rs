//! `watch` under job control: a shell in a real terminal stops and continues it.

#![cfg(unix)]

use crate::support::{Fixture, folder, live_test, port, program};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A shell with job control on a terminal whose screen can be read.
struct Shell {
    socket: String,
    pid_file: String,
}

impl Shell {
    fn new() -> Shell {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let place = |name: &str| folder().join(format!("{name}-{number}")).display().to_string();
        let shell = Shell { socket: place("tmux"), pid_file: place("watch-pid") };
        let bash = ["env", "PS1=ready> ", "bash", "--norc", "--noprofile", "-i"];
        let size = ["-x", "100", "-y", "30"];
        shell.tmux(&[&["new-session", "-d"][..], &size, &bash].concat());
        shell.wait_for_text("ready>");
        shell
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-f", "/dev/null", "-S", &self.socket]).args(arguments);
        let output = command.env_remove("TMUX").output().expect("run tmux");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types a line.
    fn enter(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    #[track_caller]
    fn shows_what(&self, what: &str, is_there: impl Fn(&str) -> bool) {
        let shown = crate::support::until(|| is_there(&self.screen()).then_some(()));
        assert!(shown.is_some(), "{what} is not shown:\n{}", self.screen());
    }

    #[track_caller]
    fn wait_for_text(&self, text: &str) {
        self.shows_what(text, |screen| screen.contains(text));
    }

    /// Starts `watch` of a port in the foreground, and waits until its screen is drawn.
    fn watch(&self, port: u16) {
        let program = program().display().to_string();
        let start = format!("echo $$ >{}; exec {program} watch --interval 100ms {port}", self.pid_file);
        self.enter(&format!("sh -c '{start}'"));
        self.wait_for_text("q quits");
    }

    /// Sends `watch` a signal.
    fn signal(&self, signal: Signal) {
        let pid = std::fs::read_to_string(&self.pid_file).expect("the pid of watch");
        kill(Pid::from_raw(pid.trim().parse().expect("a pid")), signal).expect("send a signal");
    }

    /// Asserts that the shell has the terminal: it shows no screen of `watch`, and reads lines with an echo.
    #[track_caller]
    fn has_the_terminal(&self, what: &str) {
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
    fn ends_by_its_key(&self) {
        self.press("q");
        self.shows_what("the end", |screen| !screen.contains("q quits"));
        self.enter("echo ended-$?");
        self.wait_for_text("ended-0");
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        let _ended_already = command.args(["-S", &self.socket, "kill-server"]).output();
    }
}

fn server(port: u16) -> Fixture {
    Fixture::start([format!("tcp=127.0.0.1:{port}")])
}

#[live_test(Program("tmux"), Program("bash"))]
fn ctrl_z_stops_it_and_fg_draws_it_again() {
    let (shell, place) = (Shell::new(), port());
    let there = server(place);
    shell.watch(place);
    shell.wait_for_text(&there.pid().to_string());
    for round in 0..2 {
        shell.press("C-z");
        shell.has_the_terminal("Stopped");
        let columns = 70 + round;
        shell.tmux(&["resize-window", "-x", &columns.to_string(), "-y", "20"]);
        shell.enter("fg");
        shell.wait_for_text("q quits");
        shell.wait_for_text(&there.pid().to_string());
    }
    shell.press("C-z");
    shell.has_the_terminal("Stopped");
    drop(there);
    shell.enter("fg");
    shell.wait_for_text("nothing listens");
    shell.ends_by_its_key();
}

#[live_test(Program("tmux"), Program("bash"))]
fn a_stop_by_another_process_restores_the_terminal() {
    let shell = Shell::new();
    shell.watch(port());
    shell.signal(Signal::SIGTSTP);
    shell.has_the_terminal("Stopped");
    shell.enter("fg");
    shell.wait_for_text("q quits");
    shell.ends_by_its_key();
}

#[live_test(Program("tmux"), Program("bash"))]
fn it_takes_the_terminal_again_after_sigstop() {
    let shell = Shell::new();
    shell.watch(port());
    shell.signal(Signal::SIGSTOP);
    shell.wait_for_text("Stopped");
    shell.enter("stty sane; clear");
    shell.shows_what("a prompt alone", |screen| !screen.contains("q quits") && screen.contains("ready>"));
    shell.enter("fg");
    shell.wait_for_text("q quits");
    shell.ends_by_its_key();
}

#[live_test(Program("tmux"), Program("bash"))]
fn every_end_restores_the_terminal() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let shell = Shell::new();
        shell.watch(port());
        shell.signal(signal);
        shell.shows_what("the end", |screen| !screen.contains("q quits"));
        shell.enter("echo ended-$?");
        shell.wait_for_text("ended-0");
        shell.has_the_terminal("ready>");
    }
}
