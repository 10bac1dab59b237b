//! What opened, closed, changed and was refused since the screen was opened.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use super::line::{Line, sign, wrapped};
use super::rows::Key;
use crate::compare::ChangeKind;
use crate::render::occurrences::{EventKind, EventLine};
use crate::render::style::TextRole;
use crate::render::{changes, phrases};

/// The most events that are kept.
const MOST: usize = 1000;

/// The most events of the summary.
const SUMMARIZED: usize = 10;

/// An event, as text that is safe to show.
#[derive(Debug)]
pub(super) struct Event {
    at: Timestamp,
    when: Instant,
    kind: EventKind,
    certain: bool,
    place: String,
    address: String,
    holder: String,
    pub(super) key: Key,
}

/// The events of a session, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    events: VecDeque<Event>,
    opened: usize,
    closed: usize,
    changed: usize,
    refused: usize,
}

/// Returns a time of day in a time zone.
pub(super) fn time_of_day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

impl Event {
    fn kind(&self) -> String {
        format!("{}{}", self.kind.as_str(), if self.certain { "" } else { "?" })
    }

    /// Returns how long ago it was.
    fn age(&self, now: Instant) -> String {
        let seconds = i64::try_from(now.saturating_duration_since(self.when).as_secs()).unwrap_or(i64::MAX);
        let later = Timestamp::from_second(self.at.as_second().saturating_add(seconds));
        phrases::ago(self.at, later.unwrap_or(self.at))
    }

    /// Returns the line of the last event. `hidden` is why its row is not visible, `others` how many came with it.
    pub(super) fn line(&self, hidden: &str, others: usize, zone: &TimeZone, now: Instant) -> Line {
        let sign = match self.kind {
            EventKind::Changed(kind) => sign(kind),
            EventKind::Refused => '!',
        };
        let mut line = Line::new(format!("{sign} "), Some(self.kind.role()));
        let time = format!("{} ({} ago) ", time_of_day(self.at, zone), self.age(now));
        line.pieces.push((time, Some(TextRole::Label)));
        let what = format!("{} {} {}", self.kind(), self.place, self.address);
        line.pieces.push((what, Some(self.kind.role())));
        let others = if others > 0 { format!(", and {others} more (E)") } else { String::new() };
        line.pieces.push((format!("{hidden}{others}  {}", self.holder), None));
        line
    }

    fn text(&self, zone: &TimeZone) -> (String, &str) {
        let time = time_of_day(self.at, zone);
        (format!("{time}  {:8}  {:9}  {:15}", self.kind(), self.place, self.address), &self.holder)
    }
}

impl History {
    /// Adds an event.
    pub(super) fn add(&mut self, line: EventLine<'_>, now: Instant) {
        match line.kind {
            EventKind::Changed(ChangeKind::Opened) => self.opened += 1,
            EventKind::Changed(ChangeKind::Closed) => self.closed += 1,
            EventKind::Changed(ChangeKind::Changed) => self.changed += 1,
            EventKind::Refused => self.refused += 1,
        }
        if self.events.len() == MOST {
            self.events.pop_front();
        }
        self.events.push_back(Event {
            at: line.at,
            when: now,
            kind: line.kind,
            certain: line.certain,
            place: changes::port_column(line.listener),
            address: phrases::address(&line.listener.socket),
            holder: line.text,
            key: Key::of(line.listener),
        });
    }

    fn total(&self) -> usize {
        self.opened + self.closed + self.changed + self.refused
    }

    /// Returns the last event.
    pub(super) fn last(&self) -> Option<&Event> {
        self.events.back()
    }

    /// Returns the number of other events that came with the last one.
    pub(super) fn others(&self) -> usize {
        let last = self.events.back().map(|event| event.when);
        self.events.iter().rev().skip(1).take_while(|event| Some(event.when) == last).count()
    }

    /// Returns all events as lines, the latest first.
    pub(super) fn lines(&self, width: usize, zone: &TimeZone) -> Vec<Line> {
        let mut lines = Vec::new();
        if self.events.is_empty() {
            return wrapped("nothing has opened, closed, changed or been refused yet", width, None);
        }
        for event in self.events.iter().rev() {
            let (text, holder) = event.text(zone);
            let role = Some(event.kind.role());
            if text.width() + 2 + holder.width() <= width {
                let mut line = Line::new(text, role);
                line.pieces.push((format!("  {holder}"), None));
                lines.push(line);
            } else {
                lines.extend(wrapped(text.trim_end(), width, role));
                lines.extend(wrapped(holder, width.saturating_sub(4), None).into_iter().map(|mut line| {
                    line.pieces.insert(0, ("    ".to_owned(), None));
                    line
                }));
            }
        }
        let left_out = self.total() - self.events.len();
        if left_out > 0 {
            lines.extend(wrapped(
                &format!("{left_out} earlier ones are not kept"),
                width,
                Some(TextRole::Label),
            ));
        }
        lines
    }

    /// Returns what happened in a session of this length, in lines. None if nothing did.
    pub(super) fn summary(&self, length: Duration, zone: &TimeZone) -> Vec<String> {
        let counts = [
            (self.opened, "opened"),
            (self.closed, "closed"),
            (self.changed, "changed"),
            (self.refused, "refused"),
        ];
        let counts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if counts.is_empty() {
            return Vec::new();
        }
        let length = phrases::duration(Duration::from_secs(length.as_secs()));
        let mut lines = vec![format!("{} in {length}", phrases::list_and(&counts))];
        let all = self.total();
        let last = self.events.iter().rev().take(SUMMARIZED).rev();
        if all > SUMMARIZED {
            lines.push(format!("  the last {SUMMARIZED}:"));
        }
        lines.extend(last.map(|event| {
            let (text, holder) = event.text(zone);
            format!("  {text}  {holder}").trim_end().to_owned()
        }));
        lines
    }
}
