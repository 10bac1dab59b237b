//! The outcome of carrying out a plan of `free`, as data for users of the library.

use std::net::SocketAddr;
use std::time::Duration;

use super::FreeRestart;
use crate::act::run_plan::{self, StepAction, StepFailure, StepResult};
use crate::model::{ErrorName, Gap, Listener, Text};
use crate::verdict::{Advice, Hindrance, VerdictReason};

/// What came of carrying out a [`FreePlan`](crate::FreePlan).
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     // The plan for a free port has no steps, and ends nothing.
///     if plan.steps().is_empty() {
///         println!("free: {:?}", plan.run()?.is_free());
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FreeOutcome {
    /// Why the port is not free, or not known to be. `None` if it is free.
    pub obstacle: Option<FreeObstacle>,
    /// Whether something new took the port.
    pub came_back: bool,
    /// How long the port was watched after it became free.
    pub watched: Option<Duration>,
    /// The sockets that have the port at the end.
    pub held_by: Vec<Listener>,
    /// What was done to each process.
    pub done: Vec<FreedStep>,
}

impl FreeOutcome {
    /// Returns whether the port is free. `None` if that could not be determined.
    pub fn is_free(&self) -> Option<bool> {
        match &self.obstacle {
            None => Some(true),
            Some(FreeObstacle::Refused { .. } | FreeObstacle::ForwardingUnknown(_)) => None,
            Some(_) => Some(false),
        }
    }
}

/// Why a port is not free, or not known to be.
///
/// ```
/// use allears::{FreeObstacle, FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     // The plan for a free port has no steps, and ends nothing.
///     if plan.steps().is_empty()
///         && let Some(FreeObstacle::Answered(address)) = plan.run()?.obstacle
///     {
///         println!("something answers at {address}");
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum FreeObstacle {
    /// Sockets have it: [`FreeOutcome::held_by`].
    Held,
    /// No listening or bound socket has it, and a bind fails because it is in use: old connections linger.
    Lingers {
        /// What is in the way, as [`Verdict::reason`](crate::Verdict::reason).
        reason: Box<VerdictReason>,
        /// What helps, as [`Verdict::advice`](crate::Verdict::advice).
        advice: Vec<Advice>,
    },
    /// Connections to it are forwarded by these.
    Forwarded(Vec<Listener>),
    /// No socket has it, and a connection to this address is answered.
    Answered(SocketAddr),
    /// It is free now, and what was ended starts again later than the port was watched.
    Restarts(FreeRestart),
    /// No socket has it, and a bind is refused for another reason, such as missing permission.
    Refused {
        /// The error of the operating system: `EACCES`.
        error: ErrorName,
        /// What forbids the bind, if that is known.
        hindrance: Option<Hindrance>,
    },
    /// No socket has it, and whether it is forwarded could not be read.
    ForwardingUnknown(Gap),
}

/// What was done to a process.
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     // The plan for a free port has no steps, and ends nothing.
///     if plan.steps().is_empty() {
///         for step in plan.run()?.done {
///             println!("{} {}: {}", step.action, step.pid, step.result);
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FreedStep {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub name: Text,
    /// What was done.
    pub action: StepAction,
    /// What became of it.
    pub result: StepResult,
    /// Why it failed, if it did.
    pub error: Option<StepFailure>,
}

impl From<run_plan::DoneStep> for FreedStep {
    fn from(done: run_plan::DoneStep) -> FreedStep {
        FreedStep {
            pid: done.pid,
            name: done.name,
            action: done.action,
            result: done.result,
            error: done.error,
        }
    }
}

impl From<run_plan::Obstacle> for FreeObstacle {
    fn from(obstacle: run_plan::Obstacle) -> FreeObstacle {
        use run_plan::Obstacle;
        match obstacle {
            Obstacle::Held => FreeObstacle::Held,
            Obstacle::Lingers { reason, advice } => FreeObstacle::Lingers { reason, advice },
            Obstacle::Forwarded(listeners) => FreeObstacle::Forwarded(listeners),
            Obstacle::Answered(address) => FreeObstacle::Answered(address),
            Obstacle::Restarts(restart) => FreeObstacle::Restarts(FreeRestart::from(&restart)),
            Obstacle::Refused { refusal, hindrance } => {
                FreeObstacle::Refused { error: refusal.name, hindrance }
            }
            Obstacle::ForwardingUnknown(gap) => FreeObstacle::ForwardingUnknown(gap),
        }
    }
}
