//! Runs the program with its standard output on a pseudo-terminal of a given width.

use super::programs::spawn;
use super::{Cmd, Output};
use std::fs::File;
use std::io::Read as _;
use std::time::Instant;

impl Cmd {
    /// Runs it on a terminal of so many columns and waits for its end. Line ends are returned as `\n`.
    pub(crate) fn run_on_terminal(self, columns: u16) -> Output {
        let size = nix::pty::Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = nix::pty::openpty(Some(&size), None).expect("open a pseudo-terminal");
        let (mut command, shown) = self.stdout(pair.slave).command();
        let began = Instant::now();
        let mut child = spawn(&mut command, &shown);
        // The terminal hangs up when the last writer is gone.
        drop(command);
        let mut master = File::from(pair.master);
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut part = [0_u8; 4096];
            while let Ok(length @ 1..) = master.read(&mut part) {
                bytes.extend_from_slice(part.get(..length).unwrap_or_default());
            }
            bytes
        });
        let stderr = child.stderr.take();
        let errors = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _what_came = stderr.map(|mut stream| stream.read_to_end(&mut bytes));
            bytes
        });
        let ended = super::until(|| child.try_wait().ok().flatten());
        if ended.is_none() {
            let _may_have_ended_just_now = child.kill();
        }
        let status = child.wait().expect("a started program can be waited for");
        let screen = reader.join().unwrap_or_default();
        let screen = String::from_utf8_lossy(&screen).replace("\r\n", "\n").into_bytes();
        let output = Output::new(shown, status, screen, errors.join().unwrap_or_default(), began.elapsed());
        output.assert(ended.is_some(), "it did not end");
        output
    }
}

/// Removes colours and styles. Any other escape sequence stays, so that assertions find it.
pub(crate) fn without_styles(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|letter: char| !(letter.is_ascii_digit() || letter == ';' || letter == ':'));
        match end.map(|at| after.split_at(at)) {
            Some((_, tail)) if tail.starts_with('m') => rest = tail.get(1..).unwrap_or_default(),
            _ => {
                plain.push_str("\u{1b}[");
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}
