//! The summary below a table on a terminal.

use std::io::Write;

use super::super::terminal;
use super::ListOutput;
use crate::render::style::{Palette, TextRole};
use crate::render::{phrases, table};

/// No arguments.
const NOTHING: &[&str] = &[];

impl ListOutput<'_> {
    /// Prints the summary below a table.
    pub(super) fn print_summary(&self, shortened: &table::Shortened) {
        let palette = Palette { color: self.terminal.error_color };
        let listeners = &self.snapshot.listeners;
        let exposed = listeners
            .iter()
            .filter(|listener| listener.socket.is_listener() && phrases::is_exposed(&listener.socket));
        let unseen: Vec<_> = listeners.iter().filter_map(|listener| listener.unseen.as_ref()).collect();
        let mut parts = Vec::new();
        match exposed.count() {
            0 => {}
            1 => parts.push(palette.paint(TextRole::Exposed, "1 listener is open to the network.")),
            many => parts
                .push(palette.paint(TextRole::Exposed, format!("{many} listeners are open to the network."))),
        }
        if !unseen.is_empty() {
            let subject = match unseen.len() {
                1 => "Holders of 1 listener could not be seen".to_owned(),
                many => format!("Holders of {many} listeners could not be seen"),
            };
            let sudo = unseen
                .iter()
                .any(|unseen| unseen.help.as_ref().is_some_and(|help| help.is_privileged_scan()));
            let sudo = sudo.then(|| phrases::allears_with_rights(NOTHING)).flatten();
            let help = sudo.map_or_else(|| ".".to_owned(), |sudo| format!(": {sudo} shows them."));
            parts.push(palette.paint(TextRole::Unseen, format!("{subject}{help}")));
        }
        let mut narrow = Vec::new();
        if !shortened.columns.is_empty() {
            narrow.push(format!("shortened: {}", shortened.columns.join(", ")));
        }
        if !shortened.dropped.is_empty() {
            narrow.push(format!("left out: {}", shortened.dropped.join(", ")));
        }
        if !narrow.is_empty() {
            let text = format!("To fit this width, {}; --wide shows all.", narrow.join("; "));
            parts.push(palette.paint(TextRole::Label, text));
        }
        for gap in self.gaps_of_tables() {
            parts.push(palette.paint(TextRole::Unseen, format!("Not read: {}.", phrases::gap(gap))));
        }
        if !parts.is_empty() {
            let _ = writeln!(terminal::errors(), "{}", parts.join("  "));
        }
    }
}
