//! Reads a document back, or names the key that is invalid.

mod holder;
#[cfg(feature = "cli")]
pub(crate) mod long_document;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use super::{
    CandidateJson, ConnectionJson, ContainerJson, Document, GapJson, KernelSocketJson, ListenerJson,
    PathJson, ProbeJson, SCHEMA, ServiceJson, UnseenJson, UserNamespaceJson,
};
use crate::model::Selection;
use crate::model::{
    AcceptQueue, Candidate, Compose, Connection, Container, DescriptorStore, Endpoint, Error, ErrorKind,
    Evidence, FileChange, Gap, GapDetail, Help, Holder, KernelSocket, KernelSocketKind, Listener, Note,
    PathContent, PathTarget, Probe, ProbeOutcome, Process, ProcessId, Protocol, Service, Shared, Snapshot,
    Socket, Sources, State, Text, UnixPath, UnknownUser, Unseen, UnseenReason, UserNamespace, UserRange,
};

/// Reads a document back.
///
/// # Errors
/// If it is not such a document: the text names the place. A document of a newer schema is not read.
pub fn read(bytes: &[u8]) -> Result<Snapshot, Error> {
    match read_valid(bytes) {
        Some(snapshot) => Ok(snapshot),
        None => read_and_explain(bytes),
    }
}

fn read_valid(bytes: &[u8]) -> Option<Snapshot> {
    snapshot_of(serde_json::from_slice(bytes).ok()?)
}

/// Converts a document of this schema.
fn snapshot_of(document: Document) -> Option<Snapshot> {
    match document.schema.as_deref() {
        Some(SCHEMA) => snapshot(document).ok(),
        _ => None,
    }
}

/// Reads a document in a slower way that finds the place of an error.
fn read_and_explain(bytes: &[u8]) -> Result<Snapshot, Error> {
    #[derive(Deserialize)]
    struct Versioned {
        schema: Option<serde_json::Value>,
    }
    let versioned: Versioned =
        serde_json::from_slice(bytes).map_err(|source| match first_line_is_document(bytes) {
            true => {
                let mut lines = error("this is a document on each line, and not one document");
                lines.help = Some(Help::OneDocument);
                lines
            }
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
        _ => return Err(error(&format!("at schema: this document has no schema {SCHEMA}"))),
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let document: Document = serde_path_to_error::deserialize(&mut deserializer).map_err(|source| {
        let place = source.path().to_string();
        error(&format!("at {place}")).because(source.into_inner())
    })?;
    snapshot(document)
}

fn error(attempted: &str) -> Error {
    Error::new(ErrorKind::Document, attempted)
}

/// Converts a document.
///
/// # Errors
/// If a value is well-formed and means nothing: the text names its key.
fn snapshot(document: Document) -> Result<Snapshot, Error> {
    let invalid = |list: &str, at: usize, InvalidValue(key): InvalidValue| {
        error(&format!("at {list}[{at}].{key}: invalid value"))
    };
    let mut asked = None;
    for (at, question) in document.asked.into_iter().flatten().enumerate() {
        let question = Selection::try_from(question).map_err(|value| invalid("asked", at, value))?;
        asked.get_or_insert_with(Vec::new).push(question);
    }
    let mut paths = Vec::new();
    for (at, path) in document.paths.into_iter().enumerate() {
        paths.push(UnixPath::try_from(path).map_err(|value| invalid("paths", at, value))?);
    }
    if let Some((at, value)) = document.listeners.invalid {
        return Err(invalid("listeners", at, value));
    }
    let mut snapshot = Snapshot {
        host: document.host.as_str().into(),
        os: document.os.as_str().into(),
        taken_at: document.taken_at,
        privileged: document.privileged,
        user_namespace: document.user_namespace.map(UserNamespace::from),
        complete: document.complete,
        selections: asked,
        listeners: document.listeners.listeners,
        paths,
        gaps: document.gaps.iter().map(Gap::from).collect(),
        sources: Sources::default(),
    };
    snapshot.sort();
    Ok(snapshot)
}

/// The listeners of a document. Each is converted as soon as it was read, and shares the process that an earlier one
/// describes alike: their documents are several times as long.
#[derive(Default)]
pub(super) struct ListenersJson {
    listeners: Vec<Listener>,
    /// The first one that cannot be converted.
    invalid: Option<(usize, InvalidValue)>,
    /// The processes that the listeners share.
    processes: BTreeMap<ProcessId, Shared<Process>>,
}

impl ListenersJson {
    fn add(&mut self, json: ListenerJson) {
        match Listener::try_from(json) {
            Ok(mut listener) => {
                for holder in &mut listener.holders {
                    let known = self.processes.entry(holder.process.id);
                    let first = known.or_insert_with(|| holder.process.clone());
                    if *first == holder.process {
                        holder.process = first.clone();
                    }
                }
                self.listeners.push(listener);
            }
            Err(value) if self.invalid.is_none() => self.invalid = Some((self.listeners.len(), value)),
            Err(_) => {}
        }
    }
}

impl<'de> Deserialize<'de> for ListenersJson {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = ListenersJson;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<ListenersJson, A::Error> {
                let mut read = ListenersJson::default();
                while let Some(json) = list.next_element()? {
                    read.add(json);
                }
                Ok(read)
            }
        }

        deserializer.deserialize_seq(Visitor)
    }
}

fn first_line_is_document(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    bytes.len() > line.len() + 1
        && serde_json::from_slice::<serde_json::Value>(line).is_ok_and(|value| value.is_object())
}

/// The key of a value that is well-formed and still means nothing.
pub(crate) struct InvalidValue(pub(super) &'static str);

fn text(lossy: &str, bytes: Option<&String>, key: &'static str) -> Result<Text, InvalidValue> {
    match bytes {
        None => Ok(lossy.into()),
        Some(bytes) => BASE64.decode(bytes).map(Text::from).map_err(|_| InvalidValue(key)),
    }
}

fn text_option(
    lossy: &Option<String>,
    bytes: &Option<String>,
    key: &'static str,
) -> Result<Option<Text>, InvalidValue> {
    lossy.as_ref().map(|lossy| text(lossy, bytes.as_ref(), key)).transpose()
}

fn file_change(name: &Option<String>, key: &'static str) -> Result<Option<FileChange>, InvalidValue> {
    name.as_ref().map(|name| FileChange::parse(name).ok_or(InvalidValue(key))).transpose()
}

fn plain(text: &Option<String>) -> Option<Text> {
    text.as_deref().map(Text::from)
}

fn unknown_user(name: &Option<String>, key: &'static str) -> Result<Option<UnknownUser>, InvalidValue> {
    name.as_deref().map(|name| UnknownUser::parse(name).ok_or(InvalidValue(key))).transpose()
}

impl From<UserNamespaceJson> for UserNamespace {
    fn from(json: UserNamespaceJson) -> Self {
        let range = |range: &super::UserRangeJson| UserRange {
            first: range.first,
            outside: range.outside,
            count: range.count,
        };
        UserNamespace { id: json.id, users: json.users.iter().map(range).collect() }
    }
}

impl TryFrom<ListenerJson> for Listener {
    type Error = InvalidValue;

    fn try_from(json: ListenerJson) -> Result<Self, InvalidValue> {
        let protocol = Protocol::parse(&json.protocol).ok_or(InvalidValue("protocol"))?;
        let state = State::parse(&json.state).ok_or(InvalidValue("state"))?;
        let endpoint = match (protocol, json.address, json.port) {
            (Protocol::Unix, ..) => {
                Endpoint::Unix { path: text_option(&json.path, &json.path_bytes, "path_bytes")? }
            }
            (_, Some(address), Some(port)) => {
                Endpoint::Ip { address, port, interface: plain(&json.interface) }
            }
            (_, None, _) => return Err(InvalidValue("address")),
            (_, _, None) => return Err(InvalidValue("port")),
        };
        let mut listener = Listener::new(Socket::new(protocol, endpoint, state));
        let socket = &mut listener.socket;
        if socket.family().as_str() != json.family {
            return Err(InvalidValue("family"));
        }
        socket.peer = json.peer.map(|peer| SocketAddr::new(peer.address, peer.port));
        socket.dual_stack = json.dual_stack;
        socket.inode = json.inode;
        socket.uid = json.uid;
        socket.user = plain(&json.user);
        socket.unknown_user = unknown_user(&json.user_unknown, "user_unknown")?;
        socket.queue = json.queue.map(|queue| AcceptQueue { waiting: queue.waiting, limit: queue.limit });
        socket.namespace = plain(&json.namespace);
        socket.other_paths = json.other_paths.iter().map(|path| path.as_str().into()).collect();
        let leads_to = |name: &String| PathTarget::parse(name).ok_or(InvalidValue("path_leads_to"));
        socket.path_leads_to = json.path_leads_to.as_ref().map(leads_to).transpose()?;
        listener.service = json.service.map(Service::from).map(Box::new);
        listener.container = json.container.map(Container::from).map(Box::new);
        let store = json.descriptor_store.map(|store| DescriptorStore {
            unit: Service::from(store.unit),
            active: store.active,
            preserved: store.preserved,
        });
        listener.descriptor_store = store.map(Box::new);
        // Not collected: that would reuse the memory of the JSON, which is three times as much.
        listener.holders.reserve_exact(json.holders.len());
        for holder in json.holders {
            listener.holders.push(Holder::try_from(holder)?);
        }
        listener.unseen = json.unseen.map(Unseen::try_from).transpose()?.map(Box::new);
        let connections = json.connections.map(|list| list.into_iter().map(Connection::try_from).collect());
        listener.connections = connections.transpose()?;
        listener.probe = json.probe.map(Probe::try_from).transpose()?;
        listener.note = plain(&json.note).map(|note| Note::Other(note).into());
        Ok(listener)
    }
}

impl TryFrom<PathJson> for UnixPath {
    type Error = InvalidValue;

    fn try_from(json: PathJson) -> Result<Self, InvalidValue> {
        let path = text(&json.path, json.path_bytes.as_ref(), "path_bytes")?;
        let holds = PathContent::parse(&json.holds).ok_or(InvalidValue("holds"))?;
        Ok(UnixPath { path, holds })
    }
}

impl TryFrom<ProbeJson> for Probe {
    type Error = InvalidValue;

    fn try_from(json: ProbeJson) -> Result<Self, InvalidValue> {
        let took = Duration::try_from_secs_f64(json.milliseconds / 1e3);
        Ok(Probe {
            outcome: ProbeOutcome::parse(&json.outcome).ok_or(InvalidValue("probe.outcome"))?,
            took: took.map_err(|_| InvalidValue("probe.milliseconds"))?,
        })
    }
}

impl From<ServiceJson> for Service {
    fn from(json: ServiceJson) -> Self {
        Service {
            manager: json.manager.as_str().into(),
            name: json.name.as_str().into(),
            scope: json.scope.as_str().into(),
            uid: json.uid,
            activates: plain(&json.activates),
        }
    }
}

impl From<ContainerJson> for Container {
    fn from(json: ContainerJson) -> Self {
        Container {
            runtime: json.runtime.as_str().into(),
            id: json.id.as_str().into(),
            uid: json.uid,
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

impl TryFrom<UnseenJson> for Unseen {
    type Error = InvalidValue;

    fn try_from(json: UnseenJson) -> Result<Self, InvalidValue> {
        Ok(Unseen {
            reason: UnseenReason::parse(&json.reason).ok_or(InvalidValue("unseen.reason"))?,
            help: plain(&json.help).map(Help::Text),
            candidates: json.candidates.into_iter().map(Candidate::try_from).collect::<Result<_, _>>()?,
            kernel: json.kernel.into_iter().map(KernelSocket::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<KernelSocketJson> for KernelSocket {
    type Error = InvalidValue;

    fn try_from(json: KernelSocketJson) -> Result<Self, InvalidValue> {
        Ok(KernelSocket {
            kind: KernelSocketKind::parse(&json.kind).ok_or(InvalidValue("unseen.kernel.kind"))?,
            interface: text_option(&json.interface, &json.interface_bytes, "unseen.kernel.interface_bytes")?,
            id: json.id,
            namespace: plain(&json.namespace),
        })
    }
}

impl TryFrom<CandidateJson> for Candidate {
    type Error = InvalidValue;

    fn try_from(json: CandidateJson) -> Result<Self, InvalidValue> {
        Ok(Candidate {
            pid: json.pid,
            name: text(&json.name, json.name_bytes.as_ref(), "candidates.name_bytes")?,
            evidence: Evidence::parse(&json.evidence).ok_or(InvalidValue("candidates.evidence"))?,
        })
    }
}

impl TryFrom<ConnectionJson> for Connection {
    type Error = InvalidValue;

    fn try_from(json: ConnectionJson) -> Result<Self, InvalidValue> {
        Ok(Connection {
            peer: SocketAddr::new(json.address, json.port),
            state: State::parse(&json.state).ok_or(InvalidValue("connections.state"))?,
            clients: json.clients.into_iter().map(Candidate::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&GapJson> for Gap {
    fn from(json: &GapJson) -> Self {
        Gap {
            what: json.what.as_str().into(),
            reason: json.reason.as_str().into(),
            count: json.count,
            detail: GapDetail::Text(json.detail.as_str().into()),
            help: plain(&json.help).map(Help::Text),
        }
    }
}
