//! A verdict in words: the reason in one phrase, and what it rests on.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::named::{self, container, container_name, endpoint, spell, user};
use super::{Observation, Sorted, VerdictKind, lacks_family};
use crate::act::bind::{Options, Refusal, RefusalKind};
use crate::containers::relay;
use crate::os::{Excluded, Local};
use crate::{Connection, Container, Listener, Protocol, State};

/// One case on its way to words.
pub(super) struct Case<'a> {
    pub(super) seen: &'a Observation,
    pub(super) sorted: &'a Sorted,
    pub(super) kind: VerdictKind,
    pub(super) can_bind: Option<bool>,
    pub(super) refused: Option<&'a Refusal>,
    pub(super) standing: &'a [Listener],
}

impl Case<'_> {
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
        match (self.kind, first) {
            (VerdictKind::Free, _) => "nothing stands in the way".to_owned(),
            (VerdictKind::Forwarded, Some(listener)) if listener.socket.state == State::Forwarded => {
                format!("connections to {}", forwarded(listener))
            }
            (VerdictKind::Forwarded, Some(listener)) => {
                let to = match (container(listener), named::relay(listener)) {
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
            (VerdictKind::Listening, Some(listener)) => {
                format!("{} is held by {}{more}", endpoint(&listener.socket), seen.holders(listener))
            }
            (VerdictKind::Bound, Some(listener)) => {
                let who = seen.holders(listener);
                format!("{} is bound by {who}, which never listened{more}", endpoint(&listener.socket))
            }
            (VerdictKind::Connection, Some(listener)) => {
                let peer = listener.socket.peer.map_or_else(String::new, |peer| format!(" to {peer}"));
                let state = match listener.socket.state {
                    State::Established => String::new(),
                    state => format!(" ({})", state.as_str()),
                };
                let whose = match listener.holders.is_empty() && listener.unseen.is_none() {
                    true => "which no process holds any more".to_owned(),
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
            (VerdictKind::Privileged, _) => match seen.limits.unprivileged_from {
                Some(from) => {
                    format!("ports below {from} need a privilege here that this user does not have")
                }
                None => "it needs a privilege that this user does not have".to_owned(),
            },
            (VerdictKind::Reserved, _) if self.can_bind == Some(false) => {
                let range = self.excluded().map_or_else(String::new, |range| {
                    format!(", {}-{},", range.ports.start(), range.ports.end())
                });
                format!("Windows keeps a range of ports{range} back from everybody, and {port} is in it")
            }
            (VerdictKind::Reserved, _) => {
                format!(
                    "nothing stands in the way; the machine reserves {port} for those that ask for it by number"
                )
            }
            (VerdictKind::AddressNotLocal, _) => match seen.asked.address {
                Some(address) => format!("{address} is not an address of this machine"),
                None => "no address of this machine can be bound".to_owned(),
            },
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

    pub(super) fn facts(&self) -> Vec<String> {
        let seen = self.seen;
        let mut facts = vec![self.attempted()];
        for fact in self.standing.iter().take(16).filter_map(|listener| self.conflict(listener)) {
            // Listeners that share a port differ in nothing that a person sees.
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        facts.extend(self.served());
        facts.extend(self.shares());
        if self.kind == VerdictKind::TimeWait || (self.can_bind == Some(true) && self.plain_differs()) {
            facts.push(
                match self.can_bind {
                    Some(true) => {
                        "with SO_REUSEADDR, which servers set, the bind succeeds; without it, it does not"
                    }
                    _ => "not even SO_REUSEADDR helps: the socket before did not set it",
                }
                .to_owned(),
            );
        }
        if matches!(self.kind, VerdictKind::Privileged | VerdictKind::Reserved)
            && let Some(listener) = self.standing.first()
        {
            facts.push(format!("besides, it is taken: {} has it", seen.holders(listener)));
        }
        let denied = self.refused.is_some_and(|refusal| refusal.kind == RefusalKind::Denied);
        if seen.os == "windows" && self.kind != VerdictKind::Reserved && denied && !self.standing.is_empty() {
            facts.push(
                "the refusal is EACCES and not EADDRINUSE, which Windows gives as a rule where what has the port keeps \
                 it for itself alone (SO_EXCLUSIVEADDRUSE)"
                    .to_owned(),
            );
        }
        if let Some(range) = self.automatic() {
            facts.push(format!(
                "{} lies among the ports that this machine gives to outgoing connections ({}-{})",
                seen.asked.port,
                range.start(),
                range.end()
            ));
        }
        if seen.limits.reserved.iter().any(|range| range.contains(&seen.asked.port)) {
            facts.push(
                "net.ipv4.ip_local_reserved_ports keeps it out of automatic assignment; asking for it by number is \
                 allowed"
                    .to_owned(),
            );
        }
        // Rules come before sockets.
        for listener in self.seen.forwarded.iter().filter(|listener| !self.standing.contains(listener)) {
            facts.push(format!("connections from other machines to {}", forwarded(listener)));
        }
        facts.extend(self.nearest());
        facts.extend(self.elsewhere());
        facts.extend(self.localhost());
        facts.extend(self.clients());
        facts.extend(self.other_protocol());
        facts
    }

    /// What was tried and what came of it.
    fn attempted(&self) -> String {
        let mut by_result: Vec<(Option<&str>, Vec<String>)> = Vec::new();
        for attempt in self.seen.attempts(self.seen.decisive).filter(|attempt| !lacks_family(attempt)) {
            let address = match (attempt.address, attempt.v6only) {
                (IpAddr::V6(any), true) if any.is_unspecified() => ":: for IPv6 alone".to_owned(),
                (IpAddr::V6(any), false) if any.is_unspecified() => ":: for both families".to_owned(),
                (address, _) => address.to_string(),
            };
            let result = attempt.refused.as_ref().map(|refusal| refusal.name.as_str());
            match by_result.iter_mut().find(|(known, _)| *known == result) {
                Some((_, addresses)) => addresses.push(address),
                None => by_result.push((result, vec![address])),
            }
        }
        let how = match self.seen.decisive {
            Options::ReuseAddress => " with SO_REUSEADDR",
            _ => "",
        };
        let told: Vec<String> = by_result
            .into_iter()
            .map(|(result, addresses)| match result {
                None => format!("a bind{how} to {} succeeds", addresses.join(", ")),
                Some(name) => format!("a bind{how} to {} fails with {name}", addresses.join(", ")),
            })
            .collect();
        match told.is_empty() {
            true => "no bind could be tried".to_owned(),
            false => told.join("; "),
        }
    }

    /// Why a socket is in the way.
    fn conflict(&self, listener: &Listener) -> Option<String> {
        let socket = &listener.socket;
        let why = self.seen.asked.overlap(socket)?.why();
        let what = match (self.kind, socket.state) {
            (VerdictKind::TimeWait, _) | (_, State::Forwarded) => return None,
            (_, State::Listen) => "listens on",
            (_, State::Bound) if socket.protocol == Protocol::Udp => "receives on",
            (_, State::Bound) => "has bound, and does not listen on,",
            _ => "has a connection on",
        };
        let who = match listener.holders.is_empty() && listener.unseen.is_none() {
            true => "nobody any more".to_owned(),
            false => self.seen.holders(listener),
        };
        Some(format!("{who} {what} {}: {why}", endpoint(socket)))
    }

    /// Whether the listeners may be joined by SO_REUSEPORT.
    fn shares(&self) -> Option<String> {
        let listeners = &self.sorted.listening;
        let first = listeners.first()?;
        if self.seen.asked.protocol != Protocol::Tcp
            || self.seen.attempts(Options::ReusePort).next().is_none()
            || self.kind == VerdictKind::Privileged
        {
            return None;
        }
        let owner = user(&first.socket)?;
        let group = listeners.iter().filter(|listener| listener.socket.endpoint == first.socket.endpoint);
        match (self.seen.refusal(Options::ReusePort), group.count()) {
            (None, _) => Some(
                "its listeners allow SO_REUSEPORT: a server of this user that sets it too may join them"
                    .to_owned(),
            ),
            (Some(_), 2..) if first.socket.uid != self.seen.uid => Some(format!(
                "its listeners share the port by SO_REUSEPORT, which only sockets of user {owner} may join"
            )),
            (Some(_), _) if first.socket.uid != self.seen.uid => Some(format!(
                "SO_REUSEPORT does not help: only sockets of user {owner} could join its listener, if it allows that"
            )),
            (Some(_), _) => None,
        }
    }

    fn plain_differs(&self) -> bool {
        self.seen.decisive != Options::Plain && self.seen.refusal(Options::Plain).is_some()
    }

    /// The range that Windows keeps back and this port is in.
    pub(super) fn excluded(&self) -> Option<&Excluded> {
        self.seen.limits.excluded.iter().find(|range| range.ports.contains(&self.seen.asked.port))
    }

    /// The range the system gives ports from, where this one lies in it and that matters.
    pub(super) fn automatic(&self) -> Option<&RangeInclusive<u16>> {
        let matters = self.kind == VerdictKind::Connection;
        self.seen.limits.automatic.as_ref().filter(|range| matters && range.contains(&self.seen.asked.port))
    }

    fn nearest(&self) -> Option<String> {
        let asked = self.seen.asked.address.filter(|_| self.kind == VerdictKind::AddressNotLocal)?;
        let local = self.seen.local.as_ref()?;
        let nearest = nearest(asked, local);
        let named: Vec<String> = nearest
            .iter()
            .map(|local| format!("{} ({})", local.address, local.interface.to_string_lossy()))
            .collect();
        match named.is_empty() {
            true => Some(format!("this machine has no {} address", family(asked))),
            false => Some(format!("the nearest addresses that it has are {}", named.join(", "))),
        }
    }

    /// Listeners of the port that are not in the way.
    fn elsewhere(&self) -> Vec<String> {
        let beside =
            self.seen.sockets.iter().filter(|listener| {
                listener.socket.is_listener() && !self.seen.asked.overlaps(&listener.socket)
            });
        beside
            .take(4)
            .map(|listener| {
                format!(
                    "{} listens on {}, which is not in the way",
                    self.seen.holders(listener),
                    endpoint(&listener.socket)
                )
            })
            .collect()
    }

    /// Whom localhost reaches, where several stand there.
    fn localhost(&self) -> Option<String> {
        let listeners = self.seen.sockets.iter().filter(|listener| listener.socket.is_listener());
        if listeners.count() < 2 {
            return None;
        }
        let reached = self.seen.localhost();
        let one = |listener: &Option<Listener>| match listener {
            Some(listener) => {
                format!("{} on {}", self.seen.holders(listener), endpoint(&listener.socket))
            }
            None => "nothing".to_owned(),
        };
        Some(format!(
            "localhost reaches {} over IPv4, and {} over IPv6",
            one(&reached.ipv4),
            one(&reached.ipv6)
        ))
    }

    fn clients(&self) -> Option<String> {
        let clients = &self.seen.clients;
        let standing = matches!(self.kind, VerdictKind::Listening | VerdictKind::Forwarded);
        if clients.is_empty() || !standing {
            return None;
        }
        let named = |connection: &Connection| {
            let names: Vec<String> = connection
                .clients
                .iter()
                .map(|client| format!("{} (pid {})", client.name.to_string_lossy(), client.pid))
                .collect();
            match names.is_empty() {
                true => connection.peer.to_string(),
                false => format!("{} at {}", names.join(" and "), connection.peer),
            }
        };
        let mut list: Vec<String> = clients.iter().take(4).map(named).collect();
        if clients.len() > 4 {
            list.push(format!("{} more", clients.len() - 4));
        }
        Some(format!("connected as clients, and not in the way: {}", list.join(", ")))
    }

    fn other_protocol(&self) -> Option<String> {
        let first = self.seen.other_protocol.first()?;
        let (own, other) = (self.seen.asked.protocol.as_str(), first.socket.protocol.as_str());
        let who = self.seen.holders(first);
        Some(format!(
            "{other}/{} is in use too, by {who}; that does not matter to {own}",
            self.seen.asked.port
        ))
    }
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// Up to three addresses that have most of their leading bits in common with one.
fn nearest(asked: IpAddr, local: &[Local]) -> Vec<&Local> {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    let mut same: Vec<&Local> =
        local.iter().filter(|local| local.address.is_ipv4() == asked.is_ipv4()).collect();
    same.sort_by_key(|local| {
        let common = (bits(local.address) ^ bits(asked)).leading_zeros();
        (local.address.is_loopback() != asked.is_loopback(), std::cmp::Reverse(common), local.address)
    });
    same.truncate(3);
    same
}

/// `0.0.0.0:8080 are forwarded to container web-1, port 80 inside, by docker's rules; no socket is there`
fn forwarded(listener: &Listener) -> String {
    let place = endpoint(&listener.socket);
    match &listener.container {
        Some(container) => format!(
            "{place} are forwarded to {}, by the rules of {}; no socket is there",
            destination(container),
            container.runtime.to_string_lossy()
        ),
        None => format!("{place} are forwarded; no socket is there"),
    }
}

/// `container web-1, port 80 inside`
fn destination(container: &Container) -> String {
    let port = container.port.map_or_else(String::new, |port| format!(", port {port} inside"));
    format!("container {}{port}", container_name(container))
}

/// Where a proxy passes connections on to, as its command line says.
fn inside(proxy: &crate::Process) -> Option<std::net::SocketAddr> {
    relay::proxied(proxy.command.as_deref()?).map(|proxied| proxied.inside)
}
