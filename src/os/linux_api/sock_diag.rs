//! Dumps of sockets by `NETLINK_SOCK_DIAG` (sock_diag(7)), which inet_diag and unix_diag share.

use std::cell::RefCell;

use rustix::net::netlink::SOCK_DIAG;

use super::netlink::{Connection, NetlinkError};

const SOCK_DIAG_BY_FAMILY: u16 = 20;

/// Returns a connection for several dumps of sockets.
pub(in crate::os) fn connection() -> Connection {
    Connection::new(Some(SOCK_DIAG))
}

/// Returns the sockets in the reply to a request that `keep` accepts. `unreadable` describes a message that cannot be
/// parsed.
///
/// # Errors
/// If netlink is unavailable or refuses, and if a message cannot be parsed.
pub(super) fn sockets<T>(
    connection: &mut Connection,
    request: &[u8],
    parse: impl Fn(&[u8]) -> Option<T>,
    keep: impl Fn(&T) -> bool,
    unreadable: &'static str,
) -> Result<Vec<T>, NetlinkError> {
    let entries = RefCell::new(Vec::new());
    let mut all_read = true;
    connection.dump(
        SOCK_DIAG_BY_FAMILY,
        request,
        SOCK_DIAG_BY_FAMILY,
        &mut |message| match parse(message) {
            Some(entry) if keep(&entry) => entries.borrow_mut().push(entry),
            Some(_) => {}
            None => all_read = false,
        },
        &mut || entries.borrow_mut().clear(),
    )?;
    if all_read { Ok(entries.into_inner()) } else { Err(NetlinkError::Malformed(unreadable)) }
}
