//! The pipeline: reads the socket table, selects rows, scans exactly their holders, joins and enriches them, and
//! selects again. Every command that scans this machine runs it; a [`Query`] is the request.
//!
//! Depends on `os`, `select` and `enrich`. It does not bind, judge or print.

mod forwarded;
mod join;
mod pipeline;
pub(crate) mod port_sockets;

use std::path::{Path, PathBuf};

use crate::enrich::children;
use crate::enrich::containers::{ContainerLookup, Runtimes};
use crate::model::target::Unix;
use crate::model::{Error, Gap, GapReason, Help, Listener, Protocol, Snapshot, Sources};
use crate::model::{Selection, Target, Text, UserName};
use crate::os::{self, HolderSearch, Reader};
use crate::select::FilterContext;

use forwarded::ForwardedPorts;
use join::ConnectionIndex;
use pipeline::Scan;

/// A query for this machine's sockets. By default it selects all TCP and UDP listeners.
///
/// ```
/// use allears::{Protocol, Query};
///
/// let query = Query::new().protocol(Protocol::Tcp).exposed(true).command("node");
/// for listener in query.scan()?.listeners {
///     println!("{} accepts connections from other machines", listener.socket.endpoint);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
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

    /// Returns the query that repeats [`Snapshot::selections`]. Connections change by themselves and are left out.
    pub fn from_selection(selection: Selection) -> Query {
        Query { selection: Selection { connections: false, ..selection }, ..Query::default() }
    }

    /// Adds a port.
    ///
    /// # Errors
    /// If `port` is 0.
    pub fn port(self, port: u16) -> Result<Query, Error> {
        Ok(self.target(Target::port(port)?))
    }

    /// Adds a target. Several are a union. A relative path is resolved against the current directory.
    pub fn target(mut self, target: Target) -> Query {
        self.selection.targets.push(target.at_current_directory());
        self
    }

    /// Adds a protocol. Without any, TCP and UDP are selected.
    pub fn protocol(mut self, protocol: Protocol) -> Query {
        self.selection.protocols.push(protocol);
        self
    }

    /// Selects IPv4. Neither or both of IPv4 and IPv6 select both families. A dual-stack socket serves both.
    pub fn ipv4(mut self, ipv4: bool) -> Query {
        self.selection.ipv4 = ipv4;
        self
    }

    /// Selects IPv6. Neither or both of IPv4 and IPv6 select both families.
    pub fn ipv6(mut self, ipv6: bool) -> Query {
        self.selection.ipv6 = ipv6;
        self
    }

    /// Selects sockets in every state instead of listeners only.
    pub fn all(mut self, all: bool) -> Query {
        self.selection.all = all;
        self
    }

    /// Selects only sockets whose address other machines can reach. Firewalls are not considered.
    pub fn exposed(mut self, exposed: bool) -> Query {
        self.selection.exposed = exposed;
        self
    }

    /// Selects only sockets that one of the added processes holds.
    pub fn pid(mut self, pid: u32) -> Query {
        self.selection.pids.push(pid);
        self
    }

    /// Selects only sockets that belong to one of the added users or are held by a process of one.
    pub fn user(mut self, user: UserName) -> Query {
        self.selection.users.push(user);
        self
    }

    /// Selects only sockets held by a process whose name, program file or command line contains one of the added texts.
    /// Case is ignored.
    pub fn command(mut self, text: impl Into<String>) -> Query {
        self.selection.commands.push(text.into());
        self
    }

    /// Selects only sockets held by one of the added processes or a descendant of one. A process whose parent has ended is
    /// no longer a descendant. All ancestors of each holder are reported.
    ///
    /// ```
    /// use allears::Query;
    ///
    /// let own = Query::new().tree(std::process::id()).scan()?;
    /// println!("this process and its children have {} listeners", own.listeners.len());
    /// # Ok::<(), allears::Error>(())
    /// ```
    pub fn tree(mut self, pid: u32) -> Query {
        self.selection.trees.push(pid);
        self
    }

    /// Selects only sockets held by a process whose working directory is one of the added folders or below it. Symbolic
    /// links in the path are resolved if the folder exists.
    ///
    /// ```
    /// use allears::Query;
    ///
    /// for listener in Query::new().inside("/srv/shop").scan()?.listeners {
    ///     println!("{} belongs to the shop", listener.socket.endpoint);
    /// }
    /// # Ok::<(), allears::Error>(())
    /// ```
    pub fn inside(self, folder: impl AsRef<Path>) -> Query {
        let folder = folder.as_ref();
        let named = || std::path::absolute(folder).map_or_else(|_| folder.into(), Text::from);
        self.inside_exactly(os::folder(folder).unwrap_or_else(|_| named()))
    }

    /// Does what [`Query::inside`] does, with an absolute path that is kept unchanged.
    pub(crate) fn inside_exactly(mut self, folder: Text) -> Query {
        self.selection.directories.push(folder);
        self
    }

    /// Selects only people's own programs and containers, and leaves out the services of the system and of desktop
    /// sessions. The decision rests on the container, service, user, session, project and program file of each holder;
    /// docs/options.md has the rule.
    ///
    /// ```
    /// use allears::Query;
    ///
    /// for listener in Query::new().developer(true).scan()?.listeners {
    ///     println!("{} is no service of the system", listener.socket.endpoint);
    /// }
    /// # Ok::<(), allears::Error>(())
    /// ```
    pub fn developer(mut self, developer: bool) -> Query {
        self.selection.developer = developer;
        self
    }

    /// Reports all ancestors of each holder instead of its parent only, and its children.
    pub fn parents(mut self, parents: bool) -> Query {
        self.parents = parents;
        self
    }

    /// Reports the connections of each listener.
    pub fn connections(mut self, connections: bool) -> Query {
        self.selection.connections = connections;
        self
    }

    /// Scans every network namespace that can be entered instead of the caller's own. Linux only.
    pub fn all_namespaces(mut self, all_namespaces: bool) -> Query {
        self.selection.namespaces = all_namespaces;
        self
    }

    /// Sets the reader of the socket table.
    pub fn reader(mut self, reader: Reader) -> Query {
        self.reader = reader;
        self
    }

    /// Sets how holders are searched for.
    pub fn holder_search(mut self, search: HolderSearch) -> Query {
        self.search = search;
        self
    }

    /// Adds the Unix socket of a container runtime, Docker or Podman, to those at the usual paths. A runtime is contacted
    /// only if a socket may belong to a container.
    pub fn container_runtime(mut self, socket: impl Into<PathBuf>) -> Query {
        self.runtimes.named.push(socket.into());
        self
    }

    /// Sets the container runtimes.
    #[cfg(feature = "cli")]
    pub(crate) fn runtimes(mut self, runtimes: Runtimes) -> Query {
        self.runtimes = runtimes;
        self
    }

    /// Returns the query with another selection.
    #[cfg(feature = "cli")]
    pub(crate) fn with_selection(mut self, selection: Selection) -> Query {
        self.selection = selection;
        self
    }

    /// Returns which listeners the query selects.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Scans this machine.
    ///
    /// Whatever could not be read in part is a [`Gap`](crate::Gap) of the snapshot, not an error.
    ///
    /// # Errors
    /// If the socket table or the list of processes cannot be read at all, or if this system does not support the reader
    /// or the search for holders.
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
        let request = os::TableRequest {
            tcp: selection.wants(Protocol::Tcp),
            udp: selection.wants(Protocol::Udp),
            udplite: selection.wants(Protocol::UdpLite),
            sctp_dccp: selection.wants(Protocol::Sctp),
            unix: selection.wants(Protocol::Unix),
            ipv4: selection.ipv4 || !selection.ipv6,
            // An IPv6 socket may answer for IPv4.
            ipv6: true,
            all: selection.all || self.selection.connections,
            // Clients have the port at the other end.
            port: if self.selection.connections { None } else { selection.one_port() },
            namespaces: selection.namespaces,
            reader: self.reader,
            search: self.search,
        };
        let mut table = os::sockets(&request)?;
        os::find_unix_paths(&selection.unix_paths(), &request, &mut table);
        Ok(table)
    }

    /// Runs the pipeline from a socket table on: selects rows, scans their holders, joins, enriches, selects again.
    pub(crate) fn scan_table(&self, table: os::SocketTable) -> Result<Snapshot, Error> {
        self.scan_table_and_undecided(table).map(|(snapshot, _)| snapshot)
    }

    /// Does what [`Query::scan_table`] does, and also returns the listeners that the process filters dropped although
    /// they may match.
    pub(crate) fn scan_table_and_undecided(
        &self,
        table: os::SocketTable,
    ) -> Result<(Snapshot, Vec<Listener>), Error> {
        let selection = &self.selection;
        let mut snapshot = Snapshot {
            host: os::host_name(),
            os: os::SYSTEM,
            taken_at: os::now(),
            privileged: os::privileged(),
            user_namespace: os::user_namespace(),
            complete: table.complete && !(table.lacks_bound && selection.all),
            selections: Some(vec![selection.clone()]),
            listeners: Vec::new(),
            paths: table.paths,
            gaps: table.gaps,
            sources: Sources { tables: table.sources, holders: None },
        };
        if table.lacks_bound {
            self.explain_lack_of_bound(&mut snapshot.gaps);
        }
        let mut containers = ContainerLookup::new(&self.runtimes);
        let mut forwarded = ForwardedPorts::new(selection, &containers, &table.rows);
        let (matching, rest) = selection.split(table.rows, &os::SYSTEM, true, |row| &row.socket);
        forwarded.narrow(selection, &containers, !matching.is_empty());
        if matching.is_empty() && forwarded.is_empty() {
            return Ok((snapshot, Vec::new()));
        }
        let connected = selection.connections.then(|| ConnectionIndex::new(&matching, rest));
        let pipeline = Scan {
            search: self.search,
            ancestors: self.parents || selection.needs_ancestors(),
            thorough: false,
            notes: true,
            containers: Some(&mut containers),
        };
        let found = pipeline.run(matching, connected)?;
        snapshot.sources.holders = found.method;
        snapshot.gaps.extend(found.gaps);
        snapshot.listeners = found.listeners;
        forwarded.add(selection, &mut containers, &mut snapshot);
        snapshot.gaps.extend(containers.gap());
        let context = FilterContext::read(selection, &snapshot.gaps);
        let unread = || os::describe_unread(&found.unread, selection.needs_ancestors());
        let undecided = selection.drop_by_process(&mut snapshot, &context, &unread);
        if self.parents {
            children::add(&mut snapshot.listeners);
        }
        snapshot.sort();
        Ok((snapshot, undecided))
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

impl From<Target> for Query {
    fn from(target: Target) -> Query {
        Query::new().target(target)
    }
}

impl From<Selection> for Query {
    fn from(selection: Selection) -> Query {
        Query::from_selection(selection)
    }
}

impl Extend<Target> for Query {
    fn extend<T: IntoIterator<Item = Target>>(&mut self, targets: T) {
        self.selection.targets.extend(targets.into_iter().map(Target::at_current_directory));
    }
}

impl FromIterator<Target> for Query {
    fn from_iter<T: IntoIterator<Item = Target>>(targets: T) -> Query {
        let mut query = Query::new();
        query.extend(targets);
        query
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
