//! Rules of the kernel that pass connections on without a socket.

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(in crate::os) mod sys;

use std::net::IpAddr;

use crate::model::{Protocol, Text, UnreadRules};

/// A rule of the kernel that passes connections to a port of this machine on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForwardingRule {
    /// The table of nftables it is in.
    pub(crate) table: Text,
    /// Its chain there.
    pub(crate) chain: Text,
    /// Whether it concerns connections from this machine, not those from others.
    pub(crate) is_from_here: bool,
    /// The addresses of this machine that it concerns.
    pub(crate) addresses: Vec<IpAddr>,
    /// Where connections go instead; `None` if that is this machine, or not told.
    pub(crate) to: Option<IpAddr>,
    /// The port there; `None` if it is the same, or not told.
    pub(crate) port: Option<u16>,
    /// Whether it has conditions, or others before it, that connections to the port may not meet.
    pub(crate) is_conditional: bool,
}

/// The rules that pass connections to one port on, and why there may be more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ForwardingRules {
    pub(crate) rules: Vec<ForwardingRule>,
    pub(crate) unread: Vec<UnreadRules>,
}

/// The rules of the kernel that pass connections to a port of these addresses of this machine on.
pub(crate) fn forwarding_rules(protocol: Protocol, port: u16, addresses: &[IpAddr]) -> ForwardingRules {
    sys::forwarding_rules(protocol, port, addresses)
}
