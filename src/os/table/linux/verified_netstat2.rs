//! The portable reader on Linux (`--reader netstat2`): the crate's tables, verified and completed by /proc/net.

use std::collections::{BTreeMap, BTreeSet};

use super::{add_udplite_from_proc, procfs};
use crate::model::{Error, ErrorKind, Protocol, State};
use crate::os::table::netstat2;
use crate::os::table::netstat2::Table;
use crate::os::{Request, Row, SocketTable};

/// Reads every socket in every state by the crate netstat2.
///
/// # Errors
/// If Unix sockets are requested, if a table cannot be read, and if an empty table is refuted by /proc/net.
pub(in crate::os) fn read(request: &Request) -> Result<SocketTable, Error> {
    if request.unix {
        return Err(Error::new(ErrorKind::Unsupported, "netstat2 does not read Unix sockets"));
    }
    let mut whole = netstat2::collect(request, |table| {
        // An empty table may be one that the kernel refused: it must be verified before rows are filtered.
        let mut rows = netstat2::read(table, true)?;
        if rows.is_empty() {
            rows = verify_emptiness(table)?;
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
    })?;
    // The crate does not read UDP-Lite.
    add_udplite_from_proc(procfs::own_net()?, request, &mut whole);
    let mut pids = netstat2::pids_by_inode()?;
    for row in &mut whole.rows {
        row.pids = row.socket.inode.and_then(|inode| pids.remove(&inode)).unwrap_or_default();
    }
    Ok(whole)
}

/// Verifies that a table is empty: netstat2 returns no error when the kernel refuses a dump. A socket that /proc/net lists
/// before and after a dump existed during it.
fn verify_emptiness(table: Table) -> Result<Vec<Row>, Error> {
    let before = procfs::net_sockets(procfs::own_net()?, table)?;
    if before.is_empty() {
        return Ok(Vec::new());
    }
    let rows = netstat2::read(table, true)?;
    if !rows.is_empty() {
        return Ok(rows);
    }
    let after = procfs::net_sockets(procfs::own_net()?, table)?;
    let before: BTreeSet<u64> = before.into_iter().map(|(inode, _)| inode).collect();
    match after.iter().filter(|(inode, _)| before.contains(inode)).count() {
        0 => Ok(rows),
        kept => Err(Error::new(
            ErrorKind::SocketTable,
            format!("cannot read {}: netlink gave nothing, /proc/net lists {kept}", table.phrase()),
        )),
    }
}

/// Adds the state and the peer that netstat2 does not report of UDP sockets.
fn complete_udp(table: Table, rows: &mut [Row]) -> Result<(), Error> {
    let listed = procfs::net_sockets(procfs::own_net()?, table)?;
    let listed: BTreeMap<u64, _> = listed.into_iter().collect();
    for row in rows {
        let known = row.socket.inode.and_then(|inode| listed.get(&inode));
        // A socket that is no longer listed has been closed since.
        row.socket.state = known.map_or(State::Closed, |socket| match socket.peer {
            Some(_) => State::Established,
            None => State::Bound,
        });
        row.socket.peer = known.and_then(|socket| socket.peer);
    }
    Ok(())
}
