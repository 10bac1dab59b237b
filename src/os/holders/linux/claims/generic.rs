//! Ports that families of generic netlink report: WireGuard, foo-over-udp, L2TP, MPTCP's path manager and the NFS server.
//!
//! The list of families is read first, because a request for a family by its name makes the kernel load a module.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rustix::net::netlink::GENERIC;

use crate::model::compact::CompactCollect as _;
use crate::model::{KernelSocketKind, Protocol};
use crate::os::linux_api::netlink::{ask, dump};
use crate::os::parse::linux::kernel_sockets::KernelSocketReport;
use crate::os::parse::linux::kernel_sockets::generic_message::{self, Message, family, read_message};
use crate::os::parse::linux::kernel_sockets::link_message::Link;

/// Returns the claims of every registered family.
pub(in crate::os) fn claims(links: &[Link], protocols: &BTreeSet<Protocol>) -> Vec<KernelSocketReport> {
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
                collect_dump(*id, command, &[], |bytes, claims: &mut Vec<KernelSocketReport>| {
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

/// Returns the claims of WireGuard's interfaces only.
pub(in crate::os) fn wireguard_claims(links: &[Link]) -> Vec<KernelSocketReport> {
    match links.iter().any(|link| link.kind == KernelSocketKind::Wireguard && link.up) {
        true => wireguards(links, &families()),
        false => Vec::new(),
    }
}

fn wireguards(links: &[Link], families: &BTreeMap<Vec<u8>, u16>) -> Vec<KernelSocketReport> {
    let interfaces = links.iter().filter(|link| link.kind == KernelSocketKind::Wireguard && link.up);
    let claim = |link: &Link| {
        let port = families.get(b"wireguard".as_slice()).and_then(|id| wireguard_port(*id, link.index));
        link.wireguard_claim(port)
    };
    interfaces.filter_map(claim).collect()
}

/// Returns the number of each registered family, by name.
fn families() -> BTreeMap<Vec<u8>, u16> {
    const GENL_ID_CTRL: u16 = 16;
    const CTRL_CMD_GETFAMILY: u8 = 3;
    let read = |bytes: &[u8], families: &mut Vec<(Vec<u8>, u16)>| families.extend(family(bytes));
    collect_dump(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, &[], read).unwrap_or_default().into_iter().collect_map()
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
    let read = |bytes: &[u8], ports: &mut Vec<u16>| ports.extend(generic_message::wireguard_port(bytes));
    collect_dump(family, WG_CMD_GET_DEVICE, &attribute, read)?.first().copied()
}
