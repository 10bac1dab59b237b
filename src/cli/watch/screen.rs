//! The screen on a terminal, and the keys typed there. Whatever ends the program, the terminal is as it was.

use std::io;
use std::sync::Once;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Instant;

use anstyle::Effects;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::style::force_color_output;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::board::{self, Board, Wish};
use super::{News, Then, View, Wake};
use crate::ChangeKind;
use crate::render::style::{Meaning, Palette};

/// A terminal that shows a board, and is given back when this is dropped.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
    board: Board,
    color: bool,
}

impl Screen {
    pub(super) fn open(board: Board) -> io::Result<Screen> {
        give_back_when_falling();
        enable_raw_mode()?;
        // From here on what goes wrong has to give it back.
        let opened = execute!(io::stdout(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match opened {
            Ok(terminal) => {
                let color = board.color();
                // Whether there are colours was decided before.
                force_color_output(color);
                Ok(Screen { terminal, board, color })
            }
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    fn draw(&mut self, now: Instant) -> io::Result<()> {
        let (board, color) = (&mut self.board, self.color);
        self.terminal
            .draw(|frame| {
                let area = frame.area();
                let lines = board.draw(usize::from(area.width), usize::from(area.height), now);
                let buffer = frame.buffer_mut();
                for (y, line) in (area.y..area.bottom()).zip(&lines) {
                    buffer.set_line(area.x, y, &shown(line, color), area.width);
                }
            })
            .map(drop)
    }
}

impl View for Screen {
    fn show(&mut self, news: &News<'_>, now: Instant) -> io::Result<()> {
        self.board.take(news, crate::os::now(), now);
        self.draw(now)
    }

    fn input(&mut self, input: &Event, now: Instant) -> io::Result<Then> {
        let wish = match input {
            Event::Key(key) if key.kind != KeyEventKind::Release => wish(key),
            _ => None,
        };
        let then = match wish {
            Some(wish) => self.board.wish(wish),
            None => self.board.goes_on(),
        };
        if then != Then::End {
            self.draw(now)?;
        }
        Ok(then)
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
pub(super) fn read_input(sender: Sender<Wake>) {
    let read = move || {
        while let Ok(input) = event::read() {
            if sender.send(Wake::Input(input)).is_err() {
                return;
            }
        }
        // The terminal is gone.
        let _ = sender.send(Wake::End);
    };
    let _ = thread::Builder::new().name("input".to_owned()).spawn(read);
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

fn wish(key: &KeyEvent) -> Option<Wish> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c' | 'd') if control => Some(Wish::Quit),
        KeyCode::Char('f') if control => Some(Wish::Page(1)),
        KeyCode::Char('b') if control => Some(Wish::Page(-1)),
        KeyCode::Char(_) if control => None,
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => Some(Wish::Quit),
        KeyCode::Char(' ' | 'p') => Some(Wish::Pause),
        KeyCode::Char('s') => Some(Wish::Sort),
        KeyCode::Up | KeyCode::Char('k') => Some(Wish::Scroll(-1)),
        KeyCode::Down | KeyCode::Char('j') => Some(Wish::Scroll(1)),
        KeyCode::PageUp => Some(Wish::Page(-1)),
        KeyCode::PageDown => Some(Wish::Page(1)),
        KeyCode::Home | KeyCode::Char('g') => Some(Wish::Top),
        KeyCode::End | KeyCode::Char('G') => Some(Wish::Bottom),
        _ => None,
    }
}

fn shown(line: &board::Line, color: bool) -> Line<'_> {
    let spans = line.pieces.iter().map(|(text, meaning)| {
        let style = match (color, line.mark, meaning) {
            (false, ..) => Style::new(),
            (true, Some(ChangeKind::Closed), _) => {
                Style::new().add_modifier(Modifier::DIM | Modifier::CROSSED_OUT)
            }
            (true, Some(_), meaning) => meaning.map_or_else(Style::new, style).add_modifier(Modifier::BOLD),
            (true, None, meaning) => meaning.map_or_else(Style::new, style),
        };
        Span::styled(text.as_str(), style)
    });
    Line::from_iter(spans)
}

/// What a meaning looks like elsewhere, in the words of the screen.
fn style(meaning: Meaning) -> Style {
    let wanted = Palette::style(meaning);
    let mut style = Style::new();
    if let Some(anstyle::Color::Ansi(color)) = wanted.get_fg_color() {
        style = style.fg(match color {
            anstyle::AnsiColor::Red => Color::Red,
            anstyle::AnsiColor::Green => Color::Green,
            anstyle::AnsiColor::Yellow => Color::Yellow,
            anstyle::AnsiColor::Cyan => Color::Cyan,
            _ => Color::Reset,
        });
    }
    for (effect, modifier) in [(Effects::BOLD, Modifier::BOLD), (Effects::DIMMED, Modifier::DIM)] {
        if wanted.get_effects().contains(effect) {
            style = style.add_modifier(modifier);
        }
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known() {
        let of = |code, modifiers| wish(&KeyEvent::new(code, modifiers));
        assert_eq!(of(KeyCode::Char('q'), KeyModifiers::NONE), Some(Wish::Quit));
        assert_eq!(of(KeyCode::Esc, KeyModifiers::NONE), Some(Wish::Quit));
        assert_eq!(of(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Wish::Quit));
        assert_eq!(of(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(of(KeyCode::Char('s'), KeyModifiers::CONTROL), None);
        assert_eq!(of(KeyCode::PageUp, KeyModifiers::NONE), Some(Wish::Page(-1)));
    }

    #[test]
    fn colours_are_those_of_the_table() {
        let exposed = style(Meaning::Exposed);
        assert_eq!((exposed.fg, exposed.add_modifier), (Some(Color::Yellow), Modifier::BOLD));
        assert_eq!(style(Meaning::Label).add_modifier, Modifier::DIM);
    }
}
