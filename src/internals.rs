//! For this project's own benches and fuzz targets: thin functions over parts that are private. No stability is
//! promised to anybody else. What belongs to one operating system is in `system`, which may be empty.

use std::io::{self, Write};

pub use crate::os::internals as system;

use crate::Snapshot;
use crate::render::{card, changes, csv, table};

/// Writes a snapshot as a table without colours; `None` for whole rows instead of a width.
///
/// # Errors
/// Those of the writer.
pub fn table(snapshot: &Snapshot, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let options = table::Options { header: true, states: true, width, ..table::Options::default() };
    table::write(snapshot, &options, out).map(|_shortened| ())
}

/// Writes a snapshot as cards without colours; `None` for whole lines instead of a width.
///
/// # Errors
/// Those of the writer.
pub fn card(snapshot: &Snapshot, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let options = card::Options { parents: true, width, ..card::Options::default() };
    card::write(snapshot, &options, out)
}

/// Writes a snapshot as CSV with every column that CSV has.
///
/// # Errors
/// Those of the writer.
pub fn csv(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    csv::write(snapshot, None, true, out)
}

/// Writes what is different between two snapshots, without colours.
///
/// # Errors
/// Those of the writer.
pub fn changes(before: &Snapshot, after: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    changes::write(&crate::changes(before, after), &changes::Options::default(), out)
}

/// Whether a terminal would show this text and do nothing else with it, line ends aside.
pub fn is_inert(text: &str) -> bool {
    text.chars().all(|character| character == '\n' || !crate::text::acts_on_terminal(character))
}

/// Describes what would start a process again after its end, one restarter a line.
pub fn restarters(pid: u32) -> String {
    let described = crate::os::process_table().ok().and_then(|table| {
        let id = table.get(pid)?.id;
        let process = crate::os::describe_ids(&[id]).remove(&pid)?;
        let found = crate::restart::restarters(&process, &table, &mut crate::os::RestartSources);
        let mut lines: String = found.iter().map(|restarter| format!("{restarter:?}\n")).collect();
        if let Some(held) = crate::restart::holds_for_others(&process) {
            lines.push_str(&format!("{held:?}\n"));
        }
        Some(lines)
    });
    described.unwrap_or_default()
}
