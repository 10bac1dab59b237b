//! What only Linux reports of sockets.

use super::{Row, SocketTable, TableRequest, TcpDetail};
use crate::model::Text;

/// Returns nothing: only netlink on Linux reports further facts.
pub(super) fn detail(_row: &Row) -> TcpDetail {
    TcpDetail::default()
}

/// Returns nothing: only netlink on Linux identifies sockets across events.
#[cfg(feature = "cli")]
pub(super) fn cookie(_row: &Row) -> Option<u64> {
    None
}

/// Does nothing: Unix sockets are not listed on this system.
pub(super) fn find_unix_paths(_paths: &[Text], _request: &TableRequest, _table: &mut SocketTable) {}
