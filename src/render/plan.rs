//! The sentences of a plan of `free`: what goes with a process, what comes back, and why nothing may be done. The only
//! place that makes them; the plan itself holds no text of its own.

use std::time::Duration;

use super::escape::escape;
use super::gap_phrases;
use super::phrases;
use crate::bind_attempt::BindTarget;
use crate::enrich::containers::proxy;
use crate::management::role::Role;
use crate::management::suspension;
use crate::management::suspension::SignalEffect;
use crate::management::{Manager, Via};
use crate::model::{
    Candidate, Connection, Container, Gap, Listener, Process, Protocol, Service, ServiceScope, Socket, Text,
};
use crate::os;
use crate::plan::{LONGEST_LIST, Note, Part, Refusal, Restarts, Return, Step};
use crate::verdict::store_releases;
use crate::{shell, unseen};

/// What a note is about, in a word.
pub(crate) fn note_label(note: &Note) -> &'static str {
    match note {
        Note::OtherSockets { .. } => "goes too",
        Note::OtherProtocol(_) => "also",
        Note::Clients(_) => "clients",
        Note::Children { .. } => "stays",
        Note::Wrapper { .. } => "wrapper",
        Note::Returns(_) => "returns",
        Note::Managed { .. } => "manager",
        Note::Halted(_) => "halted",
        Note::VirtualMachine(_) => "machine",
        Note::Forwarded { .. } | Note::Answered(_) | Note::ForwardingUnknown(_) => "forwarded",
    }
}

/// A note in a sentence, unescaped names escaped.
pub(crate) fn note(note: &Note, asked: &BindTarget) -> String {
    match note {
        Note::OtherSockets { process, sockets } => {
            let more = Some(sockets.more).filter(|more| *more > 0).map(|more| format!("{more} more"));
            let sockets: Vec<String> = sockets.first.iter().map(socket).chain(more).collect();
            format!("{} also has {}", phrases::process(process), sockets.join(", "))
        }
        Note::OtherProtocol(listener) => {
            let port = format!("{}/{}", listener.socket.protocol.as_str(), asked.port);
            match listener.head() {
                Some(holder) => {
                    format!(
                        "{port} is in use too, by {}; that is left alone",
                        phrases::process(&holder.process)
                    )
                }
                None => format!("{port} is in use too, by a process that could not be seen"),
            }
        }
        Note::Clients(connections) => clients(connections),
        Note::Children { process, children, tree } => {
            let these = list(children.iter().map(phrases::candidate));
            let (child, is) = if children.len() == 1 { ("child", "is") } else { ("children", "are") };
            let tree = if *tree { "; --tree ends the whole tree" } else { "" };
            format!("the {child} of {} {is} sent no signal: {these}{tree}", phrases::process(process))
        }
        Note::Wrapper { process, wrapper } => {
            // Observed with honcho 2.0 and foreman 0.87.
            let ends_all =
                [&b"honcho"[..], b"foreman"].iter().any(|name| wrapper.name.as_bytes().starts_with(name));
            let then = match ends_all {
                true => "which then ends everything else that it runs",
                false => "which goes on without it or starts it again",
            };
            format!(
                "{} was started by {}, {then}; --tree ends the whole tree",
                phrases::process(process),
                phrases::candidate(wrapper)
            )
        }
        Note::Returns(back) => returns(back),
        Note::Managed { manager, command, restarts, runs } => {
            managed(manager, command.as_deref(), *restarts, *runs)
        }
        Note::Halted(process) => halted(process),
        Note::VirtualMachine(process) => {
            format!(
                "{} is a virtual machine, which ends at once, as if its power were cut",
                phrases::process(process)
            )
        }
        Note::Forwarded { listener, command } => {
            let to = listener.container.as_ref().map_or_else(
                || "elsewhere".to_owned(),
                |container| format!("the {}", phrases::container_or_pod(container)),
            );
            let stop = command.as_deref().and_then(shell::line);
            let stop = stop.map_or_else(String::new, |stop| format!(": {stop} stops that"));
            format!("connections to {} are passed on to {to} without a socket{stop}", place(&listener.socket))
        }
        Note::Answered(address) => {
            format!("a connection to {address} is answered, though no socket listens: something passes it on")
        }
        Note::ForwardingUnknown(gap) => forwarding_unknown(gap),
    }
}

/// Whether something passes connections on could not be seen.
pub(crate) fn forwarding_unknown(gap: &Gap) -> String {
    format!("whether connections to it are passed on could not be seen: {}", gap_phrases::detail(gap))
}

/// Why nothing is done, in a sentence.
pub(crate) fn refusal(refusal: &Refusal, asked: &BindTarget) -> String {
    match refusal {
        Refusal::ForeignPidNamespace => "/proc shows another pid namespace than the one allears runs in, so that each \
                                         pid in it is another process here: run allears where the right /proc is mounted"
            .to_owned(),
        Refusal::StandsFor { process, role, manager, command } => {
            stands_for(process, role, manager.as_ref(), command.as_deref(), asked)
        }
        Refusal::Itself(process) => format!("{} is allears itself", phrases::process(process)),
        Refusal::Ancestor(process) => format!(
            "{} is an ancestor of allears: ending it would end the session that asks",
            phrases::process(process)
        ),
        Refusal::Kernel(process) => format!(
            "{} is the kernel's own; allears why {} tells for whom it has the port",
            phrases::process(process),
            target(asked)
        ),
        Refusal::KernelHolds(socket, kernel) => {
            let what = phrases::kernel(kernel).map_or_else(String::new, |what| format!(" for {what}"));
            let release = phrases::kernel_releases(kernel, socket);
            let release = release.map_or_else(String::new, |release| format!(": {release}"));
            format!(
                "{} is held by the kernel itself{what}, which no process can be ended for{release}",
                place(socket)
            )
        }
        Refusal::Denied(process) => {
            let again = shell::allears_with_rights(&["free", &target(asked)]);
            let again = again.unwrap_or_else(|| "root".to_owned());
            format!("{} may not be ended by this user; {again} may", phrases::process(process))
        }
        Refusal::Failed(process, error) => {
            format!("{} could not be taken hold of: {}", phrases::process(process), escape(&error.as_str().into()))
        }
        Refusal::Uncertain(process, socket) => {
            format!("it is not certain that {} holds {}", phrases::process(process), place(socket))
        }
        Refusal::Unseen(listener) => unseen(listener),
        Refusal::HeldByUnit { unit, socket, command, via } => {
            let via = if *via { "; so does --via service" } else { "" };
            let stop = command.as_deref().and_then(shell::line);
            let stop = stop.map_or_else(String::new, |stop| format!(": {stop} frees it{via}"));
            format!(
                "systemd holds {} for {} too, and starts what serves it again{stop}",
                place(socket),
                escape(&unit.name)
            )
        }
        Refusal::Stored(socket, store) => {
            let releases = store_releases(store, os::own_uid());
            let releases = releases.map_or_else(String::new, |releases| format!(": {releases} frees it"));
            format!(
                "systemd keeps {} in the descriptor store of {}, so that it stays when a process ends{releases}",
                place(socket),
                escape(&store.unit.name)
            )
        }
        Refusal::NoManager { process, via } => {
            let who = process.as_ref().map_or_else(|| "what holds it".to_owned(), phrases::process);
            format!("{who} belongs to no {}; leave --via {} out", via_noun(*via), via_word(*via))
        }
        Refusal::OtherManager { process, via, manager, command } => {
            let who = phrases::process(process);
            let command = command.as_deref().and_then(shell::line);
            let command = command.map_or_else(String::new, |command| format!(" ({command})"));
            let by = manager_phrase(manager);
            format!(
                "{who} is run by {by}, which would start it again after its {} was stopped: use --via {}{command}",
                via_noun(*via),
                via_word(manager.via())
            )
        }
        Refusal::Frozen(process) => halted(process),
        Refusal::NoProgram { command } => {
            let name = command.first().map_or_else(String::new, escape);
            let run = shell::line(command).map_or_else(String::new, |line| format!(": run {line} yourself"));
            format!("{name} is in none of the system's own folders, and allears runs no program from elsewhere{run}")
        }
        Refusal::NoCommand { process, manager } => format!(
            "{} belongs to {}, and no command is known here that stops it safely{}",
            phrases::process(process),
            manager_phrase(manager),
            listing(manager)
        ),
        Refusal::TreeHasAllears(process) => format!(
            "{} belongs to the tree and to what started allears: ending it would end the session that asks",
            phrases::process(process)
        ),
    }
}

/// Why a process is in the plan.
pub(crate) fn part(step: &Step) -> String {
    match &step.part {
        Part::Wrapper => "started it, and waits for it".to_owned(),
        Part::Member => "belongs to its tree".to_owned(),
        Part::Holder(sockets) => {
            let mut parts: Vec<String> = Vec::new();
            for socket in sockets {
                let does = if socket.is_listener() && socket.protocol == Protocol::Tcp {
                    "listens on"
                } else {
                    "has bound"
                };
                let part = format!("{does} {}", place(socket));
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
            parts.join(", ")
        }
    }
}

/// Who restarts a process, and when.
pub(crate) fn returns(back: &Return) -> String {
    let starts = if back.certain { "starts it again" } else { "may start it again" };
    let when = match back.delay {
        Some(delay) if delay < Duration::from_millis(10) => " at once".to_owned(),
        Some(delay) => format!(" after {}", phrases::duration(delay)),
        None => String::new(),
    };
    match &back.by {
        Restarts::Unit(service) => format!("systemd {starts}{when}, as {}", escape(&service.name)),
        Restarts::SocketUnit(unit) => {
            format!("systemd {starts} when somebody connects to {}", escape(unit))
        }
        Restarts::Engine(container) => {
            format!(
                "{} {starts}{when}, as the container {}",
                escape(&Text::from(&container.runtime)),
                phrases::container(container)
            )
        }
        Restarts::Process { kind, id, name } => {
            let name = phrases::process_name(name);
            let kind = if *kind == name { String::new() } else { format!(", {kind}") };
            format!("{name} (pid {}{kind}) {starts}{when}", id.pid)
        }
    }
}

/// The command that lists what a supervisor runs, if it is known and the program's name is not.
fn listing(manager: &Manager) -> String {
    let Manager::Supervisor { find: Some(find), .. } = manager else { return String::new() };
    shell::line(find).map_or_else(String::new, |find| format!(": {find} lists what it runs"))
}

fn managed(manager: &Manager, command: Option<&[Text]>, restarts: Option<bool>, runs: bool) -> String {
    let via = if runs { format!("; so does --via {}", via_word(manager.via())) } else { String::new() };
    let stop = match (command.and_then(shell::line), manager) {
        (Some(stop), _) => format!(": {stop} stops it{via}"),
        (None, _) => listing(manager),
    };
    match manager {
        Manager::Container { .. } => format!("it runs in {}{stop}", manager_phrase(manager)),
        _ => {
            let again = match restarts {
                Some(true) => ", which starts it again",
                Some(false) => ", which does not start it again",
                None => ", which may start it again",
            };
            format!("it belongs to {}{again}{stop}", manager_phrase(manager))
        }
    }
}

fn manager_phrase(manager: &Manager) -> String {
    match manager {
        Manager::Container { container, .. } if pod(container).is_some() => {
            let pod = pod(container).map_or_else(String::new, |pod| escape(&pod));
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
            format!("{kind}'s program {}", escape(program))
        }
        Manager::Supervisor { kind, program: None, .. } => (*kind).to_owned(),
    }
}

/// The pod that an infra container stands for.
fn pod(container: &Container) -> Option<Text> {
    container.name.as_ref().and_then(proxy::pod_of_infra)
}

fn service_phrase(service: &Service) -> String {
    let of = if service.scope == ServiceScope::User { "the user's service" } else { "the service" };
    format!("{of} {}", escape(&service.name))
}

/// What a process stands for, and the one command that frees the port.
fn stands_for(
    process: &Process,
    role: &Role,
    manager: Option<&Manager>,
    command: Option<&[Text]>,
    asked: &BindTarget,
) -> String {
    let who = phrases::process(process);
    let is = match role {
        Role::FirstProcess => {
            format!("{who} is the first process of this system, and ending it ends the system")
        }
        Role::UserManager => {
            format!(
                "{who} is a user's service manager, and ending it ends the session and services of that user"
            )
        }
        Role::ServiceManager => format!("{who} is a service manager, and ending it ends all that it runs"),
        Role::MessageBus => {
            format!("{who} is a message bus, and ending it ends the session or the system's services")
        }
        Role::ServiceHost => format!("{who} runs services of Windows, and all of them would end with it"),
        Role::Engine => format!("{who} serves every container, and ending it ends or orphans them all"),
        Role::ContainerHelper => {
            format!("{who} works for a container, which goes on without it")
        }
        Role::MachineHelper => {
            format!("{who} passes connections on into a virtual machine, where the listener is")
        }
        Role::Wineserver => format!("{who} holds the sockets of every Windows program in its prefix"),
        Role::SuperServer => {
            format!("{who} holds sockets for the programs that it runs, and ending it ends them all")
        }
        Role::SshMaster => {
            format!("{who} is the master of a shared ssh connection, and ending it ends every session on it")
        }
        Role::SshSession => format!("{who} is a login over ssh, and ending it ends that login"),
    };
    let helps = match command.and_then(shell::line) {
        Some(command) => {
            let stops = match manager {
                Some(manager) => format!("stops {}", manager_phrase(manager)),
                None => "frees the port".to_owned(),
            };
            let via = manager
                .map_or_else(String::new, |manager| format!("; so does --via {}", via_word(manager.via())));
            Some(format!("{command} {stops}{via}"))
        }
        None => finding(process, role, asked),
    };
    match helps {
        Some(helps) => format!("{is}: {helps}"),
        None => is,
    }
}

/// How to find what a process holds the port for, where that is not known.
fn finding(process: &Process, role: &Role, asked: &BindTarget) -> Option<String> {
    let port = asked.port;
    Some(match role {
        Role::FirstProcess => "systemctl list-sockets names the unit that it holds the port for".to_owned(),
        Role::UserManager => match process.uid.filter(|uid| Some(*uid) != os::own_uid()) {
            Some(uid) => {
                format!("systemctl --user -M {uid}@ list-sockets names the unit that it holds the port for")
            }
            None => "systemctl --user list-sockets names the unit that it holds the port for".to_owned(),
        },
        Role::Engine | Role::ContainerHelper => find_container(process, asked),
        Role::Wineserver => "end the program itself, which wine taskkill lists".to_owned(),
        Role::SshMaster => format!(
            "ssh -O cancel -L {port}:HOST:HOSTPORT DESTINATION gives the port back, with the host and port that it was \
             forwarded to"
        ),
        Role::SshSession => format!(
            "whoever logged in gives the port back with ssh -O cancel -R {port}, or with -KR {port} after ~C"
        ),
        Role::ServiceHost => "stop the service that has the port: sc.exe stop".to_owned(),
        Role::SuperServer => {
            "stop the program that it holds the port for, if that closes the port, or take the port out of its \
             configuration"
                .to_owned()
        }
        Role::ServiceManager | Role::MessageBus | Role::MachineHelper => return None,
    })
}

/// The command that lists the containers of the engine that a process works for.
fn find_container(process: &Process, asked: &BindTarget) -> String {
    let (port, name) = (asked.port, process.name.to_string_lossy());
    let other = process.uid.filter(|uid| *uid != 0 && Some(*uid) != os::own_uid());
    let is_of_podman = ["podman", "conmon", "rootlessport", "pasta", "slirp4netns"];
    if is_of_podman.iter().any(|known| name.contains(known)) {
        return match (other, &process.user) {
            (None, _) => "podman port --all names the container".to_owned(),
            // Root's Podman knows nothing of another user's containers.
            (Some(_), Some(user)) => {
                let list = shell::line(&[
                    "runuser".into(),
                    "-l".into(),
                    user.clone(),
                    "-c".into(),
                    Text::from("podman port --all"),
                ]);
                list.map_or_else(String::new, |list| format!("{list} names the container"))
            }
            (Some(uid), None) => {
                format!("podman port --all names the container, run by the user with uid {uid}")
            }
        };
    }
    let host = match process.uid.filter(|uid| *uid != 0 && name == "rootlesskit") {
        Some(uid) => format!(" --host=unix:///run/user/{uid}/docker.sock"),
        None => String::new(),
    };
    format!(
        "docker{host} ps --filter publish={port} names the container, if one publishes the port; else it is the \
         engine's own"
    )
}

/// What a halted process needs.
pub(crate) fn halted(process: &Process) -> String {
    let who = phrases::process(process);
    let Some((condition, remedy)) = process.condition.as_ref().zip(suspension::helps(process)) else {
        return format!("{who} does not run");
    };
    let force = match condition.after_sigkill() {
        SignalEffect::Ends => "; --force ends it at once",
        _ => "",
    };
    let phrase = format!("{}: {}; {}", condition.phrase(process), remedy.phrase(), condition.signals());
    format!("{who} is {}{force}", escape(&phrase.as_str().into()))
}

fn clients(connections: &[Connection]) -> String {
    let count = connections.len();
    let mut named: Vec<Candidate> =
        connections.iter().flat_map(|connection| connection.clients.iter().cloned()).collect();
    named.sort_by_key(|client| client.pid);
    named.dedup_by_key(|client| client.pid);
    let connections =
        if count == 1 { "1 connection is".to_owned() } else { format!("{count} connections are") };
    let by = match named.is_empty() {
        true => String::new(),
        false => format!(" by {}", list(named.iter().map(phrases::candidate))),
    };
    format!(
        "{connections} open{by}; those that the ended process has accepted are cut, the clients are left alone"
    )
}

fn unseen(listener: &Listener) -> String {
    let help = listener.unseen.as_ref().and_then(|unseen| unseen.help.as_ref()).map(|help| {
        let port = listener.socket.endpoint.port().filter(|_| help.is_privileged_scan());
        let free = port.and_then(|port| {
            let protocol = listener.socket.protocol.prefix();
            shell::allears_with_rights(&["free", &format!("{protocol}{port}")])
        });
        match free {
            Some(free) => format!("; {free} sees them"),
            None => format!("; {}", gap_phrases::help(help)),
        }
    });
    let place = place(&listener.socket);
    let without = unseen::of(listener).and_then(|unseen| unseen.evidence().zip(unseen.ends()));
    if let Some((evidence, ends)) = without {
        return escape(&format!("no descriptor table has {place}: {evidence}; {ends}").as_str().into());
    }
    format!("not every holder of {place} could be seen{}", help.unwrap_or_default())
}

/// At most so many of these, and how many more there are.
fn list(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(LONGEST_LIST);
    let mut shown: Vec<String> = names.take(LONGEST_LIST).collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    shown.join(", ")
}

/// `udp/53 on 127.0.0.1`, `/run/app.sock`.
fn socket(socket: &Socket) -> String {
    match socket.endpoint.port() {
        Some(port) => format!("{}/{port} on {}", socket.protocol.as_str(), phrases::address(socket)),
        None => phrases::address(socket),
    }
}

/// `127.0.0.1:3000`.
pub(crate) fn place(socket: &Socket) -> String {
    match socket.endpoint.address() {
        Some(address) => {
            std::net::SocketAddr::new(address, socket.endpoint.port().unwrap_or_default()).to_string()
        }
        None => phrases::address(socket),
    }
}

/// The target as one would type it for `free`.
pub(crate) fn target(asked: &BindTarget) -> String {
    let protocol = asked.protocol.prefix();
    format!("{protocol}{}", asked.port)
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
        Via::Supervisor => "supervisor that could be told to stop it",
        Via::Service => "service that could be stopped",
        Via::Container => "container that could be stopped",
        Via::Signal => "process",
    }
}
