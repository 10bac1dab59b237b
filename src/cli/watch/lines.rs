//! One line for each event, as text or JSON, flushed at once.

use std::io::{self, Write};
use std::time::Instant;

use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

use crate::cli::why::write_out;
use crate::cli::{arguments, say};
use crate::compare::Change;
use crate::model::{Gap, Listener, Snapshot};
use crate::os;
use crate::render::changes::{self, ChangesOptions};
use crate::render::column::Column;
use crate::render::order::{self, Order};
use crate::render::phrases;
use crate::render::style::TextRole;
use crate::render::{changes_json, json};
use crate::screen::event::{Update, View};

/// Lines on standard output.
pub(super) struct Lines {
    ndjson: bool,
    columns: Option<Vec<Column>>,
    order: Order,
    header: bool,
    options: ChangesOptions,
    /// Whether the listeners that are present have been written.
    started: bool,
    /// The error of the last scan, so that it is not repeated every second.
    last_error: Option<String>,
}

impl Lines {
    pub(super) fn new(arguments: &arguments::Watch, options: ChangesOptions) -> Lines {
        Lines {
            ndjson: arguments.ndjson,
            columns: arguments.rows.columns.clone(),
            order: arguments.rows.order(),
            header: !arguments.rows.no_header && arguments.rows.columns.is_some(),
            options,
            started: false,
            last_error: None,
        }
    }

    fn write_scan(
        &mut self,
        snapshot: &Snapshot,
        changes: &[Change],
        gaps: &[Gap],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let at = snapshot.taken_at;
        if !self.started {
            self.started = true;
            if let (Some(columns), true, false) = (&self.columns, self.header, self.ndjson) {
                let names: Vec<String> = columns.iter().map(|column| column.heading()).collect();
                writeln!(out, "{:20}  {:8}  {}", "TIME", "EVENT", names.join("  "))?;
            }
            let mut present: Vec<&Listener> = snapshot.listeners.iter().collect();
            if self.order != Order::default() {
                order::sort(&mut present, self.order, |listener| listener);
            }
            for listener in present {
                match self.ndjson {
                    true => changes_json::present(listener, at, out)?,
                    false => self.line(at, "present", TextRole::Label, listener, None, out)?,
                }
            }
        }
        for change in changes {
            let Some(listener) = change.listener() else { continue };
            let doubt = if change.certain { "" } else { "?" };
            match self.ndjson {
                true => changes_json::event(change, at, out)?,
                false => {
                    let event = format!("{}{doubt}", change.kind.as_str());
                    self.line(at, &event, changes::role_of_kind(change.kind), listener, Some(change), out)?;
                }
            }
        }
        for gap in gaps {
            match self.ndjson {
                true => json::write_gap(gap, snapshot, out)?,
                false => say("not seen", &phrases::gap(gap)),
            }
        }
        Ok(())
    }

    fn line(
        &self,
        at: Timestamp,
        event: &str,
        role: TextRole,
        listener: &Listener,
        change: Option<&Change>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let padding = " ".repeat(8_usize.saturating_sub(event.width()));
        let event = format!("{}{padding}", self.options.palette.paint(role, event));
        let row = match &self.columns {
            Some(columns) => {
                let value = |column: &Column| match column.value(listener, listener.holders.first(), at) {
                    empty if empty.is_empty() => "-".to_owned(),
                    value => value,
                };
                columns.iter().map(value).collect::<Vec<_>>().join("  ")
            }
            None => {
                let current_user = &self.options.current_user;
                let description = change.map_or_else(
                    || changes::holder_and_description(listener, current_user),
                    |change| changes::describe(change, current_user),
                );
                let (port_column, address) =
                    (changes::port_column(listener), phrases::address(&listener.socket));
                format!("{port_column:9}  {address:15}  {description}")
            }
        };
        writeln!(out, "{at}  {event}  {}", row.trim_end())
    }
}

impl View for Lines {
    fn show(&mut self, update: &Update<'_>, _now: Instant) -> io::Result<()> {
        match update {
            Update::Scanned { snapshot, changes, gaps, .. } => {
                let mut out = Vec::new();
                self.write_scan(snapshot, changes, gaps, &mut out)?;
                self.last_error = None;
                if out.is_empty() {
                    return Ok(());
                }
                write_out(&out)
            }
            Update::Failed(error) => {
                let text = os::describe_chain(*error);
                if self.last_error.as_ref() != Some(&text) {
                    say("error", &phrases::watch::retrying(&text));
                    self.last_error = Some(text);
                }
                Ok(())
            }
        }
    }
}
