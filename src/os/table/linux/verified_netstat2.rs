//! The portable reader on Linux (`--reader netstat2`): the crate's tables, verified and completed by /proc/net.

use std::collections::{BTreeMap, BTreeSet};

use netstat2::{AddressFamilyFlags, ProtocolFlags, SocketInfo};

use super::{add_udplite_from_proc, procfs};
use crate::model::compact::CompactCollect as _;
use crate::model::{Error, ErrorKind, Protocol, Socket, State};
use crate::os::table::netstat2 as tables;
use crate::os::table_request::InetTable;
use crate::os::{Row, SocketTable, TableRequest};

/// Reads every socket in every state by the crate netstat2.
///
/// # Errors
/// If Unix sockets are requested, if a table cannot be read, and if an empty table is refuted by /proc/net.
pub(in crate::os) fn read(request: &TableRequest) -> Result<SocketTable, Error> {
    if request.unix {
        return Err(Error::new(ErrorKind::Unsupported, "netstat2 does not read Unix sockets"));
    }
    let mut whole = tables::collect(request, |table| {
        // An empty table may be one that the kernel refused: it must be verified before rows are filtered.
        let mut rows = tables::read(table, true)?;
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
    let mut pids = pids_by_inode()?;
    for row in &mut whole.rows {
        row.pids = row.socket.inode.and_then(|inode| pids.remove(&inode)).unwrap_or_default();
    }
    Ok(whole)
}

/// Verifies that a table is empty: netstat2 returns no error when the kernel refuses a dump. A socket that /proc/net lists
/// before and after a dump existed during it.
fn verify_emptiness(table: InetTable) -> Result<Vec<Row>, Error> {
    let before = procfs::net_sockets(procfs::own_net()?, table)?;
    if before.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tables::read(table, true)?;
    if !rows.is_empty() {
        return Ok(rows);
    }
    let after = procfs::net_sockets(procfs::own_net()?, table)?;
    let before: BTreeSet<u64> = before.into_iter().map(|(inode, _)| inode).collect_set();
    match after.iter().filter(|(inode, _)| before.contains(inode)).count() {
        0 => Ok(rows),
        kept => Err(table.unread().because(format!("netlink gave nothing, /proc/net lists {kept}"))),
    }
}

/// Adds the state and the peer that netstat2 does not report of UDP sockets.
fn complete_udp(table: InetTable, rows: &mut [Row]) -> Result<(), Error> {
    let listed = procfs::net_sockets(procfs::own_net()?, table)?;
    let listed: BTreeMap<u64, _> = listed.into_iter().collect_map();
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

/// Reads the sockets of one table by netstat2, without pids: [`pids_by_inode`] finds those of all tables at once.
pub(in crate::os::table) fn netstat2_sockets(
    family: AddressFamilyFlags,
    protocol: ProtocolFlags,
) -> Result<impl Iterator<Item = Result<SocketInfo, netstat2::error::Error>>, netstat2::error::Error> {
    netstat2::iterate_sockets_info_without_pids(family, protocol)
}

/// Returns the pids of the holders that netstat2 finds, by the inode of the socket. The crate walks through all descriptor
/// tables, and panics if /proc cannot be opened.
fn pids_by_inode() -> Result<BTreeMap<u64, Vec<u32>>, Error> {
    let attempted = || Error::new(ErrorKind::Processes, "netstat2 cannot read the holders of sockets");
    let sockets = netstat2::iterate_sockets_info(AddressFamilyFlags::all(), ProtocolFlags::all())
        .map_err(|error| attempted().because(error))?;
    let pids = |info: SocketInfo| (u64::from(info.inode), info.associated_pids);
    Ok(sockets.filter_map(Result::ok).map(pids).collect())
}

/// Returns a row with the inode and the user that netstat2 reports, without holders.
pub(in crate::os::table) fn netstat2_row(mut socket: Socket, info: &SocketInfo) -> Row {
    socket.inode = (info.inode != 0).then_some(u64::from(info.inode));
    crate::os::linux_api::user_namespace::set_user(&mut socket, info.uid);
    Row {
        socket,
        pids: Vec::new(),
        cgroup: None,
        file: None,
        detail: crate::os::TcpDetail::default(),
        cookie: None,
    }
}
