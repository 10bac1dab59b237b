//! The socket table of Windows: the tables of the IP helper, which report the pids of all users' processes to every
//! user.

use netstat2::{AddressFamilyFlags, ProtocolFlags, SocketInfo};

use super::netstat2 as tables;
#[cfg(feature = "cli")]
pub(super) use super::unsupported::cookie;
pub(super) use super::unsupported::{detail, find_unix_paths};
use crate::model::{Error, ErrorKind, Gap, GapDetail, GapKind, GapReason, Socket, UnlistedBound};
use crate::os::parse::windows::table;
use crate::os::table_request::InetTable;
use crate::os::{Reader, Row, SocketTable, TableRequest};

/// Reads the socket table.
pub(in crate::os) fn sockets(request: &TableRequest) -> Result<SocketTable, Error> {
    if request.namespaces {
        return Err(Error::new(ErrorKind::Unsupported, "Windows has no network namespaces"));
    }
    if request.unix {
        return Err(Error::new(ErrorKind::Unsupported, "Unix sockets are not listed on Windows"));
    }
    let mut whole = match request.reader {
        Reader::Netstat2 => tables::collect(request, |table| tables::read(table, request.all))?,
        Reader::Auto | Reader::Native => tables::collect(request, |table| read(table, request.all))?,
    };
    merge(&mut whole.rows);
    if request.all && request.tcp {
        let detail = GapDetail::BoundSockets(UnlistedBound::IpHelper);
        whole.gaps.push(Gap::new(GapKind::Sockets, GapReason::Bound, 1, detail, None));
        whole.lacks_bound = true;
    }
    if request.udp {
        let detail = GapDetail::UdpState;
        whole.gaps.push(Gap::new(GapKind::State, GapReason::Unsupported, 1, detail, None));
    }
    Ok(whole)
}

/// Returns what the table reports about a row's holders: their pids, and when they opened the socket.
pub(super) fn holder_data(row: &Row) -> Vec<u64> {
    let opened = row.opened.values().copied();
    row.pids.iter().map(|pid| u64::from(*pid)).chain(opened).collect()
}

/// Reads the sockets of one table by netstat2.
pub(super) fn netstat2_sockets(
    family: AddressFamilyFlags,
    protocol: ProtocolFlags,
) -> Result<impl Iterator<Item = Result<SocketInfo, netstat2::error::Error>>, netstat2::error::Error> {
    netstat2::iterate_sockets_info(family, protocol)
}

/// Returns a row with the processes that netstat2 names.
pub(super) fn netstat2_row(socket: Socket, info: &SocketInfo) -> Row {
    let mut pids: Vec<u32> = info.associated_pids.iter().copied().filter(|pid| *pid != 0).collect();
    pids.sort_unstable();
    pids.dedup();
    Row { socket, pids, opened: std::collections::BTreeMap::new() }
}

/// Reads one table.
fn read(table: InetTable, all: bool) -> Result<Vec<Row>, Error> {
    let (bytes, layout) =
        crate::os::windows_api::table(table, all).map_err(|error| table.unread().because(error))?;
    let records = table::records(&bytes, layout).ok_or_else(|| {
        table.unread().because(std::io::Error::other("it is shorter than its stated length"))
    })?;
    let row = |record: table::Record| {
        let pids: Vec<u32> = (record.pid != 0).then_some(record.pid).into_iter().collect();
        let opened = pids.iter().copied().zip(record.opened).collect();
        Row { socket: record.socket, pids, opened }
    };
    Ok(records.into_iter().map(row).collect())
}

/// Merges the rows of a socket that several descriptors or processes have into one row with all pids.
fn merge(rows: &mut Vec<Row>) {
    rows.sort_by(|a, b| a.socket.order(&b.socket));
    rows.dedup_by(|next, kept| {
        let same = next.socket == kept.socket;
        if same {
            kept.pids.append(&mut next.pids);
            kept.pids.sort_unstable();
            kept.pids.dedup();
            // If one pid has several such sockets, it is enough that the last one may be its own.
            for (pid, opened) in std::mem::take(&mut next.opened) {
                let known = kept.opened.entry(pid).or_default();
                *known = opened.max(*known);
            }
        }
        same
    });
}
