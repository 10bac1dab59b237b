//! The table for many listeners. On a terminal it fits the width, and reports what it shortened. In a pipe nothing is
//! shortened, and each listener has its own row.

mod fit;
mod groups;

use std::io::{self, Write};

use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

use super::browser_url;
use super::column::Column;
use super::current_user::CurrentUser;
use super::phrases;
use super::style::{Palette, TextRole};
use crate::model::{Listener, Snapshot, State};

use fit::Fit;
pub(crate) use fit::shorten;
use groups::group_by_address;
pub(crate) use groups::{EqualSockets, differ_only_in_address, merge_equal};

/// The layout of a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableOptions {
    /// The requested columns. `None` for the default columns.
    pub(crate) columns: Option<Vec<Column>>,
    /// Whether sockets in every state are shown, which adds state and peer.
    pub(crate) states: bool,
    /// Whether the table has headings.
    pub(crate) header: bool,
    /// The width to fit. `None` for whole rows, one for each listener.
    pub(crate) width: Option<usize>,
    pub(crate) palette: Palette,
    pub(crate) current_user: CurrentUser,
    /// The time of the scan, which ages are relative to.
    pub(crate) at: Timestamp,
}

/// The columns that were shortened to make a table fit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shortened {
    pub(crate) columns: Vec<&'static str>,
    pub(crate) dropped: Vec<&'static str>,
}

/// A part of a line, with its role.
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) role: Option<TextRole>,
}

/// A table before colours are applied.
pub(crate) struct TableLayout {
    pub(crate) header: Option<Vec<Cell>>,
    /// Each row with the index of its first listener.
    pub(crate) rows: Vec<(usize, Vec<Cell>)>,
}

/// Writes a snapshot as a table.
pub(crate) fn write(
    snapshot: &Snapshot,
    options: &TableOptions,
    out: &mut dyn Write,
) -> io::Result<Shortened> {
    let listeners = &snapshot.listeners;
    if options.width.is_some() {
        let groups = group_rows(listeners, &|_| 0);
        return write_groups(groups.iter(), listeners, options, out);
    }
    let rows = listeners.iter().enumerate().map(|(at, listener)| [EqualSockets::one(at, listener)]);
    write_groups(rows, listeners, options, out)
}

/// Writes rows one after the other: there may be a hundred thousand, whose cells are not kept.
fn write_groups<'a, G: AsRef<[EqualSockets<'a>]>>(
    groups: impl Iterator<Item = G> + Clone,
    listeners: &'a [Listener],
    options: &TableOptions,
    out: &mut dyn Write,
) -> io::Result<Shortened> {
    let widths = Widths::measure(groups.clone(), listeners, options);
    for line in widths.header(options).into_iter().chain(groups.map(|group| widths.line(&group, options))) {
        for piece in line {
            match piece.role {
                Some(role) => out.write_all(options.palette.paint(role, &piece.text).as_bytes())?,
                None => out.write_all(piece.text.as_bytes())?,
            }
        }
        out.write_all(b"\n")?;
    }
    Ok(widths.shortened())
}

/// Returns the listeners of each row of a table that fits a width. Listeners with different values of `apart` never share a
/// row.
pub(crate) fn group_rows<'a>(
    listeners: impl IntoIterator<Item = &'a Listener>,
    apart: &dyn Fn(usize) -> u8,
) -> Vec<Vec<EqualSockets<'a>>> {
    group_by_address(merge_equal(listeners, apart), apart)
}

/// Lays rows out as lines. `listeners` are those that decide about the columns.
pub(crate) fn lay_out_groups<'a>(
    groups: &[impl AsRef<[EqualSockets<'a>]>],
    listeners: impl IntoIterator<Item = &'a Listener> + Clone,
    options: &TableOptions,
) -> TableLayout {
    let widths = Widths::measure(groups.iter(), listeners, options);
    let places = groups.iter().filter_map(|group| group.as_ref().first()).map(|first| first.at);
    TableLayout {
        header: widths.header(options),
        rows: places.zip(groups.iter().map(|group| widths.line(group, options))).collect(),
    }
}

/// The columns of a table and their widths, which depend on every row.
struct Widths {
    columns: Vec<Column>,
    /// The widths of the longest cells.
    natural: Vec<usize>,
    fit: Fit,
}

impl Widths {
    fn measure<'a, G: AsRef<[EqualSockets<'a>]>>(
        groups: impl Iterator<Item = G>,
        listeners: impl IntoIterator<Item = &'a Listener> + Clone,
        options: &TableOptions,
    ) -> Widths {
        let mut columns =
            options.columns.clone().unwrap_or_else(|| default_columns(options.states, listeners));
        let mut natural: Vec<usize> = vec![0; columns.len()];
        let mut has_rows = false;
        for group in groups {
            has_rows = true;
            for (column, widest) in columns.iter().zip(&mut natural) {
                *widest = (*widest).max(cell(*column, group.as_ref(), options).text.width());
            }
        }
        if has_rows && options.width.is_some() && options.columns.is_none() {
            // Columns that are empty in every row are left out.
            let mut wide = natural.iter().map(|widest| *widest > 0);
            columns.retain(|_| wide.next().unwrap_or(true));
            natural.retain(|widest| *widest > 0);
        }
        if options.header {
            for (column, widest) in columns.iter().zip(&mut natural) {
                *widest = (*widest).max(column.heading().width());
            }
        }
        let fit = match options.width {
            Some(width) => Fit::into(width, &columns, &natural, options.columns.is_some()),
            None => Fit { widths: natural.iter().copied().map(Some).collect(), gap: 2 },
        };
        Widths { columns, natural, fit }
    }

    /// Returns the headings, if the table has any.
    fn header(&self, options: &TableOptions) -> Option<Vec<Cell>> {
        let heading = |column: &Column| Cell { text: column.heading(), role: Some(TextRole::Label) };
        let headings = || self.columns.iter().map(heading).collect::<Vec<_>>();
        options.header.then(|| line(&headings(), &self.columns, &self.fit))
    }

    fn line<'a>(&self, group: &impl AsRef<[EqualSockets<'a>]>, options: &TableOptions) -> Vec<Cell> {
        let cells: Vec<Cell> =
            self.columns.iter().map(|column| cell(*column, group.as_ref(), options)).collect();
        line(&cells, &self.columns, &self.fit)
    }

    fn shortened(&self) -> Shortened {
        self.fit.shortened(&self.columns, &self.natural)
    }
}

fn default_columns<'a>(
    states: bool,
    listeners: impl IntoIterator<Item = &'a Listener> + Clone,
) -> Vec<Column> {
    let any = |has: fn(&Listener) -> bool| listeners.clone().into_iter().any(has);
    let mut columns = vec![Column::Port, Column::Protocol, Column::Address];
    if any(|listener| listener.socket.namespace.is_some()) {
        columns.push(Column::Namespace);
    }
    if states {
        columns.extend([Column::State, Column::Peer]);
    }
    columns.extend([Column::Process, Column::Pid, Column::User]);
    if any(|listener| listener.probe.is_some()) {
        columns.push(Column::Probe);
    }
    if any(|listener| listener.connections.is_some()) {
        columns.push(Column::Connected);
    }
    columns.push(Column::What);
    columns
}

fn cell(column: Column, group: &[EqualSockets<'_>], options: &TableOptions) -> Cell {
    let Some(first) = group.first() else { return Cell { text: String::new(), role: None } };
    let listener: &Listener = &first.listener;
    let whole = options.width.is_none();
    let plain = |text: String| Cell { text, role: None };
    let first = listener.head();
    let each = |of: &dyn Fn(&crate::model::Holder) -> Option<String>| {
        let mut seen: Vec<String> = Vec::new();
        for text in listener.holders.iter().filter_map(of) {
            if !seen.contains(&text) {
                seen.push(text);
            }
        }
        seen.join(",")
    };
    match column {
        Column::Port => {
            Cell { text: column.value(listener, None, options.at), role: Some(TextRole::Subject) }
        }
        Column::Address => {
            let addresses: Vec<String> = group
                .iter()
                .map(|one| match one.count {
                    1 => phrases::address(&one.listener.socket),
                    count => format!("{} x{count}", phrases::address(&one.listener.socket)),
                })
                .collect();
            let exposed = group.iter().any(|one| phrases::is_exposed(&one.listener.socket));
            Cell { text: addresses.join(", "), role: exposed.then_some(TextRole::Exposed) }
        }
        Column::Process => match (first, &listener.unseen) {
            (Some(first), _) => {
                let more = listener.holders.len() - 1;
                let text = match whole || more == 0 {
                    true => each(&|holder| Some(phrases::process_name(&holder.process.name))),
                    false => format!("{} +{more}", phrases::process_name(&first.process.name)),
                };
                Cell { text, role: options.current_user.role_of(first.process.uid) }
            }
            (None, Some(unseen)) => {
                let text = match unseen.candidates.as_slice() {
                    [only] => format!("{}?", phrases::process_name(&only.name)),
                    _ if unseen.reason == crate::model::UnseenReason::Kernel => "(kernel)".to_owned(),
                    _ => "?".to_owned(),
                };
                Cell { text, role: Some(TextRole::Unseen) }
            }
            (None, None) if listener.socket.state == State::Forwarded => {
                Cell { text: "(forwarded)".to_owned(), role: Some(TextRole::Theirs) }
            }
            (None, None) => plain(String::new()),
        },
        Column::Pid => match first {
            Some(head) if !whole => plain(head.process.id.pid.to_string()),
            Some(_) => plain(each(&|holder| Some(holder.process.id.pid.to_string()))),
            None if listener.unseen.is_some() => plain("-".to_owned()),
            None => plain(String::new()),
        },
        Column::User => {
            let socket_user = || phrases::socket_user(&listener.socket).unwrap_or_default();
            let text = match first {
                Some(_) => each(&phrases::holder_user),
                None => socket_user(),
            };
            let uid = first.map_or(listener.socket.uid, |holder| holder.process.uid);
            Cell { text, role: options.current_user.role_of(uid) }
        }
        Column::Directory | Column::Executable | Column::Project => {
            let text = each(&|holder| {
                let process = &holder.process;
                let path = match column {
                    Column::Directory => process.directory.as_ref(),
                    Column::Executable => process.executable.as_ref(),
                    _ => process.project.as_ref().map(|project| &project.directory),
                };
                path.map(|path| options.current_user.path(path))
            });
            plain(text)
        }
        Column::What => plain(phrases::description_and_condition(listener, &options.current_user)),
        Column::Started => plain(match first.and_then(|holder| holder.process.started_at) {
            Some(started) if !whole => started.strftime("%Y-%m-%d %H:%M").to_string(),
            _ => column.value(listener, first, options.at),
        }),
        Column::Age => plain(
            first
                .and_then(|holder| holder.process.started_at)
                .map(|started| phrases::ago(started, options.at))
                .unwrap_or_default(),
        ),
        Column::Url => {
            plain(group.iter().find_map(|one| browser_url::browser_url(&one.listener)).unwrap_or_default())
        }
        column if listener.holders.is_empty() => plain(column.value(listener, None, options.at)),
        column => plain(each(&|holder| Some(column.value(listener, Some(holder), options.at)))),
    }
}

/// Returns the pieces of a row, without trailing spaces.
fn line(cells: &[Cell], columns: &[Column], fit: &Fit) -> Vec<Cell> {
    let kept: Vec<(&Cell, Column, usize)> = cells
        .iter()
        .zip(columns)
        .zip(&fit.widths)
        .filter_map(|((cell, column), width)| Some((cell, *column, (*width)?)))
        .collect();
    let mut line = Vec::new();
    let blank = |width: usize| Cell { text: " ".repeat(width), role: None };
    for (at, (cell, column, width)) in kept.iter().enumerate() {
        let text = shorten(&cell.text, *width);
        let padding = blank(width.saturating_sub(text.width()));
        let piece = Cell { text, role: cell.role };
        if at > 0 {
            line.push(blank(fit.gap));
        }
        line.extend(if column.is_number() { [padding, piece] } else { [piece, padding] });
    }
    line.retain(|piece| !piece.text.is_empty());
    while let Some(last) = line.last_mut() {
        last.text.truncate(last.text.trim_end().len());
        if !last.text.is_empty() {
            break;
        }
        line.pop();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_its_terminal() {
        let saved = std::fs::read("tests/replay/workstation.json").unwrap();
        let snapshot = crate::render::json::read(&saved).unwrap();
        for width in [20, 40, 80, 120] {
            let options = TableOptions { header: true, width: Some(width), ..TableOptions::default() };
            let mut out = Vec::new();
            let shortened = write(&snapshot, &options, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
            insta::assert_snapshot!(format!("width_{width}"), format!("{text}{shortened:?}"));
        }
    }
}
