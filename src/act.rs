//! Everything that acts instead of only reading: bind attempts, connections, freeing a port, waiting for one. It never
//! prints, prompts or reads the environment.

mod backoff;
pub(crate) mod bind;
mod engine_users;
pub(crate) mod forwarding;
mod free;
pub(crate) mod hindrance;
pub(crate) mod next_ports;
mod orphans;
pub(crate) mod prepare;
pub(crate) mod probe;
pub(crate) mod restart_sources;
pub(crate) mod run_plan;
mod supervision;
mod udp_join;
pub(crate) mod wait;
mod wait_for;
pub(crate) mod watch;
#[cfg(feature = "cli")]
pub(crate) mod watch_command;
pub(crate) mod why;

pub use free::{
    FreeObstacle, FreeOptions, FreeOutcome, FreePlan, FreeRefusal, FreeRefusalReason, FreeRestart, FreeStep,
    FreeStepReason, FreedStep, Restarter, free,
};
pub use next_ports::{NextOptions, NextPorts, SkipReason, SkippedPort, next_ports};
pub use run_plan::{StepAction, StepFailure, StepResult};
pub use wait::{WaitAttempt, WaitFor};
pub use wait_for::{WaitOptions, WaitResult, wait, wait_many};
pub use watch::{Watch, watch};
pub use why::why;
