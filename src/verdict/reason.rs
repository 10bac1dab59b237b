//! The reason of a verdict, as data. `render` writes the phrase.

use std::net::SocketAddr;
use std::time::Duration;

use super::{BoundHistory, Hindrance};
use crate::bind_attempt::BindTarget;
use crate::model::names::names;
use crate::model::{ErrorName, Listener};

/// The answer of a [`Verdict`](super::Verdict). `Display` writes it as a phrase that can follow "it cannot be bound:", in
/// which names from outside are escaped.
///
/// ```
/// use allears::VerdictReason;
///
/// let verdict = allears::why(&allears::Target::port(10309)?)?;
/// match verdict.reason {
///     VerdictReason::Held { listener, .. } => println!("{} holders", listener.holders.len()),
///     reason => println!("{reason}"),
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum VerdictReason {
    /// Nothing is in the way.
    Nothing,
    /// The system forbids the bind although no socket is in the way.
    Hindrance {
        /// What forbids it.
        hindrance: Hindrance,
        /// The target of the bind.
        target: BindTarget,
    },
    /// A rule forwards connections, without a socket.
    Forwarded(Box<Listener>),
    /// A process holds the port and forwards connections.
    Proxied {
        /// The socket with its holders.
        listener: Box<Listener>,
        /// What the process forwards for, if it is a known proxy.
        purpose: Option<ProxyPurpose>,
        /// The destination in the process's command line.
        inside: Option<SocketAddr>,
    },
    /// Nothing listens, but connections are answered.
    Answered {
        /// The address that answered.
        address: Option<SocketAddr>,
    },
    /// Several listeners share one address.
    Shared(Vec<Listener>),
    /// A listener has the port.
    Held {
        /// The listener.
        listener: Box<Listener>,
        /// How many more sockets are in the way.
        more: usize,
    },
    /// A socket is bound to the port and does not listen.
    Bound {
        /// The socket with its holders.
        listener: Box<Listener>,
        /// What it did before, if the system reports it.
        history: Option<BoundHistory>,
        /// How many more sockets are in the way.
        more: usize,
    },
    /// The port is the local end of a connection.
    Connection {
        /// The socket with its holders. A closed connection may have none.
        listener: Box<Listener>,
        /// The socket at the other end, if no process holds this end any more and the other end was found.
        other_end: Option<Box<Listener>>,
        /// How many more sockets are in the way.
        more: usize,
    },
    /// Closed connections are still in TIME_WAIT.
    TimeWait {
        /// How many.
        connections: usize,
        /// How long at most.
        left: Option<Duration>,
    },
    /// Nothing is in the way, but the machine reserves the port for programs that bind it by number.
    Reserved {
        /// The port.
        port: u16,
    },
    /// Something on this machine forwards ports, but whether it forwards this one could not be read.
    ForwardingUnknown,
    /// The port is in use, but by what could not be determined.
    Unseen,
    /// The system denies the bind, and no limit that can be read explains it.
    Denied,
    /// No bind could be attempted.
    NotAttempted {
        /// The error's name and the system's message, if there was an error.
        error: Option<(ErrorName, String)>,
    },
}

/// What a process forwards connections for.
///
/// ```
/// use allears::ProxyPurpose;
///
/// assert_eq!("container-port".parse(), Ok(ProxyPurpose::ContainerPort));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyPurpose {
    /// A container's published port.
    ContainerPort,
    /// A rootless container's published port.
    RootlessContainerPort,
    /// A rootless container's network.
    RootlessContainerNetwork,
    /// A virtual machine's network.
    VirtualMachineNetwork,
    /// A listener inside of WSL.
    Wsl,
}

names! { ProxyPurpose, "proxy purpose":
    ContainerPort => "container-port",
    RootlessContainerPort => "rootless-container-port",
    RootlessContainerNetwork => "rootless-container-network",
    VirtualMachineNetwork => "virtual-machine-network",
    Wsl => "wsl",
}
