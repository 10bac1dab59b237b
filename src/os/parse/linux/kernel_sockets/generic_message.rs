//! Messages of the families of generic netlink that report ports: WireGuard, foo-over-udp, L2TP, MPTCP's path manager and
//! the NFS server. Pure.

use std::net::{IpAddr, SocketAddr};

use super::{Bound, KernelSocketReport, Strength, address, kernel_socket, text};
use crate::model::{Family, KernelSocket, KernelSocketKind, Protocol, Text};
use crate::os::parse::linux::netlink::{attributes, u16_at, u32_at};

/// The length of `struct genlmsghdr`.
const GENERIC_HEADER: usize = 4;
/// Linux's numbers of the families.
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// A message of one of these families, after the header of netlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum Message {
    /// FOU_CMD_GET (linux/fou.h).
    Fou,
    /// L2TP_CMD_TUNNEL_GET (linux/l2tp.h).
    L2tp,
    /// MPTCP_PM_CMD_GET_ADDR (linux/mptcp_pm.h).
    Mptcp,
    /// NFSD_CMD_LISTENER_GET (linux/nfsd_netlink.h), Linux 6.10.
    Nfsd,
}

/// Reads the claims in one message.
pub(in crate::os) fn read_message(message: Message, bytes: &[u8]) -> Vec<KernelSocketReport> {
    let Some(bytes) = bytes.get(GENERIC_HEADER..) else { return Vec::new() };
    match message {
        Message::Fou => fou(bytes).into_iter().collect(),
        Message::L2tp => l2tp(bytes).into_iter().collect(),
        Message::Mptcp => mptcp(bytes),
        Message::Nfsd => nfsd(bytes),
    }
}

/// Returns the name and the number of a family (CTRL_CMD_NEWFAMILY of linux/genetlink.h).
pub(in crate::os) fn family(message: &[u8]) -> Option<(Vec<u8>, u16)> {
    const CTRL_ATTR_FAMILY_ID: u16 = 1;
    const CTRL_ATTR_FAMILY_NAME: u16 = 2;
    let (mut id, mut name) = (None, None);
    attributes(message.get(GENERIC_HEADER..)?, |kind, value| match kind {
        CTRL_ATTR_FAMILY_ID => id = u16_at(value, 0),
        CTRL_ATTR_FAMILY_NAME => name = Some(value.strip_suffix(b"\0").unwrap_or(value).to_vec()),
        _ => {}
    });
    name.zip(id)
}

/// Returns the port that an interface of WireGuard listens on (WG_CMD_GET_DEVICE of linux/wireguard.h).
pub(in crate::os) fn wireguard_port(bytes: &[u8]) -> Option<u16> {
    const WGDEVICE_A_LISTEN_PORT: u16 = 6;
    let mut port = None;
    attributes(bytes.get(GENERIC_HEADER..)?, |kind, value| {
        if kind == WGDEVICE_A_LISTEN_PORT {
            port = u16_at(value, 0);
        }
    });
    port
}

/// Returns a receive port of foo-over-udp, or of GUE, which is the same with a header of its own.
fn fou(bytes: &[u8]) -> Option<KernelSocketReport> {
    const PORT: u16 = 1;
    const AF: u16 = 2;
    const TYPE: u16 = 4;
    const LOCAL_V4: u16 = 6;
    const LOCAL_V6: u16 = 7;
    const ENCAP_GUE: u8 = 2;
    let (mut port, mut family, mut kind, mut local) = (None, None, KernelSocketKind::Fou, None);
    attributes(bytes, |attribute, value| match attribute {
        PORT => port = u16_at(value, 0).map(u16::from_be),
        AF => family = value.first().copied(),
        TYPE if value.first() == Some(&ENCAP_GUE) => kind = KernelSocketKind::Gue,
        LOCAL_V4 | LOCAL_V6 => local = address(value),
        _ => {}
    });
    let family = match u16::from(family?) {
        AF_INET => Family::Ipv4,
        AF_INET6 => Family::Ipv6,
        _ => return None,
    };
    Some(KernelSocketReport {
        protocol: Protocol::Udp,
        port: Some(port?),
        family: Some(family),
        bound: bound(local),
        strength: Strength::Reported,
        kernel: kernel_socket(kind),
    })
}

/// Returns a tunnel of L2TP over UDP. Its socket was opened by the kernel, or by a process that passed it on.
fn l2tp(bytes: &[u8]) -> Option<KernelSocketReport> {
    const ENCAP_TYPE: u16 = 2;
    const CONN_ID: u16 = 9;
    const IP_SADDR: u16 = 24;
    const UDP_SPORT: u16 = 26;
    const IP6_SADDR: u16 = 31;
    const ENCAP_UDP: u16 = 0;
    let (mut encapsulation, mut id, mut port, mut local) = (None, None, None, None);
    attributes(bytes, |attribute, value| match attribute {
        ENCAP_TYPE => encapsulation = u16_at(value, 0),
        CONN_ID => id = u32_at(value, 0),
        // In the machine's byte order, unlike the ports of most families.
        UDP_SPORT => port = u16_at(value, 0),
        IP_SADDR | IP6_SADDR => local = address(value),
        _ => {}
    });
    encapsulation.filter(|kind| *kind == ENCAP_UDP)?;
    Some(KernelSocketReport {
        protocol: Protocol::Udp,
        port: Some(port?),
        family: None,
        bound: bound(local),
        strength: Strength::Fixed,
        kernel: KernelSocket { id: Some(id?), ..kernel_socket(KernelSocketKind::L2tp) },
    })
}

/// Returns the endpoints with a port, on which the path manager listens.
fn mptcp(bytes: &[u8]) -> Vec<KernelSocketReport> {
    const ATTR_ADDR: u16 = 1;
    const ADDR_ID: u16 = 2;
    const ADDR_ADDR4: u16 = 3;
    const ADDR_ADDR6: u16 = 4;
    const ADDR_PORT: u16 = 5;
    let mut claims = Vec::new();
    attributes(bytes, |attribute, endpoint| {
        if attribute != ATTR_ADDR {
            return;
        }
        let (mut id, mut port, mut at) = (None, None, None);
        attributes(endpoint, |attribute, value| match attribute {
            ADDR_ID => id = value.first().map(|id| u32::from(*id)),
            ADDR_ADDR4 | ADDR_ADDR6 => at = address(value),
            ADDR_PORT => port = u16_at(value, 0),
            _ => {}
        });
        if let (Some(id), Some(port), Some(at)) = (id, port.filter(|port| *port > 0), at) {
            claims.push(KernelSocketReport {
                protocol: Protocol::Tcp,
                port: Some(port),
                family: None,
                bound: Bound::Address(at),
                strength: Strength::Reported,
                kernel: KernelSocket { id: Some(id), ..kernel_socket(KernelSocketKind::Mptcp) },
            });
        }
    });
    claims
}

/// Returns the listeners of this namespace's NFS server.
fn nfsd(bytes: &[u8]) -> Vec<KernelSocketReport> {
    const SERVER_SOCK_ADDR: u16 = 1;
    const SOCK_ADDR: u16 = 1;
    const SOCK_TRANSPORT_NAME: u16 = 2;
    let mut claims = Vec::new();
    attributes(bytes, |attribute, listener| {
        if attribute != SERVER_SOCK_ADDR {
            return;
        }
        let (mut at, mut transport) = (None, Text::default());
        attributes(listener, |attribute, value| match attribute {
            SOCK_ADDR => at = socket_address(value),
            SOCK_TRANSPORT_NAME => transport = text(value),
            _ => {}
        });
        let protocol = match transport.as_bytes() {
            b"tcp" => Protocol::Tcp,
            b"udp" => Protocol::Udp,
            // RDMA has no socket.
            _ => return,
        };
        if let Some(at) = at {
            claims.push(KernelSocketReport {
                protocol,
                port: Some(at.port()),
                family: Some(if at.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }),
                bound: bound(Some(at.ip())),
                strength: Strength::Reported,
                kernel: kernel_socket(KernelSocketKind::Nfsd),
            });
        }
    });
    claims
}

/// Parses an address of struct sockaddr_storage.
fn socket_address(value: &[u8]) -> Option<SocketAddr> {
    let port = u16_at(value, 2).map(u16::from_be)?;
    let at = match u16_at(value, 0)? {
        AF_INET => address(value.get(4..8)?)?,
        AF_INET6 => address(value.get(8..24)?)?,
        _ => return None,
    };
    Some(SocketAddr::new(at, port))
}

fn bound(local: Option<IpAddr>) -> Bound {
    local.filter(|local| !local.is_unspecified()).map_or(Bound::Wildcard, Bound::Address)
}

#[cfg(test)]
mod tests;
