//! The kernel's own sockets in other network namespaces, and those of interfaces that were moved to another namespace:
//! their sockets stay in the namespace in which they were created.
//!
//! vxlan, geneve and bareudp interfaces report that namespace (IFLA_LINK_NETNSID). WireGuard's and GTP's do not (observed on
//! Linux 6.12 and 7.3): such an interface without a socket in its own namespace has it in another, unknown one.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{Mode, OFlags};

use super::{KernelSocketReports, generic, links};
use crate::model::{KernelSocketKind, Protocol, Socket, Text};
use crate::os::linux_api::netlink::ask;
use crate::os::namespaces::sys as namespace;
use crate::os::parse::linux::kernel_sockets::link_message::Link;
use crate::os::parse::linux::kernel_sockets::{KernelSocketReport, Strength};
use crate::os::parse::linux::rtnetlink::namespace_id;
use crate::os::table::sys as table;
use crate::os::{HolderSearch, Reader, TableRequest};

/// Reads the claims of sockets in these namespaces (`None` is this thread's own) from every namespace that may be entered.
/// For this thread's own namespace only interfaces in other namespaces are read. The namespaces are searched for in this
/// way.
pub(in crate::os) fn claims(
    wanted: &BTreeSet<Option<Text>>,
    protocols: &BTreeSet<Protocol>,
    search: HolderSearch,
) -> BTreeMap<Option<Text>, KernelSocketReports> {
    let base = request(protocols.contains(&Protocol::Tcp), protocols.contains(&Protocol::Udp));
    let request = TableRequest { namespaces: true, search, ..base };
    let (namespaces, _gaps_of_the_table) = namespace::others(&request);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let own = rustix::fs::open("/proc/thread-self/ns/net", flags, Mode::empty()).ok();
    let mut targets: Vec<(Option<Text>, BorrowedFd<'_>)> = Vec::new();
    targets.extend(own.as_ref().filter(|_| wanted.contains(&None)).map(|own| (None, own.as_fd())));
    for namespace in &namespaces {
        let name = Some(namespace.name.clone());
        targets.extend(namespace.handle().filter(|_| wanted.contains(&name)).map(|entry| (name, entry)));
    }
    let mut found: BTreeMap<Option<Text>, KernelSocketReports> = BTreeMap::new();
    let read = namespace::in_each(&namespaces, |namespace| {
        let name = Some(namespace.name.clone());
        let others: Vec<&(Option<Text>, BorrowedFd<'_>)> =
            targets.iter().filter(|(target, _)| *target != name).collect();
        NamespaceReports {
            claims: if wanted.contains(&name) {
                KernelSocketReports::read(protocols)
            } else {
                KernelSocketReports::default()
            },
            moved: if request.udp { moved(&others) } else { Vec::new() },
        }
    });
    for (namespace, read) in namespaces.iter().zip(read) {
        let Ok(read) = read else { continue };
        let name = Some(namespace.name.clone());
        if wanted.contains(&name) {
            found.entry(name.clone()).or_default().add(read.claims.0);
        }
        for (target, mut claim) in read.moved {
            claim.kernel.namespace.clone_from(&name);
            found.entry(target).or_default().add(vec![claim]);
        }
    }
    found
}

struct NamespaceReports {
    claims: KernelSocketReports,
    moved: Vec<(Option<Text>, KernelSocketReport)>,
}

/// Returns the sockets in these namespaces that belong to interfaces in this thread's namespace.
fn moved(targets: &[&(Option<Text>, BorrowedFd<'_>)]) -> Vec<(Option<Text>, KernelSocketReport)> {
    let links = links();
    let mut moved = Vec::new();
    for (target, entry) in targets {
        let number = links
            .iter()
            .any(|link| link.socket_namespace.is_some())
            .then(|| id_of_namespace(*entry))
            .flatten();
        let there = links.iter().filter(|link| link.socket_namespace.is_some_and(|id| Some(id) == number));
        moved.extend(there.flat_map(Link::claims).map(|claim| (target.clone(), claim)));
    }
    // It is unknown which namespace has the socket, so that this is evidence only if no process can have it.
    let mut unreported = generic::wireguard_claims(&links);
    let gtp = links.iter().filter(|link| link.kind == KernelSocketKind::Gtp);
    unreported.extend(gtp.flat_map(Link::claims));
    unreported.retain(|claim| {
        claim.port.is_some_and(|port| !sockets_at(port).iter().any(|one| claim.matches(one)))
    });
    for mut claim in unreported {
        claim.strength = Strength::Fixed;
        moved.extend(targets.iter().map(|(target, _)| (target.clone(), claim.clone())));
    }
    moved
}

/// Returns a request for listeners of both address families, read by netlink.
fn request(tcp: bool, udp: bool) -> TableRequest {
    TableRequest {
        tcp,
        udp,
        udplite: false,
        sctp_dccp: false,
        unix: false,
        ipv4: true,
        ipv6: true,
        all: false,
        port: None,
        namespaces: false,
        reader: Reader::Native,
        search: HolderSearch::Auto,
    }
}

/// Returns the UDP sockets with a port in this thread's namespace.
fn sockets_at(port: u16) -> Vec<Socket> {
    let request = TableRequest { port: Some(port), ..request(false, true) };
    let read = table::read(&request).map(|table| table.rows).unwrap_or_default();
    read.into_iter().map(|row| row.socket).collect()
}

/// Returns the id that this thread's namespace has for another one (RTM_GETNSID), if it has one.
fn id_of_namespace(entry: BorrowedFd<'_>) -> Option<i32> {
    const RTM_NEWNSID: u16 = 88;
    const RTM_GETNSID: u16 = 90;
    const NETNSA_FD: u16 = 3;
    // struct rtgenmsg and its padding, then one attribute.
    let mut request = vec![0; 4];
    request.extend(8_u16.to_ne_bytes());
    request.extend(NETNSA_FD.to_ne_bytes());
    request.extend(entry.as_raw_fd().to_ne_bytes());
    let mut number = None;
    ask(None, RTM_GETNSID, &request, RTM_NEWNSID, &mut |message| number = namespace_id(message).or(number))
        .ok()?;
    number
}
