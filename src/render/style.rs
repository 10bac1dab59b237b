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
    /// A call that the system refused.
    Refused,
}

impl TextRole {
    /// Every role.
    const ALL: [TextRole; 10] = [
        TextRole::Subject,
        TextRole::Exposed,
        TextRole::Yours,
        TextRole::Theirs,
        TextRole::Unseen,
        TextRole::Label,
        TextRole::Opened,
        TextRole::Closed,
        TextRole::Changed,
        TextRole::Refused,
    ];
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
            TextRole::Refused => AnsiColor::Magenta.on_default().bold(),
        }
    }
}

/// Takes a painted line apart into its texts and their roles. Text from outside has no escape sequences: it was escaped
/// before it was painted.
pub(crate) fn unpaint(line: &str) -> Vec<(String, Option<TextRole>)> {
    let mut pieces = Vec::new();
    let mut role = None;
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(ESCAPE).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        if !text.is_empty() {
            pieces.push((text.to_owned(), role));
        }
        let mut style = after;
        while let Some((_, next)) = style.strip_prefix(ESCAPE).and_then(|sequence| sequence.split_once('m')) {
            style = next;
        }
        let (sequences, next) = after.split_at(after.len() - style.len());
        role = TextRole::ALL.into_iter().find(|role| Palette::style(*role).render().to_string() == sequences);
        // What is no sequence of a colour is not written by `Palette`.
        rest = if sequences.is_empty() { "" } else { next };
    }
    pieces
}

const ESCAPE: &str = "\u{1b}[";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn painted_text_is_taken_apart_again() {
        let palette = Palette { color: true };
        for role in TextRole::ALL {
            let line = format!("a {} b", palette.paint(role, "x"));
            let pieces = unpaint(&line);
            let texts: Vec<&str> = pieces.iter().map(|(text, _)| text.as_str()).collect();
            assert_eq!(texts, ["a ", "x", " b"]);
            // Two roles may have one style.
            let styles: Vec<_> = pieces.iter().map(|(_, role)| role.map(Palette::style)).collect();
            assert_eq!(styles, [None, Some(Palette::style(role)), None]);
        }
        assert_eq!(unpaint("plain"), [("plain".to_owned(), None)]);
        assert_eq!(unpaint(""), []);
        assert_eq!(unpaint("cut \u{1b}[3"), [("cut ".to_owned(), None)]);
    }
}
