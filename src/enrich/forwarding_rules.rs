//! Adds the ports that rules of the kernel forward, and drops what a container runtime publishes that no rule forwards.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::management::proxy;
use crate::model::{
    Endpoint, ForwardingRule, Gap, GapDetail, GapKind, GapReason, Help, Listener, NftablesRule, Note,
    ProbeOutcome, Protocol, Socket, State, Text, UnreadRules,
};
use crate::os;

/// Drops the loopback addresses that a container runtime publishes and no rule forwards. Docker publishes 127.0.0.1
/// through a socket of docker-proxy; its rules do not forward loopback, unless the proxy is turned off. `meets` returns
/// the outcome of a connection to an address, if one was made. Returns a gap if an address was dropped that may be
/// forwarded.
pub(crate) fn drop_unreachable_loopback(
    forwarded: &mut Vec<Listener>,
    meets: &dyn Fn(SocketAddr) -> Option<ProbeOutcome>,
) -> Option<Gap> {
    let mut unread: Vec<SocketAddr> = Vec::new();
    forwarded.retain(|listener| {
        let socket = &listener.socket;
        let Some((address, port)) = socket.endpoint.address().zip(socket.endpoint.port()) else {
            return true;
        };
        if socket.state != State::Forwarded || !address.to_canonical().is_loopback() {
            return true;
        }
        match meets(SocketAddr::new(address, port)) {
            Some(ProbeOutcome::Accepts) => return true,
            Some(ProbeOutcome::Refuses) => return false,
            _ => {}
        }
        let (is_forwarded, all_read) = match os::privileged() {
            false => (false, false),
            true => {
                let rules = os::forwarding_rules(socket.protocol, port, &[address]);
                let reaches = |rule: &ForwardingRule| rule.is_from_here && rule.addresses.contains(&address);
                (rules.rules.iter().any(reaches), rules.unread.is_empty())
            }
        };
        if !is_forwarded && !all_read {
            unread.push(SocketAddr::new(address, port));
        }
        is_forwarded
    });
    let first = unread.first()?;
    let (reason, help) = match os::privileged() {
        true => (GapReason::NotUnderstood, None),
        false => (GapReason::Permission, Some(Help::PrivilegedWhy { port: first.port() })),
    };
    let count = unread.len();
    Some(Gap::new(GapKind::Forwarding, reason, count, GapDetail::PublishedLoopback(unread), help))
}

/// What rules of the kernel forward from one port.
#[derive(Debug, Default)]
pub(crate) struct ByRules {
    /// The addresses that are forwarded, as listeners.
    pub(crate) forwarded: Vec<Listener>,
    /// Why more may be forwarded.
    pub(crate) unknown: Option<Gap>,
    /// The loopback addresses that are not forwarded although the other addresses of their family are. Empty if no rule
    /// forwards the port.
    pub(crate) spared: Vec<IpAddr>,
}

impl ByRules {
    /// Adds to the notes of what a container runtime forwards which loopback addresses it does not.
    pub(crate) fn add_exceptions(&self, forwarded: &mut [Listener]) {
        for listener in forwarded.iter_mut().filter(|one| one.socket.state == State::Forwarded) {
            let any = listener.socket.endpoint.address().filter(IpAddr::is_unspecified);
            if let Some(Note::ForwardedByRuntime { not_at }) = listener.note.as_deref_mut() {
                let is_of_family =
                    |address: &&IpAddr| any.is_some_and(|any| any.is_ipv4() == address.is_ipv4());
                not_at.extend(self.spared.iter().filter(is_of_family));
            }
        }
    }
}

/// Returns what rules of the kernel forward, except what a container runtime is known to forward. Only root can read
/// them.
pub(crate) fn by_rules(
    kernel: &os::KernelRules,
    protocol: Protocol,
    port: u16,
    forwarded: &[Listener],
    known: &[Listener],
) -> ByRules {
    if !os::privileged() {
        return ByRules::default();
    }
    let addresses = kernel.addresses(|| {
        let local = os::local_addresses().unwrap_or_default();
        let mut addresses: Vec<IpAddr> = local.into_iter().map(|local| local.address).collect();
        addresses.extend([IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]);
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    });
    let rules = kernel.forwarding(protocol, port, addresses);
    // The rules of a runtime forward to where its proxy forwards.
    let by_runtime = forwarded.iter().any(|one| one.container.is_some())
        || known.iter().any(|one| one.holders.iter().any(|holder| proxy::proxy(&holder.process).is_some()));
    let mut found: Vec<Listener> = Vec::new();
    for rule in rules.rules.iter().filter(|rule| !by_runtime || !is_runtimes(rule)) {
        for listener in listeners(rule, protocol, port, addresses) {
            match found.iter_mut().find(|known| known.socket.order(&listener.socket).is_eq()) {
                // A rule for remote connections and one for local connections may forward one address: keeps the first.
                Some(_) => {}
                None => found.push(listener),
            }
        }
    }
    let unknown = unread_gap(&rules.unread);
    let is_forwarded = |address: &IpAddr| {
        rules.rules.iter().any(|rule| rule.is_from_here && rule.addresses.contains(address))
    };
    let others = |family: bool| addresses.iter().any(|one| one.is_ipv4() == family && is_forwarded(one));
    let spared = addresses
        .iter()
        .filter(|one| one.is_loopback() && others(one.is_ipv4()) && !is_forwarded(one))
        .filter(|_| unknown.is_none())
        .copied()
        .collect();
    ByRules { forwarded: found, unknown, spared }
}

/// Returns whether a rule's table or chain is named as Docker, Podman's netavark or CNI plugins name theirs.
fn is_runtimes(rule: &ForwardingRule) -> bool {
    let is_named = |name: &Text| {
        let name = name.as_bytes().to_ascii_lowercase();
        [&b"docker"[..], b"netavark", b"cni-"].iter().any(|prefix| name.starts_with(prefix))
    };
    is_named(&rule.table) || is_named(&rule.chain)
}

/// Returns a listener for each address that a rule forwards, or one for the wildcard if it forwards a whole family.
fn listeners(rule: &ForwardingRule, protocol: Protocol, port: u16, local: &[IpAddr]) -> Vec<Listener> {
    let mut places: Vec<IpAddr> = Vec::new();
    for (is_ipv4, any) in
        [(true, IpAddr::from(Ipv4Addr::UNSPECIFIED)), (false, IpAddr::from(Ipv6Addr::UNSPECIFIED))]
    {
        let of_family = |address: &&IpAddr| address.is_ipv4() == is_ipv4;
        let concerned: Vec<IpAddr> = rule.addresses.iter().filter(of_family).copied().collect();
        let mut others = local.iter().filter(of_family).filter(|address| !address.is_loopback()).peekable();
        let whole = others.peek().is_some() && others.all(|address| concerned.contains(address));
        match concerned.is_empty() {
            true => {}
            false if whole => places.push(any),
            false => places.extend(concerned),
        }
    }
    let note = NftablesRule {
        table: rule.table.clone(),
        chain: rule.chain.clone(),
        from_here: rule.is_from_here,
        conditional: rule.is_conditional,
        address: rule.to,
        port: rule.port.or(rule.to.map(|_| port)),
    };
    let listener = |address: IpAddr| {
        let mut socket =
            Socket::new(protocol, Endpoint::Ip { address, port, interface: None }, State::Forwarded);
        if socket.dual_stack.is_none() {
            // A rule is of one family.
            socket.dual_stack = Some(false);
        }
        Listener { note: Some(Box::new(Note::ForwardedByRule(note.clone()))), ..Listener::new(socket) }
    };
    places.into_iter().map(listener).collect()
}

/// Returns the gap for rules that could not be read or interpreted.
fn unread_gap(unread: &[UnreadRules]) -> Option<Gap> {
    // Root without the capability is in a user namespace: then the gap matters only if containers run.
    let counts = |unread: &&UnreadRules| **unread != UnreadRules::Permission || os::containers_run();
    let unread: Vec<&UnreadRules> = unread.iter().filter(counts).collect();
    let reason = match unread.first()? {
        UnreadRules::Permission => GapReason::Permission,
        UnreadRules::Error(_) => GapReason::Error,
        _ => GapReason::NotUnderstood,
    };
    let count = unread.len();
    let rules = unread.into_iter().cloned().collect();
    Some(Gap::new(GapKind::Forwarding, reason, count, GapDetail::ForwardingRules(rules), None))
}
