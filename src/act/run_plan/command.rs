//! Runs the command of a manager.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::step_failure::StepFailure;
use crate::act::backoff::Backoff;
use crate::model::Text;
use crate::os;

/// How long a manager's command may take. docker(1) gives a container ten seconds before it kills it.
const LONGEST_COMMAND: Duration = Duration::from_secs(60);

/// Runs a manager's command, which the user requested with `--via`, from the system's own folders, and waits for its end.
pub(super) fn run(command: &[Text]) -> Result<(), StepFailure> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let Some(path) = os::system_program(&program.to_string_lossy()) else {
        return Err(StepFailure::NotInstalled { program: program.clone() });
    };
    let arguments = arguments.iter().map(|argument| argument.to_string_lossy().into_owned());
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let until = Instant::now() + LONGEST_COMMAND;
    let mut backoff = Backoff::new();
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(StepFailure::Status { program: program.clone(), status }),
            // It keeps running: the manager may still need it.
            None if Instant::now() >= until => {
                return Err(StepFailure::Timeout { program: program.clone(), limit: LONGEST_COMMAND });
            }
            None => backoff.pause(until.saturating_duration_since(Instant::now())),
        }
    }
}
