//! Phrases of `free`: refusals, confirmation, watch.

use std::time::Duration;

use super::{duration, process};
use crate::model::{EndSignal, Process};
use crate::render::escape::escape;

/// The answer if no target is held.
pub(crate) const NOTHING_HELD: &str = "nothing holds any of these ports";

/// The answer if the user did not confirm.
pub(crate) const NOTHING_DONE: &str = "nothing was done";

/// The end of the answer of a dry run.
pub(crate) const DRY_RUN: &str = "nothing was done: a dry run shows what would be done";

/// Why a call ends nothing.
#[derive(Debug)]
pub(crate) enum NotFreed<'a> {
    /// No visible process that matches one of these texts holds a port; one of the targets, if there are any.
    NoMatch { commands: &'a [String], has_targets: bool },
    /// A plan is refused. The reason is missing if it is printed already.
    Refused { reason: Option<String> },
    /// Several ports take a confirmation by an option.
    SeveralPorts,
    /// There is no terminal to ask for confirmation.
    NoTerminal,
}

impl NotFreed<'_> {
    /// Returns the sentence.
    pub(crate) fn sentence(&self) -> String {
        match self {
            NotFreed::NoMatch { commands, has_targets } => {
                let wanted: Vec<String> = commands.iter().map(|text| escape(&text.as_str().into())).collect();
                let ports = if *has_targets { "one of these ports" } else { "a port" };
                let wanted = wanted.join(" or ");
                format!("refused: no visible process that matches {wanted} holds {ports}; nothing was done")
            }
            NotFreed::Refused { reason: Some(reason) } => format!("refused, and nothing was done: {reason}"),
            NotFreed::Refused { reason: None } => "refused, and nothing was done".to_owned(),
            NotFreed::SeveralPorts => {
                "refusing to free several ports without --yes; nothing was done".to_owned()
            }
            NotFreed::NoTerminal => {
                "cannot ask for confirmation: this is not a terminal; nothing was done".to_owned()
            }
        }
    }

    /// Returns what would help.
    pub(crate) fn help(&self) -> Option<&'static str> {
        match self {
            NotFreed::NoMatch { .. } => Some("allears -c TEXT lists what matches"),
            NotFreed::Refused { .. } => None,
            NotFreed::SeveralPorts => Some("review the plans with --dry-run, then run it with --yes"),
            NotFreed::NoTerminal => Some("review the plan with --dry-run, then run it with --yes"),
        }
    }
}

/// Returns the question before processes are ended. `identity` distinguishes a single process from others of its name,
/// `signal` is the one that is sent first, if one is.
pub(crate) fn confirmation(processes: &[&Process], identity: &str, signal: Option<EndSignal>) -> String {
    let what = match processes {
        [only] => {
            let identity = if identity.is_empty() { String::new() } else { format!(" ({identity})") };
            format!("{}{identity}", process(only))
        }
        several => format!("these {} processes", several.len()),
    };
    match signal.filter(|signal| *signal != EndSignal::Terminate) {
        Some(EndSignal::Kill) => format!("Kill {what}? [y/N] "),
        Some(signal) => format!("Send SIG{signal} to {what}? [y/N] "),
        None => format!("End {what}? [y/N] "),
    }
}

/// Returns for how long a free port is watched.
pub(crate) fn watching(left: Duration) -> String {
    format!("the port is free; watching it for {}", duration(Duration::from_secs(left.as_secs())))
}
