//! What `free` shows of several plans: the plans, the question, the outcomes. The command and the screen of `watch`
//! share it.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::layout::AnswerOptions;
use super::phrases;
use super::why_and_free;
use crate::act::prepare::Prepared;
use crate::act::run_plan::RunOutcome;
use crate::model::Process;
use crate::plan::Action;

/// Returns whether a socket has one of the ports.
pub(crate) fn is_held(plans: &[Prepared]) -> bool {
    plans.iter().any(|prepared| !prepared.plan.sockets.is_empty())
}

/// Writes the plans of the ports that sockets have.
pub(crate) fn plans(plans: &[Prepared], options: &AnswerOptions, out: &mut dyn Write) -> io::Result<()> {
    let plans = plans.iter().map(|prepared| &prepared.plan);
    for plan in plans.filter(|plan| !plan.sockets.is_empty()) {
        why_and_free::plan(plan, options, out)?;
    }
    Ok(())
}

/// Returns why nothing may be done, if a plan is refused. Then none is carried out.
pub(crate) fn refusal(plans: &[Prepared]) -> Option<String> {
    let mut plans = plans.iter().map(|prepared| &prepared.plan);
    plans.find_map(|plan| Some(why_and_free::refusal(plan, plan.refusals.first()?)))
}

/// Returns the question before the plans are carried out.
pub(crate) fn question(plans: &[Prepared], options: &AnswerOptions) -> String {
    let mut steps: Vec<_> = plans.iter().flat_map(|prepared| &prepared.plan.steps).collect();
    // A process may hold the port at both addresses of localhost.
    let mut known = BTreeSet::new();
    steps.retain(|step| known.insert(step.process.id));
    let processes: Vec<&Process> = steps.iter().map(|step| &step.process).collect();
    let identity = match processes.as_slice() {
        [only] => why_and_free::identity(only, options),
        _ => String::new(),
    };
    let signal = steps.iter().find_map(|step| match step.action {
        Action::Signal(signal) => Some(signal),
        Action::Stop { .. } => None,
    });
    phrases::release::confirmation(&processes, &identity, signal)
}

/// Returns whether an answer to the question is a clear yes. Anything else is a no.
pub(crate) fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Writes what was done by a plan, and whether its port is free.
pub(crate) fn outcome(
    prepared: &Prepared,
    outcome: &RunOutcome,
    options: &AnswerOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    why_and_free::outcome(&prepared.plan, outcome, options, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_but_a_clear_yes_is_a_no() {
        for yes in ["y", "Y", "yes", " YES \n"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "n", "no", "ye", "yy", "y n", "\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
