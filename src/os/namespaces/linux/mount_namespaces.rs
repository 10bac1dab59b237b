//! Network namespaces that are mounted in any mount namespace. The mount namespaces are entered one after another, on a
//! thread that was started for this: only inside are all their mounts listed, and reachable from their root.
//!
//! The kernel lists a mounted namespace as a mount of type `nsfs` whose root is `net:[NUMBER]` (proc_pid_mountinfo(5)). A
//! mount namespace can be kept by such a mount, too; it is entered in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{has_ended, number_in, number_of};
use crate::model::compact::CompactSort as _;
use crate::os::files::sys::mounts;
use crate::os::linux_api::procfs;
use crate::os::parse::linux::mountinfo::{NamespaceKind, NamespaceMount, namespace_mounts};
use crate::os::threads;

/// In bytes: more than the mounts of any mount namespace.
const LONGEST: u64 = 16 << 20;

/// A way to open a mount namespace.
#[derive(Debug)]
pub(in crate::os) enum NamespaceHandle {
    /// By this path.
    Path(String),
    /// It is open.
    File(OwnedFd),
}

/// The findings in the mounts.
#[derive(Debug, Default)]
pub(in crate::os) struct MountedNamespaces {
    /// Network namespaces by number, each open, or with the error of the attempt.
    pub(in crate::os) namespaces: BTreeMap<u64, Result<OwnedFd, Errno>>,
    /// The errors of the mount namespaces that could not be read.
    pub(in crate::os) failed: Vec<Errno>,
}

/// Searches the mount namespaces that are given by number, and those mounted in them. Network namespaces that are known
/// already are not opened.
///
/// # Errors
/// If there is no thread to enter them.
pub(in crate::os) fn search(
    found: BTreeMap<u64, NamespaceHandle>,
    known: &BTreeSet<u64>,
) -> io::Result<MountedNamespaces> {
    let mut search =
        Search { known, seen: found.keys().copied().collect(), mounted: MountedNamespaces::default() };
    let entered = threads::run_on_new_thread(|| {
        search.all(found)?;
        Ok(search.mounted)
    });
    entered?.map_err(|errno: Errno| errno.into())
}

struct Search<'a> {
    known: &'a BTreeSet<u64>,
    seen: BTreeSet<u64>,
    mounted: MountedNamespaces,
}

impl Search<'_> {
    fn all(&mut self, found: BTreeMap<u64, NamespaceHandle>) -> Result<(), Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // Opened before any other mount namespace is entered, which may have no /proc.
        let this_thread = rustix::fs::open("/proc/thread-self", flags, Mode::empty())?;
        let own = number_in(CWD, c"/proc/thread-self/ns/mnt", b"mnt:[");
        let root_is_remote = procfs::read_at(&this_thread, "mountinfo", LONGEST).is_ok_and(|table| {
            mounts::remote_mount_points(&table).iter().any(|place| place == Path::new("/"))
        });
        let mut rest: Vec<(u64, NamespaceHandle)> = found.into_iter().collect();
        // This thread's own takes no permission, and comes before another one is entered.
        rest.compact_sort_by_key(|(number, _)| own == Ok(*number));
        let mut is_alone = false;
        while let Some((number, entry)) = rest.pop() {
            if own != Ok(number) {
                if !is_alone {
                    leave_shared_root()?;
                    is_alone = true;
                }
                match enter(number, entry) {
                    Ok(()) => {}
                    // The process has ended, and its mounts with it, unless another known process shares them.
                    Err(errno) if has_ended(errno) => continue,
                    Err(errno) => {
                        self.mounted.failed.push(errno);
                        continue;
                    }
                }
            }
            match procfs::read_at(&this_thread, "mountinfo", LONGEST) {
                Ok(table) => self.table(this_thread.as_fd(), &table, root_is_remote, &mut rest),
                Err(error) => {
                    let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
                    self.mounted.failed.push(errno);
                }
            }
        }
        Ok(())
    }

    /// Opens the namespaces that the mounts of the entered mount namespace keep.
    fn table(
        &mut self,
        this_thread: BorrowedFd<'_>,
        table: &[u8],
        root_is_remote: bool,
        rest: &mut Vec<(u64, NamespaceHandle)>,
    ) {
        let mut mounts = namespace_mounts(table);
        mounts.retain(|mount| match mount.kind {
            NamespaceKind::Network => {
                let opened = self.mounted.namespaces.get(&mount.number).is_some_and(Result::is_ok);
                !opened && !self.known.contains(&mount.number)
            }
            NamespaceKind::Mount => !self.seen.contains(&mount.number),
        });
        if mounts.is_empty() {
            return;
        }
        let mut remote = mounts::remote_mount_points(table);
        // If our own root is remote, this program runs from it: a root that does not answer stops everything.
        remote.retain(|place| !(root_is_remote && place == Path::new("/")));
        for mount in mounts {
            // A path through a file system of another machine may never be looked up.
            let opened = match remote
                .iter()
                .any(|place| Path::new(OsStr::from_bytes(&mount.point)).starts_with(place))
            {
                true => Err(Errno::TIMEDOUT),
                false => open(this_thread, &mount),
            };
            match (mount.kind, opened) {
                (NamespaceKind::Network, Err(errno)) => {
                    self.mounted.namespaces.entry(mount.number).or_insert(Err(errno));
                }
                (NamespaceKind::Network, opened) => {
                    self.mounted.namespaces.insert(mount.number, opened);
                }
                (NamespaceKind::Mount, Ok(file)) => {
                    self.seen.insert(mount.number);
                    rest.push((mount.number, NamespaceHandle::File(file)));
                }
                (NamespaceKind::Mount, Err(errno)) => {
                    self.seen.insert(mount.number);
                    self.mounted.failed.push(errno);
                }
            }
        }
    }
}

/// Gives this thread a root and a working directory of its own: a thread that shares them may not change its mount
/// namespace (setns(2)).
fn leave_shared_root() -> Result<(), Errno> {
    #[expect(unsafe_code, reason = "unshare is unsafe for descriptor tables, which are not unshared here")]
    // SAFETY: the thread gets a root and a working directory of its own, and keeps its descriptors.
    let unshared = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::FS) };
    unshared
}

fn enter(number: u64, entry: NamespaceHandle) -> Result<(), Errno> {
    let file = match entry {
        NamespaceHandle::File(file) => file,
        NamespaceHandle::Path(path) => {
            rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?
        }
    };
    if number_of(&file) != Some(number) {
        return Err(Errno::SRCH);
    }
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Mount))
}

/// Opens a mounted namespace, if it is the one that the table names and no other mount covers it.
fn open(this_thread: BorrowedFd<'_>, mount: &NamespaceMount) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(mount.point.as_slice(), flags, Mode::empty())?;
    if number_of(&file) != Some(mount.number) {
        return Err(Errno::STALE);
    }
    // The file is known to be a namespace now, not a device or a pipe.
    let path = format!("fd/{}", file.as_raw_fd());
    rustix::fs::openat(this_thread, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}
