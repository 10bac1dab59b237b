//! Meanings to colours. Callers say what a text is; whether that becomes a colour was decided before.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// The role of a text. No role depends on colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextRole {
    /// The port or name asked about.
    Subject,
    /// Reachable from other machines.
    Exposed,
    /// A process or user that is the asking user's own.
    Yours,
    /// A process or user that is somebody else's.
    Theirs,
    /// Something that could not be seen.
    Unseen,
    /// Headings and labels.
    Label,
    /// A listener that opened.
    Opened,
    /// A listener that closed.
    Closed,
    /// A listener that changed.
    Changed,
}

/// Paints, or does not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Palette {
    /// Whether colours are wanted.
    pub(crate) color: bool,
}

impl Palette {
    /// The text with what switches its colour on and off.
    pub(crate) fn paint(self, role: TextRole, text: impl Display) -> String {
        if !self.color {
            return text.to_string();
        }
        let style = Palette::style(role);
        format!("{style}{text}{style:#}")
    }

    /// Returns the style of a role if colours are enabled.
    pub(crate) fn style(role: TextRole) -> Style {
        match role {
            TextRole::Subject => Style::new().bold(),
            TextRole::Exposed => AnsiColor::Yellow.on_default().bold(),
            TextRole::Yours => AnsiColor::Green.on_default(),
            TextRole::Theirs => AnsiColor::Cyan.on_default(),
            TextRole::Unseen => AnsiColor::Red.on_default(),
            TextRole::Label => Style::new().dimmed(),
            TextRole::Opened => AnsiColor::Green.on_default().bold(),
            TextRole::Closed => AnsiColor::Red.on_default().bold(),
            TextRole::Changed => AnsiColor::Yellow.on_default().bold(),
        }
    }
}
