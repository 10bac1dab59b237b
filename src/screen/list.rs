//! The list: rows, the cursor, and what is visible.

use std::rc::Rc;
use std::time::Instant;

use jiff::Timestamp;

use super::filter::Filter;
use super::line::{Line, sign};
use super::rows::{Arrangement, Key, Row, Rows};
use super::toggles::{Toggle, Toggles};
use crate::compare::ChangeKind;
use crate::model::{Listener, Selection};
use crate::render::changes::role_of_kind;
use crate::render::column::Column;
use crate::render::order::Order;
use crate::render::style::TextRole;
use crate::render::table::{Cell, EqualSockets, TableOptions, group_rows, lay_out_groups};

/// The sort orders that a key cycles through, the default first.
const ORDERS: [Option<Column>; 5] =
    [None, Some(Column::Process), Some(Column::Pid), Some(Column::User), Some(Column::Address)];

/// The number of rows that decide how wide the columns are. If there are more, those around the visible ones decide.
const MEASURED: usize = 500;

/// The columns for the cursor and for the sign of a change.
const GUTTER: usize = 3;

/// The rows, and the state that keys change.
pub(super) struct List {
    pub(super) rows: Rows,
    pub(super) order: Order,
    pub(super) options: TableOptions,
    pub(super) filter: Filter,
    toggles: Toggles,
    usual: Toggles,
    /// What the loop reads.
    selection: Selection,
    cursor: Option<Key>,
    /// The row of the cursor.
    cursor_at: usize,
    offset: usize,
    /// The number of rows, and of those that fit, when it was last drawn.
    drawn: (usize, usize),
    /// The listeners of the row of the cursor when it was last drawn.
    selected: Vec<Rc<Row>>,
    visible: Vec<Key>,
}

/// The visible part of a list.
pub(super) struct Visible {
    pub(super) heading: Option<Line>,
    pub(super) rows: Vec<Line>,
    /// The number of rows.
    pub(super) of: usize,
    /// The number of the first visible row.
    pub(super) first: usize,
}

impl List {
    pub(super) fn new(selection: Selection, order: Order, options: TableOptions) -> List {
        let toggles = Toggles::of(&selection);
        List {
            rows: Rows::default(),
            order,
            options,
            filter: Filter::default(),
            toggles,
            usual: toggles,
            selection,
            cursor: None,
            cursor_at: 0,
            offset: 0,
            drawn: (0, 0),
            selected: Vec::new(),
            visible: Vec::new(),
        }
    }

    /// Prepares the rows for a filter that is about to be typed.
    pub(super) fn start_filter(&self) {
        let columns = self.options.columns.as_deref().unwrap_or_default();
        self.rows.collect_facts(columns, &self.options.current_user);
    }

    /// Moves the cursor by so many rows.
    pub(super) fn move_by(&mut self, by: isize) {
        self.cursor_at = self.cursor_at.saturating_add_signed(by).min(self.drawn.0.saturating_sub(1));
        self.cursor = None;
    }

    /// Returns the number of rows of a page.
    pub(super) fn page(&self) -> isize {
        isize::try_from(self.drawn.1.max(1)).unwrap_or(1)
    }

    pub(super) fn next_order(&mut self) {
        let at = ORDERS.iter().position(|column| *column == self.order.column).map_or(0, |at| at + 1);
        self.order.column = ORDERS.get(at).copied().flatten();
        self.rows.sort_again();
    }

    pub(super) fn reverse(&mut self) {
        self.order.reverse = !self.order.reverse;
        self.rows.sort_again();
    }

    /// Shows or hides sockets. Returns what must be read in addition.
    pub(super) fn toggle(&mut self, toggle: Toggle) -> Option<Selection> {
        self.toggles.flip(toggle);
        self.options.states = self.toggles.all;
        self.rows.filter_again();
        let wider = self.toggles.widened(&self.selection)?;
        self.selection = wider.clone();
        Some(wider)
    }

    /// Returns the order and the toggles for the title: `, by process, without udp`.
    pub(super) fn arrangement(&self) -> String {
        let order = self.order.column.map_or_else(String::new, |column| format!(", by {}", column.name()));
        let reversed = if self.order.reverse { ", reversed" } else { "" };
        format!("{order}{reversed}{}", self.toggles.differences(&self.usual))
    }

    /// Returns the first listener of the selected row.
    pub(super) fn selected(&self) -> Option<&Listener> {
        self.selected.first().map(|row| &row.listener)
    }

    /// Returns all listeners of the selected row.
    pub(super) fn all_selected(&self) -> impl Iterator<Item = &Listener> {
        self.selected.iter().map(|row| &row.listener)
    }

    /// Returns why the row of a listener is not visible. Empty if it is.
    pub(super) fn hidden(&self, key: &Key) -> &'static str {
        let is = |listener: &Listener| key.likeness(listener) > 0;
        let shown = self.rows.shown();
        match self.visible.iter().any(|one| one.is_at(key)) {
            true => "",
            false if shown.iter().any(|one| is(&one.row.listener)) => ", off the screen",
            false if self.rows.has(is) => ", filtered out",
            false => "",
        }
    }

    /// Lays out what is visible.
    pub(super) fn draw(&mut self, width: usize, room: usize, at: Timestamp, now: Option<Instant>) -> Visible {
        if let Some(now) = now {
            self.rows.expire(now);
        }
        let arrangement = Arrangement {
            order: self.order,
            filter: &self.filter,
            toggles: self.toggles,
            columns: self.options.columns.as_deref().unwrap_or_default(),
            current_user: &self.options.current_user,
        };
        let shown = self.rows.arranged(&arrangement);
        let class = |at: usize| match shown.get(at).and_then(|row| row.mark) {
            None => 0,
            Some(ChangeKind::Opened) => 1,
            Some(ChangeKind::Closed) => 2,
            Some(ChangeKind::Changed) => 3,
        };
        let groups = group_rows(shown.iter().map(|one| &one.row.listener), &class);
        self.cursor_at = cursor_at(self.cursor.as_ref(), self.cursor_at, &groups);
        self.offset = offset(self.offset, self.cursor_at, groups.len(), room);
        self.drawn = (groups.len(), room);
        // Blocks, so that columns do not become wider or narrower with each step.
        let measured = self.offset / MEASURED * MEASURED;
        let block = groups.iter().skip(measured).take((MEASURED + room).max(2 * MEASURED));
        let block: Vec<&Vec<EqualSockets<'_>>> = block.collect();
        let options =
            TableOptions { width: Some(width.saturating_sub(GUTTER).max(1)), at, ..self.options.clone() };
        let layout = lay_out_groups(&block, shown.iter().map(|one| &one.row.listener), &options);
        let visible = layout.rows.into_iter().skip(self.offset - measured).take(room);
        let rows = visible.enumerate().map(|(number, (first, cells))| {
            let mark = shown.get(first).and_then(|row| row.mark);
            line(cells, mark, self.offset + number == self.cursor_at)
        });
        let rows = rows.collect();
        let members = |group: &[EqualSockets<'_>]| -> Vec<Rc<Row>> {
            let rows = group.iter().filter_map(|one| shown.get(one.at));
            rows.map(|one| Rc::clone(&one.row)).collect()
        };
        self.selected = groups.get(self.cursor_at).map(|group| members(group)).unwrap_or_default();
        self.cursor = self.selected.first().map(|row| Key::of(&row.listener));
        let visible = groups.iter().skip(self.offset).take(room).flatten();
        self.visible = visible.filter_map(|one| Some(Key::of(&shown.get(one.at)?.row.listener))).collect();
        Visible {
            heading: layout.header.map(|cells| line(cells, None, false)),
            rows,
            of: groups.len(),
            first: self.offset,
        }
    }
}

/// Returns the row of the cursor: that of its listener, else of another socket at its address, else the row at the
/// same place.
fn cursor_at(cursor: Option<&Key>, at: usize, groups: &[Vec<EqualSockets<'_>>]) -> usize {
    let last = groups.len().saturating_sub(1);
    let Some(cursor) = cursor else { return at.min(last) };
    let likeness = |group: &[EqualSockets<'_>]| {
        group.iter().map(|one| cursor.likeness(&one.listener)).max().unwrap_or(0)
    };
    let mut found: Option<(u8, usize)> = None;
    for (number, group) in groups.iter().enumerate() {
        let likeness = likeness(group);
        if likeness > found.map_or(0, |(best, _)| best) {
            found = Some((likeness, number));
        }
    }
    found.map_or(at.min(last), |(_, number)| number)
}

/// Returns the first visible row, so that the row of the cursor is visible.
fn offset(offset: usize, cursor: usize, rows: usize, room: usize) -> usize {
    let least = (cursor + 1).saturating_sub(room);
    offset.clamp(least, cursor.max(least)).min(rows.saturating_sub(room))
}

fn line(cells: Vec<Cell>, mark: Option<ChangeKind>, selected: bool) -> Line {
    let cursor = if selected { '>' } else { ' ' };
    let sign = mark.map_or(' ', sign);
    let gutter =
        [(format!("{cursor}"), Some(TextRole::Subject)), (format!("{sign} "), mark.map(role_of_kind))];
    let cells = cells.into_iter().map(|cell| (cell.text, cell.role));
    Line { pieces: gutter.into_iter().chain(cells).collect(), mark, selected }
}
