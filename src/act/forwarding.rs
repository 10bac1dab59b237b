//! Finds out whether connections to a port are forwarded although no socket has it: by a container runtime, or by NAT.
//! A port is free only if a bind succeeds and nothing forwards it.

use std::net::{IpAddr, SocketAddr};

use super::probe;
use crate::bind_attempt::BindTarget;
use crate::enrich::containers::{ContainerLookup, Runtimes, SocketSearch};
use crate::enrich::forwarding_rules::{by_rules, drop_unreachable_loopback};
use crate::model::{Error, Gap, Listener, ProbeOutcome, Protocol, Socket};
use crate::os;
use crate::plan::Forwarding;
use crate::scan::port_sockets;

/// What connections and rules show about one port.
#[derive(Debug)]
pub(super) struct ForwardingFindings {
    /// The addresses that are forwarded, as listeners.
    pub(super) forwarded: Vec<Listener>,
    /// The addresses of this machine that a connection was attempted to, with the outcome.
    pub(super) reached: Vec<(SocketAddr, ProbeOutcome)>,
    /// Why more may be forwarded.
    pub(super) unknown: Option<Gap>,
}

impl ForwardingFindings {
    /// Returns the first address at which a connection was answered.
    pub(super) fn answered(&self) -> Option<SocketAddr> {
        self.reached.iter().find(|(_, met)| *met == ProbeOutcome::Accepts).map(|(address, _)| *address)
    }
}

/// Returns whether a port is forwarded at any address, before it is reported as free.
///
/// # Errors
/// If the socket table cannot be read.
pub(crate) fn forwarding(bind_target: &BindTarget, runtimes: &Runtimes) -> Result<Forwarding, Error> {
    let table = port_sockets::sockets(bind_target.protocol, Some(bind_target.port), false)?;
    let listening = port_sockets::listening(&table.rows);
    let rows = table.rows.into_iter().filter(|row| row.socket.is_listener()).collect();
    let mut lookup = ContainerLookup::new(runtimes);
    let (known, _) = port_sockets::holders_and_containers(rows, &mut lookup)?;
    let findings = find_forwarding(bind_target, &mut lookup, &listening, &known);
    let answered = findings.answered();
    let forwarded: Vec<Listener> =
        findings.forwarded.into_iter().filter(|listener| bind_target.overlaps(&listener.socket)).collect();
    Ok(match (forwarded.is_empty(), answered, findings.unknown) {
        (false, ..) => Forwarding::Forwarded(forwarded),
        (true, Some(address), _) => Forwarding::Answered(address),
        (true, None, Some(gap)) => Forwarding::Unknown(gap),
        (true, None, None) => Forwarding::RuledOut,
    })
}

/// Gathers the findings for one port. `listening` are all of its listeners, `known` those that were joined with their
/// holders.
pub(super) fn find_forwarding(
    bind_target: &BindTarget,
    lookup: &mut ContainerLookup<'_>,
    listening: &[Socket],
    known: &[Listener],
) -> ForwardingFindings {
    let listens = !listening.is_empty();
    let reached = if listens { Vec::new() } else { connections(bind_target) };
    let found = match (reached.iter().any(|(_, met)| *met == ProbeOutcome::Accepts), listens) {
        (true, _) => SocketSearch::AnswerWithoutSocket,
        (false, true) => SocketSearch::Sockets,
        (false, false) => SocketSearch::Nothing,
    };
    let publishers = lookup.publishers(found);
    let mut forwarded = match publishers {
        Some(publishers) => lookup.forwarded(&publishers, listening, known),
        None => Vec::new(),
    };
    forwarded.retain(|listener| {
        listener.socket.protocol == bind_target.protocol
            && listener.socket.endpoint.port() == Some(bind_target.port)
    });
    let meets = |place: SocketAddr| reached.iter().find(|(at, _)| *at == place).map(|(_, met)| *met);
    let unread = drop_unreachable_loopback(&mut forwarded, &meets);
    let rules =
        by_rules(&os::KernelRules::default(), bind_target.protocol, bind_target.port, &forwarded, known);
    rules.add_exceptions(&mut forwarded);
    forwarded.extend(rules.forwarded);
    // With all rules read, the answers of runtimes do not matter.
    let silent = if os::privileged() { None } else { lookup.forwarding_gap() };
    // Only this machine reaches a loopback address, and it was refused there.
    let is_loopback = bind_target.address.is_some_and(|address| address.to_canonical().is_loopback());
    let is_refused = !reached.is_empty() && reached.iter().all(|(_, met)| *met == ProbeOutcome::Refuses);
    let unknown = rules.unknown.or(unread).or(silent).filter(|_| !(is_loopback && is_refused));
    ForwardingFindings { forwarded, reached, unknown }
}

/// Connects to the addresses of this machine at which a forwarded port may answer. Loopback is not enough: Docker's
/// rules do not forward it.
fn connections(bind_target: &BindTarget) -> Vec<(SocketAddr, ProbeOutcome)> {
    /// The limit of addresses other than loopback.
    const MOST: usize = 4;
    if bind_target.protocol != Protocol::Tcp || bind_target.interface.is_some() {
        return Vec::new();
    }
    let local = os::local_addresses().unwrap_or_default();
    let is_local = |address: IpAddr| local.iter().any(|local| local.address == address);
    let addresses = match bind_target.address {
        Some(address) if address.is_unspecified() => probe::loopback(bind_target.address),
        Some(address) if address.to_canonical().is_loopback() || is_local(address) => vec![address],
        Some(_) => Vec::new(),
        None => probe::loopback(None),
    };
    let mut reached: Vec<(SocketAddr, ProbeOutcome)> = Vec::new();
    let mut probe_address = |address: IpAddr| {
        let address = SocketAddr::new(address, bind_target.port);
        let met = probe::probe_outcome(address);
        reached.push((address, met));
        met == ProbeOutcome::Accepts
    };
    let answered = addresses.into_iter().filter(|address| probe_address(*address)).count() > 0;
    if !answered && bind_target.address.is_none_or(|address| address.is_unspecified()) && os::containers_run()
    {
        let wanted = |address: &IpAddr| {
            !address.is_loopback()
                && !is_link_local(*address)
                && bind_target.address.is_none_or(|bind_target| bind_target.is_ipv4() == address.is_ipv4())
        };
        local.iter().map(|local| local.address).filter(wanted).take(MOST).any(probe_address);
    }
    reached
}

/// Returns whether a connection to an address needs an interface.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    }
}
