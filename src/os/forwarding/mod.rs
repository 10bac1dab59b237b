//! The kernel's rules that forward connections without a socket. Depends on `model` only.

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
pub(in crate::os) mod sys;

use std::cell::OnceCell;
use std::net::IpAddr;

use crate::model::{ForwardingRules, Protocol};

/// Returns the rules of the kernel that forward connections to a port at these addresses of this machine. Linux only:
/// nftables by netlink, and whether the older iptables has a NAT table. Reading them needs root.
pub(crate) fn forwarding_rules(protocol: Protocol, port: u16, addresses: &[IpAddr]) -> ForwardingRules {
    sys::KernelRules::default().forwarding(protocol, port, addresses)
}

/// The rules of the kernel and the addresses of this machine, for several protocols: each is read when it is first
/// needed, and then kept.
#[derive(Debug, Default)]
pub(crate) struct KernelRules {
    rules: sys::KernelRules,
    addresses: OnceCell<Vec<IpAddr>>,
}

impl KernelRules {
    /// Returns what `read` returned when it was first called.
    pub(crate) fn addresses(&self, read: impl FnOnce() -> Vec<IpAddr>) -> &[IpAddr] {
        self.addresses.get_or_init(read)
    }

    /// Returns what [`forwarding_rules`] returns.
    pub(crate) fn forwarding(&self, protocol: Protocol, port: u16, addresses: &[IpAddr]) -> ForwardingRules {
        self.rules.forwarding(protocol, port, addresses)
    }
}
