//! Follows a connection to a local port through the chains of nftables. Pure.
//!
//! What a rule compares with the protocol, the port and the address is decided; any other restriction (an interface, a
//! source, a mark) makes the rule conditional. A rule whose port or address is only known to a set or map that is not
//! understood here is counted as not evaluated.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::expressions::{BaseChain, Element, Expression, Field, Operator, Rule, Verdict};
use crate::model::{Protocol, Text, UnreadRules};
use crate::os::{ForwardingRule, ForwardingRules};

/// Chains that call each other deeper than this are not followed; the kernel allows 16.
const DEEPEST: usize = 16;
/// More rules than this are not tried for one connection: chains may be called many times.
const MOST_STEPS: usize = 1_000_000;

/// The tables in which a rule could pass connections on.
#[derive(Debug, Default)]
pub(in crate::os) struct Chains {
    pub(in crate::os) bases: Vec<BaseChain>,
    pub(in crate::os) rules: BTreeMap<(u8, Vec<u8>, Vec<u8>), Vec<Rule>>,
    /// Whether there are more rules than were kept.
    pub(in crate::os) is_cut: bool,
}

/// Connections to one port of these addresses of this machine.
#[derive(Debug, Clone, Copy)]
pub(in crate::os) struct Connection<'a> {
    pub(in crate::os) protocol: Protocol,
    pub(in crate::os) port: u16,
    pub(in crate::os) addresses: &'a [IpAddr],
}

/// Reads the elements of a set or map: family, table, set.
pub(in crate::os) type ReadSet<'a> = &'a dyn Fn(u8, &[u8], &[u8]) -> Option<Vec<Element>>;

/// Adds the rules that pass the connection on.
pub(in crate::os) fn evaluate(
    chains: &Chains,
    connection: Connection<'_>,
    read_set: ReadSet<'_>,
    found: &mut ForwardingRules,
) {
    let mut walk = Walk { chains, connection, read_set, steps: 0, unevaluated: 0, rules: Vec::new() };
    for base in &chains.bases {
        let addresses = connection.addresses.iter().copied().filter(|address| {
            // From other machines nothing comes to a loopback address.
            (base.is_output || !address.is_loopback())
                && (base.family == 1 || address.is_ipv4() == (base.family == 2))
        });
        let path = Path { addresses: addresses.collect(), is_certain: true };
        if !path.addresses.is_empty() {
            walk.chain(base, &base.name, path, 0);
        }
    }
    found.rules.append(&mut walk.rules);
    let unevaluated = walk.unevaluated + usize::from(chains.is_cut || walk.steps >= MOST_STEPS);
    if unevaluated > 0 {
        found.unread.push(UnreadRules::Unevaluated(unevaluated));
    }
}

struct Walk<'a> {
    chains: &'a Chains,
    connection: Connection<'a>,
    read_set: ReadSet<'a>,
    steps: usize,
    unevaluated: usize,
    rules: Vec<ForwardingRule>,
}

/// What reaches a rule: connections to these addresses; all of them for certain, or only some.
#[derive(Debug, Clone)]
struct Path {
    addresses: Vec<IpAddr>,
    is_certain: bool,
}

/// How far a rule applies to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Applies {
    Always,
    /// It depends on what is not known of the connection.
    Perhaps,
    /// It depends on port, protocol or address, in a way that is not understood.
    Unevaluated,
}

/// What a register holds.
#[derive(Debug, Clone)]
enum Value {
    Field(Field),
    /// A field of the network header after a mask.
    Masked(u32, u32, Vec<u8>),
    Bytes(Vec<u8>),
    /// What a map gave.
    Unknown,
}

/// What a rule does with a connection to which it applies.
enum Action {
    None,
    Verdict(Verdict),
    Destination(Destination),
    /// A map that is not understood decides.
    Unevaluated,
}

/// Where a connection goes instead.
#[derive(Debug, Clone, Copy)]
struct Destination {
    to: Option<IpAddr>,
    port: Option<u16>,
    /// Whether that is all, and what is missing stays as it is.
    is_known: bool,
}

impl Walk<'_> {
    /// Follows connections through a chain, and returns those that come out at its end.
    fn chain(&mut self, base: &BaseChain, name: &[u8], mut path: Path, depth: usize) -> Path {
        let chains = self.chains;
        let rules = chains.rules.get(&(base.family, base.table.clone(), name.to_vec()));
        for rule in rules.into_iter().flatten() {
            self.steps += 1;
            if path.addresses.is_empty() || depth > DEEPEST || self.steps >= MOST_STEPS {
                break;
            }
            let Some((addresses, applies, action)) = self.rule(rule, &path.addresses) else { continue };
            let inner = Path {
                addresses: addresses.clone(),
                is_certain: path.is_certain && applies == Applies::Always,
            };
            let is_decisive = match action {
                Action::None | Action::Verdict(Verdict::Continue) => false,
                Action::Unevaluated => {
                    self.unevaluated += 1;
                    false
                }
                Action::Destination(_) if applies == Applies::Unevaluated => {
                    self.unevaluated += 1;
                    false
                }
                Action::Destination(destination) => {
                    self.add(base, rule, &inner, destination);
                    true
                }
                Action::Verdict(Verdict::Jump(to) | Verdict::Goto(to)) if applies == Applies::Unevaluated => {
                    if self.leads_on(base, &to, 0) {
                        self.unevaluated += 1;
                    }
                    false
                }
                Action::Verdict(Verdict::Jump(to)) => {
                    let before = inner.addresses.len();
                    let out = self.chain(base, &to, inner, depth + 1);
                    if applies == Applies::Always {
                        // What the called chain decided does not come back.
                        let decided = |address: &IpAddr| {
                            addresses.contains(address) && !out.addresses.contains(address)
                        };
                        path.addresses.retain(|address| !decided(address));
                        path.is_certain &= out.is_certain;
                    } else {
                        path.is_certain &= out.addresses.len() == before && out.is_certain;
                    }
                    false
                }
                Action::Verdict(Verdict::Goto(to)) => {
                    self.chain(base, &to, inner, depth + 1);
                    true
                }
                Action::Verdict(Verdict::Accept | Verdict::Drop | Verdict::Return) => true,
            };
            if is_decisive && applies == Applies::Always {
                path.addresses.retain(|address| !addresses.contains(address));
            } else if is_decisive {
                path.is_certain = false;
            }
        }
        path
    }

    /// Returns whether a chain, or one that it calls, has a rule that passes connections on.
    fn leads_on(&mut self, base: &BaseChain, name: &[u8], depth: usize) -> bool {
        let chains = self.chains;
        let rules = chains.rules.get(&(base.family, base.table.clone(), name.to_vec()));
        depth <= DEEPEST
            && rules.into_iter().flatten().any(|rule| {
                self.steps += 1;
                self.steps < MOST_STEPS
                    && rule.expressions.iter().any(|expression| match expression {
                        Expression::Destination { .. } => true,
                        Expression::Target { name, .. } => is_destination_target(name),
                        Expression::Verdict(Verdict::Jump(to) | Verdict::Goto(to)) => {
                            self.leads_on(base, to, depth + 1)
                        }
                        _ => false,
                    })
            })
    }

    fn add(&mut self, base: &BaseChain, rule: &Rule, path: &Path, destination: Destination) {
        let Destination { to, port, is_known } = destination;
        // A rule that leads to the same port of the same machine passes nothing on.
        if is_known
            && port.is_none_or(|port| port == self.connection.port)
            && to.is_none_or(|to| self.connection.addresses.contains(&to))
        {
            return;
        }
        self.rules.push(ForwardingRule {
            table: Text::from(rule.table.as_slice()),
            chain: Text::from(rule.chain.as_slice()),
            is_from_here: base.is_output,
            addresses: path.addresses.clone(),
            to,
            port,
            is_conditional: !path.is_certain,
        });
    }

    /// Returns the addresses to which a rule applies, how far, and what it does. `None` if it applies to none.
    fn rule(&self, rule: &Rule, addresses: &[IpAddr]) -> Option<(Vec<IpAddr>, Applies, Action)> {
        let mut registers: BTreeMap<u32, Value> = BTreeMap::new();
        let mut addresses = addresses.to_vec();
        let mut applies = Applies::Always;
        let mut action = Action::None;
        for expression in &rule.expressions {
            match expression {
                Expression::Neutral => {}
                Expression::Other => applies = applies.max(Applies::Perhaps),
                Expression::Load { register, field } => {
                    registers.insert(*register, Value::Field(field.clone()));
                }
                Expression::Immediate { register, value } => {
                    registers.insert(*register, Value::Bytes(value.clone()));
                }
                Expression::Mask { from, to, mask, xor } => {
                    let value = match registers.get(from) {
                        Some(Value::Field(Field::Network { offset, length }))
                            if xor.iter().all(|byte| *byte == 0) =>
                        {
                            Value::Masked(*offset, *length, mask.clone())
                        }
                        Some(Value::Field(_)) => Value::Field(Field::Other),
                        _ => Value::Unknown,
                    };
                    registers.insert(*to, value);
                }
                Expression::Compare { register, operator, value } => {
                    let loaded = registers.get(register);
                    applies =
                        applies.max(self.compare(rule.family, loaded, *operator, value, &mut addresses)?);
                }
                Expression::Range { register, inverted, from, to } => match registers.get(register) {
                    Some(Value::Field(Field::Port)) => {
                        let port = self.connection.port.to_be_bytes();
                        let is_inside =
                            port.as_slice() >= from.as_slice() && port.as_slice() <= to.as_slice();
                        if is_inside == *inverted {
                            return None;
                        }
                    }
                    Some(Value::Field(Field::Network { .. }) | Value::Masked(..)) => {
                        applies = Applies::Unevaluated;
                    }
                    _ => applies = applies.max(Applies::Perhaps),
                },
                Expression::Lookup { register, inverted, set, to } => {
                    let looked = self.lookup(rule, &registers, *register, set, *inverted, &mut addresses)?;
                    applies = applies.max(looked.applies);
                    match to {
                        // A map of verdicts.
                        Some(0) => {
                            action = match looked.element.and_then(|element| element.verdict) {
                                Some(verdict) => Action::Verdict(verdict),
                                None => Action::Unevaluated,
                            };
                        }
                        Some(to) => {
                            let value = looked.element.and_then(|element| element.value);
                            registers.insert(*to, value.map_or(Value::Unknown, Value::Bytes));
                        }
                        None => {}
                    }
                }
                Expression::Match { name, info } => applies = applies.max(self.xt_match(name, info)?),
                Expression::Verdict(verdict) => action = Action::Verdict(verdict.clone()),
                Expression::Destination { address, port } => {
                    let bytes = |register: Option<u32>| match registers.get(&register?) {
                        Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
                        _ => None,
                    };
                    let to = bytes(*address).and_then(address_of);
                    let port_there = bytes(*port).and_then(port_of);
                    let is_known =
                        address.is_some() == to.is_some() && port.is_some() == port_there.is_some();
                    action = Action::Destination(Destination { to, port: port_there, is_known });
                }
                Expression::Target { name, revision, info } if is_destination_target(name) => {
                    action = Action::Destination(xt_destination(name, *revision, info, rule.family));
                }
                Expression::Target { name, .. } => {
                    let is_neutral = [
                        &b"LOG"[..],
                        b"NFLOG",
                        b"MARK",
                        b"CT",
                        b"CONNMARK",
                        b"TRACE",
                        b"SNAT",
                        b"MASQUERADE",
                    ]
                    .contains(&name.as_slice());
                    if !is_neutral {
                        applies = applies.max(Applies::Perhaps);
                    }
                }
            }
        }
        Some((addresses, applies, action))
    }

    /// Decides a comparison; `None` if it fails. Addresses for which it fails are removed.
    fn compare(
        &self,
        family: u8,
        loaded: Option<&Value>,
        operator: Operator,
        value: &[u8],
        addresses: &mut Vec<IpAddr>,
    ) -> Option<Applies> {
        let holds = |actual: &[u8]| {
            let order = actual.cmp(value);
            match operator {
                Operator::Equal => order.is_eq(),
                Operator::NotEqual => order.is_ne(),
                Operator::Less => order.is_lt(),
                Operator::LessOrEqual => order.is_le(),
                Operator::Greater => order.is_gt(),
                Operator::GreaterOrEqual => order.is_ge(),
            }
        };
        let decided = |is_true: bool| is_true.then_some(Applies::Always);
        match loaded {
            Some(Value::Field(Field::Protocol)) => decided(holds(&[self.number()])),
            Some(Value::Field(Field::Port)) => decided(holds(&self.connection.port.to_be_bytes())),
            Some(Value::Field(Field::AddressKind)) => {
                const RTN_LOCAL: u32 = 2;
                decided(holds(&RTN_LOCAL.to_ne_bytes()))
            }
            Some(Value::Field(Field::Family)) => {
                addresses.retain(|address| holds(&[if address.is_ipv4() { 2 } else { 10 }]));
                decided(!addresses.is_empty())
            }
            Some(Value::Field(Field::Network { offset, length })) => {
                self.compare_header(family, *offset, *length, &holds, addresses)
            }
            Some(Value::Masked(offset, length, mask)) => {
                let masked = |bytes: &[u8]| {
                    let masked: Vec<u8> = bytes.iter().zip(mask).map(|(byte, mask)| byte & mask).collect();
                    holds(&masked)
                };
                self.compare_header(family, *offset, *length, &masked, addresses)
            }
            _ => Some(Applies::Perhaps),
        }
    }

    /// Decides a comparison with bytes of the network header.
    fn compare_header(
        &self,
        family: u8,
        offset: u32,
        length: u32,
        holds: &dyn Fn(&[u8]) -> bool,
        addresses: &mut Vec<IpAddr>,
    ) -> Option<Applies> {
        let is_family = |is_ipv4: bool| family == 1 || is_ipv4 == (family == 2);
        let decided = |is_true: bool| is_true.then_some(Applies::Always);
        match (offset, length) {
            (9, 1) if is_family(true) && family == 2 => decided(holds(&[self.number()])),
            (6, 1) if family == 10 => decided(holds(&[self.number()])),
            // The address that the packet goes to, or its first bytes. In a table for both families the rule says before
            // which one it means.
            (16, 1..=4) if is_family(true) => {
                let length = usize::try_from(length).unwrap_or(4);
                addresses.retain(|address| match address {
                    IpAddr::V4(address) => holds(address.octets().get(..length).unwrap_or_default()),
                    IpAddr::V6(_) => false,
                });
                decided(!addresses.is_empty())
            }
            (24, 1..=16) if is_family(false) => {
                let length = usize::try_from(length).unwrap_or(16);
                addresses.retain(|address| match address {
                    IpAddr::V6(address) => holds(address.octets().get(..length).unwrap_or_default()),
                    IpAddr::V4(_) => false,
                });
                decided(!addresses.is_empty())
            }
            _ => Some(Applies::Perhaps),
        }
    }

    /// Decides a lookup in a set; `None` if it fails. Addresses that are not in it are removed.
    fn lookup(
        &self,
        rule: &Rule,
        registers: &BTreeMap<u32, Value>,
        register: u32,
        set: &[u8],
        inverted: bool,
        addresses: &mut Vec<IpAddr>,
    ) -> Option<Looked> {
        let other = |applies| Some(Looked { applies, element: None });
        if matches!(registers.get(&register), None | Some(Value::Field(Field::Other)))
            && !registers.values().any(|value| matches!(value, Value::Field(Field::Port)))
        {
            return other(Applies::Perhaps);
        }
        let Some(elements) = (self.read_set)(rule.family, &rule.table, set) else {
            return other(Applies::Unevaluated);
        };
        let Some(first) = elements.first() else {
            return if inverted { other(Applies::Always) } else { None };
        };
        let Some(parts) = self.parts(rule.family, registers, register, first.key.len()) else {
            return other(Applies::Unevaluated);
        };
        let is_whole = parts.iter().all(|part| !matches!(part, Part::Unknown(_)));
        let mut element: Option<Element> = None;
        let mut differs = false;
        addresses.retain(|address| {
            let found = find(&elements, &parts, *address);
            if let Some(found) = found {
                differs |= element.as_ref().is_some_and(|known| known != found);
                element.get_or_insert_with(|| found.clone());
            }
            found.is_some() != inverted
        });
        if addresses.is_empty() {
            return None;
        }
        let applies = if is_whole { Applies::Always } else { Applies::Perhaps };
        Some(Looked { applies, element: element.filter(|_| !differs && !inverted) })
    }

    /// Returns what the parts of a key that begins in this register hold.
    fn parts(
        &self,
        family: u8,
        registers: &BTreeMap<u32, Value>,
        register: u32,
        length: usize,
    ) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        let mut at = 0;
        while at < length {
            let place = register + u32::try_from(at / 4).ok()?;
            let part = match registers.get(&place)? {
                Value::Field(Field::Port) => Part::Bytes(self.connection.port.to_be_bytes().to_vec()),
                Value::Field(Field::Protocol) => Part::Bytes(vec![self.number()]),
                Value::Field(Field::Network { offset: 16, length: 4 }) if family != 10 => Part::Address(4),
                Value::Field(Field::Network { offset: 24, length: 16 }) if family != 2 => Part::Address(16),
                Value::Field(_) if at == 0 || length <= 4 => return None,
                // How long it is shows where the next one begins.
                Value::Field(_) => {
                    let next = registers.keys().find(|key| **key > place).copied();
                    let end = next.and_then(|next| usize::try_from((next - register) * 4).ok());
                    Part::Unknown(end.unwrap_or(length).min(length) - at)
                }
                _ => return None,
            };
            at += part.length().next_multiple_of(4);
            parts.push(part);
        }
        Some(parts)
    }

    /// Decides a match of iptables; `None` if it fails.
    fn xt_match(&self, name: &[u8], info: &[u8]) -> Option<Applies> {
        let port = self.connection.port;
        let short = |at: usize| Some(u16::from_ne_bytes(info.get(at..at + 2)?.try_into().ok()?));
        let ports = |at: usize| Some(short(at)?..=short(at + 2)?);
        let decided = |is_true: bool| is_true.then_some(Applies::Always);
        match name {
            // struct xt_tcp and struct xt_udp (linux/netfilter/xt_tcpudp.h).
            b"tcp" | b"udp" => {
                let is_tcp = name == b"tcp";
                if is_tcp != (self.connection.protocol == Protocol::Tcp) {
                    return None;
                }
                const INVERTS_DESTINATION: u8 = 2;
                let flags = info.get(if is_tcp { 11 } else { 8 }).copied();
                let (Some(to), Some(flags)) = (ports(4), flags) else { return Some(Applies::Unevaluated) };
                if to.contains(&port) == (flags & INVERTS_DESTINATION != 0) {
                    return None;
                }
                let all = 0..=u16::MAX;
                let is_plain = ports(0) == Some(all) && flags & !INVERTS_DESTINATION == 0;
                let of_flags = is_tcp
                    && (info.get(9).copied().unwrap_or(0) != 0 || info.get(8).copied().unwrap_or(0) != 0);
                Some(if is_plain && !of_flags { Applies::Always } else { Applies::Perhaps })
            }
            // struct xt_multiport_v1 (linux/netfilter/xt_multiport.h): flags, count, 15 ports, 15 flags, invert.
            b"multiport" => {
                const SOURCE: u8 = 0;
                let (Some(kind), Some(count), Some(inverted)) = (info.first(), info.get(1), info.get(47))
                else {
                    return Some(Applies::Unevaluated);
                };
                if *kind == SOURCE {
                    return Some(Applies::Perhaps);
                }
                let mut is_inside = false;
                let mut at = 0;
                while at < usize::from(*count).min(15) {
                    let one = short(2 + at * 2)?;
                    let is_range = info.get(32 + at).is_some_and(|flag| *flag != 0);
                    let last = if is_range { short(4 + at * 2)? } else { one };
                    is_inside |= (one..=last).contains(&port);
                    at += 1 + usize::from(is_range);
                }
                decided(is_inside != (*inverted != 0))
            }
            // struct xt_addrtype_info_v1: source, dest, flags. `--dst-type LOCAL` holds for every address here.
            b"addrtype" => {
                const LOCAL: u16 = 1 << 2;
                const INVERTS_DESTINATION: u32 = 2;
                let flags = info.get(4..8).and_then(|bytes| Some(u32::from_ne_bytes(bytes.try_into().ok()?)));
                match (short(0), short(2), flags) {
                    (Some(0), Some(LOCAL), Some(0)) => Some(Applies::Always),
                    (Some(0), Some(LOCAL), Some(INVERTS_DESTINATION)) => None,
                    _ => Some(Applies::Perhaps),
                }
            }
            b"comment" => Some(Applies::Always),
            _ => Some(Applies::Perhaps),
        }
    }

    /// The number of the transport protocol.
    fn number(&self) -> u8 {
        if self.connection.protocol == Protocol::Udp { 17 } else { 6 }
    }
}

/// What a lookup came to.
struct Looked {
    applies: Applies,
    /// The element that was found, if there is only one for all addresses.
    element: Option<Element>,
}

/// A part of a concatenated key; each begins at a multiple of four bytes.
#[derive(Debug)]
enum Part {
    Bytes(Vec<u8>),
    /// The address that the packet goes to, of so many bytes.
    Address(usize),
    /// So many bytes that are not known.
    Unknown(usize),
}

impl Part {
    fn length(&self) -> usize {
        match self {
            Part::Bytes(bytes) => bytes.len(),
            Part::Address(length) | Part::Unknown(length) => *length,
        }
    }
}

/// The element of a set for connections to an address. In a set of intervals a key begins or ends one.
fn find<'a>(elements: &'a [Element], parts: &[Part], address: IpAddr) -> Option<&'a Element> {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let bytes = |part: &Part| match part {
        Part::Bytes(bytes) => Some(Some(bytes.clone())),
        Part::Address(length) => (octets.len() == *length).then(|| Some(octets.clone())),
        Part::Unknown(_) => Some(None),
    };
    let wanted: Vec<(Option<Vec<u8>>, usize)> =
        parts.iter().map(|part| Some((bytes(part)?, part.length()))).collect::<Option<_>>()?;
    if elements.iter().all(|element| !element.is_end) {
        return elements.iter().find(|element| {
            let mut at = 0;
            wanted.iter().all(|(bytes, length)| {
                let part = element.key.get(at..at + length);
                at += length.next_multiple_of(4);
                bytes.as_ref().is_none_or(|bytes| part == Some(bytes.as_slice()))
            })
        });
    }
    let [(Some(value), _)] = wanted.as_slice() else { return None };
    let mut sorted: Vec<&Element> = elements.iter().collect();
    // Of two at one place the end comes first: the next interval begins there.
    sorted.sort_by(|a, b| a.key.cmp(&b.key).then(b.is_end.cmp(&a.is_end)));
    sorted
        .into_iter()
        .rfind(|element| element.key.as_slice() <= value.as_slice())
        .filter(|element| !element.is_end)
}

fn port_of(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?))
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}

/// Targets of iptables that give a connection another destination.
fn is_destination_target(name: &[u8]) -> bool {
    matches!(name, b"DNAT" | b"REDIRECT" | b"TPROXY" | b"NETMAP")
}

/// The destination of an iptables target, as far as it is told: struct nf_nat_range and its predecessor of IPv4 alone
/// (linux/netfilter/nf_nat.h).
fn xt_destination(name: &[u8], revision: u32, info: &[u8], family: u8) -> Destination {
    const MAPS_ADDRESSES: u32 = 1;
    const SPECIFIES_PORTS: u32 = 2;
    let is_redirect = name == b"REDIRECT";
    if !is_redirect && name != b"DNAT" {
        return Destination { to: None, port: None, is_known: false };
    }
    let number = |at: usize| Some(u32::from_ne_bytes(info.get(at..at + 4)?.try_into().ok()?));
    let port = |at: usize| Some(u16::from_be_bytes(info.get(at..at + 2)?.try_into().ok()?));
    // The older one counts its ranges first, and there is one.
    let is_old = revision == 0 && family == 2;
    let (flags, address, port) = match is_old {
        true => (number(4), info.get(8..12), port(16)),
        false => (number(0), info.get(4..if family == 2 { 8 } else { 20 }), port(36)),
    };
    let has = |flag: u32| flags.is_some_and(|flags| flags & flag != 0);
    let to = address.and_then(address_of).filter(|_| has(MAPS_ADDRESSES) && !is_redirect);
    let port = port.filter(|_| has(SPECIFIES_PORTS));
    let is_known = (to.is_some() || is_redirect) && port.is_some() == has(SPECIFIES_PORTS);
    Destination { to, port, is_known }
}
