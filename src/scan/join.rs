//! Joins sockets, holders and facts of processes to listeners, and connections to the listeners that accepted them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::model::Target;
use crate::model::compact::CompactCollect as _;
use crate::model::{
    Candidate, Connection, Help, Holder, Listener, Process, Protocol, Shared, Socket, Unseen, UnseenReason,
};
use crate::os::{self, SocketHolder};

/// Facts of processes. The sockets of a process share them.
pub(super) struct Processes {
    facts: BTreeMap<u32, Shared<Process>>,
    /// Those that still run although no facts could be read.
    undescribed: BTreeSet<u32>,
}

impl Processes {
    pub(super) fn new(facts: BTreeMap<u32, Process>, undescribed: BTreeSet<u32>) -> Processes {
        let shared = facts.into_iter().map(|(pid, process)| (pid, Shared::from(process)));
        Processes { facts: shared.collect_map(), undescribed }
    }
}

/// Joins a socket and its holders. A holder that exited meanwhile is left out.
pub(super) fn join(
    socket: Socket,
    held: Vec<SocketHolder>,
    unseen: Option<Box<Unseen>>,
    processes: &Processes,
) -> Listener {
    // Most sockets have one holder; a growing vector would allocate four.
    let holders = Vec::with_capacity(held.len());
    let mut listener = Listener { unseen, holders, ..Listener::new(socket) };
    let (mut exited, mut undescribed) = (false, false);
    for held in held {
        match processes.facts.get(&held.process.pid()) {
            Some(process) => listener.holders.push(Holder {
                process: process.clone(),
                descriptors: held.descriptors,
                evidence: held.evidence,
            }),
            None if processes.undescribed.contains(&held.process.pid()) => undescribed = true,
            None => exited = true,
        }
    }
    if undescribed && listener.unseen.is_none() {
        let (help, candidates, kernel) = (None, Vec::new(), Vec::new());
        listener.unseen = Some(Box::new(Unseen { reason: UnseenReason::Unknown, help, candidates, kernel }));
    }
    if exited && listener.holders.is_empty() && listener.unseen.is_none() {
        listener.unseen = Some(
            Unseen {
                reason: UnseenReason::Exited,
                help: Some(Help::HolderEnded),
                candidates: Vec::new(),
                kernel: Vec::new(),
            }
            .into(),
        );
    }
    listener
}

/// The connections of listeners, and the sockets at their other ends on this machine. The kernel does not report which
/// of several listeners with equal addresses accepted a connection, so it belongs to each of them.
pub(super) struct ConnectionIndex {
    /// Each connection, with the indexes of the listeners that may have accepted it.
    servers: Vec<(Vec<usize>, Socket)>,
    /// The sockets at the other ends.
    pub(super) clients: Vec<os::Row>,
}

impl ConnectionIndex {
    /// Finds the connections of these listeners among the other rows.
    pub(super) fn new(listeners: &[os::Row], rest: Vec<os::Row>) -> ConnectionIndex {
        let mut by_port: BTreeMap<Option<u16>, Vec<usize>> = BTreeMap::new();
        for (at, listener) in listeners.iter().enumerate() {
            if listener.socket.is_listener() && listener.socket.protocol == Protocol::Tcp {
                by_port.entry(listener.socket.endpoint.port()).or_default().push(at);
            }
        }
        let mut servers = Vec::new();
        let mut others = Vec::new();
        for row in rest {
            let accepting = row.socket.peer.and_then(|_| {
                let (local, port) = (row.socket.endpoint.address()?, row.socket.endpoint.port()?);
                let target = Target::exactly(row.socket.protocol, local, port);
                let on_port = by_port.get(&Some(port))?.iter();
                let rank = |at: &usize| Some((target.answered_by(&listeners.get(*at)?.socket)?, *at));
                let ranked: Vec<_> = on_port.filter_map(rank).collect();
                let best = ranked.iter().map(|(rank, _)| *rank).max()?;
                Some(ranked.into_iter().filter(|(rank, _)| *rank == best).map(|(_, at)| at).collect())
            });
            match accepting {
                Some(accepting) => servers.push((accepting, row.socket)),
                None => others.push(row),
            }
        }
        // The socket at the other end has the two addresses swapped.
        let ends: BTreeSet<Ends> = servers.iter().filter_map(|(_, server)| ends(server)).collect_set();
        let is_client =
            |row: &os::Row| ends_of_opposite(&row.socket).is_some_and(|opposite| ends.contains(&opposite));
        let clients = others.into_iter().filter(is_client).collect();
        ConnectionIndex { servers, clients }
    }

    /// Returns the connections of each listener, with the processes at their other ends.
    pub(super) fn describe(
        self,
        listeners: &[os::Row],
        held: &[Vec<SocketHolder>],
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
        for (accepting, server) in self.servers {
            let Some(peer) = server.peer else { continue };
            let mut clients = ends(&server).and_then(|ends| by_ends.remove(&ends)).unwrap_or_default();
            clients.sort_by_key(|client| client.pid);
            clients.dedup();
            let connection = Connection { peer, state: server.state, clients };
            for at in accepting {
                if let Some(list) = connections.get_mut(at) {
                    list.push(connection.clone());
                }
            }
        }
        for list in &mut connections {
            list.sort_by_key(|connection| (connection.peer, connection.state));
        }
        connections
    }
}

/// The local address and the peer's address of a connection.
type Ends = (SocketAddr, SocketAddr);

fn ends(socket: &Socket) -> Option<Ends> {
    let peer = socket.peer?;
    let local = SocketAddr::new(socket.endpoint.address()?.to_canonical(), socket.endpoint.port()?);
    Some((local, SocketAddr::new(peer.ip().to_canonical(), peer.port())))
}

fn ends_of_opposite(socket: &Socket) -> Option<Ends> {
    ends(socket).map(|(local, peer)| (peer, local))
}
