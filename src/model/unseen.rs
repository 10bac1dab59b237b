//! Holders that no descriptor table shows.

use super::{Candidate, Evidence, Listener, Reason, Unseen};

impl Unseen {
    /// Returns whether it is known to be held in no descriptor table, so that no permission to read more of them would
    /// show it.
    pub(crate) fn is_without_descriptor(&self) -> bool {
        self.reason == Reason::Unknown
            && self.candidates.first().is_some_and(|first| {
                first.evidence.is_without_descriptor() || first.evidence == Evidence::Message
            })
    }

    /// Returns the candidates that would have it in no descriptor table.
    pub(crate) fn without_descriptor(&self) -> Option<&[Candidate]> {
        let hidden = self.is_without_descriptor() || self.reason == Reason::InFlight;
        (hidden && !self.candidates.is_empty()).then_some(&self.candidates)
    }
}

impl Listener {
    /// Returns the description of holders that no descriptor table shows.
    pub(crate) fn unseen_alone(&self) -> Option<&Unseen> {
        self.unseen.as_ref().filter(|_| self.holders.is_empty())
    }
}
