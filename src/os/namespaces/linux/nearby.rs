//! Finds listeners in other network namespaces for a hint, within a few milliseconds. Namespaces that are kept only by
//! mounts in other mount namespaces, by descriptors or by sockets are left to `--all-namespaces`.

use std::os::fd::AsFd;

use rustix::fs::{CWD, Mode, OFlags};

use super::listed_sockets::INTERNET;
use super::search::Search;
use super::{Namespace, in_each, is_own, own};
use crate::model::Protocol;
use crate::model::compact::CompactSort as _;
use crate::os::descriptors::sys as descriptors;
use crate::os::linux_api::inet_diag;
use crate::os::linux_api::inet_diag::States;
use crate::os::linux_api::netlink::dump;
use crate::os::linux_api::pid_namespace;
use crate::os::linux_api::procfs;
use crate::os::parse::linux::kernel_release;
use crate::os::parse::linux::rtnetlink::leads_elsewhere;
use crate::os::table_request::InetTable;
use crate::os::{OtherNamespaces, OwnNetwork};

/// The most namespaces that are searched: each takes a tenth of a millisecond.
const MOST: usize = 64;
/// The most bytes that are read of a table in /proc: the TCP tables begin with the listeners.
const LONGEST_TABLE: u64 = 64 * 1024;

/// The first network namespace, since Linux 6.18 (NET_NS_INIT_INO in the kernel's linux/nsfs.h). In earlier versions
/// its number depends on the machine.
const FIRST: u64 = 4_026_531_833;
/// The kernel thread that starts the others. It never leaves the first namespaces.
const KTHREADD: u32 = 2;

/// Returns the other network namespaces in which something listens on these ports, as far as that can be found quickly.
pub(in crate::os) fn listening_in_other_namespaces(
    ports: &[u16],
    protocols: &[Protocol],
) -> Vec<OtherNamespaces> {
    let Some(own) = own() else { return Vec::new() };
    let mut search = Search::new(own, false);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(proc) = rustix::fs::open("/proc", flags, Mode::empty()) else { return Vec::new() };
    let Ok(pids) = descriptors::processes(&proc) else { return Vec::new() };
    search.processes(proc.as_fd(), &pids);
    search.named_mounts();
    let (namespaces, _) = search.finish();
    let mut found: Vec<OtherNamespaces> = Vec::new();
    let namespaces = namespaces.get(..MOST).unwrap_or(&namespaces);
    let listening = in_each(namespaces, |_| by_netlink(ports, protocols));
    for (namespace, listening) in namespaces.iter().zip(listening) {
        let listening = listening.unwrap_or_else(|_| by_proc(namespace, ports, protocols));
        for port in listening {
            match found.iter_mut().find(|known| known.port == port) {
                Some(known) => known.namespaces.push(namespace.name.clone()),
                None => found.push(OtherNamespaces { port, namespaces: vec![namespace.name.clone()] }),
            }
        }
    }
    found.compact_sort_by_key(|found| found.port);
    found
}

/// Returns the ports among these that have a listener in this thread's namespace.
fn by_netlink(ports: &[u16], protocols: &[Protocol]) -> Vec<u16> {
    let listens = |port: u16| {
        let mut tables = INTERNET.iter().filter(|(protocol, _)| protocols.contains(protocol));
        tables.any(|(protocol, family)| {
            let table = InetTable { protocol: *protocol, family: *family };
            let entries = inet_diag::sockets(table, States::Listeners, Some(port)).unwrap_or_default();
            entries.iter().any(|entry| entry.local.port() == port && entry.peer.is_none())
        })
    };
    ports.iter().copied().filter(|port| listens(*port)).collect()
}

/// Returns the same for a namespace that may not be entered.
fn by_proc(namespace: &Namespace, ports: &[u16], protocols: &[Protocol]) -> Vec<u16> {
    const LISTEN: u8 = 10;
    const UNCONNECTED: u8 = 7;
    let Some(directory) = namespace.proc_net() else { return Vec::new() };
    let mut listening = Vec::new();
    for (name, protocol, state) in [
        ("tcp", Protocol::Tcp, LISTEN),
        ("tcp6", Protocol::Tcp, LISTEN),
        ("udp", Protocol::Udp, UNCONNECTED),
        ("udp6", Protocol::Udp, UNCONNECTED),
    ] {
        if !protocols.contains(&protocol) {
            continue;
        }
        let table = procfs::read_at(&directory, name, LONGEST_TABLE).unwrap_or_default();
        let rows = procfs::parse_net(&table).into_iter().map(|(_, row)| row);
        listening
            .extend(rows.filter(|row| row.state == state && row.peer.is_none()).map(|row| row.local.port()));
    }
    ports.iter().copied().filter(|port| listening.contains(port)).collect()
}

/// Returns the kind of network namespace that this thread is in. A container also has a pid namespace of its own; files
/// of container engines prove less, because machines are made from the same images.
pub(in crate::os) fn own_network() -> OwnNetwork {
    match is_first() {
        Some(true) => OwnNetwork::First,
        Some(false) if procfs::is_in_pid_namespace() => OwnNetwork::Containers,
        Some(false) => OwnNetwork::Other,
        None => OwnNetwork::Unknown,
    }
}

/// Returns whether this thread is in the machine's first network namespace. `None` if that is unknown.
fn is_first() -> Option<bool> {
    let own = own()?;
    if own == FIRST {
        return Some(true);
    }
    // The first pid namespace shows the kernel's own threads.
    if !procfs::is_in_pid_namespace() && pid_namespace::is_own() == Some(true) {
        let name = procfs::read_at(CWD, format!("/proc/{KTHREADD}/comm"), 32).unwrap_or_default();
        if name.trim_ascii_end() == b"kthreadd" {
            return is_own(KTHREADD);
        }
    }
    (numbers_are_fixed() || links_lead_elsewhere()).then_some(false)
}

/// Returns whether the first network namespace has a fixed number: since Linux 6.18.
fn numbers_are_fixed() -> bool {
    let release = rustix::system::uname();
    kernel_release::version(release.release().to_bytes()) >= Some((6, 18))
}

/// Returns whether every link, except those that each namespace has of its own, is connected to a link of another
/// namespace, as one end of a pair or on top of it (IFLA_LINK_NETNSID). That is so in a container, and not on a
/// machine.
fn links_lead_elsewhere() -> bool {
    const RTM_NEWLINK: u16 = 16;
    const RTM_GETLINK: u16 = 18;
    let links: std::cell::RefCell<Vec<bool>> = std::cell::RefCell::default();
    let mut each = |message: &[u8]| links.borrow_mut().extend(leads_elsewhere(message));
    let dumped =
        dump(None, RTM_GETLINK, &[0; 16], RTM_NEWLINK, &mut each, &mut || links.borrow_mut().clear());
    let links = links.into_inner();
    dumped.is_ok() && !links.is_empty() && links.iter().all(|leads| *leads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_namespace_is_distinguished_from_others() {
        if is_first() != Some(true) {
            eprintln!("skipped: needs the machine's first network namespace");
            return;
        }
        assert_eq!(own_network(), OwnNetwork::First);
        let entered = crate::os::threads::run_on_new_thread(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).ok()?;
            Some(is_first())
        });
        match entered.unwrap() {
            Some(first) => assert_eq!(first, Some(false)),
            None => eprintln!("skipped: needs root"),
        }
    }
}
