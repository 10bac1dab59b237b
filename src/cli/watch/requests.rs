//! Carries out what the screen asks for, each on a thread of its own: a slow container runtime or a port that takes long
//! to become free does not stop the screen.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::act::prepare::{Prepared, prepare};
use crate::act::run_plan::{self, RunOptions};
use crate::act::why;
use crate::cli::runtimes::runtimes;
use crate::management::Via;
use crate::model::{Error, Protocol, Selection, Socket, Target};
use crate::os::{self, EndSignal};
use crate::plan::PlanRequest;
use crate::render::free;
use crate::render::phrases;
use crate::scan::Query;
use crate::screen::event::{Answer, Content, LoopEvent, Request};

/// The longest watch that is not announced.
const ANNOUNCED: Duration = Duration::from_secs(2);

/// Starts to carry out a request. The answer is sent to the loop.
pub(super) fn start(request: Request, query: &Query, sender: &Sender<LoopEvent>) {
    let number = match &request {
        Request::Card(number, _)
        | Request::Why(number, _)
        | Request::Plan(number, _)
        | Request::CarryOut(number, _)
        | Request::Open(number, _) => *number,
        Request::Select(_) | Request::Copy(_) => return,
    };
    let opens = matches!(request, Request::Open(..));
    let query = query.clone();
    let to = sender.clone();
    let answer = move |content| {
        // The loop may have ended.
        let _ = to.send(LoopEvent::Answered(Answer { number, content }));
    };
    let started = os::threads::detach("request", {
        let answer = answer.clone();
        move || {
            let progress = |text| answer(Content::Progress(text));
            let content = carry_out(request, &query, &progress).unwrap_or_else(|error| {
                let help = error.help().map_or_else(String::new, |help| format!("; {help}"));
                Content::Failed(format!("{}{help}", os::describe_chain(&error)))
            });
            answer(content);
        }
    });
    if let Err(error) = started {
        let text = format!("cannot start a thread: {error}");
        answer(if opens { Content::Opened(text) } else { Content::Failed(text) });
    }
}

fn carry_out(request: Request, query: &Query, progress: &dyn Fn(String)) -> Result<Content, Error> {
    match request {
        Request::Card(_, sockets) => card(&sockets, query),
        Request::Why(_, target) => why::verdict_for(&why::bind_target(&target)?, &runtimes())
            .map(|verdict| Content::Why(verdict.into())),
        Request::Plan(_, target) => plan(&target),
        Request::CarryOut(_, plans) => release(plans, progress),
        Request::Open(_, url) => Ok(Content::Opened(match os::open_url(&url) {
            Ok(()) => format!("opened {url}"),
            Err(error) => format!("cannot open {url}: {error}"),
        })),
        Request::Select(_) | Request::Copy(_) => Ok(Content::Progress(String::new())),
    }
}

/// Scans for the listeners at the addresses of these sockets. A connection is that socket alone.
fn card(sockets: &[Socket], query: &Query) -> Result<Content, Error> {
    let all = sockets.iter().any(|socket| !socket.is_listener());
    let mut selection = Selection { all, namespaces: query.selection().namespaces, ..Selection::default() };
    for socket in sockets {
        if !selection.protocols.contains(&socket.protocol) {
            selection.protocols.push(socket.protocol);
        }
        if let Some(port) = socket.endpoint.port() {
            let target = Target::from_parts(Some(socket.protocol), None, port..=port);
            if !selection.targets.contains(&target) {
                selection.targets.push(target);
            }
        }
    }
    let unix = sockets.iter().any(|socket| socket.protocol == Protocol::Unix);
    // The connections of a listener are those of TCP.
    let query = query.clone().with_selection(selection).parents(true).connections(!unix && !all);
    let mut snapshot = query.scan()?;
    snapshot.listeners.retain(|listener| {
        let found = &listener.socket;
        sockets.iter().any(|socket| {
            (&socket.endpoint, socket.protocol, &socket.namespace, socket.peer, socket.is_listener())
                == (&found.endpoint, found.protocol, &found.namespace, found.peer, found.is_listener())
                && (found.endpoint.port().is_some() || socket.inode == found.inode)
        })
    });
    let automatic = os::ready_limits(Protocol::Tcp).ephemeral;
    Ok(Content::Card(snapshot.into(), automatic))
}

/// Plans as `free` does without options. If nothing holds the port, its state is the answer.
fn plan(target: &Target) -> Result<Content, Error> {
    let request = PlanRequest { via: Via::Signal, tree: false, signal: EndSignal::Terminate };
    let plans = prepare(std::slice::from_ref(target), request, &runtimes())?;
    if free::is_held(&plans) || free::refusal(&plans).is_some() {
        return Ok(Content::Plan(Arc::new(plans)));
    }
    let outcomes = plans.iter().map(run_plan::as_planned).collect::<Result<_, _>>()?;
    Ok(Content::Freed(Arc::new(plans), outcomes))
}

/// Carries out plans that the user agreed to. A refused one is never carried out.
fn release(plans: Arc<Vec<Prepared>>, progress: &dyn Fn(String)) -> Result<Content, Error> {
    if free::refusal(&plans).is_some() {
        return Ok(Content::Plan(plans));
    }
    let mut announced = false;
    let mut tick = |left: Duration| {
        if !announced && left > ANNOUNCED {
            announced = true;
            progress(phrases::release::watching(left));
        }
    };
    let options = RunOptions::default();
    let outcomes = plans
        .iter()
        .map(|prepared| run_plan::carry_out(prepared, options, &mut tick))
        .collect::<Result<_, _>>()?;
    Ok(Content::Freed(plans, outcomes))
}
