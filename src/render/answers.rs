//! The answers of `why`, `free` and `wait` for people: the answer first, then what it rests on, then what helps.

use std::io::{self, Write};

use crate::act::plan::{Plan, Step};
use crate::act::release::{Done, Outcome};
use crate::render::card::wrap;
use crate::render::escape::escape;
use crate::render::style::{Meaning, Palette};
use crate::render::words;
use crate::verdict::Asked;
use crate::{Verdict, VerdictKind};

/// The width of the labels' column.
const LABELS: usize = 11;

/// How an answer looks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// The width to wrap at; `None` for whole lines.
    pub(crate) width: Option<usize>,
    pub(crate) palette: Palette,
}

/// `10309/tcp`, `10309/tcp on 127.0.0.1`.
pub(crate) fn subject(asked: &Asked) -> String {
    let port = format!("{}/{}", asked.port, asked.protocol.as_str());
    let interface = asked.interface.as_ref().map_or_else(String::new, |name| format!("%{}", escape(name)));
    match asked.address {
        None => port,
        Some(address) if address.is_ipv6() => format!("{port} on [{address}{interface}]"),
        Some(address) => format!("{port} on {address}"),
    }
}

/// Writes a verdict.
pub(crate) fn why(verdict: &Verdict, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let can = match verdict.can_bind {
        Some(true) => "can be bound",
        Some(false) => "cannot be bound",
        None => "could not be tried",
    };
    let but = match (verdict.can_bind, verdict.kind) {
        (Some(true), VerdictKind::Free | VerdictKind::Reserved) | (Some(false) | None, _) => ":",
        (Some(true), _) => ", but:",
    };
    let subject = options.palette.paint(Meaning::Subject, subject(&verdict.asked));
    let reason = escape(&verdict.reason.as_str().into());
    let line = format!("{subject} {can}{but} {reason}");
    let lines = match (options.width, options.palette.color) {
        // Colours have no width; the first line is short enough to be broken by the terminal.
        (Some(width), false) => wrap(&line, width),
        _ => vec![line],
    };
    for line in lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    section("error", verdict.error.as_slice(), options, out)?;
    section("observed", &verdict.facts, options, out)?;
    section("what helps", &verdict.advice, options, out)
}

/// Lines under one label.
fn section(label: &str, lines: &[String], options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let room = options.width.map_or(usize::MAX, |width| width.saturating_sub(LABELS + 2).max(20));
    let mut label = format!("{label:<LABELS$}");
    for text in lines {
        for line in wrap(&escape(&text.as_str().into()), room) {
            let shown = options.palette.paint(Meaning::Label, &label);
            writeln!(out, "  {shown}{line}")?;
            label = " ".repeat(LABELS);
        }
    }
    Ok(())
}

/// Writes what would be done to free a port, and why something of it may not be done.
pub(crate) fn plan(plan: &Plan, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let subject = options.palette.paint(Meaning::Subject, subject(&plan.asked));
    match plan.steps.len() {
        0 if plan.sockets.is_empty() => writeln!(out, "nothing holds {subject}")?,
        0 => writeln!(out, "to free {subject}:")?,
        1 => writeln!(out, "to free {subject}, end this process:")?,
        many => writeln!(out, "to free {subject}, end these {many} processes:")?,
    }
    for step in &plan.steps {
        let action = match &step.command {
            Some(command) => escape(&command.join(" ").as_str().into()),
            None => step.action().to_owned(),
        };
        let name = named(step);
        writeln!(out, "  {action}  {name}: {}", escape(&step.reason.as_str().into()))?;
    }
    for hint in &plan.hints {
        writeln!(out, "  note: {}", escape(&hint.as_str().into()))?;
    }
    for refusal in &plan.refusals {
        let text = escape(&refusal.as_str().into());
        writeln!(out, "  {}", options.palette.paint(Meaning::Unseen, format!("refused: {text}")))?;
    }
    Ok(())
}

fn named(step: &Step) -> String {
    let process = &step.process;
    let name = words::process_name(&process.name);
    match words::user(&process.user, process.uid) {
        Some(user) => format!("{name} (pid {}, {user})", process.id.pid),
        None => format!("{name} (pid {})", process.id.pid),
    }
}

/// Writes what was done, and what came of it.
pub(crate) fn outcome(
    plan: &Plan,
    outcome: &Outcome,
    options: &Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    let subject = options.palette.paint(Meaning::Subject, subject(&plan.asked));
    let answer = match (outcome.free, outcome.came_back) {
        (true, _) if plan.steps.is_empty() => format!("{subject} is free: nothing held it"),
        (true, _) => format!("{subject} is free"),
        (false, true) => format!("{subject} is held again: {}", escape(&outcome.reason.as_str().into())),
        (false, false) => format!("{subject} is still held: {}", escape(&outcome.reason.as_str().into())),
    };
    writeln!(out, "{answer}")?;
    for done in &outcome.done {
        writeln!(out, "  {}", told(done))?;
    }
    // Where a plan was shown, these were in it.
    let unshown = plan.hints.iter().filter(|_| plan.sockets.is_empty());
    for hint in unshown.chain(&outcome.hints) {
        writeln!(out, "  note: {}", escape(&hint.as_str().into()))?;
    }
    Ok(())
}

fn told(done: &Done) -> String {
    let name = words::process_name(&done.name);
    let text = match done.error.as_deref() {
        Some(error) => format!("{}: {error}", done.result.as_str()),
        None => done.result.as_str().to_owned(),
    };
    format!("{name} (pid {}): {}, {}", done.pid, done.action, escape(&text.as_str().into()))
}
