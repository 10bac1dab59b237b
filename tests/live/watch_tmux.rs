//! The screen of `watch` in tmux, as its user sees it: what is on the screen, not what was written to it.

#![cfg(unix)]

use crate::support::{Fixture, TmuxShell, live_test, port, runs};

fn server(port: u16) -> Fixture {
    Fixture::start([format!("tcp=127.0.0.1:{port}")])
}

/// Returns the number of rows of listeners. A line of an event begins with its sign.
fn rows(screen: &str) -> usize {
    screen.lines().filter(|line| line.starts_with(['>', ' ']) && line.contains("fixture")).count()
}

#[live_test(Program("tmux"), Program("bash"))]
fn filter_card_free_and_quit() {
    let shell = TmuxShell::new();
    let [one, other] = [server(port()), server(port())];
    shell.watch(&format!("{},{}", one.port(), other.port()));
    shell.shows_what("both servers", |screen| rows(screen) == 2);

    shell.type_in(&format!("/{}", one.pid()));
    shell.shows_what("the first server alone", |screen| rows(screen) == 1 && screen.contains(" 1 row "));
    shell.press("Enter");
    shell.press("Enter");
    shell.wait_for_text("is held by");
    shell.wait_for_text("parents");
    shell.tmux(&["resize-window", "-x", "40", "-y", "10"]);
    shell.shows_what("a part of the card", |screen| screen.contains("lines 1-8 of"));
    shell.tmux(&["resize-window", "-x", "100", "-y", "30"]);
    shell.shows_what("the whole card", |screen| screen.contains("started") && !screen.contains("lines 1-"));
    shell.press("q");
    shell.press("Escape");
    shell.shows_what("both servers again", |screen| rows(screen) == 2);

    // The lower port has the cursor.
    let (first, second) = if one.port() < other.port() { (one, other) } else { (other, one) };
    shell.press("g");
    shell.press("f");
    shell.wait_for_text(&format!("End fixture (pid {}", first.pid()));
    shell.type_in("yes");
    assert!(runs(first.pid()), "nothing is ended before Enter");
    shell.press("Enter");
    shell.wait_for_text("is free");
    assert!(!runs(first.pid()) && runs(second.pid()), "the first server alone is ended");
    shell.press("q");
    shell.shows_what("the second server, and the event", |screen| {
        screen.contains(&second.pid().to_string()) && screen.contains("closed") && screen.contains("q quits")
    });
    shell.press("q");
    shell.has_the_terminal("1 closed in ");
}

#[live_test(Program("tmux"), Program("bash"))]
fn a_toggle_counts_while_it_is_paused() {
    let shell = TmuxShell::new();
    let there = Fixture::start([format!("udp=127.0.0.1:{}", port())]);
    shell.watch(&format!("-t {}", there.port()));
    shell.wait_for_text("nothing listens");
    shell.press("Space");
    shell.wait_for_text("PAUSED");
    shell.press("u");
    shell.shows_what("the socket, paused", |screen| rows(screen) == 1 && screen.contains("PAUSED"));
    let later = server(there.port());
    shell.press("Space");
    shell.shows_what("both, running", |screen| rows(screen) == 2 && !screen.contains("PAUSED"));
    drop(later);
    shell.wait_for_text("closed");
    shell.ends_by_its_key();
}
