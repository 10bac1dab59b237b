//! A question, and how it is answered: sockets that cannot match are dropped before any process is looked at.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::containers::{Found, Inquiry, Runtimes};
use crate::knowledge::notes;
use crate::os::{self, Held, HolderSearch, Reader};
use crate::{
    Candidate, Connection, Error, ErrorKind, Gap, Holder, Listener, Process, Protocol, Reason, Snapshot,
    Socket, State, Target, Unseen,
};

/// Which listeners are wanted. Also usable on a snapshot that was taken elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    targets: Vec<Target>,
    protocols: Vec<Protocol>,
    ipv4: bool,
    ipv6: bool,
    all: bool,
    exposed: bool,
    pids: Vec<u32>,
    users: Vec<UserName>,
    commands: Vec<String>,
}

/// A user, as a number or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserName {
    /// The number.
    Uid(u32),
    /// The name.
    Name(String),
}

/// A question about this machine's sockets. Without further words: all TCP and UDP listeners.
#[derive(Debug, Clone, Default)]
pub struct Query {
    selection: Selection,
    parents: bool,
    connections: bool,
    namespaces: bool,
    reader: Reader,
    runtimes: Runtimes,
    search: HolderSearch,
}

impl Query {
    /// All TCP and UDP listeners of both address families.
    pub fn new() -> Query {
        Query::default()
    }

    /// Asks for a port, besides what was asked for before.
    pub fn port(self, port: u16) -> Result<Query, Error> {
        Ok(self.target(Target::port(port)?))
    }

    /// Asks for a target, besides those asked for before.
    pub fn target(mut self, target: Target) -> Query {
        self.selection.targets.push(target);
        self
    }

    /// Asks for a protocol, besides those asked for before; none means TCP and UDP.
    pub fn protocol(mut self, protocol: Protocol) -> Query {
        self.selection.protocols.push(protocol);
        self
    }

    /// Asks for IPv4; neither or both mean both families. A dual-stack socket serves both.
    pub fn ipv4(mut self) -> Query {
        self.selection.ipv4 = true;
        self
    }

    /// Asks for IPv6; neither or both mean both families.
    pub fn ipv6(mut self) -> Query {
        self.selection.ipv6 = true;
        self
    }

    /// Asks for sockets in every state, not for listeners alone.
    pub fn all(mut self) -> Query {
        self.selection.all = true;
        self
    }

    /// Asks only for what other machines can reach, as far as the address tells.
    pub fn exposed(mut self) -> Query {
        self.selection.exposed = true;
        self
    }

    /// Asks only for what this process holds, or one of those asked for before.
    pub fn pid(mut self, pid: u32) -> Query {
        self.selection.pids.push(pid);
        self
    }

    /// Asks only for sockets that belong to this user or are held by a process of this user.
    pub fn user(mut self, user: UserName) -> Query {
        self.selection.users.push(user);
        self
    }

    /// Asks only for what is held by a process whose name or command line contains this text, in either case.
    pub fn command(mut self, text: impl Into<String>) -> Query {
        self.selection.commands.push(text.into());
        self
    }

    /// Also tells the whole ancestry of each holder.
    pub fn parents(mut self) -> Query {
        self.parents = true;
        self
    }

    /// Also tells who is connected to each listener.
    pub fn connections(mut self) -> Query {
        self.connections = true;
        self
    }

    /// Asks for the listeners of every network namespace that can be seen, not of this process's alone. Linux only.
    pub fn all_namespaces(mut self) -> Query {
        self.namespaces = true;
        self
    }

    /// Chooses the reader of the socket table.
    pub fn reader(mut self, reader: Reader) -> Query {
        self.reader = reader;
        self
    }

    /// Chooses how holders are searched for.
    pub fn holder_search(mut self, search: HolderSearch) -> Query {
        self.search = search;
        self
    }

    /// Also asks the container runtime that answers at this Unix socket, Docker or Podman, besides those at their usual
    /// places. A runtime is asked only where a container is in question.
    pub fn container_runtime(mut self, socket: impl Into<PathBuf>) -> Query {
        self.runtimes.named.push(socket.into());
        self
    }

    /// Asks these runtimes, too.
    #[cfg(feature = "cli")]
    pub(crate) fn runtimes(mut self, runtimes: Runtimes) -> Query {
        self.runtimes = runtimes;
        self
    }

    /// Which listeners are wanted.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Looks at this machine.
    ///
    /// # Errors
    /// Where the socket table or the list of processes cannot be read at all, or the reader or the search for holders
    /// is not to be had here.
    /// Whatever is missing in part is a [`Gap`] instead.
    pub fn look(&self) -> Result<Snapshot, Error> {
        let selection = &self.selection;
        let table = os::sockets(&os::Request {
            tcp: selection.wants(Protocol::Tcp),
            udp: selection.wants(Protocol::Udp),
            rare: selection.wants(Protocol::Sctp),
            unix: selection.wants(Protocol::Unix),
            ipv4: selection.ipv4 || !selection.ipv6,
            // An IPv6 socket may answer for IPv4.
            ipv6: true,
            all: selection.all || self.connections,
            // Who is connected has that port at the other end.
            port: if self.connections { None } else { selection.one_port() },
            namespaces: self.namespaces,
            reader: self.reader,
        })?;
        let mut snapshot = Snapshot {
            host: os::host_name(),
            os: std::env::consts::OS.into(),
            taken_at: os::now(),
            privileged: os::privileged(),
            complete: table.complete,
            listeners: Vec::new(),
            gaps: table.gaps,
            how: Vec::new(),
        };
        let mut inquiry = Inquiry::new(&self.runtimes);
        let publishers = inquiry.publishers(Found::Nothing);
        let mut listening: Vec<Socket> = Vec::new();
        if publishers.is_some() {
            let sockets = table.rows.iter().map(|row| &row.socket);
            listening.extend(sockets.filter(|socket| socket.is_listener()).cloned());
        }
        let (matching, rest) = selection.split(table.rows, |row| &row.socket);
        let publishers = match selection.one_port().is_some() && !matching.is_empty() {
            true => publishers.and_then(|_| inquiry.publishers(Found::Sockets)),
            false => publishers,
        };
        if matching.is_empty() && publishers.is_none() {
            return Ok(snapshot);
        }
        let connected = if self.connections { Connected::of(&matching, rest) } else { Connected::default() };
        let wanted: Vec<&os::Row> = matching.iter().chain(&connected.clients).collect();
        let search = os::holders(&wanted, self.search)?;
        snapshot.how.push(format!("holders: {}", search.how).as_str().into());
        snapshot.gaps.extend(search.gaps);
        let facts = os::describe(search.of.iter().flatten().map(|held| &held.process), self.parents);
        snapshot.gaps.extend(facts.gaps);

        let clients = search.of.get(matching.len()..).unwrap_or_default();
        let connections: Vec<Option<Vec<Connection>>> = match self.connections {
            true => connected.describe(&matching, clients, &facts.processes).into_iter().map(Some).collect(),
            false => vec![None; matching.len()],
        };
        let mut processes = Processes::of(facts.processes, search.of.iter().take(matching.len()));
        let found = search.of.into_iter().zip(search.unseen).zip(search.origins).zip(connections);
        for (row, (((held, unseen), origin), connections)) in matching.into_iter().zip(found) {
            let mut listener = join(row.socket, held, unseen, &mut processes);
            listener.connections = connections;
            (listener.service, listener.container) = origin;
            snapshot.listeners.push(listener);
        }
        let gaps = os::socket_units(&mut snapshot.listeners);
        snapshot.gaps.extend(gaps);
        inquiry.name(&mut snapshot.listeners);
        if let Some(publishers) = publishers {
            let forwarded = inquiry.forwarded(&publishers, &listening, &snapshot.listeners);
            let (matching, _) = selection.split(forwarded, |listener| &listener.socket);
            snapshot.listeners.extend(matching);
        }
        snapshot.gaps.extend(inquiry.gap());
        os::name_users(&mut snapshot);
        selection.drop_by_process(&mut snapshot, &|| os::describe_unread(&search.unread));
        notes::add(&mut snapshot);
        snapshot.sort();
        Ok(snapshot)
    }
}

/// Facts of processes, each handed out as often as it was found to hold something: the last time for good, so that
/// those of a thousand processes are not there twice.
pub(crate) struct Processes {
    facts: BTreeMap<u32, Process>,
    uses: BTreeMap<u32, usize>,
}

impl Processes {
    pub(crate) fn of<'a>(
        facts: BTreeMap<u32, Process>,
        held: impl Iterator<Item = &'a Vec<Held>>,
    ) -> Processes {
        let mut uses: BTreeMap<u32, usize> = BTreeMap::new();
        for held in held.flatten() {
            *uses.entry(held.process.pid()).or_default() += 1;
        }
        Processes { facts, uses }
    }

    /// `None` where the process ended before it could be described.
    fn hand_out(&mut self, pid: u32) -> Option<Process> {
        let uses = self.uses.get_mut(&pid)?;
        *uses = uses.saturating_sub(1);
        match uses {
            0 => self.facts.remove(&pid),
            _ => self.facts.get(&pid).cloned(),
        }
    }
}

/// Puts a socket and its holders together. A holder that ended meanwhile is not named.
pub(crate) fn join(
    socket: Socket,
    held: Vec<Held>,
    unseen: Option<Unseen>,
    processes: &mut Processes,
) -> Listener {
    // Most sockets have one holder; a vector that grows begins with room for four.
    let holders = Vec::with_capacity(held.len());
    let mut listener = Listener { unseen, holders, ..Listener::new(socket) };
    let mut exited = false;
    for held in held {
        match processes.hand_out(held.process.pid()) {
            Some(process) => listener.holders.push(Holder {
                process,
                descriptors: held.descriptors,
                evidence: held.evidence,
            }),
            None => exited = true,
        }
    }
    if exited && listener.holders.is_empty() && listener.unseen.is_none() {
        listener.unseen = Some(Unseen {
            reason: Reason::Exited,
            help: Some("its holder ended during the look; look again".into()),
            candidates: Vec::new(),
        });
    }
    listener
}

/// Connections that belong to listeners, and the sockets at their other ends on this machine.
#[derive(Default)]
struct Connected {
    servers: Vec<(usize, Socket)>,
    clients: Vec<os::Row>,
}

impl Connected {
    fn of(listeners: &[os::Row], rest: Vec<os::Row>) -> Connected {
        let mut by_port: BTreeMap<Option<u16>, Vec<usize>> = BTreeMap::new();
        for (at, listener) in listeners.iter().enumerate() {
            if listener.socket.is_listener() && listener.socket.protocol == Protocol::Tcp {
                by_port.entry(listener.socket.endpoint.port()).or_default().push(at);
            }
        }
        let mut servers = Vec::new();
        let mut others = Vec::new();
        for row in rest {
            let listener = row.socket.peer.and_then(|_| {
                let (local, port) = (row.socket.endpoint.address()?, row.socket.endpoint.port()?);
                let target = Target::exactly(row.socket.protocol, local, port);
                let on_port = by_port.get(&Some(port))?.iter();
                let answers = |at: &usize| Some((target.answered_by(&listeners.get(*at)?.socket)?, *at));
                on_port.filter_map(answers).max_by_key(|(rank, at)| (*rank, Reverse(*at)))
            });
            match listener {
                Some((_, at)) => servers.push((at, row.socket)),
                None => others.push(row),
            }
        }
        // The other end of a connection has its two addresses the other way round.
        let ends: BTreeSet<Ends> = servers.iter().filter_map(|(_, server)| ends(server)).collect();
        let is_client =
            |row: &os::Row| ends_of_opposite(&row.socket).is_some_and(|opposite| ends.contains(&opposite));
        let clients = others.into_iter().filter(is_client).collect();
        Connected { servers, clients }
    }

    fn describe(
        self,
        listeners: &[os::Row],
        held: &[Vec<Held>],
        processes: &BTreeMap<u32, Process>,
    ) -> Vec<Vec<Connection>> {
        let mut by_ends: BTreeMap<Ends, Vec<Candidate>> = BTreeMap::new();
        for (client, held) in self.clients.iter().zip(held) {
            let Some(opposite) = ends_of_opposite(&client.socket) else { continue };
            let named = held.iter().filter_map(|held| {
                let process = processes.get(&held.process.pid())?;
                Some(Candidate { pid: process.id.pid, name: process.name.clone(), evidence: held.evidence })
            });
            by_ends.entry(opposite).or_default().extend(named);
        }
        let mut connections = vec![Vec::new(); listeners.len()];
        for (at, server) in self.servers {
            let Some(peer) = server.peer else { continue };
            let mut clients = ends(&server).and_then(|ends| by_ends.remove(&ends)).unwrap_or_default();
            clients.sort_by_key(|client| client.pid);
            clients.dedup();
            if let Some(list) = connections.get_mut(at) {
                list.push(Connection { peer, state: server.state, clients });
            }
        }
        for list in &mut connections {
            list.sort_by_key(|connection| (connection.peer, connection.state));
        }
        connections
    }
}

/// A connection's local address and its peer's.
type Ends = (SocketAddr, SocketAddr);

fn ends(socket: &Socket) -> Option<Ends> {
    let peer = socket.peer?;
    let local = SocketAddr::new(socket.endpoint.address()?.to_canonical(), socket.endpoint.port()?);
    Some((local, SocketAddr::new(peer.ip().to_canonical(), peer.port())))
}

fn ends_of_opposite(socket: &Socket) -> Option<Ends> {
    ends(socket).map(|(local, peer)| (peer, local))
}

impl Selection {
    /// The targets asked for.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Whether sockets in every state are asked for.
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// Whether processes decide what matches.
    pub fn filters_by_process(&self) -> bool {
        !(self.pids.is_empty() && self.users.is_empty() && self.commands.is_empty())
    }

    /// The port, where everything asked for is that one.
    fn one_port(&self) -> Option<u16> {
        let (first, rest) = self.targets.split_first()?;
        let port = first.single_port()?;
        rest.iter().all(|target| target.single_port() == Some(port)).then_some(port)
    }

    fn wants(&self, protocol: Protocol) -> bool {
        match self.protocols.is_empty() {
            true => protocol != Protocol::Unix || self.targets.iter().any(Target::is_unix),
            false => {
                let unix = protocol == Protocol::Unix && self.targets.iter().any(Target::is_unix);
                unix || self.protocols.contains(&protocol)
            }
        }
    }

    /// Whether a socket can match by itself, targets left aside.
    fn admits(&self, socket: &Socket) -> bool {
        let family = match (self.ipv4, self.ipv6) {
            (true, false) => socket.takes_ipv4() != Some(false),
            (false, true) => socket.endpoint.address().is_some_and(|address| address.is_ipv6()),
            _ => true,
        };
        let exposed = || matches!(socket.exposure(), crate::Exposure::All | crate::Exposure::Address);
        self.wants(socket.protocol)
            && (self.all || socket.is_listener())
            && (self.all || socket.state != State::Bound || socket.protocol == Protocol::Udp)
            && family
            && (!self.exposed || exposed())
    }

    /// Parts rows into those that match and those that do not.
    fn split<T>(&self, rows: Vec<T>, socket: impl Fn(&T) -> &Socket) -> (Vec<T>, Vec<T>) {
        let admitted: Vec<bool> = rows.iter().map(|row| self.admits(socket(row))).collect();
        let mut matching = vec![self.targets.is_empty(); rows.len()];
        for target in &self.targets {
            // A target with an address is answered only by the best of each port and protocol.
            let mut best: BTreeMap<Place<'_>, u8> = BTreeMap::new();
            let ranks: Vec<Option<u8>> = rows
                .iter()
                .zip(&admitted)
                .map(|(row, admitted)| admitted.then(|| target.answered_by(socket(row))).flatten())
                .collect();
            for (row, rank) in rows.iter().zip(&ranks) {
                if let Some(rank) = rank {
                    let best = best.entry(place(socket(row))).or_default();
                    *best = (*best).max(*rank);
                }
            }
            for ((row, rank), matches) in rows.iter().zip(ranks).zip(&mut matching) {
                *matches |= rank.is_some() && rank == best.get(&place(socket(row))).copied();
            }
        }
        let mut yes = Vec::new();
        let mut no = Vec::new();
        for ((row, admitted), matches) in rows.into_iter().zip(admitted).zip(matching) {
            if admitted && matches { yes.push(row) } else { no.push(row) }
        }
        (yes, no)
    }

    /// Which of the targets no listener of a snapshot answers.
    pub fn unanswered(&self, snapshot: &Snapshot) -> Vec<&Target> {
        let answered = |target: &Target| {
            snapshot.listeners.iter().any(|listener| target.answered_by(&listener.socket).is_some())
        };
        self.targets.iter().filter(|target| !answered(target)).collect()
    }

    /// Keeps of a snapshot what is selected.
    pub fn apply(&self, mut snapshot: Snapshot) -> Snapshot {
        let (matching, _) = self.split(std::mem::take(&mut snapshot.listeners), |listener| &listener.socket);
        snapshot.listeners = matching;
        self.drop_by_process(&mut snapshot, &|| None);
        snapshot.sort();
        snapshot
    }

    /// Drops what is known not to be held by what was asked for. Where that cannot be known the listener is dropped
    /// too, and the snapshot is no longer complete. `unread` gives the processes that may hold what nobody was seen to
    /// hold, or `None` where it may be anybody.
    fn drop_by_process(&self, snapshot: &mut Snapshot, unread: &dyn Fn() -> Option<Vec<Process>>) {
        if !self.filters_by_process() {
            return;
        }
        let candidates = OnceCell::new();
        let may_be = |matches: &dyn Fn(&Process) -> bool| match candidates.get_or_init(unread) {
            Some(processes) => processes.iter().any(matches),
            None => true,
        };
        let mut undecided = 0;
        snapshot.listeners.retain(|listener| match self.keeps(listener, &may_be) {
            Some(keeps) => keeps,
            None => {
                undecided += 1;
                false
            }
        });
        if undecided > 0 {
            snapshot.complete = false;
            let detail = match undecided {
                1 => "one listener whose holders could not all be seen may match too".to_owned(),
                _ => format!("{undecided} listeners whose holders could not all be seen may match too"),
            };
            snapshot.gaps.push(Gap::new("holders", "unseen", undecided, detail, None));
        }
    }

    /// Whether a listener passes the process filters; `None` where an unseen holder decides, and may pass.
    fn keeps(&self, listener: &Listener, may_be: &MayBe<'_>) -> Option<bool> {
        let unseen = listener.unseen.is_some();
        let decide = |asked: bool, known: bool, matches: &dyn Fn(&Process) -> bool| {
            if !asked || known || listener.holders.iter().any(|holder| matches(&holder.process)) {
                return Some(true);
            }
            (!(unseen && may_be(matches))).then_some(false)
        };
        let socket_user = self.users.iter().any(|user| user.is(listener.socket.uid, &listener.socket.user));
        let filters = [
            decide(!self.pids.is_empty(), false, &|process| self.pids.contains(&process.id.pid)),
            decide(!self.users.is_empty(), socket_user, &|process| {
                self.users.iter().any(|user| user.is(process.uid, &process.user))
            }),
            decide(!self.commands.is_empty(), false, &|process| self.names(process)),
        ];
        match filters {
            filters if filters.contains(&Some(false)) => Some(false),
            filters if filters.contains(&None) => None,
            _ => Some(true),
        }
    }

    fn names(&self, process: &Process) -> bool {
        let line: Vec<u8> = process
            .command
            .iter()
            .flatten()
            .map(|argument| argument.as_bytes().to_ascii_lowercase())
            .collect::<Vec<_>>()
            .join(&b' ');
        let name = process.name.as_bytes().to_ascii_lowercase();
        self.commands.iter().any(|text| {
            let text = text.as_bytes().to_ascii_lowercase();
            contains(&name, &text) || contains(&line, &text)
        })
    }
}

/// Whether a process that matches may be an unseen holder.
type MayBe<'a> = dyn Fn(&dyn Fn(&Process) -> bool) -> bool + 'a;

/// Sockets that compete for the same peers: those of one port, protocol and network namespace.
type Place<'a> = (Option<u16>, Protocol, Option<&'a [u8]>);

fn place(socket: &Socket) -> Place<'_> {
    (socket.endpoint.port(), socket.protocol, socket.namespace.as_ref().map(crate::Text::as_bytes))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

impl UserName {
    /// A user of this machine, by name or number.
    ///
    /// # Errors
    /// Where there is no such user.
    pub fn of_this_machine(text: &str) -> Result<UserName, Error> {
        if let Ok(uid) = text.parse() {
            return Ok(UserName::Uid(uid));
        }
        match os::user_exists(text) {
            true => Ok(UserName::Name(text.to_owned())),
            false => {
                Err(Error::new(ErrorKind::Usage, format!("there is no user '{}' here", text.escape_debug())))
            }
        }
    }

    fn is(&self, uid: Option<u32>, name: &Option<crate::Text>) -> bool {
        match self {
            UserName::Uid(wanted) => uid == Some(*wanted),
            UserName::Name(wanted) => name.as_ref().is_some_and(|name| name.as_bytes() == wanted.as_bytes()),
        }
    }
}
