//! A line of the screen. The painter compares lines and writes only those that changed, which needs no crate for
//! widgets: the screen is a list and a text.

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use crate::compare::ChangeKind;
use crate::render::layout::wrap;
use crate::render::style::{Palette, TextRole, unpaint};
use crate::render::table::shorten;

/// A line of the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) pieces: Vec<(String, Option<TextRole>)>,
    pub(crate) mark: Option<ChangeKind>,
    /// Whether the cursor is on it.
    pub(crate) selected: bool,
}

impl Line {
    /// Returns a line of one piece.
    pub(super) fn new(text: impl Into<String>, role: Option<TextRole>) -> Line {
        Line { pieces: vec![(text.into(), role)], ..Line::default() }
    }

    /// Shortens the line if it is too wide.
    pub(super) fn fit(&mut self, width: usize) {
        let mut left = width;
        for (text, _) in &mut self.pieces {
            *text = shorten(text, left);
            left = left.saturating_sub(text.width());
        }
        self.pieces.retain(|(text, _)| !text.is_empty());
    }

    /// Returns the line as it is written to a terminal.
    pub(crate) fn paint(&self, color: bool) -> String {
        let paint = |(text, role): &(String, Option<TextRole>)| {
            let style = match (color, self.mark) {
                (false, _) => Style::new(),
                (true, Some(ChangeKind::Closed)) => Style::new().dimmed().strikethrough(),
                (true, Some(_)) => role.map_or_else(Style::new, Palette::style).bold(),
                (true, None) => role.map_or_else(Style::new, Palette::style),
            };
            let style = if color && self.selected { style.invert() } else { style };
            format!("{style}{text}{style:#}")
        };
        self.pieces.iter().map(paint).collect()
    }
}

/// Returns the sign of a change.
pub(super) fn sign(kind: ChangeKind) -> char {
    match kind {
        ChangeKind::Opened => '+',
        ChangeKind::Closed => '-',
        ChangeKind::Changed => '~',
    }
}

/// Returns the lines of a painted text.
pub(super) fn lines_of(painted: &str) -> Vec<Line> {
    painted.lines().map(|line| Line { pieces: unpaint(line), ..Line::default() }).collect()
}

/// Returns the lines of a text, wrapped between words.
pub(super) fn wrapped(text: &str, width: usize, role: Option<TextRole>) -> Vec<Line> {
    wrap(text, width.max(1)).into_iter().map(|line| Line::new(line, role)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_rows_are_struck_through_and_nothing_is_styled_without_colours() {
        let pieces = vec![("- ".to_owned(), None), ("80".to_owned(), Some(TextRole::Exposed))];
        let line = Line { pieces, mark: Some(ChangeKind::Closed), selected: false };
        assert_eq!(line.paint(false), "- 80");
        assert_eq!(line.paint(true), "\u{1b}[2m\u{1b}[9m- \u{1b}[0m\u{1b}[2m\u{1b}[9m80\u{1b}[0m");
        let present = Line { mark: None, ..line };
        assert_eq!(present.paint(true), "- \u{1b}[1m\u{1b}[33m80\u{1b}[0m");
        let selected = Line { selected: true, ..present };
        assert_eq!(selected.paint(true), "\u{1b}[7m- \u{1b}[0m\u{1b}[1m\u{1b}[7m\u{1b}[33m80\u{1b}[0m");
        assert_eq!(selected.paint(false), "- 80");
    }
}
