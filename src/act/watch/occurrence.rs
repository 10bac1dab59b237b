//! What happened between two passes, by the events of the system: no scan shows it.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{ErrorName, Listener};
use crate::os::socket_events::RefusedCall;

/// Something that happened between two passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Occurrence {
    /// A listener opened and closed.
    Brief(BriefListener),
    /// A process could not bind or listen.
    Refused(Refusal),
}

/// A listener that opened and closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BriefListener {
    /// The listener. Its holder made the call, if the system reported that.
    pub(crate) listener: Listener,
    /// When it closed.
    pub(crate) closed: Timestamp,
    /// When it opened, and how long it was open. `None` if the system reported only its end: then it may have been bound
    /// without listening, and for a longer time.
    pub(crate) opened: Option<(Timestamp, Duration)>,
}

/// A call that the system refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) call: RefusedCall,
    /// The requested address, and as its holder the process that made the call.
    pub(crate) attempt: Listener,
    pub(crate) error: ErrorName,
    /// The error in the system's words.
    pub(crate) reason: String,
    /// What has the address, if that is the reason.
    pub(crate) held_by: Vec<Listener>,
    /// When it was last refused.
    pub(crate) at: Timestamp,
    /// How often since the pass before.
    pub(crate) times: usize,
}

impl Occurrence {
    /// Returns the listener, or the attempt to be one.
    pub(crate) fn listener(&self) -> &Listener {
        match self {
            Occurrence::Brief(brief) => &brief.listener,
            Occurrence::Refused(refusal) => &refusal.attempt,
        }
    }
}
