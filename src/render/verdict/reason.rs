//! The answer in one phrase.

use super::hindrance;
use crate::model::{Container, Listener, State, Text};
use crate::render::escape::escape;
use crate::render::phrases;
use crate::verdict::{BoundHistory, ProxyPurpose, VerdictReason};

/// The most holders of a shared address that the phrase names.
const MOST_HOLDERS: usize = 3;

/// Returns the answer in a phrase that can follow "it cannot be bound:".
pub(super) fn reason(reason: &VerdictReason) -> String {
    match reason {
        VerdictReason::Nothing => "nothing is in the way".to_owned(),
        VerdictReason::Hindrance { hindrance: found, target } => hindrance(found, target),
        VerdictReason::Forwarded(listener) => forwarded(listener, "connections"),
        VerdictReason::Proxied { listener, purpose, inside } => {
            let what = purpose.map(purpose_phrase);
            let to = match (container(listener), inside, what) {
                (Some(container), ..) => format!(" to {}", destination(container)),
                (None, Some(inside), Some(what)) => format!(" to {inside}: {what}"),
                (None, None, Some(what)) => format!(": {what}"),
                (None, _, None) => String::new(),
            };
            format!("{}, which forwards connections{to}", held(listener))
        }
        VerdictReason::Answered { address: Some(address) } => format!(
            "nothing listens, but a connection to {address} is answered: something forwards it to another address"
        ),
        VerdictReason::Answered { address: None } => {
            "something forwards connections to it to another address".to_owned()
        }
        VerdictReason::Shared(listeners) => shared(listeners),
        VerdictReason::Held { listener, more } => format!("{}{}", held(listener), more_sockets(*more)),
        VerdictReason::Bound { listener, history, more } => {
            let past = match history {
                Some(BoundHistory::OnlyBound) => "which never listened",
                Some(BoundHistory::ShutDown) => {
                    "which does not listen: the socket was shut down, and not closed"
                }
                Some(BoundHistory::Connected) => "which does not listen: the socket was connected before",
                None => "which does not listen",
            };
            format!(
                "{} is bound by {}, {past}{}",
                phrases::endpoint(&listener.socket),
                phrases::holders(listener),
                more_sockets(*more)
            )
        }
        VerdictReason::Connection { listener, other_end, more } => {
            connection(listener, other_end.as_deref(), *more)
        }
        VerdictReason::TimeWait { connections, left } => {
            let left = left
                .map_or_else(String::new, |left| format!(", for up to {} more", phrases::whole_seconds(left)));
            match connections {
                1 => format!("a closed connection of this port is still in TIME_WAIT{left}"),
                many => format!("{many} closed connections of this port are still in TIME_WAIT{left}"),
            }
        }
        VerdictReason::Reserved { port } => format!(
            "nothing is in the way; the machine reserves {port} for programs that ask for it by number"
        ),
        VerdictReason::ForwardingUnknown => {
            "something on this machine forwards ports elsewhere, and whether this is one of them could not be read"
                .to_owned()
        }
        VerdictReason::Unseen => "it is in use, and what has it could not be seen".to_owned(),
        VerdictReason::Denied => {
            "the system denies it, and no limit that can be read explains why".to_owned()
        }
        VerdictReason::NotAttempted { error: Some((name, message)) } => {
            format!("no bind could be attempted: {message} ({name})")
        }
        VerdictReason::NotAttempted { error: None } => "no bind could be attempted".to_owned(),
    }
}

/// Returns who holds a port: `127.0.0.1:3000 is held by node (pid 4121, dev)`.
fn held(listener: &Listener) -> String {
    format!("{} is held by {}", phrases::endpoint(&listener.socket), phrases::holders(listener))
}

fn more_sockets(more: usize) -> String {
    match more {
        0 => String::new(),
        1 => ", and 1 more socket is in the way".to_owned(),
        more => format!(", and {more} more sockets are in the way"),
    }
}

fn shared(listeners: &[Listener]) -> String {
    let mut holders: Vec<String> = Vec::new();
    for holder in listeners.iter().map(phrases::holders) {
        if !holders.contains(&holder) {
            holders.push(holder);
        }
    }
    let endpoint = listeners.first().map_or_else(String::new, |first| phrases::endpoint(&first.socket));
    match holders.as_slice() {
        [only] => format!("{} sockets on {endpoint} are held by {only}", listeners.len()),
        several => {
            let shown: Vec<&str> = several.iter().take(MOST_HOLDERS).map(String::as_str).collect();
            let more = match several.len() - shown.len() {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            format!("{endpoint} is shared by {}{more}", shown.join(" and "))
        }
    }
}

fn connection(listener: &Listener, other_end: Option<&Listener>, more: usize) -> String {
    let peer = listener.socket.peer.map_or_else(String::new, |peer| format!(" to {peer}"));
    let state = match listener.socket.state {
        State::Established => String::new(),
        state => format!(" ({})", state.as_str()),
    };
    let whose = match listener.holders.is_empty() && listener.unseen.is_none() {
        true => {
            let end = other_end.map_or_else(String::new, |end| {
                format!("; the other end is held by {}", phrases::holders(end))
            });
            format!("which no process holds any more{end}")
        }
        false => format!("of {}", phrases::holders(listener)),
    };
    format!(
        "{} is the local end of a connection{peer}{state} {whose}{}",
        phrases::endpoint(&listener.socket),
        more_sockets(more)
    )
}

fn purpose_phrase(purpose: ProxyPurpose) -> &'static str {
    match purpose {
        ProxyPurpose::ContainerPort => "a container's published port",
        ProxyPurpose::RootlessContainerPort => "a rootless container's published port",
        ProxyPurpose::RootlessContainerNetwork => "a rootless container's network",
        ProxyPurpose::VirtualMachineNetwork => "a virtual machine's network",
        ProxyPurpose::Wsl => "a listener inside WSL",
    }
}

/// Returns what a rule does with connections: `connections to 0.0.0.0:8080 are forwarded to container web-1, port 80
/// inside, by the rules of docker; no socket is there`.
pub(super) fn forwarded(listener: &Listener, connections: &str) -> String {
    let endpoint = phrases::endpoint(&listener.socket);
    match (&listener.container, &listener.note) {
        (Some(container), _) => format!(
            "{connections} to {endpoint} are forwarded to {}, by the rules of {}; no socket is there",
            destination(container),
            escape(&Text::from(&container.runtime))
        ),
        // The note has everything that is known of a rule that no runtime made.
        (None, Some(note)) => format!("{endpoint}: {}", phrases::note(note)),
        (None, None) => format!("{connections} to {endpoint} are forwarded; no socket is there"),
    }
}

/// Returns the destination in a container: `container web-1, port 80 inside`.
fn destination(container: &Container) -> String {
    let port = container.port.map_or_else(String::new, |port| format!(", port {port} inside"));
    format!("{}{port}", phrases::container_or_pod(container))
}

fn container(listener: &Listener) -> Option<&Container> {
    let of_holder = || listener.holders.iter().find_map(|holder| holder.process.container.as_ref());
    listener.container.as_deref().or_else(of_holder)
}
