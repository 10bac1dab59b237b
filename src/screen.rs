//! The full-screen view of `watch` on a terminal, and its keys. It restores the terminal however the program ends.

use std::io::{self, Write};
use std::sync::Once;
use std::sync::mpsc::Sender;
use std::time::Instant;

use anstyle::Style;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};

pub(crate) mod event;
pub(crate) mod view;

use self::event::{Flow, LoopEvent, Update, View};
use crate::compare::ChangeKind;
use crate::os::Signal;
use crate::render::style::Palette;
use view::{KeyAction, Line, WatchView};

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
                out.write_all(painted(line, self.color).as_bytes())?;
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

    fn input(&mut self, input: &Event, now: Instant) -> io::Result<Flow> {
        let action = match input {
            Event::Key(key) if key.kind != KeyEventKind::Release && stops(key) => {
                self.stop(true, now)?;
                None
            }
            Event::Key(key) if key.kind != KeyEventKind::Release => key_action(key),
            _ => None,
        };
        let flow = match action {
            Some(action) => self.view.apply(action),
            None => self.view.flow(),
        };
        if flow != Flow::Quit {
            self.draw(now)?;
        }
        Ok(flow)
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

fn key_action(key: &KeyEvent) -> Option<KeyAction> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c' | 'd') if control => Some(KeyAction::Quit),
        KeyCode::Char('f') if control => Some(KeyAction::Page(1)),
        KeyCode::Char('b') if control => Some(KeyAction::Page(-1)),
        KeyCode::Char(_) if control => None,
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => Some(KeyAction::Quit),
        KeyCode::Char(' ' | 'p') => Some(KeyAction::Pause),
        KeyCode::Char('s') => Some(KeyAction::Sort),
        KeyCode::Up | KeyCode::Char('k') => Some(KeyAction::Scroll(-1)),
        KeyCode::Down | KeyCode::Char('j') => Some(KeyAction::Scroll(1)),
        KeyCode::PageUp => Some(KeyAction::Page(-1)),
        KeyCode::PageDown => Some(KeyAction::Page(1)),
        KeyCode::Home | KeyCode::Char('g') => Some(KeyAction::Top),
        KeyCode::End | KeyCode::Char('G') => Some(KeyAction::Bottom),
        _ => None,
    }
}

fn painted(line: &Line, color: bool) -> String {
    let paint = |(text, meaning): &(String, Option<_>)| {
        let style = match (color, line.mark) {
            (false, _) => Style::new(),
            (true, Some(ChangeKind::Closed)) => Style::new().dimmed().strikethrough(),
            (true, Some(_)) => meaning.map_or_else(Style::new, Palette::style).bold(),
            (true, None) => meaning.map_or_else(Style::new, Palette::style),
        };
        format!("{style}{text}{style:#}")
    };
    line.pieces.iter().map(paint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::style::TextRole;

    #[test]
    fn keys_map_to_actions() {
        let action = |code, modifiers| key_action(&KeyEvent::new(code, modifiers));
        assert_eq!(action(KeyCode::Char('q'), KeyModifiers::NONE), Some(KeyAction::Quit));
        assert_eq!(action(KeyCode::Esc, KeyModifiers::NONE), Some(KeyAction::Quit));
        assert_eq!(action(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(KeyAction::Quit));
        assert_eq!(action(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(action(KeyCode::Char('s'), KeyModifiers::CONTROL), None);
        assert_eq!(action(KeyCode::PageUp, KeyModifiers::NONE), Some(KeyAction::Page(-1)));
    }

    #[test]
    fn closed_rows_are_struck_through_and_nothing_is_styled_without_colours() {
        let pieces = vec![("- ".to_owned(), None), ("80".to_owned(), Some(TextRole::Exposed))];
        let line = Line { pieces, mark: Some(ChangeKind::Closed) };
        assert_eq!(painted(&line, false), "- 80");
        assert_eq!(painted(&line, true), "\u{1b}[2m\u{1b}[9m- \u{1b}[0m\u{1b}[2m\u{1b}[9m80\u{1b}[0m");
        let present = Line { mark: None, ..line };
        assert_eq!(painted(&present, true), "- \u{1b}[1m\u{1b}[33m80\u{1b}[0m");
    }
}
