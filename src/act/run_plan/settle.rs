//! The time that a free port is watched for restarts.

use std::time::{Duration, Instant};

use super::PortState;
use crate::act::backoff::Backoff;
use crate::act::restart_sources::RestartSources;
use crate::management::restart::sleeps;
use crate::model::{Error, ProcessId};
use crate::os;
use crate::plan::{Action, Plan, PlanNote, Restart, RestartCause};

/// How long a port has to stay free before it counts as free. Most restarts happen at once.
const SETTLE: Duration = Duration::from_millis(500);
/// The same for a process that a manager supervises. systemd waits 100 ms by default.
const SETTLE_MANAGED: Duration = Duration::from_millis(1500);
/// The same for a restart after an unknown delay.
const SETTLE_UNKNOWN: Duration = Duration::from_secs(5);
/// How much later than its delay a restart may happen.
const MARGIN: Duration = Duration::from_millis(1500);
/// How soon a shell loop runs its `sleep` after the server has ended.
const LOOP_REACTS: Duration = Duration::from_millis(200);
/// The same for a container that a unit creates again.
const CONTAINER_MARGIN: Duration = Duration::from_secs(5);
/// The longest time that a port is watched for a restart.
const LONGEST_SETTLE: Duration = Duration::from_secs(300);

/// Watches whether a free port stays free. Calls `tick` with the time left after each check.
pub(super) fn settled(plan: &Plan, tick: &mut dyn FnMut(Duration)) -> Result<PortState, Error> {
    let begun = Instant::now();
    let mut until = begun + settle_time(plan);
    let mut loops_asked = false;
    let mut backoff = Backoff::new();
    loop {
        let state = PortState::read(&plan.target)?;
        if !loops_asked && begun.elapsed() > LOOP_REACTS {
            loops_asked = true;
            until =
                until.max(Instant::now() + loop_sleeps(plan).map_or(Duration::ZERO, |left| left + MARGIN));
        }
        let left = until.saturating_duration_since(Instant::now());
        if state.is_taken() || left.is_zero() {
            return Ok(state);
        }
        tick(left);
        backoff.pause(left);
    }
}

/// Returns how much longer the shell loops that restart a holder sleep. Their `sleep` is a visible process.
fn loop_sleeps(plan: &Plan) -> Option<Duration> {
    let restarting_process = |restart: &Restart| match (&restart.by, restart.delay) {
        (RestartCause::Process { id, .. }, None) => Some(*id),
        _ => None,
    };
    let loops: Vec<ProcessId> = plan.restarts.iter().filter_map(restarting_process).collect();
    if loops.is_empty() {
        return None;
    }
    let table = os::process_table().ok()?;
    let longest = loops.into_iter().filter_map(|id| sleeps(id, &table, &mut RestartSources)).max()?;
    Some(longest.min(LONGEST_SETTLE))
}

/// Returns how long a port has to stay free, by the restarts that are expected.
fn settle_time(plan: &Plan) -> Duration {
    let managed =
        plan.notes.iter().any(|note| matches!(note, PlanNote::Managed { .. } | PlanNote::Wrapper { .. }))
            || plan.steps.iter().any(|step| !matches!(step.action, Action::Signal(_)));
    let base = if managed { SETTLE_MANAGED } else { SETTLE };
    let in_container = plan.steps.iter().any(|step| step.process.container.is_some());
    let time_for = |restart: &Restart| match (&restart.by, restart.delay) {
        // A socket unit starts the service when a peer connects, not after a delay.
        (RestartCause::SocketUnit(_), _) => base,
        // A unit creates its container again before the server starts.
        (RestartCause::Unit(_), Some(delay)) if in_container => {
            (delay + CONTAINER_MARGIN).min(LONGEST_SETTLE)
        }
        (_, Some(delay)) => (delay + MARGIN).min(LONGEST_SETTLE),
        (_, None) => SETTLE_UNKNOWN,
    };
    plan.restarts.iter().map(time_for).fold(base, Duration::max)
}

/// Returns a certain restart that happens after the watch ends.
pub(super) fn late_restart(plan: &Plan) -> Option<&Restart> {
    plan.restarts
        .iter()
        .find(|restart| restart.certain && restart.delay.is_some_and(|delay| delay + MARGIN > LONGEST_SETTLE))
}
