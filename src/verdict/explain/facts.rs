//! The facts of a verdict.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::{
    BindResult, Fact, Hindrance, LocalhostAnswer, LocalhostListener, PortUsage, Preference, VerdictKind,
};
use super::{Explanation, add_once, forwarded_from_outside};
use crate::bind_attempt::{BindOptions, BindRefusalKind};
use crate::model::compact::CompactSort as _;
use crate::model::{Family, Listener, ProbeOutcome, Process, Protocol, State, System};
use crate::os::LocalAddress;
use crate::port_sharing::PreferenceRule;

/// The most sockets that a verdict explains one by one.
const MOST_SOCKETS: usize = 16;
/// The most suspended holders that a verdict names.
const MOST_SUSPENDED: usize = 8;
/// The most listeners that a verdict names although they are not in the way.
const MOST_ELSEWHERE: usize = 4;

impl Explanation<'_> {
    /// Returns the facts, the most important first.
    pub(in crate::verdict) fn facts(&self) -> Vec<Fact> {
        let observation = self.observation;
        let mut facts = vec![self.attempts()];
        for listener in self.standing.iter().take(MOST_SOCKETS) {
            facts.extend(self.conflict(listener));
        }
        let suspended = self.suspended().into_iter();
        facts.extend(
            suspended.map(|(process, unanswered)| Fact::Suspended {
                process: Box::new(process.clone()),
                unanswered,
            }),
        );
        facts.extend(self.http_sys_servers());
        facts.extend(self.orphaned());
        facts.extend(self.shared());
        facts.extend(self.may_join());
        facts.extend(self.may_join_udp());
        if self.kind == VerdictKind::TimeWait || (self.can_bind == Some(true) && self.plain_differs()) {
            facts.push(match self.can_bind {
                Some(true) => Fact::ReuseAddressHelps,
                _ => Fact::ReuseAddressDoesNotHelp { connection: false },
            });
        }
        if self.kind == VerdictKind::Connection
            && self.can_bind == Some(false)
            && observation.decisive == BindOptions::ReuseAddress
        {
            facts.push(Fact::ReuseAddressDoesNotHelp { connection: true });
        }
        facts.extend(self.policies());
        if matches!(
            self.hindrance,
            Some(Hindrance::Privileged { .. } | Hindrance::Excluded { .. } | Hindrance::Policy { .. })
        ) && let Some(listener) = self.standing.first()
        {
            facts.push(Fact::AlsoInUse(Box::new(listener.clone())));
        }
        let denied = self.refused.is_some_and(|refusal| refusal.kind == BindRefusalKind::Denied);
        if observation.os == System::Windows
            && self.kind != VerdictKind::Reserved
            && denied
            && !self.standing.is_empty()
        {
            facts.push(Fact::ExclusiveUse);
        }
        if let Some(range) = self.ephemeral() {
            facts.push(Fact::Ephemeral { port: observation.target.port, range: range.clone() });
        }
        if observation.limits.reserved.iter().any(|range| range.contains(&observation.target.port)) {
            facts.push(Fact::LocallyReserved);
        }
        // Forwarding rules take precedence over sockets.
        let rules = observation.forwarded.iter().filter(|listener| !self.standing.contains(listener));
        facts.extend(rules.map(forwarded_from_outside));
        facts.extend(self.answered());
        facts.extend(self.nearest());
        facts.extend(self.not_in_the_way());
        facts.extend(self.localhost());
        facts.extend(self.clients());
        facts.extend(observation.other_protocol.first().map(|listener| Fact::OtherProtocol {
            target: observation.target.clone(),
            listener: Box::new(listener.clone()),
        }));
        facts
    }

    /// Returns what the attempts to bind found.
    fn attempts(&self) -> Fact {
        let mut results: Vec<BindResult> = Vec::new();
        for attempt in
            self.observation.attempts(self.observation.decisive).filter(|attempt| !attempt.lacks_family())
        {
            let address = (attempt.address, attempt.v6only);
            let error = attempt.refused.as_ref().map(|refusal| refusal.name.clone());
            match results.iter_mut().find(|known| known.error == error) {
                Some(known) => known.addresses.push(address),
                None => results.push(BindResult { addresses: vec![address], error }),
            }
        }
        Fact::BindAttempts { reuse_address: self.observation.decisive == BindOptions::ReuseAddress, results }
    }

    /// Returns why a socket is in the way.
    fn conflict(&self, listener: &Listener) -> Option<Fact> {
        let socket = &listener.socket;
        let overlap = self.observation.target.overlap(socket)?;
        let usage = match (self.kind, socket.state) {
            (VerdictKind::TimeWait, _) | (_, State::Forwarded) => return None,
            (_, State::Listen) => PortUsage::Listens,
            (_, State::Bound) if socket.protocol.is_datagram() => PortUsage::Receives,
            (_, State::Bound) => PortUsage::Bound(self.observation.history(socket)),
            _ => PortUsage::Connected,
        };
        Some(Fact::Conflict { listener: Box::new(listener.clone()), usage, overlap })
    }

    /// Returns the suspended holders, each with whether the kernel completes connections that no process answers.
    pub(super) fn suspended(&self) -> Vec<(&Process, bool)> {
        let mut found: Vec<(&Process, bool)> = Vec::new();
        for listener in self.standing.iter().take(MOST_SOCKETS) {
            let suspended = |process: &Process| process.condition.is_some();
            let nobody =
                listener.unseen.is_none() && listener.holders.iter().all(|holder| suspended(&holder.process));
            let unanswered = listener.socket.state == State::Listen && nobody;
            for process in listener.holders.iter().map(|holder| &holder.process) {
                if suspended(process) && found.len() < MOST_SUSPENDED {
                    add_once(&mut found, (process, unanswered));
                }
            }
        }
        found
    }

    /// Returns which addresses of this machine are forwarded, by connections to them.
    fn answered(&self) -> Option<Fact> {
        let met = |wanted: bool| {
            let met =
                self.observation.reached.iter().filter(|(_, met)| (*met == ProbeOutcome::Accepts) == wanted);
            met.map(|(address, _)| *address).collect::<Vec<_>>()
        };
        let (answered, others) = (met(true), met(false));
        (self.kind == VerdictKind::Forwarded && !answered.is_empty())
            .then_some(Fact::Answered { answered, others })
    }

    fn nearest(&self) -> Option<Fact> {
        let target =
            self.observation.target.address.filter(|_| self.hindrance == Some(&Hindrance::NotLocal))?;
        let nearest = nearest(target, self.observation.local.as_ref()?).into_iter();
        Some(Fact::NearestAddresses {
            family: if target.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 },
            addresses: nearest.map(|local| (local.address, local.interface.clone())).collect(),
        })
    }

    /// Returns listeners of the port that are not in the way.
    fn not_in_the_way(&self) -> impl Iterator<Item = Fact> {
        let is_elsewhere = |listener: &&Listener| {
            listener.socket.is_listener() && !self.observation.target.overlaps(&listener.socket)
        };
        let listeners = self.observation.sockets.iter().filter(is_elsewhere).take(MOST_ELSEWHERE);
        listeners.map(|listener| Fact::NotInTheWay(Box::new(listener.clone())))
    }

    /// Returns the listeners that answer at localhost, if several listen.
    fn localhost(&self) -> Option<Fact> {
        let listeners = self.observation.sockets.iter().filter(|listener| listener.socket.is_listener());
        if listeners.count() < 2 {
            return None;
        }
        let answer = |address: IpAddr| match self.observation.answerer(address) {
            Some(LocalhostListener::One(listener, decided)) => LocalhostAnswer::One {
                listener: Box::new(listener.clone()),
                preference: match (decided, self.observation.target.protocol) {
                    (PreferenceRule::ByAddress, _) => None,
                    (PreferenceRule::First, _) => Some(Preference::FirstWithInterface),
                    // IPv6 does not prefer the newest socket if they share by SO_REUSEPORT.
                    (PreferenceRule::Last, Protocol::Udp) if address.is_ipv6() => {
                        Some(Preference::ListedFirst)
                    }
                    (PreferenceRule::Last, Protocol::Udp) => Some(Preference::BoundLast),
                    (PreferenceRule::Last, _) => Some(Preference::LastWithInterface),
                },
            },
            Some(LocalhostListener::Shared(by, listeners)) => {
                LocalhostAnswer::Shared { by, listeners: listeners.into_iter().cloned().collect() }
            }
            None => LocalhostAnswer::Nobody,
        };
        Some(Fact::Localhost {
            ipv4: answer(Ipv4Addr::LOCALHOST.into()),
            ipv6: answer(Ipv6Addr::LOCALHOST.into()),
        })
    }

    fn clients(&self) -> Option<Fact> {
        let clients = &self.observation.clients;
        let standing = matches!(self.kind, VerdictKind::Listening | VerdictKind::Forwarded);
        (standing && !clients.is_empty()).then(|| Fact::Clients(clients.clone()))
    }
}

/// Returns up to three addresses that have the most leading bits in common with an address.
fn nearest(target: IpAddr, local: &[LocalAddress]) -> Vec<&LocalAddress> {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    let mut same: Vec<&LocalAddress> =
        local.iter().filter(|local| local.address.is_ipv4() == target.is_ipv4()).collect();
    same.compact_sort_by_key(|local| {
        let common = (bits(local.address) ^ bits(target)).leading_zeros();
        (local.address.is_loopback() != target.is_loopback(), std::cmp::Reverse(common), local.address)
    });
    same.truncate(3);
    same
}
