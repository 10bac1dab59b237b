//! The messages between the loop of `watch` and its view: events in, updates out.

use std::io;
use std::time::Instant;

use crate::compare::Change;
use crate::model::{Error, Gap, Snapshot};
use crate::os::Signal;

/// The events that wake the loop before the next scan is due.
pub(crate) enum LoopEvent {
    /// A key, or a new size of the terminal.
    Input(crossterm::event::Event),
    /// A signal, or the end of the terminal.
    Signal(Signal),
}

/// What the loop passes to a view.
pub(crate) enum Update<'a> {
    /// A scan, with the changes since the one before, and the gaps that the one before did not have.
    Scanned { snapshot: &'a Snapshot, changes: &'a [Change], gaps: &'a [Gap] },
    /// A scan that failed.
    Failed(&'a Error),
}

/// What the loop does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Scan once an interval.
    Scan,
    /// Wait for input without scanning.
    Pause,
    /// End.
    Quit,
}

/// Shows what the loop finds.
pub(crate) trait View {
    /// Shows an update.
    fn show(&mut self, update: &Update<'_>, now: Instant) -> io::Result<()>;

    /// Handles a key or a new size.
    fn input(&mut self, _input: &crossterm::event::Event, _now: Instant) -> io::Result<Flow> {
        Ok(Flow::Scan)
    }

    /// Stops until the process is continued, or draws again after it was continued.
    fn signal(&mut self, _signal: Signal, _now: Instant) -> io::Result<()> {
        Ok(())
    }

    /// Returns when the view must be redrawn without an update. `None` for never.
    fn redraw_at(&self) -> Option<Instant> {
        None
    }

    /// Draws again without an update.
    fn redraw(&mut self, _now: Instant) -> io::Result<()> {
        Ok(())
    }
}
