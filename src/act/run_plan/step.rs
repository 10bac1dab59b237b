//! The action on a process, and its result.

use crate::management::Via;
use crate::model::EndSignal;
use crate::model::names::names;
use crate::plan::Action;

/// What was done to end a process.
///
/// ```
/// use allears::StepAction;
///
/// assert_eq!(StepAction::Kill.to_string(), "kill");
/// assert_eq!("stop-service".parse(), Ok(StepAction::StopService));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StepAction {
    /// It was sent the signal that asks it to end.
    Terminate,
    /// It was sent SIGKILL, or ended by the operating system.
    Kill,
    /// Its container was stopped.
    StopContainer,
    /// Its supervisor was asked to stop it.
    StopSupervised,
    /// Its service was stopped.
    StopService,
}

/// The result of a step for a process.
///
/// ```
/// use allears::StepResult;
///
/// assert_eq!(StepResult::LetGo.to_string(), "let-go");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StepResult {
    /// It ended.
    Ended,
    /// It had ended before anything was done.
    Gone,
    /// It no longer held the port, and was left alone.
    LetGo,
    /// It still runs.
    Running,
    /// It could not be ended.
    Failed,
}

names! { StepResult, "result of a step":
    Ended => "ended",
    Gone => "gone",
    LetGo => "let-go",
    Running => "running",
    Failed => "failed",
}

names! { StepAction, "action of a step":
    Terminate => "terminate",
    Kill => "kill",
    StopContainer => "stop-container",
    StopSupervised => "stop-supervised",
    StopService => "stop-service",
}

/// The first action of a step. A signal other than SIGKILL asks the process to end.
impl From<&Action> for StepAction {
    fn from(action: &Action) -> StepAction {
        match action {
            Action::Signal(EndSignal::Kill) => StepAction::Kill,
            Action::Signal(_) => StepAction::Terminate,
            Action::Stop { via: Via::Container, .. } => StepAction::StopContainer,
            Action::Stop { via: Via::Supervisor, .. } => StepAction::StopSupervised,
            Action::Stop { .. } => StepAction::StopService,
        }
    }
}
