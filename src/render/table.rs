//! The table for many listeners. To a terminal it fits the width and tells what it shortened; into a pipe it is
//! whole, one row a listener.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::render::column::Column;
use crate::render::style::{Meaning, Palette};
use crate::render::words::{self, Asker};
use crate::{Listener, Snapshot, State};

/// How a table looks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// The columns wanted; `None` for those that fit.
    pub(crate) columns: Option<Vec<Column>>,
    /// Whether sockets in every state are shown, which adds state and peer.
    pub(crate) states: bool,
    /// Whether headings are wanted.
    pub(crate) header: bool,
    /// The width to fit; `None` for whole rows, one a listener.
    pub(crate) width: Option<usize>,
    pub(crate) palette: Palette,
    pub(crate) asker: Asker,
}

/// What was shortened to make a table fit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shortened {
    pub(crate) columns: Vec<&'static str>,
    pub(crate) dropped: Vec<&'static str>,
}

/// One cell, with what it means.
struct Cell {
    text: String,
    meaning: Option<Meaning>,
}

/// Writes a snapshot as a table.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<Shortened> {
    let mut columns = options.columns.clone().unwrap_or_else(|| default_columns(options.states, snapshot));
    let groups = match options.width {
        Some(_) => group(&snapshot.listeners),
        None => snapshot.listeners.iter().map(|listener| vec![listener]).collect(),
    };
    let mut rows: Vec<Vec<Cell>> = groups
        .iter()
        .map(|group| columns.iter().map(|column| cell(*column, group, options)).collect())
        .collect();
    if options.width.is_some() && options.columns.is_none() {
        drop_empty(&mut columns, &mut rows);
    }
    let natural = |at: usize, column: &Column| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.text.width());
        let heading = if options.header { column.heading().width() } else { 0 };
        cells.max().unwrap_or(0).max(heading)
    };
    let widths: Vec<usize> = columns.iter().enumerate().map(|(at, column)| natural(at, column)).collect();
    let fit = match options.width {
        Some(width) => Fit::into(width, &columns, &widths, options.columns.is_some()),
        None => Fit { widths: widths.iter().copied().map(Some).collect(), gap: 2 },
    };
    if options.header {
        let heading = |column: &Column| Cell { text: column.heading(), meaning: Some(Meaning::Label) };
        write_row(&columns.iter().map(heading).collect::<Vec<_>>(), &columns, &fit, options.palette, out)?;
    }
    for row in &rows {
        write_row(row, &columns, &fit, options.palette, out)?;
    }
    Ok(fit.shortened(&columns, &widths))
}

fn default_columns(states: bool, snapshot: &Snapshot) -> Vec<Column> {
    let mut columns = vec![Column::Port, Column::Protocol, Column::Address];
    if snapshot.listeners.iter().any(|listener| listener.socket.namespace.is_some()) {
        columns.push(Column::Namespace);
    }
    if states {
        columns.extend([Column::State, Column::Peer]);
    }
    columns.extend([Column::Process, Column::Pid, Column::User]);
    if snapshot.listeners.iter().any(|listener| listener.probe.is_some()) {
        columns.push(Column::Probe);
    }
    if snapshot.listeners.iter().any(|listener| listener.connections.is_some()) {
        columns.push(Column::Connected);
    }
    columns.push(Column::What);
    columns
}

/// On a terminal a column in which nothing stands only takes room.
fn drop_empty(columns: &mut Vec<Column>, rows: &mut [Vec<Cell>]) {
    for at in (0..columns.len()).rev() {
        if !rows.is_empty() && rows.iter().all(|row| row.get(at).is_some_and(|cell| cell.text.is_empty())) {
            columns.remove(at);
            for row in rows.iter_mut() {
                row.remove(at);
            }
        }
    }
}

/// Listeners that differ in address or family alone share a row on a terminal.
fn group(listeners: &[Listener]) -> Vec<Vec<&Listener>> {
    let mut groups: Vec<Vec<&Listener>> = Vec::new();
    for listener in listeners {
        // Connections never share a row, and there may be a hundred thousand of them on one port.
        if !listener.socket.is_listener() {
            groups.push(vec![listener]);
            continue;
        }
        let place = groups.iter_mut().rev().take_while(|group| {
            group.first().is_some_and(|first| first.socket.endpoint.port() == listener.socket.endpoint.port())
        });
        let mut place =
            place.filter(|group| group.first().is_some_and(|first| same_but_address(first, listener)));
        match place.next() {
            Some(group) => group.push(listener),
            None => groups.push(vec![listener]),
        }
    }
    groups
}

/// Whether two listeners differ in address or family alone.
pub(crate) fn same_but_address(a: &Listener, b: &Listener) -> bool {
    let pids =
        |listener: &Listener| listener.holders.iter().map(|holder| holder.process.id).collect::<Vec<_>>();
    let port = a.socket.endpoint.port();
    port.is_some()
        && port == b.socket.endpoint.port()
        && a.socket.protocol == b.socket.protocol
        && a.socket.state == b.socket.state
        && a.socket.is_listener()
        && a.socket.uid == b.socket.uid
        && a.socket.namespace == b.socket.namespace
        && a.socket.endpoint != b.socket.endpoint
        && pids(a) == pids(b)
        && a.unseen == b.unseen
        && a.service == b.service
        && a.container == b.container
        && a.connections == b.connections
        && a.probe.map(|probe| probe.outcome) == b.probe.map(|probe| probe.outcome)
        && a.note == b.note
}

fn cell(column: Column, group: &[&Listener], options: &Options) -> Cell {
    let Some(listener) = group.first() else { return Cell { text: String::new(), meaning: None } };
    let whole = options.width.is_none();
    let plain = |text: String| Cell { text, meaning: None };
    let first = listener.holders.first();
    let each = |of: &dyn Fn(&crate::Holder) -> Option<String>, most: usize| {
        let mut seen: Vec<String> = Vec::new();
        for text in listener.holders.iter().filter_map(of) {
            if !seen.contains(&text) {
                seen.push(text);
            }
        }
        seen.truncate(most);
        seen.join(",")
    };
    match column {
        Column::Port => Cell { text: column.value(listener, None), meaning: Some(Meaning::Subject) },
        Column::Address => {
            let addresses: Vec<String> =
                group.iter().map(|listener| words::address(&listener.socket)).collect();
            let exposed = group.iter().any(|listener| words::is_exposed(&listener.socket));
            Cell { text: addresses.join(", "), meaning: exposed.then_some(Meaning::Exposed) }
        }
        Column::Process => match (first, &listener.unseen) {
            (Some(first), _) => {
                let more = listener.holders.len() - 1;
                let text = match whole || more == 0 {
                    true => each(&|holder| Some(words::process_name(&holder.process.name)), usize::MAX),
                    false => format!("{} +{more}", words::process_name(&first.process.name)),
                };
                Cell { text, meaning: options.asker.meaning_of(first.process.uid) }
            }
            (None, Some(unseen)) => {
                let text = match unseen.candidates.as_slice() {
                    [only] => format!("{}?", words::process_name(&only.name)),
                    _ if unseen.reason == crate::Reason::Kernel => "(kernel)".to_owned(),
                    _ => "?".to_owned(),
                };
                Cell { text, meaning: Some(Meaning::Unseen) }
            }
            (None, None) if listener.socket.state == State::Forwarded => {
                Cell { text: "(forwarded)".to_owned(), meaning: Some(Meaning::Theirs) }
            }
            (None, None) => plain(String::new()),
        },
        Column::Pid => match first {
            Some(_) => plain(each(
                &|holder| Some(holder.process.id.pid.to_string()),
                if whole { usize::MAX } else { 1 },
            )),
            None if listener.unseen.is_some() => plain("-".to_owned()),
            None => plain(String::new()),
        },
        Column::User => {
            let socket_user = || words::user(&listener.socket.user, listener.socket.uid).unwrap_or_default();
            let text = match first {
                Some(_) => each(&words::holder_user, usize::MAX),
                None => socket_user(),
            };
            let uid = first.map_or(listener.socket.uid, |holder| holder.process.uid);
            Cell { text, meaning: options.asker.meaning_of(uid) }
        }
        Column::Directory | Column::Executable | Column::Project => {
            let text = each(
                &|holder| {
                    let process = &holder.process;
                    let path = match column {
                        Column::Directory => process.directory.as_ref(),
                        Column::Executable => process.executable.as_ref(),
                        _ => process.project.as_ref().map(|project| &project.directory),
                    };
                    path.map(|path| options.asker.path(path))
                },
                usize::MAX,
            );
            plain(text)
        }
        Column::What => plain(words::what(listener, &options.asker)),
        Column::Started => plain(match first.and_then(|holder| holder.process.started_at) {
            Some(started) if !whole => started.strftime("%Y-%m-%d %H:%M").to_string(),
            _ => column.value(listener, first),
        }),
        column if listener.holders.is_empty() => plain(column.value(listener, None)),
        column => plain(each(&|holder| Some(column.value(listener, Some(holder))), usize::MAX)),
    }
}

/// The widths of columns; `None` for one that is left out.
struct Fit {
    widths: Vec<Option<usize>>,
    gap: usize,
}

impl Fit {
    /// Shrinks what can be shrunk, and leaves out what must be: never port, process and pid, and nothing that was
    /// asked for by name.
    fn into(width: usize, columns: &[Column], natural: &[usize], keep_all: bool) -> Fit {
        let mut fit = Fit { widths: natural.iter().copied().map(Some).collect(), gap: 2 };
        loop {
            let least: usize =
                columns.iter().zip(&fit.widths).filter_map(|(c, w)| Some(c.least((*w)?))).sum();
            if least + fit.gaps() <= width {
                break;
            }
            let droppable =
                columns.iter().zip(&fit.widths).enumerate().filter(|(_, (_, kept))| kept.is_some());
            let next = droppable.filter_map(|(at, (column, _))| Some((column.drop_rank()?, at))).max();
            match next {
                Some((_, at)) if !keep_all => {
                    if let Some(kept) = fit.widths.get_mut(at) {
                        *kept = None;
                    }
                }
                _ if fit.gap == 2 => fit.gap = 1,
                _ => break,
            }
        }
        for (pass, floor) in [(0, true), (1, false)] {
            for column in [
                Column::What,
                Column::Connected,
                Column::Command,
                Column::Directory,
                Column::Address,
                Column::User,
                Column::Process,
            ] {
                let excess = fit.total().saturating_sub(width);
                let Some(at) = columns.iter().position(|known| *known == column) else { continue };
                if let Some(Some(kept)) = fit.widths.get_mut(at) {
                    let least = if floor { column.least(*kept) } else { 1 };
                    *kept -= excess.min(kept.saturating_sub(least));
                }
            }
            if pass == 0 && fit.total() <= width {
                break;
            }
        }
        fit
    }

    fn gaps(&self) -> usize {
        self.widths.iter().flatten().count().saturating_sub(1) * self.gap
    }

    fn total(&self) -> usize {
        self.widths.iter().flatten().sum::<usize>() + self.gaps()
    }

    fn shortened(&self, columns: &[Column], natural: &[usize]) -> Shortened {
        let mut shortened = Shortened::default();
        for ((column, natural), kept) in columns.iter().zip(natural).zip(&self.widths) {
            match kept {
                None => shortened.dropped.push(column.name()),
                Some(kept) if kept < natural => shortened.columns.push(column.name()),
                Some(_) => {}
            }
        }
        shortened
    }
}

impl Column {
    /// The least width in which a column still tells something.
    fn least(self, natural: usize) -> usize {
        let least = match self {
            Column::What | Column::Connected | Column::Command | Column::Directory | Column::Address => 12,
            Column::User | Column::Process => 8,
            _ => natural,
        };
        least.min(natural)
    }

    /// The higher, the sooner a column is left out; `None` for those that always stay.
    fn drop_rank(self) -> Option<u8> {
        match self {
            Column::Port | Column::Process | Column::Pid => None,
            Column::Address => Some(1),
            Column::Protocol => Some(2),
            Column::User => Some(3),
            Column::State | Column::Namespace | Column::Probe | Column::Connected => Some(4),
            Column::Peer => Some(5),
            _ => Some(6),
        }
    }

    fn is_number(self) -> bool {
        matches!(
            self,
            Column::Port | Column::Inode | Column::SocketUid | Column::Uid | Column::Waiting | Column::Limit
        )
    }
}

fn write_row(
    cells: &[Cell],
    columns: &[Column],
    fit: &Fit,
    palette: Palette,
    out: &mut dyn Write,
) -> io::Result<()> {
    let kept: Vec<(&Cell, Column, usize)> = cells
        .iter()
        .zip(columns)
        .zip(&fit.widths)
        .filter_map(|((cell, column), width)| Some((cell, *column, (*width)?)))
        .collect();
    let mut line = String::new();
    for (at, (cell, column, width)) in kept.iter().enumerate() {
        let text = shorten(&cell.text, *width);
        let padding = " ".repeat(width.saturating_sub(text.width()));
        let painted = match cell.meaning {
            Some(meaning) if !text.is_empty() => palette.paint(meaning, &text),
            _ => text,
        };
        if at > 0 {
            line.push_str(&" ".repeat(fit.gap));
        }
        match (column.is_number(), at + 1 == kept.len()) {
            (true, _) => line.extend([padding, painted]),
            (false, true) => line.push_str(&painted),
            (false, false) => line.extend([painted, padding]),
        }
    }
    writeln!(out, "{}", line.trim_end())
}

/// A text in at most this many columns. A path loses its beginning, everything else its end.
fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let dots = ".".repeat(width.min(2));
    let room = width - dots.len();
    // A folder may have what runs there behind it.
    let folder = text.split_once("  (").filter(|_| text.ends_with(')')).map_or(text, |(folder, _)| folder);
    let path = text.starts_with(['/', '~']) && !folder.contains(' ');
    let mut kept = String::new();
    let mut used = 0;
    let mut take = |character: char| {
        used += character.width().unwrap_or(0);
        used <= room
    };
    if path {
        let tail: Vec<char> = text.chars().rev().take_while(|character| take(*character)).collect();
        kept.push_str(&dots);
        kept.extend(tail.iter().rev());
    } else {
        kept.extend(text.chars().take_while(|character| take(*character)));
        kept.push_str(&dots);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_keeps_its_end_and_a_name_its_beginning() {
        assert_eq!(shorten("/home/dev/src/shop", 10), "..src/shop");
        assert_eq!(shorten("/home/dev/src/shop  (vite)", 18), "..src/shop  (vite)");
        assert_eq!(shorten("python3.11", 6), "pyth..");
        assert_eq!(shorten("python3", 7), "python3");
        assert_eq!(shorten("日本語", 5), "日..");
        assert_eq!(shorten("python", 1), ".");
        assert_eq!(shorten("python", 0), "");
    }

    #[test]
    fn a_table_fits_its_terminal() {
        let saved = std::fs::read("tests/replay/workstation.json").unwrap();
        let snapshot = crate::render::json::read(&saved).unwrap();
        for width in [20, 40, 80, 120] {
            let options = Options { header: true, width: Some(width), ..Options::default() };
            let mut out = Vec::new();
            let shortened = write(&snapshot, &options, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
            insta::assert_snapshot!(format!("width_{width}"), format!("{text}{shortened:?}"));
        }
    }

    proptest! {
        #[test]
        fn it_fits(text in "\\PC{0,40}", width in 0usize..30) {
            prop_assert!(shorten(&text, width).width() <= width);
        }

        #[test]
        fn columns_fit_down_to_twenty(
            width in 20usize..200,
            natural in proptest::collection::vec(1usize..60, 6),
        ) {
            let columns = [Column::Port, Column::Protocol, Column::Address, Column::Process, Column::Pid, Column::User, Column::What];
            let mut widths = vec![5];
            widths.extend(&natural);
            // Pids have seven digits at most.
            widths[4] = widths[4].min(7);
            let fit = Fit::into(width, &columns, &widths, false);
            prop_assert!(fit.total() <= width, "{:?}", fit.widths);
            for always in [0, 3, 4] {
                prop_assert!(fit.widths[always].is_some_and(|width| width > 0));
            }
        }
    }
}
