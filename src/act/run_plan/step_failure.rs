//! Why a step of a plan failed.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use crate::model::Text;

/// Why a [`FreedStep`](crate::FreedStep) failed.
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// // Nothing holds this port, so that nothing is ended.
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     if plan.steps().is_empty() {
///         for failure in plan.run()?.done.into_iter().filter_map(|step| step.error) {
///             println!("{failure}");
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepFailure {
    /// The manager's program is not in the system's own folders.
    NotInstalled {
        /// The program.
        program: Text,
    },
    /// The manager's command failed.
    Status {
        /// The program.
        program: Text,
        /// Its exit status.
        status: ExitStatus,
    },
    /// The manager's command still ran when the time for it was over.
    Timeout {
        /// The program.
        program: Text,
        /// The time that it had.
        limit: Duration,
    },
    /// The operating system refused a signal, or did not start the manager's command: its message.
    System(Text),
}

impl From<io::Error> for StepFailure {
    fn from(error: io::Error) -> StepFailure {
        StepFailure::System(Text::from_display(&error))
    }
}
