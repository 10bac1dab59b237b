//! CSV: a header, and a row for each listener and holder; a listener without visible holders has one row.
//! What is not told is empty.

use std::io::{self, Write};

use crate::Snapshot;
use crate::render::column::Column;

/// Writes a snapshot as CSV with these columns, or all but what is made for people or was added later. The one
/// for probes is there where something was probed, that for connections where they were asked for.
pub(crate) fn write(
    snapshot: &Snapshot,
    columns: Option<&[Column]>,
    header: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let probed = snapshot.listeners.iter().any(|listener| listener.probe.is_some());
    let connected = snapshot.listeners.iter().any(|listener| listener.connections.is_some());
    let every: Vec<Column> = Column::NAMES
        .iter()
        .map(|(column, _)| *column)
        .filter(|column| match column {
            // Those that were added later are there where they are asked for.
            Column::What | Column::Script | Column::Branch => false,
            Column::Probe => probed,
            Column::Connected => connected,
            _ => true,
        })
        .collect();
    let columns = columns.unwrap_or(&every);
    let mut writer = csv::Writer::from_writer(out);
    if header {
        writer.write_record(columns.iter().map(|column| column.name()))?;
    }
    for listener in &snapshot.listeners {
        let holders = listener.holders.iter().map(Some);
        let none = listener.holders.is_empty().then_some(None);
        for holder in holders.chain(none) {
            writer.write_record(columns.iter().map(|column| column.value(listener, holder)))?;
        }
    }
    writer.flush()
}
