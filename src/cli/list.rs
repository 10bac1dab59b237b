//! `allears [OPTIONS] [TARGET]...`

mod no_match;
mod pids;
mod summary;

use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use super::arguments::List;
use super::exit::Exit;
use super::terminal::{self, Terminal};
use super::{fail_with, obstacle, other_address, say, service_names, written};
use super::{first_words, namespace_hint, query_args, snapshot_file};
use crate::model::Selection;
use crate::model::{Gap, GapKind, GapReason, Protocol, Snapshot};
use crate::os;
use crate::render::column::Column;
use crate::render::current_user::CurrentUser;
use crate::render::order::Order;
use crate::render::phrases;
use crate::render::style::Palette;
use crate::render::{card, csv, json, openmetrics, order, table};
use crate::verdict::Verdict;

/// Runs `allears [TARGET]...`.
pub(super) fn run(mut list: List) -> Exit {
    let words = &list.filters.targets;
    // Options may precede the word of another tool.
    let other = first_words::suggest_for_other_tool(words);
    if let Some(exit) = other.or_else(|| first_words::like_a_command(words.first()?)) {
        return exit;
    }
    // `lsof -ti:3000` prints pids.
    if list.filters.tcp && !list.filters.internet.is_empty() && !(list.is_for_programs() || list.quiet) {
        (list.filters.tcp, list.pids) = (false, true);
    }
    let mut query = match query_args::query(&list.filters, &list.source, list.from.is_some()) {
        Ok(query) => query,
        Err(exit) => return exit,
    };
    if !(list.quiet || list.is_for_programs()) {
        service_names::print_differences(query.selection().targets());
    }
    query = query.parents(list.parents).connections(list.connections);
    let mut is_answer = true;
    let mut saved = |file| {
        let snapshot = snapshot_file::read(file, "--from -")?;
        // A snapshot of another kind of query has no rows that answer this one.
        let missing = query.selection().not_covered(&snapshot);
        is_answer = !missing.iter().any(|missing| missing.is_another_kind());
        Ok(query.selection().apply(snapshot))
    };
    if list.quiet {
        let answered = match &list.from {
            Some(file) => saved(file).map(|snapshot| snapshot.is_answered()),
            None => query.is_answered(),
        };
        return answered.map_or(Exit::Unknown, |answered| exit(answered.filter(|_| is_answer)));
    }
    let began = Instant::now();
    let scanned = match &list.from {
        Some(file) => saved(file).map(|snapshot| (snapshot, None)),
        None => obstacle::scan(&query, &list),
    };
    let (mut snapshot, obstacle) = match scanned {
        Ok(scanned) => scanned,
        Err(error) => return fail_with(&error),
    };
    let took = list.from.is_none().then(|| began.elapsed());
    if list.from.is_some() && !(list.json || list.ndjson) {
        forget_help(&mut snapshot);
    }
    let namespace_notes = namespace_hint::notes(&list, query.selection(), &snapshot);
    // They are printed if no listener matches and the scan was complete.
    let is_denied = snapshot.listeners.is_empty() && snapshot.is_answered().is_some();
    let address_notes = match is_denied {
        true => other_address::notes(&list, query.selection()),
        false => Vec::new(),
    };
    // Whatever needs a privilege has been read. What other programs wrote is handled from here on.
    os::drop_privileges();
    if list.probe && list.from.is_none() {
        crate::act::probe::probe_listeners(&mut snapshot);
    }
    if list.rows.order() != Order::default() {
        order::sort(&mut snapshot.listeners, list.rows.order(), |listener| listener);
    }
    let exit = exit(snapshot.is_answered().filter(|_| is_answer));
    if list.verbose {
        for line in phrases::sources(&snapshot.sources) {
            say("verbose", &line);
        }
    }
    let terminal = Terminal::resolve(list.color);
    let output = ListOutput {
        list: &list,
        selection: query.selection(),
        snapshot: &snapshot,
        took,
        obstacle,
        address_notes,
        namespace_notes,
        terminal,
    };
    let mut out = BufWriter::new(os::output());
    let result = output.write(exit, &mut out).and_then(|exit| out.flush().map(|()| exit));
    match result {
        Ok(exit) => exit,
        Err(error) => written(Err(error), exit),
    }
}

/// Returns the exit status for [`Snapshot::is_answered`].
fn exit(answered: Option<bool>) -> Exit {
    match answered {
        Some(true) => Exit::Found,
        Some(false) => Exit::NotFound,
        None => Exit::Unknown,
    }
}

/// Drops the help of a snapshot: it applies to the machine where it was taken, and a file may name any command.
fn forget_help(snapshot: &mut Snapshot) {
    snapshot
        .listeners
        .iter_mut()
        .filter_map(|listener| listener.unseen.as_deref_mut())
        .for_each(|it| it.help = None);
    snapshot.gaps.iter_mut().for_each(|gap| gap.help = None);
}

/// A snapshot and how it is printed.
struct ListOutput<'a> {
    list: &'a List,
    selection: &'a Selection,
    snapshot: &'a Snapshot,
    /// How long the scan took. `None` for a saved snapshot.
    took: Option<Duration>,
    /// Why the port cannot be bound although nothing listens.
    obstacle: Option<Verdict>,
    /// Notes on what has the ports at other addresses.
    address_notes: Vec<String>,
    /// Notes on other network namespaces.
    namespace_notes: Vec<String>,
    terminal: Terminal,
}

impl ListOutput<'_> {
    fn write(&self, exit: Exit, out: &mut dyn Write) -> io::Result<Exit> {
        let list = self.list;
        let columns = list.rows.columns.as_deref();
        if list.json {
            json::write(self.snapshot, out)?;
        } else if list.ndjson {
            json::write_lines(self.snapshot, out)?;
        } else if list.csv {
            csv::write(self.snapshot, columns, !list.rows.no_header, out)?;
        } else if list.openmetrics {
            openmetrics::write(self.snapshot, self.took, out)?;
        } else if list.pids {
            return self.print_pids(exit, out);
        } else if self.snapshot.listeners.is_empty() {
            self.print_no_match(exit, out)?;
        } else if self.is_about_one() && columns.is_none() && !list.filters.all {
            self.card(out)?;
        } else {
            self.table(out)?;
        }
        if !(list.json || list.ndjson || self.snapshot.listeners.is_empty()) {
            self.print_not_covered(exit, out)?;
        }
        if !self.namespace_notes.is_empty() {
            out.flush()?;
            self.namespace_notes.iter().for_each(|note| say("note", note));
        }
        Ok(exit)
    }

    /// Returns what the saved snapshot does not cover.
    fn not_covered(&self) -> Option<String> {
        let gap = self.snapshot.gaps.iter().find(|gap| gap.reason == GapReason::NotAsked)?;
        self.list.from.as_ref().map(|_| phrases::gap(gap))
    }

    /// Prints what the saved snapshot does not cover, after its rows.
    fn print_not_covered(&self, exit: Exit, out: &mut dyn Write) -> io::Result<()> {
        let Some(detail) = self.not_covered() else { return Ok(()) };
        out.flush()?;
        say(if exit == Exit::Unknown { "error" } else { "not seen" }, &detail);
        Ok(())
    }

    /// Returns whether all targets are one port, or one path.
    fn is_about_one(&self) -> bool {
        match self.selection.targets() {
            [] => false,
            [only] => only.names_one(),
            [first, rest @ ..] => {
                let port = first.single_port();
                port.is_some() && rest.iter().all(|target| target.single_port() == port)
            }
        }
    }

    fn current_user(&self) -> CurrentUser {
        // A saved snapshot may come from another machine, where paths and users mean something else.
        match &self.list.from {
            Some(_) => CurrentUser::default(),
            None => terminal::current_user(),
        }
    }

    fn width(&self) -> Option<usize> {
        self.terminal.width.filter(|_| !self.list.wide)
    }

    fn card(&self, out: &mut dyn Write) -> io::Result<()> {
        let palette = Palette { color: self.terminal.color };
        // A saved snapshot may come from another machine, which has other ephemeral ports.
        let automatic = match &self.list.from {
            Some(_) => None,
            None => os::ready_limits(Protocol::Tcp).ephemeral,
        };
        let current_user = self.current_user();
        let options = card::CardOptions {
            width: self.width(),
            palette,
            current_user,
            parents: self.list.parents,
            automatic,
        };
        card::write(self.snapshot, &options, out)?;
        out.flush()?;
        self.print_unanswered();
        self.print_gaps_of_tables();
        Ok(())
    }

    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut columns = self.list.rows.columns.clone();
        if columns.is_none() && self.list.parents {
            let mut named = vec![
                Column::Port,
                Column::Protocol,
                Column::Address,
                Column::Process,
                Column::Pid,
                Column::User,
                Column::Parents,
            ];
            named.extend(self.list.probe.then_some(Column::Probe));
            named.extend(self.list.connections.then_some(Column::Connected));
            columns = Some(named);
        }
        let options = table::TableOptions {
            columns,
            states: self.list.filters.all,
            header: !self.list.rows.no_header,
            width: self.width(),
            palette: Palette { color: self.terminal.color },
            current_user: self.current_user(),
            at: self.snapshot.taken_at,
        };
        let shortened = table::write(self.snapshot, &options, out)?;
        out.flush()?;
        self.print_unanswered();
        match self.terminal.person {
            true => self.print_summary(&shortened),
            false => self.print_gaps_of_tables(),
        }
        Ok(())
    }

    /// Prints the targets that nothing answers, if others are answered.
    fn print_unanswered(&self) {
        for target in self.selection.unanswered(self.snapshot) {
            say("note", &phrases::no_match::unanswered(target, self.snapshot.complete));
        }
    }

    /// Returns the gaps of the socket tables, which concern every row.
    fn gaps_of_tables(&self) -> impl Iterator<Item = &Gap> {
        self.snapshot.gaps.iter().filter(|gap| gap.what == GapKind::Sockets)
    }

    fn print_gaps_of_tables(&self) {
        for gap in self.gaps_of_tables() {
            say("not read", &phrases::gap(gap));
        }
    }
}
