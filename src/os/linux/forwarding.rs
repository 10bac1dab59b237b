//! What the kernel of this network namespace passes on before a socket is looked up.

use std::net::IpAddr;

use super::{bpf, nftables, xtables};
use crate::Protocol;
use crate::os::{ForwardingRules, RulesUnread};

/// Returns the rules that pass connections to a port of these addresses of this machine on. Nobody but root may read
/// them.
pub(in crate::os) fn forwarding_rules(
    protocol: Protocol,
    port: u16,
    addresses: &[IpAddr],
) -> ForwardingRules {
    if !super::privileged() || !matches!(protocol, Protocol::Tcp | Protocol::Udp) {
        return ForwardingRules::default();
    }
    let mut found = nftables::forwarding(protocol, port, addresses);
    if xtables::nat_table_has_rules() {
        found.unread.push(RulesUnread::LegacyTable);
    }
    let programs = bpf::socket_lookups().unwrap_or(0);
    if programs > 0 {
        found.unread.push(RulesUnread::SocketLookup(programs));
    }
    found
}
