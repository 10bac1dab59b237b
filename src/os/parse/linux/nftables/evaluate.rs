//! Follows a connection to a local port through the chains of nftables. Pure.
//!
//! Comparisons of protocol, port and address are decided; any other restriction (an interface, a source, a mark) makes
//! the rule conditional. A rule whose port or address comes from a set or map that is not understood here is counted as
//! not evaluated. `conditions` decides expressions, `sets` looks up elements, and `iptables` reads the structures of
//! iptables-nft.

mod addresses;
mod conditions;
mod iptables;
mod sets;

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::expressions::{BaseChain, Element, Expression, Field, Rule, Verdict};
use crate::model::{ForwardingRule, ForwardingRules, Protocol, Text, UnreadRules};
use iptables::is_destination_target;

/// The deepest nesting of chains that is followed; the kernel allows 16.
const DEEPEST: usize = 16;
/// The most rules that are evaluated for one connection: chains may be called many times.
const MOST_STEPS: usize = 1_000_000;

/// The tables in which a rule could pass connections on.
#[derive(Debug, Default)]
pub(in crate::os) struct Chains {
    pub(in crate::os) bases: Vec<BaseChain>,
    pub(in crate::os) rules: BTreeMap<(u8, Vec<u8>, Vec<u8>), Vec<Rule>>,
    /// Whether there are more rules than were read.
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
            // Packets from other machines never go to a loopback address.
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

/// The connections that reach a rule: those to these addresses, all of them for certain, or only some.
#[derive(Debug, Clone)]
struct Path {
    addresses: Vec<IpAddr>,
    is_certain: bool,
}

/// Whether a rule applies to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Applies {
    Always,
    /// It depends on properties of the connection that are unknown.
    Perhaps,
    /// It depends on port, protocol or address, in a way that is not understood.
    Unevaluated,
}

/// The content of a register.
#[derive(Debug, Clone)]
enum Value {
    Field(Field),
    /// A field of the network header after a mask.
    Masked(u32, u32, Vec<u8>),
    Bytes(Vec<u8>),
    /// The result of a map.
    Unknown,
}

/// The action of a rule on a connection to which it applies.
enum Action {
    None,
    Verdict(Verdict),
    Destination(Destination),
    /// A map that is not understood decides.
    Unevaluated,
}

/// The new destination of a connection.
#[derive(Debug, Clone, Copy)]
struct Destination {
    to: Option<IpAddr>,
    port: Option<u16>,
    /// Whether the destination is complete: a missing part stays unchanged.
    is_known: bool,
}

impl Walk<'_> {
    /// Follows connections through a chain, and returns those that leave it at its end.
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
                    let out = self.chain(base, &to, inner, depth + 1);
                    if applies == Applies::Always {
                        // Connections that the called chain decided do not return.
                        let decided = |address: &IpAddr| {
                            addresses.contains(address) && !out.addresses.contains(address)
                        };
                        path.addresses.retain(|address| !decided(address));
                        path.is_certain &= out.is_certain;
                    } else {
                        // The called chain may have decided.
                        path.is_certain = false;
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
        // A rule with the same port of the same machine as destination forwards nothing.
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

    /// Returns the number of the transport protocol.
    fn number(&self) -> u8 {
        if self.connection.protocol == Protocol::Udp { 17 } else { 6 }
    }
}
