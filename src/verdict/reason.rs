//! A verdict in one phrase, as data. `render` makes the phrase.

use std::net::SocketAddr;
use std::time::Duration;

use super::{BoundHistory, Hindrance};
use crate::bind_attempt::BindTarget;
use crate::model::Listener;

/// The answer of a [`Verdict`](super::Verdict). `Display` writes it as a phrase that can follow "it cannot be bound:", in
/// which names from outside are escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerdictReason {
    /// Nothing is in the way.
    Nothing,
    /// The system forbids the bind, though no socket is in the way.
    Hindrance {
        /// What forbids it.
        hindrance: Hindrance,
        /// What was asked for.
        target: BindTarget,
    },
    /// A rule forwards connections, without a socket.
    Forwarded(Box<Listener>),
    /// A process holds the port and passes connections on.
    PassedOn {
        /// The socket and who holds it.
        listener: Box<Listener>,
        /// What the process stands for, if it is a known relay.
        relay: Option<Relay>,
        /// Where the process's command line says that it passes connections on to.
        inside: Option<SocketAddr>,
    },
    /// Nothing listens, and connections are answered nevertheless.
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
        /// The socket and who holds it.
        listener: Box<Listener>,
        /// What it did before, if the system reports it.
        history: Option<BoundHistory>,
        /// How many more sockets are in the way.
        more: usize,
    },
    /// The port is the local end of a connection.
    Connection {
        /// The socket and who holds it, if anybody still does.
        listener: Box<Listener>,
        /// The socket at the other end, if no process holds this one any more and the other was found.
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
    /// Nothing is in the way, and the machine reserves the port for programs that ask for it by number.
    Reserved {
        /// The port.
        port: u16,
    },
    /// Something on this machine forwards ports, and whether this is one of them could not be read.
    ForwardingUnknown,
    /// The port is in use by something that could not be seen.
    Unseen,
    /// The system denies the bind, and no limit that can be read explains it.
    Denied,
    /// No bind could be attempted.
    NotAttempted {
        /// The error's name and what the system says, if there was an error.
        error: Option<(String, String)>,
    },
}

/// What a process that passes connections on does it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Relay {
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
