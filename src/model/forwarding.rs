//! Rules of the kernel that forward connections without a socket.

use std::net::IpAddr;

use super::{Text, UnreadRules};

/// A rule of the kernel that forwards connections to a port of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForwardingRule {
    /// Its table of nftables.
    pub(crate) table: Text,
    /// Its chain in that table.
    pub(crate) chain: Text,
    /// Whether it applies to connections from this machine, not to those from others.
    pub(crate) is_from_here: bool,
    /// The addresses of this machine that it applies to.
    pub(crate) addresses: Vec<IpAddr>,
    /// The address that connections go to instead; `None` if it is this machine's, or unknown.
    pub(crate) to: Option<IpAddr>,
    /// The port there; `None` if it is the same, or unknown.
    pub(crate) port: Option<u16>,
    /// Whether it has conditions, or others before it, that connections to the port may not meet.
    pub(crate) is_conditional: bool,
}

/// The rules that forward connections to one port, and why there may be more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ForwardingRules {
    pub(crate) rules: Vec<ForwardingRule>,
    pub(crate) unread: Vec<UnreadRules>,
}
