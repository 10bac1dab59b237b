//! The sentences of a plan of `free`. The plan itself is data.

mod notes;
mod refusals;

pub(crate) use notes::{note, note_label};
pub(crate) use refusals::refusal;

use std::time::Duration;

use crate::management::suspension::{self, SignalEffect};
use crate::management::{Manager, Via};
use crate::model::{Gap, Process, Protocol, Service, ServiceScope, Text};
use crate::plan::{Restart, RestartCause, Step, StepReason};
use crate::render::escape::escape;
use crate::render::phrases;
use crate::shell;

/// Returns why a process is in the plan.
pub(crate) fn step_reason(step: &Step) -> String {
    match &step.reason {
        StepReason::Wrapper => "started it, and waits for it".to_owned(),
        StepReason::Member => "belongs to its tree".to_owned(),
        StepReason::Holder(sockets) => {
            let mut parts: Vec<String> = Vec::new();
            for socket in sockets {
                let does = if socket.is_listener() && socket.protocol == Protocol::Tcp {
                    "listens on"
                } else {
                    "has bound"
                };
                let part = format!("{does} {}", phrases::endpoint(socket));
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
            parts.join(", ")
        }
    }
}

/// Returns what restarts a process, and when.
pub(crate) fn restarts(restart: &Restart) -> String {
    let starts = if restart.certain { "starts it again" } else { "may start it again" };
    let when = match restart.delay {
        Some(delay) if delay < Duration::from_millis(10) => " at once".to_owned(),
        Some(delay) => format!(" after {}", phrases::duration(delay)),
        None => String::new(),
    };
    match &restart.by {
        RestartCause::Unit(service) => format!("systemd {starts}{when}, as {}", escape(&service.name)),
        RestartCause::SocketUnit(unit) => {
            format!("systemd {starts} when somebody connects to {}", escape(unit))
        }
        RestartCause::Engine(container) => {
            format!(
                "{} {starts}{when}, as the container {}",
                escape(&Text::from(&container.runtime)),
                phrases::container(container)
            )
        }
        RestartCause::Process { kind, id, name } => {
            let kind = phrases::restarter_kind(*kind);
            let is_its_name = kind == phrases::process_name(name);
            let kind = if is_its_name { String::new() } else { format!(", {kind}") };
            format!("{} {starts}{when}", phrases::name_pid_and(name, id.pid, &kind))
        }
    }
}

/// Returns the sentence on forwarding that could not be read.
pub(crate) fn forwarding_unknown(gap: &Gap) -> String {
    format!("could not determine whether connections to it are forwarded: {}", phrases::gap(gap))
}

/// Returns what a halted process needs before it can end.
pub(crate) fn halted(process: &Process) -> String {
    let who = phrases::process(process);
    let Some((condition, remedy)) = process.condition.as_ref().zip(suspension::helps(process)) else {
        return format!("{who} does not run");
    };
    let force = match condition.after_sigkill() {
        SignalEffect::Ends => "; --force ends it at once",
        _ => "",
    };
    format!(
        "{who} is {}: {}; {}{force}",
        phrases::condition(condition, process),
        phrases::remedy(&remedy),
        phrases::effect_of_signals(condition)
    )
}

fn manager_phrase(manager: &Manager) -> String {
    match manager {
        Manager::Container { container, .. } if phrases::pod(container).is_some() => {
            let pod = phrases::pod(container).map_or_else(String::new, |pod| escape(&pod));
            format!("the pod {pod} with all its containers")
        }
        Manager::Container { container, .. } => {
            format!(
                "the {} container {}",
                escape(&Text::from(&container.runtime)),
                phrases::container(container)
            )
        }
        Manager::Service { service, .. } => service_phrase(service),
        Manager::Supervisor { kind, program: Some(program), .. } => {
            format!("{}'s program {}", phrases::managing_program(*kind), escape(program))
        }
        Manager::Supervisor { kind, program: None, .. } => phrases::managing_program(*kind).to_owned(),
    }
}

fn service_phrase(service: &Service) -> String {
    let of = if service.scope == ServiceScope::User { "the user's service" } else { "the service" };
    format!("{of} {}", escape(&service.name))
}

/// Returns the command that lists what a supervisor runs, if it is known and the program's name is not.
fn listing(manager: &Manager) -> String {
    let Manager::Supervisor { find: Some(find), .. } = manager else { return String::new() };
    shell::line(find).map_or_else(String::new, |find| format!(": {find} lists what it runs"))
}

fn via_word(via: Via) -> &'static str {
    match via {
        Via::Signal => "signal",
        Via::Container => "container",
        Via::Service => "service",
        Via::Supervisor => "supervisor",
    }
}

fn via_noun(via: Via) -> &'static str {
    match via {
        Via::Supervisor => "supervisor that could stop it",
        Via::Service => "service that could be stopped",
        Via::Container => "container that could be stopped",
        Via::Signal => "process",
    }
}
