//! The columns of table and CSV: names, headings and values.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::escape::{command_line, escape};
use crate::model::{GitHead, Holder, Listener, Text};

/// A column of the table and of CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    Port,
    Protocol,
    Family,
    Address,
    Path,
    Interface,
    State,
    Peer,
    DualStack,
    Exposure,
    Inode,
    SocketUid,
    SocketUser,
    Waiting,
    Limit,
    Namespace,
    Process,
    Pid,
    User,
    Uid,
    Command,
    Executable,
    Directory,
    Project,
    Branch,
    Script,
    Started,
    Age,
    Descriptors,
    Evidence,
    Parents,
    Service,
    Container,
    Unseen,
    Probe,
    Connected,
    Note,
    Url,
    What,
}

impl Column {
    /// Every column with its name, in the order of CSV.
    pub(crate) const NAMES: [(Column, &'static str); 39] = [
        (Column::Protocol, "protocol"),
        (Column::Family, "family"),
        (Column::Address, "address"),
        (Column::Port, "port"),
        (Column::Path, "path"),
        (Column::Interface, "interface"),
        (Column::State, "state"),
        (Column::Peer, "peer"),
        (Column::DualStack, "dual_stack"),
        (Column::Exposure, "exposure"),
        (Column::Inode, "inode"),
        (Column::SocketUid, "socket_uid"),
        (Column::SocketUser, "socket_user"),
        (Column::Waiting, "waiting"),
        (Column::Limit, "limit"),
        (Column::Namespace, "namespace"),
        (Column::Service, "service"),
        (Column::Container, "container"),
        (Column::Pid, "pid"),
        (Column::Process, "process"),
        (Column::Command, "command"),
        (Column::Executable, "executable"),
        (Column::Directory, "directory"),
        (Column::Project, "project"),
        (Column::Uid, "uid"),
        (Column::User, "user"),
        (Column::Started, "started"),
        (Column::Descriptors, "descriptors"),
        (Column::Evidence, "evidence"),
        (Column::Parents, "parents"),
        (Column::Unseen, "unseen"),
        (Column::Probe, "probe"),
        (Column::Connected, "connected"),
        (Column::Note, "note"),
        (Column::Script, "script"),
        (Column::Branch, "branch"),
        (Column::What, "what"),
        (Column::Age, "age"),
        (Column::Url, "url"),
    ];

    /// Returns the column's name.
    pub(crate) fn name(self) -> &'static str {
        Column::NAMES.iter().find(|(column, _)| *column == self).map_or("", |(_, name)| name)
    }

    /// Returns what the column contains, in a few words.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Column::Port => "port number",
            Column::Protocol => "tcp, udp, unix, sctp, dccp or udplite",
            Column::Family => "ipv4, ipv6 or unix",
            Column::Address => "address that the socket is bound to",
            Column::Path => "path of a Unix socket",
            Column::Interface => "network interface that the socket is bound to",
            Column::State => "listen, bound, forwarded; with --all those of connections",
            Column::Peer => "address and port of the other end, with --all",
            Column::DualStack => "whether an IPv6 socket also accepts IPv4",
            Column::Exposure => "loopback, all, address or local",
            Column::Inode => "number of the socket in the kernel",
            Column::SocketUid => "uid of the user who opened the socket",
            Column::SocketUser => "name of the user who opened the socket",
            Column::Waiting => "connections that wait to be accepted",
            Column::Limit => "most connections that can wait",
            Column::Namespace => "network namespace, if it is another one",
            Column::Process => "name of the process",
            Column::Pid => "process id",
            Column::User => "name of the process's user",
            Column::Uid => "uid of the process's user",
            Column::Command => "command line",
            Column::Executable => "program file",
            Column::Directory => "working directory",
            Column::Project => "folder of the project",
            Column::Branch => "branch or commit that git has checked out in the project",
            Column::Script => "what an interpreter runs",
            Column::Started => "start time",
            Column::Age => "time since the start; CSV: in seconds",
            Column::Descriptors => "numbers of the process's descriptors of the socket",
            Column::Evidence => "how the holder is known",
            Column::Parents => "parent; with --parents all ancestors",
            Column::Service => "service that the socket or the process belongs to",
            Column::Container => "container that the socket or the process belongs to",
            Column::Unseen => "why a holder could not be seen",
            Column::Probe => "whether it accepts, with --probe",
            Column::Connected => "connections, with --connections",
            Column::Note => "something surprising",
            Column::Url => "address for a browser on this machine",
            Column::What => "service, container or project, and what runs in it",
        }
    }

    /// Returns whether CSV has the column by default. A column that is added here is not: programs read CSV by position.
    pub(crate) fn is_in_default_csv(self) -> bool {
        !matches!(self, Column::What | Column::Script | Column::Branch | Column::Age | Column::Url)
    }

    /// Returns the heading in a table.
    pub(crate) fn heading(self) -> String {
        match self {
            Column::Protocol => "PROTO".to_owned(),
            column => column.name().replace('_', " ").to_uppercase(),
        }
    }

    /// Returns the exact value for one holder of a listener in a snapshot of the time `at`. Empty if there is none, or if
    /// it is unknown.
    pub(crate) fn value(self, listener: &Listener, holder: Option<&Holder>, at: Timestamp) -> String {
        let socket = &listener.socket;
        let process = holder.map(|holder| &*holder.process);
        let text = |text: Option<&Text>| text.map(escape);
        let number = |number: Option<u32>| number.map(|number| number.to_string());
        let value = match self {
            Column::Port => socket.endpoint.port().map(|port| port.to_string()),
            Column::Protocol => Some(socket.protocol.as_str().to_owned()),
            Column::Family => Some(socket.family().as_str().to_owned()),
            Column::Address => socket.endpoint.address().map(|address| address.to_string()),
            Column::Path => match &socket.endpoint {
                crate::model::Endpoint::Unix { path } => text(path.as_ref()),
                crate::model::Endpoint::Ip { .. } => None,
            },
            Column::Interface => match &socket.endpoint {
                crate::model::Endpoint::Ip { interface, .. } => text(interface.as_ref()),
                crate::model::Endpoint::Unix { .. } => None,
            },
            Column::State => Some(socket.state.as_str().to_owned()),
            Column::Peer => socket.peer.map(|peer| peer.to_string()),
            Column::DualStack => socket.dual_stack.map(|dual| dual.to_string()),
            Column::Exposure => Some(socket.exposure().as_str().to_owned()),
            Column::Inode => socket.inode.map(|inode| inode.to_string()),
            Column::SocketUid => number(socket.uid),
            Column::SocketUser => text(socket.user.as_ref()),
            Column::Waiting => socket.queue.map(|queue| queue.waiting.to_string()),
            Column::Limit => number(socket.queue.and_then(|queue| queue.limit)),
            Column::Namespace => text(socket.namespace.as_ref()),
            Column::Process => text(process.map(|process| &process.name)),
            Column::Pid => process.map(|process| process.id.pid.to_string()),
            Column::User => text(process.and_then(|process| process.user.as_ref())),
            Column::Uid => number(process.and_then(|process| process.uid)),
            Column::Command => process.and_then(|process| process.command.as_deref()).map(command_line),
            Column::Executable => text(process.and_then(|process| process.executable.as_ref())),
            Column::Directory => text(process.and_then(|process| process.directory.as_ref())),
            Column::Project => {
                process.and_then(|process| text(process.project.as_ref().map(|it| &it.directory)))
            }
            Column::Branch => process.and_then(|process| {
                text(process.project.as_ref()?.head.as_ref().map(GitHead::to_text).as_ref())
            }),
            Column::Script => text(process.and_then(|process| process.script.as_ref())),
            Column::Started => process.and_then(|process| process.started_at).map(|at| at.to_string()),
            Column::Age => process.and_then(|process| process.started_at).map(|started| {
                let seconds = at.as_second().saturating_sub(started.as_second());
                seconds.max(0).to_string()
            }),
            Column::Url => super::browser_url::browser_url(listener),
            Column::Descriptors => holder.map(|holder| {
                let numbers: Vec<String> = holder.descriptors.iter().map(u32::to_string).collect();
                numbers.join(" ")
            }),
            Column::Evidence => holder.map(|holder| holder.evidence.as_str().to_owned()),
            Column::Parents => process.map(|process| {
                let names: Vec<String> = process
                    .parents
                    .iter()
                    .map(|parent| format!("{} ({})", escape(&parent.name), parent.pid))
                    .collect();
                names.join(" < ")
            }),
            Column::Service => {
                let service = listener.service.as_deref().or_else(|| process?.service.as_ref());
                text(service.map(|service| &service.name))
            }
            Column::Container => {
                let container = listener.container.as_deref().or_else(|| process?.container.as_ref());
                text(container.map(|container| container.name.as_ref().unwrap_or(&container.id)))
            }
            Column::Unseen => listener.unseen.as_deref().map(|unseen| unseen.reason.as_str().to_owned()),
            Column::Connected => listener.connections.as_ref().map(|connections| {
                let list: Vec<String> = connections.iter().map(crate::render::phrases::connection).collect();
                list.join("; ")
            }),
            Column::Probe => listener.probe.as_ref().map(crate::render::phrases::probe),
            Column::Note => listener.note.as_deref().map(crate::render::phrases::note),
            Column::What => Some(crate::render::phrases::description(
                listener,
                &crate::render::current_user::CurrentUser::default(),
            )),
        };
        value.unwrap_or_default()
    }
}

impl FromStr for Column {
    type Err = UnknownColumn;

    fn from_str(name: &str) -> Result<Column, UnknownColumn> {
        let wanted = match name.to_ascii_lowercase().as_str() {
            "proto" => "protocol".to_owned(),
            "name" => "process".to_owned(),
            other => other.replace('-', "_"),
        };
        Column::NAMES
            .iter()
            .find(|(_, known)| *known == wanted)
            .map(|(column, _)| *column)
            .ok_or_else(|| UnknownColumn(name.to_owned()))
    }
}

/// An unknown column name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnknownColumn(String);

impl fmt::Display for UnknownColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Column::NAMES.iter().map(|(_, name)| *name).collect();
        write!(f, "unknown column '{}'; the columns are {}", self.0.escape_debug(), names.join(", "))
    }
}

impl std::error::Error for UnknownColumn {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_found_by_its_name() {
        for (column, name) in Column::NAMES {
            assert_eq!(name.parse(), Ok(column));
            assert_eq!(column.name(), name);
            assert!(!column.description().is_empty());
        }
        assert_eq!("dual-stack".parse(), Ok(Column::DualStack));
        assert!("nosuch".parse::<Column>().unwrap_err().to_string().contains("'nosuch'"));
    }
}
