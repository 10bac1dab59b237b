//! One entry of the operating system's socket table, in the same words on every system.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::names::names;
use super::{Endpoint, Text};

/// A transport protocol.
///
/// ```
/// use allears::Protocol;
///
/// assert_eq!("UDP".parse(), Ok(Protocol::Udp));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// UDP-Lite, which has ports of its own, apart from UDP's (RFC 3828). Linux only, and no longer in the newest kernels.
    UdpLite,
    /// SCTP, if the kernel has it. Linux only.
    Sctp,
    /// DCCP, if the kernel has it. Linux only.
    Dccp,
    /// Unix domain sockets.
    Unix,
}

/// An address family.
///
/// ```
/// use allears::Family;
///
/// assert_eq!("ipv6".parse(), Ok(Family::Ipv6));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6, dual-stack sockets included.
    Ipv6,
    /// Unix domain sockets.
    Unix,
}

/// The state of a socket.
///
/// ```
/// use allears::{Query, State};
///
/// let sockets = Query::new().all(true).scan()?.listeners;
/// let waiting = sockets.iter().filter(|one| one.socket.state == State::TimeWait);
/// println!("{} sockets are in TIME_WAIT", waiting.count());
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum State {
    /// It waits for peers to connect.
    Listen,
    /// There is no socket: rules of the kernel forward connections.
    Forwarded,
    /// Has a local port and no peer: a UDP server, or a TCP socket that was bound and never listened.
    Bound,
    /// Connected; also a UDP socket with a fixed peer.
    Established,
    /// TCP SYN_SENT.
    SynSent,
    /// TCP SYN_RECEIVED.
    SynReceived,
    /// TCP FIN_WAIT_1.
    FinWait1,
    /// TCP FIN_WAIT_2.
    FinWait2,
    /// TCP CLOSE_WAIT.
    CloseWait,
    /// TCP LAST_ACK.
    LastAck,
    /// TCP CLOSING.
    Closing,
    /// TCP TIME_WAIT.
    TimeWait,
    /// TCP CLOSED.
    Closed,
    /// A state that the system reported and this version does not know.
    Unknown,
}

/// From where a socket can be reached, by its own address. Firewalls are not considered.
///
/// ```
/// use allears::{Exposure, Query};
///
/// for listener in Query::new().scan()?.listeners {
///     if listener.socket.exposure() == Exposure::All {
///         println!("{} is open to the network", listener.socket.endpoint);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exposure {
    /// This machine only.
    Loopback,
    /// Every address of this machine.
    All,
    /// One address that is not a loopback address.
    Address,
    /// Unix sockets: this machine's file system or its abstract names.
    Local,
}

/// A listener's queue of connections that were not accepted yet. For a UDP socket the bytes not read yet.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     if let Some(queue) = listener.socket.queue {
///         println!("{} of {:?} connections wait at {}", queue.waiting, queue.limit, listener.socket.endpoint);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct AcceptQueue {
    /// The number of connections, or of bytes, that wait.
    pub waiting: u32,
    /// The most that may wait. `None` if the system does not report it.
    pub limit: Option<u32>,
}

/// Why the user of a socket or process is unknown although the system usually reports one. Linux only.
///
/// ```
/// use allears::UnknownUser;
///
/// assert_eq!("unmapped".parse(), Ok(UnknownUser::Unmapped));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum UnknownUser {
    /// The caller's user namespace has no number for the user: the kernel reports the overflow uid
    /// (user_namespaces(7), /proc/sys/kernel/overflowuid).
    Unmapped,
    /// The same, or it is the user to whom the caller's user namespace gives the overflow uid itself.
    UnmappedOrOverflow,
    /// The kernel reports no user: the socket has no inode and the uid is 0. That is every socket in TIME_WAIT, and up to
    /// Linux 6.12 every socket that no process holds any more.
    NotReported,
}

/// One entry of the operating system's socket table.
///
/// ```
/// use allears::{Exposure, Query};
///
/// for listener in Query::new().scan()?.listeners {
///     let socket = &listener.socket;
///     assert!(socket.is_listener());
///     if socket.exposure() != Exposure::Loopback {
///         println!("{}/{} can be reached over {}", socket.protocol, socket.endpoint, socket.family());
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Socket {
    /// The transport protocol.
    pub protocol: Protocol,
    /// Its local end.
    pub endpoint: Endpoint,
    /// The address and port that it is connected to.
    pub peer: Option<SocketAddr>,
    /// Its state.
    pub state: State,
    /// Whether an IPv6 socket also receives IPv4. `None` if the system does not report it. False for IPv4 and Unix.
    pub dual_stack: Option<bool>,
    /// The inode number that names the socket in descriptor tables. Linux only.
    pub inode: Option<u64>,
    /// The uid of the user that created the socket. Linux and macOS.
    pub uid: Option<u32>,
    /// The name of that user, if there is one.
    pub user: Option<Text>,
    /// Why `uid` is `None` although the system usually reports it. Linux only.
    pub unknown_user: Option<UnknownUser>,
    /// The accept queue. `None` if the system does not report it.
    pub queue: Option<AcceptQueue>,
    /// The network namespace, if it is not the caller's. Linux only.
    pub namespace: Option<Text>,
    /// Requested paths that lead to this Unix socket, although it was bound to another path. Linux only.
    pub other_paths: Vec<Text>,
    /// Where the path leads that a Unix socket was bound to, if it was requested. Linux only.
    pub path_leads_to: Option<PathTarget>,
}

/// Where the path leads that a Unix socket was bound to.
///
/// ```
/// use allears::PathTarget;
///
/// assert_eq!("other-file".parse(), Ok(PathTarget::OtherFile));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathTarget {
    /// To the socket itself.
    Socket,
    /// To another file, such as the socket of a later server.
    OtherFile,
    /// To nothing: the file was removed, or the path is one of another mount namespace or root directory.
    Nothing,
}

impl Protocol {
    /// Returns whether its sockets receive without a connection: UDP and UDP-Lite.
    pub(crate) fn is_datagram(self) -> bool {
        matches!(self, Protocol::Udp | Protocol::UdpLite)
    }

    /// Returns the prefix of a port of this protocol in a target: `udp/`; empty for TCP, the default.
    pub(crate) fn prefix(self) -> String {
        match self {
            Protocol::Tcp | Protocol::Unix => String::new(),
            other => format!("{}/", other.as_str()),
        }
    }
}

impl Socket {
    pub(crate) fn new(protocol: Protocol, endpoint: Endpoint, state: State) -> Socket {
        let dual_stack = match &endpoint {
            Endpoint::Ip { address: IpAddr::V6(_), .. } => None,
            _ => Some(false),
        };
        Socket {
            protocol,
            endpoint,
            peer: None,
            state,
            dual_stack,
            inode: None,
            uid: None,
            user: None,
            unknown_user: None,
            queue: None,
            namespace: None,
            other_paths: Vec::new(),
            path_leads_to: None,
        }
    }

    /// Returns the address family.
    pub fn family(&self) -> Family {
        match self.endpoint.address() {
            Some(IpAddr::V4(_)) => Family::Ipv4,
            Some(IpAddr::V6(_)) => Family::Ipv6,
            None => Family::Unix,
        }
    }

    /// Returns from where it can be reached, by its address.
    pub fn exposure(&self) -> Exposure {
        match self.endpoint.address() {
            None => Exposure::Local,
            Some(address) => match address.to_canonical() {
                address if address.is_loopback() => Exposure::Loopback,
                address if address.is_unspecified() => Exposure::All,
                _ => Exposure::Address,
            },
        }
    }

    /// Returns whether the socket has its port without a peer. `free` ends only the holders of such sockets.
    pub(crate) fn has_port_without_peer(&self) -> bool {
        self.is_listener()
            || self.state == State::Bound
            || (self.state == State::Closed && self.protocol.is_datagram())
    }

    /// Returns whether peers can contact it first: TCP in LISTEN, UDP bound and not connected, a listening Unix socket;
    /// also a forwarded port, which has no socket.
    pub fn is_listener(&self) -> bool {
        match self.protocol {
            _ if self.state == State::Forwarded => true,
            Protocol::Udp | Protocol::UdpLite => self.state == State::Bound,
            Protocol::Tcp | Protocol::Sctp | Protocol::Dccp | Protocol::Unix => self.state == State::Listen,
        }
    }

    /// Returns whether IPv4 peers can reach it. `None` if the system does not report it.
    pub(crate) fn takes_ipv4(&self) -> Option<bool> {
        match self.endpoint.address() {
            Some(IpAddr::V4(_)) => Some(true),
            Some(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => Some(true),
            Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => self.dual_stack,
            _ => Some(false),
        }
    }

    /// Returns the order in lists: by port, protocol and address, then by the fields that distinguish equal ones.
    pub(crate) fn order(&self, other: &Socket) -> Ordering {
        self.endpoint
            .port()
            .is_none()
            .cmp(&other.endpoint.port().is_none())
            .then_with(|| self.endpoint.port().cmp(&other.endpoint.port()))
            .then_with(|| self.protocol.cmp(&other.protocol))
            .then_with(|| self.endpoint.order(&other.endpoint))
            .then_with(|| self.namespace.cmp(&other.namespace))
            .then_with(|| self.state.cmp(&other.state))
            .then_with(|| self.peer.cmp(&other.peer))
    }
}

names! { UnknownUser, "reason for an unknown user":
    Unmapped => "unmapped",
    UnmappedOrOverflow => "unmapped-or-overflow",
    NotReported => "not-reported",
}

names! { Protocol, "protocol", eq_ignore_ascii_case:
    Tcp => "tcp",
    Udp => "udp",
    UdpLite => "udplite",
    Sctp => "sctp",
    Dccp => "dccp",
    Unix => "unix",
}

names! { Family, "address family":
    Ipv4 => "ipv4",
    Ipv6 => "ipv6",
    Unix => "unix",
}

names! { State, "socket state":
    Listen => "listen",
    Forwarded => "forwarded",
    Bound => "bound",
    Established => "established",
    SynSent => "syn-sent",
    SynReceived => "syn-received",
    FinWait1 => "fin-wait-1",
    FinWait2 => "fin-wait-2",
    CloseWait => "close-wait",
    LastAck => "last-ack",
    Closing => "closing",
    TimeWait => "time-wait",
    Closed => "closed",
    Unknown => "unknown",
}

names! { PathTarget, "path target":
    Socket => "socket",
    OtherFile => "other-file",
    Nothing => "nothing",
}

names! { Exposure, "exposure":
    Loopback => "loopback",
    All => "all",
    Address => "address",
    Local => "local",
}
