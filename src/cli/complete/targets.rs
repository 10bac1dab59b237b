//! Targets: ports and addresses of listeners, service names, Unix sockets.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::candidate::{Candidate, Completion, Heading, Paths, can_be_typed};
use super::listeners::OpenPort;
use crate::model::{Endpoint, Protocol, Target};
use crate::port_info;
use crate::render::phrases;

/// Shorter beginnings of a service name have hundreds of completions.
const SHORTEST_NAME: usize = 2;

/// What targets a command takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accepted {
    /// Whether a port without a protocol means TCP alone.
    pub(super) tcp_by_default: bool,
    /// The protocols that options have selected; none means all.
    pub(super) tcp: bool,
    pub(super) udp: bool,
    /// Whether Unix sockets are targets.
    pub(super) unix: bool,
}

/// Returns the completions of a list of targets. `listeners` reads the listeners of a protocol.
pub(super) fn complete(
    word: &str,
    accepted: Accepted,
    listeners: &dyn Fn(&[Protocol]) -> Vec<OpenPort>,
) -> Completion {
    // A comma belongs to a URL.
    let list_ends = if word.contains("://") { None } else { word.rfind(',') };
    let (kept, begun) = word.split_at(list_ends.map_or(0, |at| at + 1));
    let is_path = begun.starts_with(['/', '~']) || begun.starts_with("./") || begun.starts_with("../");
    if is_path && accepted.unix {
        return Completion::paths(kept, Paths::Files);
    }
    if begun.starts_with('@') && accepted.unix {
        return Completion::new(kept, begun, abstract_names(&listeners(&[Protocol::Unix])));
    }
    let (scheme, rest) = match (begun.find("://"), begun.strip_prefix("tcp/"), begun.strip_prefix("udp/")) {
        (Some(at), ..) => begun.split_at(at + 3),
        (_, Some(_), _) | (_, _, Some(_)) => begun.split_at(4),
        _ => ("", begun),
    };
    let protocols: &[Protocol] = match scheme {
        "udp/" => &[Protocol::Udp],
        "" if rest.starts_with("localhost") => &[Protocol::Tcp],
        "" => match (accepted.tcp, accepted.udp) {
            (true, false) => &[Protocol::Tcp],
            (false, true) => &[Protocol::Udp],
            _ if accepted.tcp_by_default => &[Protocol::Tcp],
            _ => &[Protocol::Tcp, Protocol::Udp],
        },
        _ => &[Protocol::Tcp],
    };
    let is_address = rest.contains([':', '.']) || rest.starts_with(['[', '*']) || scheme.ends_with("://");
    let (host, rest) = match rest.rfind(':').filter(|at| is_whole_host(rest.get(..*at).unwrap_or_default())) {
        Some(at) => rest.split_at(at + 1),
        None => ("", rest),
    };
    let candidates = if !host.is_empty() {
        let host = host.trim_end_matches(':');
        ports(listeners(protocols).iter().filter(|listener| answers(host, listener)))
    } else if is_address {
        addresses(&listeners(protocols))
    } else if rest.is_empty() || rest.bytes().all(|byte| byte.is_ascii_digit()) {
        ports(listeners(protocols).iter())
    } else {
        names(rest, scheme.is_empty(), accepted)
    };
    Completion::new(&format!("{kept}{scheme}{host}"), rest, candidates)
}

/// Returns whether a colon after this text ends a host. Within brackets it belongs to an address.
fn is_whole_host(text: &str) -> bool {
    !text.starts_with('[') || text.ends_with(']')
}

/// Returns the ports of these listeners, each once.
fn ports<'a>(listeners: impl Iterator<Item = &'a OpenPort>) -> Vec<Candidate> {
    let mut by_port: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for listener in listeners {
        let holders = by_port.entry(listener.socket.endpoint.port().unwrap_or_default()).or_default();
        if !holders.contains(&listener.holders.as_str()) {
            holders.push(&listener.holders);
        }
    }
    let candidate = |(port, holders): (u16, Vec<&str>)| {
        Candidate::new(Heading::Listeners, port.to_string(), &holders.join(", "))
    };
    by_port.into_iter().map(candidate).collect()
}

/// Returns the addresses and ports that listeners are bound to.
fn addresses(listeners: &[OpenPort]) -> Vec<Candidate> {
    let mut found: BTreeMap<(u16, String), &str> = BTreeMap::new();
    for listener in listeners {
        let Endpoint::Ip { address, port, interface } = &listener.socket.endpoint else { continue };
        // Only the address of a link has a scope in a target.
        let value = match interface {
            Some(_) if is_link_local(*address) => listener.socket.endpoint.to_string(),
            _ => SocketAddr::new(*address, *port).to_string(),
        };
        found.entry((*port, value)).or_insert(&listener.holders);
    }
    let candidate = |((_, value), holders)| Candidate::new(Heading::Listeners, value, holders);
    let mut candidates: Vec<Candidate> = found.into_iter().map(candidate).collect();
    candidates.push(Candidate::new(Heading::Beginnings, "localhost:", "127.0.0.1 and ::1"));
    candidates
}

/// Returns the names of Unix sockets in the abstract namespace.
fn abstract_names(listeners: &[OpenPort]) -> Vec<Candidate> {
    let name = |listener: &OpenPort| match &listener.socket.endpoint {
        Endpoint::Unix { path: Some(path) } => {
            path.as_str().filter(|name| can_be_typed(name)).map(str::to_owned)
        }
        _ => None,
    };
    let candidate = |listener| Some(Candidate::new(Heading::Listeners, name(listener)?, &listener.holders));
    listeners.iter().filter_map(candidate).collect()
}

/// Returns whether a listener answers at a host as it is typed before the colon.
fn answers(host: &str, listener: &OpenPort) -> bool {
    let socket = &listener.socket;
    let Some(port) = socket.endpoint.port() else { return false };
    let at = |address: IpAddr| Target::exactly(socket.protocol, address, port).answered_by(socket).is_some();
    match host {
        "" | "*" => true,
        "localhost" => at([127, 0, 0, 1].into()) || at(std::net::Ipv6Addr::LOCALHOST.into()),
        _ => {
            let plain = host.trim_start_matches('[').trim_end_matches(']');
            plain.parse().is_ok_and(at)
        }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// Returns the names of services and the words that begin other targets.
fn names(begun: &str, alone: bool, accepted: Accepted) -> Vec<Candidate> {
    let beginning = |value, description| Candidate::new(Heading::Beginnings, value, description);
    let mut candidates = Vec::new();
    if alone {
        candidates.push(beginning("tcp/", "a TCP port"));
        candidates.push(beginning("udp/", "a UDP port"));
        if accepted.unix {
            candidates.push(Candidate::new(Heading::Values, "unix", "every listening Unix socket"));
        }
    }
    candidates.push(beginning("localhost:", "127.0.0.1 and ::1"));
    if begun.len() >= SHORTEST_NAME {
        let service = |(name, (port, description)): (&'static str, (u16, &str))| {
            Candidate::new(Heading::Services, name, &phrases::completion::service(port, description))
        };
        candidates.extend(port_info::beginning_with(begun).into_iter().map(service));
    }
    candidates
}

#[cfg(test)]
mod tests;
