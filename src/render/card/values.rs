//! The values of a card's lines.

use super::LONGEST_LIST;
use crate::management::service_command::release_store;
use crate::model::{
    Candidate, Connection, Container, DescriptorStore, Evidence, Holder, Listener, Process, Protocol,
    RelatedProcess, Service, Socket, Text, Unseen,
};
use crate::render::current_user::CurrentUser;
use crate::render::escape::escape;
use crate::render::phrases;

/// Returns whether the command line names a program's file already: `python3` for `/usr/bin/python3.11`.
pub(super) fn is_named_by_command(path: &Text, process: &Process) -> bool {
    let first = process.command.iter().flatten().next().map(Text::file_name).unwrap_or_default();
    // A link to one file of several programs names it too: Debian's redis-server runs redis-check-rdb.
    !first.is_empty() && (path.file_name().starts_with(first) || process.name.as_bytes() == first)
}

/// Returns the ancestors, the nearest first: `zsh (4007) < login (880)`.
pub(super) fn ancestry(holder: &Holder) -> String {
    holder.process.parents.iter().map(related).collect::<Vec<_>>().join(" < ")
}

/// Returns the children: `sh (4122), esbuild (4130)`. `None` if there are none or they are unknown.
pub(super) fn children(holder: &Holder) -> Option<String> {
    let children = holder.process.children.as_ref().filter(|children| !children.is_empty())?;
    let mut shown: Vec<String> = children.iter().take(LONGEST_LIST).map(related).collect();
    let more = children.len() - shown.len();
    shown.extend((more > 0).then(|| format!("{more} more")));
    Some(shown.join(", "))
}

fn related(process: &RelatedProcess) -> String {
    format!("{} ({})", phrases::process_name(&process.name), process.pid)
}

/// Returns the value of `service`: `cups.socket, starts cups.service`.
pub(super) fn service_line(service: &Service) -> String {
    match &service.activates {
        Some(activates) => format!("{}, starts {}", escape(&service.name), escape(activates)),
        None => escape(&service.name),
    }
}

/// Returns the value of `kept for`: `web.service, in systemd's descriptor store; systemctl stop -- web.service frees the port`.
pub(super) fn store_line(store: &DescriptorStore, current_user: &CurrentUser) -> String {
    let releases = phrases::commands_in_order(&release_store(store, current_user.uid));
    let releases = releases.map_or_else(String::new, |releases| format!("; {releases} frees the port"));
    format!("{}, in systemd's descriptor store{releases}", escape(&store.unit.name))
}

/// Returns the value of `container`.
pub(super) fn container_line(container: &Container) -> String {
    let name = phrases::name_or_pod(container);
    let image =
        container.image.as_ref().map_or_else(String::new, |image| format!(", image {}", escape(image)));
    let port = container.port.map_or_else(String::new, |port| format!(", port {port} inside"));
    let compose = container.compose.as_ref().map_or_else(String::new, |compose| {
        let service = compose.service.as_ref();
        let service = service.map_or_else(String::new, |service| format!(", service {}", escape(service)));
        format!(", project {}{service}", escape(&compose.project))
    });
    format!("{name} ({}{compose}{image}{port})", escape(&Text::from(&container.runtime)))
}

/// Returns the label of the candidates, by how likely they are.
pub(super) fn candidates_label(unseen: &Unseen) -> &'static str {
    match unseen.candidates.first().map(|candidate| candidate.evidence) {
        Some(Evidence::Mapping) => "holder",
        None
        | Some(
            Evidence::Cgroup
            | Evidence::LastUser
            | Evidence::Netstat
            | Evidence::Table
            | Evidence::Descriptor
            | Evidence::WaitsIn(_),
        ) => "likely",
        Some(_) => "perhaps",
    }
}

/// Returns the processes that may be the unseen holders, with the evidence. `None` if there are none.
pub(super) fn candidates(unseen: &Unseen) -> Option<String> {
    const MOST: usize = 5;
    let shown = unseen.candidates.iter().take(MOST);
    let shown: Vec<&Candidate> = shown.collect();
    let alike = shown.chunk_by(|a, b| phrases::is_evidence_equal(a, b)).filter_map(|alike| {
        let names: Vec<String> = alike.iter().map(|one| phrases::candidate(one)).collect();
        Some(format!("{}, {}", names.join(" or "), phrases::evidence(alike.first()?.evidence)))
    });
    let mut parts: Vec<String> = alike.collect();
    match unseen.candidates.len() - shown.len() {
        0 => {}
        more => parts.push(format!("one of {more} more")),
    }
    (!parts.is_empty()).then(|| parts.join("; or "))
}

/// Returns the value of `connected`: the clients of all listeners of a card. `None` if connections were not read.
pub(super) fn connected<'a>(listeners: impl Iterator<Item = &'a Listener>) -> Option<String> {
    let read: Vec<&[Connection]> = listeners.filter_map(|listener| listener.connections.as_deref()).collect();
    if read.is_empty() {
        return None;
    }
    let mut clients = phrases::clients(&read.into_iter().flatten().collect::<Vec<_>>());
    if clients.is_empty() {
        return Some("nobody".to_owned());
    }
    let more = clients.len().saturating_sub(LONGEST_LIST);
    clients.truncate(LONGEST_LIST);
    clients.extend((more > 0).then(|| format!("and {more} more clients")));
    Some(clients.join("; "))
}

/// Returns the value of `queue`: the connections that wait to be accepted at each address of a card.
pub(super) fn queues<'a>(sockets: impl Iterator<Item = &'a Socket>) -> Option<String> {
    let sockets: Vec<&Socket> = sockets.collect();
    let waiting = |socket: &&Socket| {
        let queue = socket.queue.filter(|queue| queue.waiting > 0 && socket.protocol == Protocol::Tcp)?;
        let limit = queue.limit.map_or_else(String::new, |limit| format!(" of {limit}"));
        let is_full = queue.limit.is_some_and(|limit| queue.waiting > limit);
        let full = if is_full { "; the queue is full" } else { "" };
        let address = match sockets.len() {
            1 => String::new(),
            _ => format!(" at {}", phrases::address(socket)),
        };
        Some(format!("{}{limit} connections wait to be accepted{address}{full}", queue.waiting))
    };
    let waiting: Vec<String> = sockets.iter().filter_map(waiting).collect();
    (!waiting.is_empty()).then(|| waiting.join("; "))
}
