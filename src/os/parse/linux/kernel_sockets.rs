//! Parsers of the messages and files in which Linux reports sockets that the kernel opened itself. Pure.
//!
//! They return claims. A claim names the port, the protocol and, if the source reports them, the family and the address;
//! all of these must match. A claim without a port proves nothing: it names a possibility.

pub(in crate::os) mod generic_message;
pub(in crate::os) mod link_message;
pub(in crate::os) mod rpcbind_reply;
pub(in crate::os) mod service_files;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Endpoint, Family, KernelSocket, KernelSocketKind, Protocol, Socket, Text};

/// How strongly a source shows that a socket is the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum Strength {
    /// The kernel reports that it has the port open.
    Reported,
    /// The kernel uses this fixed port, or a process does for it: the socket is the kernel's if no process can have it.
    Fixed,
    /// The port is not reported.
    Possible,
}

/// The address of a claimed socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) enum Bound {
    /// The wildcard address.
    Wildcard,
    /// This one.
    Address(IpAddr),
    /// The wildcard address of any one interface.
    Interface,
}

/// A socket that the kernel has opened, or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct KernelSocketReport {
    pub(in crate::os) protocol: Protocol,
    /// `None` if the source does not report it.
    pub(in crate::os) port: Option<u16>,
    /// `None` for either.
    pub(in crate::os) family: Option<Family>,
    pub(in crate::os) bound: Bound,
    pub(in crate::os) strength: Strength,
    pub(in crate::os) kernel: KernelSocket,
}

impl KernelSocketReport {
    /// Returns whether this may be the socket.
    pub(in crate::os) fn matches(&self, socket: &Socket) -> bool {
        let interface = match &socket.endpoint {
            Endpoint::Ip { interface, .. } => interface.as_ref(),
            Endpoint::Unix { .. } => return false,
        };
        let wildcard = socket.endpoint.address().is_some_and(|address| address.is_unspecified());
        self.protocol == socket.protocol
            && self.port.is_none_or(|port| socket.endpoint.port() == Some(port))
            && self.family.is_none_or(|family| socket.family() == family)
            && match &self.bound {
                Bound::Wildcard => wildcard && interface.is_none(),
                Bound::Address(address) => socket.endpoint.address() == Some(*address),
                Bound::Interface => wildcard && interface.is_some(),
            }
    }
}

/// Returns a kernel socket of which only the kind is known.
pub(in crate::os) fn kernel_socket(kind: KernelSocketKind) -> KernelSocket {
    KernelSocket { kind, interface: None, id: None, namespace: None }
}

/// Returns the claim of a port that the kernel reports for both families, or for one.
pub(in crate::os) fn reported(
    protocol: Protocol,
    port: u16,
    family: Option<Family>,
    kind: KernelSocketKind,
) -> KernelSocketReport {
    KernelSocketReport {
        protocol,
        port: Some(port),
        family,
        bound: Bound::Wildcard,
        strength: Strength::Reported,
        kernel: kernel_socket(kind),
    }
}

/// Returns a text that ends in NUL.
pub(in crate::os) fn text(value: &[u8]) -> Text {
    value.split(|byte| *byte == 0).next().unwrap_or_default().into()
}

/// Reads an address of four or sixteen bytes.
pub(in crate::os) fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
}

/// Returns a recorded message from its hexadecimal digits.
#[cfg(test)]
fn bytes_of_hex(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::State;

    fn socket(protocol: Protocol, address: &str, port: u16, interface: Option<&str>) -> Socket {
        let (address, interface) = (address.parse().unwrap(), interface.map(Text::from));
        Socket::new(protocol, Endpoint::Ip { address, port, interface }, State::Bound)
    }

    #[test]
    fn a_claim_is_about_sockets_that_match_in_everything_it_names() {
        let claim = reported(Protocol::Udp, 4789, Some(Family::Ipv4), KernelSocketKind::Vxlan);
        assert!(claim.matches(&socket(Protocol::Udp, "0.0.0.0", 4789, None)));
        for other in [
            socket(Protocol::Tcp, "0.0.0.0", 4789, None),
            socket(Protocol::Udp, "0.0.0.0", 4790, None),
            socket(Protocol::Udp, "::", 4789, None),
            socket(Protocol::Udp, "10.0.0.1", 4789, None),
            socket(Protocol::Udp, "0.0.0.0", 4789, Some("eth0")),
        ] {
            assert!(!claim.matches(&other), "{other:?}");
        }
        let either = KernelSocketReport { family: None, port: None, ..claim.clone() };
        assert!(either.matches(&socket(Protocol::Udp, "::", 4790, None)));
        let path = Endpoint::Unix { path: None };
        assert!(!either.matches(&Socket::new(Protocol::Udp, path, State::Bound)));
    }

    #[test]
    fn claims_of_an_address_or_of_any_interface() {
        let claim = |bound| KernelSocketReport {
            bound,
            ..reported(Protocol::Udp, 4789, None, KernelSocketKind::Vxlan)
        };
        let address = claim(Bound::Address("10.0.0.1".parse().unwrap()));
        assert!(address.matches(&socket(Protocol::Udp, "10.0.0.1", 4789, None)));
        assert!(!address.matches(&socket(Protocol::Udp, "10.0.0.2", 4789, None)));
        let interface = claim(Bound::Interface);
        assert!(interface.matches(&socket(Protocol::Udp, "0.0.0.0", 4789, Some("eth0"))));
        assert!(!interface.matches(&socket(Protocol::Udp, "0.0.0.0", 4789, None)));
        assert!(!interface.matches(&socket(Protocol::Udp, "10.0.0.1", 4789, Some("eth0"))));
    }
}
