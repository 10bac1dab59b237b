//! Why a port can or cannot be had: observed facts in, verdict out. Pure: nothing is looked at here, so that every
//! case can be tried without a machine that is in it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::act::bind::{Attempt, Options, Refusal, RefusalKind};
use crate::os::{Limits, Local};
use crate::{Connection, Container, Gap, Holder, Listener, Protocol, Service, Socket, State, Target, Text};

/// What was asked for: one port of one protocol, at one address or at all.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The address; `None` for the wildcards of both families.
    pub address: Option<IpAddr>,
    /// The interface, where one was named with a link-local address.
    pub interface: Option<Text>,
    /// The port.
    pub port: u16,
}

/// What kind of answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerdictKind {
    /// Nothing stands in the way.
    Free,
    /// A listener has it.
    Listening,
    /// A socket has it that was bound and never listened on.
    Bound,
    /// Connections that were closed still linger.
    TimeWait,
    /// A connection has it as its local port.
    Connection,
    /// The system keeps it for privileged programs.
    Privileged,
    /// The machine keeps it back.
    Reserved,
    /// The address belongs to another machine, or to none.
    AddressNotLocal,
    /// Connections to it are answered from elsewhere.
    Forwarded,
    /// It is not known why it cannot be had, or not even whether.
    Unknown,
}

/// The answer to why a port can or cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What was asked for.
    pub asked: Asked,
    /// What kind of answer it is.
    pub kind: VerdictKind,
    /// Whether a bind succeeded, tried as servers do; `None` where the attempt itself could not be made.
    pub can_bind: Option<bool>,
    /// The error's name where it did not: `EADDRINUSE`.
    pub error: Option<String>,
    /// The answer in one phrase. Like all text here it may hold names from outside, unescaped.
    pub reason: String,
    /// The sockets that stand in the way.
    pub standing_in_the_way: Vec<Listener>,
    /// What a connection to the name localhost meets.
    pub localhost: Localhost,
    /// What was observed.
    pub facts: Vec<String>,
    /// What would help.
    pub advice: Vec<String>,
    /// Who is connected to the listeners of the port. Clients are never in the way of a listener's end.
    pub clients: Vec<Connection>,
    /// What could not be observed.
    pub gaps: Vec<Gap>,
}

/// What a connection to the name localhost meets, by address family.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Localhost {
    /// The listener at 127.0.0.1.
    pub ipv4: Option<Listener>,
    /// The listener at ::1.
    pub ipv6: Option<Listener>,
}

/// Everything a verdict rests on.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    pub(crate) asked: Asked,
    /// The system: what helps differs.
    pub(crate) os: &'static str,
    /// Sockets of the port and protocol, in every state that may matter.
    pub(crate) sockets: Vec<Listener>,
    /// Sockets of the same port and the other protocol.
    pub(crate) other_protocol: Vec<Listener>,
    pub(crate) attempts: Vec<Attempt>,
    /// The options that decide.
    pub(crate) decisive: Options,
    pub(crate) limits: Limits,
    pub(crate) local: Option<Vec<Local>>,
    /// Where a connection was answered though nothing listens.
    pub(crate) answered: Option<SocketAddr>,
    pub(crate) time_wait_left: Option<Duration>,
    pub(crate) clients: Vec<Connection>,
    /// The asking user.
    pub(crate) uid: Option<u32>,
    pub(crate) gaps: Vec<Gap>,
}

impl VerdictKind {
    /// The kind's name in lower case with hyphens: `time-wait`.
    pub fn as_str(self) -> &'static str {
        match self {
            VerdictKind::Free => "free",
            VerdictKind::Listening => "listening",
            VerdictKind::Bound => "bound",
            VerdictKind::TimeWait => "time-wait",
            VerdictKind::Connection => "connection",
            VerdictKind::Privileged => "privileged",
            VerdictKind::Reserved => "reserved",
            VerdictKind::AddressNotLocal => "address-not-local",
            VerdictKind::Forwarded => "forwarded",
            VerdictKind::Unknown => "unknown",
        }
    }
}

impl fmt::Display for VerdictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Asked {
    /// The addresses that a bind asks for, each with whether it leaves IPv4 alone.
    fn addresses(&self) -> Vec<(IpAddr, bool)> {
        match self.address {
            Some(address) => vec![(address, false)],
            None => vec![(Ipv4Addr::UNSPECIFIED.into(), false), (Ipv6Addr::UNSPECIFIED.into(), false)],
        }
    }

    /// Whether a bind to what is asked for and this socket want the same.
    pub(crate) fn overlaps(&self, socket: &Socket) -> bool {
        self.overlap(socket).is_some()
    }

    fn overlap(&self, socket: &Socket) -> Option<Overlap> {
        if socket.endpoint.port() != Some(self.port) || socket.protocol != self.protocol {
            return None;
        }
        let theirs = socket.endpoint.address()?;
        let cover = Cover::of(theirs, socket.dual_stack == Some(false));
        self.addresses()
            .into_iter()
            .filter(|(address, v6only)| Cover::of(*address, *v6only).meets(&cover))
            .map(|(address, _)| Overlap::between(address, theirs))
            .min()
    }
}

/// The addresses a socket takes: one or all of a family, or none of it.
struct Cover {
    ipv4: Option<Ipv4Addr>,
    ipv6: Option<Ipv6Addr>,
}

impl Cover {
    fn of(address: IpAddr, v6only: bool) -> Cover {
        match address {
            IpAddr::V4(address) => Cover { ipv4: Some(address), ipv6: None },
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => Cover { ipv4: Some(address), ipv6: None },
                None => Cover {
                    ipv4: (address.is_unspecified() && !v6only).then_some(Ipv4Addr::UNSPECIFIED),
                    ipv6: Some(address),
                },
            },
        }
    }

    fn meets(&self, other: &Cover) -> bool {
        let ipv4 = matches!((self.ipv4, other.ipv4),
            (Some(a), Some(b)) if a == b || a.is_unspecified() || b.is_unspecified());
        let ipv6 = matches!((self.ipv6, other.ipv6),
            (Some(a), Some(b)) if a == b || a.is_unspecified() || b.is_unspecified());
        ipv4 || ipv6
    }
}

/// Why two addresses want the same. The order is that of what explains best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Overlap {
    /// They are one address.
    Same,
    /// Theirs is `::` and takes IPv4 too.
    DualStack,
    /// Theirs is a wildcard.
    TheirWildcard,
    /// The wildcard was asked for.
    AskedWildcard,
}

impl Overlap {
    fn between(asked: IpAddr, theirs: IpAddr) -> Overlap {
        let (asked, theirs) = (asked.to_canonical(), theirs.to_canonical());
        match (asked, theirs) {
            _ if asked == theirs => Overlap::Same,
            (IpAddr::V4(_), IpAddr::V6(_)) => Overlap::DualStack,
            _ if theirs.is_unspecified() => Overlap::TheirWildcard,
            _ => Overlap::AskedWildcard,
        }
    }

    fn why(self) -> &'static str {
        match self {
            Overlap::Same => "that is the very address asked for",
            Overlap::DualStack => "it is dual-stack: it takes the port for IPv4 too",
            Overlap::TheirWildcard => "that wildcard includes the address asked for",
            Overlap::AskedWildcard => "the wildcard asked for includes that address",
        }
    }
}

/// Processes that pass connections on for something that does not listen here itself.
const RELAYS: [(&str, &str); 10] = [
    ("docker-proxy", "a container's published port"),
    ("rootlesskit", "a rootless container's published port"),
    ("rootlessport", "a rootless container's published port"),
    ("slirp4netns", "a rootless container's network"),
    ("pasta", "a rootless container's network"),
    ("pasta.avx2", "a rootless container's network"),
    ("passt", "a virtual machine's network"),
    ("gvproxy", "a virtual machine's network"),
    ("com.docker.backend", "a container's published port"),
    ("wslrelay", "a listener inside of WSL"),
];

fn relay(listener: &Listener) -> Option<(&Holder, &'static str)> {
    listener.holders.iter().find_map(|holder| {
        let name = holder.process.name.as_str()?;
        let name = name.strip_suffix(".exe").unwrap_or(name);
        let (_, what) = RELAYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some((holder, *what))
    })
}

/// The sockets of a port that want what is asked for, by what they are doing.
#[derive(Default)]
struct Sorted {
    listening: Vec<Listener>,
    bound: Vec<Listener>,
    connections: Vec<Listener>,
    time_wait: Vec<Listener>,
}

impl Sorted {
    fn of(asked: &Asked, sockets: &[Listener]) -> Sorted {
        let mut sorted = Sorted::default();
        for listener in sockets.iter().filter(|listener| asked.overlaps(&listener.socket)) {
            let place = match (listener.socket.state, listener.socket.protocol) {
                _ if listener.socket.is_listener() => &mut sorted.listening,
                (State::Bound, _) | (State::Closed, Protocol::Udp) => &mut sorted.bound,
                (State::TimeWait, _) => &mut sorted.time_wait,
                _ => &mut sorted.connections,
            };
            place.push(listener.clone());
        }
        sorted
    }

    /// What has the port without a peer, or else those with one.
    fn first(&self) -> (VerdictKind, Vec<Listener>) {
        let own = || self.listening.iter().chain(&self.bound).cloned().collect();
        match () {
            () if self.listening.iter().any(|listener| relay(listener).is_some()) => {
                (VerdictKind::Forwarded, own())
            }
            () if !self.listening.is_empty() => (VerdictKind::Listening, own()),
            () if !self.bound.is_empty() => (VerdictKind::Bound, own()),
            () if !self.connections.is_empty() => (VerdictKind::Connection, self.connections.clone()),
            () if !self.time_wait.is_empty() => (VerdictKind::TimeWait, self.time_wait.clone()),
            () => (VerdictKind::Unknown, Vec::new()),
        }
    }
}

/// Judges what was observed.
pub(crate) fn judge(seen: Observation) -> Verdict {
    let port = seen.asked.port;
    let sorted = Sorted::of(&seen.asked, &seen.sockets);
    let refused = seen.refusal(seen.decisive);
    let can_bind = match refused {
        None if !seen.was_tried() => None,
        Some(Refusal { kind: RefusalKind::Other | RefusalKind::NoFamily, .. }) => None,
        refused => Some(refused.is_none()),
    };
    let plain_in_use = seen.refusal(Options::Plain).is_some_and(|refusal| refusal.kind == RefusalKind::InUse);
    let reserved = seen.limits.reserved.iter().any(|range| range.contains(&port));
    let own = || sorted.listening.iter().chain(&sorted.bound).cloned().collect();
    let (kind, standing_in_the_way) = match refused.map(|refusal| refusal.kind) {
        None if can_bind.is_none() => (VerdictKind::Unknown, Vec::new()),
        None if plain_in_use && sorted.first().0 != VerdictKind::Unknown => sorted.first(),
        None if seen.answered.is_some() => (VerdictKind::Forwarded, Vec::new()),
        None if reserved => (VerdictKind::Reserved, Vec::new()),
        None => (VerdictKind::Free, Vec::new()),
        Some(RefusalKind::InUse) => match sorted.first() {
            (VerdictKind::Unknown, _) if seen.answered.is_some() => (VerdictKind::Forwarded, Vec::new()),
            first => first,
        },
        Some(RefusalKind::Denied) if seen.limits.unprivileged_from.is_some_and(|from| port < from) => {
            (VerdictKind::Privileged, own())
        }
        // Windows says so where another socket has it for itself alone.
        Some(RefusalKind::Denied) => sorted.first(),
        Some(RefusalKind::NotLocal) => (VerdictKind::AddressNotLocal, Vec::new()),
        Some(RefusalKind::NoFamily | RefusalKind::Other) => (VerdictKind::Unknown, Vec::new()),
    };
    let error = refused.map(|refusal| refusal.name.clone());
    let case = Case { seen: &seen, sorted: &sorted, kind, can_bind, refused, standing: &standing_in_the_way };
    let (reason, facts, advice) = (case.reason(), case.facts(), case.advice());
    let localhost = seen.localhost();
    let Observation { asked, clients, gaps, .. } = seen;
    Verdict {
        asked,
        kind,
        can_bind,
        error,
        reason,
        standing_in_the_way,
        localhost,
        facts,
        advice,
        clients,
        gaps,
    }
}

impl Observation {
    fn attempts(&self, options: Options) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(move |attempt| attempt.options == options)
    }

    /// Whether one of the attempts that decide says anything.
    fn was_tried(&self) -> bool {
        self.attempts(self.decisive).any(|attempt| !lacks_family(attempt))
    }

    /// Why the attempts with these options failed. A family that the machine does not have asks for nothing, as long as
    /// it has the other.
    fn refusal(&self, options: Options) -> Option<&Refusal> {
        let had = self.attempts(options).any(|attempt| !lacks_family(attempt));
        self.attempts(options)
            .filter(|attempt| !had || !lacks_family(attempt))
            .find_map(|attempt| attempt.refused.as_ref())
    }

    /// What a connection to 127.0.0.1 and to ::1 meets.
    fn localhost(&self) -> Localhost {
        let listeners = || self.sockets.iter().filter(|listener| listener.socket.is_listener());
        let reached = |address: IpAddr| {
            let target = Target::exactly(self.asked.protocol, address, self.asked.port);
            let answering = listeners()
                .enumerate()
                .filter_map(|(at, it)| Some((target.answered_by(&it.socket)?, at, it)));
            answering
                .max_by_key(|(rank, at, _)| (*rank, std::cmp::Reverse(*at)))
                .map(|(_, _, listener)| listener.clone())
        };
        Localhost { ipv4: reached(Ipv4Addr::LOCALHOST.into()), ipv6: reached(Ipv6Addr::LOCALHOST.into()) }
    }

    fn holder(&self, holder: &Holder) -> String {
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
    fn holders(&self, listener: &Listener) -> String {
        match (listener.holders.as_slice(), user(&listener.socket)) {
            ([only], _) => self.holder(only),
            ([first, rest @ ..], _) => match rest.len() {
                1 => format!("{} and 1 other", self.holder(first)),
                more => format!("{} and {more} others", self.holder(first)),
            },
            ([], _)
                if listener.unseen.as_ref().is_some_and(|unseen| unseen.reason == crate::Reason::Kernel) =>
            {
                "the kernel itself".to_owned()
            }
            ([], Some(user)) => format!("a process of user {user}"),
            ([], None) => "a process that could not be seen".to_owned(),
        }
    }
}

/// Whether an attempt failed because the machine does not have the family.
fn lacks_family(attempt: &Attempt) -> bool {
    attempt.refused.as_ref().is_some_and(|refusal| {
        refusal.kind == RefusalKind::NoFamily
            || (refusal.kind == RefusalKind::NotLocal && attempt.address.is_unspecified())
    })
}

fn user(socket: &Socket) -> Option<String> {
    let name = socket.user.as_ref().map(|user| user.to_string_lossy().into_owned());
    name.or_else(|| socket.uid.map(|uid| format!("with uid {uid}")))
}

fn endpoint(socket: &Socket) -> String {
    match socket.endpoint.address() {
        Some(address) => SocketAddr::new(address, socket.endpoint.port().unwrap_or_default()).to_string(),
        None => String::new(),
    }
}

fn service(listener: &Listener) -> Option<&Service> {
    let of_holder = || listener.holders.iter().find_map(|holder| holder.process.service.as_ref());
    listener.service.as_ref().or_else(of_holder)
}

fn container(listener: &Listener) -> Option<&Container> {
    let of_holder = || listener.holders.iter().find_map(|holder| holder.process.container.as_ref());
    listener.container.as_ref().or_else(of_holder)
}

fn container_name(container: &Container) -> String {
    match &container.name {
        Some(name) => name.to_string_lossy().into_owned(),
        None => container.id.to_string_lossy().chars().take(12).collect(),
    }
}

/// What stops a service, as one would type it. `None` for managers whose command is not known here.
pub(crate) fn stop_service(service: &Service) -> Option<Vec<String>> {
    let name = service.name.to_string_lossy().into_owned();
    if service.manager.as_bytes() != b"systemd" || name.is_empty() {
        return None;
    }
    let user = (service.scope.as_bytes() == b"user").then(|| "--user".to_owned());
    Some(["systemctl".to_owned()].into_iter().chain(user).chain(["stop".to_owned(), name]).collect())
}

/// What stops a container, as one would type it.
pub(crate) fn stop_container(container: &Container) -> Option<String> {
    match container.runtime.as_bytes() {
        b"docker" | b"podman" => {
            Some(format!("{} stop {}", container.runtime.to_string_lossy(), container_name(container)))
        }
        _ => None,
    }
}

/// A duration as people read it: `43 s`, `180 ms`.
fn spell(duration: Duration) -> String {
    match duration.as_millis() {
        short @ ..1000 => format!("{short} ms"),
        _ => format!("{} s", duration.as_secs()),
    }
}

/// One case on its way to words.
struct Case<'a> {
    seen: &'a Observation,
    sorted: &'a Sorted,
    kind: VerdictKind,
    can_bind: Option<bool>,
    refused: Option<&'a Refusal>,
    standing: &'a [Listener],
}

impl Case<'_> {
    /// The answer in one phrase, which can follow "it cannot be bound:".
    fn reason(&self) -> String {
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
            (VerdictKind::Forwarded, Some(listener)) => {
                let to = container(listener).map_or_else(String::new, |container| {
                    let port =
                        container.port.map_or_else(String::new, |port| format!(", port {port} inside"));
                    format!(" to container {}{port}", container_name(container))
                });
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

    fn facts(&self) -> Vec<String> {
        let seen = self.seen;
        let mut facts = vec![self.attempted()];
        for listener in self.standing.iter().take(16) {
            facts.extend(self.conflict(listener));
        }
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
        if self.kind == VerdictKind::Privileged
            && let Some(listener) = self.standing.first()
        {
            facts.push(format!("besides, it is taken: {} has it", seen.holders(listener)));
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
            (VerdictKind::TimeWait, _) => return None,
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

    /// The range the system gives ports from, where this one lies in it and that matters.
    fn automatic(&self) -> Option<&RangeInclusive<u16>> {
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
            None => "nobody".to_owned(),
        };
        Some(format!(
            "localhost reaches {} over IPv4, and {} over IPv6",
            one(&reached.ipv4),
            one(&reached.ipv6)
        ))
    }

    fn clients(&self) -> Option<String> {
        let clients = &self.seen.clients;
        if clients.is_empty() {
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

    fn advice(&self) -> Vec<String> {
        let seen = self.seen;
        let (port, protocol) = (seen.asked.port, seen.asked.protocol);
        let target = match protocol {
            Protocol::Udp => format!("udp/{port}"),
            _ => port.to_string(),
        };
        let linux = seen.os == "linux";
        match self.kind {
            VerdictKind::Free | VerdictKind::Reserved => Vec::new(),
            VerdictKind::Forwarded if self.standing.is_empty() => {
                let mut advice = vec![
                    "a server that binds here may never see a connection: look for published container ports and for \
                     NAT rules"
                        .to_owned(),
                ];
                if linux {
                    advice.push("docker ps; sudo nft list ruleset; sudo iptables -t nat -S".to_owned());
                }
                advice
            }
            VerdictKind::Listening | VerdictKind::Forwarded | VerdictKind::Bound => self.end(&target),
            VerdictKind::TimeWait | VerdictKind::Connection => {
                let mut advice = Vec::new();
                if self.can_bind == Some(true) {
                    advice.push("set SO_REUSEADDR before bind, as servers do".to_owned());
                }
                if self.kind == VerdictKind::TimeWait {
                    let left =
                        seen.time_wait_left.map_or_else(String::new, |left| format!(" ({})", spell(left)));
                    let or = if advice.is_empty() { "" } else { "or " };
                    advice.push(format!("{or}wait until it is over{left}: allears wait --free {target}"));
                } else {
                    advice.push(format!(
                        "end the connection at either side, or wait for its end: allears wait --free {target}"
                    ));
                }
                if linux && self.automatic().is_some() {
                    advice.push(format!(
                        "keep outgoing connections off it: sudo sysctl -w net.ipv4.ip_local_reserved_ports={}",
                        self.reserved_with(port)
                    ));
                }
                advice
            }
            VerdictKind::Privileged if linux => vec![
                "give the program the right: sudo setcap cap_net_bind_service=+ep PROGRAM".to_owned(),
                format!("or let systemd bind it and hand it over: ListenStream={port} in a .socket unit"),
                format!(
                    "or move the machine's limit: sudo sysctl -w net.ipv4.ip_unprivileged_port_start={port}"
                ),
                "or take a port above, and let a proxy or a firewall pass connections on".to_owned(),
            ],
            VerdictKind::Privileged => {
                vec!["bind it as root, or take a port above 1023".to_owned()]
            }
            VerdictKind::AddressNotLocal => {
                vec![
                    "ask for one of this machine's own addresses, or for the wildcard 0.0.0.0 or ::"
                        .to_owned(),
                ]
            }
            VerdictKind::Unknown => self.unknown(&target),
        }
    }

    /// How to end what has the port.
    fn end(&self, target: &str) -> Vec<String> {
        let mut advice: Vec<String> = Vec::new();
        let mut add = |line: String| {
            if !advice.contains(&line) {
                advice.push(line);
            }
        };
        let mut sudo = "";
        for listener in self.standing {
            if let Some(stop) = container(listener).and_then(stop_container) {
                add(format!("{stop} stops the container"));
            }
            if let Some(stop) = service(listener).and_then(stop_service) {
                add(format!("{} stops the service, which may start again after a signal", stop.join(" ")));
            }
            let foreign = listener.holders.iter().any(|holder| holder.process.uid != self.seen.uid);
            if (foreign || listener.unseen.is_some()) && self.seen.uid.is_some_and(|uid| uid != 0) {
                sudo = "sudo ";
            }
        }
        add(format!("{sudo}allears free {target} ends it, after asking, and proves that the port is free"));
        if self.kind == VerdictKind::Bound {
            add(format!("it may be about to listen: allears wait {target} tells when it does"));
        }
        advice
    }

    /// The value that reserves this port besides those that are reserved.
    fn reserved_with(&self, port: u16) -> String {
        let known = self.seen.limits.reserved.iter().map(|range| match range.start() == range.end() {
            true => range.start().to_string(),
            false => format!("{}-{}", range.start(), range.end()),
        });
        known.chain([port.to_string()]).collect::<Vec<_>>().join(",")
    }

    fn unknown(&self, target: &str) -> Vec<String> {
        match (self.refused.map(|refusal| refusal.kind), self.seen.os) {
            (Some(RefusalKind::InUse), "linux") => vec![
                "look for a program that was started with this port: a socket that is bound and does not listen is \
                 not always shown"
                    .to_owned(),
                format!("allears wait --free {target} tells when it is free"),
            ],
            (Some(RefusalKind::Denied), "windows") => vec![
                "Windows keeps ranges of ports back for Hyper-V and WinNAT: netsh interface ipv4 show \
                 excludedportrange protocol=tcp"
                    .to_owned(),
            ],
            (Some(RefusalKind::Denied), "linux") => vec![
                "a security policy may forbid it: SELinux, AppArmor, Landlock, or a BPF program of the cgroup"
                    .to_owned(),
            ],
            _ => Vec::new(),
        }
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

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
