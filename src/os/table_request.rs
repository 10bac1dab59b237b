//! What a read of the socket table asks for. Below the topics, because some of them read parts of the table too.

use std::fmt;

use crate::model::{Error, ErrorKind, Family, HolderSearch, Protocol, Reader};

/// A request for the socket table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableRequest {
    pub(crate) tcp: bool,
    pub(crate) udp: bool,
    /// UDP-Lite, if the system has it.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no reader of this system has it"))]
    pub(crate) udplite: bool,
    /// SCTP and DCCP, if the system has them.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no reader of this system has them"))]
    pub(crate) sctp_dccp: bool,
    pub(crate) unix: bool,
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    /// Every state, not only listeners. A reader may return more than requested.
    pub(crate) all: bool,
    /// The only wanted local port. A reader may return more than requested.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "all ports are read"))]
    pub(crate) port: Option<u16>,
    /// Every visible network namespace, not only this process's.
    pub(crate) namespaces: bool,
    pub(crate) reader: Reader,
    /// How descriptors are searched for other namespaces.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has namespaces"))]
    pub(crate) search: HolderSearch,
}

/// One of the operating system's tables: a protocol and a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) struct InetTable {
    pub(in crate::os) protocol: Protocol,
    pub(in crate::os) family: Family,
}

#[cfg_attr(target_os = "macos", expect(dead_code, reason = "macOS lists all sockets of a protocol at once"))]
impl InetTable {
    /// Returns the tables that a request needs.
    pub(in crate::os) fn wanted(request: &TableRequest) -> impl Iterator<Item = InetTable> {
        let TableRequest { tcp, udp, ipv4, ipv6, .. } = *request;
        [
            (tcp && ipv4, Protocol::Tcp, Family::Ipv4),
            (tcp && ipv6, Protocol::Tcp, Family::Ipv6),
            (udp && ipv4, Protocol::Udp, Family::Ipv4),
            (udp && ipv6, Protocol::Udp, Family::Ipv6),
        ]
        .into_iter()
        .filter(|(wanted, ..)| *wanted)
        .map(|(_, protocol, family)| InetTable { protocol, family })
    }

    /// Returns the error of a table that cannot be read, without its cause.
    pub(in crate::os) fn unread(self) -> Error {
        Error::new(ErrorKind::SocketTable, format!("cannot read {self}"))
    }
}

/// The table in the text of an error.
impl fmt::Display for InetTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the table of {} sockets over {}", self.protocol, self.family)
    }
}
