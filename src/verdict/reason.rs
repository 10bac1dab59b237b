//! A verdict in one phrase.

use super::facts::Explanation;
use super::phrases;
use super::phrases::{container, container_name, endpoint, spell};
use super::{Past, VerdictKind};
use crate::bind_attempt::RefusalKind;
use crate::enrich::containers::proxy;
use crate::model::{Container, Listener, State};

impl Explanation<'_> {
    /// Whether all that stands in the way are several listeners of one address.
    fn is_shared(&self, first: &Listener) -> bool {
        let alike = |one: &Listener| one.socket.endpoint == first.socket.endpoint && one.socket.is_listener();
        self.standing.len() > 1 && self.standing.iter().all(alike)
    }

    /// The answer in one phrase, which can follow "it cannot be bound:".
    pub(super) fn reason(&self) -> String {
        let seen = self.seen;
        let port = seen.asked.port;
        let first = self.standing.first();
        let more = match self.standing.len() {
            0 | 1 => String::new(),
            2 => ", and 1 more socket is in the way".to_owned(),
            many => format!(", and {} more sockets are in the way", many - 1),
        };
        if let Some(hindrance) = self.hindrance {
            return hindrance.phrase(&seen.asked);
        }
        match (self.kind, first) {
            (VerdictKind::Free, _) => "nothing stands in the way".to_owned(),
            (VerdictKind::Forwarded, Some(listener)) if listener.socket.state == State::Forwarded => {
                forwarded(listener, "connections")
            }
            (VerdictKind::Forwarded, Some(listener)) => {
                let to = match (container(listener), phrases::relay(listener)) {
                    (Some(container), _) => {
                        format!(" to {}", destination(container))
                    }
                    (None, Some((holder, what))) => match inside(&holder.process) {
                        Some(inside) => format!(" to {inside}: {what}"),
                        None => format!(": {what}"),
                    },
                    (None, None) => String::new(),
                };
                let by = seen.holders(listener);
                format!("{} is held by {by}, which passes connections on{to}", endpoint(&listener.socket))
            }
            (VerdictKind::Forwarded, None) => match self.seen.answered {
                Some(address) => format!(
                    "nothing listens, and yet a connection to {address} is answered: it is passed on to elsewhere"
                ),
                None => "connections to it are passed on to elsewhere".to_owned(),
            },
            (VerdictKind::Listening, Some(listener)) if self.is_shared(listener) => {
                let mut by: Vec<String> = Vec::new();
                for one in self.standing.iter().map(|one| seen.holders(one)) {
                    if !by.contains(&one) {
                        by.push(one);
                    }
                }
                let rest = by.split_off(by.len().min(3));
                let rest = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
                let count = self.standing.len();
                match by.as_slice() {
                    [only] => format!("{count} sockets on {} are held by {only}", endpoint(&listener.socket)),
                    _ => format!("{} is shared by {}{rest}", endpoint(&listener.socket), by.join(" and ")),
                }
            }
            (VerdictKind::Listening, Some(listener)) => {
                format!("{} is held by {}{more}", endpoint(&listener.socket), seen.holders(listener))
            }
            (VerdictKind::Bound, Some(listener)) => {
                let who = seen.holders(listener);
                let past = match seen.past(&listener.socket) {
                    Some(Past::OnlyBound) => "which never listened",
                    Some(Past::ShutDown) => "which does not listen: the socket was shut down, and not closed",
                    Some(Past::Connected) => "which does not listen: the socket was connected before",
                    None => "which does not listen",
                };
                format!("{} is bound by {who}, {past}{more}", endpoint(&listener.socket))
            }
            (VerdictKind::Connection, Some(listener)) => {
                let peer = listener.socket.peer.map_or_else(String::new, |peer| format!(" to {peer}"));
                let state = match listener.socket.state {
                    State::Established => String::new(),
                    state => format!(" ({})", state.as_str()),
                };
                let whose = match listener.holders.is_empty() && listener.unseen.is_none() {
                    true => {
                        let orphans = self.orphans();
                        let end = orphans.first().and_then(|orphan| orphan.far.as_ref());
                        let end = end.map_or_else(String::new, |far| {
                            format!("; the other end is held by {}", seen.holders(far))
                        });
                        format!("which no process holds any more{end}")
                    }
                    false => format!("of {}", seen.holders(listener)),
                };
                format!(
                    "{} is the local end of a connection{peer}{state} {whose}{more}",
                    endpoint(&listener.socket)
                )
            }
            (VerdictKind::TimeWait, _) => {
                let left = seen
                    .time_wait_left
                    .map_or_else(String::new, |left| format!(", for up to {} more", spell(left)));
                match self.standing.len() {
                    1 => format!("a closed connection of this port is still in TIME_WAIT{left}"),
                    many => format!("{many} closed connections of this port are still in TIME_WAIT{left}"),
                }
            }
            (VerdictKind::Reserved, _) => {
                format!(
                    "nothing stands in the way; the machine reserves {port} for those that ask for it by number"
                )
            }
            (_, _) if self.can_bind == Some(true) => {
                "something on this machine forwards ports elsewhere, and whether this is one of them could not \
                 be read"
                    .to_owned()
            }
            (_, _) => match self.refused {
                Some(refusal) if refusal.kind == RefusalKind::InUse => {
                    "something has it that could not be seen".to_owned()
                }
                Some(refusal) if refusal.kind == RefusalKind::Denied => {
                    "the system forbids it, and no limit that can be read says why".to_owned()
                }
                Some(refusal) => format!("it could not be tried: {} ({})", refusal.says, refusal.name),
                None => "it could not be tried".to_owned(),
            },
        }
    }
}

/// `connections to 0.0.0.0:8080 are forwarded to container web-1, port 80 inside, by the rules of docker; no socket is there`
pub(super) fn forwarded(listener: &Listener, connections: &str) -> String {
    let place = endpoint(&listener.socket);
    match (&listener.container, &listener.note) {
        (Some(container), _) => format!(
            "{connections} to {place} are forwarded to {}, by the rules of {}; no socket is there",
            destination(container),
            container.runtime
        ),
        // Of a rule that no runtime answers for the note tells all.
        (None, Some(note)) => format!("{place}: {}", note.to_string_lossy()),
        (None, None) => format!("{connections} to {place} are forwarded; no socket is there"),
    }
}

/// `container web-1, port 80 inside`, `pod 3a2b1c0d9e8f`
fn destination(container: &Container) -> String {
    let port = container.port.map_or_else(String::new, |port| format!(", port {port} inside"));
    match container.name.as_ref().and_then(proxy::pod_of_infra) {
        Some(pod) => format!("pod {}{port}", pod.to_string_lossy()),
        None => format!("container {}{port}", container_name(container)),
    }
}

/// Where a proxy passes connections on to, as its command line says.
fn inside(proxy: &crate::model::Process) -> Option<std::net::SocketAddr> {
    proxy::proxied(proxy.command.as_deref()?).map(|proxied| proxied.inside)
}
