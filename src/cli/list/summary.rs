//! The summary below a table on a terminal.

use std::io::Write;

use super::super::terminal;
use super::ListOutput;
use crate::render::phrases::summary;
use crate::render::style::{Palette, TextRole};
use crate::render::{phrases, table};

impl ListOutput<'_> {
    /// Prints the summary below a table.
    pub(super) fn print_summary(&self, shortened: &table::Shortened) {
        let palette = Palette { color: self.terminal.error_color };
        let listeners = &self.snapshot.listeners;
        let exposed = listeners
            .iter()
            .filter(|listener| listener.socket.is_listener() && phrases::is_exposed(&listener.socket));
        let unseen: Vec<_> = listeners.iter().filter_map(|listener| listener.unseen.as_deref()).collect();
        let mut parts = Vec::new();
        let permissions_help =
            unseen.iter().any(|unseen| unseen.help.as_ref().is_some_and(|help| help.is_privileged_scan()));
        let narrowed = summary::narrowed(&shortened.columns, &shortened.dropped);
        for (role, sentence) in [
            (TextRole::Exposed, summary::exposed(exposed.count())),
            (TextRole::Unseen, summary::unseen(unseen.len(), permissions_help)),
            (TextRole::Label, narrowed),
        ] {
            parts.extend(sentence.map(|sentence| palette.paint(role, sentence)));
        }
        for gap in self.gaps_of_tables() {
            parts.push(palette.paint(TextRole::Unseen, summary::not_read(gap)));
        }
        if !parts.is_empty() {
            let _ = writeln!(terminal::errors(), "{}", parts.join("  "));
        }
    }
}
