//! The cgroup v2 tree: finds a cgroup by its id, the processes in it, and the cgroup of a process. `cgroup_owner` finds
//! the service and the container in a cgroup's path.
//!
//! Every user may read the tree, so that it identifies the service of another user's socket even if the holder is
//! hidden.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, OsStr};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;

use crate::model::compact::CompactCollect as _;
use crate::os::linux_api::procfs;
use crate::os::parse::linux::cgroup_file::{parse_members, unified};
use crate::os::parse::linux::cgroup_mounts::{Mount, cgroup2_mounts};

/// The deepest level that is searched; the kernel allows any depth.
const DEEPEST: usize = 64;
/// The most directory entries that are read in one search. A cgroup has some 20 to 60 files.
const MOST_ENTRIES: usize = 200_000;
/// The most processes that are listed of one cgroup.
const MOST_MEMBERS: usize = 10_000;
/// The most bytes that are read of one file.
const LONGEST_FILE: u64 = 1 << 20;

/// A cgroup in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Cgroup {
    /// Its id, which is its directory's inode number.
    pub(in crate::os) id: u64,
    /// Its path in the tree, as /proc/PID/cgroup has it: `/system.slice/nginx.service`.
    pub(in crate::os) path: Vec<u8>,
    /// Its directory in the file system.
    pub(in crate::os) directory: PathBuf,
}

/// Returns the cgroups with these ids, without those that were removed meanwhile or that no mount shows.
pub(in crate::os) fn paths(ids: &[u64]) -> BTreeMap<u64, Cgroup> {
    if ids.is_empty() {
        return BTreeMap::new();
    }
    let Some((mount, root)) = root() else { return BTreeMap::new() };
    find(&mount, &root, ids)
}

/// Returns the root directory of the cgroup v2 tree, or of the part that is mounted.
fn root() -> Option<(Mount, OwnedFd)> {
    let mounts = procfs::read_at(rustix::fs::CWD, "/proc/self/mountinfo", u64::MAX).ok()?;
    cgroup2_mounts(&mounts).into_iter().find_map(|mount| {
        let directory = open(rustix::fs::CWD, mount.point.as_slice()).ok()?;
        // Something else may be mounted over it. The number is CGROUP2_SUPER_MAGIC of the kernel's magic.h.
        let is_tree =
            rustix::fs::fstatfs(&directory).is_ok_and(|filesystem| filesystem.f_type == 0x6367_7270);
        is_tree.then_some((mount, directory))
    })
}

/// Opens the directory of the cgroup v2 that the calling process is in. `None` if the tree is not mounted, or does not
/// show that cgroup.
pub(in crate::os) fn own() -> Option<OwnedFd> {
    let bytes = procfs::read_at(rustix::fs::CWD, "/proc/thread-self/cgroup", LONGEST_FILE).ok()?;
    let (mount, root) = root()?;
    match mount.below(unified(&bytes)?)? {
        b"" => Some(root),
        below => open(&root, below).ok(),
    }
}

fn find(mount: &Mount, root: &OwnedFd, ids: &[u64]) -> BTreeMap<u64, Cgroup> {
    let mut wanted: BTreeSet<u64> = ids.iter().copied().collect_set();
    let mut found = BTreeMap::new();
    // If the mount shows a part of the tree, the cgroups above that part belong to the path. Ancestors of this
    // process's cgroup namespace are written `/..` there, as in /proc/PID/cgroup.
    let above: &[u8] = if mount.root == b"/" { b"" } else { &mount.root };
    visit(root.as_fd(), &mut |below, id| {
        if wanted.remove(&id) {
            let mut path = above.to_vec();
            let mut directory = PathBuf::from(OsStr::from_bytes(&mount.point));
            if !below.is_empty() {
                path.push(b'/');
                path.extend_from_slice(below);
                directory.push(OsStr::from_bytes(below));
            }
            if path.is_empty() {
                path.push(b'/');
            }
            found.insert(id, Cgroup { id, path, directory });
        }
        if wanted.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// Returns the pids of the processes in a cgroup and in the cgroups below it (a service may create such), ascending.
/// For the root these are all processes of the machine. Processes outside of this pid namespace have no pid here. A
/// cgroup that was removed has no members, even if a new one has its name.
pub(in crate::os) fn members(cgroup: &Cgroup) -> Vec<u32> {
    let mut pids = Vec::new();
    let Ok(directory) = open(rustix::fs::CWD, cgroup.directory.as_path()) else { return pids };
    if !rustix::fs::fstat(&directory).is_ok_and(|stat| stat.st_ino == cgroup.id) {
        return pids;
    }
    visit(directory.as_fd(), &mut |below, _| {
        let file = Path::new(OsStr::from_bytes(below)).join("cgroup.procs");
        // A threaded cgroup refuses this; its processes are listed by the cgroup above it.
        if let Ok(bytes) = procfs::read_at(&directory, file.as_path(), LONGEST_FILE) {
            pids.extend(parse_members(&bytes));
        }
        if pids.len() < MOST_MEMBERS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    pids.sort_unstable();
    pids.dedup();
    pids.truncate(MOST_MEMBERS);
    pids
}

fn open(parent: impl AsFd, path: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(parent, path, flags, Mode::empty())
}

/// Calls `each` for a cgroup and all below it until it breaks, parents before children, with the path relative to the
/// first one (whose own is empty) and the id. Cgroups that may not be read are skipped.
fn visit(root: BorrowedFd<'_>, each: &mut dyn FnMut(&[u8], u64) -> ControlFlow<()>) {
    let Ok(stat) = rustix::fs::fstat(root) else { return };
    if each(b"", stat.st_ino).is_break() {
        return;
    }
    let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
    let mut visitor = Visitor { each, path: Vec::new(), entries_left: MOST_ENTRIES, buffer: &mut buffer };
    let _ = visitor.descend(root, subdirectories(&stat), 0);
}

/// Returns the number of directories in a directory: its link count minus two. A link count of zero or one means that
/// the file system does not count links, not that it has no directories.
fn subdirectories(directory: &Stat) -> usize {
    let links = usize::try_from(directory.st_nlink).unwrap_or(usize::MAX);
    links.checked_sub(2).unwrap_or(usize::MAX)
}

struct Visitor<'a> {
    each: &'a mut dyn FnMut(&[u8], u64) -> ControlFlow<()>,
    /// Its path, relative to the first directory.
    path: Vec<u8>,
    entries_left: usize,
    buffer: &'a mut [MaybeUninit<u8>],
}

impl Visitor<'_> {
    /// Visits what is below a directory with so many subdirectories. Most have none, and listing one costs ten times as
    /// much as reading its link count, because each has dozens of files.
    fn descend(&mut self, directory: BorrowedFd<'_>, children: usize, depth: usize) -> ControlFlow<()> {
        if children == 0 || depth == DEEPEST {
            return ControlFlow::Continue(());
        }
        let names = self.list(directory, children)?;
        for name in &names {
            let Ok(stat) = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let children = subdirectories(&stat);
            if children == 0 {
                continue;
            }
            let Ok(child) = open(directory, name) else { continue };
            let length = self.path.len();
            append(&mut self.path, name);
            self.descend(child.as_fd(), children, depth + 1)?;
            self.path.truncate(length);
        }
        ControlFlow::Continue(())
    }

    /// Calls `each` for a directory's subdirectories, and returns their names.
    fn list(&mut self, directory: BorrowedFd<'_>, children: usize) -> ControlFlow<(), Vec<CString>> {
        let mut names = Vec::new();
        let mut entries = RawDir::new(directory, self.buffer);
        while names.len() < children {
            let Some(Ok(entry)) = entries.next() else { break };
            if self.entries_left == 0 {
                return ControlFlow::Break(());
            }
            self.entries_left -= 1;
            let name = entry.file_name();
            if entry.file_type() != FileType::Directory || name == c"." || name == c".." {
                continue;
            }
            let length = self.path.len();
            append(&mut self.path, name);
            let shown = (self.each)(&self.path, entry.ino());
            self.path.truncate(length);
            shown?;
            names.push(name.to_owned());
        }
        ControlFlow::Continue(names)
    }
}

fn append(path: &mut Vec<u8>, name: &CStr) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.to_bytes());
}

#[cfg(test)]
mod tests;
