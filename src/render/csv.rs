//! CSV: a header, and a row for each listener and holder; a listener without visible holders has one row.
//! A value that is not known is empty. No cell begins with a character that a spreadsheet takes for a formula.

use std::io::{self, Write};

use super::column::Column;
use crate::model::Snapshot;

/// Writes a snapshot as CSV with these columns. The default is [`Column::is_in_default_csv`], with probes and connections
/// only if the snapshot has them.
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
            Column::Probe => probed,
            Column::Connected => connected,
            column => column.is_in_default_csv(),
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
            writer.write_record(
                columns
                    .iter()
                    .map(|column| escape_formula(column.value(listener, holder, snapshot.taken_at))),
            )?;
        }
    }
    writer.flush()
}

/// Returns a cell that no spreadsheet executes: one that begins with `=`, `+`, `-`, `@`, a tab or a line end, or with
/// the wide forms that East Asian editions take for these, gets an apostrophe before it. So does one that begins with
/// an apostrophe, so that a program gets the value back by removing one. Numbers here have no sign, and stay numbers.
fn escape_formula(value: String) -> String {
    let active = |first: char| {
        matches!(
            first,
            '=' | '+'
                | '-'
                | '@'
                | '\t'
                | '\r'
                | '\n'
                | '\''
                | '\u{ff1d}'
                | '\u{ff0b}'
                | '\u{ff0d}'
                | '\u{ff20}'
        )
    };
    match value.starts_with(active) {
        true => format!("'{value}"),
        false => value,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_become_text_and_numbers_stay() {
        for (value, cell) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1", "'+1"),
            ("-2+3", "'-2+3"),
            ("@SUM(1)", "'@SUM(1)"),
            ("@/tmp/.X11-unix/X0", "'@/tmp/.X11-unix/X0"),
            ("\tx", "'\tx"),
            ("\r=1", "'\r=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("'=1", "''=1"),
            ("8080", "8080"),
            ("3 70", "3 70"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(escape_formula(value.to_owned()), cell);
        }
    }

    proptest! {
        #[test]
        fn a_program_gets_the_value_back(value in "[=+@'\t\r-]{0,3}\\PC{0,8}") {
            let cell = escape_formula(value.clone());
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
            prop_assert_eq!(cell.strip_prefix('\'').unwrap_or(&cell), value);
        }
    }
}
