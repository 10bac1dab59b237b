//! The ports of a target, and the sockets that use them.

use std::collections::BTreeMap;

use crate::bind_attempt::BindTarget;
use crate::enrich::containers::{ContainerLookup, Runtimes};
use crate::model::{Error, ErrorKind, Gap, Listener, Protocol, State, Target, Text};
use crate::os::Row;
use crate::scan::port_sockets;

/// A port, and the sockets that use it.
pub(super) struct Port {
    pub(super) target: BindTarget,
    pub(super) sockets: Vec<Listener>,
    /// Whether it has an established connection, and so may have clients.
    pub(super) connected: bool,
}

/// Returns the ports of a target. Reads the socket table once, and searches for holders once.
pub(super) fn scan_ports(target: &Target, runtimes: &Runtimes) -> Result<Vec<Port>, Error> {
    let protocol = target.protocol().unwrap_or(Protocol::Tcp);
    let single = target.single_port();
    let table = port_sockets::sockets(protocol, single, true)?;
    if !table.complete {
        return Err(incomplete(table.gaps.first()));
    }
    let target_at = |port| BindTarget {
        protocol,
        address: target.address(),
        interface: target.interface().map(Text::from),
        port,
    };
    let mut by_port: BTreeMap<u16, Port> = BTreeMap::new();
    let empty = |port| Port { target: target_at(port), sockets: Vec::new(), connected: false };
    if let Some(port) = single {
        by_port.insert(port, empty(port));
    }
    let mut wanted: Vec<Row> = Vec::new();
    for row in table.rows {
        let Some(port) = row.socket.endpoint.port().filter(|port| target.ports().contains(port)) else {
            continue;
        };
        if !row.socket.has_port_without_peer() {
            if let Some(known) = by_port.get_mut(&port) {
                known.connected |= row.socket.state == State::Established;
            }
            continue;
        }
        let known = by_port.entry(port).or_insert_with(|| empty(port));
        if known.target.overlaps(&row.socket) {
            wanted.push(row);
        }
    }
    let mut containers = ContainerLookup::new(runtimes);
    let (sockets, _) = port_sockets::holders_and_containers(wanted, &mut containers)?;
    for listener in sockets {
        let port = listener.socket.endpoint.port().and_then(|port| by_port.get_mut(&port));
        if let Some(port) = port {
            port.sockets.push(listener);
        }
    }
    Ok(by_port.into_values().collect())
}

fn incomplete(gap: Option<&Gap>) -> Error {
    let missing = gap.map_or(String::new(), |gap| format!(": {}", gap));
    Error::new(ErrorKind::SocketTable, format!("not every socket could be seen{missing}"))
}
