//! The full-screen view of `watch` on a terminal, and its keys. It restores the terminal however the program ends.
//!
//! The view makes lines of text, and the painter writes those that changed. The screen is a list and a text that
//! scroll, so it needs no crate for widgets: crossterm provides raw mode, sizes and keys on every system.

use std::io::{self, Write};
use std::sync::Once;
use std::sync::mpsc::Sender;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};

pub(crate) mod event;
mod filter;
mod help;
mod history;
pub(crate) mod keys;
mod line;
mod list;
mod pane;
mod row_actions;
mod rows;
#[cfg(test)]
mod tests;
mod toggles;
pub(crate) mod view;

use self::event::{Answer, Flow, LoopEvent, Reaction, Request, Update, View};
use crate::os::Signal;
use keys::{key_action, pressed};
use line::Line;
use view::WatchView;

/// A terminal in full-screen mode. It is restored on drop.
pub(crate) struct Screen {
    view: WatchView,
    color: bool,
    /// The lines on the terminal, so that only those that changed are written.
    shown: Vec<Line>,
    size: (u16, u16),
}

impl Screen {
    pub(crate) fn open(view: WatchView) -> io::Result<Screen> {
        if !crate::os::output_takes_escapes() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it takes no escape sequences"));
        }
        restore_on_panic();
        enable_raw_mode()?;
        let color = view.color();
        // From here on, dropping the screen restores the terminal.
        let screen = Screen { view, color, shown: Vec::new(), size: (0, 0) };
        execute!(io::stdout(), EnterAlternateScreen, Hide).map(|()| screen)
    }

    /// Leaves the screen. Returns what happened while it was open, in lines.
    pub(crate) fn close(self) -> Vec<String> {
        self.view.summary(Instant::now())
    }

    /// Restores the terminal, stops the process, and takes the terminal again after the process is continued.
    fn stop(&mut self, group: bool, now: Instant) -> io::Result<()> {
        restore();
        crate::os::stop(group)?;
        // In the background this stops the process again, until it is in the foreground.
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        self.redraw_all(now)
    }

    fn redraw_all(&mut self, now: Instant) -> io::Result<()> {
        (self.size, self.shown) = ((0, 0), Vec::new());
        self.draw(now)
    }

    fn draw(&mut self, now: Instant) -> io::Result<()> {
        let size = size()?;
        let mut out = Vec::new();
        if size != self.size {
            (self.size, self.shown) = (size, Vec::new());
            queue!(out, Clear(ClearType::All))?;
        }
        let (width, height) = size;
        let lines = self.view.draw(usize::from(width), usize::from(height), now);
        for (y, line) in (0..height).zip(&lines) {
            if self.shown.get(usize::from(y)) != Some(line) {
                // Clears first: after a write to the last column a terminal would clear that column.
                queue!(out, MoveTo(0, y), Clear(ClearType::CurrentLine))?;
                out.write_all(line.paint(self.color).as_bytes())?;
            }
        }
        for y in (0..height).skip(lines.len()).take(self.shown.len().saturating_sub(lines.len())) {
            queue!(out, MoveTo(0, y), Clear(ClearType::CurrentLine))?;
        }
        self.shown = lines;
        if out.is_empty() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(&out)?;
        stdout.flush()
    }
}

impl View for Screen {
    fn show(&mut self, update: &Update<'_>, now: Instant) -> io::Result<()> {
        self.view.take(update, crate::os::now(), now);
        self.draw(now)
    }

    fn input(&mut self, input: &Event, now: Instant) -> io::Result<Reaction> {
        let mut reaction = Reaction::from(self.view.flow());
        let key = input.as_key_event().filter(|key| key.kind != KeyEventKind::Release);
        for key in key.iter().flat_map(pressed) {
            if stops(&key) {
                self.stop(true, now)?;
            } else if let Some(action) = key_action(&key, self.view.focus()) {
                reaction = self.view.apply(action, now);
            }
            if reaction.flow == Flow::Quit {
                break;
            }
        }
        if let Some(Request::Copy(text)) = reaction.request.take_if(|it| matches!(it, Request::Copy(_))) {
            copy(&text)?;
        }
        if reaction.flow != Flow::Quit {
            self.draw(now)?;
        }
        Ok(reaction)
    }

    fn answer(&mut self, answer: Answer, now: Instant) -> io::Result<()> {
        self.view.answer(answer, now);
        self.draw(now)
    }

    fn signal(&mut self, signal: Signal, now: Instant) -> io::Result<()> {
        match signal {
            Signal::Stop => self.stop(false, now),
            // Another process may have changed the terminal's mode meanwhile.
            Signal::Continue => {
                disable_raw_mode()?;
                enable_raw_mode()?;
                execute!(io::stdout(), Hide)?;
                self.redraw_all(now)
            }
            Signal::End => Ok(()),
        }
    }

    fn redraw_at(&self) -> Option<Instant> {
        self.view.redraw_at()
    }

    fn redraw(&mut self, now: Instant) -> io::Result<()> {
        self.draw(now)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Reads keys and sizes on a thread, which ends with the process.
///
/// # Errors
/// If no thread can be started.
pub(crate) fn read_input(sender: Sender<LoopEvent>) -> io::Result<()> {
    let read = move || {
        while let Ok(input) = crossterm::event::read() {
            if sender.send(LoopEvent::Input(input)).is_err() {
                return;
            }
        }
        // The terminal was closed.
        let _ = sender.send(LoopEvent::Signal(Signal::End));
    };
    crate::os::threads::detach("input", read)
}

/// Restores the terminal. A failure cannot be reported anywhere.
fn restore() {
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
}

/// Makes a panic restore the terminal before its message is printed.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            previous(panic);
        }));
    });
}

/// Returns whether a key stops the process: in raw mode the terminal leaves that to the program.
fn stops(key: &KeyEvent) -> bool {
    crate::os::CAN_STOP && key.code == KeyCode::Char('z') && key.modifiers.contains(KeyModifiers::CONTROL)
}

/// Asks the terminal to copy a text to the clipboard (OSC 52). Base64 has no characters that a terminal acts on.
fn copy(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    write!(stdout, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
    stdout.flush()
}
