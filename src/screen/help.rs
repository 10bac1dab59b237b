//! The keys, for people.

use unicode_width::UnicodeWidthStr;

use super::line::{Line, wrapped};
use crate::render::style::TextRole;

/// The keys and what they do, by topic.
const KEYS: [(&str, &[(&str, &str)]); 5] = [
    (
        "Select",
        &[
            ("arrows, j, k", "the next or previous row; the cursor stays on its listener"),
            ("PgUp, PgDn", "a page up or down"),
            ("g, G", "the first or last row; also Home and End"),
        ],
    ),
    (
        "The selected listener",
        &[
            ("Enter", "its card, with parents, children and clients"),
            ("w", "why: can its port be bound, and if not, why?"),
            ("f", "free: shows the plan and asks; y and Enter carry it out"),
            ("y p", "copy the pid of the holder"),
            ("y a", "copy the address and port"),
            ("y c", "copy the command line, quoted for the shell"),
            ("o", "open http://localhost:PORT in the browser"),
        ],
    ),
    (
        "Rows",
        &[
            ("/", "filter by a text, or by targets such as :3000, 8000-8010, udp/53"),
            ("Esc", "clear the filter; without one, quit"),
            ("t, u, x", "show or hide TCP, UDP, Unix sockets"),
            ("4, 6", "show or hide IPv4, IPv6"),
            ("e", "only what other machines can reach"),
            ("a", "sockets in every state"),
            ("s, S", "the next sort order; reverse it"),
        ],
    ),
    (
        "Session",
        &[
            ("space, p", "pause"),
            ("E", "all events since the start"),
            ("?", "this help"),
            ("Ctrl-Z", "suspend until fg"),
            ("q, Ctrl-C", "quit"),
        ],
    ),
    (
        "Marks",
        &[
            ("+  -  ~", "opened, closed, changed its holder, for five seconds"),
            ("!", "a bind or listen that the system refused, in the line of the last event"),
        ],
    ),
];

/// The width of the column of keys.
const COLUMN: usize = 14;

/// Returns the help, wrapped, with what is noticed between two passes.
pub(super) fn lines(width: usize, coverage: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for (topic, keys) in KEYS {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::new(topic, Some(TextRole::Label)));
        for (key, does) in keys {
            let mut key = (*key).to_owned();
            for line in wrapped(does, width.saturating_sub(COLUMN + 2), None) {
                let padding = " ".repeat(COLUMN.saturating_sub(key.width()));
                let mut whole = Line::new(format!("  {key}{padding}"), Some(TextRole::Subject));
                whole.pieces.extend(line.pieces);
                lines.push(whole);
                key = String::new();
            }
        }
    }
    lines.push(Line::default());
    lines.push(Line::new("Between two passes", Some(TextRole::Label)));
    lines.extend(wrapped(coverage, width.saturating_sub(2), None).into_iter().map(|mut line| {
        line.pieces.insert(0, ("  ".to_owned(), None));
        line
    }));
    lines
}
