//! Cheap signs of containers on this machine, and whether a runtime is in this network namespace.

use std::cell::Cell;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir};

use crate::os::linux_api::netlink::dump;
use crate::os::linux_api::pid_namespace;
use crate::os::namespaces::sys as namespace;
use crate::os::parse::linux::rtnetlink::is_containers_link;

/// The folder in which Docker mounts the network namespace of each container, and its own as `default`.
const MOUNTS: &CStr = c"/run/docker/netns";

/// Returns whether containers seem to run to which rules of this network namespace may forward ports. Root sees the
/// network namespaces that Docker mounts, in a microsecond if there are none. Every other user sees the links that lead
/// to other network namespaces.
pub(in crate::os) fn containers_run() -> bool {
    match crate::os::users::own() {
        Some(0) => docker_namespaces(),
        _ => links_to_other_namespaces(),
    }
}

/// Returns whether this network namespace has a link of the kind that container runtimes make for each container.
fn links_to_other_namespaces() -> bool {
    const RTM_NEWLINK: u16 = 16;
    const RTM_GETLINK: u16 = 18;
    let found = Cell::new(false);
    let mut each = |message: &[u8]| found.set(found.get() || is_containers_link(message));
    // struct ifinfomsg: any family, any link.
    let read = dump(None, RTM_GETLINK, &[0; 16], RTM_NEWLINK, &mut each, &mut || found.set(false));
    read.is_ok() && found.get()
}

/// Returns whether Docker has mounted the network namespace of a container.
fn docker_namespaces() -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(directory) = rustix::fs::openat(CWD, MOUNTS, flags, Mode::empty()) else { return false };
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(&directory, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        if entry.file_type() == FileType::Directory || name == c"default" {
            continue;
        }
        // A container that has ended leaves an empty file for a while.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&directory, name, flags, Mode::empty());
        if file.is_ok_and(|file| namespace::number_of(&file).is_some()) {
            return true;
        }
    }
    false
}

/// Returns whether the peer of a Unix socket is in this process's network namespace: only then are its ports published
/// here. `None` if that may not be read.
pub(in crate::os) fn shares_network(socket: &impl AsFd) -> Option<bool> {
    // The pid is 0 if the peer is in a pid namespace that is not visible here.
    let peer = nix::sys::socket::getsockopt(socket, nix::sys::socket::sockopt::PeerCredentials).ok()?;
    let pid = u32::try_from(peer.pid()).ok().filter(|pid| *pid != 0)?;
    // The kernel returns the pid in this process's namespace; /proc may show another one.
    (pid_namespace::is_own() == Some(true)).then(|| namespace::is_own(pid))?
}
