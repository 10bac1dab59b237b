//! Changes as text: one line each, with the kind, the address and the holder.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::current_user::CurrentUser;
use super::layout::wrap;
use super::phrases::{self, Naming};
use super::style::{Palette, TextRole};
use crate::compare::{Change, ChangeKind, Difference};
use crate::model::{Holder, Listener, State};

/// The most holders that are named; the others are counted.
const NAMED: usize = 3;

/// The indent of the second line of a change, if the terminal is too narrow for one line.
const INDENT: usize = 4;

/// The layout of changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangesOptions {
    /// The width to wrap at; `None` for whole lines.
    pub(crate) width: Option<usize>,
    pub(crate) palette: Palette,
    pub(crate) current_user: CurrentUser,
}

/// Writes all changes, their columns under each other.
pub(crate) fn write(changes: &[Change], options: &ChangesOptions, out: &mut dyn Write) -> io::Result<()> {
    let lines: Vec<([String; 3], String)> =
        changes.iter().filter_map(|change| change_cells(change, options)).collect();
    let width = |at: usize| lines.iter().filter_map(|(columns, _)| Some(columns.get(at)?.width())).max();
    let widths = [0, 1, 2].map(|at| width(at).unwrap_or(0));
    let start: usize = widths.iter().map(|width| width + 2).sum();
    for (change, (columns, rest)) in changes.iter().zip(&lines) {
        let [kind, port_column, address] = columns;
        let pad = |text: &str, width: usize| " ".repeat(width.saturating_sub(text.width()));
        let [kind_width, port_width, address_width] = widths;
        let painted = options.palette.paint(role_of_kind(change.kind), kind);
        let line = format!(
            "{painted}{}  {port_column}{}  {address}",
            pad(kind, kind_width),
            pad(port_column, port_width)
        );
        let whole = start + rest.width();
        match options.width.filter(|width| *width < whole) {
            None => writeln!(out, "{line}{}  {rest}", pad(address, address_width))?,
            Some(width) => {
                writeln!(out, "{line}")?;
                for part in wrap(rest, width.saturating_sub(INDENT).max(1)) {
                    writeln!(out, "{:INDENT$}{part}", "")?;
                }
            }
        }
    }
    Ok(())
}

fn change_cells(change: &Change, options: &ChangesOptions) -> Option<([String; 3], String)> {
    let listener = change.listener()?;
    let kind = format!("{}{}", change.kind.as_str(), if change.certain { "" } else { "?" });
    Some((
        [kind, port_column(listener), phrases::address(&listener.socket)],
        describe(change, &options.current_user),
    ))
}

/// Returns the text role of a kind of change.
pub(crate) fn role_of_kind(kind: ChangeKind) -> TextRole {
    match kind {
        ChangeKind::Opened => TextRole::Opened,
        ChangeKind::Closed => TextRole::Closed,
        ChangeKind::Changed => TextRole::Changed,
    }
}

/// Returns the column of the port: `8080/tcp`, `unix`.
pub(crate) fn port_column(listener: &Listener) -> String {
    let protocol = listener.socket.protocol.as_str();
    listener.socket.endpoint.port().map_or_else(|| protocol.to_owned(), |port| format!("{port}/{protocol}"))
}

/// Returns the holder, and what changed.
pub(crate) fn describe(change: &Change, current_user: &CurrentUser) -> String {
    let unsure = match (change.certain, change.kind) {
        (true, _) => "",
        (false, ChangeKind::Opened) => "  (or missed before: the earlier scan was incomplete)",
        (false, _) => "  (or missed now: this scan is incomplete)",
    };
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => differences(change, before, after, current_user),
        (Some(only), None) | (None, Some(only)) => {
            format!("{}{unsure}", holder_and_description(only, current_user))
        }
        (None, None) => String::new(),
    }
}

/// Returns the holder of a listener with its description: `node (pid 4121, dev)  ~/src/shop`.
pub(crate) fn holder_and_description(listener: &Listener, current_user: &CurrentUser) -> String {
    let what = phrases::description(listener, current_user);
    match what.is_empty() {
        true => holders(listener, Naming::Program),
        // The description names the process already.
        false => format!("{}  {what}", holders(listener, Naming::OwnName)),
    }
}

/// Returns the holders: `node (pid 4121, dev)`, `postgres?`, `(forwarded)`, `nobody`.
fn holders(listener: &Listener, naming: Naming) -> String {
    let more = if listener.unseen.is_some() { " and others that could not be seen" } else { "" };
    match (listener.holders.is_empty(), &listener.unseen) {
        (false, _) => {
            format!("{}{more}", listed_holders(&listener.holders.iter().collect::<Vec<_>>(), naming))
        }
        (true, Some(unseen)) => match unseen.candidates.as_slice() {
            [only] => phrases::uncertain(only),
            _ if unseen.reason == crate::model::UnseenReason::Kernel => "(kernel)".to_owned(),
            _ => {
                let user = phrases::opener(&listener.socket);
                user.map_or_else(
                    || "? (not seen)".to_owned(),
                    |user| format!("? (not seen, opened by {user})"),
                )
            }
        },
        (true, None) if listener.socket.state == State::Forwarded => "(forwarded)".to_owned(),
        (true, None) => "nobody".to_owned(),
    }
}

fn listed_holders(holders: &[&Holder], naming: Naming) -> String {
    let named = holders
        .iter()
        .take(NAMED)
        .map(|holder| phrases::process_as(&holder.process, naming))
        .collect::<Vec<_>>();
    match holders.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} +{more}", named.join(", ")),
    }
}

/// Returns the holders, each named by the program that it runs.
fn holders_by_program(listener: &Listener) -> String {
    holders(listener, Naming::Program)
}

fn differences(change: &Change, before: &Listener, after: &Listener, current_user: &CurrentUser) -> String {
    let has = |difference| change.differs.contains(&difference);
    let mut parts = Vec::new();
    if has(Difference::Holders) {
        parts.push(holder_changes(before, after, current_user));
    } else {
        parts.push(holders_by_program(if after.holders.is_empty() { before } else { after }));
    }
    let name = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
    let user = |listener: &Listener| name(phrases::user(&listener.socket.user, listener.socket.uid));
    let service = |listener: &Listener| {
        name(listener.service.as_deref().map(|service| crate::render::escape::escape(&service.name)))
    };
    let container = |listener: &Listener| name(listener.container.as_deref().map(phrases::container));
    for difference in &change.differs {
        let part = match difference {
            // A new holder has a new socket.
            Difference::Holders => continue,
            Difference::Socket if has(Difference::Holders) => continue,
            Difference::Socket => "another socket".to_owned(),
            Difference::State => {
                format!("{} -> {}", before.socket.state.as_str(), after.socket.state.as_str())
            }
            Difference::User => format!("user {} -> {}", user(before), user(after)),
            Difference::DualStack if after.socket.dual_stack == Some(true) => "takes IPv4 too".to_owned(),
            Difference::DualStack => "takes IPv6 alone".to_owned(),
            Difference::Service => format!("{} -> {}", service(before), service(after)),
            Difference::Container => format!("container {} -> {}", container(before), container(after)),
        };
        parts.push(part);
    }
    parts.join("; ")
}

/// Returns the change of holders: `node (pid 5, dev) -> node (pid 9, dev)  ~/src/shop`. Of several holders, only those that
/// differ are named.
fn holder_changes(before: &Listener, after: &Listener, current_user: &CurrentUser) -> String {
    let script = |listener: &Listener| listener.head().and_then(|one| one.process.script.clone());
    let one_each = before.holders.len() == 1 && after.holders.len() == 1;
    if one_each && script(before) == script(after) {
        // Another process of the same program: its description is not repeated.
        return format!(
            "{} -> {}",
            holders(before, Naming::OwnName),
            holder_and_description(after, current_user)
        );
    }
    if before.holders.len() <= 1 && after.holders.len() <= 1 {
        return format!("{} -> {}", holders_by_program(before), holders_by_program(after));
    }
    let known = |listener: &Listener, one: &Holder| {
        listener.holders.iter().any(|other| other.process.id == one.process.id)
    };
    let gone: Vec<&Holder> = before.holders.iter().filter(|one| !known(after, one)).collect();
    let come: Vec<&Holder> = after.holders.iter().filter(|one| !known(before, one)).collect();
    let stay = after.holders.len() - come.len();
    let mut parts = Vec::new();
    if !come.is_empty() {
        parts.push(format!("also held by {}", listed_holders(&come, Naming::Program)));
    }
    if !gone.is_empty() {
        parts.push(format!("no longer held by {}", listed_holders(&gone, Naming::Program)));
    }
    match stay {
        0 => format!("{} -> {}", holders_by_program(before), holders_by_program(after)),
        _ => parts.join(", "),
    }
}
