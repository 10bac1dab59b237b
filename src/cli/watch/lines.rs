//! One line for each event, as text or JSON, flushed at once.

use std::io::{self, Write};
use std::time::Instant;

use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

use crate::act::watch::occurrence::Occurrence;
use crate::cli::why::write_out;
use crate::cli::{arguments, say};
use crate::compare::Change;
use crate::model::{Gap, GapKind, GapReason, Listener, Snapshot};
use crate::os;
use crate::render::changes::{self, ChangesOptions};
use crate::render::column::Column;
use crate::render::occurrences::EventLine;
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
        (changes, occurrences): (&[Change], &[Occurrence]),
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
                    false => {
                        let text = changes::holder_and_description(listener, &self.options.current_user);
                        self.line(at, "present", TextRole::Label, listener, &text, out)?;
                    }
                }
            }
        }
        for occurrence in occurrences {
            if self.ndjson {
                changes_json::occurrence(occurrence, out)?;
                continue;
            }
            for line in EventLine::of_occurrence(occurrence, &self.options.current_user) {
                self.event(&line, out)?;
            }
        }
        for change in changes {
            match EventLine::of_change(change, at, &self.options.current_user) {
                _ if self.ndjson => changes_json::event(change, at, out)?,
                Some(line) => self.event(&line, out)?,
                None => {}
            }
        }
        for gap in gaps {
            match self.ndjson {
                true => json::write_gap(gap, snapshot, out)?,
                // Most systems report nothing between two passes, as users of such programs know.
                false if gap.what == GapKind::ShortLived && gap.reason == GapReason::Unsupported => {}
                false => say("not seen", &phrases::gap(gap)),
            }
        }
        Ok(())
    }

    fn event(&self, line: &EventLine<'_>, out: &mut dyn Write) -> io::Result<()> {
        let doubt = if line.certain { "" } else { "?" };
        let event = format!("{}{doubt}", line.kind.as_str());
        let at = Timestamp::from_second(line.at.as_second()).unwrap_or(line.at);
        self.line(at, &event, line.kind.role(), line.listener, &line.text, out)
    }

    fn line(
        &self,
        at: Timestamp,
        event: &str,
        role: TextRole,
        listener: &Listener,
        text: &str,
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
                let (port_column, address) =
                    (changes::port_column(listener), phrases::address(&listener.socket));
                format!("{port_column:9}  {address:15}  {text}")
            }
        };
        writeln!(out, "{at}  {event}  {}", row.trim_end())
    }
}

impl View for Lines {
    fn show(&mut self, update: &Update<'_>, _now: Instant) -> io::Result<()> {
        match update {
            Update::Scanned { snapshot, changes, occurrences, gaps, .. } => {
                let mut out = Vec::new();
                self.write_scan(snapshot, (changes, occurrences), gaps, &mut out)?;
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
