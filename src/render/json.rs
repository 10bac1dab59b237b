//! JSON, schema `allears/1`: written and read back with nothing lost.
//!
//! These types are the document; they share nothing with what is shown to people. Whatever is not valid UTF-8 is
//! written with U+FFFD, and its bytes in base64 under a sibling key that ends in `_bytes`.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::text::acts_on_terminal;
use crate::{
    Candidate, Compose, Connection, Container, Endpoint, Error, ErrorKind, Evidence, Gap, Holder, Listener,
    Outcome, Parent, Probe, Process, ProcessId, Project, Protocol, Queue, Reason, Service, Snapshot, Socket,
    State, Supervisor, Text, Unseen,
};

/// The schema written, and the only one read.
pub const SCHEMA: &str = "allears/1";

#[derive(Serialize, Deserialize)]
struct Document {
    schema: String,
    host: String,
    os: String,
    taken_at: Timestamp,
    privileged: bool,
    complete: bool,
    listeners: Vec<ListenerJson>,
    gaps: Vec<GapJson>,
}

#[derive(Serialize)]
struct ListenerLine<'a> {
    schema: &'a str,
    host: &'a str,
    taken_at: Timestamp,
    #[serde(flatten)]
    listener: ListenerJson,
}

#[derive(Serialize)]
struct GapLine<'a> {
    schema: &'a str,
    host: &'a str,
    taken_at: Timestamp,
    gap: GapJson,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ListenerJson {
    protocol: String,
    family: String,
    address: Option<IpAddr>,
    port: Option<u16>,
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    interface: Option<String>,
    state: String,
    peer: Option<PeerJson>,
    dual_stack: Option<bool>,
    exposure: String,
    inode: Option<u64>,
    uid: Option<u32>,
    user: Option<String>,
    queue: Option<QueueJson>,
    namespace: Option<String>,
    service: Option<ServiceJson>,
    container: Option<ContainerJson>,
    holders: Vec<HolderJson>,
    unseen: Option<UnseenJson>,
    connections: Option<Vec<ConnectionJson>>,
    #[serde(default)]
    probe: Option<ProbeJson>,
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ProbeJson {
    outcome: String,
    milliseconds: f64,
}

#[derive(Serialize, Deserialize)]
struct PeerJson {
    address: IpAddr,
    port: u16,
}

#[derive(Serialize, Deserialize)]
struct QueueJson {
    waiting: u32,
    limit: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct ServiceJson {
    manager: String,
    name: String,
    scope: String,
    /// For socket units alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activates: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ContainerJson {
    runtime: String,
    id: String,
    name: Option<String>,
    image: Option<String>,
    port: Option<u16>,
    /// For what Compose made alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compose: Option<ComposeJson>,
}

#[derive(Serialize, Deserialize)]
struct ComposeJson {
    project: String,
    service: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct HolderJson {
    pid: u32,
    start: Option<u64>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    command: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command_bytes: Option<Vec<String>>,
    #[serde(default)]
    script: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    script_bytes: Option<String>,
    executable: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    executable_bytes: Option<String>,
    directory: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory_bytes: Option<String>,
    project: Option<ProjectJson>,
    uid: Option<u32>,
    user: Option<String>,
    started_at: Option<Timestamp>,
    descriptors: Vec<u32>,
    evidence: String,
    parents: Vec<ParentJson>,
    #[serde(default)]
    supervisor: Option<SupervisorJson>,
    service: Option<ServiceJson>,
    container: Option<ContainerJson>,
}

#[derive(Serialize, Deserialize)]
struct ProjectJson {
    directory: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory_bytes: Option<String>,
    marker: String,
    #[serde(default)]
    branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch_bytes: Option<String>,
    #[serde(default)]
    worktree: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worktree_bytes: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SupervisorJson {
    kind: String,
    pid: u32,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    #[serde(default)]
    terminal: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct ParentJson {
    pid: u32,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct UnseenJson {
    reason: String,
    help: Option<String>,
    candidates: Vec<CandidateJson>,
}

#[derive(Serialize, Deserialize)]
struct CandidateJson {
    pid: u32,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    evidence: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ConnectionJson {
    address: IpAddr,
    port: u16,
    state: String,
    clients: Vec<CandidateJson>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct GapJson {
    what: String,
    reason: String,
    count: u64,
    detail: String,
    help: Option<String>,
}

/// Writes a snapshot as one document.
///
/// # Errors
/// Those of the writer.
pub fn write(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        schema: SCHEMA.to_owned(),
        host: lossy(&snapshot.host),
        os: lossy(&snapshot.os),
        taken_at: snapshot.taken_at,
        privileged: snapshot.privileged,
        complete: snapshot.complete,
        listeners: snapshot.listeners.iter().map(ListenerJson::from).collect(),
        gaps: snapshot.gaps.iter().map(GapJson::from).collect(),
    };
    serialize(&document, Inert(serde_json::ser::PrettyFormatter::new()), out)
}

/// Writes a snapshot as a line for each listener and for each gap.
///
/// # Errors
/// Those of the writer.
pub fn write_lines(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let (host, taken_at) = (lossy(&snapshot.host), snapshot.taken_at);
    for listener in &snapshot.listeners {
        let line = ListenerLine { schema: SCHEMA, host: &host, taken_at, listener: listener.into() };
        serialize(&line, Inert(serde_json::ser::CompactFormatter), out)?;
    }
    for gap in &snapshot.gaps {
        let line = GapLine { schema: SCHEMA, host: &host, taken_at, gap: gap.into() };
        serialize(&line, Inert(serde_json::ser::CompactFormatter), out)?;
    }
    Ok(())
}

/// Writes any document, indented.
#[cfg(feature = "cli")]
pub(crate) fn write_document(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serialize(document, Inert(serde_json::ser::PrettyFormatter::new()), out)
}

fn serialize<T: Serialize, F: serde_json::ser::Formatter>(
    value: &T,
    formatter: F,
    out: &mut dyn Write,
) -> io::Result<()> {
    value
        .serialize(&mut serde_json::Serializer::with_formatter(&mut *out, formatter))
        .map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// Reads a document back.
///
/// # Errors
/// Where it is not such a document: the text names the place. A document of a newer schema is not read.
pub fn read(bytes: &[u8]) -> Result<Snapshot, Error> {
    let error = |attempted: &str| Error::new(ErrorKind::Document, attempted);
    #[derive(Deserialize)]
    struct Versioned {
        schema: Option<serde_json::Value>,
    }
    let versioned: Versioned =
        serde_json::from_slice(bytes).map_err(|source| match first_line_is_document(bytes) {
            true => error("this looks like the lines of --ndjson; save a snapshot with --json"),
            false => error("this is not a JSON document").because(source),
        })?;
    match versioned.schema.as_ref().map(|schema| schema.as_str()) {
        Some(Some(SCHEMA)) => {}
        Some(Some(other)) if other.starts_with("allears/") => {
            let attempted = format!(
                "at schema: this document is '{}', written by another version; this one reads {SCHEMA}",
                other.escape_debug()
            );
            return Err(error(&attempted));
        }
        _ => return Err(error(&format!("at schema: this document does not say that it is {SCHEMA}"))),
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let document: Document = serde_path_to_error::deserialize(&mut deserializer).map_err(|source| {
        let place = source.path().to_string();
        error(&format!("at {place}")).because(source.into_inner())
    })?;
    let mut snapshot = Snapshot {
        host: document.host.as_str().into(),
        os: document.os.as_str().into(),
        taken_at: document.taken_at,
        privileged: document.privileged,
        complete: document.complete,
        listeners: Vec::new(),
        gaps: document.gaps.iter().map(Gap::from).collect(),
        how: Vec::new(),
    };
    for (at, listener) in document.listeners.into_iter().enumerate() {
        let place =
            |Wrong(key): Wrong| error(&format!("at listeners[{at}].{key}: this value is not understood"));
        snapshot.listeners.push(Listener::try_from(listener).map_err(place)?);
    }
    snapshot.sort();
    Ok(snapshot)
}

fn first_line_is_document(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    bytes.len() > line.len() + 1
        && serde_json::from_slice::<serde_json::Value>(line).is_ok_and(|value| value.is_object())
}

/// The key of a value that is well-formed and still means nothing.
pub(crate) struct Wrong(&'static str);

fn lossy(text: &Text) -> String {
    text.to_string_lossy().into_owned()
}

fn lossy_option(text: &Option<Text>) -> Option<String> {
    text.as_ref().map(lossy)
}

/// The bytes in base64 where the text alone would lose something.
fn bytes(text: &Text) -> Option<String> {
    text.as_str().is_none().then(|| BASE64.encode(text.as_bytes()))
}

fn text(lossy: &str, bytes: Option<&String>, key: &'static str) -> Result<Text, Wrong> {
    match bytes {
        None => Ok(lossy.into()),
        Some(bytes) => BASE64.decode(bytes).map(Text::from).map_err(|_| Wrong(key)),
    }
}

fn text_option(
    lossy: &Option<String>,
    bytes: &Option<String>,
    key: &'static str,
) -> Result<Option<Text>, Wrong> {
    lossy.as_ref().map(|lossy| text(lossy, bytes.as_ref(), key)).transpose()
}

fn plain(text: &Option<String>) -> Option<Text> {
    text.as_deref().map(Text::from)
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
            queue: socket.queue.map(|queue| QueueJson { waiting: queue.waiting, limit: queue.limit }),
            namespace: lossy_option(&socket.namespace),
            service: listener.service.as_ref().map(ServiceJson::from),
            container: listener.container.as_ref().map(ContainerJson::from),
            holders: listener.holders.iter().map(HolderJson::from).collect(),
            unseen: listener.unseen.as_ref().map(UnseenJson::from),
            connections: listener
                .connections
                .as_ref()
                .map(|list| list.iter().map(ConnectionJson::from).collect()),
            probe: listener.probe.map(|probe| ProbeJson {
                outcome: probe.outcome.as_str().to_owned(),
                milliseconds: (probe.took.as_secs_f64() * 1e6).round() / 1e3,
            }),
            note: lossy_option(&listener.note),
        }
    }
}

impl TryFrom<ListenerJson> for Listener {
    type Error = Wrong;

    fn try_from(json: ListenerJson) -> Result<Self, Wrong> {
        let protocol = Protocol::parse(&json.protocol).ok_or(Wrong("protocol"))?;
        let state = State::parse(&json.state).ok_or(Wrong("state"))?;
        let endpoint = match (protocol, json.address, json.port) {
            (Protocol::Unix, ..) => {
                Endpoint::Unix { path: text_option(&json.path, &json.path_bytes, "path_bytes")? }
            }
            (_, Some(address), Some(port)) => {
                Endpoint::Ip { address, port, interface: plain(&json.interface) }
            }
            (_, None, _) => return Err(Wrong("address")),
            (_, _, None) => return Err(Wrong("port")),
        };
        let mut listener = Listener::new(Socket::new(protocol, endpoint, state));
        let socket = &mut listener.socket;
        if socket.family().as_str() != json.family {
            return Err(Wrong("family"));
        }
        socket.peer = json.peer.map(|peer| SocketAddr::new(peer.address, peer.port));
        socket.dual_stack = json.dual_stack;
        socket.inode = json.inode;
        socket.uid = json.uid;
        socket.user = plain(&json.user);
        socket.queue = json.queue.map(|queue| Queue { waiting: queue.waiting, limit: queue.limit });
        socket.namespace = plain(&json.namespace);
        listener.service = json.service.map(Service::from);
        listener.container = json.container.map(Container::from);
        listener.holders = json.holders.into_iter().map(Holder::try_from).collect::<Result<_, _>>()?;
        listener.unseen = json.unseen.map(Unseen::try_from).transpose()?;
        let connections = json.connections.map(|list| list.into_iter().map(Connection::try_from).collect());
        listener.connections = connections.transpose()?;
        listener.probe = json.probe.map(Probe::try_from).transpose()?;
        listener.note = plain(&json.note);
        Ok(listener)
    }
}

impl TryFrom<ProbeJson> for Probe {
    type Error = Wrong;

    fn try_from(json: ProbeJson) -> Result<Self, Wrong> {
        let took = Duration::try_from_secs_f64(json.milliseconds / 1e3);
        Ok(Probe {
            outcome: Outcome::parse(&json.outcome).ok_or(Wrong("probe.outcome"))?,
            took: took.map_err(|_| Wrong("probe.milliseconds"))?,
        })
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
            executable: lossy_option(&process.executable),
            executable_bytes: process.executable.as_ref().and_then(bytes),
            directory: lossy_option(&process.directory),
            directory_bytes: process.directory.as_ref().and_then(bytes),
            project: process.project.as_ref().map(|project| ProjectJson {
                directory: lossy(&project.directory),
                directory_bytes: bytes(&project.directory),
                marker: lossy(&project.marker),
                branch: lossy_option(&project.branch),
                branch_bytes: project.branch.as_ref().and_then(bytes),
                worktree: lossy_option(&project.worktree),
                worktree_bytes: project.worktree.as_ref().and_then(bytes),
            }),
            uid: process.uid,
            user: lossy_option(&process.user),
            started_at: process.started_at,
            descriptors: holder.descriptors.clone(),
            evidence: holder.evidence.as_str().to_owned(),
            parents: process.parents.iter().map(ParentJson::from).collect(),
            supervisor: process.supervisor.as_ref().map(SupervisorJson::from),
            service: process.service.as_ref().map(ServiceJson::from),
            container: process.container.as_ref().map(ContainerJson::from),
        }
    }
}

impl TryFrom<HolderJson> for Holder {
    type Error = Wrong;

    fn try_from(json: HolderJson) -> Result<Self, Wrong> {
        let command = match (&json.command, &json.command_bytes) {
            (_, Some(encoded)) => {
                let decode = |argument: &String| BASE64.decode(argument).map(Text::from);
                let decoded: Result<Vec<Text>, _> = encoded.iter().map(decode).collect();
                Some(decoded.map_err(|_| Wrong("holders.command_bytes"))?)
            }
            (command, None) => command
                .as_ref()
                .map(|command| command.iter().map(|argument| argument.as_str().into()).collect()),
        };
        let parent = |parent: ParentJson| {
            let name = text(&parent.name, parent.name_bytes.as_ref(), "holders.parents.name_bytes")?;
            Ok(Parent { pid: parent.pid, name })
        };
        let process = Process {
            id: ProcessId { pid: json.pid, start: json.start },
            name: text(&json.name, json.name_bytes.as_ref(), "holders.name_bytes")?,
            command,
            script: text_option(&json.script, &json.script_bytes, "holders.script_bytes")?,
            executable: text_option(&json.executable, &json.executable_bytes, "holders.executable_bytes")?,
            directory: text_option(&json.directory, &json.directory_bytes, "holders.directory_bytes")?,
            project: json.project.map(Project::try_from).transpose()?,
            uid: json.uid,
            user: plain(&json.user),
            started_at: json.started_at,
            parents: json.parents.into_iter().map(parent).collect::<Result<_, _>>()?,
            supervisor: json.supervisor.map(Supervisor::try_from).transpose()?,
            service: json.service.map(Service::from),
            container: json.container.map(Container::from),
        };
        let evidence = Evidence::parse(&json.evidence).ok_or(Wrong("holders.evidence"))?;
        Ok(Holder { process, descriptors: json.descriptors, evidence })
    }
}

impl TryFrom<ProjectJson> for Project {
    type Error = Wrong;

    fn try_from(json: ProjectJson) -> Result<Self, Wrong> {
        Ok(Project {
            directory: text(
                &json.directory,
                json.directory_bytes.as_ref(),
                "holders.project.directory_bytes",
            )?,
            marker: json.marker.as_str().into(),
            branch: text_option(&json.branch, &json.branch_bytes, "holders.project.branch_bytes")?,
            worktree: text_option(&json.worktree, &json.worktree_bytes, "holders.project.worktree_bytes")?,
        })
    }
}

impl From<&Parent> for ParentJson {
    fn from(parent: &Parent) -> Self {
        ParentJson { pid: parent.pid, name: lossy(&parent.name), name_bytes: bytes(&parent.name) }
    }
}

impl From<&Supervisor> for SupervisorJson {
    fn from(supervisor: &Supervisor) -> Self {
        SupervisorJson {
            kind: lossy(&supervisor.kind),
            pid: supervisor.pid,
            name: lossy(&supervisor.name),
            name_bytes: bytes(&supervisor.name),
            terminal: supervisor.terminal,
        }
    }
}

impl TryFrom<SupervisorJson> for Supervisor {
    type Error = Wrong;

    fn try_from(json: SupervisorJson) -> Result<Self, Wrong> {
        let name = text(&json.name, json.name_bytes.as_ref(), "holders.supervisor.name_bytes")?;
        Ok(Supervisor { kind: json.kind.as_str().into(), pid: json.pid, name, terminal: json.terminal })
    }
}

impl From<&Service> for ServiceJson {
    fn from(service: &Service) -> Self {
        ServiceJson {
            manager: lossy(&service.manager),
            name: lossy(&service.name),
            scope: lossy(&service.scope),
            activates: lossy_option(&service.activates),
        }
    }
}

impl From<ServiceJson> for Service {
    fn from(json: ServiceJson) -> Self {
        Service {
            manager: json.manager.as_str().into(),
            name: json.name.as_str().into(),
            scope: json.scope.as_str().into(),
            activates: plain(&json.activates),
        }
    }
}

impl From<&Container> for ContainerJson {
    fn from(container: &Container) -> Self {
        ContainerJson {
            runtime: lossy(&container.runtime),
            id: lossy(&container.id),
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

impl From<ContainerJson> for Container {
    fn from(json: ContainerJson) -> Self {
        Container {
            runtime: json.runtime.as_str().into(),
            id: json.id.as_str().into(),
            name: plain(&json.name),
            image: plain(&json.image),
            port: json.port,
            compose: json.compose.map(|compose| Compose {
                project: compose.project.as_str().into(),
                service: plain(&compose.service),
            }),
        }
    }
}

impl From<&Unseen> for UnseenJson {
    fn from(unseen: &Unseen) -> Self {
        UnseenJson {
            reason: unseen.reason.as_str().to_owned(),
            help: lossy_option(&unseen.help),
            candidates: unseen.candidates.iter().map(CandidateJson::from).collect(),
        }
    }
}

impl TryFrom<UnseenJson> for Unseen {
    type Error = Wrong;

    fn try_from(json: UnseenJson) -> Result<Self, Wrong> {
        Ok(Unseen {
            reason: Reason::parse(&json.reason).ok_or(Wrong("unseen.reason"))?,
            help: plain(&json.help),
            candidates: json.candidates.into_iter().map(Candidate::try_from).collect::<Result<_, _>>()?,
        })
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

impl TryFrom<CandidateJson> for Candidate {
    type Error = Wrong;

    fn try_from(json: CandidateJson) -> Result<Self, Wrong> {
        Ok(Candidate {
            pid: json.pid,
            name: text(&json.name, json.name_bytes.as_ref(), "candidates.name_bytes")?,
            evidence: Evidence::parse(&json.evidence).ok_or(Wrong("candidates.evidence"))?,
        })
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

impl TryFrom<ConnectionJson> for Connection {
    type Error = Wrong;

    fn try_from(json: ConnectionJson) -> Result<Self, Wrong> {
        Ok(Connection {
            peer: SocketAddr::new(json.address, json.port),
            state: State::parse(&json.state).ok_or(Wrong("connections.state"))?,
            clients: json.clients.into_iter().map(Candidate::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Gap> for GapJson {
    fn from(gap: &Gap) -> Self {
        GapJson {
            what: lossy(&gap.what),
            reason: lossy(&gap.reason),
            count: gap.count,
            detail: lossy(&gap.detail),
            help: lossy_option(&gap.help),
        }
    }
}

impl From<&GapJson> for Gap {
    fn from(json: &GapJson) -> Self {
        Gap {
            what: json.what.as_str().into(),
            reason: json.reason.as_str().into(),
            count: json.count,
            detail: json.detail.as_str().into(),
            help: plain(&json.help),
        }
    }
}

/// A formatter that also escapes what JSON allows and a terminal acts on: DEL, C1 controls, bidi marks and the
/// other invisible characters. The document's meaning stays the same.
struct Inert<F>(F);

impl<F: serde_json::ser::Formatter> serde_json::ser::Formatter for Inert<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(acts_on_terminal) {
            let (before, after) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            let mut characters = after.chars();
            if let Some(character) = characters.next() {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn process(name: Vec<u8>, command: Option<Vec<Vec<u8>>>) -> Process {
        Process {
            id: ProcessId { pid: 4121, start: Some(7) },
            name: name.into(),
            command: command.map(|command| command.into_iter().map(Text::from).collect()),
            script: Some(vec![0xfe, b'v'].into()),
            executable: Some("/usr/bin/node".into()),
            directory: None,
            project: Some(Project {
                directory: vec![b'/', 0xff].into(),
                marker: ".git".into(),
                branch: Some(vec![0xfe, b'b'].into()),
                worktree: Some(vec![0xfd, b'w'].into()),
            }),
            uid: Some(70000),
            user: Some("dev".into()),
            started_at: Timestamp::from_second(1_000_000).ok(),
            parents: vec![Parent { pid: 1, name: vec![0xff].into() }],
            supervisor: Some(Supervisor {
                kind: "tmux".into(),
                pid: 1,
                name: vec![0xff].into(),
                terminal: Some(true),
            }),
            service: Some(Service {
                manager: "systemd".into(),
                name: "x.service".into(),
                scope: "user".into(),
                activates: Some("y.service".into()),
            }),
            container: Some(Container {
                runtime: "docker".into(),
                id: "4f1d".into(),
                name: Some("web-1".into()),
                image: Some("web:3".into()),
                port: Some(80),
                compose: Some(Compose { project: "shop".into(), service: Some("web".into()) }),
            }),
        }
    }

    fn snapshot(name: Vec<u8>, command: Option<Vec<Vec<u8>>>) -> Snapshot {
        let endpoint =
            Endpoint::Ip { address: "fe80::1".parse().unwrap(), port: 80, interface: Some("eth0".into()) };
        let mut listener = Listener::new(Socket::new(Protocol::Tcp, endpoint, State::Listen));
        listener.socket.inode = Some(9);
        listener.socket.queue = Some(Queue { waiting: 1, limit: None });
        let process = process(name.clone(), command);
        listener.holders.push(Holder { process, descriptors: vec![3, 19], evidence: Evidence::Descriptor });
        let candidates = vec![Candidate { pid: 8, name: name.clone().into(), evidence: Evidence::Cgroup }];
        listener.unseen = Some(Unseen {
            reason: Reason::HiddenProc,
            help: Some("h".into()),
            candidates: candidates.clone(),
        });
        let peer = "192.0.2.1:999".parse().unwrap();
        listener.connections = Some(vec![Connection { peer, state: State::TimeWait, clients: candidates }]);
        let unix = Socket::new(Protocol::Unix, Endpoint::Unix { path: Some(name.into()) }, State::Listen);
        Snapshot {
            host: "h".into(),
            os: "linux".into(),
            taken_at: Timestamp::from_second(2_000_000).unwrap(),
            privileged: false,
            complete: true,
            listeners: vec![listener, Listener::new(unix)],
            gaps: vec![Gap::new("descriptors", "permission", 3, "three", Some("sudo"))],
            how: Vec::new(),
        }
    }

    fn written(snapshot: &Snapshot) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(snapshot, &mut bytes).unwrap();
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            name in proptest::collection::vec(any::<u8>(), 0..20),
            command in proptest::option::of(proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..4)),
        ) {
            let snapshot = snapshot(name, command);
            prop_assert_eq!(read(&written(&snapshot)).unwrap(), snapshot);
        }

        #[test]
        fn nothing_in_it_acts_on_a_terminal(name in "\\PC*|[\u{0}-\u{a0}]*|[\u{2000}-\u{206f}]*|[\u{e0000}-\u{e00ff}]*") {
            let bytes = written(&snapshot(name.into_bytes(), None));
            let text = String::from_utf8(bytes).unwrap();
            prop_assert!(!text.replace('\n', "").contains(acts_on_terminal));
        }

        #[test]
        fn damage_is_an_error_and_never_a_fall(at in 0usize..2000, byte in any::<u8>()) {
            let mut bytes = written(&snapshot(b"node".to_vec(), None));
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = read(&bytes);
            bytes.truncate(at);
            prop_assert!(read(&bytes).is_err());
        }
    }

    #[test]
    fn the_place_of_a_fault_is_named() {
        let good = String::from_utf8(written(&snapshot(b"node".to_vec(), None))).unwrap();
        for (from, to, place) in [
            ("\"port\": 80", "\"port\": \"x\"", "listeners[0].port"),
            ("\"protocol\": \"tcp\"", "\"protocol\": \"tpc\"", "listeners[0].protocol"),
            ("allears/1", "allears/2", "schema"),
            ("allears/1", "other", "schema"),
            ("\"evidence\": \"descriptor\"", "\"evidence\": \"hearsay\"", "holders.evidence"),
        ] {
            let error = read(good.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(error.to_string().contains(place), "{error}");
            assert_eq!(error.kind(), ErrorKind::Document);
        }
        assert!(read(b"{}").unwrap_err().to_string().contains("schema"));
        assert!(read(b"").is_err());
    }

    #[test]
    fn lines_are_not_a_document() {
        let mut lines = Vec::new();
        write_lines(&snapshot(b"node".to_vec(), None), &mut lines).unwrap();
        assert_eq!(lines.split(|byte| *byte == b'\n').count(), 4, "two listeners, a gap, and the end");
        assert!(read(&lines).unwrap_err().to_string().contains("--ndjson"));
    }
}
