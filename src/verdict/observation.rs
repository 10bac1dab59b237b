//! Everything that a verdict is based on.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::{Hindrance, Localhost, SharedBy, SharedListeners};
use crate::bind_attempt::{Attempt, BindOptions, BindRefusal, BindTarget};
use crate::management::EngineUser;
use crate::model::compact::CompactSort as _;
use crate::model::{Connection, Gap, Listener, ProbeOutcome, Socket, State, System, Target};
use crate::os::{HttpSysUrls, Limits, LocalAddress, Policies, TcpTimer};
use crate::port_sharing::{PreferenceRule, Recipients, ShareOption, answering};

/// The options with which another socket may bind a UDP port that is in use. `None` if that could not be tested.
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
    /// The running timer, and the time left.
    pub(crate) timer: Option<(TcpTimer, Duration)>,
    /// The socket at the other end, if it is on this machine and was found.
    pub(crate) other_end: Option<Listener>,
}

/// The listeners that answer at an address, and how one is chosen.
pub(crate) enum LocalhostListener<'a> {
    One(&'a Listener, PreferenceRule),
    Shared(SharedBy, Vec<&'a Listener>),
}

/// Everything that a verdict is based on.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    pub(crate) target: BindTarget,
    /// The operating system. The advice depends on it.
    pub(crate) os: System,
    /// Sockets of the port and protocol, in every state that may matter.
    pub(crate) sockets: Vec<Listener>,
    /// Sockets of the same port and the other protocol.
    pub(crate) other_protocol: Vec<Listener>,
    pub(crate) attempts: Vec<Attempt>,
    /// The options whose attempts decide.
    pub(crate) decisive: BindOptions,
    pub(crate) limits: Limits,
    pub(crate) local: Option<Vec<LocalAddress>>,
    /// Connections that no process holds any more, and their other ends.
    pub(crate) orphans: Vec<Orphan>,
    /// How long the kernel waits until the other end of an orphan closes.
    pub(crate) fin_timeout: Option<Duration>,
    /// The inode numbers of the port's sockets in the order in which the system listed them.
    pub(crate) in_order: Vec<u64>,
    /// Whether others may join the UDP port.
    pub(crate) join_options: Option<JoinOptions>,
    /// The write queues of sockets that are bound and do not listen, by inode number.
    pub(crate) write_queues: BTreeMap<u64, u32>,
    /// The policies that apply to this process. They are read only if a bind was denied.
    pub(crate) policies: Option<Policies>,
    /// The addresses of this port and protocol that are forwarded without a socket.
    pub(crate) forwarded: Vec<Listener>,
    /// The URLs that HTTP.sys serves at the port.
    pub(crate) served: Vec<HttpSysUrls>,
    /// An address at which a connection was answered although nothing listens.
    pub(crate) answered: Option<SocketAddr>,
    /// The addresses of this machine to which a connection was attempted, with the outcome.
    pub(crate) reached: Vec<(SocketAddr, ProbeOutcome)>,
    /// Whether something on this machine forwards ports, but what it forwards could not be read completely.
    pub(crate) forwarding_unknown: bool,
    pub(crate) time_wait_left: Option<Duration>,
    pub(crate) clients: Vec<Connection>,
    /// The calling user.
    pub(crate) uid: Option<u32>,
    /// The users of rootless engines, by uid.
    pub(crate) engine_users: BTreeMap<u32, EngineUser>,
    pub(crate) gaps: Vec<Gap>,
}

impl Observation {
    pub(super) fn attempts(&self, options: BindOptions) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(move |attempt| attempt.options == options)
    }

    /// Returns whether one of the deciding attempts was possible.
    pub(super) fn was_attempted(&self) -> bool {
        self.attempts(self.decisive).any(|attempt| !attempt.lacks_family())
    }

    /// Returns why the attempts with these options failed. A missing address family counts only if both are missing.
    pub(super) fn refusal(&self, options: BindOptions) -> Option<&BindRefusal> {
        let had = self.attempts(options).any(|attempt| !attempt.lacks_family());
        self.attempts(options)
            .filter(|attempt| !had || !attempt.lacks_family())
            .find_map(|attempt| attempt.refused.as_ref())
    }

    pub(super) fn hindrance(&self, refusal: &BindRefusal) -> Option<Hindrance> {
        let policies = || self.policies.clone().unwrap_or_default();
        Hindrance::from_refusal(
            &self.os,
            &self.target,
            refusal,
            self.local.as_deref(),
            &self.limits,
            policies,
        )
    }

    /// Returns the listeners that connections to 127.0.0.1 and to ::1 reach.
    pub(super) fn localhost(&self) -> Localhost {
        let mut localhost = Localhost::default();
        for (address, one, shared) in [
            (IpAddr::from(Ipv4Addr::LOCALHOST), &mut localhost.ipv4, &mut localhost.ipv4_shared),
            (Ipv6Addr::LOCALHOST.into(), &mut localhost.ipv6, &mut localhost.ipv6_shared),
        ] {
            match self.answerer(address) {
                None => {}
                Some(LocalhostListener::One(listener, _)) => *one = Some(listener.clone()),
                Some(LocalhostListener::Shared(by, listeners)) => {
                    *shared =
                        Some(SharedListeners { by, listeners: listeners.into_iter().cloned().collect() });
                }
            }
        }
        localhost
    }

    /// Returns the option by which the UDP sockets of the port share it, as far as it was tested.
    pub(super) fn sharing(&self) -> Option<ShareOption> {
        match self.join_options {
            Some(
                JoinOptions { reuse_port: Some(true), .. } | JoinOptions { reuse_address: Some(false), .. },
            ) => Some(ShareOption::ReusePort),
            Some(JoinOptions { reuse_port: Some(false), reuse_address: Some(true) }) => {
                Some(ShareOption::ReuseAddress)
            }
            _ => None,
        }
    }

    /// Returns the listeners that answer at an address.
    pub(super) fn answerer(&self, address: IpAddr) -> Option<LocalhostListener<'_>> {
        let target = Target::exactly(self.target.protocol, address, self.target.port);
        let mut listeners: Vec<&Listener> =
            self.sockets.iter().filter(|listener| listener.socket.is_listener()).collect();
        let place = |listener: &&Listener| {
            let inode = listener.socket.inode?;
            self.in_order.iter().position(|one| *one == inode)
        };
        let in_order = listeners.iter().all(|listener| place(listener).is_some());
        listeners.compact_sort_by_key(place);
        let sockets: Vec<&Socket> = listeners.iter().map(|listener| &listener.socket).collect();
        let found = answering(&self.os, &target, &sockets, self.sharing(), in_order)?;
        let those = |places: &[usize]| places.iter().filter_map(|at| listeners.get(*at).copied()).collect();
        Some(match &found {
            Recipients::One(at, decided) => LocalhostListener::One(listeners.get(*at)?, *decided),
            Recipients::Spread(several) => LocalhostListener::Shared(SharedBy::Spread, those(several)),
            Recipients::Unclear(several) => LocalhostListener::Shared(SharedBy::Unknown, those(several)),
        })
    }
}
