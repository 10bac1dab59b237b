//! The pipeline: reads the socket table, selects rows, scans exactly their holders, joins and enriches them, and
//! selects again. Every command that looks at this machine runs it; a [`Query`] is the request.
//!
//! Depends on `os`, `select` and `enrich`. It does not bind, judge or print.

mod forwarded;
mod join;
mod pipeline;
pub(crate) mod port_sockets;

use std::path::PathBuf;

use crate::enrich::containers::{ContainerLookup, Runtimes};
use crate::enrich::notes;
use crate::model::target::Unix;
use crate::model::{Error, Gap, GapReason, Help, Protocol, Snapshot};
use crate::model::{Selection, Target, UserName};
use crate::os::{self, HolderSearch, Reader};

use forwarded::ForwardedPorts;
use join::Connected;
use pipeline::Pipeline;

/// A query for this machine's sockets. By default it selects all TCP and UDP listeners.
#[derive(Debug, Clone, Default)]
pub struct Query {
    selection: Selection,
    parents: bool,
    reader: Reader,
    runtimes: Runtimes,
    search: HolderSearch,
}

impl Query {
    /// Returns a query for all TCP and UDP listeners of both address families.
    pub fn new() -> Query {
        Query::default()
    }

    /// Returns the query that repeats [`Snapshot::asked`]. Connections change by themselves and are left out.
    pub fn from_selection(selection: Selection) -> Query {
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

    /// Asks only for what is held by a process whose name, program file or command line contains this text, in either
    /// case.
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

    /// Scans this machine.
    ///
    /// Whatever could not be read in part is a [`Gap`](crate::Gap) of the snapshot, not an error.
    ///
    /// # Errors
    /// If the socket table or the list of processes cannot be read at all, or if this system does not support the
    /// reader or the search for holders.
    pub fn scan(&self) -> Result<Snapshot, Error> {
        self.table().and_then(|table| self.scan_table(table))
    }

    /// Returns what [`Snapshot::is_answered`] would return. Processes are scanned only if they decide it.
    ///
    /// # Errors
    /// As [`Query::scan`].
    pub fn is_answered(&self) -> Result<Option<bool>, Error> {
        let table = self.table()?;
        let selection = &self.selection;
        // An explicit BPF search must run, even if the table answers.
        let by_sockets = !selection.filters_by_process() && self.search != HolderSearch::Bpf;
        if by_sockets && table.rows.iter().any(|row| selection.concerns(&row.socket)) {
            return Ok(Some(true));
        }
        Ok(self.scan_table(table)?.is_answered())
    }

    /// Reads the socket table. It may have more rows than the selection matches.
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
            // Clients have the port at the other end.
            port: if self.selection.connections { None } else { selection.one_port() },
            namespaces: selection.namespaces,
            reader: self.reader,
        };
        let mut table = os::sockets(&request)?;
        os::find_unix_paths(&selection.unix_paths(), &request, &mut table);
        Ok(table)
    }

    /// Runs the pipeline from a socket table on: selects rows, scans their holders, joins, enriches, selects again.
    pub(crate) fn scan_table(&self, table: os::SocketTable) -> Result<Snapshot, Error> {
        let selection = &self.selection;
        let mut snapshot = Snapshot {
            host: os::host_name(),
            os: std::env::consts::OS.into(),
            taken_at: os::now(),
            privileged: os::privileged(),
            user_namespace: os::user_namespace(),
            complete: table.complete && !(table.lacks_bound && selection.all),
            asked: Some(vec![selection.clone()]),
            listeners: Vec::new(),
            paths: table.paths,
            gaps: table.gaps,
            how: table.how.iter().map(|how| format!("sockets: {how}").as_str().into()).collect(),
        };
        if table.lacks_bound {
            self.explain_lack_of_bound(&mut snapshot.gaps);
        }
        let mut containers = ContainerLookup::new(&self.runtimes);
        let mut forwarded = ForwardedPorts::new(selection, &containers, &table.rows);
        let (matching, rest) = selection.split(table.rows, true, |row| &row.socket);
        forwarded.narrow(selection, &containers, !matching.is_empty());
        if matching.is_empty() && forwarded.is_empty() {
            return Ok(snapshot);
        }
        let connected = selection.connections.then(|| Connected::new(&matching, rest));
        let pipeline = Pipeline {
            search: self.search,
            ancestors: self.parents,
            thorough: false,
            containers: Some(&mut containers),
        };
        let found = pipeline.run(matching, connected)?;
        snapshot.how.push(format!("holders: {}", found.how).as_str().into());
        snapshot.gaps.extend(found.gaps);
        snapshot.listeners = found.listeners;
        forwarded.add(selection, &mut containers, &mut snapshot);
        snapshot.gaps.extend(containers.gap());
        selection.drop_by_process(&mut snapshot, &|| os::describe_unread(&found.unread));
        notes::add(&mut snapshot);
        snapshot.sort();
        Ok(snapshot)
    }

    /// Drops the gap about sockets that are bound and do not listen unless the selection includes them, and adds what
    /// shows whether one of them holds the port.
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
}

impl Target {
    /// Returns the target with its path, if it has one, made absolute.
    pub(crate) fn at_current_directory(self) -> Target {
        match self.path().filter(|path| !path.starts_with('/')) {
            Some(path) => Target { unix: Some(Unix::Path(os::absolute(path))), ..self },
            None => self,
        }
    }
}
