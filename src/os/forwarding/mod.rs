//! The kernel's rules that forward connections without a socket. Depends on `model` alone.

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
pub(in crate::os) mod sys;

use std::net::IpAddr;

use crate::model::{Protocol, Text, UnreadRules};

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

/// Returns the rules of the kernel that forward connections to a port at these addresses of this machine. Linux only:
/// nftables by netlink, and whether the older iptables has a NAT table. Reading them needs root.
pub(crate) fn forwarding_rules(protocol: Protocol, port: u16, addresses: &[IpAddr]) -> ForwardingRules {
    sys::forwarding_rules(protocol, port, addresses)
}
