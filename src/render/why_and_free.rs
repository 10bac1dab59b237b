//! The answers of `why`, `free` and `wait` for people: the answer first, then what it rests on, then what helps.

use std::io::{self, Write};
use std::time::Duration;

use super::escape::{self, escape};
use super::layout::{AnswerOptions, wrap, write_section};
use super::phrases;
use super::plan;
use super::style::TextRole;
use super::verdict::{hindrance, sentences};
use crate::act::run_plan::{DoneStep, Obstacle, RunOutcome};
use crate::model::{EndSignal, Gap, GapKind, Process, Text};
use crate::plan::{Action, Plan, PlanRefusal, StepReason};
use crate::shell;
use crate::verdict::{Verdict, VerdictKind};

/// The width of the labels' column.
const LABELS: usize = 11;

/// Writes a verdict.
pub(crate) fn why(verdict: &Verdict, options: &AnswerOptions, out: &mut dyn Write) -> io::Result<()> {
    let can = match verdict.can_bind {
        Some(true) => "can be bound",
        Some(false) => "cannot be bound",
        None => "could not be tested",
    };
    let but = match (verdict.can_bind, verdict.kind) {
        (Some(true), VerdictKind::Free | VerdictKind::Reserved) | (Some(false) | None, _) => ":",
        (Some(true), _) => ", but:",
    };
    let subject = options.palette.paint(TextRole::Subject, phrases::bind_target(&verdict.target));
    let reason = &verdict.reason;
    let line = format!("{subject} {can}{but} {reason}");
    for line in wrap(&line, options.width.unwrap_or(usize::MAX)) {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    facts("error", &sentences(verdict.error.as_slice()), options, out)?;
    facts("observed", &sentences(&verdict.facts), options, out)?;
    facts("what helps", &sentences(&verdict.advice), options, out)
}

/// Returns what could not be read and matters to a verdict. Processes that could not be read matter only if a holder is
/// missing.
pub(crate) fn relevant_gaps(verdict: &Verdict) -> impl Iterator<Item = &Gap> {
    let missing = verdict.kind == VerdictKind::Unknown
        || verdict.standing_in_the_way.iter().any(|listener| listener.unseen.is_some());
    let tables = |gap: &Gap| matches!(gap.what, GapKind::Sockets | GapKind::Limits);
    verdict.gaps.iter().filter(move |gap| missing || tables(gap))
}

/// Writes sentences about what was observed under a label. They contain text from outside.
fn facts(label: &str, sentences: &[String], options: &AnswerOptions, out: &mut dyn Write) -> io::Result<()> {
    let escaped: Vec<String> = sentences.iter().map(|text| escape(&text.as_str().into())).collect();
    write_section(label, LABELS, &escaped, options, out)
}

/// Writes what would be done to free a port, or why it may not be done.
pub(crate) fn plan(plan: &Plan, options: &AnswerOptions, out: &mut dyn Write) -> io::Result<()> {
    if !plan.refusals.is_empty() {
        return refused(plan, options, out);
    }
    let subject = options.palette.paint(TextRole::Subject, phrases::bind_target(&plan.target));
    let stops = plan.steps.iter().any(|step| !matches!(step.action, Action::Signal(_)));
    match plan.steps.len() {
        0 if plan.sockets.is_empty() => writeln!(out, "nothing holds {subject}")?,
        _ if stops => writeln!(out, "to free {subject}, run this:")?,
        1 => writeln!(out, "to free {subject}, end this process:")?,
        many => writeln!(out, "to free {subject}, end these {many} processes:")?,
    }
    let mut commands: Vec<&[Text]> = Vec::new();
    for step in &plan.steps {
        let what = format!("{}: {}", phrases::process(&step.process), plan::step_reason(step));
        match &step.action {
            Action::Signal(signal) => {
                let name = match signal {
                    EndSignal::Terminate => "terminate".to_owned(),
                    EndSignal::Kill => "kill".to_owned(),
                    other => format!("SIG{other}"),
                };
                label(&name, &what, options, out)?;
                label("", &identity(&step.process, options), options, out)?;
            }
            Action::Stop { command, .. } => {
                if !commands.contains(&command.as_slice()) {
                    label("run", &command_line(command), options, out)?;
                    commands.push(command);
                }
                label("stops", &what, options, out)?;
            }
        }
    }
    for note in &plan.notes {
        label(plan::note_label(note), &plan::note(note, &plan.target), options, out)?;
    }
    Ok(())
}

/// Writes the holders of a port, and why no process is ended.
fn refused(plan: &Plan, options: &AnswerOptions, out: &mut dyn Write) -> io::Result<()> {
    let subject = options.palette.paint(TextRole::Subject, phrases::bind_target(&plan.target));
    writeln!(out, "{subject} is not freed:")?;
    // The rest of a tree holds nothing.
    for step in plan.steps.iter().filter(|step| matches!(step.reason, StepReason::Holder(_))) {
        label(
            "held by",
            &format!("{}: {}", phrases::process(&step.process), plan::step_reason(step)),
            options,
            out,
        )?;
    }
    let mut reasons: Vec<String> = Vec::new();
    for refusal in &plan.refusals {
        let reason = plan::refusal(refusal, &plan.target);
        if !reasons.contains(&reason) {
            label("refused", &reason, options, out)?;
            reasons.push(reason);
        }
    }
    Ok(())
}

/// Returns why a plan may not be carried out, as a sentence.
pub(crate) fn refusal(plan: &Plan, refusal: &PlanRefusal) -> String {
    plan::refusal(refusal, &plan.target)
}

/// Returns a command as one would type it. Words that cannot be quoted are escaped: no shell runs the command.
fn command_line(command: &[Text]) -> String {
    shell::line(command).unwrap_or_else(|| escape::command_line(command))
}

/// Writes a text under a label. An empty text has no line.
fn label(label: &str, text: &str, options: &AnswerOptions, out: &mut dyn Write) -> io::Result<()> {
    match text.is_empty() {
        true => Ok(()),
        false => write_section(label, LABELS, &[text], options, out),
    }
}

/// Returns what distinguishes a process from others of its name: its project, its branch, its age.
pub(crate) fn identity(process: &Process, options: &AnswerOptions) -> String {
    let place = match (&process.project, &process.directory) {
        (Some(project), _) => Some(phrases::project(project, &options.current_user)),
        (None, Some(directory)) if directory.as_bytes() != b"/" => Some(options.current_user.path(directory)),
        _ => None,
    };
    let place = place.map(|place| format!("in {place}"));
    let branch = process.project.as_ref().and_then(phrases::checked_out);
    let age = process.started_at.zip(options.now);
    let age = age.map(|(started, now)| format!("started {} ago", phrases::ago(started, now)));
    let runs_as = process.command.as_deref().filter(|command| command.len() > 1);
    let command = runs_as.map(escape::command_line).map(|line| shorten(&line));
    [command, place, branch, age].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Returns the beginning of a command line. The card shows all of it.
fn shorten(line: &str) -> String {
    const MOST: usize = 60;
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or(line)),
        None => line.to_owned(),
    }
}

/// Writes what was done, and the result.
pub(crate) fn outcome(
    plan: &Plan,
    outcome: &RunOutcome,
    options: &AnswerOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let subject = options.palette.paint(TextRole::Subject, phrases::bind_target(&plan.target));
    writeln!(out, "{subject} {}", outcome_phrase(plan, outcome))?;
    for done in &outcome.done {
        writeln!(out, "  {}", step_line(done))?;
    }
    // A plan that was shown has these notes already.
    for note in plan.notes.iter().filter(|_| plan.sockets.is_empty()) {
        label(plan::note_label(note), &plan::note(note, &plan.target), options, out)?;
    }
    for hint in hints(plan, outcome) {
        label("note", &hint, options, out)?;
    }
    Ok(())
}

/// Returns whether a port is free, as a phrase that follows its name.
pub(crate) fn outcome_phrase(plan: &Plan, outcome: &RunOutcome) -> String {
    match &outcome.obstacle {
        None if plan.steps.is_empty() => "is free: nothing held it".to_owned(),
        None => match (plan.restarts.is_empty(), outcome.watched) {
            (false, Some(watched)) => {
                format!("is free, and stayed free for {}", phrases::duration(rounded(watched)))
            }
            _ => "is free".to_owned(),
        },
        Some(Obstacle::Held) if outcome.came_back => format!("is held again: {}", held_by(plan, outcome)),
        // Without a step nothing was tried, and nothing is "still" as it was.
        Some(Obstacle::Held) if outcome.done.is_empty() => {
            format!("is held {}; nothing was done", held_by(plan, outcome))
        }
        Some(Obstacle::Held) => format!("is still held: {}", held_by(plan, outcome)),
        Some(Obstacle::Lingers { reason, .. }) if outcome.done.is_empty() => {
            format!("is not free: no process listens, but {reason}")
        }
        Some(Obstacle::Lingers { reason, .. }) => {
            format!("is still held: no process listens any more, but {reason}")
        }
        Some(Obstacle::Forwarded(listeners)) => {
            let container = listeners.iter().find_map(|listener| listener.container.as_deref());
            let to = container.map_or_else(
                || "elsewhere".to_owned(),
                |container| format!("the {}", phrases::container_or_pod(container)),
            );
            format!("is not free: no process holds it, but connections to it are forwarded to {to}")
        }
        Some(Obstacle::Answered(address)) => {
            format!("is not free: no process holds it, but a connection to {address} is answered")
        }
        Some(Obstacle::Restarts(restart)) => format!("is free now, but {}", plan::restarts(restart)),
        Some(Obstacle::Refused { hindrance: Some(found), .. }) => format!(
            "is held by nothing, but it cannot be bound: {}; allears why {} explains that",
            hindrance(found, &plan.target),
            phrases::target(&plan.target)
        ),
        Some(Obstacle::Refused { refusal, hindrance: None }) => format!(
            "is held by nothing, but whether it is free could not be tested: a bind fails with {}; allears why {} \
             explains that",
            refusal.name,
            phrases::target(&plan.target)
        ),
        Some(Obstacle::ForwardingUnknown(gap)) => {
            format!("is held by nothing, and can be bound, but {}", plan::forwarding_unknown(gap))
        }
    }
}

fn rounded(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis() / 100 * 100).unwrap_or(u64::MAX))
}

/// Returns the sentence on the holders of the port at the end.
fn held_by(plan: &Plan, outcome: &RunOutcome) -> String {
    let holder = outcome.held_by.iter().find_map(|listener| listener.head());
    let Some(holder) = holder else { return "by a process that could not be seen".to_owned() };
    let parent = holder.process.parents.first().filter(|_| outcome.came_back);
    let parent = parent.map_or_else(String::new, |parent| {
        format!(", a child of {}", phrases::name_and_pid(&parent.name, parent.pid))
    });
    let restart = plan.restarts.first().filter(|_| outcome.came_back);
    let restart = restart.map_or_else(String::new, |restart| format!("; {}", plan::restarts(restart)));
    format!("by {}{parent}{restart}", phrases::process(&holder.process))
}

/// Returns what helps after the plan was carried out.
pub(crate) fn hints(plan: &Plan, outcome: &RunOutcome) -> Vec<String> {
    let mut hints = Vec::new();
    if let Some(Obstacle::Lingers { advice, .. }) = &outcome.obstacle {
        hints.extend(sentences(advice));
    }
    let halted = plan.steps.iter().find(|step| step.process.condition.is_some());
    match halted {
        _ if !outcome.outlived => {}
        Some(step) => hints.push(plan::halted(&step.process)),
        None => hints.push(
            "it did not end before the timeout: --force sends SIGKILL, --timeout waits longer".to_owned(),
        ),
    }
    hints
}

fn step_line(done: &DoneStep) -> String {
    let who = phrases::name_and_pid(&done.name, done.pid);
    let text = match &done.error {
        Some(error) => format!("{}: {error}", done.result.as_str()),
        None => done.result.as_str().to_owned(),
    };
    format!("{who}: {}, {}", done.action, escape(&text.as_str().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind_attempt::BindRefusalKind;
    use crate::model::State;
    use crate::render::style::Palette;
    use crate::verdict::judge;
    use crate::verdict::test_support::{held_by, observation, socket};

    #[test]
    fn the_headline_is_wrapped_with_and_without_colours() {
        let in_use = Some((BindRefusalKind::InUse, "EADDRINUSE"));
        let name = "a server with a long name ".repeat(4);
        let listener = held_by(socket("127.0.0.1", None, State::Listen), name.trim_end());
        let verdict = judge(observation(in_use, in_use, vec![listener]));
        let headline = |width: Option<usize>, color: bool| {
            let mut out = Vec::new();
            why(
                &verdict,
                &AnswerOptions { width, palette: Palette { color }, ..AnswerOptions::default() },
                &mut out,
            )
            .unwrap();
            let text = String::from_utf8(out).unwrap();
            text.split("\n\n").next().unwrap_or_default().to_owned()
        };
        let whole = headline(None, false);
        assert!(whole.len() > 80 && !whole.contains('\n'), "{whole}");
        for width in [40, 80] {
            let wrapped = headline(Some(width), false);
            assert!(
                wrapped.lines().count() > 1 && wrapped.lines().all(|line| line.len() <= width),
                "{wrapped}"
            );
            assert_eq!(wrapped.replace('\n', " "), whole, "no word is lost");
            let plain = |text: String| anstream::adapter::strip_str(&text).to_string();
            assert_eq!(plain(headline(Some(width), true)), wrapped, "colours have no width");
        }
    }
}
