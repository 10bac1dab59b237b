//! Cheap signs of containers on this machine, and whether a runtime stands in our network namespace.

use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::fs::{CWD, Mode, OFlags, RawDir};

use super::{namespace, procfs};

/// Whether containers seem to run whose ports the runtimes of the system may pass on by rules alone. Docker mounts the
/// network namespace of each container in the first of these folders (and its own as `default`); Podman and CNI in the
/// second, where other programs put theirs as well. Some microseconds where the folders are not there.
pub(in crate::os) fn containers_run() -> (bool, bool) {
    (has_entries(c"/run/docker/netns", b"default"), has_entries(c"/run/netns", b""))
}

fn has_entries(path: &std::ffi::CStr, but: &[u8]) -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(directory) = rustix::fs::openat(CWD, path, flags, Mode::empty()) else { return false };
    let mut buffer = [MaybeUninit::uninit(); 1024];
    let mut entries = RawDir::new(&directory, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." && name != but {
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
    Some(namespace::of_process(pid)? == namespace::own()?)
}

/// A process's command line, which everybody may read as a rule.
pub(in crate::os) fn command(pid: u32) -> Option<Vec<crate::Text>> {
    let bytes = procfs::read_at(CWD, format!("/proc/{pid}/cmdline").as_str(), 32 * 1024).ok()?;
    Some(super::holders::arguments(&bytes))
}
