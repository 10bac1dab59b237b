//! Connections that no process holds any more, and who has their other ends.

use std::net::SocketAddr;

use crate::model::{Gap, GapKind, Protocol, Socket, State};
use crate::os::{self, Reader, Request, Row};
use crate::scan::port_sockets;
use crate::verdict::Orphan;

/// More connections than this are not followed to their other ends.
const MOST: usize = 64;

/// Returns those of these rows that are connections without a process, each with the listener-like row of its other end if
/// that is on this machine. Other network namespaces are read, by root, only if an other end is not in this one.
pub(super) fn orphans(rows: &[Row]) -> (Vec<Orphan>, Vec<Gap>) {
    let mut found: Vec<Orphan> = rows.iter().filter_map(orphan).take(MOST).collect();
    let mut gaps = Vec::new();
    for namespaces in [false, true] {
        let mut ports: Vec<u16> =
            found.iter().filter(|orphan| orphan.far.is_none()).map(|orphan| orphan.peer.port()).collect();
        ports.sort_unstable();
        ports.dedup();
        if ports.is_empty() || (namespaces && !os::privileged()) {
            break;
        }
        let only = if let [only] = ports.as_slice() { Some(*only) } else { None };
        let ends = match other_ends(only, namespaces, &found) {
            Ok(rows) => port_sockets::holders(rows),
            Err(error) => Err(error),
        };
        match ends {
            Ok((ends, more)) => {
                gaps.extend(more);
                for end in ends {
                    let is_its =
                        |orphan: &&mut Orphan| orphan.far.is_none() && is_other_end(&end.socket, orphan);
                    if let Some(orphan) = found.iter_mut().find(is_its) {
                        orphan.far = Some(end);
                    }
                }
            }
            Err(error) => gaps.push(Gap::failed(GapKind::Sockets, os::describe_chain(&error))),
        }
    }
    (found, gaps)
}

fn orphan(row: &Row) -> Option<Orphan> {
    let socket = &row.socket;
    let is_ending = matches!(
        socket.state,
        State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck | State::CloseWait
    );
    if socket.protocol != Protocol::Tcp || socket.inode.is_some() || !is_ending {
        return None;
    }
    let local = SocketAddr::new(socket.endpoint.address()?, socket.endpoint.port()?);
    Some(Orphan { local, peer: socket.peer?, state: socket.state, timer: row.detail().timer, far: None })
}

/// The rows that are other ends of these connections.
fn other_ends(
    port: Option<u16>,
    namespaces: bool,
    orphans: &[Orphan],
) -> Result<Vec<Row>, crate::model::Error> {
    let mut rows = os::sockets(&Request {
        tcp: true,
        udp: false,
        udplite: false,
        rare: false,
        unix: false,
        ipv4: true,
        ipv6: true,
        all: true,
        port,
        namespaces,
        reader: Reader::Auto,
    })?
    .rows;
    rows.retain(|row| {
        row.socket.inode.is_some()
            && orphans.iter().any(|orphan| orphan.far.is_none() && is_other_end(&row.socket, orphan))
    });
    Ok(rows)
}

/// Whether a socket has the addresses of a connection the other way round.
fn is_other_end(socket: &Socket, orphan: &Orphan) -> bool {
    let plain = |address: SocketAddr| (address.ip().to_canonical(), address.port());
    let local = socket.endpoint.address().zip(socket.endpoint.port());
    let local = local.map(|(address, port)| (address.to_canonical(), port));
    local == Some(plain(orphan.peer)) && socket.peer.map(plain) == Some(plain(orphan.local))
}
