//! The files that a process sees: those below its root directory.
//!
//! Only regular files on local file systems are opened, so that nothing blocks and nothing is triggered, and never
//! outside the process's root directory: a link in a container leads to a file of the container.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir, ResolveFlags};

use crate::model::compact::CompactSort as _;
use crate::model::{ProcessId, Text};
use crate::os::files::sys::certainly_local;
use crate::os::files::sys::mounts::Mounts;
use crate::os::linux_api::pid_namespace;
use crate::os::linux_api::procfs;

/// The most names that are read from a folder.
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
    names.compact_sort_by(Ord::cmp);
    Some(names)
}

/// Returns whether a process is in a pid namespace below that of /proc, or may be.
pub(in crate::os) fn is_in_inner_pid_namespace(id: ProcessId) -> bool {
    directory(id).is_none_or(|directory| !pid_namespace::contains(&directory))
}

/// Opens the /proc directory of exactly this process.
pub(super) fn directory(id: ProcessId) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(format!("/proc/{}", id.pid), flags, Mode::empty()).ok()?;
    is_process(&directory, id).then_some(directory)
}

fn is_process(directory: &OwnedFd, id: ProcessId) -> bool {
    procfs::stat(directory).is_some_and(|stat| id.start.is_none_or(|start| start == stat.start))
}

/// Opens a file or folder as the process sees it, not for reading. `None` also if its path leads over a file system
/// that may not answer, or out of the process's root directory.
fn find(viewer: ProcessId, path: &Text) -> Option<OwnedFd> {
    let path = Path::new(OsStr::from_bytes(path.as_bytes()));
    let relative = path.strip_prefix("/").ok()?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let process = directory(viewer)?;
    let link = |from: &OwnedFd, name| rustix::fs::readlinkat(from, name, Vec::new());
    let own = rustix::fs::readlink("/proc/self/ns/mnt", Vec::new()).ok()?;
    // Links of another user's process may not be read. Outside of containers it sees what this one sees.
    let same_mounts = match link(&process, "ns/mnt") {
        Ok(namespace) => namespace == own,
        Err(_) => pid_namespace::contains(&process),
    };
    if same_mounts {
        let in_chroot = link(&process, "root").is_ok_and(|root| root.as_bytes() != b"/");
        let local = certainly_local(&[path.to_path_buf()]) == [true];
        return (local && !in_chroot)
            .then(|| rustix::fs::openat(CWD, path, flags, Mode::empty()).ok())
            .flatten();
    }
    if Mounts::has_remote_root(&process) {
        return None;
    }
    let root = rustix::fs::openat(&process, "root", flags | OFlags::DIRECTORY, Mode::empty()).ok()?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    rustix::fs::openat2(root, relative, flags, Mode::empty(), resolve).ok()
}

fn reopen(found: &OwnedFd, flags: OFlags) -> Option<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    rustix::fs::open(path, flags, Mode::empty()).ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A process that is ended when this is dropped.
    struct Other(std::process::Child);

    impl Other {
        fn start() -> Other {
            Other(Command::new("sleep").arg("60").spawn().unwrap())
        }

        fn id(&self) -> ProcessId {
            let stat = procfs::stat(File::open(format!("/proc/{}", self.0.id())).unwrap()).unwrap();
            ProcessId { pid: self.0.id(), start: Some(stat.start) }
        }
    }

    impl Drop for Other {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    /// A folder of this test's own, removed when this is dropped.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("allears-{name}-{}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Folder(path)
        }

        fn path(&self, name: &str) -> Text {
            self.0.join(name).as_path().into()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn regular_files_alone_are_read() {
        let (other, folder) = (Other::start(), Folder::new("view"));
        std::fs::write(folder.0.join("conf"), "a=1").unwrap();
        std::os::unix::fs::symlink("conf", folder.0.join("link")).unwrap();
        std::os::unix::fs::symlink("loop", folder.0.join("loop")).unwrap();
        // An open blocks until there is a writer.
        rustix::fs::mkfifoat(CWD, folder.0.join("fifo"), Mode::RWXU).unwrap();
        let read = |name: &str, limit| file(other.id(), &folder.path(name), limit);
        assert_eq!(read("conf", 3).as_deref(), Some(&b"a=1"[..]));
        assert_eq!(read("link", 3).as_deref(), Some(&b"a=1"[..]));
        assert_eq!(read("conf", 2), None, "longer than what is read");
        for name in ["fifo", "loop", "absent", "."] {
            assert_eq!(read(name, 3), None, "{name}");
        }
        let names = super::folder(other.id(), &folder.path("")).unwrap();
        assert_eq!(names, ["conf", "fifo", "link", "loop"].map(Text::from));
        assert_eq!(file(other.id(), &"conf".into(), 3), None, "a path that is not absolute");
    }

    #[test]
    fn exactly_this_process_is_asked() {
        let other = Other::start();
        let id = other.id();
        assert!(!is_in_inner_pid_namespace(id));
        let earlier = ProcessId { start: id.start.map(|start| start + 1), ..id };
        assert!(is_in_inner_pid_namespace(earlier), "nothing is known of a process that has ended");
        assert_eq!(file(earlier, &"/proc/self/status".into(), 1 << 20), None);
    }
}
