//! Derives the reason, the facts and the advice of a verdict from an observation.

mod advice;
mod connections;
mod facts;
mod policies;
mod reason;
mod sharing;
mod windows;

use std::ops::RangeInclusive;

use super::{BoundHistory, ByState, Fact, Hindrance, Observation, VerdictKind};
use crate::bind_attempt::{BindOptions, BindRefusal};
use crate::model::{Listener, Service, Socket};
use crate::os::ExcludedRange;

/// A verdict that has its kind and still needs its explanation.
pub(super) struct Explanation<'a> {
    pub(super) observation: &'a Observation,
    pub(super) sorted: &'a ByState,
    pub(super) kind: VerdictKind,
    pub(super) can_bind: Option<bool>,
    pub(super) refused: Option<&'a BindRefusal>,
    pub(super) hindrance: Option<&'a Hindrance>,
    pub(super) standing: &'a [Listener],
}

impl Explanation<'_> {
    /// Returns whether a bind without options is refused although other options decide.
    fn plain_differs(&self) -> bool {
        self.observation.decisive != BindOptions::Plain
            && self.observation.refusal(BindOptions::Plain).is_some()
    }

    /// Returns the range of ports excluded by Windows that has this port.
    fn excluded(&self) -> Option<&ExcludedRange> {
        self.observation
            .limits
            .excluded
            .iter()
            .find(|range| range.ports.contains(&self.observation.target.port))
    }

    /// Returns the range of ephemeral ports, if this port is in it and that matters.
    fn ephemeral(&self) -> Option<&RangeInclusive<u16>> {
        let matters = self.kind == VerdictKind::Connection;
        self.observation
            .limits
            .ephemeral
            .as_ref()
            .filter(|range| matters && range.contains(&self.observation.target.port))
    }
}

impl Observation {
    /// Returns what a TCP socket that is bound and does not listen did before. `None` if the system does not report it.
    /// Linux 6.8 and later report its write queue: 0 as long as it was only bound; 2 more each time that it was shut down
    /// as a listener, or disconnected without a connection; an odd or a large number after a connection (measured on 6.18).
    fn history(&self, socket: &Socket) -> Option<BoundHistory> {
        match self.write_queues.get(&socket.inode?)? {
            0 => Some(BoundHistory::OnlyBound),
            count if count % 2 == 0 && *count < 64 => Some(BoundHistory::ShutDown),
            _ => Some(BoundHistory::Connected),
        }
    }
}

/// Returns the service of a listener, or of its first holder that has one.
fn service(listener: &Listener) -> Option<&Service> {
    let of_holder = || listener.holders.iter().find_map(|holder| holder.process.service.as_ref());
    listener.service.as_deref().or_else(of_holder)
}

/// Adds an item that is not in the list yet.
fn add_once<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// Returns the fact for a forwarding rule.
fn forwarded_from_outside(listener: &Listener) -> Fact {
    Fact::ForwardedFromOutside(Box::new(listener.clone()))
}
