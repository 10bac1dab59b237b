//! Parses the socket tables of Windows' IP helper (`GetExtendedTcpTable` and `GetExtendedUdpTable`, classes
//! OWNER_MODULE): rows of a fixed layout, with the owner's pid and the time at which the socket was opened. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::model::{Endpoint, Family, Protocol, Socket, State};

/// One row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Record {
    pub(in crate::os) socket: Socket,
    /// The owner's pid; 0 if it has none any more.
    pub(in crate::os) pid: u32,
    /// The time at which it was opened, in units of 100 ns since 1601. `None` if the system does not report it.
    pub(in crate::os) opened: Option<u64>,
}

/// The offsets of the fields in a row (iprtrmib.h, tcpmib.h, udpmib.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) struct Layout {
    protocol: Protocol,
    family: Family,
    pub(in crate::os) row: usize,
    pub(in crate::os) local: usize,
    pub(in crate::os) local_port: usize,
    pub(in crate::os) state: usize,
    pub(in crate::os) remote: usize,
    pub(in crate::os) remote_port: usize,
    pub(in crate::os) pid: usize,
    pub(in crate::os) opened: usize,
}

/// `MIB_TCPROW_OWNER_MODULE`.
pub(in crate::os) const TCP4: Layout = Layout {
    protocol: Protocol::Tcp,
    family: Family::Ipv4,
    row: 160,
    local: 4,
    local_port: 8,
    state: 0,
    remote: 12,
    remote_port: 16,
    pid: 20,
    opened: 24,
};

/// `MIB_TCP6ROW_OWNER_MODULE`. The scope follows each address.
pub(in crate::os) const TCP6: Layout = Layout {
    protocol: Protocol::Tcp,
    family: Family::Ipv6,
    row: 192,
    local: 0,
    local_port: 20,
    state: 48,
    remote: 24,
    remote_port: 44,
    pid: 52,
    opened: 56,
};

/// `MIB_UDPROW_OWNER_MODULE`. It has neither state nor peer.
pub(in crate::os) const UDP4: Layout = Layout {
    protocol: Protocol::Udp,
    family: Family::Ipv4,
    row: 160,
    local: 0,
    local_port: 4,
    state: 0,
    remote: 0,
    remote_port: 0,
    pid: 8,
    opened: 16,
};

/// `MIB_UDP6ROW_OWNER_MODULE`. The scope follows the address.
pub(in crate::os) const UDP6: Layout = Layout {
    protocol: Protocol::Udp,
    family: Family::Ipv6,
    row: 176,
    local: 0,
    local_port: 20,
    state: 0,
    remote: 0,
    remote_port: 0,
    pid: 24,
    opened: 32,
};

/// The offset of the rows: the number of rows comes first, and the rows are aligned for a time.
pub(in crate::os) const ROWS_BEGIN: usize = 8;

/// Returns the records of a table. `None` if it is shorter than its number of rows requires.
pub(in crate::os) fn records(bytes: &[u8], layout: Layout) -> Option<Vec<Record>> {
    let count = usize::try_from(number(bytes, 0)?).ok()?;
    let rows = match count {
        0 => &[],
        _ => bytes.get(ROWS_BEGIN..count.checked_mul(layout.row)?.checked_add(ROWS_BEGIN)?)?,
    };
    rows.chunks_exact(layout.row).map(|row| record(row, layout)).collect()
}

fn record(row: &[u8], layout: Layout) -> Option<Record> {
    let (address, scope) = address(row, layout.local, layout.family)?;
    let port = port(row, layout.local_port)?;
    let interface = (scope != 0 && has_scope(address)).then(|| scope.to_string().as_str().into());
    let endpoint = Endpoint::Ip { address, port, interface };
    let opened = row.get(layout.opened..)?.first_chunk().copied().map(u64::from_le_bytes)?;
    let state = match layout.protocol {
        Protocol::Udp => State::Bound,
        _ => state(number(row, layout.state)?),
    };
    let mut socket = Socket::new(layout.protocol, endpoint, state);
    // A listener has no peer; these fields of its row are undefined.
    if layout.protocol == Protocol::Tcp && state != State::Listen {
        socket.peer = peer(row, layout)?;
        // A closed connection has a peer. A socket that was bound and does not listen is in no table of Windows; wine's
        // tables have it in this state (wine 10; wine 8 has no row).
        if state == State::Closed && socket.peer.is_none() && port != 0 {
            socket.state = State::Bound;
        }
    }
    Some(Record { socket, pid: number(row, layout.pid)?, opened: (opened != 0).then_some(opened) })
}

/// Returns the peer, if there is one. `None` if the row is too short.
fn peer(row: &[u8], layout: Layout) -> Option<Option<SocketAddr>> {
    let port = port(row, layout.remote_port)?;
    let peer = match address(row, layout.remote, layout.family)? {
        (IpAddr::V6(address), scope) => {
            let scope = if has_scope(address.into()) { scope } else { 0 };
            SocketAddrV6::new(address, port, 0, scope).into()
        }
        (address, _) => SocketAddr::new(address, port),
    };
    Some((port != 0).then_some(peer))
}

/// Returns an address, in network order, and its scope.
fn address(row: &[u8], at: usize, family: Family) -> Option<(IpAddr, u32)> {
    let bytes = row.get(at..)?;
    Some(match family {
        Family::Ipv4 => (Ipv4Addr::from(*bytes.first_chunk::<4>()?).into(), 0),
        _ => (Ipv6Addr::from(*bytes.first_chunk::<16>()?).into(), number(bytes, 16)?),
    })
}

/// Returns whether an address needs a scope. The field of any other address may hold anything.
fn has_scope(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local() || address.is_multicast())
}

/// Returns a port, in network order, from the first half of its field; the second half is undefined.
fn port(row: &[u8], at: usize) -> Option<u16> {
    row.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

/// Returns a number. Windows runs on little-endian processors only.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// Returns the state for a number of `MIB_TCP_STATE`.
fn state(number: u32) -> State {
    match number {
        // 12 is a connection whose control block is being deleted.
        1 | 12 => State::Closed,
        2 => State::Listen,
        3 => State::SynSent,
        4 => State::SynReceived,
        5 => State::Established,
        6 => State::FinWait1,
        7 => State::FinWait2,
        8 => State::CloseWait,
        9 => State::Closing,
        10 => State::LastAck,
        11 => State::TimeWait,
        // Newer Windows names it reserved, and its netstat bound.
        100 => State::Bound,
        _ => State::Unknown,
    }
}

/// `ERROR_INSUFFICIENT_BUFFER`.
const TOO_SMALL: u32 = 122;
/// `STATUS_UNSUCCESSFUL`, which the call sometimes returns while the table changes.
const UNSUCCESSFUL: u32 = 0xC000_0001;
/// The number of retries if the table has grown, and if the call fails without a reason.
const GROWTHS: u32 = 16;
const FAILURES: u32 = 8;

/// Why a table could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum TableRefusal {
    /// It grew with each call.
    Grows,
    /// The system's error.
    Error(u32),
}

/// Reads a table with a growing buffer, until it fits. `ask` fills the buffer that it is given, and sets the needed
/// size in bytes.
pub(in crate::os) fn whole(
    mut ask: impl FnMut(&mut [u64], &mut u32) -> u32,
) -> Result<Vec<u8>, TableRefusal> {
    let mut buffer: Vec<u64> = Vec::new();
    let (mut growths, mut failures) = (0, 0);
    loop {
        let mut size = u32::try_from(buffer.len().saturating_mul(8)).unwrap_or(u32::MAX);
        match ask(&mut buffer, &mut size) {
            0 => return Ok(buffer.into_iter().flat_map(u64::to_ne_bytes).collect()),
            TOO_SMALL if growths < GROWTHS => {
                growths += 1;
                // Room for sockets that are opened meanwhile.
                let wanted = usize::try_from(size).unwrap_or(0).div_ceil(8);
                buffer.resize(wanted.max(buffer.len()) + wanted / 4 + 64, 0);
            }
            TOO_SMALL => return Err(TableRefusal::Grows),
            UNSUCCESSFUL if failures < FAILURES => failures += 1,
            error => return Err(TableRefusal::Error(error)),
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
