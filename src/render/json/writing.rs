//! The document written: whole, or as lines.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::asked::AskedJson;
use super::escaping_formatter::EscapingFormatter;
use super::{
    CandidateJson, ComposeJson, ConditionJson, ConnectionJson, ContainerJson, DescriptorStoreJson,
    FreezerJson, GapJson, GapLine, HolderJson, KernelSocketJson, ListenerJson, ListenerLine, PathJson,
    PeerJson, ProbeJson, ProjectJson, QueueJson, RelatedProcessJson, SCHEMA, ServiceJson, SupervisorJson,
    UnseenJson, UserNamespaceJson, UserRangeJson, WrittenDocument,
};
use crate::model::{
    Candidate, Condition, Connection, Container, Endpoint, Gap, GitHead, Holder, KernelSocket, Listener,
    RelatedProcess, Service, Snapshot, Supervisor, Text, UnixPath, Unseen, UserNamespace,
};

/// Writes a snapshot as one document.
///
/// # Errors
/// Those of the writer.
pub fn write(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let document = WrittenDocument {
        schema: SCHEMA,
        host: lossy(&snapshot.host),
        os: snapshot.os.to_string(),
        taken_at: snapshot.taken_at,
        privileged: snapshot.privileged,
        user_namespace: snapshot.user_namespace.as_ref().map(UserNamespaceJson::from),
        complete: snapshot.complete,
        asked: snapshot.selections.as_ref().map(|asked| asked.iter().map(AskedJson::from).collect()),
        listeners: EachListener(&snapshot.listeners),
        paths: snapshot.paths.iter().map(PathJson::from).collect(),
        gaps: snapshot.gaps.iter().map(GapJson::from).collect(),
    };
    serialize(&document, EscapingFormatter(PrettyFormatter::new()), out)
}

/// Listeners, each of which is converted when it is written.
pub(super) struct EachListener<'a>(&'a [Listener]);

impl Serialize for EachListener<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ListenerJson::from))
    }
}

/// Writes a snapshot as a line for each listener and for each gap.
///
/// # Errors
/// Those of the writer.
pub fn write_lines(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let (host, taken_at) = (lossy(&snapshot.host), snapshot.taken_at);
    for listener in &snapshot.listeners {
        let line = ListenerLine { schema: SCHEMA, host: &host, taken_at, listener: listener.into() };
        serialize(&line, EscapingFormatter(CompactFormatter), out)?;
    }
    snapshot.gaps.iter().try_for_each(|gap| write_gap(gap, snapshot, out))
}

/// Writes the line of a gap of a snapshot, or of one found later.
pub(crate) fn write_gap(gap: &Gap, snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let (host, taken_at) = (lossy(&snapshot.host), snapshot.taken_at);
    let line = GapLine { schema: SCHEMA, host: &host, taken_at, gap: gap.into() };
    serialize(&line, EscapingFormatter(CompactFormatter), out)
}

/// Writes any document, indented.
#[cfg(feature = "cli")]
pub(crate) fn write_document(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serialize(document, EscapingFormatter(PrettyFormatter::new()), out)
}

/// Writes any document in one line.
#[cfg(feature = "cli")]
pub(crate) fn write_line(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serialize(document, EscapingFormatter(CompactFormatter), out)
}

fn serialize<T: Serialize, F: Formatter>(value: &T, formatter: F, out: &mut dyn Write) -> io::Result<()> {
    value
        .serialize(&mut serde_json::Serializer::with_formatter(&mut *out, formatter))
        .map_err(io::Error::from)?;
    out.write_all(b"\n")
}

fn lossy(text: &Text) -> String {
    text.to_string_lossy().into_owned()
}

fn lossy_option(text: &Option<Text>) -> Option<String> {
    text.as_ref().map(lossy)
}

/// Returns the bytes in base64, if the text is not valid UTF-8.
fn bytes(text: &Text) -> Option<String> {
    text.as_str().is_none().then(|| BASE64.encode(text.as_bytes()))
}

impl From<&UserNamespace> for UserNamespaceJson {
    fn from(namespace: &UserNamespace) -> Self {
        let range = |range: &crate::model::UserRange| UserRangeJson {
            first: range.first,
            outside: range.outside,
            count: range.count,
        };
        UserNamespaceJson { id: namespace.id, users: namespace.users.iter().map(range).collect() }
    }
}

impl From<&Listener> for ListenerJson {
    fn from(listener: &Listener) -> Self {
        let socket = &listener.socket;
        let (path, interface) = match &socket.endpoint {
            Endpoint::Unix { path } => (path.as_ref(), None),
            Endpoint::Ip { interface, .. } => (None, interface.as_ref()),
        };
        ListenerJson {
            protocol: socket.protocol.as_str().to_owned(),
            family: socket.family().as_str().to_owned(),
            address: socket.endpoint.address(),
            port: socket.endpoint.port(),
            path: path.map(lossy),
            path_bytes: path.and_then(bytes),
            interface: interface.map(lossy),
            state: socket.state.as_str().to_owned(),
            peer: socket.peer.map(|peer| PeerJson { address: peer.ip(), port: peer.port() }),
            dual_stack: socket.dual_stack,
            exposure: socket.exposure().as_str().to_owned(),
            inode: socket.inode,
            uid: socket.uid,
            user: lossy_option(&socket.user),
            user_unknown: socket.unknown_user.map(|reason| reason.as_str().to_owned()),
            queue: socket.queue.map(|queue| QueueJson { waiting: queue.waiting, limit: queue.limit }),
            namespace: lossy_option(&socket.namespace),
            other_paths: socket.other_paths.iter().map(lossy).collect(),
            path_leads_to: socket.path_leads_to.map(|target| target.as_str().to_owned()),
            service: listener.service.as_deref().map(ServiceJson::from),
            container: listener.container.as_deref().map(ContainerJson::from),
            descriptor_store: listener.descriptor_store.as_ref().map(|store| DescriptorStoreJson {
                unit: ServiceJson::from(&store.unit),
                active: store.active,
                preserved: store.preserved,
            }),
            holders: listener.holders.iter().map(HolderJson::from).collect(),
            unseen: listener.unseen.as_deref().map(UnseenJson::from),
            connections: listener
                .connections
                .as_ref()
                .map(|list| list.iter().map(ConnectionJson::from).collect()),
            probe: listener.probe.map(|probe| ProbeJson {
                outcome: probe.outcome.as_str().to_owned(),
                milliseconds: (probe.took.as_secs_f64() * 1e6).round() / 1e3,
            }),
            note: listener.note.as_ref().map(ToString::to_string),
        }
    }
}

impl From<&UnixPath> for PathJson {
    fn from(path: &UnixPath) -> Self {
        PathJson {
            path: lossy(&path.path),
            path_bytes: bytes(&path.path),
            holds: path.holds.as_str().to_owned(),
        }
    }
}

impl From<&Holder> for HolderJson {
    fn from(holder: &Holder) -> Self {
        let process = &holder.process;
        let command = process.command.as_ref();
        let valid = command.is_none_or(|command| command.iter().all(|argument| argument.as_str().is_some()));
        let encode =
            |command: &Vec<Text>| command.iter().map(|argument| BASE64.encode(argument.as_bytes())).collect();
        HolderJson {
            pid: process.id.pid,
            start: process.id.start,
            name: lossy(&process.name),
            name_bytes: bytes(&process.name),
            command: command.map(|command| command.iter().map(lossy).collect()),
            command_bytes: if valid { None } else { command.map(encode) },
            script: lossy_option(&process.script),
            script_bytes: process.script.as_ref().and_then(bytes),
            script_change: process.script_change.map(|change| change.as_str().to_owned()),
            executable_change: process.executable_change.map(|change| change.as_str().to_owned()),
            executable: lossy_option(&process.executable),
            executable_bytes: process.executable.as_ref().and_then(bytes),
            directory: lossy_option(&process.directory),
            directory_bytes: process.directory.as_ref().and_then(bytes),
            project: process.project.as_ref().map(|project| ProjectJson {
                directory: lossy(&project.directory),
                directory_bytes: bytes(&project.directory),
                marker: lossy(&project.marker),
                branch: lossy_option(&project.head.as_ref().map(GitHead::to_text)),
                branch_bytes: project.head.as_ref().and_then(|head| bytes(&head.to_text())),
                worktree: lossy_option(&project.worktree),
                worktree_bytes: project.worktree.as_ref().and_then(bytes),
            }),
            uid: process.uid,
            user: lossy_option(&process.user),
            user_unknown: process.unknown_user.map(|reason| reason.as_str().to_owned()),
            started_at: process.started_at,
            descriptors: holder.descriptors.clone(),
            evidence: holder.evidence.as_str().to_owned(),
            parents: process.parents.iter().map(RelatedProcessJson::from).collect(),
            children: process.children.as_ref().map(|all| all.iter().map(RelatedProcessJson::from).collect()),
            supervisor: process.supervisor.as_ref().map(SupervisorJson::from),
            service: process.service.as_ref().map(ServiceJson::from),
            container: process.container.as_ref().map(ContainerJson::from),
            condition: process.condition.as_ref().map(ConditionJson::from),
        }
    }
}

impl From<&Condition> for ConditionJson {
    fn from(condition: &Condition) -> Self {
        let (shell, tracer, freezer) = match condition {
            Condition::Stopped { shell } => (shell.as_ref(), None, None),
            Condition::Traced { tracer } => (None, tracer.as_ref(), None),
            Condition::Frozen(freezer) => (None, None, Some(freezer)),
        };
        ConditionJson {
            state: condition.as_str().to_owned(),
            shell: shell.map(RelatedProcessJson::from),
            tracer: tracer.map(RelatedProcessJson::from),
            freezer: freezer.map(|freezer| FreezerJson {
                version: freezer.version,
                cgroup: lossy(&freezer.cgroup),
                cgroup_bytes: bytes(&freezer.cgroup),
                control: lossy_option(&freezer.control),
                control_bytes: freezer.control.as_ref().and_then(bytes),
                scope: freezer.scope.map(|scope| scope.as_str().to_owned()),
            }),
        }
    }
}

impl From<&RelatedProcess> for RelatedProcessJson {
    fn from(parent: &RelatedProcess) -> Self {
        RelatedProcessJson { pid: parent.pid, name: lossy(&parent.name), name_bytes: bytes(&parent.name) }
    }
}

impl From<&Supervisor> for SupervisorJson {
    fn from(supervisor: &Supervisor) -> Self {
        SupervisorJson {
            kind: supervisor.kind.to_string(),
            pid: supervisor.pid,
            name: lossy(&supervisor.name),
            name_bytes: bytes(&supervisor.name),
            terminal: supervisor.terminal,
        }
    }
}

impl From<&Service> for ServiceJson {
    fn from(service: &Service) -> Self {
        ServiceJson {
            manager: service.manager.to_string(),
            name: lossy(&service.name),
            scope: service.scope.to_string(),
            uid: service.uid,
            activates: lossy_option(&service.activates),
        }
    }
}

impl From<&Container> for ContainerJson {
    fn from(container: &Container) -> Self {
        ContainerJson {
            runtime: container.runtime.to_string(),
            id: lossy(&container.id),
            uid: container.uid,
            name: lossy_option(&container.name),
            image: lossy_option(&container.image),
            port: container.port,
            compose: container.compose.as_ref().map(|compose| ComposeJson {
                project: lossy(&compose.project),
                service: lossy_option(&compose.service),
            }),
        }
    }
}

impl From<&Unseen> for UnseenJson {
    fn from(unseen: &Unseen) -> Self {
        UnseenJson {
            reason: unseen.reason.as_str().to_owned(),
            help: unseen.help.as_ref().map(ToString::to_string),
            candidates: unseen.candidates.iter().map(CandidateJson::from).collect(),
            kernel: unseen.kernel.iter().map(KernelSocketJson::from).collect(),
        }
    }
}

impl From<&KernelSocket> for KernelSocketJson {
    fn from(kernel: &KernelSocket) -> Self {
        KernelSocketJson {
            kind: kernel.kind.as_str().to_owned(),
            interface: lossy_option(&kernel.interface),
            interface_bytes: kernel.interface.as_ref().and_then(bytes),
            id: kernel.id,
            namespace: lossy_option(&kernel.namespace),
        }
    }
}

impl From<&Candidate> for CandidateJson {
    fn from(candidate: &Candidate) -> Self {
        CandidateJson {
            pid: candidate.pid,
            name: lossy(&candidate.name),
            name_bytes: bytes(&candidate.name),
            evidence: candidate.evidence.as_str().to_owned(),
        }
    }
}

impl From<&Connection> for ConnectionJson {
    fn from(connection: &Connection) -> Self {
        ConnectionJson {
            address: connection.peer.ip(),
            port: connection.peer.port(),
            state: connection.state.as_str().to_owned(),
            clients: connection.clients.iter().map(CandidateJson::from).collect(),
        }
    }
}

impl From<&Gap> for GapJson {
    fn from(gap: &Gap) -> Self {
        GapJson {
            what: gap.what.to_string(),
            reason: gap.reason.to_string(),
            count: gap.count,
            detail: gap.to_string(),
            help: gap.help.as_ref().map(ToString::to_string),
        }
    }
}
