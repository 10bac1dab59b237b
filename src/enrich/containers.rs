//! Adds the containers behind listeners, with the names, images and ports that the runtimes report. A runtime is queried
//! at most once, and only if a listener may belong to a container. All queries together take at most [`LONGEST`]. What no
//! runtime reported is a gap.

mod forwarded;
mod matching;
pub(crate) mod monitors;
pub(crate) mod rootless;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use matching::{RuntimeContainers, RuntimeScope, SocketKey};

use crate::management::proxy::{self, ContainerRef, Proxy};
use crate::model::{
    Container, ContainerRuntime, Gap, GapDetail, GapKind, GapReason, Help, Listener, Note, PrivilegePurpose,
    SilentRuntime, Socket, Text,
};
use crate::os::parse::container_list;
use crate::os::{self, ConnectAs, Reply, RuntimeError, RuntimeKind};

/// The time limit for all runtimes together.
const LONGEST: Duration = Duration::from_millis(300);

/// The sockets of runtimes to query in addition to those at the well-known paths.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runtimes {
    /// Sockets of the API of Docker or Podman that the caller named.
    pub(crate) named: Vec<PathBuf>,
    /// The paths of the calling user's own runtimes.
    pub(crate) own: Vec<PathBuf>,
}

/// The queries to runtimes during one scan, with their results.
#[derive(Debug)]
pub(crate) struct ContainerLookup<'a> {
    runtimes: &'a Runtimes,
    /// The deadline. It is set by the first query.
    until: Option<Instant>,
    results: BTreeMap<PathBuf, RuntimeResult>,
    /// The number of containers that no runtime reported.
    unreported: usize,
    /// Whether the ports that are published without a socket could not be listed.
    unlisted: bool,
}

/// The result of the scan before any runtime is queried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketSearch {
    /// No socket.
    Nothing,
    /// Sockets.
    Sockets,
    /// No socket, but a connection is answered: every user's scan queries the runtimes then.
    AnswerWithoutSocket,
}

#[derive(Debug)]
struct RuntimeResult {
    scope: RuntimeScope,
    containers: Result<RuntimeContainers, RuntimeError>,
}

/// A query for the container of a process or socket.
struct RuntimeQuery {
    kinds: Vec<RuntimeKind>,
    /// The user of the process, or of the socket if the process is unknown.
    uid: Option<u32>,
    /// Whether to query the system's runtimes even if the user is not root.
    system: bool,
}

/// A process that holds a port for a container.
struct ProxyRef {
    proxy: Proxy,
    uid: Option<u32>,
}

impl<'a> ContainerLookup<'a> {
    pub(crate) fn new(runtimes: &'a Runtimes) -> ContainerLookup<'a> {
        ContainerLookup { runtimes, until: None, results: BTreeMap::new(), unreported: 0, unlisted: false }
    }

    /// Names the containers behind these listeners.
    pub(crate) fn add(&mut self, listeners: &mut [Listener]) {
        let proxy_ref: Vec<Option<ProxyRef>> = listeners.iter_mut().map(proxy_of).collect();
        let mut queries = Vec::new();
        for (listener, proxy_ref) in listeners.iter().zip(&proxy_ref) {
            queries.extend(proxy_ref.iter().map(ProxyRef::query));
            let own =
                listener.container.as_deref().map(|container| (container, listener.socket.uid)).into_iter();
            let holders = listener.holders.iter();
            let of_holders =
                holders.filter_map(|holder| Some((holder.process.container.as_ref()?, holder.process.uid)));
            queries.extend(own.chain(of_holders).filter_map(|(container, uid)| query(container, uid)));
        }
        self.query_runtimes(&queries);
        for (listener, proxy_ref) in listeners.iter_mut().zip(proxy_ref) {
            self.complete(listener);
            if let Some(proxy_ref) = proxy_ref {
                self.add_proxied(listener, &proxy_ref);
            }
        }
    }

    /// Returns the runtimes of the system that may publish ports without a socket. `None` if there is no sign of any.
    /// Docker is queried if there are signs of containers. For root the named sockets are queried too, if no socket was
    /// found.
    pub(crate) fn publishers(&self, found: SocketSearch) -> Option<Vec<RuntimeKind>> {
        match found {
            SocketSearch::AnswerWithoutSocket => Some(vec![RuntimeKind::Docker, RuntimeKind::Podman]),
            _ if os::containers_run() => Some(vec![RuntimeKind::Docker]),
            SocketSearch::Nothing if os::privileged() && !self.runtimes.named.is_empty() => Some(Vec::new()),
            _ => None,
        }
    }

    /// Returns the gap if a runtime that could not be queried may publish ports.
    pub(crate) fn forwarding_gap(&self) -> Option<Gap> {
        if self.unlisted { self.gap() } else { None }
    }

    /// Returns whether a runtime that could not be queried may publish ports.
    pub(crate) fn lacks_published(&self) -> bool {
        self.unlisted
    }

    /// Completes the containers that were found by cgroup.
    fn complete(&mut self, listener: &mut Listener) {
        let socket = &listener.socket;
        if let Some(container) = &listener.container
            && let Some(completed) = self.completed(container, socket.uid, socket)
        {
            listener.container = Some(completed.into());
        }
        for holder in &mut listener.holders {
            if let Some(container) = &holder.process.container
                && let Some(completed) = self.completed(container, holder.process.uid, &listener.socket)
                && completed != *container
            {
                holder.process.container = Some(completed);
            }
        }
    }

    /// Returns what a runtime reports of a container that was found by the cgroup of a socket or of its holder. A
    /// container that no runtime reports is counted.
    fn completed(&mut self, container: &Container, uid: Option<u32>, socket: &Socket) -> Option<Container> {
        kind_of(container)?;
        // The system's engine has no containers in a user's cgroups. A user can name a cgroup like a container.
        let of_user = container.uid.is_some();
        let containers = self.containers_for(container.uid.or(uid), true);
        let containers = containers.filter(|containers| !of_user || containers.scope != RuntimeScope::System);
        let running = matching::by_id(containers, &container.id);
        let Some(running) = running else {
            self.unreported += 1;
            return None;
        };
        let inside = socket.namespace.is_some() || running.on_host == Some(true);
        let port = socket.endpoint.port().filter(|_| inside);
        let uid = running.container.uid.or(container.uid);
        Some(Container { port, uid, ..running.container.clone() })
    }

    /// Adds the container of a proxy to its listener, or what the proxy's command line shows about it.
    fn add_proxied(&mut self, listener: &mut Listener, proxy_ref: &ProxyRef) {
        let socket = &listener.socket;
        let Some((address, port)) = socket.endpoint.address().zip(socket.endpoint.port()) else { return };
        let key = SocketKey {
            protocol: socket.protocol,
            address: SocketAddr::new(address, port),
            here: socket.namespace.is_none(),
        };
        let found = matching::behind(self.containers_for(proxy_ref.uid, false), &proxy_ref.proxy, key);
        // dockerd and the helpers of rootless containers also hold ports of their own: if every runtime answered, nothing
        // is missing.
        let missing = proxy_ref.proxy.container != ContainerRef::Unknown || self.is_silent(|_| true);
        self.unreported += usize::from(found.is_none() && missing);
        match (found, &proxy_ref.proxy.container) {
            (Some(container), _) => listener.container = Some(container.into()),
            (None, ContainerRef::Address(proxied)) => {
                listener.note.get_or_insert(Box::new(Note::ProxiedToContainer(proxied.inside)));
            }
            (None, ContainerRef::Id(id, name)) => {
                listener.container = Some(
                    Container {
                        runtime: ContainerRuntime::Podman,
                        id: id.clone(),
                        uid: proxy_ref.uid.filter(|uid| *uid != 0).map(os::subuid_owner),
                        name: name.clone(),
                        image: None,
                        port: None,
                        compose: None,
                    }
                    .into(),
                );
            }
            (None, ContainerRef::Unknown) => {}
        }
    }

    /// Queries the runtimes that these questions need and that were not queried yet.
    fn query_runtimes(&mut self, queries: &[RuntimeQuery]) {
        let mut wanted: BTreeMap<PathBuf, RuntimeScope> = BTreeMap::new();
        let mut add = |path: PathBuf, scope| {
            if !self.results.contains_key(&path) {
                let known = wanted.entry(path).or_insert(scope);
                *known = scope.min(*known);
            }
        };
        for query in queries {
            for kind in &query.kinds {
                if query.is_system_runtime() || query.system {
                    os::runtime_sockets(*kind, None)
                        .into_iter()
                        .for_each(|path| add(path, RuntimeScope::System));
                }
                if let Some(uid) = query.uid.filter(|uid| *uid != 0).map(os::subuid_owner) {
                    let scope = RuntimeScope::User(uid);
                    os::runtime_sockets(*kind, Some(uid)).into_iter().for_each(|path| add(path, scope));
                }
            }
            self.runtimes.named.iter().for_each(|path| add(path.clone(), RuntimeScope::Given));
            if let Some(uid) = os::own_uid().filter(|uid| *uid != 0 && Some(*uid) == query.uid) {
                self.runtimes.own.iter().for_each(|path| add(path.clone(), RuntimeScope::User(uid)));
            }
        }
        if wanted.is_empty() {
            return;
        }
        let until = *self.until.get_or_insert_with(|| Instant::now() + LONGEST);
        let sockets: Vec<(PathBuf, ConnectAs)> =
            wanted.iter().map(|(path, scope)| (path.clone(), connect_as(*scope))).collect();
        let results = os::ask_runtimes(&sockets, until);
        for ((path, scope), result) in wanted.into_iter().zip(results) {
            let parse = |reply| os::without_capabilities(|| parse_reply(&reply, scope));
            let containers = result.and_then(parse);
            self.results.insert(path, RuntimeResult { scope, containers });
        }
    }

    /// Returns the containers of the runtimes that are trusted for a process of this user.
    fn containers_for(&self, uid: Option<u32>, system_too: bool) -> impl Iterator<Item = &RuntimeContainers> {
        let runtime_user =
            uid.filter(|uid| *uid != 0).filter(|_| !self.results.is_empty()).map(os::subuid_owner);
        self.results.values().filter_map(|result| result.containers.as_ref().ok()).filter(move |containers| {
            match containers.scope {
                RuntimeScope::Given => true,
                RuntimeScope::System => system_too || runtime_user.is_none(),
                RuntimeScope::User(uid) => runtime_user == Some(uid),
            }
        })
    }

    /// Returns whether an existing runtime did not answer.
    fn is_silent(&self, of: impl Fn(RuntimeScope) -> bool) -> bool {
        let is_there =
            |result: &RuntimeResult| !matches!(result.containers, Ok(_) | Err(RuntimeError::Absent));
        self.results.values().any(|result| of(result.scope) && is_there(result))
    }

    /// Returns the gap for what no runtime reported.
    pub(crate) fn gap(&self) -> Option<Gap> {
        if self.unreported == 0 && !self.unlisted {
            return None;
        }
        let silent =
            self.results.iter().filter_map(|(path, result)| Some((path, result.containers.as_ref().err()?)));
        let worst = silent.min_by_key(|(_, silence)| match silence {
            RuntimeError::Permission => 0,
            RuntimeError::Timeout => 1,
            RuntimeError::Unreadable(_) => 2,
            RuntimeError::Absent => 3,
        });
        let answered = self.results.values().any(|result| result.containers.is_ok());
        let path = worst.map(|(path, _)| Text::from(path.as_path())).unwrap_or_default();
        // Only root can read forwarding rules. Other users depend on the answers of the runtimes.
        let rules_unread = self.unlisted && !os::privileged();
        let (reason, runtime, help) = match worst.map(|(_, silence)| silence) {
            Some(RuntimeError::Permission) => {
                (GapReason::Permission, SilentRuntime::Permission(path), Some(Help::PrivilegesOrGroup))
            }
            Some(RuntimeError::Timeout) => {
                let runtime = SilentRuntime::Timeout { path, limit: LONGEST };
                (GapReason::Timeout, runtime, Some(Help::HangingRuntime))
            }
            Some(RuntimeError::Unreadable(reason)) => {
                let runtime = SilentRuntime::Unreadable { path, reason: reason.clone() };
                (GapReason::Unreadable, runtime, None)
            }
            _ if rules_unread && !answered => (
                GapReason::Permission,
                SilentRuntime::Absent,
                Some(Help::Privileges(PrivilegePurpose::SeeMany)),
            ),
            _ if answered => (GapReason::Unknown, SilentRuntime::Unknown, Some(Help::OtherRuntime)),
            _ => (GapReason::Absent, SilentRuntime::Absent, Some(Help::OtherRuntime)),
        };
        let detail = GapDetail::Containers { containers: self.unreported, runtime, rules_unread };
        Some(Gap::new(GapKind::Containers, reason, self.unreported.max(1), detail, help))
    }
}

/// Returns by whose rights a runtime's socket is opened.
fn connect_as(scope: RuntimeScope) -> ConnectAs {
    match scope {
        RuntimeScope::System => ConnectAs::Root,
        RuntimeScope::Given => ConnectAs::Owner,
        RuntimeScope::User(uid) => ConnectAs::User(uid),
    }
}

fn parse_reply(reply: &Reply, scope: RuntimeScope) -> Result<RuntimeContainers, RuntimeError> {
    match container_list::parse(&reply.bytes) {
        Ok(mut running) => {
            for one in &mut running {
                one.container.uid = match scope {
                    RuntimeScope::User(uid) => Some(uid),
                    RuntimeScope::System | RuntimeScope::Given => None,
                };
            }
            Ok(RuntimeContainers { scope, here: reply.here, running })
        }
        Err(reason) => Err(RuntimeError::Unreadable(reason)),
    }
}

impl RuntimeQuery {
    fn is_system_runtime(&self) -> bool {
        self.uid.is_none_or(|uid| uid == 0)
    }
}

impl ProxyRef {
    fn query(&self) -> RuntimeQuery {
        RuntimeQuery { kinds: self.proxy.kinds.to_vec(), uid: self.uid, system: false }
    }
}

/// Returns the query for a container that was found by cgroup.
fn query(container: &Container, uid: Option<u32>) -> Option<RuntimeQuery> {
    Some(RuntimeQuery {
        kinds: vec![kind_of(container)?],
        uid: container.uid.or(uid),
        system: container.uid.is_none(),
    })
}

/// Returns the runtime of a container, if it can be queried.
fn kind_of(container: &Container) -> Option<RuntimeKind> {
    match container.runtime {
        ContainerRuntime::Docker => Some(RuntimeKind::Docker),
        ContainerRuntime::Podman => Some(RuntimeKind::Podman),
        _ => None,
    }
}

/// Returns the process that holds a listener for a container. Among candidates for an unseen holder, it is the one whose
/// command line names exactly this address and port. The other candidates are dropped then.
fn proxy_of(listener: &mut Listener) -> Option<ProxyRef> {
    let visible = listener
        .holders
        .iter()
        .find_map(|holder| Some(ProxyRef { proxy: proxy::proxy(&holder.process)?, uid: holder.process.uid }));
    if visible.is_some() {
        return visible;
    }
    let socket = &listener.socket;
    let key = SocketAddr::new(socket.endpoint.address()?, socket.endpoint.port()?);
    let unseen =
        listener.unseen.as_deref_mut().filter(|_| socket.is_listener() && socket.namespace.is_none())?;
    let proxy_of_candidate = |candidate: &crate::model::Candidate| {
        if !proxy::is_docker_proxy(&candidate.name) {
            return None;
        }
        let proxy = proxy::proxy_by_name(&candidate.name, &os::command(candidate.pid)?)?;
        let ContainerRef::Address(proxied) = &proxy.container else { return None };
        let is_here = proxied.protocol == Some(socket.protocol) && proxied.host == Some(key);
        is_here.then_some(proxy)
    };
    let found = unseen
        .candidates
        .iter()
        .find_map(|candidate| Some((candidate.clone(), proxy_of_candidate(candidate)?)));
    let (candidate, proxy) = found?;
    unseen.candidates = vec![candidate];
    Some(ProxyRef { proxy, uid: socket.uid })
}

#[cfg(test)]
mod tests;
