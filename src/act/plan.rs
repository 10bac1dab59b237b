//! The plan to release a port: who would be ended and why, and why something of it may not be done. Only processes
//! that hold a listening or bound socket of the port are in it, each taken hold of so that no other can be taken for
//! it.

use std::collections::BTreeMap;

use super::observe;
use super::why::{asked, listeners_of_other_protocol};
use crate::containers::{Found, Inquiry, Runtimes, relay};
use crate::os::{self, Grip, Row};
use crate::verdict::{Asked, stop_container, stop_service};
use crate::{
    Container, Error, ErrorKind, Evidence, Listener, Process, ProcessId, Protocol, Reason, Service, Socket,
    State, Target, Text, Unseen,
};

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
    pub(super) managed: bool,
    /// Who is asked about containers, also when it is done.
    pub(super) runtimes: Runtimes,
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
    pub(super) grip: Option<Grip>,
}

impl Step {
    /// What is done, in a word.
    pub(crate) fn action(&self) -> &'static str {
        if self.command.is_some() { "stop-service" } else { "terminate" }
    }
}

/// The plans for these targets: one for a single port, and one for each port of a range that something has.
pub(crate) fn plans(targets: &[Target], by_service: bool, runtimes: &Runtimes) -> Result<Vec<Plan>, Error> {
    let mut plans: Vec<Plan> = Vec::new();
    let lineage = os::lineage();
    let mut inquiry = Inquiry::new(runtimes);
    for target in targets {
        let protocol = target.protocol().unwrap_or(Protocol::Tcp);
        let single = target.single_port();
        let table = observe::sockets(protocol, single, true)?;
        if !table.complete {
            let missing =
                table.gaps.first().map_or(String::new(), |gap| format!(": {}", gap.detail.to_string_lossy()));
            return Err(Error::new(
                ErrorKind::SocketTable,
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
            let mut plan = plan(asked, rows, &lineage, by_service, &mut inquiry)?;
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
pub(super) fn has_port(socket: &Socket) -> bool {
    socket.is_listener()
        || socket.state == State::Bound
        || (socket.state == State::Closed && socket.protocol == Protocol::Udp)
}

fn plan(
    asked: Asked,
    rows: Vec<Row>,
    lineage: &[u32],
    by_service: bool,
    inquiry: &mut Inquiry<'_>,
) -> Result<Plan, Error> {
    let listening = observe::listening(&rows);
    let rows = rows.into_iter().filter(|row| asked.overlaps(&row.socket)).collect();
    let (mut sockets, _) = observe::holders(rows)?;
    inquiry.name(&mut sockets);
    let publishers = inquiry.publishers(if sockets.is_empty() { Found::Nothing } else { Found::Sockets });
    let forwarded = observe::forwarded(inquiry, publishers, &asked, &listening, &sockets);
    let mut plan = Plan {
        asked,
        sockets,
        steps: Vec::new(),
        hints: Vec::new(),
        refusals: Vec::new(),
        managed: false,
        runtimes: inquiry.runtimes().clone(),
    };
    let mut held: BTreeMap<ProcessId, (Process, Vec<String>)> = BTreeMap::new();
    let refusals: Vec<String> = plan.sockets.iter().filter_map(serving_others).collect();
    plan.refusals.extend(refusals);
    let mut services: Vec<Service> = Vec::new();
    let mut containers: Vec<Container> = Vec::new();
    for listener in &plan.sockets {
        let place = endpoint(&listener.socket);
        if let Some(unseen) = &listener.unseen {
            plan.refusals.push(unseen_refusal(&place, unseen));
        }
        for holder in &listener.holders {
            let process = &holder.process;
            if listener.container.is_some() && relay::serves_all(process) {
                // Refused above.
                continue;
            }
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
    containers.sort_by(|a, b| a.id.cmp(&b.id));
    containers.dedup_by(|a, b| a.id == b.id);
    let stops: Vec<(&Service, Vec<String>)> = services
        .iter()
        .filter_map(|service| Some((service, stop_service(service, os::own_uid())?)))
        .collect();
    if by_service && !plan.sockets.is_empty() && stops.is_empty() {
        plan.refusals
            .push("no service is known that the holders belong to; leave --via service out".to_owned());
    }
    for (id, (process, mut reasons)) in held {
        reasons.dedup();
        let own = process.service.as_ref().and_then(|service| stop_service(service, os::own_uid()));
        // A socket unit's port is in the hands of systemd, which is in no unit itself.
        let of_socket = || {
            let unit = stops.iter().find(|(service, _)| service.is_socket_unit()).or(stops.first());
            unit.map(|(_, stop)| stop.clone())
        };
        let is_manager = id.pid == 1 || process.name.as_bytes() == b"systemd";
        let command = match by_service {
            true => own.or_else(|| is_manager.then(of_socket).flatten()),
            false => None,
        };
        if by_service && command.is_none() && !stops.is_empty() {
            plan.refusals.push(format!("{} belongs to no service that could be stopped", name(&process)));
        }
        let grip = match Grip::of(id) {
            _ if os::KERNEL.contains(&id.pid) => {
                plan.refusals.push(of_the_kernel(&name(&process), &plan.asked));
                None
            }
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
        if !by_service && service.is_socket_unit() {
            plan.hints.push(format!(
                "systemd listens there for {}, and starts what serves it again: {} ends that; so does --via service",
                service.name.to_string_lossy(),
                stop.join(" ")
            ));
        } else if !by_service {
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
    for listener in forwarded.iter().filter(|listener| plan.asked.overlaps(&listener.socket)) {
        if let Some((container, stop)) =
            listener.container.as_ref().and_then(|it| Some((it, stop_container(it)?)))
        {
            let name = container.name.as_ref().unwrap_or(&container.id).to_string_lossy();
            plan.hints.push(format!(
                "connections to {} are forwarded to the container {name} without a socket: {stop} stops that",
                endpoint(&listener.socket)
            ));
        }
    }
    plan.refusals.sort();
    plan.refusals.dedup();
    Ok(plan)
}

/// Why a container's port is not freed by ending who holds it: all the other containers' ports would go as well.
fn serving_others(listener: &Listener) -> Option<String> {
    let container = listener.container.as_ref()?;
    let holder = listener.holders.iter().find(|holder| relay::serves_all(&holder.process))?;
    let (holder, stop) = (name(&holder.process), stop_container(container)?);
    Some(format!("{holder} serves all containers, and this port is one container's: {stop} frees it"))
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
        () if process.name.as_bytes().eq_ignore_ascii_case(b"svchost.exe") => Some(format!(
            "{name} runs services of Windows, and all of them would end with it: stop the one that has the port"
        )),
        () => grip.may_end().err().map(|error| refused_by_system(&name, &error, asked)),
    }
}

fn of_the_kernel(name: &str, asked: &Asked) -> String {
    format!("{name} is the kernel; allears why {}{} tells for whom it has the port", udp(asked), asked.port)
}

/// What stands before a port of UDP where it is typed.
fn udp(asked: &Asked) -> &'static str {
    if asked.protocol == Protocol::Udp { "udp/" } else { "" }
}

fn refused_by_system(name: &str, error: &std::io::Error, asked: &Asked) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            let again = os::with_rights(&format!("allears free {}{}", udp(asked), asked.port));
            format!("{name} may not be ended by this user; {again} may")
        }
        _ => format!("{name} could not be taken hold of: {error}"),
    }
}

fn unseen_refusal(place: &str, unseen: &Unseen) -> String {
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
pub(super) fn name(process: &Process) -> String {
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
