//! Determines why a port can or cannot be bound: the input is an observation, the output a verdict. Pure: it reads nothing
//! from the system, so that every case can be tested on any machine. Its results are data; `render` writes the sentences.

mod advice;
mod by_state;
mod explain;
mod fact;
mod hindrance;
mod localhost;
mod observation;
mod proxying;
mod reason;

pub use advice::Advice;
use by_state::ByState;
use explain::Explanation;
pub use fact::{BindResult, BoundHistory, Fact, HttpServer, OrphanedConnection, OtherEnd, PortUsage};
pub use hindrance::{Hindrance, SuspectedPolicy};
pub use localhost::{LocalhostAnswer, Preference};
pub(crate) use observation::{JoinOptions, LocalhostListener, Observation, Orphan};
pub use reason::{ProxyPurpose, VerdictReason};

pub use crate::port_sharing::ShareOption;

use crate::bind_attempt::{BindOptions, BindRefusal, BindRefusalKind, BindTarget};
use crate::model::names::names;
use crate::model::{Connection, ErrorName, Gap, Listener};

/// The kind of a [`Verdict`].
///
/// ```
/// use allears::{Target, VerdictKind};
///
/// let verdict = allears::why(&Target::port(10309)?)?;
/// if verdict.kind == VerdictKind::TimeWait {
///     println!("{}", verdict.reason);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerdictKind {
    /// Nothing is in the way.
    Free,
    /// A listener has the port.
    Listening,
    /// A socket that is bound and does not listen has the port.
    Bound,
    /// Closed connections are still in TIME_WAIT.
    TimeWait,
    /// The port is the local port of a connection.
    Connection,
    /// The port needs a privilege that the process does not have.
    Privileged,
    /// The system reserves the port.
    Reserved,
    /// The address is not one of this machine's.
    AddressNotLocal,
    /// Connections to the port are forwarded.
    Forwarded,
    /// The reason is unknown, or whether the port can be bound is unknown.
    Unknown,
}

/// Whether a port can be bound, why not, and what helps.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Verdict {
    /// The target of the bind.
    pub target: BindTarget,
    /// The kind of answer.
    pub kind: VerdictKind,
    /// Whether a bind with the options of servers succeeded. `None` if no bind could be attempted.
    pub can_bind: Option<bool>,
    /// The error's name if it failed: `EADDRINUSE`.
    pub error: Option<ErrorName>,
    /// What forbids the bind if no socket is in the way.
    pub hindrance: Option<Hindrance>,
    /// The answer in one phrase.
    pub reason: VerdictReason,
    /// The sockets that are in the way.
    pub standing_in_the_way: Vec<Listener>,
    /// The other ends of connections that are in the way and that no process holds any more.
    pub other_ends: Vec<Listener>,
    /// The listeners that a connection to the name localhost reaches.
    pub localhost: Localhost,
    /// The observations that the answer is based on.
    pub facts: Vec<Fact>,
    /// What helps.
    pub advice: Vec<Advice>,
    /// The connections to the listeners of the port. They do not prevent a bind after the listeners end.
    pub clients: Vec<Connection>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// The listeners that a connection to the name localhost reaches, by address family.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Localhost {
    /// The listener that answers at 127.0.0.1. `None` if none does, or if several may.
    pub ipv4: Option<Listener>,
    /// The listener that answers at ::1. `None` if none does, or if several may.
    pub ipv6: Option<Listener>,
    /// The listeners of which one answers at 127.0.0.1.
    pub ipv4_shared: Option<SharedListeners>,
    /// The listeners of which one answers at ::1.
    pub ipv6_shared: Option<SharedListeners>,
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SharedListeners {
    /// How the listener is chosen.
    pub by: SharedBy,
    /// The listeners.
    pub listeners: Vec<Listener>,
}

/// How one of several listeners is chosen.
///
/// ```
/// use allears::SharedBy;
///
/// assert_eq!("spread".parse(), Ok(SharedBy::Spread));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SharedBy {
    /// The kernel spreads peers over all of them, by a hash of addresses and ports or by a BPF program.
    Spread,
    /// Unknown.
    Unknown,
}

names! { SharedBy, "way to share a port":
    Spread => "spread",
    Unknown => "unknown",
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

/// Returns the verdict for an observation.
pub(crate) fn judge(observation: Observation) -> Verdict {
    let port = observation.target.port;
    let sorted = ByState::new(&observation.target, &observation.sockets);
    let refused = observation.refusal(observation.decisive);
    let can_bind = match refused {
        None if !observation.was_attempted() => None,
        Some(BindRefusal { kind: BindRefusalKind::Other | BindRefusalKind::NoFamily, .. }) => None,
        refused => Some(refused.is_none()),
    };
    let plain_in_use =
        observation.refusal(BindOptions::Plain).is_some_and(|refusal| refusal.kind == BindRefusalKind::InUse);
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
        // Forwarding rules take precedence over lingering connections.
        None if !forwarded.is_empty() => (VerdictKind::Forwarded, forwarded),
        None if observation.answered.is_some() => (VerdictKind::Forwarded, Vec::new()),
        None if plain_in_use && sorted.first().0 != VerdictKind::Unknown => sorted.first(),
        None if observation.forwarding_unknown && sorted.listening.is_empty() => {
            (VerdictKind::Unknown, Vec::new())
        }
        None if reserved => (VerdictKind::Reserved, Vec::new()),
        None => (VerdictKind::Free, Vec::new()),
        Some(BindRefusalKind::InUse) => match sorted.first() {
            (VerdictKind::Unknown, _) if !forwarded.is_empty() => (VerdictKind::Forwarded, forwarded),
            (VerdictKind::Unknown, _) if observation.answered.is_some() => {
                (VerdictKind::Forwarded, Vec::new())
            }
            first => first,
        },
        Some(BindRefusalKind::Denied) => match hindrance {
            Some(Hindrance::Privileged { .. }) => (VerdictKind::Privileged, own()),
            Some(Hindrance::Excluded { .. }) => (VerdictKind::Reserved, own()),
            Some(_) => (VerdictKind::Unknown, own()),
            // Windows denies a bind if another socket has the port exclusively.
            None => sorted.first(),
        },
        Some(BindRefusalKind::NotLocal) => (VerdictKind::AddressNotLocal, Vec::new()),
        Some(BindRefusalKind::NoFamily | BindRefusalKind::Other) => (VerdictKind::Unknown, Vec::new()),
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

#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod tests;
