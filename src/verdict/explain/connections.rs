//! Connections that are in the way and that no process holds any more.

use std::net::IpAddr;
use std::time::Duration;

use super::super::{Fact, Orphan, OrphanedConnection, OtherEnd, VerdictKind};
use super::{Explanation, add_once};
use crate::model::{Listener, State};
use crate::os::TcpTimer;

/// How long Linux keeps a connection in TIME_WAIT (TCP_TIMEWAIT_LEN in net/tcp.h).
const TIME_WAIT: Duration = Duration::from_secs(60);

impl Explanation<'_> {
    /// Returns the facts of the connections that no process holds any more.
    pub(super) fn orphaned(&self) -> Vec<Fact> {
        let orphans = self.orphans();
        let Some(first) = orphans.first() else { return Vec::new() };
        let left = |wanted: &[TcpTimer]| {
            let timers = orphans.iter().filter(|orphan| orphan.state == first.state);
            let timers = timers.filter_map(|orphan| orphan.timer.filter(|(timer, _)| wanted.contains(timer)));
            timers.map(|(_, left)| left).max()
        };
        let unsent = first.state == State::FinWait1 && matches!(first.timer, Some((TcpTimer::Probe, _)));
        let left = match first.state {
            // The kernel splits a limit above the length of TIME_WAIT into two timers. The second has that length.
            State::FinWait2 => match (left(&[TcpTimer::End]), left(&[TcpTimer::KeepAlive])) {
                (_, Some(left)) => Some(left + TIME_WAIT),
                (left, None) => left,
            },
            State::FinWait1 if unsent => left(&[TcpTimer::Probe]),
            _ => left(&[TcpTimer::Retransmission, TcpTimer::Probe]),
        };
        let limit = self.observation.fin_timeout.filter(|_| first.state == State::FinWait2);
        let mut facts =
            vec![Fact::OrphanedConnection(OrphanedConnection { state: first.state, unsent, left, limit })];
        let mut ends: Vec<OtherEnd> = Vec::new();
        for orphan in &orphans {
            let listener = orphan.other_end.clone().map(Box::new);
            add_once(
                &mut ends,
                OtherEnd { peer: orphan.peer, listener, local: self.is_own(orphan.peer.ip()) },
            );
        }
        facts.push(Fact::OtherEnds { connections: orphans.len(), ends });
        if matches!(first.state, State::FinWait1 | State::FinWait2 | State::Closing) {
            facts.push(Fact::TimeWaitMayFollow { up_to: TIME_WAIT });
        }
        facts
    }

    /// Returns the connections without a process that are in the way.
    pub(in crate::verdict) fn orphans(&self) -> Vec<&Orphan> {
        let stands = |orphan: &&Orphan| {
            let is = |one: &Listener| {
                one.socket.peer == Some(orphan.peer)
                    && one.socket.endpoint.address() == Some(orphan.local.ip())
                    && one.socket.endpoint.port() == Some(orphan.local.port())
            };
            self.standing.iter().any(is)
        };
        match self.kind {
            VerdictKind::Connection => self.observation.orphans.iter().filter(stands).collect(),
            _ => Vec::new(),
        }
    }

    fn is_own(&self, address: IpAddr) -> bool {
        let local = self.observation.local.iter().flatten();
        let address = address.to_canonical();
        address.is_loopback() || local.into_iter().any(|local| local.address == address)
    }
}
