//! The report of `watch -- COMMAND`: a row for each socket that the command opened, in the order of time.

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

use super::changes::{ChangesOptions, holder_and_description, port_column};
use super::column::Column;
use super::layout::wrap;
use super::phrases;
use super::style::TextRole;
use crate::act::watch_command::OpenedSocket;
use crate::model::Listener;

/// The indent of the second line of a row, if the terminal is too narrow for one line.
const INDENT: usize = 4;

/// The layout of a report.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReportOptions {
    /// The requested columns. `None` for the default columns.
    pub(crate) columns: Option<Vec<Column>>,
    /// Whether the table has headings.
    pub(crate) header: bool,
    /// The time of the last pass, which ages are relative to.
    pub(crate) at: Timestamp,
    /// The width, the colours and the user.
    pub(crate) lines: ChangesOptions,
}

/// Writes the sockets as a table.
pub(crate) fn write(
    sockets: &[&OpenedSocket],
    options: &ReportOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let rows: Vec<Vec<String>> = sockets.iter().map(|socket| row(socket, options)).collect();
    let heading = heading(options);
    let lines = options.header.then_some(&heading).into_iter().chain(&rows);
    let widths: Vec<usize> = (0..heading.len())
        .map(|at| lines.clone().filter_map(|cells| Some(cells.get(at)?.width())).max().unwrap_or(0))
        .collect();
    for (at, cells) in lines.enumerate() {
        let is_heading = options.header && at == 0;
        write_line(cells, &widths, is_heading, options, out)?;
    }
    Ok(())
}

fn write_line(
    cells: &[String],
    widths: &[usize],
    is_heading: bool,
    options: &ReportOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some((last, first)) = cells.split_last() else { return Ok(()) };
    let padded: Vec<String> = first
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width()))))
        .collect();
    let begin = padded.join("  ");
    let paint = |text: &str| match is_heading {
        true => options.lines.palette.paint(TextRole::Label, text),
        false => text.to_owned(),
    };
    match options.lines.width {
        Some(width) if begin.width() + 2 + last.width() > width => {
            writeln!(out, "{}", paint(begin.trim_end()))?;
            let parts = wrap(last, width.saturating_sub(INDENT).max(1));
            parts.iter().try_for_each(|part| writeln!(out, "{:INDENT$}{}", "", paint(part)))
        }
        _ => writeln!(out, "{}", paint(format!("{begin}  {last}").trim_end())),
    }
}

fn heading(options: &ReportOptions) -> Vec<String> {
    let times = ["AFTER", "OPEN FOR"].map(str::to_owned);
    match &options.columns {
        Some(columns) => times.into_iter().chain(columns.iter().map(|column| column.heading())).collect(),
        None => times.into_iter().chain(["PORT", "ADDRESS", "PROCESS"].map(str::to_owned)).collect(),
    }
}

fn row(socket: &OpenedSocket, options: &ReportOptions) -> Vec<String> {
    let listener = &socket.listener;
    let open_for = match socket.closed {
        Some(closed) => open_for(closed.saturating_sub(socket.opened)),
        None => "still open".to_owned(),
    };
    let times = [phrases::watch_command::moment(socket.opened), open_for].into_iter();
    match &options.columns {
        Some(columns) => {
            let value = |column: &Column| match column.value(listener, listener.holders.first(), options.at) {
                empty if empty.is_empty() => "-".to_owned(),
                value => value,
            };
            times.chain(columns.iter().map(value)).collect()
        }
        None => {
            let holder = holder_and_description(listener, &options.lines.current_user);
            times.chain([port_column(listener), addresses(listener), holder]).collect()
        }
    }
}

/// Returns how long a socket was open. Only events show less than some milliseconds, and they do so exactly.
fn open_for(time: Duration) -> String {
    match time < Duration::from_millis(10) {
        true => super::occurrences::short(time),
        false => phrases::watch_command::moment(time),
    }
}

/// Returns the address, and for a connection that of the other end.
fn addresses(listener: &Listener) -> String {
    let own = phrases::address(&listener.socket);
    listener.socket.peer.map_or_else(|| own.clone(), |peer| format!("{own} -> {peer}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, Protocol, Socket, State};

    fn socket(port: u16, opened: u64, closed: Option<u64>) -> OpenedSocket {
        let endpoint = Endpoint::Ip { address: [127, 0, 0, 1].into(), port, interface: None };
        OpenedSocket {
            listener: Listener::new(Socket::new(Protocol::Tcp, endpoint, State::Listen)),
            opened: Duration::from_millis(opened),
            closed: closed.map(Duration::from_millis),
            certain: true,
        }
    }

    fn report(sockets: &[OpenedSocket], options: &ReportOptions) -> String {
        let mut out = Vec::new();
        write(&sockets.iter().collect::<Vec<_>>(), options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_counted_from_the_start_of_the_command() {
        let sockets = [socket(3000, 104, Some(1_609)), socket(51_000, 61_030, None), socket(80, 5, Some(7))];
        let whole = report(&sockets, &ReportOptions { header: true, ..ReportOptions::default() });
        insta::assert_snapshot!(whole, @r"
        AFTER   OPEN FOR    PORT       ADDRESS    PROCESS
        110 ms  1.5 s       3000/tcp   127.0.0.1  nobody
        61.0 s  still open  51000/tcp  127.0.0.1  nobody
        5 ms    2.0 ms      80/tcp     127.0.0.1  nobody
        ");
        let narrow = ChangesOptions { width: Some(40), ..ChangesOptions::default() };
        let narrow = report(&sockets[..1], &ReportOptions { lines: narrow, ..ReportOptions::default() });
        insta::assert_snapshot!(narrow, @r"
        110 ms  1.5 s  3000/tcp  127.0.0.1
            nobody
        ");
        let columns = Some(vec![Column::Port, Column::Pid]);
        let chosen = report(&sockets[1..2], &ReportOptions { columns, ..ReportOptions::default() });
        insta::assert_snapshot!(chosen, @"61.0 s  still open  51000  -");
    }
}
