//! The card for one port: the answer first, what explains it below.

mod values;

use std::io::{self, Write};
use std::ops::RangeInclusive;

use unicode_width::UnicodeWidthStr;

use super::current_user::CurrentUser;
use super::escape::{command_line, escape};
use super::layout::wrap;
use super::macos_app;
use super::phrases;
use super::port_line;
use super::start_time;
use super::style::{Palette, TextRole};
use super::table::{EqualSockets, differ_only_in_address, merge_equal};
use crate::model::{
    Endpoint, Exposure, Holder, Listener, PathTarget, Protocol, Snapshot, State, System, Text, Unseen,
    UnseenReason,
};
use crate::port_info::program_names;
use crate::program_label;
use values::{
    ancestry, candidates, candidates_label, children, connected, container_line, is_named_by_command, queues,
    service_line, store_line,
};

/// The width of the labels' column.
const LABELS: usize = 11;
/// The longest value that is shown whole, in characters.
const LONGEST_VALUE: usize = 1000;
/// The most items of a list that are shown. The others are counted.
const LONGEST_LIST: usize = 12;

/// The layout of a card.
#[derive(Debug, Clone, Default)]
pub(crate) struct CardOptions {
    /// The width to wrap at; `None` for whole lines and a card a listener.
    pub(crate) width: Option<usize>,
    pub(crate) palette: Palette,
    pub(crate) current_user: CurrentUser,
    /// Whether the whole ancestry is shown.
    pub(crate) parents: bool,
    /// The ephemeral range, if it is known and the snapshot is of this machine.
    pub(crate) automatic: Option<RangeInclusive<u16>>,
}

/// Writes a card for each listener. On a terminal, listeners that differ only in address share a card.
pub(crate) fn write(snapshot: &Snapshot, options: &CardOptions, out: &mut dyn Write) -> io::Result<()> {
    let mut groups: Vec<Vec<EqualSockets<'_>>> = Vec::new();
    for one in merge_equal(&snapshot.listeners, &|_| 0) {
        let same = |group: &&mut Vec<EqualSockets<'_>>| {
            options.width.is_some()
                && group.first().is_some_and(|first| {
                    differ_only_in_address(&first.listener, &one.listener)
                        && same_reach(&first.listener, &one.listener)
                })
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    for (at, group) in groups.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        if let Some(first) = group.first() {
            Card { group, listener: &first.listener, snapshot, options }.write(out)?;
        }
    }
    Ok(())
}

fn same_reach(a: &Listener, b: &Listener) -> bool {
    a.socket.exposure() == b.socket.exposure() && a.socket.exposure() != Exposure::Address
}

struct Card<'a> {
    group: &'a [EqualSockets<'a>],
    listener: &'a Listener,
    snapshot: &'a Snapshot,
    options: &'a CardOptions,
}

impl Card<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let rest = self.answer();
        let socket = &self.listener.socket;
        let port = socket.endpoint.port().map(|port| format!("{port}/{}", socket.protocol.as_str()));
        let answer = port.as_ref().map_or_else(|| rest.clone(), |port| format!("{port} on {rest}"));
        let painted = match port {
            Some(port) if self.options.width.is_none_or(|width| answer.width() <= width) => {
                format!("{} on {rest}", self.options.palette.paint(TextRole::Subject, port))
            }
            _ => wrap(&answer, self.options.width.unwrap_or(usize::MAX)).join("\n"),
        };
        writeln!(out, "{painted}\n")?;
        for (label, value, role) in self.lines() {
            self.write_line(label, &value, role, out)?;
        }
        Ok(())
    }

    /// Returns the first line, from the address on: `127.0.0.1 is held by node (pid 4121, dev)`.
    fn answer(&self) -> String {
        let socket = &self.listener.socket;
        let phrase = |one: &EqualSockets<'_>| match one.count {
            1 => phrases::address_phrase(&one.listener.socket),
            count => format!("{} ({count} sockets)", phrases::address_phrase(&one.listener.socket)),
        };
        let addresses: Vec<String> = self.group.iter().map(phrase).collect();
        let subject = match socket.endpoint.port() {
            Some(_) => phrases::list_and(&addresses),
            // The requested name, even if the socket was bound by another one.
            None => socket.other_paths.first().map_or_else(|| phrases::list_and(&addresses), escape),
        };
        if socket.state == State::Forwarded {
            let to = self.listener.container.as_deref();
            let to = to.map_or_else(String::new, |container| {
                format!(
                    " to {} ({})",
                    phrases::container_or_pod(container),
                    escape(&Text::from(&container.runtime))
                )
            });
            return format!("{subject} is forwarded{to}");
        }
        let verb = if socket.is_listener() { "is held by" } else { "is in use by" };
        let which = phrases::condition_of_all(self.listener)
            .map_or_else(String::new, |condition| format!(", which is {condition}"));
        match (self.listener.holders.len(), self.listener.head(), &self.listener.unseen) {
            (_, None, None) => {
                format!("{subject} is no longer held by any process ({})", socket.state.as_str())
            }
            (_, None, Some(unseen)) => format!("{subject} {}", self.unseen_answer(unseen)),
            (0 | 1, Some(only), _) => format!("{subject} {verb} {}{which}", phrases::process(&only.process)),
            (2, Some(head), _) => format!("{subject} {verb} {} and 1 other", phrases::process(&head.process)),
            (all, Some(head), _) => {
                format!("{subject} {verb} {} and {} others", phrases::process(&head.process), all - 1)
            }
        }
    }

    fn unseen_answer(&self, unseen: &Unseen) -> String {
        // The user who opened a socket need not be the user of its holder: servers drop privileges and pass sockets on.
        match (unseen.reason, phrases::opener(&self.listener.socket)) {
            (UnseenReason::Kernel, _) => match phrases::kernel_sockets(&unseen.kernel) {
                Some(what) => format!("is held by the kernel itself, for {what}"),
                None => "is held by the kernel itself, not by a process".to_owned(),
            },
            (UnseenReason::InFlight, _) => {
                "is held by no process: it is probably in a message that nobody has received yet".to_owned()
            }
            (UnseenReason::Exited, _) => "was held by a process that ended during the scan".to_owned(),
            _ if unseen.is_without_descriptor() => {
                format!("is held by {}", phrases::unseen_holder(unseen).unwrap_or_default())
            }
            (_, Some(user)) => format!("was opened by {user}; its holder could not be seen"),
            (_, None) => "is held by a process that could not be seen".to_owned(),
        }
    }

    fn lines(&self) -> Vec<(&'static str, String, Option<TextRole>)> {
        let mut lines = Vec::new();
        let mut add = |label: &'static str, value: Option<String>, role: Option<TextRole>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                lines.push((label, value, role));
            }
        };
        let listener = self.listener;
        let (socket, current_user) = (&listener.socket, &self.options.current_user);
        let first = listener.head();
        let process = first.map(|holder| &*holder.process);
        add("state", phrases::conditions(listener), Some(TextRole::Unseen));
        add("command", process.and_then(|process| process.command.as_deref()).map(command_line), None);
        let program = process.and_then(|process| process.executable.as_ref());
        let change = process.and_then(|process| process.executable_change);
        let program = program.filter(|path| {
            change.is_some() || process.is_some_and(|process| !is_named_by_command(path, process))
        });
        let changed = |path: &Text| match change {
            Some(change) => format!("{}, {}", current_user.path(path), phrases::program_change(change)),
            None => current_user.path(path),
        };
        add("program", program.map(changed), change.map(|_| TextRole::Unseen));
        let script_change =
            process.and_then(|process| process.script_change.zip(program_label::script_file(process)));
        let gone =
            |(change, path)| format!("{}, {}", current_user.path(&path), phrases::program_change(change));
        add("script", script_change.map(gone), Some(TextRole::Unseen));
        add("part of", process.and_then(macos_app::application_of).as_ref().map(escape), None);
        let directory = process.and_then(|process| process.directory.as_ref());
        add("namespace", socket.namespace.as_ref().map(escape), None);
        add("directory", directory.map(|path| current_user.path(path)), None);
        let project = process.and_then(|process| process.project.as_ref());
        let marked = |project: &crate::model::Project| {
            let folder = format!("{} ({})", phrases::project(project, current_user), escape(&project.marker));
            match phrases::checked_out(project) {
                Some(checked_out) => Some(format!("{folder}, {checked_out}")),
                None => (Some(&project.directory) != directory).then_some(folder),
            }
        };
        add("project", project.and_then(marked), None);
        add("started", first.and_then(|holder| self.started(holder)), None);
        add("parents", first.filter(|_| self.options.parents).map(ancestry), None);
        add("children", first.filter(|_| self.options.parents).and_then(children), None);
        add("holders", (listener.holders.len() > 1).then(|| self.holders()), None);
        let service = listener.service.as_deref().or_else(|| process?.service.as_ref());
        add("service", service.map(service_line), None);
        add(
            "kept for",
            listener.descriptor_store.as_ref().map(|store| store_line(store, current_user)),
            None,
        );
        let container = listener.container.as_deref().or_else(|| process?.container.as_ref());
        add("container", container.map(container_line), None);
        if let Some(unseen) = &listener.unseen {
            add(candidates_label(unseen), candidates(unseen), None);
            if unseen.reason != UnseenReason::Kernel {
                add("perhaps", phrases::kernel_sockets(&unseen.kernel), None);
            }
            add("not seen", Some(self.not_seen(unseen)), Some(TextRole::Unseen));
            add("to close", phrases::close_commands(&unseen.kernel, socket), None);
        }
        add("shared", self.shared(), None);
        let exposed = phrases::is_exposed(socket).then_some(TextRole::Exposed);
        add("reach", Some(phrases::reach(socket)), exposed);
        let other_name = !socket.other_paths.is_empty() && socket.endpoint != Endpoint::Unix { path: None };
        add("bound as", other_name.then(|| phrases::address(socket)), None);
        let is_unreachable = socket.path_leads_to == Some(PathTarget::Nothing);
        add("path", is_unreachable.then(|| phrases::NO_FILE.to_owned()), Some(TextRole::Unseen));
        add("queue", queues(self.group.iter().map(|one| &one.listener.socket)), None);
        let probed = listener.probe.is_some_and(|probe| probe.outcome != crate::model::ProbeOutcome::Accepts);
        add("probe", phrases::probe_meaning(listener), probed.then_some(TextRole::Unseen));
        add("connected", connected(self.group.iter().map(|one| &*one.listener)), None);
        add("port", socket.endpoint.port().map(|port| self.port(port)), None);
        add("note", listener.note.as_deref().map(phrases::note), None);
        lines
    }

    /// Returns what other listeners of the same address mean for peers.
    fn shared(&self) -> Option<String> {
        let own = &self.listener.socket;
        let alike = |other: &&Listener| {
            let other = &other.socket;
            other.is_listener()
                && other.protocol == own.protocol
                && other.endpoint == own.endpoint
                && other.namespace == own.namespace
                && other.dual_stack == own.dual_stack
        };
        let is_ip = own.endpoint.port().is_some() && own.is_listener() && own.state != State::Forwarded;
        let others = self.snapshot.listeners.iter().filter(alike).count().checked_sub(1).filter(|_| is_ip)?;
        let what = match others {
            0 => return None,
            1 => "1 other socket has this address and port".to_owned(),
            many => format!("{many} other sockets have this address and port"),
        };
        Some(match (&self.snapshot.os, own.protocol) {
            (System::Linux, Protocol::Tcp) => {
                format!("{what}: connections are spread over all of them (SO_REUSEPORT)")
            }
            (System::Linux, Protocol::Udp) => format!(
                "{what}: datagrams go to the last one bound (SO_REUSEADDR), or are spread (SO_REUSEPORT)"
            ),
            _ => format!("{what}; the system chooses which one answers"),
        })
    }

    /// Returns what the port number means.
    fn port(&self, port: u16) -> String {
        let automatic = self.options.automatic.as_ref();
        // Unseen holders may be any program.
        let holders = self.listener.holders.iter().filter(|_| self.listener.unseen.is_none());
        let names: Vec<&[u8]> = holders.flat_map(|holder| program_names(&holder.process)).collect();
        port_line::port_line(port, self.listener.socket.protocol, &self.snapshot.os, automatic, &names)
    }

    fn started(&self, holder: &Holder) -> Option<String> {
        let started = holder.process.started_at?;
        let ago = phrases::ago(started, self.snapshot.taken_at);
        let by = start_time::started_by(&holder.process).map_or_else(String::new, |by| format!(", {by}"));
        Some(format!("{ago} ago{by}"))
    }

    fn holders(&self) -> String {
        let holders = &self.listener.holders;
        let named = |holder: &Holder| {
            format!("{} {}", holder.process.id.pid, phrases::process_name(&holder.process.name))
        };
        let most = if self.options.width.is_some() { LONGEST_LIST } else { usize::MAX };
        let mut list: Vec<String> = holders.iter().take(most).map(named).collect();
        if holders.len() > most {
            list.push(format!("and {} more (--pids lists all)", holders.len() - most));
        }
        list.join(", ")
    }

    fn not_seen(&self, unseen: &Unseen) -> String {
        let why = match unseen.reason {
            UnseenReason::Permission => "descriptors of processes that may not be read",
            UnseenReason::HiddenProc => "processes that this /proc hides",
            UnseenReason::PidNamespace => "perhaps a process outside of this pid namespace",
            UnseenReason::Kernel => "no process has it open",
            UnseenReason::InFlight => "no descriptor table has it",
            UnseenReason::Exited => "it was gone before its name could be read",
            UnseenReason::Unknown if unseen.is_without_descriptor() => "no descriptor table has it",
            UnseenReason::Unknown => "no process was seen to have it open",
        };
        match &unseen.help {
            Some(help) if help.is_privileged_scan() => {
                format!("{why}; {} shows them", phrases::help(help))
            }
            Some(help) => format!("{why}; {}", phrases::help(help)),
            None => why.to_owned(),
        }
    }

    fn write_line(
        &self,
        label: &str,
        value: &str,
        role: Option<TextRole>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let palette = self.options.palette;
        let value = match value.char_indices().nth(LONGEST_VALUE) {
            Some((end, _)) => {
                let kept = value.get(..end).unwrap_or(value);
                format!("{kept}.. ({} more bytes; --json shows them)", value.len() - kept.len())
            }
            None => value.to_owned(),
        };
        let label = format!("{label:<LABELS$}");
        let room = match self.options.width {
            Some(width) if width > LABELS + 12 => width - LABELS - 2,
            Some(width) => {
                // Too narrow for two columns.
                writeln!(out, "{}", palette.paint(TextRole::Label, label.trim_end()))?;
                for line in wrap(&value, width.saturating_sub(2).max(1)) {
                    writeln!(out, "  {line}")?;
                }
                return Ok(());
            }
            None => usize::MAX,
        };
        for (at, line) in wrap(&value, room).into_iter().enumerate() {
            let label = if at == 0 { palette.paint(TextRole::Label, &label) } else { " ".repeat(LABELS) };
            let line = role.map_or_else(|| line.clone(), |role| palette.paint(role, &line));
            writeln!(out, "  {label}{line}")?;
        }
        Ok(())
    }
}
