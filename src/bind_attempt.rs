//! What a bind attempt is about and how it ended: the target, the options, and the refusal.
//!
//! Attempts are made in `act` and judged in `verdict`, and the pipeline scans for their targets. These types are below all
//! three. They are facts: nothing here binds, or reads the system.

mod overlap;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::model::{ErrorName, Protocol, Text};
pub use overlap::Overlap;

/// What a bind asks for: one port of one protocol, at one address or at the wildcards.
///
/// ```
/// let verdict = allears::why(&"[::1]:10309".parse()?)?;
/// assert_eq!(verdict.target.to_string(), "[::1]:10309");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BindTarget {
    /// TCP, UDP or UDP-Lite.
    pub protocol: Protocol,
    /// The address. `None` for the wildcards of both families.
    pub address: Option<IpAddr>,
    /// The interface of a link-local address.
    pub interface: Option<Text>,
    /// The port.
    pub port: u16,
}

/// Writes the target as it is typed: `udp/53`, `[fe80::1%eth0]:8080`.
impl fmt::Display for BindTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.protocol != Protocol::Tcp {
            write!(f, "{}/", self.protocol.as_str())?;
        }
        let port = self.port;
        match (self.address, &self.interface) {
            (None, _) => write!(f, "{port}"),
            (Some(IpAddr::V6(address)), Some(name)) => {
                write!(f, "[{address}%{}]:{port}", name.to_string_lossy())
            }
            (Some(address), _) => write!(f, "{}", SocketAddr::new(address, port)),
        }
    }
}

/// The socket options that are set before a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BindOptions {
    /// None, the default of a new socket.
    Plain,
    /// SO_REUSEADDR, which servers set on Unix.
    ReuseAddress,
    /// SO_REUSEPORT, which servers with several processes set.
    ReusePort,
}

/// One attempt to bind, and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) address: IpAddr,
    /// Whether the socket was IPv6-only.
    pub(crate) v6only: bool,
    pub(crate) options: BindOptions,
    /// Why the bind failed. `None` if it succeeded.
    pub(crate) refused: Option<BindRefusal>,
}

/// The error that a bind failed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BindRefusal {
    pub(crate) kind: BindRefusalKind,
    /// The error's name: `EADDRINUSE`.
    pub(crate) name: ErrorName,
    /// The system's message.
    pub(crate) message: String,
}

/// What kind of error a bind failed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BindRefusalKind {
    /// EADDRINUSE.
    InUse,
    /// EACCES or EPERM.
    Denied,
    /// EADDRNOTAVAIL.
    NotLocal,
    /// The machine does not have this address family.
    NoFamily,
    /// Any other error: too many open files, a missing interface.
    Other,
}

impl Attempt {
    /// Returns whether the attempt failed because the machine does not have the address family.
    pub(crate) fn lacks_family(&self) -> bool {
        self.refused.as_ref().is_some_and(|refusal| {
            refusal.kind == BindRefusalKind::NoFamily
                || (refusal.kind == BindRefusalKind::NotLocal && self.address.is_unspecified())
        })
    }
}
