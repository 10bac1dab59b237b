//! The contents of the screen: rows with marks, and which of them are visible. Pure: the time is an argument.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::event::{Flow, Update};
use crate::compare::{Change, ChangeKind};
use crate::model::{Endpoint, Listener, Protocol, Text};
use crate::render::column::Column;
use crate::render::escape::escape;
use crate::render::order::{self, Order};
use crate::render::phrases;
use crate::render::style::TextRole;
use crate::render::table::{self, Cell, shorten};

/// The time for which a change stays marked.
const MARKED: Duration = Duration::from_secs(5);

/// The sort orders that a key cycles through, the default first.
const ORDERS: [Option<Column>; 5] =
    [None, Some(Column::Process), Some(Column::Pid), Some(Column::User), Some(Column::Address)];

/// The rows, and the state that keys change.
pub(crate) struct WatchView {
    what: String,
    interval: Duration,
    order: Order,
    options: table::TableOptions,
    present: Vec<Listener>,
    recent: Vec<(Change, Instant)>,
    scanned_at: Timestamp,
    error: Option<String>,
    paused: bool,
    offset: usize,
    /// The number of rows, and of those that fit, when it was last drawn.
    drawn: (usize, usize),
}

/// A line of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) pieces: Vec<(String, Option<TextRole>)>,
    pub(crate) mark: Option<ChangeKind>,
}

/// Carries out a key, and returns what the loop does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyAction {
    Quit,
    Pause,
    Sort,
    /// Rows down, or up if negative.
    Scroll(isize),
    Page(isize),
    Top,
    Bottom,
}

impl WatchView {
    pub(crate) fn new(
        what: String,
        interval: Duration,
        order: Order,
        options: table::TableOptions,
    ) -> WatchView {
        WatchView {
            what: escape(&what.as_str().into()),
            interval,
            order,
            options,
            present: Vec::new(),
            recent: Vec::new(),
            scanned_at: Timestamp::UNIX_EPOCH,
            error: None,
            paused: false,
            offset: 0,
            drawn: (0, 0),
        }
    }

    /// Takes over the results of a scan.
    pub(crate) fn take(&mut self, update: &Update<'_>, at: Timestamp, now: Instant) {
        match update {
            Update::Scanned { snapshot, changes, .. } => {
                self.present.clone_from(&snapshot.listeners);
                self.recent.extend(changes.iter().map(|change| (change.clone(), now + MARKED)));
                (self.scanned_at, self.error) = (at, None);
            }
            Update::Failed(error) => {
                self.error = Some(escape(&crate::os::describe_chain(*error).as_str().into()))
            }
        }
    }

    /// Applies a key's action, and returns what the loop does next.
    pub(crate) fn apply(&mut self, action: KeyAction) -> Flow {
        let (rows, room) = self.drawn;
        let last = rows.saturating_sub(room);
        let page = isize::try_from(room.max(1)).unwrap_or(1);
        match action {
            KeyAction::Quit => return Flow::Quit,
            KeyAction::Pause => self.paused = !self.paused,
            KeyAction::Sort => {
                let at = ORDERS.iter().position(|column| *column == self.order.column).map_or(0, |at| at + 1);
                self.order.column = ORDERS.get(at).copied().flatten();
            }
            KeyAction::Scroll(by) => self.offset = self.offset.saturating_add_signed(by).min(last),
            KeyAction::Page(pages) => {
                self.offset = self.offset.saturating_add_signed(pages.saturating_mul(page)).min(last);
            }
            KeyAction::Top => self.offset = 0,
            KeyAction::Bottom => self.offset = last,
        }
        self.flow()
    }

    /// Returns what the loop does next.
    pub(crate) fn flow(&self) -> Flow {
        if self.paused { Flow::Pause } else { Flow::Scan }
    }

    /// Returns whether the view is coloured.
    pub(crate) fn color(&self) -> bool {
        self.options.palette.color
    }

    /// Returns when the next mark expires. Marks stay while the view is paused.
    pub(crate) fn redraw_at(&self) -> Option<Instant> {
        self.recent.iter().map(|(_, until)| *until).filter(|_| !self.paused).min()
    }

    /// Returns the lines of the screen, at most `width` columns wide and at most `height` of them.
    pub(crate) fn draw(&mut self, width: usize, height: usize, now: Instant) -> Vec<Line> {
        if !self.paused {
            self.recent.retain(|(_, until)| *until > now);
        }
        let (listeners, marks) = self.rows();
        let class = |at: usize| match marks.get(at).copied().flatten() {
            None => 0,
            Some(ChangeKind::Opened) => 1,
            Some(ChangeKind::Closed) => 2,
            Some(ChangeKind::Changed) => 3,
        };
        // The marks take two columns.
        let options = table::TableOptions {
            width: Some(width.saturating_sub(2).max(1)),
            at: self.scanned_at,
            ..self.options.clone()
        };
        let layout = table::lay_out(&listeners, &class, &options);
        let heading = layout.header.filter(|_| height >= 4).map(|header| line("  ", header, None));
        let status = self.status().filter(|_| height >= 3);
        let keys = (height >= 5).then(|| self.keys());
        let around =
            1 + usize::from(heading.is_some()) + usize::from(status.is_some()) + usize::from(keys.is_some());
        let room = height.saturating_sub(around);
        self.drawn = (layout.rows.len(), room);
        self.offset = self.offset.min(layout.rows.len().saturating_sub(room));
        let mut lines = vec![self.title(layout.rows.len(), room)];
        lines.extend(heading);
        let visible = layout.rows.into_iter().skip(self.offset).take(room);
        lines.extend(visible.map(|(at, cells)| {
            let mark = marks.get(at).copied().flatten();
            line(sign(mark), cells, mark)
        }));
        if height > around {
            lines.resize(
                height.saturating_sub(usize::from(status.is_some()) + usize::from(keys.is_some())),
                line("", Vec::new(), None),
            );
        }
        lines.extend(status);
        lines.extend(keys);
        lines.truncate(height);
        for line in &mut lines {
            fit(&mut line.pieces, width);
        }
        lines
    }

    /// Returns the listeners that are present and those that closed recently, in order, each with its mark.
    fn rows(&self) -> (Vec<Listener>, Vec<Option<ChangeKind>>) {
        let closed = self.recent.iter().filter(|(change, _)| change.kind == ChangeKind::Closed);
        let closed =
            closed.filter_map(|(change, _)| Some((change.before.clone()?, Some(ChangeKind::Closed))));
        // The latest of several changes of one socket counts.
        let marks: HashMap<_, _> = self
            .recent
            .iter()
            .filter_map(|(change, _)| Some((identity(change.after.as_ref()?), change.kind)))
            .collect();
        let mark = |listener: &Listener| marks.get(&identity(listener)).copied();
        let present = self.present.iter().map(|listener| (listener.clone(), mark(listener)));
        let mut rows: Vec<(Listener, Option<ChangeKind>)> = present.chain(closed).collect();
        order::sort(&mut rows, self.order, |(listener, _)| listener);
        rows.into_iter().unzip()
    }

    /// `3000  2 rows, 4-9 of 30  every 1s, scanned at 18:40:10 UTC`
    fn title(&self, rows: usize, room: usize) -> Line {
        let what = if self.what.is_empty() { "all listeners" } else { &self.what };
        let count = match rows {
            0 => "nothing listens".to_owned(),
            rows if rows <= room => format!("{rows} {}", if rows == 1 { "row" } else { "rows" }),
            rows => format!("{}-{} of {rows}", self.offset + 1, (self.offset + room).min(rows)),
        };
        let time = self.scanned_at.strftime("%H:%M:%S");
        let every = match self.paused {
            true => "PAUSED".to_owned(),
            false => format!("every {}", spell(self.interval)),
        };
        let order = self.order.column.map_or_else(String::new, |column| format!(", by {}", column.name()));
        let pieces = vec![
            (what.to_owned(), Some(TextRole::Subject)),
            (format!("  {count}{order}"), None),
            (format!("  {every}, scanned at {time} UTC"), Some(TextRole::Label)),
        ];
        Line { pieces, mark: None }
    }

    /// Returns the line about errors and gaps, if there are any.
    fn status(&self) -> Option<Line> {
        let unseen = self.present.iter().filter(|listener| listener.unseen.is_some()).count();
        let text = match &self.error {
            Some(error) => phrases::watch::retrying(error),
            None => phrases::summary::unseen(unseen, false)?,
        };
        Some(Line { pieces: vec![(text, Some(TextRole::Unseen))], mark: None })
    }

    fn keys(&self) -> Line {
        let pause = if self.paused { "resumes" } else { "pauses" };
        let text = format!("q quits  space {pause}  arrows scroll  s sorts  + opened  - closed  ~ changed");
        Line { pieces: vec![(text, Some(TextRole::Label))], mark: None }
    }
}

/// The identity of a listener across scans.
type Identity<'a> = (&'a Endpoint, Protocol, Option<SocketAddr>, Option<u64>, Option<&'a Text>);

fn identity(listener: &Listener) -> Identity<'_> {
    let socket = &listener.socket;
    (&socket.endpoint, socket.protocol, socket.peer, socket.inode, socket.namespace.as_ref())
}

fn sign(mark: Option<ChangeKind>) -> &'static str {
    match mark {
        None => "  ",
        Some(ChangeKind::Opened) => "+ ",
        Some(ChangeKind::Closed) => "- ",
        Some(ChangeKind::Changed) => "~ ",
    }
}

fn line(sign: &str, cells: Vec<Cell>, mark: Option<ChangeKind>) -> Line {
    let cells = cells.into_iter().map(|cell| (cell.text, cell.role));
    let sign = (sign.to_owned(), mark.map(crate::render::changes::role_of_kind));
    Line { pieces: std::iter::once(sign).chain(cells).collect(), mark }
}

/// Shortens a line that is too wide.
fn fit(pieces: &mut Vec<(String, Option<TextRole>)>, width: usize) {
    let mut left = width;
    for (text, _) in pieces.iter_mut() {
        *text = shorten(text, left);
        left = left.saturating_sub(unicode_width::UnicodeWidthStr::width(text.as_str()));
    }
    pieces.retain(|(text, _)| !text.is_empty());
}

fn spell(interval: Duration) -> String {
    match interval.as_millis() {
        milliseconds if milliseconds % 1000 != 0 => format!("{milliseconds}ms"),
        milliseconds => format!("{}s", milliseconds / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::changes;
    use crate::model::Snapshot;

    fn saved() -> Snapshot {
        crate::render::json::read(&std::fs::read("tests/replay/workstation.json").unwrap()).unwrap()
    }

    fn view() -> WatchView {
        let options = table::TableOptions { header: true, ..table::TableOptions::default() };
        WatchView::new(String::new(), Duration::from_secs(1), Order::default(), options)
    }

    fn take(view: &mut WatchView, before: Option<&Snapshot>, snapshot: &Snapshot, now: Instant) {
        let changes = before.map(|before| changes(before, snapshot)).unwrap_or_default();
        view.take(&Update::Scanned { snapshot, changes: &changes, gaps: &[] }, snapshot.taken_at, now);
    }

    fn text(lines: &[Line]) -> String {
        let text = |line: &Line| line.pieces.iter().map(|(text, _)| text.as_str()).collect::<String>();
        lines.iter().map(|line| format!("{}\n", text(line).trim_end())).collect()
    }

    #[test]
    fn what_came_and_went_is_marked_for_a_while() {
        let before = saved();
        let mut after = saved();
        after.listeners.retain(|listener| listener.socket.endpoint.port() != Some(22));
        let other = after.listeners.iter().position(|one| one.socket.endpoint.port() == Some(3000)).unwrap();
        after.listeners[other].holders[0].process.id.pid = 77;
        let mut earlier = before.clone();
        earlier.listeners.retain(|listener| listener.socket.endpoint.port() != Some(5353));
        let (mut view, now) = (view(), Instant::now());
        take(&mut view, None, &earlier, now);
        assert!(!text(&view.draw(80, 30, now)).contains("\n+ "));
        take(&mut view, Some(&earlier), &after, now);
        insta::assert_snapshot!(text(&view.draw(80, 24, now)));
        assert_eq!(view.redraw_at(), Some(now + MARKED));
        let later = text(&view.draw(80, 24, now + MARKED));
        assert!(!later.contains("\n+ ") && !later.contains("\n- ") && !later.contains("\n~ "), "{later}");
    }

    #[test]
    fn keys_scroll_within_the_rows() {
        let (mut view, now) = (view(), Instant::now());
        take(&mut view, None, &saved(), now);
        let first_row =
            |view: &mut WatchView| text(&view.draw(80, 8, now)).lines().nth(2).unwrap().to_owned();
        let top = first_row(&mut view);
        for (action, moved) in [
            (KeyAction::Scroll(-1), false),
            (KeyAction::Scroll(1), true),
            (KeyAction::Top, false),
            (KeyAction::Page(1), true),
            (KeyAction::Page(-1), false),
            (KeyAction::Bottom, true),
        ] {
            assert_eq!(view.apply(action), Flow::Scan);
            assert_eq!(first_row(&mut view) != top, moved, "{action:?}");
        }
        let bottom = first_row(&mut view);
        view.apply(KeyAction::Page(9));
        assert_eq!(first_row(&mut view), bottom);
        assert_eq!(view.apply(KeyAction::Quit), Flow::Quit);
    }

    #[test]
    fn a_pause_keeps_the_marks_and_a_key_selects_the_order() {
        let (mut view, now) = (view(), Instant::now());
        let none = Snapshot { listeners: Vec::new(), ..saved() };
        take(&mut view, None, &none, now);
        assert!(text(&view.draw(80, 24, now)).contains("nothing listens"));
        take(&mut view, Some(&none), &saved(), now);
        assert_eq!(view.apply(KeyAction::Pause), Flow::Pause);
        let paused = text(&view.draw(80, 24, now + MARKED * 2));
        assert!(paused.contains("PAUSED") && paused.contains("\n+ "), "{paused}");
        assert_eq!((view.redraw_at(), view.apply(KeyAction::Pause)), (None, Flow::Scan));
        view.apply(KeyAction::Sort);
        assert!(text(&view.draw(80, 24, now)).contains("by process"));
        (1..ORDERS.len()).for_each(|_| assert_eq!(view.apply(KeyAction::Sort), Flow::Scan));
        assert!(!text(&view.draw(80, 24, now)).contains(", by "));
    }

    #[test]
    fn a_failed_scan_is_shown_until_the_next_one() {
        let (mut view, now) = (view(), Instant::now());
        take(&mut view, None, &saved(), now);
        let error =
            crate::model::Error::new(crate::model::ErrorKind::SocketTable, "cannot read\u{1b}[31m the table");
        view.take(&Update::Failed(&error), Timestamp::UNIX_EPOCH, now);
        assert!(text(&view.draw(80, 24, now)).contains("cannot read\\x1b[31m the table; retrying"));
        take(&mut view, None, &saved(), now);
        assert!(!text(&view.draw(80, 24, now)).contains("retrying"));
    }

    #[test]
    fn it_fits_every_size() {
        let (mut view, now) = (view(), Instant::now());
        let none = Snapshot { listeners: Vec::new(), ..saved() };
        take(&mut view, Some(&none), &saved(), now);
        for width in [0, 1, 2, 3, 10, 20, 60, 200] {
            for height in 0..40 {
                let lines = view.draw(width, height, now);
                assert!(lines.len() <= height, "{width} {height}");
                let wide = |line: &&str| unicode_width::UnicodeWidthStr::width(*line) > width;
                assert_eq!(text(&lines).lines().find(wide), None, "{width} {height}");
            }
        }
        insta::assert_snapshot!(text(&view.draw(20, 12, now)));
    }
}
