//! The files that a process was started from: the program's, and those that it was given as arguments. Whether they are
//! still there, and are still the same.
//!
//! The kernel has the program's path in the link /proc/PID/exe (proc_pid_exe(5)) and appends ` (deleted)` once that
//! name was removed or given to another file. A file may have such a name. A path on a file system that was unmounted
//! stays as it was below that file system; the mount's number (statx(2), Linux 5.8) is in no table then. The link
//! itself can be read without blocking: no path is resolved, and no server is asked (AT_STATX_DONT_SYNC).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::Errno;

use super::process_view;
use crate::model::{FileChange, Process, ProcessId, Text};
use crate::os::files::sys::mounts::{Mounts, Route};
use crate::os::linux_api::procfs;
use crate::os::parse::linux::mountinfo::mount_numbers;
use crate::os::parse::program_link::{deleted_path, is_memory_file};

/// More than the mounts of any machine.
const LONGEST_MOUNTS: u64 = 16 << 20;
/// The most bytes that are read of a file with options of java.
const LONGEST_OPTIONS: u64 = 64 * 1024;

/// Finds out what became of those files. What processes share is read once.
#[derive(Debug, Default)]
pub(in crate::os) struct ProgramFiles {
    mounts: Option<Option<Mounts>>,
    own_namespace: Option<Vec<u8>>,
    /// The numbers of mounts that are in a table, this process's or that of a process with other mounts.
    known: BTreeSet<u64>,
}

/// The result of looking up a path as one process sees it.
enum Lookup {
    File(Identity),
    Absent,
    /// It may not be looked up, or that might block.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: (u32, u32),
    inode: u64,
}

/// Returns the text of the link.
pub(in crate::os) fn link(directory: &impl AsFd) -> Option<Vec<u8>> {
    let link = rustix::fs::readlinkat(directory, "exe", Vec::new()).ok()?;
    Some(link.into_bytes()).filter(|link| !link.is_empty())
}

/// Files that processes were given as arguments, as each process sees them. What processes share is read once.
#[derive(Debug, Default)]
pub(crate) struct GivenFiles(ProgramFiles);

impl GivenFiles {
    /// Returns what became of the file at an absolute path. `None` also if that cannot be found out without waiting for
    /// another machine.
    pub(crate) fn change(&mut self, viewer: ProcessId, path: &Text) -> Option<FileChange> {
        let directory = process_view::directory(viewer)?;
        matches!(self.0.find(&directory, path.as_bytes()), Lookup::Absent).then_some(FileChange::Removed)
    }

    /// Reads up to 64 KiB of a regular file that has not changed since the process started, at a path relative to the
    /// process's directory. `None` if the process sees other files than this one.
    pub(crate) fn older_content(&mut self, process: &Process, path: &Text) -> Option<Vec<u8>> {
        let directory = process_view::directory(process.id)?;
        self.0.older_content(&directory, process, path)
    }
}

impl ProgramFiles {
    /// Sets the file that a process runs, from its link, and what became of it.
    pub(in crate::os) fn complete(
        &mut self,
        directory: &impl AsFd,
        link: Option<&[u8]>,
        process: &mut Process,
    ) {
        let Some(link) = link else {
            process.executable = None;
            return;
        };
        let (path, change) = self.program(directory, link);
        process.executable = Some(path.into());
        process.executable_change = change;
    }

    fn program<'a>(&mut self, directory: &impl AsFd, link: &'a [u8]) -> (&'a [u8], Option<FileChange>) {
        let flags = StatxFlags::INO | StatxFlags::MNT_ID;
        let running = rustix::fs::statx(directory, "exe", AtFlags::STATX_DONT_SYNC, flags).ok();
        let Some(path) = deleted_path(link) else {
            let unmounted = running.is_some_and(|running| {
                running.stx_mask & StatxFlags::MNT_ID.bits() != 0
                    && self.is_unmounted(directory, running.stx_mnt_id)
            });
            return (link, unmounted.then_some(FileChange::Unmounted));
        };
        if is_memory_file(link) {
            return (path, Some(FileChange::Memory));
        }
        let running = running.map(|running| Identity::from_stat(&running));
        match (self.find(directory, link), running) {
            (Lookup::File(found), Some(running)) if found == running => return (link, None),
            _ => {}
        }
        let change = match (self.find(directory, path), running) {
            (Lookup::Absent, _) => FileChange::Removed,
            // Another name of the very same file.
            (Lookup::File(found), Some(running)) if found == running => return (path, None),
            (Lookup::File(_), Some(_)) => FileChange::Replaced,
            (Lookup::File(_), None) | (Lookup::Unknown, _) => FileChange::Deleted,
        };
        (path, Some(change))
    }

    /// Returns whether a mount is neither in this process's table nor in that of the process that runs from it.
    fn is_unmounted(&mut self, directory: &impl AsFd, mount: u64) -> bool {
        if self.known.is_empty() {
            // Most programs are on the file system of the root directory.
            let root = rustix::fs::statx(CWD, "/", AtFlags::STATX_DONT_SYNC, StatxFlags::MNT_ID);
            self.known.extend(root.ok().map(|root| root.stx_mnt_id));
        }
        let mut is_in = |table: std::io::Result<Vec<u8>>| {
            let Ok(table) = table else { return true };
            self.known.extend(mount_numbers(&table));
            self.known.contains(&mount)
        };
        !(is_in(Ok(Vec::new()))
            || is_in(procfs::read_at(CWD, "/proc/self/mountinfo", LONGEST_MOUNTS))
            || is_in(procfs::read_at(directory, "mountinfo", LONGEST_MOUNTS)))
    }

    /// Reads a regular file that has not changed since the process started.
    fn older_content(&mut self, directory: &impl AsFd, process: &Process, path: &Text) -> Option<Vec<u8>> {
        let folder = process.directory.as_ref()?;
        let path = Path::new(OsStr::from_bytes(folder.as_bytes())).join(OsStr::from_bytes(path.as_bytes()));
        let place = self.local(directory, &path)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let wanted = StatxFlags::TYPE | StatxFlags::MTIME;
        let stat = rustix::fs::statx(CWD, &place, AtFlags::STATX_DONT_SYNC, wanted).ok()?;
        let is_regular =
            rustix::fs::FileType::from_raw_mode(stat.stx_mode.into()) == rustix::fs::FileType::RegularFile;
        let started = process.started_at?.as_second();
        if !is_regular || stat.stx_mtime.tv_sec > started {
            return None;
        }
        let file = rustix::fs::open(&place, flags, Mode::empty()).ok()?;
        let mut bytes = Vec::new();
        let mut file = std::io::Read::take(std::fs::File::from(file), LONGEST_OPTIONS);
        std::io::Read::read_to_end(&mut file, &mut bytes).ok()?;
        Some(bytes)
    }

    /// Returns a path over local file systems to the same file. `None` if the process sees other files than this one.
    fn local(&mut self, directory: &impl AsFd, path: &Path) -> Option<std::path::PathBuf> {
        if !self.sees_the_same(directory)? {
            return None;
        }
        match self.mounts.get_or_insert_with(Mounts::read).as_mut()?.route(path, true) {
            Route::Local(place) => Some(place),
            Route::Absent | Route::Remote => None,
        }
    }

    /// Returns whether a process has the mounts and the root directory of this one. `None` if that may not be read.
    fn sees_the_same(&mut self, directory: &impl AsFd) -> Option<bool> {
        let of = |from: &dyn Fn() -> rustix::io::Result<std::ffi::CString>| {
            from().ok().map(std::ffi::CString::into_bytes)
        };
        if self.own_namespace.is_none() {
            self.own_namespace = of(&|| rustix::fs::readlink("/proc/self/ns/mnt", Vec::new()));
        }
        let theirs = of(&|| rustix::fs::readlinkat(directory, "ns/mnt", Vec::new()))?;
        let root = of(&|| rustix::fs::readlinkat(directory, "root", Vec::new()))?;
        Some(Some(theirs) == self.own_namespace && root == b"/")
    }

    fn find(&mut self, directory: &impl AsFd, path: &[u8]) -> Lookup {
        let path = Path::new(OsStr::from_bytes(path));
        let Some(same) = self.sees_the_same(directory) else { return Lookup::Unknown };
        if !same {
            return find_inside(directory, path);
        }
        let mounts = self.mounts.get_or_insert_with(Mounts::read).as_mut();
        match mounts.map(|mounts| mounts.route(path, true)) {
            // A path that is absent is looked up again for the reason, which may be a missing permission.
            Some(Route::Local(_) | Route::Absent) => look_up(CWD, path),
            Some(Route::Remote) | None => Lookup::Unknown,
        }
    }
}

/// Looks up a file below the root directory of a process with mounts of its own, on the file system of that directory
/// alone.
fn find_inside(directory: &impl AsFd, path: &Path) -> Lookup {
    let Ok(relative) = path.strip_prefix("/") else { return Lookup::Unknown };
    if Mounts::has_remote_root(directory) {
        return Lookup::Unknown;
    }
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let Ok(root) = rustix::fs::openat(directory, "root", flags | OFlags::DIRECTORY, Mode::empty()) else {
        return Lookup::Unknown;
    };
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    match rustix::fs::openat2(root, relative, flags, Mode::empty(), resolve) {
        Ok(file) => look_up(file, Path::new("")),
        Err(Errno::NOENT | Errno::NOTDIR) => Lookup::Absent,
        Err(_) => Lookup::Unknown,
    }
}

fn look_up(from: impl AsFd, path: &Path) -> Lookup {
    let flags = AtFlags::STATX_DONT_SYNC | AtFlags::EMPTY_PATH;
    match rustix::fs::statx(from, path, flags, StatxFlags::INO) {
        Ok(stat) => Lookup::File(Identity::from_stat(&stat)),
        Err(Errno::NOENT | Errno::NOTDIR) => Lookup::Absent,
        Err(_) => Lookup::Unknown,
    }
}

impl Identity {
    fn from_stat(stat: &rustix::fs::Statx) -> Identity {
        Identity { device: (stat.stx_dev_major, stat.stx_dev_minor), inode: stat.stx_ino }
    }
}
