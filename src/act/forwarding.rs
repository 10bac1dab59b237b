//! Whether connections to a port are passed on although no socket of the port does it: by a container runtime's rules,
//! by NAT. A port is free only if a bind succeeds and nothing forwards it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{port_sockets, probe};
use crate::bind_attempt::BindTarget;
use crate::enrich::containers::Runtimes;
use crate::enrich::containers::{ContainerLookup, Found, monitors, proxy};
use crate::model::Error;
use crate::model::{
    Endpoint, Gap, GapDetail, GapKind, GapReason, Help, Listener, Outcome, Protocol, Socket, State, Text,
    UnreadRules,
};
use crate::os::{self, ForwardingRule};
use crate::plan::Forwarding;

/// What connections and rules tell of one port.
#[derive(Debug)]
pub(super) struct Evidence {
    /// The places that are forwarded.
    pub(super) forwarded: Vec<Listener>,
    /// The addresses of this machine that a connection was tried to, and what it met.
    pub(super) reached: Vec<(SocketAddr, Outcome)>,
    /// Why more may be forwarded than is known.
    pub(super) unknown: Option<Gap>,
}

impl Evidence {
    /// Returns the first address at which a connection was answered.
    pub(super) fn answered(&self) -> Option<SocketAddr> {
        self.reached.iter().find(|(_, met)| *met == Outcome::Accepts).map(|(address, _)| *address)
    }
}

/// Returns what is known of the forwarding of a port, whatever the address, for who is about to call it free.
///
/// # Errors
/// Where the socket table cannot be read.
pub(crate) fn forwarding(asked: &BindTarget, runtimes: &Runtimes) -> Result<Forwarding, Error> {
    let table = port_sockets::sockets(asked.protocol, Some(asked.port), false)?;
    let listening = port_sockets::listening(&table.rows);
    let rows = table.rows.into_iter().filter(|row| row.socket.is_listener()).collect();
    let (mut known, _) = port_sockets::holders(rows)?;
    let mut inquiry = ContainerLookup::new(runtimes);
    inquiry.name(&mut known);
    monitors::name(&mut known);
    let evidence = gather(asked, &mut inquiry, &listening, &known);
    let answered = evidence.answered();
    let forwarded: Vec<Listener> =
        evidence.forwarded.into_iter().filter(|listener| asked.overlaps(&listener.socket)).collect();
    Ok(match (forwarded.is_empty(), answered, evidence.unknown) {
        (false, ..) => Forwarding::Forwarded(forwarded),
        (true, Some(address), _) => Forwarding::Answered(address),
        (true, None, Some(gap)) => Forwarding::Unknown(gap),
        (true, None, None) => Forwarding::RuledOut,
    })
}

/// Gathers what is known of the forwarding of a port. `listening` are all listeners of the port, `known` what is known of
/// some of them.
pub(super) fn gather(
    asked: &BindTarget,
    inquiry: &mut ContainerLookup<'_>,
    listening: &[Socket],
    known: &[Listener],
) -> Evidence {
    let listens = !listening.is_empty();
    let reached = if listens { Vec::new() } else { connections(asked) };
    let found = match (reached.iter().any(|(_, met)| *met == Outcome::Accepts), listens) {
        (true, _) => Found::AnswerWithoutSocket,
        (false, true) => Found::Sockets,
        (false, false) => Found::Nothing,
    };
    let publishers = inquiry.publishers(found);
    let mut forwarded = port_sockets::forwarded(inquiry, publishers, asked, listening, known);
    let meets = |place: SocketAddr| reached.iter().find(|(at, _)| *at == place).map(|(_, met)| *met);
    let untold = drop_unreachable_loopback(&mut forwarded, &meets);
    let rules = by_rules(asked.protocol, asked.port, &forwarded, known);
    rules.complete(&mut forwarded);
    forwarded.extend(rules.forwarded);
    // Who could read all rules knows what is forwarded, whatever a runtime answers.
    let silent = if os::privileged() { None } else { inquiry.forwarding_gap() };
    // Nobody but this machine reaches a loopback address, and it was refused there.
    let is_loopback = asked.address.is_some_and(|address| address.to_canonical().is_loopback());
    let is_refused = !reached.is_empty() && reached.iter().all(|(_, met)| *met == Outcome::Refuses);
    let unknown = rules.unknown.or(untold).or(silent).filter(|_| !(is_loopback && is_refused));
    Evidence { forwarded, reached, unknown }
}

/// Drops the loopback addresses that a container runtime publishes and no rule forwards. Docker publishes 127.0.0.1 by a
/// socket of docker-proxy; its rules leave loopback alone, unless the proxy is turned off. `meets` tells what a connection
/// to an address met, if one was made. Returns a gap if some were dropped that may be forwarded.
pub(crate) fn drop_unreachable_loopback(
    forwarded: &mut Vec<Listener>,
    meets: &dyn Fn(SocketAddr) -> Option<Outcome>,
) -> Option<Gap> {
    let mut untold: Vec<SocketAddr> = Vec::new();
    forwarded.retain(|listener| {
        let socket = &listener.socket;
        let Some((address, port)) = socket.endpoint.address().zip(socket.endpoint.port()) else {
            return true;
        };
        if socket.state != State::Forwarded || !address.to_canonical().is_loopback() {
            return true;
        }
        match meets(SocketAddr::new(address, port)) {
            Some(Outcome::Accepts) => return true,
            Some(Outcome::Refuses) => return false,
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
            untold.push(SocketAddr::new(address, port));
        }
        is_forwarded
    });
    let first = untold.first()?;
    let (reason, help) = match os::privileged() {
        true => (GapReason::NotUnderstood, None),
        false => (GapReason::Permission, Some(Help::PrivilegedWhy { port: first.port() })),
    };
    let count = untold.len();
    Some(Gap::new(GapKind::Forwarding, reason, count, GapDetail::PublishedLoopback(untold), help))
}

/// What the rules of the kernel tell of one port.
#[derive(Debug, Default)]
pub(crate) struct ByRules {
    /// The places that are forwarded.
    pub(crate) forwarded: Vec<Listener>,
    /// Why more may be forwarded.
    pub(crate) unknown: Option<Gap>,
    /// The loopback addresses that this machine's own connections reach although the other addresses of their family
    /// are forwarded. Empty if no rule forwards the port.
    pub(crate) spared: Vec<IpAddr>,
}

impl ByRules {
    /// Says of what a container runtime forwards which addresses it does not.
    pub(crate) fn complete(&self, forwarded: &mut [Listener]) {
        for listener in forwarded.iter_mut().filter(|one| one.socket.state == State::Forwarded) {
            let any = listener.socket.endpoint.address().filter(IpAddr::is_unspecified);
            let spared: Vec<String> = self
                .spared
                .iter()
                .filter(|address| any.is_some_and(|any| any.is_ipv4() == address.is_ipv4()))
                .map(ToString::to_string)
                .collect();
            if let (Some(note), false) = (&listener.note, spared.is_empty()) {
                let note =
                    [note.as_bytes(), b"; ", spared.join(", ").as_bytes(), b" is not forwarded"].concat();
                listener.note = Some(note.into());
            }
        }
    }
}

/// Returns what the rules of the kernel pass on, apart from what is known to be forwarded by a container runtime.
pub(crate) fn by_rules(protocol: Protocol, port: u16, forwarded: &[Listener], known: &[Listener]) -> ByRules {
    if !os::privileged() {
        return ByRules::default();
    }
    let mut addresses: Vec<IpAddr> =
        os::local_addresses().unwrap_or_default().into_iter().map(|local| local.address).collect();
    addresses.extend([IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]);
    addresses.sort_unstable();
    addresses.dedup();
    let rules = os::forwarding_rules(protocol, port, &addresses);
    // The rules of a runtime lead where its proxy leads.
    let by_runtime = forwarded.iter().any(|one| one.container.is_some())
        || known.iter().any(|one| one.holders.iter().any(|holder| proxy::of(&holder.process).is_some()));
    let mut found: Vec<Listener> = Vec::new();
    for rule in rules.rules.iter().filter(|rule| !by_runtime || !is_runtimes(rule)) {
        for listener in listeners(rule, protocol, port, &addresses) {
            match found.iter_mut().find(|known| known.socket.order(&listener.socket).is_eq()) {
                // Of the rule for other machines' connections and the one for this machine's own, the first is told.
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

/// Whether a rule's table or chain has the name that Docker, Podman's netavark or CNI plugins give theirs.
fn is_runtimes(rule: &ForwardingRule) -> bool {
    let is_named = |name: &Text| {
        let name = name.as_bytes().to_ascii_lowercase();
        [&b"docker"[..], b"netavark", b"cni-"].iter().any(|prefix| name.starts_with(prefix))
    };
    is_named(&rule.table) || is_named(&rule.chain)
}

/// A listener for each place that a rule forwards: the wildcard of a family, if all of its addresses are.
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
    let note = describe(rule, port);
    let listener = |address: IpAddr| {
        let mut socket =
            Socket::new(protocol, Endpoint::Ip { address, port, interface: None }, State::Forwarded);
        if socket.dual_stack.is_none() {
            // A rule is of one family.
            socket.dual_stack = Some(false);
        }
        Listener { note: Some(note.as_str().into()), ..Listener::new(socket) }
    };
    places.into_iter().map(listener).collect()
}

/// `connections from other machines are forwarded to 10.0.0.2:80 by a rule of nftables (table nat, chain PREROUTING)`.
fn describe(rule: &ForwardingRule, port: u16) -> String {
    let which = if rule.is_conditional { "some connections" } else { "connections" };
    let from = if rule.is_from_here { "this machine" } else { "other machines" };
    let to = match (rule.to, rule.port) {
        (Some(to), port_there) => {
            format!("forwarded to {}", SocketAddr::new(to, port_there.unwrap_or(port)))
        }
        (None, Some(port)) => format!("forwarded to port {port}"),
        (None, None) => "forwarded".to_owned(),
    };
    let (table, chain) = (rule.table.to_string_lossy(), rule.chain.to_string_lossy());
    format!("{which} from {from} are {to} by a rule of nftables (table {table}, chain {chain})")
}

/// What could not be read or understood of the rules.
fn unread_gap(unread: &[UnreadRules]) -> Option<Gap> {
    // A process without the permission is in a namespace that others made for it, and only signs of containers count.
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

/// Connects to the addresses of this machine at which a forwarded port may be answered. Loopback alone does not tell:
/// rules of Docker leave it to docker-proxy.
fn connections(asked: &BindTarget) -> Vec<(SocketAddr, Outcome)> {
    /// The most addresses besides loopback.
    const MOST: usize = 4;
    if asked.protocol != Protocol::Tcp || asked.interface.is_some() {
        return Vec::new();
    }
    let local = os::local_addresses().unwrap_or_default();
    let is_local = |address: IpAddr| local.iter().any(|local| local.address == address);
    let addresses = match asked.address {
        Some(address) if address.is_unspecified() => probe::loopback(asked.address),
        Some(address) if address.to_canonical().is_loopback() || is_local(address) => vec![address],
        Some(_) => Vec::new(),
        None => probe::loopback(None),
    };
    let mut reached: Vec<(SocketAddr, Outcome)> = Vec::new();
    let mut try_address = |address: IpAddr| {
        let address = SocketAddr::new(address, asked.port);
        let met = probe::outcome(address);
        reached.push((address, met));
        met == Outcome::Accepts
    };
    let answered = addresses.into_iter().filter(|address| try_address(*address)).count() > 0;
    if !answered && asked.address.is_none_or(|address| address.is_unspecified()) && os::containers_run() {
        let wanted = |address: &IpAddr| {
            !address.is_loopback()
                && !is_link_local(*address)
                && asked.address.is_none_or(|asked| asked.is_ipv4() == address.is_ipv4())
        };
        local.iter().map(|local| local.address).filter(wanted).take(MOST).any(try_address);
    }
    reached
}

/// Whether an address needs an interface to be connected to.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    }
}
