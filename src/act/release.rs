//! The release of a port: a plan is carried out, and the port watched until it is free. Nothing is signalled whose
//! identity changed since the plan, nor what let go of the port meanwhile.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bind::{self, Place, RefusalKind};
use super::observe;
use super::plan::{Plan, has_port, name};
use super::wait::Pace;
use crate::os::{Grip, Row};
use crate::verdict::Asked;
use crate::{Error, Listener, ProcessId, Text};

/// How long a port has to stay free before it counts as free: what restarts a server does so at once.
const SETTLE: Duration = Duration::from_millis(500);
/// The same where a service manager is known to look after it. systemd waits 100 ms as a rule.
const SETTLE_SERVICE: Duration = Duration::from_millis(1500);
/// How long what was killed may take to vanish.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// What came of carrying out a plan.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) done: Vec<Done>,
    /// Whether the port is free at the end: bound and released again, and in no socket's hands.
    pub(crate) free: bool,
    /// Whether something new took it.
    pub(crate) came_back: bool,
    /// Why it is not free.
    pub(crate) reason: String,
    pub(crate) held_by: Vec<Listener>,
    pub(crate) hints: Vec<String>,
}

/// What was done to a process.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) pid: u32,
    pub(crate) name: Text,
    pub(crate) action: &'static str,
    pub(crate) result: Ended,
    pub(crate) error: Option<String>,
}

/// What became of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It ended.
    Now,
    /// It had ended before anything was done.
    Before,
    /// It did not hold the port any more, and nothing was done to it.
    LetGo,
    /// It still runs.
    Running,
    /// What was tried failed.
    Failed,
}

impl Ended {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Ended::Now => "ended",
            Ended::Before => "gone",
            Ended::LetGo => "let-go",
            Ended::Running => "running",
            Ended::Failed => "failed",
        }
    }
}

/// What a port is at this moment.
struct Now {
    rows: Vec<Row>,
    /// Whether a bind fails because the port is in use. That it is forbidden says nothing about who has it.
    in_use: bool,
}

impl Now {
    fn of(asked: &Asked) -> Result<Now, Error> {
        let mut rows = observe::sockets(asked.protocol, Some(asked.port), true)?.rows;
        rows.retain(|row| has_port(&row.socket) && asked.overlaps(&row.socket));
        let place = Place::of(asked);
        // What is seen to be taken needs no attempt.
        let in_use = !rows.is_empty()
            || bind::attempt(&place)
                .iter()
                .filter_map(|attempt| attempt.refused.as_ref())
                .any(|refusal| refusal.kind == RefusalKind::InUse);
        Ok(Now { rows, in_use })
    }

    fn is_free(&self) -> bool {
        self.rows.is_empty() && !self.in_use
    }
}

/// Whether the port is free now, with the reason if not.
pub(crate) fn look(plan: &Plan) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    conclude(plan, Now::of(&plan.asked)?, &mut outcome)?;
    Ok(outcome)
}

/// Carries out a plan that nothing forbids, and watches the port.
pub(crate) fn carry_out(plan: &Plan, timeout: Duration, force: bool) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    if plan.steps.is_empty() {
        return look(plan);
    }
    let holding = holding_now(plan)?;
    let begun = Instant::now();
    let mut commands: BTreeSet<&[String]> = BTreeSet::new();
    for step in &plan.steps {
        let (result, error) = match (&step.command, &step.grip) {
            (Some(command), _) => match commands.insert(command) {
                true => outcome_of(run(command).map(|()| true)),
                false => (Ended::Running, None),
            },
            (None, None) => (Ended::Before, None),
            (None, Some(grip)) if grip.has_ended() => (Ended::Before, None),
            (None, Some(_)) if !holding.contains(&step.process.id) => (Ended::LetGo, None),
            (None, Some(grip)) => outcome_of(grip.terminate()),
        };
        let (pid, name) = (step.process.id.pid, step.process.name.clone());
        outcome.done.push(Done { pid, name, action: step.action(), result, error });
    }
    let mut now = watch(plan, begun + timeout)?;
    if force && !now.is_free() && !replaced(plan, &now) {
        let mut killed = false;
        for (step, done) in plan.steps.iter().zip(&mut outcome.done) {
            let Some(grip) = step.grip.as_ref().filter(|grip| !grip.has_ended()) else { continue };
            if step.command.is_none() && done.result == Ended::Running {
                (done.result, done.error) = outcome_of(grip.kill());
                done.action = "kill";
                killed = true;
            }
        }
        if killed {
            now = watch(plan, Instant::now() + AFTER_KILL)?;
        }
    }
    if now.is_free() {
        now = settle(plan)?;
        outcome.came_back = !now.is_free();
    } else {
        outcome.came_back = replaced(plan, &now);
    }
    conclude(plan, now, &mut outcome)?;
    for (step, done) in plan.steps.iter().zip(&mut outcome.done) {
        if done.result == Ended::Running && step.grip.as_ref().is_none_or(Grip::has_ended) {
            done.result = Ended::Now;
        }
    }
    if !outcome.free && !outcome.came_back && !force {
        let runs =
            outcome.done.iter().any(|done| done.result == Ended::Running && done.action == "terminate");
        outcome.hints.extend(runs.then(|| {
            format!(
                "it did not end within {} ms of being asked; --force ends it without asking",
                timeout.as_millis()
            )
        }));
    }
    Ok(outcome)
}

fn outcome_of(done: std::io::Result<bool>) -> (Ended, Option<String>) {
    match done {
        Ok(true) => (Ended::Running, None),
        Ok(false) => (Ended::Before, None),
        Err(error) => (Ended::Failed, Some(error.to_string())),
    }
}

/// Runs the service manager's command, which the user asked for.
fn run(command: &[String]) -> std::io::Result<()> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(std::io::Error::other(format!("{} ended with {status}", command.join(" ")))),
    }
}

/// Who holds the planned sockets at this moment: between planning and acting somebody may have been thinking.
fn holding_now(plan: &Plan) -> Result<BTreeSet<ProcessId>, Error> {
    let (sockets, _) = observe::holders(Now::of(&plan.asked)?.rows)?;
    Ok(sockets.iter().flat_map(|listener| &listener.holders).map(|holder| holder.process.id).collect())
}

/// Watches the port until it is free, or somebody new has it, or time is up.
fn watch(plan: &Plan, until: Instant) -> Result<Now, Error> {
    let mut pace = Pace::new();
    loop {
        let now = Now::of(&plan.asked)?;
        if now.is_free() || replaced(plan, &now) || Instant::now() >= until {
            return Ok(now);
        }
        pace.pause(until.saturating_duration_since(Instant::now()));
    }
}

/// Watches whether a free port stays free.
fn settle(plan: &Plan) -> Result<Now, Error> {
    let until = Instant::now() + if plan.managed { SETTLE_SERVICE } else { SETTLE };
    let mut pace = Pace::new();
    loop {
        let now = Now::of(&plan.asked)?;
        if !now.is_free() || Instant::now() >= until {
            return Ok(now);
        }
        pace.pause(until.saturating_duration_since(Instant::now()));
    }
}

/// Whether everybody in the plan has ended and other sockets than theirs have the port.
fn replaced(plan: &Plan, now: &Now) -> bool {
    let known: Vec<Option<u64>> = plan.sockets.iter().map(|listener| listener.socket.inode).collect();
    let ended = plan.steps.iter().all(|step| step.grip.as_ref().is_none_or(Grip::has_ended));
    let new = |row: &Row| row.socket.inode.is_some() && !known.contains(&row.socket.inode);
    ended && !now.rows.is_empty() && now.rows.iter().all(new)
}

/// Says whether the port is free, and if not, who has it.
fn conclude(plan: &Plan, now: Now, outcome: &mut Outcome) -> Result<(), Error> {
    outcome.free = now.is_free();
    if outcome.free {
        return Ok(());
    }
    (outcome.held_by, _) = observe::holders(now.rows)?;
    let holder = outcome.held_by.iter().find_map(|listener| listener.holders.first());
    outcome.reason = match (holder, outcome.held_by.first()) {
        (Some(holder), _) => {
            let by = holder.process.parents.first().filter(|_| outcome.came_back);
            let by = by.map_or_else(String::new, |parent| {
                format!(", a child of {} (pid {})", parent.name.to_string_lossy(), parent.pid)
            });
            format!("by {}{by}", name(&holder.process))
        }
        (None, Some(_)) => "by a process that could not be seen".to_owned(),
        (None, None) => {
            let verdict = super::why::why_asked(&plan.asked, &plan.runtimes)?;
            outcome.hints.extend(verdict.advice);
            format!("no process listens any more, but {}", verdict.reason)
        }
    };
    Ok(())
}
