//! The facts that a verdict is based on, as data. `render` writes a sentence for each.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{LocalhostAnswer, ShareOption};
use crate::bind_attempt::{BindTarget, Overlap};
use crate::model::names::names;
use crate::model::{
    Confinement, Connection, ErrorName, Family, Listener, Process, SecurityModule, Socket, State, Text,
};

/// One observation that a [`Verdict`](super::Verdict) is based on. `Display` writes it as a sentence, in which names from
/// outside are escaped.
///
/// ```
/// use allears::Fact;
///
/// let verdict = allears::why(&allears::Target::port(10309)?)?;
/// for fact in &verdict.facts {
///     match fact {
///         Fact::Clients(clients) => println!("{} clients", clients.len()),
///         fact => println!("{fact}"),
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Fact {
    /// What the attempts to bind found. `results` is empty if no bind could be attempted.
    BindAttempts {
        /// Whether the attempts set SO_REUSEADDR, as servers do.
        reuse_address: bool,
        /// The results, each with its addresses.
        results: Vec<BindResult>,
    },
    /// A socket of the port conflicts with the bind.
    Conflict {
        /// The socket with its holders.
        listener: Box<Listener>,
        /// How the socket uses the port.
        usage: PortUsage,
        /// Why the addresses conflict.
        overlap: Overlap,
    },
    /// A holder is suspended.
    Suspended {
        /// The holder.
        process: Box<Process>,
        /// Whether the socket listens and all of its holders are suspended. The kernel then completes connections that no
        /// process answers.
        unanswered: bool,
    },
    /// HTTP.sys, the web server in the kernel of Windows, answers at these addresses.
    HttpSys {
        /// The addresses as they were registered.
        urls: Vec<Text>,
        /// The programs that it answers for.
        servers: Vec<HttpServer>,
    },
    /// A connection that no process holds any more is in the way.
    OrphanedConnection(OrphanedConnection),
    /// The other ends of connections that no process holds any more.
    OtherEnds {
        /// How many connections there are.
        connections: usize,
        /// The other ends, each once.
        ends: Vec<OtherEnd>,
    },
    /// TIME_WAIT may follow when the other end closes its connection.
    TimeWaitMayFollow {
        /// How long it lasts at most.
        up_to: Duration,
    },
    /// Several sockets share one address.
    SharedAddress {
        /// One of the sockets.
        socket: Box<Socket>,
        /// How many there are.
        count: usize,
        /// The option by which they share it. `None` if it could not be tested.
        option: Option<ShareOption>,
    },
    /// The listeners allow SO_REUSEPORT: a server of the calling user may join them.
    MayJoinListeners,
    /// The listeners share the port by SO_REUSEPORT, and only sockets of their user may join.
    OnlyUserMayJoin {
        /// One of the listeners, which has the user.
        socket: Box<Socket>,
        /// How many listeners share it.
        count: usize,
    },
    /// Whether another UDP socket that sets an option may join those that have the port.
    UdpMayJoin {
        /// The option.
        option: ShareOption,
        /// Whether it helps. `None` if that could not be tested.
        allowed: Option<bool>,
        /// A socket whose user is the only one that may join by SO_REUSEPORT. `None` if the sockets have several users.
        user_of: Option<Box<Socket>>,
    },
    /// A bind with SO_REUSEADDR succeeds, and one without it fails.
    ReuseAddressHelps,
    /// A bind with SO_REUSEADDR fails too: the earlier socket did not set it.
    ReuseAddressDoesNotHelp {
        /// Whether a connection is in the way, not TIME_WAIT.
        connection: bool,
    },
    /// The port's number is not the reason for a denied bind.
    PrivilegeIsNotTheReason {
        /// The first port that needs no privilege.
        from: u16,
        /// Whether the port is below it, and this process has the privilege.
        privileged: bool,
    },
    /// The active security modules. `None` if they could not be read.
    SecurityModules(Option<Vec<SecurityModule>>),
    /// A security module confines this process.
    Confinement(Confinement),
    /// Landlock may have denied the bind.
    LandlockMayDeny {
        /// Whether no_new_privs is set, which a sandbox of an unprivileged process needs.
        no_new_privileges: Option<bool>,
    },
    /// The number of BPF programs of the cgroup and its parents that can refuse binds. `None` if it could not be read.
    BindPrograms(Option<u32>),
    /// A seccomp filter applies to this process.
    SeccompFilter,
    /// The port is also in use.
    AlsoInUse(Box<Listener>),
    /// Windows refused with EACCES, as it does if a socket has the port exclusively.
    ExclusiveUse,
    /// The port is ephemeral: the system assigns it to outgoing connections.
    Ephemeral {
        /// The port.
        port: u16,
        /// The range.
        range: RangeInclusive<u16>,
    },
    /// net.ipv4.ip_local_reserved_ports keeps the port out of automatic assignment.
    LocallyReserved,
    /// Connections from other machines are forwarded by a rule, without a socket.
    ForwardedFromOutside(Box<Listener>),
    /// Connections to some addresses of this machine were answered although nothing listens.
    Answered {
        /// The addresses that answered.
        answered: Vec<SocketAddr>,
        /// The addresses that did not.
        others: Vec<SocketAddr>,
    },
    /// The addresses of this machine that are nearest to the target's, which is not one of them.
    NearestAddresses {
        /// The family of the address.
        family: Family,
        /// The addresses with their interfaces. Empty if this machine has none of the family.
        addresses: Vec<(IpAddr, Text)>,
    },
    /// A listener of the port is not in the way.
    NotInTheWay(Box<Listener>),
    /// The listeners that answer at localhost.
    Localhost {
        /// The answer at 127.0.0.1.
        ipv4: LocalhostAnswer,
        /// The answer at ::1.
        ipv6: LocalhostAnswer,
    },
    /// Clients are connected. They are not in the way.
    Clients(Vec<Connection>),
    /// The same port of the other protocol is in use, which does not matter.
    OtherProtocol {
        /// The target of the bind.
        target: BindTarget,
        /// The listener of the other protocol.
        listener: Box<Listener>,
    },
}

/// The result of one or more attempts to bind.
///
/// ```
/// use allears::Fact;
///
/// let verdict = allears::why(&allears::Target::port(10309)?)?;
/// for fact in verdict.facts {
///     if let Fact::BindAttempts { results, .. } = fact {
///         for result in results.iter().filter(|result| result.error.is_none()) {
///             println!("bound {:?}", result.addresses);
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BindResult {
    /// The addresses, each with whether an IPv6 socket left IPv4 alone.
    pub addresses: Vec<(IpAddr, bool)>,
    /// The error's name: `EADDRINUSE`. `None` if the bind succeeded.
    pub error: Option<ErrorName>,
}

/// How a socket uses a port.
///
/// ```
/// use allears::{BoundHistory, PortUsage};
///
/// let usage = PortUsage::Bound(Some(BoundHistory::OnlyBound));
/// assert_eq!(usage.to_string(), "is bound and never listened");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum PortUsage {
    /// It listens.
    Listens,
    /// It receives datagrams.
    Receives,
    /// It is bound and does not listen.
    Bound(Option<BoundHistory>),
    /// It has a connection.
    Connected,
}

/// What a TCP socket did before, if it is bound and does not listen.
///
/// ```
/// use allears::BoundHistory;
///
/// assert_eq!("shut-down".parse(), Ok(BoundHistory::ShutDown));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundHistory {
    /// It was only bound.
    OnlyBound,
    /// It was shut down as a listener, or disconnected. The kernel does not distinguish them.
    ShutDown,
    /// It was connected.
    Connected,
}

/// A program that HTTP.sys answers for.
///
/// ```
/// use allears::Fact;
///
/// let verdict = allears::why(&allears::Target::port(80)?)?;
/// for fact in verdict.facts {
///     if let Fact::HttpSys { servers, .. } = fact {
///         let pids: Vec<u32> = servers.iter().map(|server| server.pid).collect();
///         println!("HTTP.sys answers for {pids:?}");
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HttpServer {
    /// The process.
    pub pid: u32,
    /// Its name, if it could be read.
    pub name: Option<Text>,
    /// The services that run in it.
    pub services: Vec<Text>,
}

/// A connection that no process holds any more, and its timer.
///
/// ```
/// use allears::Fact;
///
/// let verdict = allears::why(&allears::Target::port(10309)?)?;
/// for fact in verdict.facts {
///     if let Fact::OrphanedConnection(connection) = fact {
///         println!("{}, for {:?}", connection.state, connection.left);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct OrphanedConnection {
    /// Its state.
    pub state: State,
    /// Whether the FIN is not sent yet, because the other end accepts no data or packets are lost.
    pub unsent: bool,
    /// How long until the kernel retries or, in FIN_WAIT2, gives up. `None` if the system does not report it.
    pub left: Option<Duration>,
    /// The machine's limit for FIN_WAIT2 (net.ipv4.tcp_fin_timeout).
    pub limit: Option<Duration>,
}

/// The other end of a connection.
///
/// ```
/// use allears::Fact;
///
/// let verdict = allears::why(&allears::Target::port(10309)?)?;
/// for fact in verdict.facts {
///     if let Fact::OtherEnds { ends, .. } = fact {
///         for end in ends.iter().filter(|end| end.local) {
///             println!("{} is on this machine", end.peer);
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct OtherEnd {
    /// Its address.
    pub peer: SocketAddr,
    /// The socket there, if it is on this machine and was found.
    pub listener: Option<Box<Listener>>,
    /// Whether the address is one of this machine's.
    pub local: bool,
}

names! { BoundHistory, "history of a bound socket":
    OnlyBound => "only-bound",
    ShutDown => "shut-down",
    Connected => "connected",
}
