//! Carries out a plan and watches the port until it is free. It never signals a process whose identity changed since the
//! plan was made, or that no longer holds the port. A port is free if a bind succeeds, no socket has it, and nothing
//! forwards it.

mod command;
mod settle;
mod step;
mod step_failure;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::bind;
use super::forwarding::forwarding;
use super::hindrance::hindrance;
use super::prepare::Prepared;
use crate::bind_attempt::{BindRefusal, BindRefusalKind, BindTarget};
use crate::model::compact::CompactCollect as _;
use crate::model::{Error, Gap, Listener, ProcessId, Text};
use crate::os::{EndSignal, Row};
use crate::plan::{Action, Forwarding, Plan, Restart, Step, StepReason};
use crate::scan::port_sockets;
use crate::verdict::{Advice, Hindrance, VerdictReason};
use command::run;
use settle::{late_restart, settled};
pub use step::{StepAction, StepResult};
pub use step_failure::StepFailure;

/// How long a killed process may take to end.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// How a plan is carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunOptions {
    /// How long to wait for the port to become free.
    pub(crate) timeout: Duration,
    /// Whether what outlives the timeout is killed.
    pub(crate) force: bool,
}

impl Default for RunOptions {
    /// Those of `free` without options.
    fn default() -> RunOptions {
        RunOptions { timeout: Duration::from_secs(5), force: false }
    }
}

/// The outcome of carrying out a plan.
#[derive(Debug, Default)]
pub(crate) struct RunOutcome {
    pub(crate) done: Vec<DoneStep>,
    /// `None` if the port is free at the end.
    pub(crate) obstacle: Option<Obstacle>,
    /// Whether a new process took the port.
    pub(crate) came_back: bool,
    /// How long the port was watched after it became free.
    pub(crate) watched: Option<Duration>,
    pub(crate) held_by: Vec<Listener>,
    /// Whether processes that were sent SIGTERM still run and were not killed.
    pub(crate) outlived: bool,
}

/// Why a port is not free, or not known to be.
#[derive(Debug)]
pub(crate) enum Obstacle {
    /// Sockets have it.
    Held,
    /// No listening or bound socket has it, but a bind fails because it is in use.
    Lingers { reason: Box<VerdictReason>, advice: Vec<Advice> },
    /// Connections to it are forwarded.
    Forwarded(Vec<Listener>),
    /// No socket has it, but a connection to this address is answered.
    Answered(SocketAddr),
    /// It is free now, but the holder is restarted after the watch ends.
    Restarts(Restart),
    /// No socket has it, and a bind is refused for another reason, which proves nothing.
    Refused { refusal: BindRefusal, hindrance: Option<Hindrance> },
    /// No socket has it, but whether it is forwarded could not be read.
    ForwardingUnknown(Gap),
}

impl Obstacle {
    /// Returns whether the port may be free.
    #[cfg(feature = "cli")]
    pub(crate) fn is_doubt(&self) -> bool {
        matches!(self, Obstacle::Refused { .. } | Obstacle::ForwardingUnknown(_))
    }
}

impl RunOutcome {
    pub(crate) fn is_free(&self) -> bool {
        self.obstacle.is_none()
    }
}

/// What was done to a process.
#[derive(Debug)]
pub(crate) struct DoneStep {
    pub(crate) pid: u32,
    pub(crate) name: Text,
    pub(crate) action: StepAction,
    pub(crate) result: StepResult,
    pub(crate) error: Option<StepFailure>,
}

/// The state of a port at one moment.
struct PortState {
    rows: Vec<Row>,
    /// Why a bind fails, preferably because the port is in use. `None` if it succeeds or was not attempted.
    refused: Option<BindRefusal>,
}

impl PortState {
    fn read(bind_target: &BindTarget) -> Result<PortState, Error> {
        let mut rows = port_sockets::sockets(bind_target.protocol, Some(bind_target.port), true)?.rows;
        rows.retain(|row| row.socket.has_port_without_peer() && bind_target.overlaps(&row.socket));
        // A port that sockets have needs no attempt.
        let refused = if rows.is_empty() { bind::refusal(bind_target) } else { None };
        Ok(PortState { rows, refused })
    }

    /// Returns whether sockets or connections have the port.
    fn is_taken(&self) -> bool {
        !self.rows.is_empty() || self.refused.as_ref().is_some_and(|it| it.kind == BindRefusalKind::InUse)
    }
}

/// Returns whether the port is free now, and the reason if it is not.
pub(crate) fn check(prepared: &Prepared) -> Result<RunOutcome, Error> {
    let mut outcome = RunOutcome::default();
    conclude(prepared, PortState::read(&prepared.plan.target)?, &mut outcome)?;
    Ok(outcome)
}

/// Returns the state of the port without acting. A port whose plan has sockets is held; any other port is tested now.
#[cfg(feature = "cli")]
pub(crate) fn as_planned(prepared: &Prepared) -> Result<RunOutcome, Error> {
    let sockets = &prepared.plan.sockets;
    if sockets.is_empty() {
        return check(prepared);
    }
    Ok(RunOutcome { obstacle: Some(Obstacle::Held), held_by: sockets.clone(), ..RunOutcome::default() })
}

/// Carries out a plan without refusals, and watches the port. Calls `tick` with the time left after each check.
pub(crate) fn carry_out(
    prepared: &Prepared,
    options: RunOptions,
    tick: &mut dyn FnMut(Duration),
) -> Result<RunOutcome, Error> {
    let (plan, handles) = (&prepared.plan, &prepared.handles);
    let mut outcome = RunOutcome::default();
    // The caller reports refusals. A plan that has any is never carried out.
    if plan.steps.is_empty() || !plan.refusals.is_empty() {
        return check(prepared);
    }
    let holding = holding_now(plan)?;
    let begun = Instant::now();
    let mut commands: BTreeSet<&[Text]> = BTreeSet::new();
    for step in &plan.steps {
        let (result, error) = match &step.action {
            Action::Stop { command, .. } => match commands.insert(command) {
                true => result_of(run(command).map(|()| true)),
                false => (StepResult::Running, None),
            },
            Action::Signal(first) => {
                let holds =
                    holding.contains(&step.process.id) || !matches!(step.reason, StepReason::Holder(_));
                signal(prepared, step, holds, *first)
            }
        };
        let (pid, name) = (step.process.id.pid, step.process.name.clone());
        outcome.done.push(DoneStep { pid, name, action: StepAction::from(&step.action), result, error });
    }
    let mut state = watch(prepared, begun + options.timeout)?;
    if options.force && state.is_taken() && !replaced(prepared, &state) {
        let mut killed = false;
        let holding = holding_now(plan)?;
        for (step, done) in plan.steps.iter().zip(&mut outcome.done) {
            // A process that released the port may finish its work.
            let holds = holding.contains(&step.process.id) || !matches!(step.reason, StepReason::Holder(_));
            if matches!(step.action, Action::Signal(_)) && done.result == StepResult::Running && holds {
                let (result, error) = signal(prepared, step, holds, EndSignal::Kill);
                if result != StepResult::Gone {
                    (done.result, done.error, done.action) = (result, error, StepAction::Kill);
                    killed = true;
                }
            }
        }
        if killed {
            state = watch(prepared, Instant::now() + AFTER_KILL)?;
        }
    }
    if state.is_taken() {
        outcome.came_back = replaced(prepared, &state);
    } else {
        let begun = Instant::now();
        state = settled(plan, tick)?;
        outcome.came_back = state.is_taken();
        outcome.watched = Some(begun.elapsed());
    }
    conclude(prepared, state, &mut outcome)?;
    for (step, done) in plan.steps.iter().zip(&mut outcome.done) {
        if done.result == StepResult::Running && handles.has_ended(step.process.id) {
            done.result = StepResult::Ended;
        }
    }
    let asked_to_end =
        |done: &DoneStep| done.result == StepResult::Running && done.action == StepAction::Terminate;
    outcome.outlived =
        !outcome.is_free() && !outcome.came_back && !options.force && outcome.done.iter().any(asked_to_end);
    Ok(outcome)
}

/// Sends a signal to the process of a step. `holds` is whether it still holds the port, or is in the plan for another
/// reason.
fn signal(
    prepared: &Prepared,
    step: &Step,
    holds: bool,
    signal: EndSignal,
) -> (StepResult, Option<StepFailure>) {
    let sent = prepared.handles.with(step.process.id, |handle| match handle {
        None => Ok(StepResult::Gone),
        Some(handle) if handle.has_ended() => Ok(StepResult::Gone),
        Some(_) if !holds => Ok(StepResult::LetGo),
        Some(handle) => handle.send(signal).map(|sent| match sent {
            true => StepResult::Running,
            false => StepResult::Gone,
        }),
    });
    sent.map_or_else(|error| (StepResult::Failed, Some(error.into())), |result| (result, None))
}

fn result_of(done: Result<bool, StepFailure>) -> (StepResult, Option<StepFailure>) {
    match done {
        Ok(true) => (StepResult::Running, None),
        Ok(false) => (StepResult::Gone, None),
        Err(failure) => (StepResult::Failed, Some(failure)),
    }
}

/// Returns the processes that hold the port now. Time may have passed since the plan was made, such as at a prompt.
fn holding_now(plan: &Plan) -> Result<BTreeSet<ProcessId>, Error> {
    let (sockets, _) = port_sockets::holders(PortState::read(&plan.target)?.rows)?;
    Ok(sockets.iter().flat_map(|listener| &listener.holders).map(|holder| holder.process.id).collect())
}

/// Watches the port until it is free, a new process has it, or time is up.
fn watch(prepared: &Prepared, until: Instant) -> Result<PortState, Error> {
    let mut backoff = Backoff::new();
    loop {
        let state = PortState::read(&prepared.plan.target)?;
        if !state.is_taken() || replaced(prepared, &state) || Instant::now() >= until {
            return Ok(state);
        }
        backoff.pause(until.saturating_duration_since(Instant::now()));
    }
}

/// Returns whether every holder in the plan has ended, and only new sockets have the port.
fn replaced(prepared: &Prepared, state: &PortState) -> bool {
    let plan = &prepared.plan;
    let known: BTreeSet<u64> = plan.sockets.iter().filter_map(|listener| listener.socket.inode).collect_set();
    let new = |row: &Row| row.socket.inode.is_some_and(|inode| !known.contains(&inode));
    let mut holders = plan.steps.iter().filter(|step| matches!(step.reason, StepReason::Holder(_)));
    !state.rows.is_empty()
        && state.rows.iter().all(new)
        && holders.all(|step| prepared.handles.has_ended(step.process.id))
}

/// Determines whether the port is free, and why not.
fn conclude(prepared: &Prepared, state: PortState, outcome: &mut RunOutcome) -> Result<(), Error> {
    let plan = &prepared.plan;
    let mut state = state;
    if state.rows.is_empty() && state.is_taken() {
        // A server that is bound but does not listen yet may be missing from the table.
        let later = PortState::read(&plan.target)?;
        if !later.rows.is_empty() {
            outcome.came_back |= replaced(prepared, &later);
        }
        state = later;
    }
    if !state.rows.is_empty() {
        (outcome.held_by, _) = port_sockets::holders(state.rows)?;
        outcome.obstacle = Some(Obstacle::Held);
        return Ok(());
    }
    outcome.obstacle = match state.refused {
        Some(refusal) if refusal.kind == BindRefusalKind::InUse => {
            let verdict = super::why::verdict_for(&plan.target, &prepared.runtimes)?;
            Some(Obstacle::Lingers { reason: Box::new(verdict.reason), advice: verdict.advice })
        }
        refused => match (forwarding(&plan.target, &prepared.runtimes)?, refused) {
            (Forwarding::Answered(address), _) => Some(Obstacle::Answered(address)),
            (Forwarding::Forwarded(listeners), _) => Some(Obstacle::Forwarded(listeners)),
            (_, Some(refusal)) => {
                let hindrance = hindrance(&plan.target, &refusal);
                Some(Obstacle::Refused { refusal, hindrance })
            }
            (Forwarding::Unknown(gap), None) => Some(Obstacle::ForwardingUnknown(gap)),
            (Forwarding::RuledOut, None) => None,
        },
    };
    if outcome.obstacle.is_none() && !outcome.done.is_empty() {
        outcome.obstacle = late_restart(plan).cloned().map(Obstacle::Restarts);
    }
    Ok(())
}
