//! `watch` under job control: a shell in a real terminal stops and continues it.

#![cfg(unix)]

use crate::support::{Fixture, TmuxShell, live_test, port};
use nix::sys::signal::Signal;

fn server(port: u16) -> Fixture {
    Fixture::start([format!("tcp=127.0.0.1:{port}")])
}

#[live_test(Program("tmux"), Program("bash"))]
fn ctrl_z_stops_it_and_fg_draws_it_again() {
    let (shell, place) = (TmuxShell::new(), port());
    let there = server(place);
    shell.watch(&place.to_string());
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
    let shell = TmuxShell::new();
    shell.watch(&port().to_string());
    shell.signal(Signal::SIGTSTP);
    shell.has_the_terminal("Stopped");
    shell.enter("fg");
    shell.wait_for_text("q quits");
    shell.ends_by_its_key();
}

#[live_test(Program("tmux"), Program("bash"))]
fn it_takes_the_terminal_again_after_sigstop() {
    let shell = TmuxShell::new();
    shell.watch(&port().to_string());
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
        let shell = TmuxShell::new();
        shell.watch(&port().to_string());
        shell.signal(signal);
        shell.shows_what("the end", |screen| !screen.contains("q quits"));
        shell.enter("echo ended-$?");
        shell.wait_for_text("ended-0");
        shell.has_the_terminal("ready>");
    }
}
