//! Rules by which the kernel of this network namespace passes connections on before it looks up a socket.

pub(in crate::os) mod nftables;
pub(in crate::os) mod xtables;

use std::cell::OnceCell;
use std::net::IpAddr;

use crate::model::{ForwardingRule, ForwardingRules, Protocol, UnreadRules};
use crate::os::holders::sys::bpf;
use crate::os::linux_api::netlink::NetlinkError;
use crate::os::parse::linux::nftables::evaluate::Chains;

/// The rules of this network namespace. Each kind is read when it is first needed, and then kept.
#[derive(Debug, Default)]
pub(in crate::os) struct KernelRules {
    nftables: OnceCell<Result<Option<Chains>, NetlinkError>>,
    legacy: OnceCell<bool>,
    /// The number of BPF programs that choose sockets.
    programs: OnceCell<u32>,
}

impl KernelRules {
    /// Returns the rules that pass on connections to a port of these addresses of this machine. Only root may read them.
    pub(in crate::os) fn forwarding(
        &self,
        protocol: Protocol,
        port: u16,
        addresses: &[IpAddr],
    ) -> ForwardingRules {
        if !crate::os::privileged() || !matches!(protocol, Protocol::Tcp | Protocol::Udp) {
            return ForwardingRules::default();
        }
        let chains = self.nftables.get_or_init(nftables::read);
        let mut found = nftables::forwarding(chains, protocol, port, addresses);
        let leaves = |rule: &ForwardingRule| rule.to.is_some_and(|to| to.is_ipv4() && !to.is_loopback());
        if found.rules.iter().any(leaves) && !loopback_may_leave() {
            for rule in found.rules.iter_mut().filter(|rule| leaves(rule)) {
                rule.addresses.retain(|address| !(address.is_ipv4() && address.is_loopback()));
            }
            found.rules.retain(|rule| !rule.addresses.is_empty());
        }
        if *self.legacy.get_or_init(xtables::nat_table_has_rules) {
            found.unread.push(UnreadRules::LegacyTable);
        }
        let programs = *self.programs.get_or_init(|| bpf::socket_lookups().unwrap_or(0));
        if programs > 0 {
            found.unread.push(UnreadRules::SocketLookup(programs));
        }
        found
    }
}

/// Returns whether a packet from 127.0.0.0/8 may leave by another interface than loopback, as one to 127.0.0.1 that a
/// rule sends elsewhere has to (`route_localnet` in the kernel's ip-sysctl documentation).
fn loopback_may_leave() -> bool {
    let Ok(interfaces) = std::fs::read_dir("/proc/sys/net/ipv4/conf") else { return true };
    interfaces.flatten().any(|interface| {
        let value = std::fs::read(interface.path().join("route_localnet"));
        value.is_ok_and(|value| value.trim_ascii() == b"1")
    })
}
