//! `allears [OPTIONS] [TARGET]...`

use std::cmp::Ordering;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use super::arguments::{List, ReaderName, SearchName};
use super::exit::Exit;
use super::terminal::{self, Terminal, home};
use super::{complain, fail, input_is_terminal, say, written};
use crate::render::column::Column;
use crate::render::style::{Meaning, Palette};
use crate::render::words::{self, Asker};
use crate::render::{card, csv, json, table};
use crate::text::Text;
use crate::{Error, ErrorKind, HolderSearch, Protocol, Query, Reader, Selection, Snapshot, Target, UserName};

/// Answers the list.
pub(super) fn run(list: List) -> Exit {
    let query = match query(&list) {
        Ok(query) => query,
        Err(exit) => return exit,
    };
    let looked = match &list.from {
        Some(file) => from_file(file).map(|snapshot| query.selection().apply(snapshot)),
        None => query.look(),
    };
    let mut snapshot = match looked {
        Ok(snapshot) => snapshot,
        Err(_) if list.quiet => return Exit::Unknown,
        Err(error) => return fail(&error.to_string(), None),
    };
    if list.probe && list.from.is_none() {
        crate::probe_listeners(&mut snapshot);
    }
    if let Some(column) = list.sort {
        sort(&mut snapshot, column);
    }
    let exit = match (snapshot.listeners.is_empty(), snapshot.complete) {
        (false, _) => Exit::Found,
        (true, true) => Exit::NotFound,
        (true, false) => Exit::Unknown,
    };
    if list.quiet {
        return exit;
    }
    if list.verbose {
        for line in &snapshot.how {
            say("verbose", &crate::render::escape::escape(line));
        }
    }
    let terminal = Terminal::resolve(list.color);
    let answer = Answer { list: &list, selection: query.selection(), snapshot: &snapshot, terminal };
    let mut out = BufWriter::new(anstream::AutoStream::new(
        io::stdout().lock(),
        if terminal.color { anstream::ColorChoice::Always } else { anstream::ColorChoice::Never },
    ));
    let result = answer.write(exit, &mut out).and_then(|exit| out.flush().map(|()| exit));
    match result {
        Ok(exit) => exit,
        Err(error) => written(Err(error), exit),
    }
}

/// What the arguments ask.
fn query(list: &List) -> Result<Query, Exit> {
    let wrong = |error: crate::TargetError| {
        complain(&error.to_string(), error.help());
        Exit::Usage
    };
    let mut query = Query::new();
    for text in &list.targets {
        query = Target::parse_list(text).map_err(wrong)?.into_iter().fold(query, Query::target);
    }
    for text in &list.internet {
        query = Target::parse_lsof(text).map_err(wrong)?.into_iter().fold(query, Query::target);
    }
    for (wanted, protocol) in
        [(list.tcp, Protocol::Tcp), (list.udp, Protocol::Udp), (list.unix, Protocol::Unix)]
    {
        if wanted {
            query = query.protocol(protocol);
        }
    }
    for (wanted, add) in [
        (list.ipv4, Query::ipv4 as fn(Query) -> Query),
        (list.ipv6, Query::ipv6),
        (list.all, Query::all),
        (list.exposed, Query::exposed),
        (list.parents, Query::parents),
        (list.connections, Query::connections),
        (list.all_namespaces, Query::all_namespaces),
    ] {
        if wanted {
            query = add(query);
        }
    }
    query = query.runtimes(super::runtimes::runtimes());
    query = list.pid.iter().copied().fold(query, Query::pid);
    query = list.process.iter().cloned().fold(query, Query::command);
    for text in &list.user {
        let user = match (&list.from, text.parse()) {
            (_, Ok(uid)) => UserName::Uid(uid),
            (Some(_), Err(_)) => UserName::Name(text.clone()),
            (None, Err(_)) => UserName::of_this_machine(text).map_err(|error| {
                complain(&error.to_string(), "write a name or a number that the user database knows");
                Exit::Usage
            })?,
        };
        query = query.user(user);
    }
    let query = query.holder_search(match list.holders {
        SearchName::Auto => HolderSearch::Auto,
        SearchName::Walk => HolderSearch::Walk,
        SearchName::Bpf => HolderSearch::Bpf,
    });
    Ok(query.reader(match list.reader {
        ReaderName::Auto => Reader::Auto,
        ReaderName::Native => Reader::Native,
        ReaderName::Netstat2 => Reader::Netstat2,
    }))
}

/// A saved snapshot.
fn from_file(path: &Path) -> Result<Snapshot, Error> {
    let name = Text::from(path);
    let shown = crate::render::escape::escape(&name);
    let error = |attempted: String| Error::new(ErrorKind::Document, attempted);
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true if input_is_terminal() => {
            return Err(error(
                "--from - reads a snapshot from standard input, which is a terminal".to_owned(),
            ));
        }
        true => io::stdin().lock().read_to_end(&mut bytes),
        false => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    read.map_err(|source| error(format!("cannot read {shown}")).because(source))?;
    json::read(&bytes).map_err(|source| error(format!("cannot understand {shown}")).because(source))
}

fn sort(snapshot: &mut Snapshot, column: Column) {
    let holder = |listener: &crate::Listener| listener.holders.first().cloned();
    let compare = |a: &crate::Listener, b: &crate::Listener| -> Ordering {
        let (a_holder, b_holder) = (holder(a), holder(b));
        let (left, right) = (column.value(a, a_holder.as_ref()), column.value(b, b_holder.as_ref()));
        match (left.parse::<u64>(), right.parse::<u64>()) {
            (Ok(left), Ok(right)) => left.cmp(&right),
            // What is not told comes last.
            _ => left.is_empty().cmp(&right.is_empty()).then_with(|| left.cmp(&right)),
        }
    };
    snapshot.listeners.sort_by(compare);
}

/// A snapshot on its way out.
struct Answer<'a> {
    list: &'a List,
    selection: &'a Selection,
    snapshot: &'a Snapshot,
    terminal: Terminal,
}

impl Answer<'_> {
    fn write(&self, exit: Exit, out: &mut dyn Write) -> io::Result<Exit> {
        let list = self.list;
        let columns = list.columns.as_deref();
        if list.json {
            json::write(self.snapshot, out)?;
        } else if list.ndjson {
            json::write_lines(self.snapshot, out)?;
        } else if list.csv {
            csv::write(self.snapshot, columns, !list.no_header, out)?;
        } else if list.pids {
            return self.pids(exit, out);
        } else if self.snapshot.listeners.is_empty() {
            self.deny(exit, out)?;
        } else if self.is_about_one() && columns.is_none() && !list.all {
            self.card(out)?;
        } else {
            self.table(out)?;
        }
        Ok(exit)
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
            None => {
                Asker { home: home().map(|home| Text::from(home.as_os_str())), uid: crate::os::own_uid() }
            }
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
            None => crate::os::ready_limits(Protocol::Tcp).automatic,
        };
        let asker = self.asker();
        let options =
            card::Options { width: self.width(), palette, asker, parents: self.list.parents, automatic };
        card::write(self.snapshot, &options, out)?;
        out.flush()?;
        self.tell_unanswered();
        Ok(())
    }

    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut columns = self.list.columns.clone();
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
            states: self.list.all,
            header: !self.list.no_header,
            width: self.width(),
            palette: Palette { color: self.terminal.color },
            asker: self.asker(),
        };
        let shortened = table::write(self.snapshot, &options, out)?;
        out.flush()?;
        self.tell_unanswered();
        if self.terminal.person {
            self.summarise(&shortened);
        }
        Ok(())
    }

    /// The last lines of a table, for a person.
    fn summarise(&self, shortened: &table::Shortened) {
        let palette = Palette { color: self.terminal.error_color };
        let listeners = &self.snapshot.listeners;
        let exposed = listeners
            .iter()
            .filter(|listener| listener.socket.is_listener() && words::is_exposed(&listener.socket));
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
                .any(|unseen| unseen.help.as_ref().is_some_and(|help| help.as_bytes().starts_with(b"sudo ")));
            let help = if sudo { ": sudo allears shows them." } else { "." };
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
        for gap in self.snapshot.gaps.iter().filter(|gap| gap.what.as_bytes() == b"sockets") {
            parts.push(palette.paint(
                Meaning::Unseen,
                format!("Not read: {}.", crate::render::escape::escape(&gap.detail)),
            ));
        }
        if !parts.is_empty() {
            let _ = writeln!(terminal::errors(), "{}", parts.join("  "));
        }
    }

    /// Targets that nothing answers, where others are answered.
    fn tell_unanswered(&self) {
        for target in self.selection.unanswered(self.snapshot) {
            match self.snapshot.complete {
                true => say("note", &format!("nothing listens on {target}")),
                false => say("note", &format!("it could not be told whether something listens on {target}")),
            }
        }
    }

    /// Nothing matches, or it could not be told.
    fn deny(&self, exit: Exit, out: &mut dyn Write) -> io::Result<()> {
        let targets = self.selection.targets();
        let of_these =
            if self.selection.filters_by_process() || self.list.exposed { " that was asked for" } else { "" };
        let verb = if self.list.all { "uses" } else { "listens on" };
        if exit == Exit::Unknown {
            let _ = fail("it could not be told whether something matches", None);
            self.tell_gaps();
            return Ok(());
        }
        if targets.is_empty() {
            let what = match (self.list.tcp, self.list.udp) {
                (true, false) => " on TCP",
                (false, true) => " on UDP",
                _ => "",
            };
            return match self.list.all {
                true => writeln!(out, "there are no sockets{of_these}{what}"),
                false => writeln!(out, "nothing{of_these} listens{what}"),
            };
        }
        for target in targets {
            let protocol = match (self.list.tcp, self.list.udp, target.protocol()) {
                (true, false, None) => "tcp ",
                (false, true, None) => "udp ",
                _ => "",
            };
            writeln!(out, "nothing{of_these} {verb} {protocol}{target}")?;
        }
        self.tell_what_forbids_to_bind(out)?;
        Ok(())
    }

    /// Nothing listens on the one port asked about, and still it may not be free.
    fn tell_what_forbids_to_bind(&self, out: &mut dyn Write) -> io::Result<()> {
        let list = self.list;
        let filtered = self.selection.filters_by_process()
            || list.exposed
            || list.all
            || list.udp
            || list.ipv4
            || list.ipv6
            || list.all_namespaces
            || list.from.is_some();
        let [target] = self.selection.targets() else { return Ok(()) };
        if filtered || target.protocol() == Some(Protocol::Udp) || target.single_port().is_none() {
            return Ok(());
        }
        if !crate::act::why::is_refused(target) {
            return Ok(());
        }
        let verdict = crate::act::why::asked(target)
            .and_then(|asked| crate::act::why::why_asked(&asked, &super::runtimes::runtimes()));
        match verdict {
            Ok(verdict) if verdict.can_bind != Some(true) => {
                let reason = crate::render::escape::escape(&verdict.reason.as_str().into());
                let command = super::why::typed(&verdict.asked);
                writeln!(out, "  but it cannot be bound: {reason}; see allears why {command}")
            }
            _ => Ok(()),
        }
    }

    fn tell_gaps(&self) {
        for gap in &self.snapshot.gaps {
            let detail = crate::render::escape::escape(&gap.detail);
            match &gap.help {
                Some(help) => say("not seen", &format!("{detail}; {}", crate::render::escape::escape(help))),
                None => say("not seen", &detail),
            }
        }
    }

    fn pids(&self, exit: Exit, out: &mut dyn Write) -> io::Result<Exit> {
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
            let endpoint = words::address(&listener.socket);
            let port =
                listener.socket.endpoint.port().map_or_else(String::new, |port| format!(" port {port}"));
            let reason = listener.unseen.as_ref().map_or("unknown", |unseen| unseen.reason.as_str());
            let help = listener.unseen.as_ref().and_then(|unseen| unseen.help.as_ref());
            let help =
                help.map_or_else(String::new, |help| format!("; {}", crate::render::escape::escape(help)));
            say("not seen", &format!("a holder of {endpoint}{port} ({reason}){help}"));
        }
        for listener in listeners.iter().filter(|one| one.socket.state == crate::State::Forwarded) {
            let to = listener.container.as_ref().map_or_else(String::new, words::container);
            let port = listener.socket.endpoint.port().unwrap_or_default();
            say("note", &format!("port {port} is forwarded to container {to}; no process holds it here"));
        }
        if listeners.is_empty() {
            for target in self.selection.targets() {
                say(
                    "note",
                    &match exit {
                        Exit::Unknown => {
                            format!("it could not be told whether something listens on {target}")
                        }
                        _ => format!("nothing listens on {target}"),
                    },
                );
            }
        }
        Ok(if pids.is_empty() && exit == Exit::Found { Exit::Unknown } else { exit })
    }
}
