//! Linux.

mod belonging;
mod cgroup;
mod holders;
mod namespace;
mod procfs;
mod walk;

pub(super) use holders::{Pinned, holders, shorten_commands};

use super::portable::{self, Table};
use super::{Reader, Request, Row, SocketTable, users};
use crate::{Error, ErrorKind, Protocol, State};

/// The socket table.
pub(super) fn sockets(request: &Request) -> Result<SocketTable, Error> {
    procfs::require()?;
    if request.reader == Reader::Native {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "this version has no native reader of the socket table",
        ));
    }
    portable::collect(request, |table| {
        let mut rows = portable::read(table, true)?;
        if rows.is_empty() {
            distrust_emptiness(table)?;
        }
        if table.protocol == Protocol::Udp && !rows.is_empty() {
            complete_udp(table, &mut rows)?;
        }
        rows.retain(|row| {
            request.all || row.socket.state == State::Listen || table.protocol == Protocol::Udp
        });
        rows.sort_by_key(|row| row.socket.inode);
        rows.dedup_by(|a, b| a.socket.inode.is_some() && a.socket == b.socket);
        Ok(rows)
    })
}

/// netstat2 ends without a word where the kernel refuses a dump. /proc/net tells whether there was something.
fn distrust_emptiness(table: Table) -> Result<(), Error> {
    match procfs::net_sockets(table)? {
        listed if listed.is_empty() => Ok(()),
        listed => Err(Error::new(
            ErrorKind::SocketTable,
            format!("cannot read {}: netlink gave nothing, /proc/net lists {}", table.phrase(), listed.len()),
        )),
    }
}

/// Gives UDP sockets the state and the peer that netstat2 leaves out.
fn complete_udp(table: Table, rows: &mut [Row]) -> Result<(), Error> {
    let listed = procfs::net_sockets(table)?;
    for row in rows {
        let known = row.socket.inode.and_then(|inode| listed.get(&inode));
        // One that is no longer listed was closed since.
        row.socket.state = known.map_or(State::Closed, |socket| match socket.peer {
            Some(_) => State::Established,
            None => State::Bound,
        });
        row.socket.peer = known.and_then(|socket| socket.peer);
    }
    Ok(())
}

/// Whether this process runs as root.
pub(super) fn privileged() -> bool {
    users::own() == Some(0)
}
