//! The release of a port: a plan, and carrying it out. Only processes that hold a listening or bound socket of the
//! port are ended, each held so that no other can be taken for it, and never if one of them may not be ended.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bind::{self, Place, RefusalKind};
use super::observe;
use super::wait::Pace;
use super::why::{asked, listeners_of_other_protocol};
use crate::os::{self, Grip, Row};
use crate::verdict::{Asked, stop_container, stop_service};
use crate::{
    Container, Error, Evidence, Listener, Process, ProcessId, Protocol, Reason, Service, Socket, State,
    Target, Text,
};

/// How long a port has to stay free before it counts as free: what restarts a server does so at once.
const SETTLE: Duration = Duration::from_millis(500);
/// The same where a service manager is known to look after it. systemd waits 100 ms as a rule.
const SETTLE_SERVICE: Duration = Duration::from_millis(1500);
/// How long what was killed may take to vanish.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// What would be done to free a port.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) asked: Asked,
    /// The listening and bound sockets that have it.
    pub(crate) sockets: Vec<Listener>,
    pub(crate) steps: Vec<Step>,
    /// What a person should know before it is done.
    pub(crate) hints: Vec<String>,
    /// Why it may not be done; where there is one, nothing is.
    pub(crate) refusals: Vec<String>,
    /// Whether a service manager looks after a holder.
    managed: bool,
}

/// A process that would be ended.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) process: Process,
    /// Why it is in the plan.
    pub(crate) reason: String,
    /// What is run instead of sending a signal.
    pub(crate) command: Option<Vec<String>>,
    /// The process in hand; `None` where it had ended already.
    grip: Option<Grip>,
}

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

impl Step {
    /// What is done, in a word.
    pub(crate) fn action(&self) -> &'static str {
        if self.command.is_some() { "stop-service" } else { "terminate" }
    }
}

/// The plans for these targets: one for a single port, and one for each port of a range that something has.
pub(crate) fn plans(targets: &[Target], by_service: bool) -> Result<Vec<Plan>, Error> {
    let mut plans: Vec<Plan> = Vec::new();
    let lineage = os::lineage();
    for target in targets {
        let protocol = target.protocol().unwrap_or(Protocol::Tcp);
        let single = target.single_port();
        let table = observe::sockets(protocol, single, true)?;
        if !table.complete {
            let missing =
                table.gaps.first().map_or(String::new(), |gap| format!(": {}", gap.detail.to_string_lossy()));
            return Err(Error::new(
                crate::ErrorKind::SocketTable,
                format!("not every socket could be seen{missing}"),
            ));
        }
        let mut by_port: BTreeMap<u16, Vec<Row>> = BTreeMap::new();
        if let Some(port) = single {
            by_port.insert(port, Vec::new());
        }
        for row in table.rows.into_iter().filter(|row| has_port(&row.socket)) {
            if let Some(port) = row.socket.endpoint.port().filter(|port| target.ports().contains(port)) {
                by_port.entry(port).or_default().push(row);
            }
        }
        for (port, rows) in by_port {
            let asked = Asked {
                protocol,
                address: target.address(),
                interface: target.interface().map(Text::from),
                port,
            };
            if plans.iter().any(|plan| plan.asked == asked) {
                continue;
            }
            let mut plan = plan(asked, rows, &lineage, by_service)?;
            if single.is_some()
                && let Some(listener) = listeners_of_other_protocol(&plan.asked)?.first()
            {
                let protocol = listener.socket.protocol.as_str();
                let by = listener.holders.first().map_or_else(
                    || "a process that could not be seen".to_owned(),
                    |holder| name(&holder.process),
                );
                plan.hints.push(format!("{protocol}/{port} is in use too, by {by}; that is left alone"));
            }
            plans.push(plan);
        }
    }
    Ok(plans)
}

/// Whether a target means exactly one port.
pub(crate) fn is_one_port(targets: &[Target]) -> bool {
    matches!(targets, [target] if asked(target).is_ok())
}

/// Whether a socket has its port without a peer: only the holders of such sockets are ever ended.
fn has_port(socket: &Socket) -> bool {
    socket.is_listener()
        || socket.state == State::Bound
        || (socket.state == State::Closed && socket.protocol == Protocol::Udp)
}

fn plan(asked: Asked, rows: Vec<Row>, lineage: &[u32], by_service: bool) -> Result<Plan, Error> {
    let rows = rows.into_iter().filter(|row| asked.overlaps(&row.socket)).collect();
    let (sockets, _) = observe::holders(rows)?;
    let mut plan =
        Plan { asked, sockets, steps: Vec::new(), hints: Vec::new(), refusals: Vec::new(), managed: false };
    let mut held: BTreeMap<ProcessId, (Process, Vec<String>)> = BTreeMap::new();
    let mut services: Vec<Service> = Vec::new();
    let mut containers: Vec<Container> = Vec::new();
    for listener in &plan.sockets {
        let place = endpoint(&listener.socket);
        if let Some(unseen) = &listener.unseen {
            plan.refusals.push(unseen_refusal(&place, unseen));
        }
        for holder in &listener.holders {
            let process = &holder.process;
            if !matches!(holder.evidence, Evidence::Descriptor | Evidence::Table) {
                let name = name(process);
                plan.refusals.push(format!("it is not certain that {name} holds {place}"));
            }
            let does = if listener.socket.is_listener() && listener.socket.protocol == Protocol::Tcp {
                "listens on"
            } else {
                "has bound"
            };
            let entry = held.entry(process.id).or_insert_with(|| (process.clone(), Vec::new()));
            entry.1.push(format!("{does} {place}"));
            services.extend(process.service.clone());
            containers.extend(process.container.clone());
        }
        services.extend(listener.service.clone());
        containers.extend(listener.container.clone());
    }
    services.sort_by(|a, b| a.name.cmp(&b.name));
    services.dedup();
    containers.dedup();
    let stops: Vec<(&Service, Vec<String>)> =
        services.iter().filter_map(|service| Some((service, stop_service(service)?))).collect();
    if by_service && !plan.sockets.is_empty() && stops.is_empty() {
        plan.refusals
            .push("no service is known that the holders belong to; leave --via service out".to_owned());
    }
    for (id, (process, mut reasons)) in held {
        reasons.dedup();
        let own = process.service.as_ref().and_then(stop_service);
        // A socket unit's port is in the hands of pid 1.
        let command = match by_service {
            true => {
                own.or_else(|| (id.pid == 1).then(|| stops.first().map(|(_, stop)| stop.clone())).flatten())
            }
            false => None,
        };
        if by_service && command.is_none() && !stops.is_empty() {
            plan.refusals.push(format!("{} belongs to no service that could be stopped", name(&process)));
        }
        let grip = match Grip::of(id) {
            Ok(grip) => grip,
            Err(error) => {
                plan.refusals.push(refused_by_system(&name(&process), &error, &plan.asked));
                None
            }
        };
        if command.is_none() {
            plan.refusals
                .extend(grip.as_ref().and_then(|grip| forbidden(&process, grip, lineage, &plan.asked)));
        }
        let reason = reasons.join(", ");
        plan.steps.push(Step { process, reason, command, grip });
    }
    for (service, stop) in &stops {
        plan.managed = true;
        if !by_service {
            plan.hints.push(format!(
                "it belongs to the service {}, which may start it again: {} stops it; so does --via service",
                service.name.to_string_lossy(),
                stop.join(" ")
            ));
        }
    }
    let proxies = containers.iter().filter_map(|container| Some((container, stop_container(container)?)));
    for (container, stop) in proxies {
        let id = container.name.as_ref().unwrap_or(&container.id).to_string_lossy();
        plan.hints.push(format!("it serves the container {id}: {stop} stops that"));
    }
    plan.refusals.sort();
    plan.refusals.dedup();
    Ok(plan)
}

/// Why a process is never ended, or may not be by this user.
fn forbidden(process: &Process, grip: &Grip, lineage: &[u32], asked: &Asked) -> Option<String> {
    let (pid, name) = (process.id.pid, name(process));
    match () {
        () if pid == 1 => Some(format!(
            "{name} is the first process of this system; ending it ends the system. Stop the unit it holds the port for"
        )),
        () if grip.is_kernel() => Some(format!("{name} is a thread of the kernel")),
        () if lineage.first() == Some(&pid) => Some(format!("{name} is allears itself")),
        () if lineage.contains(&pid) => {
            Some(format!("{name} is an ancestor of allears: ending it would end the session that asks"))
        }
        () => grip.may_end().err().map(|error| refused_by_system(&name, &error, asked)),
    }
}

fn refused_by_system(name: &str, error: &std::io::Error, asked: &Asked) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            let udp = if asked.protocol == Protocol::Udp { "udp/" } else { "" };
            format!("{name} may not be ended by this user; sudo allears free {udp}{} may", asked.port)
        }
        _ => format!("{name} could not be taken hold of: {error}"),
    }
}

fn unseen_refusal(place: &str, unseen: &crate::Unseen) -> String {
    if unseen.reason == Reason::Kernel {
        return format!("{place} is held by the kernel itself, which no process can be ended for");
    }
    let help = unseen.help.as_ref().map(|help| {
        let help = help.to_string_lossy();
        match help.strip_prefix("sudo allears ") {
            Some(target) => format!("; sudo allears free {target} may"),
            None => format!("; {help}"),
        }
    });
    format!("not every holder of {place} could be seen{}", help.unwrap_or_default())
}

/// `node (pid 4121, dev)`, unescaped.
fn name(process: &Process) -> String {
    let (name, pid) = (process.name.to_string_lossy(), process.id.pid);
    match &process.user {
        Some(user) => format!("{name} (pid {pid}, {})", user.to_string_lossy()),
        None => format!("{name} (pid {pid})"),
    }
}

fn endpoint(socket: &Socket) -> String {
    match socket.endpoint.address() {
        Some(address) => {
            std::net::SocketAddr::new(address, socket.endpoint.port().unwrap_or_default()).to_string()
        }
        None => String::new(),
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
        let interface = asked.interface.as_ref().map(|name| name.to_string_lossy().into_owned());
        let place = Place {
            protocol: asked.protocol,
            address: asked.address,
            interface: interface.as_deref(),
            port: asked.port,
        };
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
                "it did not end within {} ms of being asked; --force ends it with SIGKILL",
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
                format!(", which {} (pid {}) started", parent.name.to_string_lossy(), parent.pid)
            });
            format!("by {}{by}", name(&holder.process))
        }
        (None, Some(_)) => "by a process that could not be seen".to_owned(),
        (None, None) => {
            let verdict = super::why::why_asked(&plan.asked)?;
            outcome.hints.extend(verdict.advice);
            format!("no process listens any more, but {}", verdict.reason)
        }
    };
    Ok(())
}
