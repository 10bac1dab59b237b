//! TCP and UDP sockets, and SCTP and DCCP sockets if the kernel has them, by `NETLINK_SOCK_DIAG` (sock_diag(7),
//! linux/inet_diag.h).
//!
//! The kernel skips its table of connections only if a request names the state LISTEN alone. Therefore listeners are a
//! request of their own, and other states are requested only if they are wanted.

use std::collections::HashSet;

use super::netlink::{Connection, NetlinkError};
use super::skipped::{FEW_READINGS, with_skipped};
use super::sock_diag;
use crate::model::{Protocol, State};
pub(in crate::os) use crate::os::parse::linux::inet_diag::{InetDiagEntry, States};
use crate::os::parse::linux::inet_diag::{parse, request};
use crate::os::parse::linux::kernel_release;
use crate::os::table_request::InetTable;

/// Returns the sockets of a table in some states, and of one port if one is given.
///
/// # Errors
/// If netlink is unavailable or refuses, and if a message cannot be read.
pub(in crate::os) fn sockets(
    table: InetTable,
    states: States,
    port: Option<u16>,
) -> Result<Vec<InetDiagEntry>, NetlinkError> {
    sockets_over(&mut sock_diag::connection(), table, states, port)
}

/// Does what [`sockets`] does, over a connection that serves several dumps.
///
/// # Errors
/// As [`sockets`].
pub(in crate::os) fn sockets_over(
    connection: &mut Connection,
    table: InetTable,
    states: States,
    port: Option<u16>,
) -> Result<Vec<InetDiagEntry>, NetlinkError> {
    let mut entries = dump(connection, table, states, port)?;
    if connection.was_paged() {
        // Of other states than those of listeners a dump may lack some: a table of connections has many buckets with
        // few sockets each, and is too long to be read twice.
        let repeated = if states == States::All { States::Listeners } else { states };
        let again = || dump(connection, table, repeated, port);
        let is_repeated = |entry: &InetDiagEntry| states != States::All || is_listener(table.protocol, entry);
        entries = with_skipped(entries, FEW_READINGS, again, is_repeated, |entry| entry.cookie)?;
    }
    if states == States::Bound {
        for entry in &mut entries {
            entry.state = State::Bound;
        }
    }
    Ok(entries)
}

/// Reads one dump. It continues by position from page to page, so that it can return a socket twice while others come and
/// go. The order stays the kernel's: it shows which of the sockets that share a port is preferred.
fn dump(
    connection: &mut Connection,
    table: InetTable,
    states: States,
    port: Option<u16>,
) -> Result<Vec<InetDiagEntry>, NetlinkError> {
    let request = request(table.family, table.protocol, states, port);
    let parse = |message: &[u8]| parse(message, table.protocol);
    let mut entries =
        sock_diag::sockets(connection, &request, parse, |_| true, "a socket that cannot be read")?;
    if connection.was_paged() {
        let mut seen = HashSet::with_capacity(entries.len());
        entries.retain(|entry| seen.insert(entry.cookie));
    }
    Ok(entries)
}

/// Returns whether the kernel returns a socket for [`States::Listeners`].
fn is_listener(protocol: Protocol, entry: &InetDiagEntry) -> bool {
    match protocol {
        Protocol::Udp | Protocol::UdpLite => entry.state != State::Established,
        _ => entry.state == State::Listen,
    }
}

/// Returns whether the running kernel lists TCP sockets that are bound and do not listen (INET_DIAG_REQ_BOUND_INACTIVE in
/// linux/inet_diag.h, since Linux 6.8), going by its release: a distribution may have added it to an older one.
pub(in crate::os) fn lists_bound() -> Option<bool> {
    Some(kernel_release::version(rustix::system::uname().release().to_bytes())? >= (6, 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Family;

    /// The kernel's first page has less than 4 KiB.
    #[test]
    fn an_answer_of_several_pages_is_recognized() {
        let open = |_| std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let opened: Vec<_> = (0..80).map(open).collect();
        let table = InetTable { protocol: Protocol::Udp, family: Family::Ipv4 };
        let read = |port| {
            let mut connection = sock_diag::connection();
            let entries = dump(&mut connection, table, States::Listeners, port).unwrap();
            (entries.len(), connection.was_paged())
        };
        let (found, was_paged) = read(None);
        assert!(found >= opened.len() && was_paged);
        let port = opened[40].local_addr().unwrap().port();
        assert_eq!(read(Some(port)), (1, false));
    }
}
