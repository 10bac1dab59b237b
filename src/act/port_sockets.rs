//! The sockets of one port in every state, and the holders of those among them that matter.

use crate::bind_attempt::BindTarget;
use crate::enrich::containers::ContainerLookup;
use crate::model::{Error, Gap, Listener, Protocol, Snapshot, Socket};
use crate::os::{self, Request, Row, RuntimeKind, SocketTable};
use crate::os::{HolderSearch, Reader};
use crate::scan::{Processes, join};

/// Every socket of a protocol, of one port where only that is wanted.
pub(super) fn sockets(protocol: Protocol, port: Option<u16>, all: bool) -> Result<SocketTable, Error> {
    let mut table = os::sockets(&Request {
        tcp: protocol == Protocol::Tcp,
        udp: protocol == Protocol::Udp,
        udplite: protocol == Protocol::UdpLite,
        rare: false,
        unix: protocol == Protocol::Unix,
        ipv4: true,
        ipv6: true,
        all,
        port,
        namespaces: false,
        reader: Reader::Auto,
    })?;
    // A reader may give more than was asked for.
    table.rows.retain(|row| port.is_none() || row.socket.endpoint.port() == port);
    Ok(table)
}

/// The listeners among these sockets.
pub(super) fn listening(rows: &[Row]) -> Vec<Socket> {
    rows.iter().map(|row| &row.socket).filter(|socket| socket.is_listener()).cloned().collect()
}

/// What is passed on to containers at a port without a socket, whatever the address.
pub(super) fn forwarded(
    inquiry: &mut ContainerLookup<'_>,
    publishers: Option<Vec<RuntimeKind>>,
    asked: &BindTarget,
    listening: &[Socket],
    known: &[Listener],
) -> Vec<Listener> {
    let Some(publishers) = publishers else { return Vec::new() };
    let mut found = inquiry.forwarded(&publishers, listening, known);
    found.retain(|listener| {
        listener.socket.protocol == asked.protocol && listener.socket.endpoint.port() == Some(asked.port)
    });
    found
}

/// Who holds these sockets.
pub(super) fn holders(rows: Vec<Row>) -> Result<(Vec<Listener>, Vec<Gap>), Error> {
    if rows.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let search = os::holders(&rows.iter().collect::<Vec<_>>(), HolderSearch::Auto)?;
    let facts = os::describe(search.of.iter().flatten().map(|held| &held.process), false);
    let mut gaps = search.gaps;
    gaps.extend(facts.gaps);
    let mut snapshot = Snapshot {
        host: os::host_name(),
        os: std::env::consts::OS.into(),
        taken_at: os::now(),
        privileged: os::privileged(),
        user_namespace: None,
        complete: true,
        asked: None,
        listeners: Vec::new(),
        paths: Vec::new(),
        gaps: Vec::new(),
        how: Vec::new(),
    };
    let mut processes = Processes::of(facts.processes, search.of.iter());
    let found = search.of.into_iter().zip(search.unseen).zip(search.origins);
    for (row, ((held, unseen), origin)) in rows.into_iter().zip(found) {
        let mut listener = join(row.socket, held, unseen, &mut processes);
        (listener.service, listener.container) = origin;
        snapshot.listeners.push(listener);
    }
    gaps.extend(os::socket_units(&mut snapshot.listeners, true));
    os::name_users(&mut snapshot);
    snapshot.sort();
    Ok((snapshot.listeners, gaps))
}
