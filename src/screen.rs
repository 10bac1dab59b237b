//! The screen on a terminal, and the keys typed there. Whatever ends the program, the terminal is as it was.

use std::io::{self, Write};
use std::sync::Once;
use std::sync::mpsc::Sender;
use std::time::Instant;

use anstyle::Style;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};

pub(crate) mod view;

use crate::cli::watch::{Flow, LoopEvent, Update, View};
use crate::compare::ChangeKind;
use crate::os::Signal;
use crate::render::style::Palette;
use view::{KeyAction, Line, WatchView};

/// A terminal that shows a board, and is given back when this is dropped.
pub(crate) struct Screen {
    board: WatchView,
    color: bool,
    /// What stands there, so that only what is new is written.
    shown: Vec<Line>,
    size: (u16, u16),
}

impl Screen {
    pub(crate) fn open(board: WatchView) -> io::Result<Screen> {
        if !crate::os::output_takes_escapes() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it takes no escape sequences"));
        }
        give_back_when_falling();
        enable_raw_mode()?;
        let color = board.color();
        // From here on what goes wrong gives it back.
        let screen = Screen { board, color, shown: Vec::new(), size: (0, 0) };
        execute!(io::stdout(), EnterAlternateScreen, Hide).map(|()| screen)
    }

    /// Gives the terminal back, stops, and takes the terminal again when the process is continued.
    fn stop(&mut self, group: bool, now: Instant) -> io::Result<()> {
        give_back();
        crate::os::stop(group)?;
        // In the background this stops the process once more, until it is in the foreground.
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        self.draw_anew(now)
    }

    fn draw_anew(&mut self, now: Instant) -> io::Result<()> {
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
        let lines = self.board.draw(usize::from(width), usize::from(height), now);
        for (y, line) in (0..height).zip(&lines) {
            if self.shown.get(usize::from(y)) != Some(line) {
                // Cleared before: behind the last column a terminal would clear that one.
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
    fn show(&mut self, news: &Update<'_>, now: Instant) -> io::Result<()> {
        self.board.take(news, crate::os::now(), now);
        self.draw(now)
    }

    fn input(&mut self, input: &Event, now: Instant) -> io::Result<Flow> {
        let wish = match input {
            Event::Key(key) if key.kind != KeyEventKind::Release && stops(key) => {
                self.stop(true, now)?;
                None
            }
            Event::Key(key) if key.kind != KeyEventKind::Release => wish(key),
            _ => None,
        };
        let then = match wish {
            Some(wish) => self.board.wish(wish),
            None => self.board.goes_on(),
        };
        if then != Flow::End {
            self.draw(now)?;
        }
        Ok(then)
    }

    fn signal(&mut self, signal: Signal, now: Instant) -> io::Result<()> {
        match signal {
            Signal::Stop => self.stop(false, now),
            // Whoever had the terminal meanwhile may have changed its mode.
            Signal::Continue => {
                disable_raw_mode()?;
                enable_raw_mode()?;
                execute!(io::stdout(), Hide)?;
                self.draw_anew(now)
            }
            Signal::End => Ok(()),
        }
    }

    fn stale(&self) -> Option<Instant> {
        self.board.stale()
    }

    fn refresh(&mut self, now: Instant) -> io::Result<()> {
        self.draw(now)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Reads keys and sizes on a thread of its own, which ends with the process.
///
/// # Errors
/// If no thread can be started.
pub(crate) fn read_input(sender: Sender<LoopEvent>) -> io::Result<()> {
    let read = move || {
        while let Ok(input) = event::read() {
            if sender.send(LoopEvent::Input(input)).is_err() {
                return;
            }
        }
        // The terminal is gone.
        let _ = sender.send(LoopEvent::Signal(Signal::End));
    };
    crate::os::threads::detach("input", read)
}

/// The terminal as it was. There is nobody to tell where that fails.
fn give_back() {
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
}

/// Has a panic give the terminal back before it is told.
fn give_back_when_falling() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            told(panic);
        }));
    });
}

/// Whether a key stops the process: in raw mode the terminal leaves that to the program.
fn stops(key: &KeyEvent) -> bool {
    crate::os::CAN_STOP && key.code == KeyCode::Char('z') && key.modifiers.contains(KeyModifiers::CONTROL)
}

fn wish(key: &KeyEvent) -> Option<KeyAction> {
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
    use crate::render::style::Meaning;

    #[test]
    fn keys_are_known() {
        let of = |code, modifiers| wish(&KeyEvent::new(code, modifiers));
        assert_eq!(of(KeyCode::Char('q'), KeyModifiers::NONE), Some(KeyAction::Quit));
        assert_eq!(of(KeyCode::Esc, KeyModifiers::NONE), Some(KeyAction::Quit));
        assert_eq!(of(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(KeyAction::Quit));
        assert_eq!(of(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(of(KeyCode::Char('s'), KeyModifiers::CONTROL), None);
        assert_eq!(of(KeyCode::PageUp, KeyModifiers::NONE), Some(KeyAction::Page(-1)));
    }

    #[test]
    fn what_is_gone_is_struck_and_nothing_is_painted_without_colours() {
        let pieces = vec![("- ".to_owned(), None), ("80".to_owned(), Some(Meaning::Exposed))];
        let line = Line { pieces, mark: Some(ChangeKind::Closed) };
        assert_eq!(painted(&line, false), "- 80");
        assert_eq!(painted(&line, true), "\u{1b}[2m\u{1b}[9m- \u{1b}[0m\u{1b}[2m\u{1b}[9m80\u{1b}[0m");
        let present = Line { mark: None, ..line };
        assert_eq!(painted(&present, true), "- \u{1b}[1m\u{1b}[33m80\u{1b}[0m");
    }
}
