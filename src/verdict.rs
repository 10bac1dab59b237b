//! Why a port can or cannot be bound: an observation in, a verdict out. Pure: nothing is read from the system here, so that
//! every case can be tested without a machine that is in it. It makes no sentences: `render` does, of its types.

mod advice;
mod explain;
mod fact;
mod hindrance;
mod reason;
mod relay;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

pub use advice::Advice;
use explain::Explanation;
pub use fact::{
    BindResult, BoundHistory, Fact, HttpServer, LocalhostAnswer, OrphanedConnection, OtherEnd, PortUsage,
    Preference, ShareOption,
};
pub use hindrance::{Hindrance, Suspect};
pub use reason::{Relay, VerdictReason};
use relay::passes_on;

use crate::bind_attempt::{Attempt, BindOptions, BindTarget, Refusal, RefusalKind};
use crate::management::Account;
use crate::model::Target;
use crate::model::names::names;
use crate::model::{Connection, Gap, Listener, Outcome, Protocol, Socket, State};
use crate::os::{HttpSysUrls, Limits, Local, Policies, Timer};
use crate::port_sharing::{Answering, Decided, Sharing, answering};

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
///
/// ```
/// let server = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
/// let address = server.local_addr().expect("it is bound");
/// let verdict = allears::why(&address.to_string().parse()?)?;
/// assert_eq!(verdict.can_bind, Some(false));
/// assert_eq!(verdict.kind, allears::VerdictKind::Listening);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What was asked for.
    pub target: BindTarget,
    /// What kind of answer it is.
    pub kind: VerdictKind,
    /// Whether a bind succeeded, tried as servers do; `None` where the attempt itself could not be made.
    pub can_bind: Option<bool>,
    /// The error's name where it did not: `EADDRINUSE`.
    pub error: Option<String>,
    /// What forbids it where no socket is in the way.
    pub hindrance: Option<Hindrance>,
    /// The answer in one phrase.
    pub reason: VerdictReason,
    /// The sockets that stand in the way.
    pub standing_in_the_way: Vec<Listener>,
    /// The sockets at the other ends of connections that stand in the way and that no process holds any more.
    pub other_ends: Vec<Listener>,
    /// What a connection to the name localhost meets.
    pub localhost: Localhost,
    /// What was observed.
    pub facts: Vec<Fact>,
    /// What would help.
    pub advice: Vec<Advice>,
    /// Who is connected to the listeners of the port. Clients are never in the way of a listener's end.
    pub clients: Vec<Connection>,
    /// What could not be observed.
    pub gaps: Vec<Gap>,
}

/// What a connection to the name localhost meets, by address family.
///
/// ```
/// let verdict = allears::why(&allears::Target::port(10309)?)?;
/// match verdict.localhost.ipv4 {
///     Some(listener) => println!("127.0.0.1:10309 reaches {}", listener.socket.endpoint),
///     None => println!("{} listeners share it", verdict.localhost.ipv4_shared.map_or(0, |it| it.listeners.len())),
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Localhost {
    /// The one listener that answers at 127.0.0.1. `None` if nobody does, or one of several.
    pub ipv4: Option<Listener>,
    /// The one listener that answers at ::1. `None` if nobody does, or one of several.
    pub ipv6: Option<Listener>,
    /// The several of which one answers at 127.0.0.1.
    pub ipv4_shared: Option<Shared>,
    /// The several of which one answers at ::1.
    pub ipv6_shared: Option<Shared>,
}

/// Listeners of which one answers.
///
/// ```
/// let verdict = allears::why(&allears::Target::port(10309)?)?;
/// if let Some(shared) = verdict.localhost.ipv6_shared {
///     println!("one of {} answers at [::1]: {}", shared.listeners.len(), shared.by);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shared {
    /// How the one is chosen.
    pub by: SharedBy,
    /// The listeners.
    pub listeners: Vec<Listener>,
}

/// How one of several listeners is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SharedBy {
    /// The kernel spreads peers over all of them, by a hash of addresses and ports or as a program of theirs decides.
    Spread,
    /// Not known.
    Unknown,
}

names! { SharedBy, "way to share a port":
    Spread => "spread",
    Unknown => "unknown",
}

/// By which options another socket may be bound beside those that have a UDP port; `None` where that could not be tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JoinOptions {
    /// SO_REUSEADDR, for sockets of every user.
    pub(crate) reuse_address: Option<bool>,
    /// SO_REUSEPORT, for sockets of the same user.
    pub(crate) reuse_port: Option<bool>,
}

/// A connection that no process holds any more.
#[derive(Debug, Clone)]
pub(crate) struct Orphan {
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
    pub(crate) state: State,
    /// The timer that runs, and what is left of it.
    pub(crate) timer: Option<(Timer, Duration)>,
    /// The socket at the other end, where that is on this machine and was found.
    pub(crate) other_end: Option<Listener>,
}

/// Who answers at an address, and why that one.
pub(crate) enum Answerer<'a> {
    One(&'a Listener, Decided),
    Shared(SharedBy, Vec<&'a Listener>),
}

/// Everything a verdict rests on.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    pub(crate) target: BindTarget,
    /// The system: what helps differs.
    pub(crate) os: &'static str,
    /// Sockets of the port and protocol, in every state that may matter.
    pub(crate) sockets: Vec<Listener>,
    /// Sockets of the same port and the other protocol.
    pub(crate) other_protocol: Vec<Listener>,
    pub(crate) attempts: Vec<Attempt>,
    /// The options that decide.
    pub(crate) decisive: BindOptions,
    pub(crate) limits: Limits,
    pub(crate) local: Option<Vec<Local>>,
    /// Connections that no process holds any more, and their other ends.
    pub(crate) orphans: Vec<Orphan>,
    /// How long the kernel waits for the other end of one to close.
    pub(crate) fin_timeout: Option<Duration>,
    /// The inode numbers of the port's sockets in the order in which the system listed them.
    pub(crate) in_order: Vec<u64>,
    /// Whether others may join the UDP port.
    pub(crate) join_options: Option<JoinOptions>,
    /// The write queues of sockets that are bound and do not listen, by inode number.
    pub(crate) write_queues: BTreeMap<u64, u32>,
    /// What applies to this process; read only if a bind was denied.
    pub(crate) policies: Option<Policies>,
    /// Ports of this number and protocol that are passed on to containers without a socket.
    pub(crate) forwarded: Vec<Listener>,
    /// What the kernel's own web server serves at the port.
    pub(crate) served: Vec<HttpSysUrls>,
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

names! { VerdictKind, "kind of verdict":
    Free => "free",
    Listening => "listening",
    Bound => "bound",
    TimeWait => "time-wait",
    Connection => "connection",
    Privileged => "privileged",
    Reserved => "reserved",
    AddressNotLocal => "address-not-local",
    Forwarded => "forwarded",
    Unknown => "unknown",
}

/// The sockets of a port that want what is asked for, by what they are doing.
#[derive(Default)]
struct ByState {
    listening: Vec<Listener>,
    bound: Vec<Listener>,
    connections: Vec<Listener>,
    time_wait: Vec<Listener>,
}

impl ByState {
    fn new(target: &BindTarget, sockets: &[Listener]) -> ByState {
        let mut sorted = ByState::default();
        let overlapping = sockets.iter().filter(|listener| target.overlaps(&listener.socket)).count();
        // A connection may have been bound to a wildcard before it had a peer, and its address does not show that.
        let may_be = |listener: &&Listener| {
            target.overlaps(&listener.socket)
                || (overlapping == 0
                    && listener.socket.peer.is_some()
                    && listener.socket.protocol == target.protocol
                    && listener.socket.endpoint.port() == Some(target.port))
        };
        for listener in sockets.iter().filter(may_be) {
            let place = match (listener.socket.state, listener.socket.protocol) {
                _ if listener.socket.is_listener() => &mut sorted.listening,
                (State::Bound, _) | (State::Closed, Protocol::Udp | Protocol::UdpLite) => &mut sorted.bound,
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
pub(crate) fn judge(observation: Observation) -> Verdict {
    let port = observation.target.port;
    let sorted = ByState::new(&observation.target, &observation.sockets);
    let refused = observation.refusal(observation.decisive);
    let can_bind = match refused {
        None if !observation.was_attempted() => None,
        Some(Refusal { kind: RefusalKind::Other | RefusalKind::NoFamily, .. }) => None,
        refused => Some(refused.is_none()),
    };
    let plain_in_use =
        observation.refusal(BindOptions::Plain).is_some_and(|refusal| refusal.kind == RefusalKind::InUse);
    let reserved = observation.limits.reserved.iter().any(|range| range.contains(&port));
    let forwarded: Vec<Listener> = observation
        .forwarded
        .iter()
        .filter(|listener| observation.target.overlaps(&listener.socket))
        .cloned()
        .collect();
    let own = || sorted.listening.iter().chain(&sorted.bound).cloned().collect();
    let hindrance = refused.and_then(|refusal| observation.hindrance(refusal));
    let (kind, standing_in_the_way) = match refused.map(|refusal| refusal.kind) {
        None if can_bind.is_none() => (VerdictKind::Unknown, Vec::new()),
        None if plain_in_use && sorted.has_port() => sorted.first(),
        // Rules come before connections that linger.
        None if !forwarded.is_empty() => (VerdictKind::Forwarded, forwarded),
        None if observation.answered.is_some() => (VerdictKind::Forwarded, Vec::new()),
        None if plain_in_use && sorted.first().0 != VerdictKind::Unknown => sorted.first(),
        None if observation.forwarding_unknown && sorted.listening.is_empty() => {
            (VerdictKind::Unknown, Vec::new())
        }
        None if reserved => (VerdictKind::Reserved, Vec::new()),
        None => (VerdictKind::Free, Vec::new()),
        Some(RefusalKind::InUse) => match sorted.first() {
            (VerdictKind::Unknown, _) if !forwarded.is_empty() => (VerdictKind::Forwarded, forwarded),
            (VerdictKind::Unknown, _) if observation.answered.is_some() => {
                (VerdictKind::Forwarded, Vec::new())
            }
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
    let case = Explanation {
        observation: &observation,
        sorted: &sorted,
        kind,
        can_bind,
        refused,
        hindrance: hindrance.as_ref(),
        standing: &standing_in_the_way,
    };
    let (reason, facts, advice) = (case.reason(), case.facts(), case.advice());
    let other_ends = case.orphans().iter().filter_map(|orphan| orphan.other_end.clone()).collect();
    let localhost = observation.localhost();
    let Observation { target, clients, gaps, .. } = observation;
    Verdict {
        target,
        kind,
        can_bind,
        error,
        hindrance,
        reason,
        standing_in_the_way,
        other_ends,
        localhost,
        facts,
        advice,
        clients,
        gaps,
    }
}

impl Observation {
    fn attempts(&self, options: BindOptions) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(move |attempt| attempt.options == options)
    }

    /// Whether one of the attempts that decide says anything.
    fn was_attempted(&self) -> bool {
        self.attempts(self.decisive).any(|attempt| !attempt.lacks_family())
    }

    /// Why the attempts with these options failed. A family that the machine does not have asks for nothing, as long as
    /// it has the other.
    fn refusal(&self, options: BindOptions) -> Option<&Refusal> {
        let had = self.attempts(options).any(|attempt| !attempt.lacks_family());
        self.attempts(options)
            .filter(|attempt| !had || !attempt.lacks_family())
            .find_map(|attempt| attempt.refused.as_ref())
    }

    fn hindrance(&self, refusal: &Refusal) -> Option<Hindrance> {
        let policies = || self.policies.clone().unwrap_or_default();
        Hindrance::of(self.os, &self.target, refusal, self.local.as_deref(), &self.limits, policies)
    }

    /// What a connection to 127.0.0.1 and to ::1 meets.
    fn localhost(&self) -> Localhost {
        let mut localhost = Localhost::default();
        for (address, one, shared) in [
            (IpAddr::from(Ipv4Addr::LOCALHOST), &mut localhost.ipv4, &mut localhost.ipv4_shared),
            (Ipv6Addr::LOCALHOST.into(), &mut localhost.ipv6, &mut localhost.ipv6_shared),
        ] {
            match self.answerer(address) {
                None => {}
                Some(Answerer::One(listener, _)) => *one = Some(listener.clone()),
                Some(Answerer::Shared(by, listeners)) => {
                    *shared = Some(Shared { by, listeners: listeners.into_iter().cloned().collect() });
                }
            }
        }
        localhost
    }

    /// By which option the sockets of a UDP port share it, as far as it was tested.
    fn sharing(&self) -> Sharing {
        match self.join_options {
            _ if self.target.protocol == Protocol::Tcp => Sharing::ReusePort,
            Some(
                JoinOptions { reuse_port: Some(true), .. } | JoinOptions { reuse_address: Some(false), .. },
            ) => Sharing::ReusePort,
            Some(JoinOptions { reuse_port: Some(false), reuse_address: Some(true) }) => Sharing::ReuseAddress,
            _ => Sharing::Unknown,
        }
    }

    /// Who answers at an address.
    pub(crate) fn answerer(&self, address: IpAddr) -> Option<Answerer<'_>> {
        let target = Target::exactly(self.target.protocol, address, self.target.port);
        let mut listeners: Vec<&Listener> =
            self.sockets.iter().filter(|listener| listener.socket.is_listener()).collect();
        let place = |listener: &&Listener| {
            let inode = listener.socket.inode?;
            self.in_order.iter().position(|one| *one == inode)
        };
        let in_order = listeners.iter().all(|listener| place(listener).is_some());
        listeners.sort_by_key(place);
        let sockets: Vec<&Socket> = listeners.iter().map(|listener| &listener.socket).collect();
        let found = answering(self.os, &target, &sockets, self.sharing(), in_order)?;
        let those = |places: &[usize]| places.iter().filter_map(|at| listeners.get(*at).copied()).collect();
        Some(match &found {
            Answering::One(at, decided) => Answerer::One(listeners.get(*at)?, *decided),
            Answering::Spread(several) => Answerer::Shared(SharedBy::Spread, those(several)),
            Answering::Unclear(several) => Answerer::Shared(SharedBy::Unknown, those(several)),
        })
    }
}

#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod tests;
