//! Who holds a socket, in words that a sentence can take; which holders pass connections on; what stops a service or
//! a container.

use std::net::SocketAddr;
use std::time::Duration;

use super::Observation;
use crate::model::{
    Candidate, Container, DescriptorStore, Holder, Listener, Process, Service, ServiceManager, ServiceScope,
    Socket, Text, Unseen,
};
use crate::os::parse::unit_name;
use crate::os::parse::unit_name::UnitKind;
use crate::shell;

/// Processes that pass connections on for something that does not listen here itself.
const RELAYS: [(&str, &str); 12] = [
    ("docker-proxy", "a container's published port"),
    ("rootlesskit", "a rootless container's published port"),
    ("rootlessport", "a rootless container's published port"),
    ("rootlessport-child", "a rootless container's published port"),
    ("conmon", "a container's published port"),
    ("slirp4netns", "a rootless container's network"),
    ("pasta", "a rootless container's network"),
    ("pasta.avx2", "a rootless container's network"),
    ("passt", "a virtual machine's network"),
    ("gvproxy", "a virtual machine's network"),
    ("com.docker.backend", "a container's published port"),
    ("wslrelay", "a listener inside of WSL"),
];

pub(super) fn relay(listener: &Listener) -> Option<(&Holder, &'static str)> {
    listener.holders.iter().find_map(|holder| {
        let name = holder.process.name.as_str()?;
        // It holds ports of its own, too.
        if name == "dockerd" && listener.container.is_some() {
            return Some((holder, "a container's published port"));
        }
        let name = name.strip_suffix(".exe").unwrap_or(name);
        let (_, what) = RELAYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some((holder, *what))
    })
}

/// Whether a listener's holder passes connections on, seen or not: a container is put to a socket that nobody was seen
/// to hold only where a proxy's command line names the very place.
pub(super) fn passes_on(listener: &Listener) -> bool {
    let is_proxy = |candidate: &Candidate| candidate.name.as_bytes() == b"docker-proxy";
    let by_unseen = || {
        let unseen = listener.unseen.as_ref().filter(|_| listener.holders.is_empty());
        listener.container.is_some()
            && unseen.is_some_and(|unseen| matches!(unseen.candidates.as_slice(), [only] if is_proxy(only)))
    };
    relay(listener).is_some() || by_unseen()
}

impl Observation {
    pub(super) fn holder(&self, holder: &Holder) -> String {
        let process = &holder.process;
        let (name, pid) = (process.name.to_string_lossy(), process.id.pid);
        match (&process.user, process.uid) {
            (_, Some(uid)) if Some(uid) == self.uid => format!("{name} (pid {pid})"),
            (Some(user), _) => format!("{name} (pid {pid}, {})", user.to_string_lossy()),
            (None, Some(uid)) => format!("{name} (pid {pid}, uid {uid})"),
            (None, None) => format!("{name} (pid {pid})"),
        }
    }

    /// Who holds a socket, in a phrase that can follow "by".
    pub(super) fn holders(&self, listener: &Listener) -> String {
        match (listener.holders.as_slice(), user(&listener.socket)) {
            ([only], _) => self.holder(only),
            ([first, rest @ ..], _) => match rest.len() {
                1 => format!("{} and 1 other", self.holder(first)),
                more => format!("{} and {more} others", self.holder(first)),
            },
            ([], user) => match (listener.unseen.as_ref().and_then(Unseen::who), user) {
                (Some(who), _) => who,
                (None, Some(user)) => {
                    format!("a process that could not be seen (user {user} opened the socket)")
                }
                (None, None) => "a process that could not be seen".to_owned(),
            },
        }
    }
}

/// What a socket that is bound and does not listen did before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// Nothing but being bound.
    OnlyBound,
    /// It was shut down as a listener, or disconnected: the kernel counts both alike.
    ShutDown,
    /// It was connected.
    Connected,
}

impl Observation {
    /// What a TCP socket that is bound and does not listen did before; `None` if the system does not say. Linux 6.8 and later
    /// report its write queue: 0 as long as it was only bound; 2 more for each time that it was shut down as a listener, or
    /// disconnected without a connection; an odd or a large number after a connection (measured on 6.18).
    pub(super) fn past(&self, socket: &Socket) -> Option<Past> {
        match self.write_queues.get(&socket.inode?)? {
            0 => Some(Past::OnlyBound),
            count if count % 2 == 0 && *count < 64 => Some(Past::ShutDown),
            _ => Some(Past::Connected),
        }
    }
}

pub(super) fn user(socket: &Socket) -> Option<String> {
    let name = socket.user.as_ref().map(|user| user.to_string_lossy().into_owned());
    name.or_else(|| socket.uid.map(|uid| format!("with uid {uid}")))
}

pub(super) fn endpoint(socket: &Socket) -> String {
    match socket.endpoint.address() {
        Some(address) => SocketAddr::new(address, socket.endpoint.port().unwrap_or_default()).to_string(),
        None => String::new(),
    }
}

/// An address and port, with the interface that the socket is bound to: `0.0.0.0:80 (by lo)`.
pub(super) fn place(socket: &Socket) -> String {
    let interface = match &socket.endpoint {
        crate::model::Endpoint::Ip { interface: Some(interface), .. } => {
            format!(" (by {})", interface.to_string_lossy())
        }
        _ => String::new(),
    };
    format!("{}{interface}", endpoint(socket))
}

pub(super) fn service(listener: &Listener) -> Option<&Service> {
    let of_holder = || listener.holders.iter().find_map(|holder| holder.process.service.as_ref());
    listener.service.as_ref().or_else(of_holder)
}

pub(super) fn container(listener: &Listener) -> Option<&Container> {
    let of_holder = || listener.holders.iter().find_map(|holder| holder.process.container.as_ref());
    listener.container.as_ref().or_else(of_holder)
}

pub(super) fn container_name(container: &Container) -> String {
    match &container.name {
        Some(name) => name.to_string_lossy().into_owned(),
        None => container.id.to_string_lossy().chars().take(12).collect(),
    }
}

/// Returns the command that stops a service, as words, for the user who would run it: of the manager that the service
/// belongs to. `None` for managers whose command is not known here, for what no manager stops as a service (a scope),
/// for names that break systemd's grammar, and if it is unknown whose manager it is.
///
/// `--` ends the options, because a unit's name may begin with a hyphen. `-M UID@` reaches another user's manager,
/// which root may do: systemd 248 and later (systemctl(1), `--machine=`).
pub(crate) fn stop_service(service: &Service, own_uid: Option<u32>) -> Option<Vec<String>> {
    if service.manager == ServiceManager::Windows && !service.name.is_empty() {
        let name = service.name.to_string_lossy().into_owned();
        return Some(vec!["sc.exe".to_owned(), "stop".to_owned(), name]);
    }
    if service.manager != ServiceManager::Systemd {
        return None;
    }
    let kind = unit_name::runnable(service.name.as_bytes())?;
    let mut command = match (&service.scope, service.uid) {
        (ServiceScope::System, _) => systemctl(None, own_uid),
        (ServiceScope::User, Some(uid)) => systemctl(Some(uid), own_uid),
        _ => return None,
    };
    command.extend(["stop", "--", service.name.as_str()?].map(str::to_owned));
    matches!(kind, UnitKind::Service | UnitKind::Socket).then_some(command)
}

/// Returns the words with which `own_uid` calls the system's manager, or that of a user.
fn systemctl(of_user: Option<u32>, own_uid: Option<u32>) -> Vec<String> {
    let mut words = vec!["systemctl".to_owned()];
    if let Some(uid) = of_user {
        words.push("--user".to_owned());
        if Some(uid) != own_uid {
            words.extend(["-M".to_owned(), format!("{uid}@")]);
        }
    }
    words
}

/// Returns the commands that make a service manager let go of a socket in a service's descriptor store, for the user who
/// would run them, in their order. None for names that break systemd's grammar.
///
/// systemd keeps a descriptor until the service stops, or beyond (FileDescriptorStorePreserve=yes); then `systemctl clean
/// --what=fdstore` closes it, once the service has stopped (systemd 254; systemd.service(5)).
pub(crate) fn release_store(store: &DescriptorStore, own_uid: Option<u32>) -> Vec<Vec<String>> {
    let Some(stop) = stop_service(&store.unit, own_uid) else { return Vec::new() };
    let mut commands = Vec::new();
    if store.preserved == Some(true) {
        let mut clean = stop.clone();
        if let Some(verb) = clean.iter().position(|word| word == "stop") {
            clean.splice(verb..=verb, ["clean".to_owned(), "--what=fdstore".to_owned()]);
            commands.push(clean);
        }
    }
    if store.active != Some(false) || commands.is_empty() {
        commands.insert(0, stop);
    }
    commands
}

/// Returns those commands in a phrase: `systemctl stop -- x.service, then systemctl clean --what=fdstore -- x.service`.
pub(crate) fn store_releases(store: &DescriptorStore, own_uid: Option<u32>) -> Option<String> {
    let commands = release_store(store, own_uid);
    let lines: Option<Vec<String>> = commands.iter().map(|command| shell::line(command)).collect();
    lines.filter(|lines| !lines.is_empty()).map(|lines| lines.join(", then "))
}

/// Returns what a process is that holds sockets for socket units, and the command that lists them for the user who asks.
/// `None` for every other process.
pub(super) fn list_sockets(process: &Process, own_uid: Option<u32>) -> Option<(String, Vec<String>)> {
    let is_user_manager = process.name.as_bytes() == b"systemd"
        && process.command.iter().flatten().any(|argument| argument.as_bytes() == b"--user");
    let (what, uid) = match process.id.pid {
        1 => ("the first process of this system".to_owned(), None),
        _ if is_user_manager => {
            let uid = process.uid?;
            (format!("the service manager of the user with uid {uid}"), Some(uid))
        }
        _ => return None,
    };
    let mut command = systemctl(uid, own_uid);
    command.push("list-sockets".to_owned());
    Some((what, command))
}

/// Returns what frees the port of a socket unit. The service that it starts has the port open too once it runs, and a
/// template names no single service.
pub(super) fn stop_socket_unit(service: &Service, started: bool, own_uid: Option<u32>) -> Option<String> {
    if !service.is_socket_unit() {
        return None;
    }
    let mut stop = stop_service(service, own_uid)?;
    let name = service.name.to_string_lossy();
    let runs = |activates: &&Text| started && unit_name::runnable(activates.as_bytes()).is_some();
    if let Some(activates) = service.activates.as_ref().filter(runs) {
        let activates = activates.to_string_lossy();
        stop.push(activates.clone().into_owned());
        let stop = shell::line(&stop)?;
        return Some(format!(
            "{stop} frees the port: systemd holds it for {name}, and starts {activates} again where that alone is \
             stopped"
        ));
    }
    let stop = shell::line(&stop)?;
    Some(match service.activates.as_ref().map(|activates| activates.to_string_lossy()) {
        Some(activates) => format!(
            "{stop} frees the port: systemd holds it for {name} and starts {activates} when somebody connects"
        ),
        None => format!("{stop} frees the port: systemd holds it for {name}"),
    })
}

/// A duration as people read it: `43 s`, `180 ms`.
pub(super) fn spell(duration: Duration) -> String {
    match duration.as_millis() {
        short @ ..1000 => format!("{short} ms"),
        _ => format!("{} s", duration.as_secs()),
    }
}
