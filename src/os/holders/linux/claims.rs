//! Sockets that the kernel opens itself: no process has them. The sources that report them are read only if a socket has no
//! holder.
//!
//! Each source makes claims, as `parse::linux::kernel_sockets` defines them. No request here may load a kernel module.

pub(in crate::os) mod generic;
pub(in crate::os) mod other_namespaces;
pub(in crate::os) mod services;

use std::collections::BTreeSet;

use crate::model::compact::CompactSort as _;
use crate::model::{Endpoint, KernelSocket, Protocol, Socket};
use crate::os::linux_api::netlink::dump;
use crate::os::parse::linux::kernel_sockets::link_message::{Link, parse_link};
use crate::os::parse::linux::kernel_sockets::{Bound, KernelSocketReport, Strength};

/// The claims of all sources about the sockets of one network namespace.
#[derive(Debug, Default)]
pub(in crate::os) struct KernelSocketReports(pub(super) Vec<KernelSocketReport>);

impl KernelSocketReports {
    /// Reads the sources of the network namespace that this thread is in, for these protocols.
    pub(in crate::os) fn read(protocols: &BTreeSet<Protocol>) -> KernelSocketReports {
        let mut claims = Vec::new();
        let udp = protocols.contains(&Protocol::Udp);
        let links = if udp { links() } else { Vec::new() };
        for link in links.iter().filter(|link| link.socket_namespace.is_none()) {
            claims.extend(link.claims());
        }
        if udp || protocols.contains(&Protocol::Tcp) {
            claims.extend(generic::claims(&links, protocols));
            claims.extend(services::claims(protocols));
        }
        KernelSocketReports(claims)
    }

    /// Adds the claims of another namespace.
    fn add(&mut self, claims: Vec<KernelSocketReport>) {
        self.0.extend(claims);
    }

    /// Returns what the kernel uses a socket for, by the claims of one strength.
    pub(in crate::os) fn matching(&self, socket: &Socket, strength: Strength) -> Vec<KernelSocket> {
        let matching = self.0.iter().filter(|claim| claim.strength == strength && claim.matches(socket));
        let named = |claim: &KernelSocketReport| {
            let mut kernel = claim.kernel.clone();
            if let (Bound::Interface, Endpoint::Ip { interface, .. }) = (&claim.bound, &socket.endpoint) {
                kernel.interface.clone_from(interface);
            }
            kernel
        };
        let mut kernel: Vec<KernelSocket> = matching.map(named).collect();
        kernel.compact_sort_by(Ord::cmp);
        kernel.dedup();
        kernel
    }
}

/// Returns the network interfaces of this thread's namespace whose kinds have sockets.
fn links() -> Vec<Link> {
    const RTM_NEWLINK: u16 = 16;
    const RTM_GETLINK: u16 = 18;
    // struct ifinfomsg: any family, any link.
    let request = [0; 16];
    let links = std::cell::RefCell::new(Vec::new());
    let mut each = |message: &[u8]| links.borrow_mut().extend(parse_link(message));
    match dump(None, RTM_GETLINK, &request, RTM_NEWLINK, &mut each, &mut || links.borrow_mut().clear()) {
        Ok(()) => links.into_inner(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::model::{Family, KernelSocketKind, Text};
    use crate::os::parse::linux::kernel_sockets::kernel_socket;

    fn socket(protocol: Protocol, address: IpAddr, port: u16, interface: Option<&str>) -> Socket {
        let endpoint = Endpoint::Ip { address, port, interface: interface.map(Text::from) };
        Socket::new(protocol, endpoint, crate::model::State::Bound)
    }

    /// A process on the same port and another address, protocol, family or interface is no part of the kernel.
    #[test]
    fn all_that_is_reported_must_fit() {
        let claim = |bound, family| KernelSocketReport {
            protocol: Protocol::Udp,
            port: Some(4789),
            family,
            bound,
            strength: Strength::Reported,
            kernel: kernel_socket(KernelSocketKind::Vxlan),
        };
        let any4: IpAddr = Ipv4Addr::UNSPECIFIED.into();
        let any6: IpAddr = Ipv6Addr::UNSPECIFIED.into();
        let loopback: IpAddr = Ipv4Addr::LOCALHOST.into();
        let claims = KernelSocketReports(vec![claim(Bound::Wildcard, Some(Family::Ipv4))]);
        let is = |socket| !claims.matching(&socket, Strength::Reported).is_empty();
        assert!(is(socket(Protocol::Udp, any4, 4789, None)));
        assert!(!is(socket(Protocol::Tcp, any4, 4789, None)));
        assert!(!is(socket(Protocol::Udp, any4, 4790, None)));
        assert!(!is(socket(Protocol::Udp, any6, 4789, None)));
        assert!(!is(socket(Protocol::Udp, loopback, 4789, None)));
        assert!(!is(socket(Protocol::Udp, any4, 4789, Some("lo"))));
        assert!(claims.matching(&socket(Protocol::Udp, any4, 4789, None), Strength::Fixed).is_empty());
        let claims = KernelSocketReports(vec![claim(Bound::Address(loopback), None)]);
        let is = |socket| !claims.matching(&socket, Strength::Reported).is_empty();
        assert!(is(socket(Protocol::Udp, loopback, 4789, None)));
        assert!(!is(socket(Protocol::Udp, any4, 4789, None)));
        let claims = KernelSocketReports(vec![claim(Bound::Interface, None)]);
        let found = claims.matching(&socket(Protocol::Udp, any6, 4789, Some("eth0")), Strength::Reported);
        assert_eq!(found[0].interface, Some("eth0".into()));
        assert!(claims.matching(&socket(Protocol::Udp, any6, 4789, None), Strength::Reported).is_empty());
    }

    /// Two interfaces can share one socket.
    #[test]
    fn each_of_several_is_named_once() {
        let claim = |name: &str| KernelSocketReport {
            protocol: Protocol::Udp,
            port: Some(4789),
            family: None,
            bound: Bound::Wildcard,
            strength: Strength::Reported,
            kernel: KernelSocket { interface: Some(name.into()), ..kernel_socket(KernelSocketKind::Vxlan) },
        };
        let claims = KernelSocketReports(vec![claim("vx1"), claim("vx0"), claim("vx1")]);
        let found = claims
            .matching(&socket(Protocol::Udp, Ipv4Addr::UNSPECIFIED.into(), 4789, None), Strength::Reported);
        let names: Vec<_> = found.iter().map(|one| one.interface.clone().unwrap()).collect();
        assert_eq!(names, [Text::from("vx0"), Text::from("vx1")]);
    }
}
