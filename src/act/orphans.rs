//! Finds connections that no process holds any more, and the holders of their other ends.

use std::net::SocketAddr;

use crate::model::{Error, Gap, GapKind, Protocol, Socket, State};
use crate::os::{self, Row};
use crate::scan::port_sockets;
use crate::verdict::Orphan;

/// The most connections whose other ends are searched for.
const MOST: usize = 64;

/// Returns the connections without a process among these rows, each with the socket of its other end and its holders if
/// that socket is on this machine. Root also reads the other network namespaces, but only if an other end is not in this
/// one.
pub(super) fn orphans(rows: &[Row]) -> (Vec<Orphan>, Vec<Gap>) {
    let mut found: Vec<Orphan> = rows.iter().filter_map(orphan).take(MOST).collect();
    let mut gaps = Vec::new();
    for namespaces in [false, true] {
        let mut ports: Vec<u16> = found
            .iter()
            .filter(|orphan| orphan.other_end.is_none())
            .map(|orphan| orphan.peer.port())
            .collect();
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
                    let is_its = |orphan: &&mut Orphan| {
                        orphan.other_end.is_none() && is_other_end(&end.socket, orphan)
                    };
                    if let Some(orphan) = found.iter_mut().find(is_its) {
                        orphan.other_end = Some(end);
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
    Some(Orphan {
        local,
        peer: socket.peer?,
        state: socket.state,
        timer: row.detail().timer,
        other_end: None,
    })
}

/// Returns the rows of the other ends of these connections that are not known yet.
fn other_ends(port: Option<u16>, namespaces: bool, orphans: &[Orphan]) -> Result<Vec<Row>, Error> {
    let mut rows = match namespaces {
        false => port_sockets::sockets(Protocol::Tcp, port, true)?.rows,
        true => port_sockets::sockets_of_all_namespaces(Protocol::Tcp, port)?.rows,
    };
    rows.retain(|row| {
        row.socket.inode.is_some()
            && orphans.iter().any(|orphan| orphan.other_end.is_none() && is_other_end(&row.socket, orphan))
    });
    Ok(rows)
}

/// Returns whether a socket has the addresses of a connection in reverse.
fn is_other_end(socket: &Socket, orphan: &Orphan) -> bool {
    let plain = |address: SocketAddr| (address.ip().to_canonical(), address.port());
    let local = socket.endpoint.address().zip(socket.endpoint.port());
    let local = local.map(|(address, port)| (address.to_canonical(), port));
    local == Some(plain(orphan.peer)) && socket.peer.map(plain) == Some(plain(orphan.local))
}
