//! A line for each event, of text or of JSON, each written at once.

use std::io::{self, Write};
use std::time::Instant;

use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

use super::{Update, View};
use crate::cli::why::write_out;
use crate::cli::{arguments, say};
use crate::compare::Change;
use crate::model::{Gap, Listener, Snapshot};
use crate::render::changes::{self, Options};
use crate::render::column::Column;
use crate::render::escape::escape;
use crate::render::order;
use crate::render::phrases;
use crate::render::style::Meaning;
use crate::render::{changes_json, json};

/// Lines on standard output.
pub(super) struct Lines {
    ndjson: bool,
    columns: Option<Vec<Column>>,
    sort: Option<Column>,
    header: bool,
    options: Options,
    /// Whether what is present was told.
    begun: bool,
    /// What the last look failed with, so that it is not told each second.
    failed: Option<String>,
}

impl Lines {
    pub(super) fn new(arguments: &arguments::Watch, options: Options) -> Lines {
        Lines {
            ndjson: arguments.ndjson,
            columns: arguments.rows.columns.clone(),
            sort: arguments.rows.sort,
            header: !arguments.rows.no_header && arguments.rows.columns.is_some(),
            options,
            begun: false,
            failed: None,
        }
    }

    fn looked(
        &mut self,
        snapshot: &Snapshot,
        changes: &[Change],
        gaps: &[Gap],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let at = snapshot.taken_at;
        if !self.begun {
            self.begun = true;
            if let (Some(columns), true, false) = (&self.columns, self.header, self.ndjson) {
                let names: Vec<String> = columns.iter().map(|column| column.heading()).collect();
                writeln!(out, "{:20}  {:8}  {}", "TIME", "EVENT", names.join("  "))?;
            }
            let mut present: Vec<&Listener> = snapshot.listeners.iter().collect();
            if self.sort.is_some() {
                order::sort(&mut present, self.sort, |listener| listener);
            }
            for listener in present {
                match self.ndjson {
                    true => changes_json::present(listener, at, out)?,
                    false => self.line(at, "present", Meaning::Label, listener, None, out)?,
                }
            }
        }
        for change in changes {
            let Some(listener) = change.listener() else { continue };
            let sure = if change.certain { "" } else { "?" };
            match self.ndjson {
                true => changes_json::event(change, at, out)?,
                false => {
                    let event = format!("{}{sure}", change.kind.as_str());
                    self.line(at, &event, changes::meaning(change.kind), listener, Some(change), out)?;
                }
            }
        }
        for gap in gaps {
            match self.ndjson {
                true => json::write_gap(gap, snapshot, out)?,
                false => say("not seen", &escape(&gap.detail)),
            }
        }
        Ok(())
    }

    fn line(
        &self,
        at: Timestamp,
        event: &str,
        meaning: Meaning,
        listener: &Listener,
        change: Option<&Change>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let padding = " ".repeat(8_usize.saturating_sub(event.width()));
        let event = format!("{}{padding}", self.options.palette.paint(meaning, event));
        let row = match &self.columns {
            Some(columns) => {
                let value = |column: &Column| match column.value(listener, listener.holders.first()) {
                    empty if empty.is_empty() => "-".to_owned(),
                    value => value,
                };
                columns.iter().map(value).collect::<Vec<_>>().join("  ")
            }
            None => {
                let asker = &self.options.asker;
                let told = change
                    .map_or_else(|| changes::whose(listener, asker), |change| changes::told(change, asker));
                let (place, address) = (changes::place(listener), phrases::address(&listener.socket));
                format!("{place:9}  {address:15}  {told}")
            }
        };
        writeln!(out, "{at}  {event}  {}", row.trim_end())
    }
}

impl View for Lines {
    fn show(&mut self, news: &Update<'_>, _now: Instant) -> io::Result<()> {
        match news {
            Update::Looked { snapshot, changes, gaps } => {
                let mut out = Vec::new();
                self.looked(snapshot, changes, gaps, &mut out)?;
                self.failed = None;
                if out.is_empty() {
                    return Ok(());
                }
                write_out(&out)
            }
            Update::Failed(error) => {
                let text = error.to_string();
                if self.failed.as_ref() != Some(&text) {
                    say("error", &format!("{text}; it is tried again"));
                    self.failed = Some(text);
                }
                Ok(())
            }
        }
    }
}
