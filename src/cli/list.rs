//! `allears [OPTIONS] [TARGET]...`

use std::io::{self, BufWriter, Write};

use super::arguments::List;
use super::exit::Exit;
use super::terminal::{self, Terminal};
use super::{fail, fail_with, obstacle, say, service_names, written};
use super::{namespace_hint, query_args, snapshot_file};
use crate::model::Selection;
use crate::model::Target;
use crate::model::{Gap, GapKind, GapReason, Help, Protocol, Snapshot};
use crate::render::asker::Asker;
use crate::render::column::Column;
use crate::render::gap_phrases;
use crate::render::phrases;
use crate::render::style::{Meaning, Palette};
use crate::render::{card, csv, json, order, table};
use crate::verdict::Verdict;
use crate::{os, shell};

/// Runs `allears [TARGET]...`.
pub(super) fn run(list: List) -> Exit {
    let mut query = match query_args::query(&list.filters, &list.source, list.from.is_some()) {
        Ok(query) => query,
        Err(exit) => return exit,
    };
    if !(list.quiet || list.json || list.ndjson || list.csv || list.pids) {
        service_names::tell_differences(query.selection().targets());
    }
    query = query.parents(list.parents).connections(list.connections);
    let mut is_answer = true;
    let mut saved = |file| {
        let snapshot = snapshot_file::read(file, "--from -")?;
        // A snapshot of another kind of query has no rows that answer this one.
        let missing = query.selection().not_asked(&snapshot);
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
    let looked = match &list.from {
        Some(file) => saved(file).map(|snapshot| (snapshot, None)),
        None => obstacle::look(&query, &list),
    };
    let (mut snapshot, obstacle) = match looked {
        Ok(looked) => looked,
        Err(error) => return fail_with(&error),
    };
    if list.from.is_some() && !(list.json || list.ndjson) {
        forget_help(&mut snapshot);
    }
    if list.probe && list.from.is_none() {
        crate::act::probe::probe_listeners(&mut snapshot);
    }
    if let Some(column) = list.rows.sort {
        order::sort(&mut snapshot.listeners, Some(column), |listener| listener);
    }
    let exit = exit(snapshot.is_answered().filter(|_| is_answer));
    if list.verbose {
        for line in &snapshot.how {
            say("verbose", &crate::render::escape::escape(line));
        }
    }
    let terminal = Terminal::resolve(list.color);
    let answer =
        Answer { list: &list, selection: query.selection(), snapshot: &snapshot, obstacle, terminal };
    let mut out = BufWriter::new(os::output());
    let result = answer.write(exit, &mut out).and_then(|exit| out.flush().map(|()| exit));
    match result {
        Ok(exit) => exit,
        Err(error) => written(Err(error), exit),
    }
}

/// No arguments.
const NOTHING: &[&str] = &[];

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
        .filter_map(|listener| listener.unseen.as_mut())
        .for_each(|it| it.help = None);
    snapshot.gaps.iter_mut().for_each(|gap| gap.help = None);
}

/// A snapshot and how it is printed.
struct Answer<'a> {
    list: &'a List,
    selection: &'a Selection,
    snapshot: &'a Snapshot,
    /// What keeps the port from being bound, though nothing listens.
    obstacle: Option<Verdict>,
    terminal: Terminal,
}

impl Answer<'_> {
    fn write(&self, exit: Exit, out: &mut dyn Write) -> io::Result<Exit> {
        let list = self.list;
        let columns = list.rows.columns.as_deref();
        if list.json {
            json::write(self.snapshot, out)?;
        } else if list.ndjson {
            json::write_lines(self.snapshot, out)?;
        } else if list.csv {
            csv::write(self.snapshot, columns, !list.rows.no_header, out)?;
        } else if list.pids {
            return self.pids(exit, out);
        } else if self.snapshot.listeners.is_empty() {
            self.deny(exit, out)?;
        } else if self.is_about_one() && columns.is_none() && !list.filters.all {
            self.card(out)?;
        } else {
            self.table(out)?;
        }
        if !(list.json || list.ndjson || self.snapshot.listeners.is_empty()) {
            self.tell_not_asked(exit, out)?;
        }
        if !(list.json || list.ndjson || list.csv) {
            out.flush()?;
            namespace_hint::tell(list, self.selection, self.snapshot);
        }
        Ok(exit)
    }

    /// What the saved snapshot was not asked about.
    fn not_asked(&self) -> Option<String> {
        let gap = self.snapshot.gaps.iter().find(|gap| gap.reason == GapReason::NotAsked)?;
        self.list.from.as_ref().map(|_| gap_phrases::detail(gap))
    }

    /// Says what the saved snapshot was not asked about, after the rows that it has.
    fn tell_not_asked(&self, exit: Exit, out: &mut dyn Write) -> io::Result<()> {
        let Some(detail) = self.not_asked() else { return Ok(()) };
        out.flush()?;
        say(if exit == Exit::Unknown { "error" } else { "not seen" }, &detail);
        Ok(())
    }

    /// Whether everything asked for is one port, or one path.
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

    fn asker(&self) -> Asker {
        // A saved snapshot may come from another machine, where paths and users mean something else.
        match &self.list.from {
            Some(_) => Asker::default(),
            None => terminal::asker(),
        }
    }

    fn width(&self) -> Option<usize> {
        self.terminal.width.filter(|_| !self.list.wide)
    }

    fn card(&self, out: &mut dyn Write) -> io::Result<()> {
        let palette = Palette { color: self.terminal.color };
        // A saved snapshot may come from another machine, which gives out other ports.
        let automatic = match &self.list.from {
            Some(_) => None,
            None => os::ready_limits(Protocol::Tcp).ephemeral,
        };
        let asker = self.asker();
        let options =
            card::Options { width: self.width(), palette, asker, parents: self.list.parents, automatic };
        card::write(self.snapshot, &options, out)?;
        out.flush()?;
        self.tell_unanswered();
        self.tell_gaps_of_tables();
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
        let options = table::Options {
            columns,
            states: self.list.filters.all,
            header: !self.list.rows.no_header,
            width: self.width(),
            palette: Palette { color: self.terminal.color },
            asker: self.asker(),
        };
        let shortened = table::write(self.snapshot, &options, out)?;
        out.flush()?;
        self.tell_unanswered();
        match self.terminal.person {
            true => self.summarise(&shortened),
            false => self.tell_gaps_of_tables(),
        }
        Ok(())
    }

    /// Prints the summary below a table.
    fn summarise(&self, shortened: &table::Shortened) {
        let palette = Palette { color: self.terminal.error_color };
        let listeners = &self.snapshot.listeners;
        let exposed = listeners
            .iter()
            .filter(|listener| listener.socket.is_listener() && phrases::is_exposed(&listener.socket));
        let unseen: Vec<_> = listeners.iter().filter_map(|listener| listener.unseen.as_ref()).collect();
        let mut parts = Vec::new();
        match exposed.count() {
            0 => {}
            1 => parts.push(palette.paint(Meaning::Exposed, "1 listener is open to the network.")),
            many => parts
                .push(palette.paint(Meaning::Exposed, format!("{many} listeners are open to the network."))),
        }
        if !unseen.is_empty() {
            let whose = match unseen.len() {
                1 => "Holders of 1 listener could not be seen".to_owned(),
                many => format!("Holders of {many} listeners could not be seen"),
            };
            let sudo = unseen
                .iter()
                .any(|unseen| unseen.help.as_ref().is_some_and(|help| help.is_privileged_scan()));
            let sudo = sudo.then(|| shell::allears_with_rights(NOTHING)).flatten();
            let help = sudo.map_or_else(|| ".".to_owned(), |sudo| format!(": {sudo} shows them."));
            parts.push(palette.paint(Meaning::Unseen, format!("{whose}{help}")));
        }
        let mut narrow = Vec::new();
        if !shortened.columns.is_empty() {
            narrow.push(format!("shortened: {}", shortened.columns.join(", ")));
        }
        if !shortened.dropped.is_empty() {
            narrow.push(format!("left out: {}", shortened.dropped.join(", ")));
        }
        if !narrow.is_empty() {
            let text = format!("To fit this width, {}; --wide shows all.", narrow.join("; "));
            parts.push(palette.paint(Meaning::Label, text));
        }
        for gap in self.gaps_of_tables() {
            parts.push(palette.paint(Meaning::Unseen, format!("Not read: {}.", gap_phrases::detail(gap))));
        }
        if !parts.is_empty() {
            let _ = writeln!(terminal::errors(), "{}", parts.join("  "));
        }
    }

    /// Prints the targets that nothing answers, if others are answered.
    fn tell_unanswered(&self) {
        for target in self.selection.unanswered(self.snapshot) {
            match self.snapshot.complete {
                true => say("note", &format!("nothing listens on {target}")),
                false => say("note", &format!("could not determine whether something listens on {target}")),
            }
        }
    }

    /// Prints that nothing matches, or that it could not be determined.
    fn deny(&self, exit: Exit, out: &mut dyn Write) -> io::Result<()> {
        let list = self.list;
        let targets = self.selection.targets();
        let of_these = if self.selection.filters_by_process() || self.list.filters.exposed {
            " that was asked for"
        } else {
            ""
        };
        let verb = if self.list.filters.all { "uses" } else { "listens on" };
        if exit == Exit::Unknown {
            if let Some(detail) = self.not_asked() {
                let _ = fail(&detail, None);
                return Ok(());
            }
            let _ = fail("could not determine whether something matches", None);
            self.tell_gaps();
            return Ok(());
        }
        let taken_for = self.snapshot.asked.as_deref().unwrap_or_default();
        if list.from.is_some() && self.selection.is_plain() && taken_for.iter().any(|one| !one.is_plain()) {
            let covered = crate::render::question_phrases::covered(taken_for).as_str().into();
            let covered = crate::render::escape::escape(&covered);
            return writeln!(out, "there is nothing in this snapshot, which covers {covered}");
        }
        if targets.is_empty() {
            let what = match (self.list.filters.tcp, self.list.filters.udp) {
                (true, false) => " on TCP",
                (false, true) => " on UDP",
                _ => "",
            };
            return match self.list.filters.all {
                true => writeln!(out, "there are no sockets{of_these}{what}"),
                false => writeln!(out, "nothing{of_these} listens{what}"),
            };
        }
        for target in targets {
            let protocol = match (self.list.filters.tcp, self.list.filters.udp, target.protocol()) {
                (true, false, None) => "tcp ",
                (false, true, None) => "udp ",
                _ => "",
            };
            writeln!(out, "nothing{of_these} {verb} {protocol}{target}")?;
            if let Some(text) = self.content_of(target) {
                writeln!(out, "  {text}")?;
            }
        }
        if let Some(verdict) = &self.obstacle {
            let reason = &verdict.reason;
            let target = verdict.target.to_string();
            // A name of an interface may be one that no command line can hold.
            let asked =
                shell::quote(&target.as_str().into()).unwrap_or_else(|| verdict.target.port.to_string());
            writeln!(out, "  but it cannot be bound: {reason}; see allears why {asked}")?;
        }
        Ok(())
    }

    /// Returns the gaps of the socket tables, which concern every row.
    fn gaps_of_tables(&self) -> impl Iterator<Item = &Gap> {
        self.snapshot.gaps.iter().filter(|gap| gap.what == GapKind::Sockets)
    }

    fn tell_gaps_of_tables(&self) {
        for gap in self.gaps_of_tables() {
            say("not read", &gap_phrases::detail(gap));
        }
    }

    /// Returns what is at the path of a target, if that explains why nothing listens there.
    fn content_of(&self, target: &Target) -> Option<&'static str> {
        let path = target.path()?.as_bytes();
        let found = self.snapshot.paths.iter().find(|found| found.path.as_bytes() == path)?;
        phrases::path_content(found.holds)
    }

    fn tell_gaps(&self) {
        for gap in &self.snapshot.gaps {
            let detail = gap_phrases::detail(gap);
            match &gap.help {
                Some(help) => say("not seen", &format!("{detail}; {}", gap_phrases::help(help))),
                None => say("not seen", &detail),
            }
        }
    }

    fn pids(&self, exit: Exit, out: &mut dyn Write) -> io::Result<Exit> {
        self.tell_not_asked(exit, out)?;
        let held = self.snapshot.listeners.iter().any(|listener| !listener.holders.is_empty());
        // Whoever uses these pids would reach other processes.
        if held && self.list.from.is_none() && os::pid_namespace_is_own() != Some(true) {
            let why = match os::pid_namespace_is_own() {
                None => "cannot read which pid namespace /proc shows",
                Some(_) => gap_phrases::FOREIGN_PIDS,
            };
            return Ok(fail(&format!("no pids are printed: {why}"), Some(&Help::MatchingProc.to_string())));
        }
        let listeners = &self.snapshot.listeners;
        let mut pids: Vec<u32> = listeners
            .iter()
            .flat_map(|listener| &listener.holders)
            .map(|holder| holder.process.id.pid)
            .collect();
        pids.sort_unstable();
        pids.dedup();
        for pid in &pids {
            writeln!(out, "{pid}")?;
        }
        out.flush()?;
        let unseen = listeners.iter().filter(|listener| listener.unseen.is_some());
        for listener in unseen {
            let endpoint = phrases::address(&listener.socket);
            let port =
                listener.socket.endpoint.port().map_or_else(String::new, |port| format!(" port {port}"));
            let reason = listener.unseen.as_ref().map_or("unknown", |unseen| unseen.reason.as_str());
            let help = listener.unseen.as_ref().and_then(|unseen| unseen.help.as_ref());
            let help = help.map_or_else(String::new, |help| format!("; {}", gap_phrases::help(help)));
            say("not seen", &format!("a holder of {endpoint}{port} ({reason}){help}"));
        }
        for listener in listeners.iter().filter(|one| one.socket.state == crate::model::State::Forwarded) {
            let to = listener.container.as_ref().map_or_else(String::new, phrases::container);
            let port = listener.socket.endpoint.port().unwrap_or_default();
            say("note", &format!("port {port} is forwarded to container {to}; no process holds it here"));
        }
        if listeners.is_empty() {
            for target in self.selection.targets() {
                say(
                    "note",
                    &match exit {
                        Exit::Unknown => {
                            format!("could not determine whether something listens on {target}")
                        }
                        _ => format!("nothing listens on {target}"),
                    },
                );
            }
        }
        Ok(if pids.is_empty() && exit == Exit::Found { Exit::Unknown } else { exit })
    }
}
