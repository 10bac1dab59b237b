//! Ports that families of generic netlink report: WireGuard, foo-over-udp, L2TP, MPTCP's path manager and the NFS server.
//!
//! The list of families is read first, because a request for a family by its name makes the kernel load a module.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use rustix::net::netlink::GENERIC;

use super::links::{Link, address, text};
use super::{Bound, Claim, Strength, kernel_socket};
use crate::model::{Family, KernelSocket, KernelSocketKind, Protocol, Text};
use crate::os::table::sys::netlink::{ask, attributes, dump, u16_at, u32_at};

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

const GENERIC_HEADER: usize = 4;

/// Returns the claims of every registered family.
pub(in crate::os) fn claims(links: &[Link], protocols: &BTreeSet<Protocol>) -> Vec<Claim> {
    let families = families();
    let mut claims = Vec::new();
    if protocols.contains(&Protocol::Udp) {
        claims.extend(wireguards(links, &families));
    }
    // Each request is a dump, except for the NFS server, which gives a single answer.
    let wanted: [(&[u8], u8, Message, Protocol); 3] = [
        (b"fou", 3, Message::Fou, Protocol::Udp),
        (b"l2tp", 4, Message::L2tp, Protocol::Udp),
        (b"mptcp_pm", 3, Message::Mptcp, Protocol::Tcp),
    ];
    for (name, command, message, protocol) in wanted {
        if let Some(id) = families.get(name).filter(|_| protocols.contains(&protocol)) {
            // Without CAP_NET_ADMIN the kernel does not report L2TP's tunnels.
            claims.extend(
                collect_dump(*id, command, &[], |bytes, claims: &mut Vec<Claim>| {
                    claims.extend(read_message(message, bytes));
                })
                .unwrap_or_default(),
            );
        }
    }
    if let Some(id) = families.get(b"nfsd".as_slice()) {
        const LISTENER_GET: u8 = 7;
        let answered = ask(Some(GENERIC), *id, &request(LISTENER_GET, &[]), *id, &mut |bytes| {
            claims.extend(read_message(Message::Nfsd, bytes));
        });
        // Before Linux 6.10 the family lacks this command, and a file has the list (`services`).
        let _without = answered.is_err();
    }
    claims
}

/// Returns the claims of WireGuard's interfaces alone.
pub(in crate::os) fn wireguard_claims(links: &[Link]) -> Vec<Claim> {
    match links.iter().any(|link| link.kind == KernelSocketKind::Wireguard && link.up) {
        true => wireguards(links, &families()),
        false => Vec::new(),
    }
}

fn wireguards(links: &[Link], families: &BTreeMap<Vec<u8>, u16>) -> Vec<Claim> {
    let interfaces = links.iter().filter(|link| link.kind == KernelSocketKind::Wireguard && link.up);
    let claim = |link: &Link| {
        let port = families.get(b"wireguard".as_slice()).and_then(|id| wireguard_port(*id, link.index));
        wireguard(link, port)
    };
    interfaces.filter_map(claim).collect()
}

/// Reads the claims in one message.
pub(in crate::os) fn read_message(message: Message, bytes: &[u8]) -> Vec<Claim> {
    let Some(bytes) = bytes.get(GENERIC_HEADER..) else { return Vec::new() };
    match message {
        Message::Fou => fou(bytes).into_iter().collect(),
        Message::L2tp => l2tp(bytes).into_iter().collect(),
        Message::Mptcp => mptcp(bytes),
        Message::Nfsd => nfsd(bytes),
    }
}

/// Returns the number of each registered family, by name.
fn families() -> BTreeMap<Vec<u8>, u16> {
    const GENL_ID_CTRL: u16 = 16;
    const CTRL_CMD_GETFAMILY: u8 = 3;
    const CTRL_ATTR_FAMILY_ID: u16 = 1;
    const CTRL_ATTR_FAMILY_NAME: u16 = 2;
    let read = |bytes: &[u8], families: &mut Vec<(Vec<u8>, u16)>| {
        let (mut id, mut name) = (None, None);
        attributes(bytes.get(GENERIC_HEADER..).unwrap_or_default(), |kind, value| match kind {
            CTRL_ATTR_FAMILY_ID => id = u16_at(value, 0),
            CTRL_ATTR_FAMILY_NAME => name = Some(value.strip_suffix(b"\0").unwrap_or(value).to_vec()),
            _ => {}
        });
        families.extend(name.zip(id));
    };
    collect_dump(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, &[], read).unwrap_or_default().into_iter().collect()
}

fn request(command: u8, attributes: &[u8]) -> Vec<u8> {
    const VERSION: u8 = 1;
    [&[command, VERSION, 0, 0], attributes].concat()
}

/// Collects what `read` finds in each message of a dump. Returns `None` if the dump failed.
fn collect_dump<T>(
    family: u16,
    command: u8,
    attributes: &[u8],
    read: impl Fn(&[u8], &mut Vec<T>),
) -> Option<Vec<T>> {
    let found = RefCell::new(Vec::new());
    let mut each = |bytes: &[u8]| read(bytes, &mut found.borrow_mut());
    let mut restart = || found.borrow_mut().clear();
    let request = request(command, attributes);
    dump(Some(GENERIC), family, &request, family, &mut each, &mut restart).ok()?;
    Some(found.into_inner())
}

/// Returns the port that an interface of WireGuard listens on. The request takes CAP_NET_ADMIN, because the answer holds
/// keys; only the port is read.
fn wireguard_port(family: u16, index: u32) -> Option<u16> {
    const WG_CMD_GET_DEVICE: u8 = 0;
    const WGDEVICE_A_IFINDEX: u16 = 1;
    let mut attribute = Vec::with_capacity(8);
    attribute.extend(8_u16.to_ne_bytes());
    attribute.extend(WGDEVICE_A_IFINDEX.to_ne_bytes());
    attribute.extend(index.to_ne_bytes());
    let read = |bytes: &[u8], ports: &mut Vec<u16>| ports.extend(wireguard_message(bytes));
    collect_dump(family, WG_CMD_GET_DEVICE, &attribute, read)?.first().copied()
}

fn wireguard_message(bytes: &[u8]) -> Option<u16> {
    const WGDEVICE_A_LISTEN_PORT: u16 = 6;
    let mut port = None;
    attributes(bytes.get(GENERIC_HEADER..)?, |kind, value| {
        if kind == WGDEVICE_A_LISTEN_PORT {
            port = u16_at(value, 0);
        }
    });
    port
}

/// Returns the socket of a WireGuard interface. One that is up has a socket in each family, in the namespace in which
/// it was created.
fn wireguard(link: &Link, port: Option<u16>) -> Option<Claim> {
    (port != Some(0)).then(|| Claim {
        protocol: Protocol::Udp,
        port,
        family: None,
        bound: Bound::Wildcard,
        strength: if port.is_some() { Strength::Reported } else { Strength::Possible },
        kernel: KernelSocket { interface: Some(link.name.clone()), ..kernel_socket(link.kind) },
    })
}

/// Returns a receive port of foo-over-udp, or of GUE, which is the same with a header of its own.
fn fou(bytes: &[u8]) -> Option<Claim> {
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
    let family = match i32::from(family?) {
        libc::AF_INET => Family::Ipv4,
        libc::AF_INET6 => Family::Ipv6,
        _ => return None,
    };
    Some(Claim {
        protocol: Protocol::Udp,
        port: Some(port?),
        family: Some(family),
        bound: bound(local),
        strength: Strength::Reported,
        kernel: kernel_socket(kind),
    })
}

/// Returns a tunnel of L2TP over UDP. Its socket was opened by the kernel, or by a process that passed it on.
fn l2tp(bytes: &[u8]) -> Option<Claim> {
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
    Some(Claim {
        protocol: Protocol::Udp,
        port: Some(port?),
        family: None,
        bound: bound(local),
        strength: Strength::Fixed,
        kernel: KernelSocket { id: Some(id?), ..kernel_socket(KernelSocketKind::L2tp) },
    })
}

/// Returns the endpoints with a port, on which the path manager listens.
fn mptcp(bytes: &[u8]) -> Vec<Claim> {
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
            claims.push(Claim {
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
fn nfsd(bytes: &[u8]) -> Vec<Claim> {
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
            claims.push(Claim {
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
    let at = match i32::from(u16_at(value, 0)?) {
        libc::AF_INET => address(value.get(4..8)?)?,
        libc::AF_INET6 => address(value.get(8..24)?)?,
        _ => return None,
    };
    Some(SocketAddr::new(at, port))
}

fn bound(local: Option<IpAddr>) -> Bound {
    local.filter(|local| !local.is_unspecified()).map_or(Bound::Wildcard, Bound::Address)
}

#[cfg(test)]
mod tests;
