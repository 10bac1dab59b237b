//! Sockets that share the port, and whether another one may join them.

use super::super::{Fact, JoinOptions, ShareOption, VerdictKind};
use super::Explanation;
use crate::bind_attempt::BindOptions;
use crate::model::{Listener, Protocol, State, System};

impl Explanation<'_> {
    /// Returns the groups of sockets that share one address.
    pub(super) fn shared(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut known: Vec<&Listener> = Vec::new();
        for first in &self.sorted.listening {
            let alike = |other: &&Listener| {
                other.socket.endpoint == first.socket.endpoint
                    && other.socket.dual_stack == first.socket.dual_stack
            };
            if first.socket.state == State::Forwarded || known.iter().any(&alike) {
                continue;
            }
            known.push(first);
            let count = self.sorted.listening.iter().filter(alike).count();
            if count < 2 || self.observation.os != System::Linux {
                continue;
            }
            let is_udp = self.observation.target.protocol == Protocol::Udp;
            let option = match (is_udp, self.observation.sharing()) {
                (false, _) | (true, Some(ShareOption::ReusePort)) => Some(ShareOption::ReusePort),
                (true, Some(ShareOption::ReuseAddress)) => Some(ShareOption::ReuseAddress),
                (true, None) => None,
            };
            facts.push(Fact::SharedAddress { socket: Box::new(first.socket.clone()), count, option });
        }
        facts
    }

    /// Returns whether the TCP listeners may be joined by SO_REUSEPORT.
    pub(super) fn may_join(&self) -> Option<Fact> {
        let listeners = &self.sorted.listening;
        let first = listeners.first()?;
        if self.observation.target.protocol != Protocol::Tcp
            || self.observation.attempts(BindOptions::ReusePort).next().is_none()
            || self.kind == VerdictKind::Privileged
            || (first.socket.user.is_none() && first.socket.uid.is_none())
        {
            return None;
        }
        let group = listeners.iter().filter(|listener| listener.socket.endpoint == first.socket.endpoint);
        match self.observation.refusal(BindOptions::ReusePort) {
            None => Some(Fact::MayJoinListeners),
            Some(_) if first.socket.uid != self.observation.uid => {
                Some(Fact::OnlyUserMayJoin { socket: Box::new(first.socket.clone()), count: group.count() })
            }
            Some(_) => None,
        }
    }

    /// Returns which options let another socket join a UDP port that is in use.
    pub(super) fn may_join_udp(&self) -> Vec<Fact> {
        let standing =
            matches!(self.kind, VerdictKind::Listening | VerdictKind::Connection | VerdictKind::Bound);
        let Some(JoinOptions { reuse_address, reuse_port }) =
            self.observation.join_options.filter(|_| standing && self.can_bind == Some(false))
        else {
            return Vec::new();
        };
        let mut facts = Vec::new();
        if reuse_address.is_some() {
            let option = ShareOption::ReuseAddress;
            facts.push(Fact::UdpMayJoin { option, allowed: reuse_address, user_of: None });
        }
        let known = |listener: &&Listener| listener.socket.user.is_some() || listener.socket.uid.is_some();
        let user = |listener: &Listener| (listener.socket.user.clone(), listener.socket.uid);
        let mut users = self.standing.iter().filter(known);
        let first = users.next();
        let same = first.filter(|first| users.all(|other| user(other) == user(first)));
        facts.push(Fact::UdpMayJoin {
            option: ShareOption::ReusePort,
            allowed: reuse_port,
            user_of: same.map(|listener| Box::new(listener.socket.clone())),
        });
        facts
    }
}
