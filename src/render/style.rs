//! The colours of text roles. Callers pass the role; whether colours are used is decided before.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// The role of a text. No information is carried by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextRole {
    /// The port or name asked about.
    Subject,
    /// Reachable from other machines.
    Exposed,
    /// A process or user of the current user.
    Yours,
    /// A process or user of another user.
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

/// Whether texts are coloured.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Palette {
    /// Whether colours are wanted.
    pub(crate) color: bool,
}

impl Palette {
    /// Returns the text in the colour of its role, if colours are on.
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
