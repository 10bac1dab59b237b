//! What a process sees: the files below its root directory, and the environment it was started with.
//!
//! Only regular files are opened, so that nothing waits and nothing is set off, and never out of the process's root: a
//! link in a container leads to a file of the container.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir, ResolveFlags};

use super::belonging::container_owner_by;
use super::{cgroup, procfs};
use crate::{ProcessId, Text};

/// The most that is read of an environment.
const LONGEST_ENVIRONMENT: u64 = 256 * 1024;
/// The most that is read of the list of a process's cgroups.
const LONGEST_CGROUPS: u64 = 32 * 1024;
/// The most names that are read of a folder.
const MOST_NAMES: usize = 4096;

/// Returns a regular file's content, if it is not longer than `limit`.
pub(in crate::os) fn file(viewer: ProcessId, path: &Text, limit: u64) -> Option<Vec<u8>> {
    let found = find(viewer, path)?;
    let stat = rustix::fs::fstat(&found).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut bytes = Vec::new();
    File::from(reopen(&found, OFlags::RDONLY)?).take(limit + 1).read_to_end(&mut bytes).ok()?;
    (u64::try_from(bytes.len()).ok()? <= limit).then_some(bytes)
}

/// Returns the names in a folder, sorted.
pub(in crate::os) fn folder(viewer: ProcessId, path: &Text) -> Option<Vec<Text>> {
    let folder = reopen(&find(viewer, path)?, OFlags::RDONLY | OFlags::DIRECTORY)?;
    let mut buffer = [MaybeUninit::uninit(); 8 * 1024];
    let mut entries = RawDir::new(&folder, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry.ok()?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(Text::from(name));
        }
        if names.len() > MOST_NAMES {
            return None;
        }
    }
    names.sort();
    Some(names)
}

/// Returns the value of a variable in the environment that a process was started with.
pub(in crate::os) fn variable(id: ProcessId, name: &str) -> Option<Text> {
    let directory = directory(id)?;
    let bytes = procfs::read_at(&directory, "environ", LONGEST_ENVIRONMENT).ok()?;
    is(&directory, id).then_some(())?;
    let value = |entry: &[u8]| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=").map(Text::from);
    bytes.split(|byte| *byte == 0).find_map(value)
}

/// Whether a process is in a pid namespace below this program's: it then has a pid in each of them
/// (proc_pid_status(5)).
pub(in crate::os) fn is_in_inner_pid_namespace(id: ProcessId) -> bool {
    let status = directory(id).and_then(|directory| procfs::read_at(&directory, "status", 16 * 1024).ok());
    status.is_some_and(|status| {
        let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"));
        let pids = line.map(|line| line.split(u8::is_ascii_whitespace).filter(|pid| !pid.is_empty()).count());
        pids.is_some_and(|pids| pids > 1)
    })
}

/// Returns the user whose engine made the container that a process is in, 0 for the system's, by the place of its cgroup.
pub(in crate::os) fn container_owner(id: ProcessId) -> Option<u32> {
    let directory = directory(id)?;
    let bytes = procfs::read_at(&directory, "cgroup", LONGEST_CGROUPS).ok()?;
    is(&directory, id).then_some(())?;
    let unified = cgroup::of_process(&bytes);
    unified.as_deref().into_iter().chain(cgroup::of_process_elsewhere(&bytes)).find_map(container_owner_by)
}

/// The /proc directory of exactly this process.
fn directory(id: ProcessId) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(format!("/proc/{}", id.pid), flags, Mode::empty()).ok()?;
    is(&directory, id).then_some(directory)
}

fn is(directory: &OwnedFd, id: ProcessId) -> bool {
    procfs::stat(directory).is_some_and(|stat| id.start.is_none_or(|start| start == stat.start))
}

/// A file or folder as the process sees it, not opened for reading.
fn find(viewer: ProcessId, path: &Text) -> Option<OwnedFd> {
    let path = Path::new(OsStr::from_bytes(path.as_bytes()));
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let process = directory(viewer)?;
    match rustix::fs::openat(&process, "root", flags | OFlags::DIRECTORY, Mode::empty()) {
        Ok(root) => {
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            let relative = path.strip_prefix("/").ok()?;
            match rustix::fs::openat2(root, relative, flags, Mode::empty(), resolve) {
                // Linux before 5.6, and filters of system calls that do not know this one.
                Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM)
                    if !is_in_inner_pid_namespace(viewer) =>
                {
                    rustix::fs::openat(CWD, path, flags, Mode::empty()).ok()
                }
                found => found.ok(),
            }
        }
        // Another user's root directory may not be looked through. Outside of containers it is the same as here.
        Err(_) if path.is_absolute() && !is_in_inner_pid_namespace(viewer) => {
            rustix::fs::openat(CWD, path, flags, Mode::empty()).ok()
        }
        Err(_) => None,
    }
}

fn reopen(found: &OwnedFd, flags: OFlags) -> Option<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    rustix::fs::open(path, flags, Mode::empty()).ok()
}
