//! The screen of `watch`: the cursor's listener, its card, `why` and `free` for it, the filter, the clipboard, and what
//! it leaves on the terminal.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, Output, PtySession, folder, live_test, port, runs};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

fn server(port: u16) -> Fixture {
    Fixture::start([format!("tcp=127.0.0.1:{port}")])
}

/// A screen without colours, so that a text is not interrupted by a sequence.
fn screen(target: &str) -> PtySession {
    let watch = Cmd::new(["watch", "--interval=100ms", target]).env("TERM", "xterm").env("NO_COLOR", "1");
    watch.start_on_terminal()
}

/// Returns the text that the program printed after it closed the screen.
fn left_behind(output: &Output) -> String {
    let text = output.text();
    text.rsplit_once("\u{1b}[?25h").map_or_else(String::new, |(_, after)| after.to_owned())
}

#[live_test]
fn a_filter_hides_the_other_rows() {
    let [one, other] = [server(port()), server(port())];
    let mut screen = screen(&format!("{},{}", one.port(), other.port()));
    screen.wait_for_text("2 rows");
    screen.press(&format!("/:{}\r", one.port()));
    screen.wait_for_text("1 row ");
    screen.press("\u{1b}");
    screen.wait_for_text("2 rows");
    screen.press("/no such program");
    screen.wait_for_text("nothing is shown");
    let output = screen.type_in("\u{3}").without_panic().code(0);
    output.assert_eq(&left_behind(&output).as_str(), &"", "nothing happened, and nothing is left");
}

#[live_test]
fn enter_shows_the_card_and_w_the_answer_of_why() {
    let server = server(port());
    let mut screen = screen(&server.port().to_string());
    screen.wait_for_text("1 row ");
    screen.press("\r");
    screen.wait_for_text("is held by");
    screen.wait_for_text("parents");
    screen.resize(40, 10);
    screen.wait_for_text("lines 1-8 of");
    screen.resize(100, 40);
    screen.press("w");
    screen.wait_for_text("cannot be bound");
    // Two leave the pane and the screen.
    screen.press("q");
    screen.type_in("q").without_panic().code(0);
}

#[live_test(Linux)]
fn f_frees_only_after_a_yes() {
    let server = server(port());
    let ask = || {
        let mut screen = screen(&server.port().to_string());
        screen.wait_for_text("1 row ");
        screen.press("f");
        screen.wait_for_text("to free");
        screen.wait_for_text(&format!("End fixture (pid {}", server.pid()));
        screen
    };
    for no in ["\r", "n\r", "q", "\u{1b}", "yy\r"] {
        let mut screen = ask();
        screen.press(no);
        screen.wait_for_text("nothing was done");
        screen.type_in("q").without_panic().code(0);
        assert!(runs(server.pid()), "no process is ended before a yes");
    }
    let mut screen = ask();
    screen.press("y\r");
    screen.wait_for_text("is free");
    screen.press("q");
    screen.wait_for_text("nothing listens");
    let output = screen.type_in("q").without_panic().code(0);
    output.assert(!runs(server.pid()), "the server has ended");
    let left = left_behind(&output);
    output.assert(left.starts_with("1 closed in "), &format!("a summary: {left}"));
    output.assert(left.contains(&format!("{}/tcp", server.port())), "it names the port");
    output.assert(!left.contains('\u{1b}'), "no escape sequence");
}

/// A slow connection delivers keys together: Esc and y are then one key for the terminal, Alt-y.
#[live_test(Linux)]
fn esc_counts_if_another_key_follows_at_once() {
    let server = server(port());
    let mut screen = screen(&server.port().to_string());
    screen.wait_for_text("1 row ");
    screen.press("f");
    screen.wait_for_text(&format!("End fixture (pid {}", server.pid()));
    screen.press("\u{1b}y\r");
    screen.wait_for_text("nothing was done");
    // In the list y begins to copy, and Enter cancels that.
    screen.type_in("q").without_panic().code(0);
    assert!(runs(server.pid()), "no process is ended after Esc");
}

#[live_test]
fn a_long_text_is_read_whole() {
    let mut screen = screen(&port().to_string());
    screen.wait_for_text("nothing listens");
    screen.press("/");
    screen.press(&"x".repeat(20_000));
    screen.type_in("\u{3}").without_panic().code(0);
}

#[live_test]
fn what_happened_is_summarized_on_the_terminal() {
    let place = port();
    let mut screen = screen(&place.to_string());
    screen.wait_for_text("nothing listens");
    let first = server(place);
    screen.wait_for_text("opened");
    screen.press("E");
    screen.wait_for_text("Events, the latest first");
    drop(first);
    screen.wait_for_text("closed");
    screen.press("q");
    let (output, mode) = screen.type_in_and_leave("q");
    let output = output.without_panic().code(0);
    output.assert(left_behind(&output).starts_with("1 opened and 1 closed in "), "a summary");
    output.assert(mode.contains(nix::sys::termios::LocalFlags::ICANON), "the terminal is as it was");
}

#[live_test]
fn y_copies_by_an_escape_sequence() {
    let server = server(port());
    let mut screen = screen(&server.port().to_string());
    screen.wait_for_text("1 row ");
    screen.press("ya");
    let address = STANDARD.encode(format!("127.0.0.1:{}", server.port()));
    screen.wait_for_text(&format!("\u{1b}]52;c;{address}\u{7}"));
    screen.press("yp");
    screen.wait_for_text(&format!("\u{1b}]52;c;{}\u{7}", STANDARD.encode(server.pid().to_string())));
    screen.type_in("q").without_panic().code(0);
}

#[live_test]
fn a_toggle_reads_what_was_not_read() {
    let there = Fixture::start([format!("udp=127.0.0.1:{}", port())]);
    let target = there.port().to_string();
    let watch = Cmd::new(["watch", "--interval=100ms", "-t", &target]).env("TERM", "xterm");
    let mut screen = watch.env("NO_COLOR", "1").start_on_terminal();
    screen.wait_for_text("nothing listens");
    screen.press("u");
    screen.wait_for_text("with udp");
    screen.wait_for_text(&there.pid().to_string());
    screen.type_in("q").without_panic().code(0);
}

/// An opener that notes its argument, in a mount namespace of its own.
#[live_test(Linux, Root, MOUNT_NAMESPACE)]
fn o_opens_the_url_with_the_desktops_program() {
    let (noted, opener) = (folder().join("opened-url"), folder().join("opener"));
    let server = server(port());
    let stage = "
        if [ -e /usr/bin/xdg-open ]; then
            mount --bind \"$1\" /usr/bin/xdg-open
        else
            mount -t tmpfs -o mode=755 none /usr/local/bin && cp -p \"$1\" /usr/local/bin/xdg-open
        fi && shift && exec \"$@\"";
    let open = |script: &str, expected: &str| {
        std::fs::write(&opener, format!("#!/bin/sh\n{script}\n")).expect("write an opener");
        std::fs::set_permissions(&opener, Permissions::from_mode(0o755)).expect("make it executable");
        let launcher = ["unshare", "--mount", "sh", "-c", stage, "sh", &opener.display().to_string()];
        let watch = Cmd::new(["watch".to_owned(), server.port().to_string()]).through(launcher);
        let mut screen = watch.env("TERM", "xterm").env("NO_COLOR", "1").start_on_terminal();
        screen.wait_for_text("1 row ");
        screen.press("o");
        screen.wait_for_text(expected);
        screen.type_in("q").without_panic().code(0);
    };
    let url = format!("http://localhost:{}", server.port());
    open(&format!("printf %s \"$*\" > {}", noted.display()), &format!("opened {url}"));
    assert_eq!(std::fs::read_to_string(&noted).ok().as_ref(), Some(&url), "its only argument");
    open("exit 3", &format!("cannot open {url}: xdg-open failed"));
}
