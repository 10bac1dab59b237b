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

/// An interface of WireGuard that is up has a socket in each family, in the namespace in which it was created.
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

/// A receive port of foo-over-udp, and of GUE, which is the same with a header of its own.
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

/// A tunnel of L2TP over UDP. Its socket was opened by the kernel, or by a process that passed it on.
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

/// An endpoint with a port, for which the path manager listens.
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

/// The listeners of this namespace's NFS server.
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

/// An address of struct sockaddr_storage.
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
mod tests {
    use proptest::prelude::*;

    use super::super::bytes_of_hex as bytes;
    use super::*;

    /// Recorded on Linux 6.12.118, little-endian: `ip fou add port 5558 gue local 127.0.0.1`, `port 5557 ipproto 41 -6`,
    /// `port 5555 ipproto 4`.
    #[cfg(target_endian = "little")]
    #[test]
    fn receive_ports_of_fou() {
        let gue = bytes(
            "0301000005000200020000000600010015b6000006000a00000000000500030000000000050004000200000008000b0000000000\
             080006007f0000010800080000000000",
        );
        let claims = read_message(Message::Fou, &gue);
        assert_eq!(claims.len(), 1);
        assert_eq!((claims[0].port, claims[0].family), (Some(5558), Some(Family::Ipv4)));
        assert_eq!(claims[0].bound, Bound::Address("127.0.0.1".parse().unwrap()));
        assert_eq!(claims[0].kernel.kind, KernelSocketKind::Gue);
        let of_ipv6 = bytes(
            "03010000050002000a0000000600010015b5000006000a00000000000500030029000000050004000100000008000b0000000000\
             14000700000000000000000000000000000000001400090000000000000000000000000000000000",
        );
        let claims = read_message(Message::Fou, &of_ipv6);
        assert_eq!((claims[0].port, claims[0].family), (Some(5557), Some(Family::Ipv6)));
        assert_eq!(claims[0].bound, Bound::Wildcard);
        assert_eq!(claims[0].kernel.kind, KernelSocketKind::Fou);
    }

    /// Recorded on Linux 6.12.118: tunnel 3000 over UDP from 127.0.0.1 port 5000, and tunnel 3002 over IP.
    #[cfg(target_endian = "little")]
    #[test]
    fn tunnels_of_l2tp() {
        let over_udp = bytes(
            "04010000050007000300000008000900b80b000008000a00a00f0000080011000000000006000200000000007c001e000c000100\
             00000000000000000c00020000000000000000000c00030000000000000000000c00040000000000000000000c00050000000000\
             000000000c00060000000000000000000c000a0000000000000000000c00070000000000000000000c0008000000000000000000\
             0c000b00000000000000000005000d000000000006001a008813000006001b0070170000080018007f000001080019007f000001",
        );
        let claims = read_message(Message::L2tp, &over_udp);
        assert_eq!(claims.len(), 1);
        assert_eq!((claims[0].port, claims[0].kernel.id), (Some(5000), Some(3000)));
        assert_eq!(claims[0].bound, Bound::Address("127.0.0.1".parse().unwrap()));
        let over_ip = bytes(
            "04010000050007000300000008000900ba0b000008000a00a20f0000080011000000000006000200010000007c001e000c000100\
             00000000000000000c00020000000000000000000c00030000000000000000000c00040000000000000000000c00050000000000\
             000000000c00060000000000000000000c000a0000000000000000000c00070000000000000000000c0008000000000000000000\
             0c000b000000000000000000080018007f000001080019007f000001",
        );
        assert_eq!(read_message(Message::L2tp, &over_ip), []);
    }

    /// Recorded on Linux 7.3.4: `ip mptcp endpoint add 127.0.0.1 dev lo signal port 7777`, `::1 signal port 7778`,
    /// `127.0.0.2 subflow`.
    #[cfg(target_endian = "little")]
    #[test]
    fn endpoints_of_mptcp() {
        let claims = read_message(
            Message::Mptcp,
            &bytes(
                "0301000034000180060001000200000006000500611e0000050002000100000008000600010000000800070001000000\
                 080003007f000001",
            ),
        );
        assert_eq!(claims.len(), 1);
        assert_eq!((claims[0].port, claims[0].kernel.id), (Some(7777), Some(1)));
        assert_eq!(claims[0].bound, Bound::Address("127.0.0.1".parse().unwrap()));
        let claims = read_message(
            Message::Mptcp,
            &bytes(
                "0301000038000180060001000a00000006000500621e0000050002000200000008000600010000001400040000000000\
                 000000000000000000000001",
            ),
        );
        assert_eq!(claims[0].bound, Bound::Address("::1".parse().unwrap()));
        let without_port = bytes(
            "030100002c0001800600010002000000060005000000000005000200030000000800060002000000080003007f000002",
        );
        assert_eq!(read_message(Message::Mptcp, &without_port), []);
    }

    /// Recorded on Linux 7.3.4: an NFS server on port 2049, both families.
    #[cfg(target_endian = "little")]
    #[test]
    fn listeners_of_the_nfs_server() {
        let address = |family: &str| format!("{family}0801{}", "00".repeat(124));
        let listener =
            |family: &str| format!("9000018008000200746370008400 0100{}", address(family)).replace(' ', "");
        let message = format!("07010000{}{}", listener("0a00"), listener("0200"));
        let claims = read_message(Message::Nfsd, &bytes(&message));
        let told: Vec<_> = claims.iter().map(|claim| (claim.protocol, claim.port, claim.family)).collect();
        assert_eq!(
            told,
            [
                (Protocol::Tcp, Some(2049), Some(Family::Ipv6)),
                (Protocol::Tcp, Some(2049), Some(Family::Ipv4))
            ]
        );
        assert!(claims.iter().all(|claim| claim.bound == Bound::Wildcard));
        assert_eq!(read_message(Message::Nfsd, &bytes("07010000")), []);
    }

    /// Recorded on Linux 6.12.118, with other keys.
    #[cfg(target_endian = "little")]
    #[test]
    fn the_port_of_wireguard() {
        let device = format!(
            "00010000060006006cca00000800070000000000080001000a0000000800020077673000240003{}240004{}",
            "00".repeat(33),
            "01".repeat(33)
        );
        assert_eq!(wireguard_message(&bytes(&device)), Some(51820));
        assert_eq!(wireguard_message(&[0; 4]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for message in [Message::Fou, Message::L2tp, Message::Mptcp, Message::Nfsd] {
                let _ = read_message(message, &bytes);
            }
            let _ = wireguard_message(&bytes);
        }
    }
}
