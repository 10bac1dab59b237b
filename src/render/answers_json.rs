//! JSON, schema `allears/1`, of `why`, `free` and `wait`. Types of their own; listeners are those of the list.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use super::json::{ConnectionJson, GapJson, ListenerJson, SCHEMA, write_document};
use crate::act::plan::{Plan, Step};
use crate::act::release::{Done, Outcome};
use crate::verdict::Asked;
use crate::{Listener, Verdict};

#[derive(Serialize)]
struct TargetJson {
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
    error: Option<&'a str>,
    reason: &'a str,
    standing_in_the_way: Vec<ListenerJson>,
    localhost: LocalhostJson,
    clients: Vec<ConnectionJson>,
    facts: &'a [String],
    advice: &'a [String],
    gaps: Vec<GapJson>,
}

#[derive(Serialize)]
struct LocalhostJson {
    ipv4: Option<ListenerJson>,
    ipv6: Option<ListenerJson>,
}

#[derive(Serialize)]
struct SeveralJson<'a> {
    schema: &'static str,
    /// Whether all of them are free.
    free: bool,
    ports: Vec<FreeJson<'a>>,
}

#[derive(Serialize)]
struct FreeJson<'a> {
    schema: &'static str,
    target: TargetJson,
    plan: Vec<StepJson<'a>>,
    refused: &'a [String],
    done: Vec<DoneJson<'a>>,
    free: bool,
    came_back: bool,
    reason: Option<&'a str>,
    held_by: Vec<ListenerJson>,
    hints: Vec<&'a str>,
}

#[derive(Serialize)]
struct StepJson<'a> {
    pid: u32,
    start: Option<u64>,
    name: String,
    action: &'static str,
    command: Option<&'a [String]>,
    reason: &'a str,
}

#[derive(Serialize)]
struct DoneJson<'a> {
    pid: u32,
    name: String,
    action: &'static str,
    result: &'static str,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct WaitJson {
    schema: &'static str,
    target: TargetJson,
    wanted: &'static str,
    reached: bool,
    waited_ms: u64,
    listeners: Vec<ListenerJson>,
}

fn target(asked: &Asked) -> TargetJson {
    TargetJson {
        protocol: asked.protocol.as_str(),
        address: asked.address,
        interface: asked.interface.as_ref().map(|name| name.to_string_lossy().into_owned()),
        port: asked.port,
    }
}

fn step(step: &Step) -> StepJson<'_> {
    StepJson {
        pid: step.process.id.pid,
        start: step.process.id.start,
        name: step.process.name.to_string_lossy().into_owned(),
        action: step.action(),
        command: step.command.as_deref(),
        reason: &step.reason,
    }
}

fn done(done: &Done) -> DoneJson<'_> {
    DoneJson {
        pid: done.pid,
        name: done.name.to_string_lossy().into_owned(),
        action: done.action,
        result: done.result.as_str(),
        error: done.error.as_deref(),
    }
}

/// Writes a verdict.
pub(crate) fn why(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    let document = WhyJson {
        schema: SCHEMA,
        target: target(&verdict.asked),
        verdict: verdict.kind.as_str(),
        can_bind: verdict.can_bind,
        error: verdict.error.as_deref(),
        reason: &verdict.reason,
        standing_in_the_way: verdict.standing_in_the_way.iter().map(ListenerJson::from).collect(),
        localhost: LocalhostJson {
            ipv4: verdict.localhost.ipv4.as_ref().map(ListenerJson::from),
            ipv6: verdict.localhost.ipv6.as_ref().map(ListenerJson::from),
        },
        clients: verdict.clients.iter().map(ConnectionJson::from).collect(),
        facts: &verdict.facts,
        advice: &verdict.advice,
        gaps: verdict.gaps.iter().map(GapJson::from).collect(),
    };
    write_document(&document, out)
}

/// Plan and outcome of one port as a document; those of several ports as one that has a list of them.
pub(crate) fn free(plans: &[Plan], outcomes: &[Outcome], out: &mut dyn Write) -> io::Result<()> {
    let mut ports: Vec<FreeJson<'_>> =
        plans.iter().zip(outcomes).map(|(plan, outcome)| FreeJson::of(plan, outcome)).collect();
    if ports.len() == 1
        && let Some(only) = ports.pop()
    {
        return write_document(&only, out);
    }
    let free = outcomes.iter().all(|outcome| outcome.free);
    write_document(&SeveralJson { schema: SCHEMA, free, ports }, out)
}

impl<'a> FreeJson<'a> {
    fn of(plan: &'a Plan, outcome: &'a Outcome) -> Self {
        FreeJson {
            schema: SCHEMA,
            target: target(&plan.asked),
            plan: plan.steps.iter().map(step).collect(),
            refused: &plan.refusals,
            done: outcome.done.iter().map(done).collect(),
            free: outcome.free,
            came_back: outcome.came_back,
            reason: Some(outcome.reason.as_str()).filter(|reason| !reason.is_empty()),
            held_by: outcome.held_by.iter().map(ListenerJson::from).collect(),
            hints: plan.hints.iter().chain(&outcome.hints).map(String::as_str).collect(),
        }
    }
}

/// Writes what waiting came to.
pub(crate) fn wait(
    asked: &Asked,
    wanted: &'static str,
    reached: bool,
    waited: Duration,
    listeners: &[Listener],
    out: &mut dyn Write,
) -> io::Result<()> {
    let document = WaitJson {
        schema: SCHEMA,
        target: target(asked),
        wanted,
        reached,
        waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
        listeners: listeners.iter().map(ListenerJson::from).collect(),
    };
    write_document(&document, out)
}
