//! Why a port can or cannot be had: observed facts in, verdict out. Pure: nothing is looked at here, so that every
//! case can be tried without a machine that is in it.

mod advice;
mod facts;
mod hindrance;
mod named;
mod overlap;
mod reason;
mod windows;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use facts::Case;
pub use hindrance::{Hindrance, Suspect};
use named::passes_on;
pub(crate) use named::{stop_service, store_releases};

use crate::act::bind::{Attempt, Options, Refusal, RefusalKind};
use crate::manager::Account;
use crate::os::{Limits, Local, Policies, Served};
use crate::{Connection, Gap, Listener, Outcome, Protocol, State, Target, Text};

/// What was asked for: one port of one protocol, at one address or at all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Asked {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The address; `None` for the wildcards of both families.
    pub address: Option<IpAddr>,
    /// The interface, where one was named with a link-local address.
    pub interface: Option<Text>,
    /// The port.
    pub port: u16,
}

/// What was asked for, as one types it: `udp/53`, `[fe80::1%eth0]:8080`.
impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.protocol != Protocol::Tcp {
            write!(f, "{}/", self.protocol.as_str())?;
        }
        let port = self.port;
        match (self.address, &self.interface) {
            (None, _) => write!(f, "{port}"),
            (Some(IpAddr::V6(address)), Some(name)) => {
                write!(f, "[{address}%{}]:{port}", name.to_string_lossy())
            }
            (Some(address), _) => write!(f, "{}", SocketAddr::new(address, port)),
        }
    }
}

/// What kind of answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerdictKind {
    /// Nothing stands in the way.
    Free,
    /// A listener has it.
    Listening,
    /// A socket has it that was bound and never listened on.
    Bound,
    /// Connections that were closed still linger.
    TimeWait,
    /// A connection has it as its local port.
    Connection,
    /// The system keeps it for privileged programs.
    Privileged,
    /// The machine keeps it back.
    Reserved,
    /// The address belongs to another machine, or to none.
    AddressNotLocal,
    /// Connections to it are answered from elsewhere.
    Forwarded,
    /// It is not known why it cannot be had, or not even whether.
    Unknown,
}

/// The answer to why a port can or cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What was asked for.
    pub asked: Asked,
    /// What kind of answer it is.
    pub kind: VerdictKind,
    /// Whether a bind succeeded, tried as servers do; `None` where the attempt itself could not be made.
    pub can_bind: Option<bool>,
    /// The error's name where it did not: `EADDRINUSE`.
    pub error: Option<String>,
    /// What forbids it where no socket is in the way.
    pub hindrance: Option<Hindrance>,
    /// The answer in one phrase. Like all text here it may hold names from outside, unescaped.
    pub reason: String,
    /// The sockets that stand in the way.
    pub standing_in_the_way: Vec<Listener>,
    /// What a connection to the name localhost meets.
    pub localhost: Localhost,
    /// What was observed.
    pub facts: Vec<String>,
    /// What would help.
    pub advice: Vec<String>,
    /// Who is connected to the listeners of the port. Clients are never in the way of a listener's end.
    pub clients: Vec<Connection>,
    /// What could not be observed.
    pub gaps: Vec<Gap>,
}

/// What a connection to the name localhost meets, by address family.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Localhost {
    /// The listener at 127.0.0.1.
    pub ipv4: Option<Listener>,
    /// The listener at ::1.
    pub ipv6: Option<Listener>,
}

/// Everything a verdict rests on.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    pub(crate) asked: Asked,
    /// The system: what helps differs.
    pub(crate) os: &'static str,
    /// Sockets of the port and protocol, in every state that may matter.
    pub(crate) sockets: Vec<Listener>,
    /// Sockets of the same port and the other protocol.
    pub(crate) other_protocol: Vec<Listener>,
    pub(crate) attempts: Vec<Attempt>,
    /// The options that decide.
    pub(crate) decisive: Options,
    pub(crate) limits: Limits,
    pub(crate) local: Option<Vec<Local>>,
    /// What applies to this process; read only if a bind was denied.
    pub(crate) policies: Option<Policies>,
    /// Ports of this number and protocol that are passed on to containers without a socket.
    pub(crate) forwarded: Vec<Listener>,
    /// What the kernel's own web server serves at the port.
    pub(crate) served: Vec<Served>,
    /// Where a connection was answered though nothing listens.
    pub(crate) answered: Option<SocketAddr>,
    /// The addresses of this machine that a connection was tried to, and what it met.
    pub(crate) reached: Vec<(SocketAddr, Outcome)>,
    /// Whether there are signs of forwarding, and what is forwarded could not be read in full.
    pub(crate) forwarding_unknown: bool,
    pub(crate) time_wait_left: Option<Duration>,
    pub(crate) clients: Vec<Connection>,
    /// The asking user.
    pub(crate) uid: Option<u32>,
    /// The accounts of the holders' users, by uid.
    pub(crate) accounts: BTreeMap<u32, Account>,
    pub(crate) gaps: Vec<Gap>,
}

impl VerdictKind {
    /// The kind's name in lower case with hyphens: `time-wait`.
    pub fn as_str(self) -> &'static str {
        match self {
            VerdictKind::Free => "free",
            VerdictKind::Listening => "listening",
            VerdictKind::Bound => "bound",
            VerdictKind::TimeWait => "time-wait",
            VerdictKind::Connection => "connection",
            VerdictKind::Privileged => "privileged",
            VerdictKind::Reserved => "reserved",
            VerdictKind::AddressNotLocal => "address-not-local",
            VerdictKind::Forwarded => "forwarded",
            VerdictKind::Unknown => "unknown",
        }
    }
}

impl fmt::Display for VerdictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
/// The sockets of a port that want what is asked for, by what they are doing.
#[derive(Default)]
struct Sorted {
    listening: Vec<Listener>,
    bound: Vec<Listener>,
    connections: Vec<Listener>,
    time_wait: Vec<Listener>,
}

impl Sorted {
    fn of(asked: &Asked, sockets: &[Listener]) -> Sorted {
        let mut sorted = Sorted::default();
        let overlapping = sockets.iter().filter(|listener| asked.overlaps(&listener.socket)).count();
        // A connection may have been bound to a wildcard before it had a peer, and its address does not show that.
        let may_be = |listener: &&Listener| {
            asked.overlaps(&listener.socket)
                || (overlapping == 0
                    && listener.socket.peer.is_some()
                    && listener.socket.protocol == asked.protocol
                    && listener.socket.endpoint.port() == Some(asked.port))
        };
        for listener in sockets.iter().filter(may_be) {
            let place = match (listener.socket.state, listener.socket.protocol) {
                _ if listener.socket.is_listener() => &mut sorted.listening,
                (State::Bound, _) | (State::Closed, Protocol::Udp) => &mut sorted.bound,
                (State::TimeWait, _) => &mut sorted.time_wait,
                _ => &mut sorted.connections,
            };
            place.push(listener.clone());
        }
        sorted
    }

    /// Whether a socket without a peer has the port.
    fn has_port(&self) -> bool {
        !self.listening.is_empty() || !self.bound.is_empty()
    }

    /// What has the port without a peer, or else those with one.
    fn first(&self) -> (VerdictKind, Vec<Listener>) {
        let own = || self.listening.iter().chain(&self.bound).cloned().collect();
        match () {
            () if self.listening.iter().any(passes_on) => (VerdictKind::Forwarded, own()),
            () if !self.listening.is_empty() => (VerdictKind::Listening, own()),
            () if !self.bound.is_empty() => (VerdictKind::Bound, own()),
            () if !self.connections.is_empty() => (VerdictKind::Connection, self.connections.clone()),
            () if !self.time_wait.is_empty() => (VerdictKind::TimeWait, self.time_wait.clone()),
            () => (VerdictKind::Unknown, Vec::new()),
        }
    }
}

/// Judges what was observed.
pub(crate) fn judge(seen: Observation) -> Verdict {
    let port = seen.asked.port;
    let sorted = Sorted::of(&seen.asked, &seen.sockets);
    let refused = seen.refusal(seen.decisive);
    let can_bind = match refused {
        None if !seen.was_tried() => None,
        Some(Refusal { kind: RefusalKind::Other | RefusalKind::NoFamily, .. }) => None,
        refused => Some(refused.is_none()),
    };
    let plain_in_use = seen.refusal(Options::Plain).is_some_and(|refusal| refusal.kind == RefusalKind::InUse);
    let reserved = seen.limits.reserved.iter().any(|range| range.contains(&port));
    let forwarded: Vec<Listener> =
        seen.forwarded.iter().filter(|listener| seen.asked.overlaps(&listener.socket)).cloned().collect();
    let own = || sorted.listening.iter().chain(&sorted.bound).cloned().collect();
    let hindrance = refused.and_then(|refusal| seen.hindrance(refusal));
    let (kind, standing_in_the_way) = match refused.map(|refusal| refusal.kind) {
        None if can_bind.is_none() => (VerdictKind::Unknown, Vec::new()),
        None if plain_in_use && sorted.has_port() => sorted.first(),
        // Rules come before connections that linger.
        None if !forwarded.is_empty() => (VerdictKind::Forwarded, forwarded),
        None if seen.answered.is_some() => (VerdictKind::Forwarded, Vec::new()),
        None if plain_in_use && sorted.first().0 != VerdictKind::Unknown => sorted.first(),
        None if seen.forwarding_unknown && sorted.listening.is_empty() => (VerdictKind::Unknown, Vec::new()),
        None if reserved => (VerdictKind::Reserved, Vec::new()),
        None => (VerdictKind::Free, Vec::new()),
        Some(RefusalKind::InUse) => match sorted.first() {
            (VerdictKind::Unknown, _) if !forwarded.is_empty() => (VerdictKind::Forwarded, forwarded),
            (VerdictKind::Unknown, _) if seen.answered.is_some() => (VerdictKind::Forwarded, Vec::new()),
            first => first,
        },
        Some(RefusalKind::Denied) => match hindrance {
            Some(Hindrance::Privileged { .. }) => (VerdictKind::Privileged, own()),
            Some(Hindrance::Excluded { .. }) => (VerdictKind::Reserved, own()),
            Some(_) => (VerdictKind::Unknown, own()),
            // Windows answers so if another socket has the port for itself alone.
            None => sorted.first(),
        },
        Some(RefusalKind::NotLocal) => (VerdictKind::AddressNotLocal, Vec::new()),
        Some(RefusalKind::NoFamily | RefusalKind::Other) => (VerdictKind::Unknown, Vec::new()),
    };
    let error = refused.map(|refusal| refusal.name.clone());
    let case = Case {
        seen: &seen,
        sorted: &sorted,
        kind,
        can_bind,
        refused,
        hindrance: hindrance.as_ref(),
        standing: &standing_in_the_way,
    };
    let (reason, facts, advice) = (case.reason(), case.facts(), case.advice());
    let localhost = seen.localhost();
    let Observation { asked, clients, gaps, .. } = seen;
    Verdict {
        asked,
        kind,
        can_bind,
        error,
        hindrance,
        reason,
        standing_in_the_way,
        localhost,
        facts,
        advice,
        clients,
        gaps,
    }
}

impl Observation {
    fn attempts(&self, options: Options) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(move |attempt| attempt.options == options)
    }

    /// Whether one of the attempts that decide says anything.
    fn was_tried(&self) -> bool {
        self.attempts(self.decisive).any(|attempt| !lacks_family(attempt))
    }

    /// Why the attempts with these options failed. A family that the machine does not have asks for nothing, as long as
    /// it has the other.
    fn refusal(&self, options: Options) -> Option<&Refusal> {
        let had = self.attempts(options).any(|attempt| !lacks_family(attempt));
        self.attempts(options)
            .filter(|attempt| !had || !lacks_family(attempt))
            .find_map(|attempt| attempt.refused.as_ref())
    }

    fn hindrance(&self, refusal: &Refusal) -> Option<Hindrance> {
        let policies = || self.policies.clone().unwrap_or_default();
        Hindrance::of(self.os, &self.asked, refusal, self.local.as_deref(), &self.limits, policies)
    }

    /// What a connection to 127.0.0.1 and to ::1 meets.
    fn localhost(&self) -> Localhost {
        let listeners = || self.sockets.iter().filter(|listener| listener.socket.is_listener());
        let reached = |address: IpAddr| {
            let target = Target::exactly(self.asked.protocol, address, self.asked.port);
            let answering = listeners()
                .enumerate()
                .filter_map(|(at, it)| Some((target.answered_by(&it.socket)?, at, it)));
            answering
                .max_by_key(|(rank, at, _)| (*rank, std::cmp::Reverse(*at)))
                .map(|(_, _, listener)| listener.clone())
        };
        Localhost { ipv4: reached(Ipv4Addr::LOCALHOST.into()), ipv6: reached(Ipv6Addr::LOCALHOST.into()) }
    }
}

/// Whether an attempt failed because the machine does not have the family.
fn lacks_family(attempt: &Attempt) -> bool {
    attempt.refused.as_ref().is_some_and(|refusal| {
        refusal.kind == RefusalKind::NoFamily
            || (refusal.kind == RefusalKind::NotLocal && attempt.address.is_unspecified())
    })
}
#[cfg(test)]
mod tests;
