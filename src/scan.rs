//! A question, and how it is answered: sockets that cannot match are dropped before any process is looked at.

mod join;

use std::path::PathBuf;

use crate::act::forwarding;
use crate::enrich::containers::{ContainerLookup, Found, Runtimes, monitors};
use crate::enrich::notes;
use crate::model::target::Unix;
use crate::model::{Connection, Error, Gap, GapReason, Help, Listener, Protocol, Snapshot, Socket, State};
use crate::model::{Selection, Target, UserName};
use crate::os::{self, HolderSearch, Reader};

use join::Connected;
pub(crate) use join::{Processes, join};

/// A question about this machine's sockets. Without further words: all TCP and UDP listeners.
#[derive(Debug, Clone, Default)]
pub struct Query {
    selection: Selection,
    parents: bool,
    reader: Reader,
    runtimes: Runtimes,
    search: HolderSearch,
}

impl Query {
    /// All TCP and UDP listeners of both address families.
    pub fn new() -> Query {
        Query::default()
    }

    /// What a snapshot was asked for, asked again: see [`Snapshot::asked`]. Who is connected changes by itself and is not
    /// asked again.
    pub fn selecting(selection: Selection) -> Query {
        Query { selection: Selection { connections: false, ..selection }, ..Query::default() }
    }

    /// Asks for a port, besides what was asked for before.
    pub fn port(self, port: u16) -> Result<Query, Error> {
        Ok(self.target(Target::port(port)?))
    }

    /// Asks for a target, besides those asked for before.
    pub fn target(mut self, target: Target) -> Query {
        self.selection.targets.push(target.at_current_directory());
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

    /// Asks only for what is held by a process whose name, program file or command line contains this text, in either case.
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
        self.selection.connections = true;
        self
    }

    /// Asks for the listeners of every network namespace that can be seen, not of this process's alone. Linux only.
    pub fn all_namespaces(mut self) -> Query {
        self.selection.namespaces = true;
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
    /// Whatever is missing in part is a [`Gap`](crate::Gap) instead.
    pub fn look(&self) -> Result<Snapshot, Error> {
        self.table().and_then(|table| self.look_at(table))
    }

    /// What [`Snapshot::is_answered`] would say. Processes are looked at only where they decide it.
    ///
    /// # Errors
    /// As [`Query::look`].
    pub fn is_answered(&self) -> Result<Option<bool>, Error> {
        let table = self.table()?;
        let selection = &self.selection;
        // What was insisted on has to be tried.
        let by_sockets = !selection.filters_by_process() && self.search != HolderSearch::Bpf;
        if by_sockets && table.rows.iter().any(|row| selection.concerns(&row.socket)) {
            return Ok(Some(true));
        }
        Ok(self.look_at(table)?.is_answered())
    }

    /// The socket table alone, of which more may be there than was asked for.
    pub(crate) fn table(&self) -> Result<os::SocketTable, Error> {
        let selection = &self.selection;
        let request = os::Request {
            tcp: selection.wants(Protocol::Tcp),
            udp: selection.wants(Protocol::Udp),
            udplite: selection.wants(Protocol::UdpLite),
            rare: selection.wants(Protocol::Sctp),
            unix: selection.wants(Protocol::Unix),
            ipv4: selection.ipv4 || !selection.ipv6,
            // An IPv6 socket may answer for IPv4.
            ipv6: true,
            all: selection.all || self.selection.connections,
            // Who is connected has that port at the other end.
            port: if self.selection.connections { None } else { selection.one_port() },
            namespaces: selection.namespaces,
            reader: self.reader,
        };
        let mut table = os::sockets(&request)?;
        os::find_unix_paths(&selection.unix_paths(), &request, &mut table);
        Ok(table)
    }

    /// What is asked for of a socket table, with who holds it.
    pub(crate) fn look_at(&self, table: os::SocketTable) -> Result<Snapshot, Error> {
        let selection = &self.selection;
        let mut snapshot = Snapshot {
            host: os::host_name(),
            os: std::env::consts::OS.into(),
            taken_at: os::now(),
            privileged: os::privileged(),
            user_namespace: os::user_namespace(),
            complete: table.complete && !(table.lacks_bound && self.selection.all),
            asked: Some(vec![selection.clone()]),
            listeners: Vec::new(),
            paths: table.paths,
            gaps: table.gaps,
            how: table.how.iter().map(|how| format!("sockets: {how}").as_str().into()).collect(),
        };
        if table.lacks_bound {
            self.explain_lack_of_bound(&mut snapshot.gaps);
        }
        let mut inquiry = ContainerLookup::new(&self.runtimes);
        let publishers = inquiry.publishers(Found::Nothing);
        let mut listening: Vec<Socket> = Vec::new();
        if publishers.is_some() {
            let sockets = table.rows.iter().map(|row| &row.socket);
            listening.extend(sockets.filter(|socket| socket.is_listener()).cloned());
        }
        let (matching, rest) = selection.split(table.rows, true, |row| &row.socket);
        let publishers = match selection.one_port().is_some() && !matching.is_empty() {
            true => publishers.and_then(|_| inquiry.publishers(Found::Sockets)),
            false => publishers,
        };
        // Root reads the rules that forward one port; those of all ports are not followed.
        let ruled = selection.one_port().filter(|_| os::privileged() && !selection.filters_by_process());
        if matching.is_empty() && publishers.is_none() && ruled.is_none() {
            return Ok(snapshot);
        }
        let connected =
            if self.selection.connections { Connected::of(&matching, rest) } else { Connected::default() };
        let wanted: Vec<&os::Row> = matching.iter().chain(&connected.clients).collect();
        let search = os::holders(&wanted, self.search)?;
        snapshot.how.push(format!("holders: {}", search.how).as_str().into());
        snapshot.gaps.extend(search.gaps);
        let facts = os::describe(search.of.iter().flatten().map(|held| &held.process), self.parents);
        snapshot.gaps.extend(facts.gaps);

        let clients = search.of.get(matching.len()..).unwrap_or_default();
        let connections: Vec<Option<Vec<Connection>>> = match self.selection.connections {
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
        let gaps = os::socket_units(&mut snapshot.listeners, false);
        snapshot.gaps.extend(gaps);
        inquiry.name(&mut snapshot.listeners);
        monitors::name(&mut snapshot.listeners);
        if let Some(publishers) = publishers {
            let forwarded = inquiry.forwarded(&publishers, &listening, &snapshot.listeners);
            let (mut matching, _) = selection.split(forwarded, false, |listener| &listener.socket);
            let untold = forwarding::drop_unreachable_loopback(&mut matching, &|_| None);
            snapshot.complete &= untold.is_none();
            snapshot.gaps.extend(untold);
            snapshot.listeners.extend(matching);
            // A port that is published without a socket has no holder that a filter could ask for.
            let is_known = ruled.is_some() || selection.filters_by_process();
            snapshot.complete &= !inquiry.lacks_published() || is_known;
        }
        if let Some(port) = ruled {
            self.add_forwarded_by_rules(port, &mut snapshot);
        }
        snapshot.gaps.extend(inquiry.gap());
        os::name_users(&mut snapshot);
        selection.drop_by_process(&mut snapshot, &|| os::describe_unread(&search.unread));
        notes::add(&mut snapshot);
        snapshot.sort();
        Ok(snapshot)
    }

    /// Keeps the gap about sockets that are bound and do not listen only if those were asked for, and adds what shows
    /// whether one of them holds the port.
    fn explain_lack_of_bound(&self, gaps: &mut Vec<Gap>) {
        let is_about_bound = |gap: &Gap| gap.reason == GapReason::Bound;
        if !self.selection.all {
            gaps.retain(|gap| !is_about_bound(gap));
        }
        let help = Help::Why { port: self.selection.one_port() };
        for gap in gaps.iter_mut().filter(|gap| is_about_bound(gap)) {
            gap.help = Some(help.clone());
        }
    }

    /// Adds the places of one port that rules of the kernel pass on, of which there may be more than is known.
    fn add_forwarded_by_rules(&self, port: u16, snapshot: &mut Snapshot) {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            if !self.selection.wants(protocol) {
                continue;
            }
            let (forwarded, known): (Vec<Listener>, Vec<Listener>) = snapshot
                .listeners
                .iter()
                .filter(|listener| listener.socket.protocol == protocol)
                .cloned()
                .partition(|listener| listener.socket.state == State::Forwarded);
            let rules = forwarding::by_rules(protocol, port, &forwarded, &known);
            let own = |listener: &&mut Listener| listener.socket.protocol == protocol;
            for listener in snapshot.listeners.iter_mut().filter(own) {
                rules.complete(std::slice::from_mut(listener));
            }
            let (matching, _) = self.selection.split(rules.forwarded, false, |listener| &listener.socket);
            snapshot.listeners.extend(matching);
            snapshot.complete &= rules.unknown.is_none();
            snapshot.gaps.extend(rules.unknown.filter(|gap| !snapshot.gaps.contains(gap)));
        }
    }
}

impl Target {
    /// The same target with its path, if it has one, written from the root.
    pub(crate) fn at_current_directory(self) -> Target {
        match self.path().filter(|path| !path.starts_with('/')) {
            Some(path) => Target { unix: Some(Unix::Path(os::absolute(path))), ..self },
            None => self,
        }
    }
}
