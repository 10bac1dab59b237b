//! Sentences for facts of a verdict.

use std::net::{IpAddr, SocketAddr};

use super::reason::forwarded;
use crate::bind_attempt::Overlap;
use crate::model::{Connection, Family, Listener, Process, Protocol, Socket, State, Text};
use crate::render::escape::escape;
use crate::render::phrases;
use crate::verdict::{
    BindResult, BoundHistory, Fact, HttpServer, LocalhostAnswer, OrphanedConnection, OtherEnd, PortUsage,
    Preference, ShareOption, SharedBy,
};

/// The most names in one sentence.
const MOST: usize = 4;

/// Returns a fact as a sentence.
pub(super) fn fact(fact: &Fact) -> String {
    match fact {
        Fact::BindAttempts { reuse_address, results } => bind_attempts(*reuse_address, results),
        Fact::Conflict { listener, usage, overlap } => conflict(listener, *usage, *overlap),
        Fact::Suspended { process, unanswered } => suspended(process, *unanswered),
        Fact::HttpSys { urls, servers } => {
            let servers: Vec<String> = servers.iter().map(http_server).collect();
            let by = if servers.is_empty() { "no running program".to_owned() } else { servers.join(" and ") };
            format!("HTTP.sys answers there for {by}: {}", phrases::list(urls, MOST, escape))
        }
        Fact::OrphanedConnection(connection) => orphaned(connection),
        Fact::OtherEnds { connections, ends } => other_ends(*connections, ends),
        Fact::TimeWaitMayFollow { up_to } => format!(
            "up to {} of TIME_WAIT may follow when the other end closes it",
            phrases::whole_seconds(*up_to)
        ),
        Fact::SharedAddress { socket, count, option } => shared_address(socket, *count, *option),
        Fact::MayJoinListeners => {
            "its listeners allow SO_REUSEPORT: a server of this user that sets it too may join them".to_owned()
        }
        Fact::OnlyUserMayJoin { socket, count: 2.. } => format!(
            "its listeners share the port by SO_REUSEPORT, and only sockets of {} may join them",
            user_of(socket)
        ),
        Fact::OnlyUserMayJoin { socket, .. } => format!(
            "SO_REUSEPORT does not help: only sockets of {} could join its listener, if it allows that",
            user_of(socket)
        ),
        Fact::UdpMayJoin { option, allowed, user_of } => udp_may_join(*option, *allowed, user_of.as_deref()),
        Fact::ReuseAddressHelps => {
            "with SO_REUSEADDR, which servers set, the bind succeeds; without it, the bind fails".to_owned()
        }
        Fact::ReuseAddressDoesNotHelp { connection: false } => {
            "not even SO_REUSEADDR helps: the socket before did not set it".to_owned()
        }
        Fact::ReuseAddressDoesNotHelp { connection: true } => {
            "not even SO_REUSEADDR helps: the kernel lets a server bind beside a connection only if the connection's \
             socket set it too, before it was bound"
                .to_owned()
        }
        Fact::PrivilegeIsNotTheReason { from, privileged: true } => format!(
            "ports below {from} need a privilege, which this process has: that is not the reason"
        ),
        Fact::PrivilegeIsNotTheReason { from, privileged: false } => {
            format!("ports from {from} on need no privilege: that is not the reason")
        }
        Fact::SecurityModules(Some(modules)) => {
            format!("active security modules: {}", phrases::list(modules, usize::MAX, |it| escape(&Text::from_display(it))))
        }
        Fact::SecurityModules(None) => {
            "the active security modules could not be read (/sys/kernel/security/lsm)".to_owned()
        }
        Fact::Confinement(confinement) => {
            format!("this process is confined by {}", escape(&Text::from_display(confinement)))
        },
        Fact::LandlockMayDeny { no_new_privileges } => {
            let flag = match no_new_privileges {
                Some(true) => "; no_new_privs is set, which a sandbox of an unprivileged process needs",
                Some(false) => {
                    "; no_new_privs is not set, so only a privileged process can have made a sandbox"
                }
                None => "",
            };
            format!(
                "Landlock answers a forbidden bind of TCP with EACCES, and the kernel does not report whether a process is \
                 in its sandbox{flag}"
            )
        }
        Fact::BindPrograms(Some(0)) => {
            "no BPF program of this cgroup, or of one above it, decides about binds".to_owned()
        }
        Fact::BindPrograms(Some(count)) => format!(
            "BPF programs of this cgroup, or of those above it, decide about binds: {count} are attached"
        ),
        Fact::BindPrograms(None) => {
            "reading whether BPF programs of the cgroup decide about binds needs CAP_NET_ADMIN".to_owned()
        }
        Fact::SeccompFilter => "a seccomp filter applies to this process".to_owned(),
        Fact::AlsoInUse(listener) => {
            format!("it is also in use: {} has it", phrases::holders(listener))
        }
        Fact::ExclusiveUse => {
            "the error is EACCES and not EADDRINUSE, which usually means that the socket that has the port keeps it for \
             itself alone (SO_EXCLUSIVEADDRUSE)"
                .to_owned()
        }
        Fact::Ephemeral { port, range } => format!(
            "{port} is an ephemeral port: this machine gives ports {}-{} to outgoing connections",
            range.start(),
            range.end()
        ),
        Fact::LocallyReserved => {
            "net.ipv4.ip_local_reserved_ports keeps it out of automatic assignment; a program may still ask for it by \
             number"
                .to_owned()
        }
        Fact::ForwardedFromOutside(listener) => forwarded(listener, "connections from other machines"),
        Fact::Answered { answered, others } => {
            let list = |addresses: &[SocketAddr]| phrases::list(addresses, usize::MAX, SocketAddr::to_string);
            let but = match others.is_empty() {
                true => String::new(),
                false => format!(", one to {} is not", list(others)),
            };
            format!("a connection to {} is answered{but}", list(answered))
        }
        Fact::NearestAddresses { family, addresses } => {
            let family = if *family == Family::Ipv4 { "IPv4" } else { "IPv6" };
            let named = phrases::list(addresses, usize::MAX, |(address, interface)| {
                format!("{address} ({})", escape(interface))
            });
            match named.is_empty() {
                true => format!("this machine has no {family} address"),
                false => format!("the nearest addresses that it has are {named}"),
            }
        }
        Fact::NotInTheWay(listener) => format!(
            "{} listens on {}, which is not in the way",
            phrases::holders(listener),
            phrases::endpoint(&listener.socket)
        ),
        Fact::Localhost { ipv4, ipv6 } => {
            let (ipv4, ipv6) = (localhost(ipv4), localhost(ipv6));
            match ipv4 == ipv6 {
                true => format!("localhost reaches {ipv4}, over IPv4 and over IPv6"),
                false => format!("localhost reaches {ipv4}, over IPv4, and {ipv6} over IPv6"),
            }
        }
        Fact::Clients(connections) => {
            format!("connected as clients, and not in the way: {}", phrases::list(connections, MOST, client))
        }
        Fact::OtherProtocol { target, listener } => format!(
            "{}/{} is in use too, by {}; that does not matter for {}",
            listener.socket.protocol.as_str(),
            target.port,
            phrases::holders(listener),
            target.protocol.as_str()
        ),
    }
}

fn bind_attempts(reuse_address: bool, results: &[BindResult]) -> String {
    let address = |(address, v6only): &(IpAddr, bool)| match (address, v6only) {
        (IpAddr::V6(any), true) if any.is_unspecified() => ":: for IPv6 alone".to_owned(),
        (IpAddr::V6(any), false) if any.is_unspecified() => ":: for both families".to_owned(),
        (address, _) => address.to_string(),
    };
    let how = if reuse_address { " with SO_REUSEADDR" } else { "" };
    let result = |result: &BindResult| {
        let addresses = phrases::list(&result.addresses, usize::MAX, address);
        match &result.error {
            None => format!("a bind{how} to {addresses} succeeds"),
            Some(name) => format!("a bind{how} to {addresses} fails with {name}"),
        }
    };
    match results {
        [] => "no bind could be attempted".to_owned(),
        results => results.iter().map(result).collect::<Vec<_>>().join("; "),
    }
}

fn conflict(listener: &Listener, usage: PortUsage, overlap: Overlap) -> String {
    let usage = match usage {
        PortUsage::Listens => "listens on",
        PortUsage::Receives => "receives on",
        PortUsage::Bound(Some(BoundHistory::OnlyBound)) => "has bound, and never listened on,",
        PortUsage::Bound(_) => "has bound, and does not listen on,",
        PortUsage::Connected => "has a connection on",
    };
    let holders = match listener.holders.is_empty() && listener.unseen.is_none() {
        true => "no process any more".to_owned(),
        false => phrases::holders(listener),
    };
    let overlap = match overlap {
        Overlap::Same => "that is the requested address",
        Overlap::DualStack => "it is dual-stack: it takes the port for IPv4 too",
        Overlap::TheirWildcard => "that wildcard includes the requested address",
        Overlap::AskedWildcard => "the requested wildcard includes that address",
    };
    let evidence = listener.unseen_alone().and_then(phrases::unseen_evidence);
    let evidence = evidence.map_or_else(String::new, |evidence| format!("; {evidence}"));
    format!("{holders} {usage} {}: {overlap}{evidence}", phrases::endpoint(&listener.socket))
}

fn suspended(process: &Process, unanswered: bool) -> String {
    let is = process
        .condition
        .as_ref()
        .map_or_else(String::new, |condition| format!(" is {}", phrases::condition(condition, process)));
    let then = if unanswered { "; the kernel completes connections, and nobody answers them" } else { "" };
    format!("{}{is}{then}", phrases::process(process))
}

/// Returns a server of HTTP.sys: `w3wp.exe (pid 4012)`, and the services that run in it.
pub(super) fn http_server(server: &HttpServer) -> String {
    let name = match &server.name {
        Some(name) => phrases::name_and_pid(name, server.pid),
        None => format!("pid {}", server.pid),
    };
    match server.services.as_slice() {
        [] => name,
        [only] => format!("{name}, the service {}", escape(only)),
        several => format!("{name}, one of the services {}", phrases::list(several, MOST, escape)),
    }
}

fn orphaned(connection: &OrphanedConnection) -> String {
    let retries = |verb: &str| match connection.left {
        Some(left) => format!("it {verb} in {}, and gives up", phrases::whole_seconds(left)),
        None => "it gives up".to_owned(),
    };
    let after = "after some minutes (net.ipv4.tcp_orphan_retries)";
    match connection.state {
        State::FinWait2 => {
            let left = connection.left.map_or_else(String::new, |left| {
                format!(", for up to {} more", phrases::whole_seconds(left))
            });
            let limit = connection.limit.map_or_else(String::new, |limit| {
                format!(" (net.ipv4.tcp_fin_timeout is {})", phrases::whole_seconds(limit))
            });
            format!(
                "its process closed it, and the kernel waits for the other end to close it too{left}{limit}"
            )
        }
        State::FinWait1 if connection.unsent => format!(
            "its process closed it, and the end is not sent yet: the other end takes no data, or nothing gets through; the \
             kernel keeps asking: {} {after}",
            retries("asks again")
        ),
        State::FinWait1 => format!(
            "its process closed it, and the kernel waits for the other end to acknowledge that; {} {after}",
            retries("tries again")
        ),
        State::Closing => format!(
            "both ends closed it at once, and the kernel waits for the last acknowledgement; {} {after}",
            retries("tries again")
        ),
        State::LastAck => format!(
            "both ends closed it, and the kernel waits for the last acknowledgement; {} {after}",
            retries("tries again")
        ),
        _ => "the other end closed it, and no process has accepted it".to_owned(),
    }
}

fn other_ends(connections: usize, ends: &[OtherEnd]) -> String {
    let mut sentences: Vec<String> = Vec::new();
    for end in ends.iter().map(other_end) {
        if !sentences.contains(&end) {
            sentences.push(end);
        }
    }
    let rest = sentences.split_off(sentences.len().min(MOST));
    let more = if rest.is_empty() { String::new() } else { format!("; and {} more", rest.len()) };
    let what = if connections == 1 { "the other end is" } else { "the other ends are" };
    format!("{what} {}{more}", sentences.join("; "))
}

fn other_end(end: &OtherEnd) -> String {
    match &end.listener {
        Some(listener) => {
            let namespace = listener.socket.namespace.as_ref();
            let namespace =
                namespace.map_or_else(String::new, |name| format!(" in network namespace {}", escape(name)));
            format!(
                "{}{namespace} at {} ({})",
                phrases::holders(listener),
                end.peer,
                listener.socket.state.as_str()
            )
        }
        None if end.local => format!("at {}, on this machine, and its holder could not be seen", end.peer),
        None => format!("{}, on another machine or in another network namespace", end.peer),
    }
}

fn shared_address(socket: &Socket, count: usize, option: Option<ShareOption>) -> String {
    let at = phrases::endpoint_and_interface(socket);
    let spreads = "by a hash of addresses and ports, or as a program that they attached decides";
    match (socket.protocol, option) {
        (Protocol::Udp, Some(ShareOption::ReusePort)) => {
            format!(
                "{count} sockets share {at} by SO_REUSEPORT, and the kernel spreads datagrams over them: {spreads}"
            )
        }
        (Protocol::Udp, Some(ShareOption::ReuseAddress)) => {
            let unless = match count > 2 || socket.family() == Family::Ipv6 {
                true => ", unless some of them set SO_REUSEPORT too",
                false => "",
            };
            format!(
                "{count} sockets share {at} by SO_REUSEADDR: the last one bound gets every datagram that is sent to this \
                 machine alone{unless}; multicast reaches each of its members"
            )
        }
        (Protocol::Udp, None) => format!(
            "{count} sockets share {at}: by SO_REUSEADDR, so that the last one bound gets every datagram, or by \
             SO_REUSEPORT, so that datagrams are spread; which of the two could not be tested"
        ),
        _ => format!(
            "{count} listeners share {at} by SO_REUSEPORT, and the kernel spreads connections over them: {spreads}"
        ),
    }
}

/// Returns the user of a socket: `user postgres`.
fn user_of(socket: &Socket) -> String {
    phrases::opener(socket).unwrap_or_else(|| "the same user".to_owned())
}

fn udp_may_join(option: ShareOption, allowed: Option<bool>, user: Option<&Socket>) -> String {
    let of_user = user.map_or_else(|| "the same user".to_owned(), user_of);
    match (option, allowed) {
        (ShareOption::ReuseAddress, Some(true)) => {
            "a socket of any user that sets SO_REUSEADDR may join (tested with a bind that takes no datagram); the last \
             one bound then gets what is sent to one address, and multicast reaches every member"
                .to_owned()
        }
        (ShareOption::ReuseAddress, Some(false)) => {
            "SO_REUSEADDR does not help: the socket that has the port did not set it".to_owned()
        }
        (ShareOption::ReuseAddress, None) => "whether SO_REUSEADDR helps could not be tested".to_owned(),
        (ShareOption::ReusePort, Some(true)) => format!(
            "a socket of {of_user} that sets SO_REUSEPORT may join (tested with a bind that takes no datagram); datagrams \
             are then spread"
        ),
        (ShareOption::ReusePort, Some(false)) => {
            "SO_REUSEPORT does not help: the socket that has the port did not set it".to_owned()
        }
        (ShareOption::ReusePort, None) => {
            format!("whether SO_REUSEPORT is set could not be tested; only sockets of {of_user} could join by it")
        }
    }
}

pub(super) fn localhost(answer: &LocalhostAnswer) -> String {
    let on = |listener: &Listener| {
        let endpoint = phrases::endpoint_and_interface(&listener.socket);
        format!("{} on {endpoint}", phrases::holders(listener))
    };
    match answer {
        LocalhostAnswer::Nobody => "nothing".to_owned(),
        LocalhostAnswer::One { listener, preference } => {
            let why = match preference {
                None => "",
                Some(Preference::FirstWithInterface) => {
                    ", the first of those with that address, which is preferred because one of them is bound to an \
                     interface"
                }
                Some(Preference::LastWithInterface) => {
                    ", the last of those with that address, which is preferred because one of them is bound to an \
                     interface"
                }
                Some(Preference::ListedFirst) => {
                    ", which the kernel lists first and which gets every datagram"
                }
                Some(Preference::BoundLast) => ", the last one bound, which gets every datagram",
            };
            format!("{}{why}", on(listener))
        }
        LocalhostAnswer::Shared { by, listeners } => {
            let how = match by {
                SharedBy::Spread => "the kernel spreads peers over these",
                SharedBy::Unknown => "which one is unknown",
            };
            format!("one of {} ({how})", phrases::list_with_and(listeners, MOST, on))
        }
    }
}

/// Returns a client of a connection: `curl (pid 99) at 127.0.0.1:50000`.
fn client(connection: &Connection) -> String {
    let clients: Vec<String> = connection.clients.iter().map(phrases::candidate).collect();
    match clients.is_empty() {
        true => connection.peer.to_string(),
        false => format!("{} at {}", clients.join(" and "), connection.peer),
    }
}
