//! Addresses, paths, and from where they can be reached.

use std::net::SocketAddr;

use crate::model::{Endpoint, Socket};
#[cfg(feature = "cli")]
use crate::model::{Exposure, PathContent};
use crate::render::escape::escape;

/// Returns the address as ss writes it: `*` takes IPv4 and IPv6, `0.0.0.0` IPv4 alone, `[::]` IPv6 alone. `[::]?` is the
/// wildcard of IPv6 of which it is not known whether it takes IPv4 too.
pub(crate) fn address(socket: &Socket) -> String {
    let (address, interface) = match &socket.endpoint {
        Endpoint::Ip { address, interface, .. } => (address, interface),
        Endpoint::Unix { path } => return path.as_ref().map_or_else(|| "(unnamed)".to_owned(), escape),
    };
    let at = interface.as_ref().map_or_else(String::new, |interface| format!("%{}", escape(interface)));
    match (address.is_ipv6(), address.is_unspecified(), socket.dual_stack) {
        (true, true, Some(true)) => format!("*{at}"),
        (true, true, None) => format!("[{address}{at}]?"),
        (true, ..) => format!("[{address}{at}]"),
        (false, ..) => format!("{address}{at}"),
    }
}

/// The effect if no file is at the path that a listener was bound to.
#[cfg(feature = "cli")]
pub(crate) const NO_FILE: &str =
    "no file is there: it was removed, or the path is one of another mount namespace or root directory";

/// Returns what is at a path on which nothing listens.
#[cfg(feature = "cli")]
pub(crate) fn path_content(content: PathContent) -> Option<&'static str> {
    match content {
        PathContent::AbandonedSocket => Some(
            "the file of a socket is there, and no socket is bound to it: its server is gone and left the file",
        ),
        PathContent::BoundSocket => Some(
            "a socket is bound there that does not listen: one for datagrams, or one that does not listen yet",
        ),
        PathContent::OtherFile => Some("the file that is there is not a socket"),
        PathContent::Nothing => Some("there is no such file"),
        PathContent::Listener | PathContent::Unknown => None,
    }
}

/// Returns the address for a sentence.
#[cfg(feature = "cli")]
pub(crate) fn address_phrase(socket: &Socket) -> String {
    let (Some(address), Endpoint::Ip { interface, .. }) = (socket.endpoint.address(), &socket.endpoint)
    else {
        return address(socket);
    };
    let at = interface.as_ref().map_or_else(String::new, |interface| format!("%{}", escape(interface)));
    let all = match (address.is_unspecified(), address.is_ipv6(), socket.dual_stack) {
        (false, ..) => return self::address(socket),
        (_, false, _) => "all IPv4 addresses",
        (_, true, Some(true)) => "all addresses, IPv4 and IPv6",
        (_, true, Some(false)) => "all IPv6 addresses",
        (_, true, None) => "all IPv6 addresses; the system does not report whether IPv4 is included",
    };
    match address.is_ipv6() {
        true => format!("[{address}{at}] ({all})"),
        false => format!("{address}{at} ({all})"),
    }
}

/// Returns which machines can reach a socket, by its address.
#[cfg(feature = "cli")]
pub(crate) fn reach(socket: &Socket) -> String {
    match (socket.exposure(), &socket.namespace) {
        // Each network namespace has a loopback of its own.
        (Exposure::Loopback, Some(_)) => "that network namespace only".to_owned(),
        (Exposure::All, Some(_)) => {
            "every network that namespace is on (a firewall may stand before it)".to_owned()
        }
        (Exposure::Loopback | Exposure::Local, _) => "this machine only".to_owned(),
        (Exposure::All, None) => {
            "every network this machine is on (a firewall may stand before it)".to_owned()
        }
        (Exposure::Address, _) => {
            format!("the network of {} (a firewall may stand before it)", address(socket))
        }
    }
}

/// Returns whether other machines can reach the socket.
#[cfg(feature = "cli")]
pub(crate) fn is_exposed(socket: &Socket) -> bool {
    matches!(socket.exposure(), Exposure::All | Exposure::Address)
}

/// Returns an address and port as one types them: `127.0.0.1:3000`, `[::1]:53`; the path of a Unix socket.
pub(crate) fn endpoint(socket: &Socket) -> String {
    match socket.endpoint.address() {
        Some(address) => SocketAddr::new(address, socket.endpoint.port().unwrap_or_default()).to_string(),
        None => address(socket),
    }
}

/// Returns what [`endpoint`] returns, with the interface that the socket is bound to: `0.0.0.0:80 (on eth0)`.
pub(crate) fn endpoint_and_interface(socket: &Socket) -> String {
    match &socket.endpoint {
        Endpoint::Ip { interface: Some(interface), .. } => {
            format!("{} (on {})", endpoint(socket), escape(interface))
        }
        _ => endpoint(socket),
    }
}
