//! JSON, schema `allears/1`, of `why` and `free`. Types of their own; listeners are those of the list.

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::json::{ConnectionJson, GapJson, ListenerJson, SCHEMA, write_document};
use super::plan;
use super::verdict::sentences;
use super::why_and_free;
use crate::act::StepAction;
use crate::act::prepare::Prepared;
use crate::act::run_plan::{DoneStep, RunOutcome};
use crate::bind_attempt::BindTarget;
use crate::model::ErrorName;
use crate::plan::{Action, Plan, PlanRefusal, Step};
use crate::verdict::{SharedListeners, Verdict};

#[derive(Serialize)]
pub(super) struct TargetJson {
    protocol: &'static str,
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<String>,
    port: u16,
}

#[derive(Serialize)]
struct WhyJson<'a> {
    schema: &'static str,
    target: TargetJson,
    verdict: &'static str,
    can_bind: Option<bool>,
    error: Option<Cow<'a, str>>,
    /// What forbids the bind if no socket is in the way.
    hindrance: Option<&'static str>,
    reason: String,
    standing_in_the_way: Vec<ListenerJson>,
    other_ends: Vec<ListenerJson>,
    localhost: LocalhostJson,
    clients: Vec<ConnectionJson>,
    facts: Vec<String>,
    advice: Vec<String>,
    gaps: Vec<GapJson>,
}

#[derive(Serialize)]
struct SeveralWhyJson<'a> {
    schema: &'static str,
    /// Whether all of them can be bound; `null` if that could not be determined.
    can_bind: Option<bool>,
    ports: Vec<WhyJson<'a>>,
}

#[derive(Serialize)]
struct LocalhostJson {
    ipv4: Option<ListenerJson>,
    ipv6: Option<ListenerJson>,
    /// Set if one of several listeners answers; `ipv4` is null then.
    ipv4_shared: Option<SharedJson>,
    ipv6_shared: Option<SharedJson>,
}

#[derive(Serialize)]
struct SharedJson {
    by: &'static str,
    listeners: Vec<ListenerJson>,
}

impl From<&SharedListeners> for SharedJson {
    fn from(shared: &SharedListeners) -> SharedJson {
        let listeners = shared.listeners.iter().map(ListenerJson::from).collect();
        SharedJson { by: shared.by.as_str(), listeners }
    }
}

#[derive(Serialize)]
struct SeveralJson<'a> {
    schema: &'static str,
    /// Whether all of them are free. `null` if that could not be determined.
    free: Option<bool>,
    ports: Vec<FreeJson<'a>>,
}

#[derive(Serialize)]
struct FreeJson<'a> {
    schema: &'static str,
    target: TargetJson,
    plan: Vec<StepJson<'a>>,
    refused: Vec<String>,
    /// For a refused plan: the commands, as words, that free the port instead.
    instead: Vec<Vec<String>>,
    done: Vec<DoneStepJson>,
    /// Whether it is free at the end. `null` if that could not be determined.
    free: Option<bool>,
    came_back: bool,
    watched_ms: Option<u64>,
    reason: Option<String>,
    held_by: Vec<ListenerJson>,
    hints: Vec<String>,
}

#[derive(Serialize)]
struct StepJson<'a> {
    pid: u32,
    start: Option<u64>,
    name: String,
    action: &'static str,
    signal: Option<&'static str>,
    command: Option<Vec<String>>,
    reason: String,
    directory: Option<String>,
    started_at: Option<String>,
    condition: Option<&'a str>,
}

#[derive(Serialize)]
struct DoneStepJson {
    pid: u32,
    name: String,
    action: &'static str,
    result: &'static str,
    error: Option<String>,
}

pub(super) fn target_json(target: &BindTarget) -> TargetJson {
    TargetJson {
        protocol: target.protocol.as_str(),
        address: target.address,
        interface: target.interface.as_ref().map(|name| name.to_string_lossy().into_owned()),
        port: target.port,
    }
}

fn step(step: &Step) -> StepJson<'_> {
    StepJson {
        pid: step.process.id.pid,
        start: step.process.id.start,
        name: step.process.name.to_string_lossy().into_owned(),
        action: StepAction::from(&step.action).as_str(),
        signal: match step.action {
            Action::Signal(signal) => Some(signal.as_str()),
            Action::Stop { .. } => None,
        },
        command: match &step.action {
            Action::Signal(_) => None,
            Action::Stop { command, .. } => {
                Some(command.iter().map(|word| word.to_string_lossy().into_owned()).collect())
            }
        },
        reason: plan::step_reason(step),
        directory: step.process.directory.as_ref().map(|path| path.to_string_lossy().into_owned()),
        started_at: step.process.started_at.map(|started| started.to_string()),
        condition: step.process.condition.as_ref().map(|condition| condition.as_str()),
    }
}

fn done(done: &DoneStep) -> DoneStepJson {
    DoneStepJson {
        pid: done.pid,
        name: done.name.to_string_lossy().into_owned(),
        action: done.action.as_str(),
        result: done.result.as_str(),
        error: done.error.as_ref().map(ToString::to_string),
    }
}

/// Writes the verdict on one port as a document; those on several ports as one that has a list of them.
pub(crate) fn why(verdicts: &[Verdict], out: &mut dyn Write) -> io::Result<()> {
    if let [only] = verdicts {
        return write_document(&WhyJson::from(only), out);
    }
    // One that cannot be bound decides, whatever could not be determined of the others.
    let can_bind = match verdicts.iter().any(|verdict| verdict.can_bind == Some(false)) {
        true => Some(false),
        false => verdicts.iter().all(|verdict| verdict.can_bind.is_some()).then_some(true),
    };
    let ports = verdicts.iter().map(WhyJson::from).collect();
    write_document(&SeveralWhyJson { schema: SCHEMA, can_bind, ports }, out)
}

impl<'a> From<&'a Verdict> for WhyJson<'a> {
    fn from(verdict: &'a Verdict) -> WhyJson<'a> {
        WhyJson {
            schema: SCHEMA,
            target: target_json(&verdict.target),
            verdict: verdict.kind.as_str(),
            can_bind: verdict.can_bind,
            error: verdict.error.as_ref().map(ErrorName::name),
            hindrance: verdict.hindrance.as_ref().map(crate::verdict::Hindrance::as_str),
            reason: verdict.reason.to_string(),
            standing_in_the_way: verdict.standing_in_the_way.iter().map(ListenerJson::from).collect(),
            other_ends: verdict.other_ends.iter().map(ListenerJson::from).collect(),
            localhost: LocalhostJson {
                ipv4: verdict.localhost.ipv4.as_ref().map(ListenerJson::from),
                ipv6: verdict.localhost.ipv6.as_ref().map(ListenerJson::from),
                ipv4_shared: verdict.localhost.ipv4_shared.as_ref().map(SharedJson::from),
                ipv6_shared: verdict.localhost.ipv6_shared.as_ref().map(SharedJson::from),
            },
            clients: verdict.clients.iter().map(ConnectionJson::from).collect(),
            facts: sentences(&verdict.facts),
            advice: sentences(&verdict.advice),
            gaps: verdict.gaps.iter().map(GapJson::from).collect(),
        }
    }
}

/// Writes the plan and outcome of one port as a document, or of several ports as a document with a list.
pub(crate) fn free(prepared: &[Prepared], outcomes: &[RunOutcome], out: &mut dyn Write) -> io::Result<()> {
    let plans = prepared.iter().map(|prepared| &prepared.plan);
    let mut ports: Vec<FreeJson<'_>> =
        plans.zip(outcomes).map(|(plan, outcome)| FreeJson::new(plan, outcome)).collect();
    if ports.len() == 1
        && let Some(only) = ports.pop()
    {
        return write_document(&only, out);
    }
    // One that is held decides, even if others could not be determined.
    let each: Vec<Option<bool>> = outcomes.iter().map(is_free).collect();
    let free = match each.contains(&Some(false)) {
        true => Some(false),
        false => each.iter().all(Option::is_some).then_some(true),
    };
    write_document(&SeveralJson { schema: SCHEMA, free, ports }, out)
}

/// Returns whether a port is free. `None` if that could not be determined.
fn is_free(outcome: &RunOutcome) -> Option<bool> {
    match &outcome.obstacle {
        None => Some(true),
        Some(obstacle) if obstacle.is_doubt() => None,
        Some(_) => Some(false),
    }
}

impl<'a> FreeJson<'a> {
    fn new(plan: &'a Plan, outcome: &'a RunOutcome) -> Self {
        // Nothing ends with a process that is not ended: such notes are left out.
        let notes = plan.notes.iter().filter(|_| plan.refusals.is_empty());
        let notes = notes.map(|note| plan::note(note, &plan.target));
        FreeJson {
            schema: SCHEMA,
            target: target_json(&plan.target),
            // A refused plan has no steps. The holders are in `held_by`.
            plan: plan.steps.iter().filter(|_| plan.refusals.is_empty()).map(step).collect(),
            refused: plan.refusals.iter().map(|refusal| plan::refusal(refusal, &plan.target)).collect(),
            instead: instead(plan),
            done: outcome.done.iter().map(done).collect(),
            free: is_free(outcome),
            came_back: outcome.came_back,
            watched_ms: outcome.watched.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            reason: outcome.obstacle.is_some().then(|| why_and_free::outcome_phrase(plan, outcome)),
            held_by: outcome.held_by.iter().map(ListenerJson::from).collect(),
            hints: notes.chain(why_and_free::hints(plan, outcome)).collect(),
        }
    }
}

/// Returns the commands that free the port of a refused plan, without repetition.
fn instead(plan: &Plan) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = Vec::new();
    for refusal in &plan.refusals {
        let command = match refusal {
            PlanRefusal::StandsFor { command, .. }
            | PlanRefusal::OtherManager { command, .. }
            | PlanRefusal::HeldByUnit { command, .. } => command.as_ref(),
            PlanRefusal::NoProgram { command } => Some(command),
            _ => None,
        };
        let words = command.into_iter().flatten().map(|word| word.to_string_lossy().into_owned());
        let words: Vec<String> = words.collect();
        if !words.is_empty() && !commands.contains(&words) {
            commands.push(words);
        }
    }
    commands
}
