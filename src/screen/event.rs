//! The messages between the loop of `watch` and its view: events in, updates out, requests back.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

use crate::act::prepare::Prepared;
use crate::act::run_plan::RunOutcome;
use crate::act::watch::occurrence::Occurrence;
use crate::compare::Change;
use crate::model::{Error, Gap, Selection, Snapshot, Socket, Target};
use crate::os::Signal;
use crate::os::socket_events::EventBatch;
use crate::verdict::Verdict;

/// The events that wake the loop before the next scan is due.
pub(crate) enum LoopEvent {
    /// A key, or a new size of the terminal.
    Input(crossterm::event::Event),
    /// A signal, or the end of the terminal.
    Signal(Signal),
    /// The answer to a request.
    Answered(Answer),
    /// Events of sockets.
    Sockets(EventBatch),
}

/// What the loop passes to a view.
pub(crate) enum Update<'a> {
    /// A pass, with the changes since the one before, what happened in between, and the gaps that the one before did not
    /// have.
    Scanned {
        snapshot: &'a Snapshot,
        /// Whether the snapshot is new. If not, the table has not changed.
        fresh: bool,
        changes: &'a [Change],
        occurrences: &'a [Occurrence],
        gaps: &'a [Gap],
    },
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

/// The result of a key.
#[derive(Debug)]
pub(crate) struct Reaction {
    pub(crate) flow: Flow,
    /// What the loop must do for the view.
    pub(crate) request: Option<Request>,
}

impl From<Flow> for Reaction {
    fn from(flow: Flow) -> Reaction {
        Reaction { flow, request: None }
    }
}

/// What a view asks for. Everything but [`Request::Select`] and [`Request::Copy`] is done on another thread and answered
/// with the same number.
#[derive(Debug)]
pub(crate) enum Request {
    /// Selects other sockets.
    Select(Selection),
    /// Scans for the listeners at these sockets' addresses.
    Card(u64, Vec<Socket>),
    /// Tests whether a port can be bound.
    Why(u64, Target),
    /// Plans to free a port. Nothing is done.
    Plan(u64, Target),
    /// Carries out plans.
    CarryOut(u64, Arc<Vec<Prepared>>),
    /// Opens a URL in a browser.
    Open(u64, String),
    /// Copies a text to the clipboard.
    Copy(String),
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The number of the request.
    pub(crate) number: u64,
    pub(crate) content: Content,
}

/// The content of an answer.
#[derive(Debug)]
pub(crate) enum Content {
    /// A scan for a card, and the ports that the machine gives out by itself.
    Card(Box<Snapshot>, Option<RangeInclusive<u16>>),
    Why(Box<Verdict>),
    Plan(Arc<Vec<Prepared>>),
    /// The outcome of each plan.
    Freed(Arc<Vec<Prepared>>, Vec<RunOutcome>),
    /// What is being done, in a sentence.
    Progress(String),
    /// A request that failed, with the reason and what would help.
    Failed(String),
    /// A URL was opened, or not, in a sentence.
    Opened(String),
}

/// Shows what the loop finds.
pub(crate) trait View {
    /// Shows an update.
    fn show(&mut self, update: &Update<'_>, now: Instant) -> io::Result<()>;

    /// Handles a key or a new size.
    fn input(&mut self, _input: &crossterm::event::Event, _now: Instant) -> io::Result<Reaction> {
        Ok(Flow::Scan.into())
    }

    /// Shows the answer to a request.
    fn answer(&mut self, _answer: Answer, _now: Instant) -> io::Result<()> {
        Ok(())
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
