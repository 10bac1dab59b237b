//! What a verdict rests on, a sentence each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Suspect;
use super::phrases::{endpoint, place, spell, user};
use super::reason::forwarded;
use super::{ByState, Hindrance, Observation, Orphan, Past, SharedBy, VerdictKind, Who};
use crate::bind_attempt::{BindOptions, Refusal, RefusalKind};
use crate::management::suspension;
use crate::model::{Connection, Listener, Outcome, Protocol, State, Text, Unseen};
use crate::os::{Excluded, Local, Timer};
use crate::port_sharing::{Decided, Sharing};
use crate::unseen;

/// How long Linux keeps a connection in TIME_WAIT (TCP_TIMEWAIT_LEN in net/tcp.h).
const TIME_WAIT: Duration = Duration::from_secs(60);

/// One case on its way to words.
pub(super) struct Explanation<'a> {
    pub(super) seen: &'a Observation,
    pub(super) sorted: &'a ByState,
    pub(super) kind: VerdictKind,
    pub(super) can_bind: Option<bool>,
    pub(super) refused: Option<&'a Refusal>,
    pub(super) hindrance: Option<&'a Hindrance>,
    pub(super) standing: &'a [Listener],
}

impl Explanation<'_> {
    pub(super) fn facts(&self) -> Vec<String> {
        let seen = self.seen;
        let mut facts = vec![self.attempted()];
        for fact in self.standing.iter().take(16).filter_map(|listener| self.conflict(listener)) {
            // Listeners that share a port differ in nothing that a person sees.
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        facts.extend(self.conditions().into_iter().map(|(fact, _)| fact));
        facts.extend(self.served());
        facts.extend(self.orphaned());
        facts.extend(self.shared());
        facts.extend(self.shares());
        facts.extend(self.joined());
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
        if self.kind == VerdictKind::Connection
            && self.can_bind == Some(false)
            && self.seen.decisive == BindOptions::ReuseAddress
        {
            facts.push(
                "not even SO_REUSEADDR helps: the kernel lets a server pass beside a connection only if the socket of \
                 that one set it too, before it was bound"
                    .to_owned(),
            );
        }
        facts.extend(self.policies());
        if matches!(
            self.hindrance,
            Some(Hindrance::Privileged { .. } | Hindrance::Excluded { .. } | Hindrance::Policy { .. })
        ) && let Some(listener) = self.standing.first()
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
            facts.push(forwarded(listener, "connections from other machines"));
        }
        facts.extend(self.reached());
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
        for attempt in self.seen.attempts(self.seen.decisive).filter(|attempt| !attempt.lacks_family()) {
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
            BindOptions::ReuseAddress => " with SO_REUSEADDR",
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
            (_, State::Bound) if socket.protocol.is_datagram() => "receives on",
            (_, State::Bound) => match self.seen.past(socket) {
                Some(Past::OnlyBound) => "has bound, and never listened on,",
                _ => "has bound, and does not listen on,",
            },
            _ => "has a connection on",
        };
        let who = match listener.holders.is_empty() && listener.unseen.is_none() {
            true => "nobody any more".to_owned(),
            false => self.seen.holders(listener),
        };
        let evidence = unseen::of(listener).and_then(Unseen::evidence);
        let evidence = evidence.map_or_else(String::new, |evidence| format!("; {evidence}"));
        Some(format!("{who} {what} {}: {why}{evidence}", endpoint(socket)))
    }

    /// Which holders do not run, and what helps, a sentence each.
    pub(super) fn conditions(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        let listens = |listener: &Listener| listener.socket.state == State::Listen;
        for listener in self.standing.iter().take(16) {
            for holder in &listener.holders {
                let process = &holder.process;
                let Some((condition, remedy)) = process.condition.as_ref().zip(suspension::helps(process))
                else {
                    continue;
                };
                let nobody = listener.unseen.is_none()
                    && listener.holders.iter().all(|holder| holder.process.condition.is_some());
                let then = match listens(listener) && nobody {
                    true => "; the kernel completes connections, and nobody answers them",
                    false => "",
                };
                let (holder, phrase) = (self.seen.holder(holder), condition.phrase(process));
                let fact = format!("{holder} is {phrase}{then}");
                if !found.iter().any(|(known, _)| *known == fact) && found.len() < 8 {
                    let pid = process.id.pid;
                    let advice = format!(
                        "pid {pid} is {}: {}; {}",
                        condition.as_str(),
                        remedy.phrase(),
                        condition.signals()
                    );
                    found.push((fact, advice));
                }
            }
        }
        found
    }

    /// Whether the listeners may be joined by SO_REUSEPORT.
    fn shares(&self) -> Option<String> {
        let listeners = &self.sorted.listening;
        let first = listeners.first()?;
        if self.seen.asked.protocol != Protocol::Tcp
            || self.seen.attempts(BindOptions::ReusePort).next().is_none()
            || self.kind == VerdictKind::Privileged
        {
            return None;
        }
        let owner = user(&first.socket)?;
        let group = listeners.iter().filter(|listener| listener.socket.endpoint == first.socket.endpoint);
        match (self.seen.refusal(BindOptions::ReusePort), group.count()) {
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

    /// What is known of the policies that may have refused the bind.
    fn policies(&self) -> Vec<String> {
        let Some(policies) = &self.seen.policies else { return Vec::new() };
        if !matches!(self.hindrance, Some(Hindrance::Policy { .. })) {
            return Vec::new();
        }
        let mut facts = Vec::new();
        if let Some(from) = self.seen.limits.unprivileged_from {
            facts.push(match self.seen.asked.port < from {
                true => format!(
                    "ports below {from} need a privilege, which this process has: that is not the reason"
                ),
                false => format!("ports from {from} on need no privilege: that is not the reason"),
            });
        }
        let list = |modules: &Vec<Text>| {
            let names: Vec<_> = modules.iter().map(Text::to_string_lossy).collect();
            names.join(", ")
        };
        facts.push(match &policies.modules {
            Some(modules) => format!("the security modules that are active here: {}", list(modules)),
            None => "which security modules are active here could not be read (/sys/kernel/security/lsm)"
                .to_owned(),
        });
        if let Some(confinement) = &policies.confinement {
            facts.push(format!("this process is confined by {}", confinement.to_string_lossy()));
        }
        let suspects = match self.hindrance {
            Some(Hindrance::Policy { suspects }) => suspects.as_slice(),
            _ => &[],
        };
        if suspects.contains(&Suspect::Landlock) {
            let flag = match policies.no_new_privileges {
                Some(true) => "; no_new_privs is set, as a sandbox of an unprivileged process needs",
                Some(false) => {
                    "; no_new_privs is not set, so only a privileged process can have made a sandbox"
                }
                None => "",
            };
            facts.push(format!(
                "Landlock answers a forbidden bind of TCP with EACCES, and the kernel does not tell whether a process \
                 is in its sandbox{flag}"
            ));
        }
        facts.push(match policies.bind_programs {
            Some(0) => "no BPF program of this cgroup, or of one above it, decides about binds".to_owned(),
            Some(count) => format!(
                "BPF programs of this cgroup, or of those above it, decide about binds: {count} are attached"
            ),
            None => {
                "whether BPF programs of the cgroup decide about binds may only be read with CAP_NET_ADMIN"
                    .to_owned()
            }
        });
        if policies.seccomp == Some(true) {
            facts.push("a seccomp filter applies to this process".to_owned());
        }
        facts
    }

    /// Which addresses of this machine are forwarded, by connections to them.
    fn reached(&self) -> Option<String> {
        let reached = &self.seen.reached;
        let list = |wanted: bool| {
            let wanted = reached.iter().filter(|(_, met)| (*met == Outcome::Accepts) == wanted);
            wanted.map(|(address, _)| address.to_string()).collect::<Vec<_>>().join(", ")
        };
        let (answered, others) = (list(true), list(false));
        if self.kind != VerdictKind::Forwarded || answered.is_empty() {
            return None;
        }
        let but = if others.is_empty() { String::new() } else { format!(", one to {others} is not") };
        Some(format!("a connection to {answered} is answered{but}"))
    }

    fn plain_differs(&self) -> bool {
        self.seen.decisive != BindOptions::Plain && self.seen.refusal(BindOptions::Plain).is_some()
    }

    /// The range that Windows keeps back and this port is in.
    pub(super) fn excluded(&self) -> Option<&Excluded> {
        self.seen.limits.excluded.iter().find(|range| range.ports.contains(&self.seen.asked.port))
    }

    /// The range the system gives ports from, where this one lies in it and that matters.
    pub(super) fn automatic(&self) -> Option<&RangeInclusive<u16>> {
        let matters = self.kind == VerdictKind::Connection;
        self.seen.limits.ephemeral.as_ref().filter(|range| matters && range.contains(&self.seen.asked.port))
    }

    fn nearest(&self) -> Option<String> {
        let asked = self.seen.asked.address.filter(|_| self.hindrance == Some(&Hindrance::NotLocal))?;
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
        let one = |address: IpAddr| match self.seen.who_answers(address) {
            Some(Who::One(listener, decided)) => {
                let last = match (decided, self.seen.asked.protocol) {
                    (Decided::ByAddress, _) => "",
                    (Decided::First, _) => {
                        ", the first of those with that address, which is preferred because one of them is bound to an \
                         interface"
                    }
                    // A new one with SO_REUSEPORT is not preferred over IPv6.
                    (Decided::Last, Protocol::Udp) if address.is_ipv6() => {
                        ", which the kernel lists first and which gets every datagram"
                    }
                    (Decided::Last, Protocol::Udp) => ", the last one bound, which gets every datagram",
                    (Decided::Last, _) => {
                        ", the last of those with that address, which is preferred because one of them is bound to an \
                         interface"
                    }
                };
                format!("{} on {}{last}", self.seen.holders(listener), place(&listener.socket))
            }
            Some(Who::Shared(by, listeners)) => {
                let how = match by {
                    SharedBy::Spread => "the kernel spreads what comes over these",
                    SharedBy::Unknown => "which one is not known",
                };
                format!("one of {} ({how})", self.each(&listeners))
            }
            None => "nothing".to_owned(),
        };
        let (ipv4, ipv6) = (one(Ipv4Addr::LOCALHOST.into()), one(Ipv6Addr::LOCALHOST.into()));
        Some(match ipv4 == ipv6 {
            true => format!("localhost reaches {ipv4}, over IPv4 and over IPv6"),
            false => format!("localhost reaches {ipv4}, over IPv4, and {ipv6} over IPv6"),
        })
    }

    /// Sockets with their holders, `python3 (pid 7) on 0.0.0.0:80`, the first few of them.
    fn each(&self, listeners: &[&Listener]) -> String {
        const MOST: usize = 4;
        let named =
            |listener: &&Listener| format!("{} on {}", self.seen.holders(listener), place(&listener.socket));
        let mut list: Vec<String> = listeners.iter().take(MOST).map(named).collect();
        if listeners.len() > MOST {
            list.push(format!("{} more", listeners.len() - MOST));
        }
        match list.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => list.concat(),
        }
    }

    /// What several sockets of one address mean for peers.
    fn shared(&self) -> Vec<String> {
        let mut facts = Vec::new();
        let mut known: Vec<&Listener> = Vec::new();
        for first in &self.sorted.listening {
            let alike = |other: &&Listener| {
                other.socket.endpoint == first.socket.endpoint
                    && other.socket.dual_stack == first.socket.dual_stack
            };
            if first.socket.state == State::Forwarded || known.iter().any(&alike) {
                continue;
            }
            known.push(first);
            let group: Vec<&Listener> = self.sorted.listening.iter().filter(alike).collect();
            if group.len() < 2 || self.seen.os != "linux" {
                continue;
            }
            let (count, at) = (group.len(), place(&first.socket));
            let is_udp = self.seen.asked.protocol == Protocol::Udp;
            facts.push(match (is_udp, self.seen.sharing()) {
                (false, _) => format!(
                    "{count} listeners share {at} by SO_REUSEPORT, and the kernel spreads connections over them: by a hash \
                     of addresses and ports, or as a program that they attached decides"
                ),
                (true, Sharing::ReusePort) => format!(
                    "{count} sockets share {at} by SO_REUSEPORT, and the kernel spreads datagrams over them: by a hash of \
                     addresses and ports, or as a program that they attached decides"
                ),
                (true, Sharing::ReuseAddress) => {
                    let unless = match count > 2 || first.socket.family() == crate::model::Family::Ipv6 {
                        true => ", as far as none of them set SO_REUSEPORT as well",
                        false => "",
                    };
                    format!(
                        "{count} sockets share {at} by SO_REUSEADDR: the last one bound gets every datagram that is sent to \
                         this machine alone{unless}; multicast reaches each of its members"
                    )
                }
                (true, Sharing::Unknown) => format!(
                    "{count} sockets share {at}: by SO_REUSEADDR, where the last one bound gets every datagram, or by \
                     SO_REUSEPORT, where they are spread; which of the two could not be tested"
                ),
            });
        }
        facts
    }

    /// The connections that stand in the way and that no process holds any more, on their way to the first few sentences.
    fn orphaned(&self) -> Vec<String> {
        let orphans = self.orphans();
        let Some(first) = orphans.first() else { return Vec::new() };
        let mut facts: Vec<String> = Vec::new();
        let left = |wanted: &[Timer]| {
            let timers = orphans.iter().filter(|orphan| orphan.state == first.state);
            let timers = timers.filter_map(|orphan| orphan.timer.filter(|(timer, _)| wanted.contains(timer)));
            timers.map(|(_, left)| left).max()
        };
        let again = || match left(&[Timer::Retransmission, Timer::Probe]) {
            Some(left) => format!("it tries again in {}, and", spell(left)),
            None => "it".to_owned(),
        };
        let is_unsent = matches!(first.timer, Some((Timer::Probe, _)));
        facts.push(match first.state {
            State::FinWait2 => {
                let limit = self.seen.fin_timeout.map_or_else(String::new, |limit| {
                    format!(" (net.ipv4.tcp_fin_timeout is {})", spell(limit))
                });
                // A limit above the length of TIME_WAIT is kept in two parts, of which the second is that length.
                let left = match (left(&[Timer::End]), left(&[Timer::KeepAlive])) {
                    (_, Some(left)) => Some(left + TIME_WAIT),
                    (left, None) => left,
                };
                let left = left.map_or_else(String::new, |left| format!(", for up to {} more", spell(left)));
                format!("its process closed it, and the kernel waits for the other end to close it too{left}{limit}")
            }
            State::FinWait1 if is_unsent => format!(
                "its process closed it, and the end is not sent yet: the other end takes no data, or nothing gets through; {} the \
                 kernel gives up after some minutes (net.ipv4.tcp_orphan_retries)",
                match left(&[Timer::Probe]) {
                    Some(left) => format!("it asks again in {}, and", spell(left)),
                    None => "in the end".to_owned(),
                }
            ),
            State::FinWait1 => format!(
                "its process closed it, and the kernel waits for the other end to acknowledge that; {} gives up after some \
                 minutes (net.ipv4.tcp_orphan_retries)",
                again()
            ),
            State::Closing => format!(
                "both ends closed it at once, and the kernel waits for the last acknowledgement; {} gives up after some \
                 minutes (net.ipv4.tcp_orphan_retries)",
                again()
            ),
            State::LastAck => format!(
                "both ends closed it, and the kernel waits for the last acknowledgement; {} gives up after some minutes \
                 (net.ipv4.tcp_orphan_retries)",
                again()
            ),
            _ => "the other end closed it, and no process has accepted it".to_owned(),
        });
        facts.push(self.other_ends(&orphans));
        if matches!(first.state, State::FinWait1 | State::FinWait2 | State::Closing) {
            facts.push(format!(
                "up to {} of TIME_WAIT may follow when the other end closes it",
                spell(TIME_WAIT)
            ));
        }
        facts
    }

    /// Those of the connections without a process that stand in the way.
    pub(super) fn orphans(&self) -> Vec<&Orphan> {
        let stands = |orphan: &&Orphan| {
            let is = |one: &Listener| {
                one.socket.peer == Some(orphan.peer)
                    && one.socket.endpoint.address() == Some(orphan.local.ip())
                    && one.socket.endpoint.port() == Some(orphan.local.port())
            };
            self.standing.iter().any(is)
        };
        match self.kind {
            VerdictKind::Connection => self.seen.orphans.iter().filter(stands).collect(),
            _ => Vec::new(),
        }
    }

    /// Who has the other ends of connections.
    fn other_ends(&self, orphans: &[&Orphan]) -> String {
        const MOST: usize = 4;
        let mut ends: Vec<String> = Vec::new();
        for orphan in orphans {
            let end = match &orphan.far {
                Some(far) => {
                    let elsewhere = far.socket.namespace.as_ref().map_or_else(String::new, |name| {
                        format!(" in network namespace {}", name.to_string_lossy())
                    });
                    format!(
                        "{}{elsewhere} at {} ({})",
                        self.seen.holders(far),
                        orphan.peer,
                        far.socket.state.as_str()
                    )
                }
                None if self.is_own(orphan.peer.ip()) => {
                    format!("nobody that could be seen at {}, on this machine", orphan.peer)
                }
                None => format!("{}, on another machine or in another network namespace", orphan.peer),
            };
            if !ends.contains(&end) {
                ends.push(end);
            }
        }
        let rest = ends.split_off(ends.len().min(MOST));
        let more = if rest.is_empty() { String::new() } else { format!("; and {} more", rest.len()) };
        let what = if orphans.len() == 1 { "the other end is" } else { "the other ends are" };
        format!("{what} {}{more}", ends.join("; "))
    }

    fn is_own(&self, address: IpAddr) -> bool {
        let local = self.seen.local.iter().flatten();
        let address = address.to_canonical();
        address.is_loopback() || local.into_iter().any(|local| local.address == address)
    }

    /// Who may join a UDP port that is in use.
    fn joined(&self) -> Vec<String> {
        let standing =
            matches!(self.kind, VerdictKind::Listening | VerdictKind::Connection | VerdictKind::Bound);
        let Some(joining) = self.seen.joining.filter(|_| standing && self.can_bind == Some(false)) else {
            return Vec::new();
        };
        let owners: Vec<String> = {
            let mut owners: Vec<String> = self.standing.iter().filter_map(|one| user(&one.socket)).collect();
            owners.sort_unstable();
            owners.dedup();
            owners
        };
        let owner = match owners.as_slice() {
            [only] => format!("of user {only}"),
            _ => "of the same user".to_owned(),
        };
        let mut facts = Vec::new();
        match joining.reuse_address {
            Some(true) => facts.push(
                "a socket of any user that sets SO_REUSEADDR may join (tested with a bind that takes no datagram); the \
                 last one bound then gets what is sent to one address, and multicast reaches every member"
                    .to_owned(),
            ),
            Some(false) => facts.push("SO_REUSEADDR does not help: what has the port did not set it".to_owned()),
            None => {}
        }
        match joining.reuse_port {
            Some(true) => facts.push(format!(
                "a socket {owner} that sets SO_REUSEPORT may join (tested with a bind that takes no datagram); datagrams \
                 are then spread"
            )),
            Some(false) => facts.push("SO_REUSEPORT does not help: what has the port did not set it".to_owned()),
            None => facts.push(format!(
                "whether SO_REUSEPORT is set there could not be tested; by that one only sockets {owner} could join"
            )),
        }
        facts
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
