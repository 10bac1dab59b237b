//! The passes of `watch`, and the events of sockets between them.

use std::io;
use std::time::{Duration, Instant};

use crate::act::watch::Watch;
use crate::act::watch::tracker::EventTracker;
use crate::compare::Change;
use crate::model::{Gap, GapKind, GapReason, Selection};
use crate::os::socket_events::{EventBatch, EventCoverage};
use crate::screen::event::{Update, View};

use super::events;

/// The shortest time from one pass to the next one that an event causes.
const SHORTEST: Duration = Duration::from_millis(50);
/// The time to the next pass that an event causes is at least this many times the time that the last one took, so that a
/// stream of events costs at most a small part of a core.
const REST: u32 = 10;

/// The longest time for which events are taken before a pass that is due, unless the last pass took longer: then it is
/// that time.
const LATEST: Duration = Duration::from_millis(100);

/// A watch, and the events between its passes.
pub(super) struct Passes {
    pub(super) watch: Watch,
    tracker: EventTracker,
    known: KnownGaps,
    /// What is not noticed between two passes, until it has been reported.
    not_covered: Option<Gap>,
    rate: Rate,
}

/// The rate of the passes that events cause.
#[derive(Default)]
pub(super) struct Rate {
    /// When the last pass ended, and how long it took.
    last: Option<(Instant, Duration)>,
}

impl Rate {
    /// Notes a pass that began then and has ended.
    pub(super) fn add_pass(&mut self, began: Instant) {
        self.last = Some((Instant::now(), began.elapsed()));
    }

    /// Returns when a pass because of an event may be made.
    pub(super) fn soonest(&self, now: Instant) -> Instant {
        self.last.map_or(now, |(ended, took)| ended + SHORTEST.max(took * REST)).max(now)
    }

    /// Returns whether a pass that was due then must be made before more events are taken: on a busy machine they may
    /// arrive faster than they are processed, and no pass would ever be made.
    pub(super) fn is_overdue(&self, due: Instant, now: Instant) -> bool {
        now >= due + self.last.map_or(LATEST, |(_, took)| LATEST.max(took))
    }
}

impl Passes {
    /// Returns the passes of a watch that has made the first one.
    pub(super) fn new(coverage: &EventCoverage, watch: Watch) -> Passes {
        let not_covered = events::not_covered(coverage, watch.query().selection());
        let (tracker, known) = (EventTracker::default(), KnownGaps::default());
        Passes { watch, tracker, known, not_covered, rate: Rate::default() }
    }

    /// Shows the first pass.
    pub(super) fn show_first(&mut self, view: &mut impl View) -> io::Result<()> {
        self.show(Vec::new(), true, view, Instant::now())
    }

    /// Selects other sockets.
    pub(super) fn select(&mut self, selection: Selection) {
        self.watch.set_query(self.watch.query().clone().with_selection(selection));
    }

    /// Takes events. Returns whether a pass is due because of them.
    pub(super) fn add_events(&mut self, batch: EventBatch) -> bool {
        self.tracker.add(batch, self.watch.query().selection())
    }

    /// Returns when a pass because of an event may be made.
    pub(super) fn soonest(&self, now: Instant) -> Instant {
        self.rate.soonest(now)
    }

    /// Returns whether a pass that was due then must be made before more events are taken.
    pub(super) fn is_overdue(&self, due: Instant, now: Instant) -> bool {
        self.rate.is_overdue(due, now)
    }

    /// Makes a pass and shows the result.
    pub(super) fn make(&mut self, view: &mut impl View, now: Instant) -> io::Result<()> {
        let changes = self.watch.poll();
        self.rate.add_pass(now);
        match changes {
            Ok(changes) => self.show(changes, self.watch.is_fresh(), view, now),
            Err(error) => view.show(&Update::Failed(&error), now),
        }
    }

    fn show(
        &mut self,
        mut changes: Vec<Change>,
        fresh: bool,
        view: &mut impl View,
        now: Instant,
    ) -> io::Result<()> {
        let Some(pass) = self.watch.last_pass() else { return Ok(()) };
        let (occurrences, missed) = self.tracker.settle(pass, &mut changes);
        let Some(snapshot) = self.watch.snapshot() else { return Ok(()) };
        let mut gaps = self.known.new_among(&snapshot.gaps);
        gaps.extend(self.not_covered.take());
        gaps.extend(missed);
        view.show(
            &Update::Scanned { snapshot, fresh, changes: &changes, occurrences: &occurrences, gaps: &gaps },
            now,
        )
    }
}

/// The gaps of the last scan, by subject and reason. Their counts fluctuate and do not make a gap new.
#[derive(Default)]
struct KnownGaps(Vec<(GapKind, GapReason)>);

impl KnownGaps {
    /// Returns the gaps that the last scan did not have, and remembers these.
    fn new_among(&mut self, gaps: &[Gap]) -> Vec<Gap> {
        let key = |gap: &Gap| (gap.what.clone(), gap.reason.clone());
        let new = gaps.iter().filter(|gap| !self.0.contains(&key(gap))).cloned().collect();
        self.0 = gaps.iter().map(key).collect();
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::GapDetail;

    #[test]
    fn a_gap_is_new_once() {
        let gap = |reason: &str, count| {
            Gap::new(GapKind::Descriptors, reason.into(), count, GapDetail::Descriptors(None), None)
        };
        let mut known = KnownGaps::default();
        assert_eq!(known.new_among(&[gap("permission", 5)]).len(), 1);
        assert_eq!(known.new_among(&[gap("permission", 6)]), []);
        assert_eq!(known.new_among(&[gap("permission", 6), gap("vanished", 1)]).len(), 1);
        assert_eq!(known.new_among(&[]), []);
        assert_eq!(known.new_among(&[gap("permission", 5)]).len(), 1);
    }
}
