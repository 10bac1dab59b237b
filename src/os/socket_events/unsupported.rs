//! Systems that report no events of sockets.

use std::io::PipeReader;

use super::{EventBatch, EventCoverage, EventSource};

/// A source that no system here has.
pub(in crate::os) enum Source {}

/// Opens nothing.
pub(in crate::os) fn open(_source: EventSource) -> (Option<Source>, EventCoverage) {
    (None, EventCoverage::NONE)
}

/// Reads nothing.
pub(in crate::os) fn read(source: Source, _stopped: &PipeReader, _pass_on: impl FnMut(EventBatch) -> bool) {
    match source {}
}

/// Does nothing: there are no events.
pub(in crate::os) fn leave_out(_socket: &socket2::Socket) {}
