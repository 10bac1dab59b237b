//! The sockets that conflict with a bind, by their state.

use super::VerdictKind;
use super::proxying::is_proxied;
use crate::bind_attempt::BindTarget;
use crate::model::{Listener, Protocol, State};

/// The sockets of a port that conflict with the target, by state.
#[derive(Default)]
pub(super) struct ByState {
    pub(super) listening: Vec<Listener>,
    pub(super) bound: Vec<Listener>,
    pub(super) connections: Vec<Listener>,
    pub(super) time_wait: Vec<Listener>,
}

impl ByState {
    pub(super) fn new(target: &BindTarget, sockets: &[Listener]) -> ByState {
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

    /// Returns whether a socket without a peer has the port.
    pub(super) fn has_port(&self) -> bool {
        !self.listening.is_empty() || !self.bound.is_empty()
    }

    /// Returns the sockets without a peer that have the port, otherwise those with one, and the kind of verdict.
    pub(super) fn first(&self) -> (VerdictKind, Vec<Listener>) {
        let own = || self.listening.iter().chain(&self.bound).cloned().collect();
        match () {
            () if self.listening.iter().any(is_proxied) => (VerdictKind::Forwarded, own()),
            () if !self.listening.is_empty() => (VerdictKind::Listening, own()),
            () if !self.bound.is_empty() => (VerdictKind::Bound, own()),
            () if !self.connections.is_empty() => (VerdictKind::Connection, self.connections.clone()),
            () if !self.time_wait.is_empty() => (VerdictKind::TimeWait, self.time_wait.clone()),
            () => (VerdictKind::Unknown, Vec::new()),
        }
    }
}
