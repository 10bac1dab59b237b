//! The local end of a socket.

use std::cmp::Ordering;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::Text;

/// The local end of a socket.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     let (address, port) = (listener.socket.endpoint.address(), listener.socket.endpoint.port());
///     assert_eq!(address.is_some(), port.is_some());
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Endpoint {
    /// An address and a port.
    Ip {
        /// The address; the unspecified one for wildcards.
        address: IpAddr,
        /// The port.
        port: u16,
        /// The interface the socket is bound to, or the scope of a link-local address.
        interface: Option<Text>,
    },
    /// A Unix socket's path, or its abstract name with a leading `@`; `None` for an unnamed one.
    Unix {
        /// The path or name.
        path: Option<Text>,
    },
}

impl Endpoint {
    /// Returns the port, if the socket has one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Endpoint::Ip { port, .. } => Some(*port),
            Endpoint::Unix { .. } => None,
        }
    }

    /// Returns the address, if the socket has one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Endpoint::Ip { address, .. } => Some(*address),
            Endpoint::Unix { .. } => None,
        }
    }

    /// Returns the order in lists: by port, then by address; Unix sockets after all others, by path.
    pub(super) fn order(&self, other: &Endpoint) -> Ordering {
        match (self, other) {
            (
                Endpoint::Ip { address: a, port: p, interface: i },
                Endpoint::Ip { address: b, port: q, interface: j },
            ) => p.cmp(q).then_with(|| a.cmp(b)).then_with(|| i.cmp(j)),
            (Endpoint::Unix { path: a }, Endpoint::Unix { path: b }) => a.cmp(b),
            (Endpoint::Ip { .. }, Endpoint::Unix { .. }) => Ordering::Less,
            (Endpoint::Unix { .. }, Endpoint::Ip { .. }) => Ordering::Greater,
        }
    }
}

/// An address and port in the usual notation. A path is shown with its bytes escaped.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Ip { address, port, interface: None } => {
                write!(f, "{}", SocketAddr::new(*address, *port))
            }
            Endpoint::Ip { address, port, interface: Some(interface) } => {
                let interface = interface.as_bytes().escape_ascii();
                match address {
                    IpAddr::V4(address) => write!(f, "{address}%{interface}:{port}"),
                    IpAddr::V6(address) => write!(f, "[{address}%{interface}]:{port}"),
                }
            }
            Endpoint::Unix { path: Some(path) } => write!(f, "{}", path.as_bytes().escape_ascii()),
            Endpoint::Unix { path: None } => f.write_str("(unnamed)"),
        }
    }
}
