//! Cheap signs of containers on this machine, and whether a runtime stands in our network namespace.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir};

use super::{namespace, pid_namespace, procfs};

/// Where Docker mounts the network namespace of each container, and its own as `default`.
const MOUNTS: &CStr = c"/run/docker/netns";

/// Whether containers seem to run whose ports Docker may pass on by rules alone. A microsecond where Docker is not
/// there. Podman leaves no port without a socket: conmon holds it.
pub(in crate::os) fn containers_run() -> bool {
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

/// Whether who listens at the other end of a Unix socket is in our network namespace: what it publishes is published
/// here only then. `None` where that may not be seen.
pub(in crate::os) fn shares_network(socket: &impl AsFd) -> Option<bool> {
    // Of a peer in a pid namespace that is not ours the number is 0.
    let peer = nix::sys::socket::getsockopt(socket, nix::sys::socket::sockopt::PeerCredentials).ok()?;
    let pid = u32::try_from(peer.pid()).ok().filter(|pid| *pid != 0)?;
    // The kernel tells the pid in our namespace; /proc may show another one.
    (pid_namespace::is_own() == Some(true)).then(|| namespace::is_own(pid))?
}

/// A process's command line, which everybody may read as a rule.
pub(in crate::os) fn command(pid: u32) -> Option<Vec<crate::Text>> {
    let bytes = procfs::read_at(CWD, format!("/proc/{pid}/cmdline").as_str(), 32 * 1024).ok()?;
    Some(super::pinned::arguments(&bytes))
}
