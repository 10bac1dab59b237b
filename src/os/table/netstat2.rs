//! The socket table by the crate netstat2: the reader on Windows, and the portable reader on Linux.
//!
//! The crate (0.11.2) reports neither backlog, v6-only flag, scope nor the state of UDP sockets, and treats an error in the
//! middle of a Linux dump as its end: on Linux an empty table must be verified.

use std::net::SocketAddr;

use netstat2::{AddressFamilyFlags, ProtocolFlags, ProtocolSocketInfo, SocketInfo, TcpState};

use super::sys;
use crate::model::{Endpoint, Error, Family, Gap, GapKind, Protocol, Socket, State};
use crate::os::table_request::InetTable;
use crate::os::{Row, SocketTable, TableRequest};

/// Reads every table that a request needs with `read`. A table that cannot be read is a gap.
///
/// # Errors
/// If no table can be read.
pub(in crate::os) fn collect(
    request: &TableRequest,
    mut read: impl FnMut(InetTable) -> Result<Vec<Row>, Error>,
) -> Result<SocketTable, Error> {
    let mut whole = SocketTable::empty();
    let mut read_one = false;
    let mut last_error = None;
    for table in InetTable::wanted(request) {
        match read(table) {
            Ok(rows) => {
                append(&mut whole.rows, rows);
                read_one = true;
            }
            Err(error) => {
                whole.complete = false;
                whole.gaps.push(Gap::failed(GapKind::Sockets, crate::os::describe_chain(&error)));
                last_error = Some(error);
            }
        }
    }
    match last_error {
        Some(error) if !read_one => Err(error),
        _ => Ok(whole),
    }
}

/// Adds rows to others. The first ones are taken as they are, and not copied: there may be a hundred thousand.
pub(in crate::os) fn append(to: &mut Vec<Row>, mut more: Vec<Row>) {
    match to.is_empty() {
        true => *to = more,
        false => to.append(&mut more),
    }
}

/// Reads one table by netstat2, without connections unless `all` sockets are wanted. UDP sockets have the state bound.
///
/// # Errors
/// If the crate reports an error.
pub(in crate::os) fn read(table: InetTable, all: bool) -> Result<Vec<Row>, Error> {
    let mut retries = 3;
    loop {
        match read_once(table, all) {
            Ok(rows) => return Ok(rows),
            // Windows fails now and then with STATUS_UNSUCCESSFUL while the table changes.
            Err(
                netstat2::error::Error::FailedToGetTcpTable(_)
                | netstat2::error::Error::FailedToGetUdpTable(_),
            ) if retries > 0 => retries -= 1,
            Err(error) => {
                return Err(table.unread().because(error));
            }
        }
    }
}

fn read_once(table: InetTable, all: bool) -> Result<Vec<Row>, netstat2::error::Error> {
    let family = match table.family {
        Family::Ipv4 => AddressFamilyFlags::IPV4,
        _ => AddressFamilyFlags::IPV6,
    };
    let protocol = match table.protocol {
        Protocol::Tcp => ProtocolFlags::TCP,
        _ => ProtocolFlags::UDP,
    };
    let mut rows = Vec::new();
    for socket in sys::netstat2_sockets(family, protocol)? {
        match socket {
            Ok(socket) if all || is_wanted(&socket) => rows.push(row(&socket)),
            Ok(_) => {}
            // A descriptor that is no internet socket, or was closed meanwhile.
            Err(
                netstat2::error::Error::NotAValidSocket | netstat2::error::Error::UnsupportedFileDescriptor,
            ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(rows)
}

/// Returns whether a socket is not a connection, as far as netstat2 reports it.
fn is_wanted(info: &SocketInfo) -> bool {
    match &info.protocol_socket_info {
        ProtocolSocketInfo::Tcp(tcp) => tcp.state == TcpState::Listen,
        ProtocolSocketInfo::Udp(_) => true,
    }
}

fn row(info: &SocketInfo) -> Row {
    let endpoint = Endpoint::Ip { address: info.local_addr(), port: info.local_port(), interface: None };
    let socket = match &info.protocol_socket_info {
        ProtocolSocketInfo::Tcp(tcp) => {
            let mut socket = Socket::new(Protocol::Tcp, endpoint, state(tcp.state));
            let connected = tcp.remote_port != 0;
            socket.peer = connected.then(|| SocketAddr::new(tcp.remote_addr, tcp.remote_port));
            socket
        }
        ProtocolSocketInfo::Udp(_) => Socket::new(Protocol::Udp, endpoint, State::Bound),
    };
    sys::netstat2_row(socket, info)
}

fn state(state: TcpState) -> State {
    match state {
        TcpState::Listen => State::Listen,
        TcpState::Closed | TcpState::DeleteTcb => State::Closed,
        TcpState::SynSent => State::SynSent,
        TcpState::SynReceived => State::SynReceived,
        TcpState::Established => State::Established,
        TcpState::FinWait1 => State::FinWait1,
        TcpState::FinWait2 => State::FinWait2,
        TcpState::CloseWait => State::CloseWait,
        TcpState::Closing => State::Closing,
        TcpState::LastAck => State::LastAck,
        TcpState::TimeWait => State::TimeWait,
        TcpState::Unknown => State::Unknown,
    }
}
