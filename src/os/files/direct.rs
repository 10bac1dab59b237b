//! What a file is, and small files, for the little that is read of other people's folders.

#[cfg(not(target_os = "linux"))]
use std::path::{Path, PathBuf};
#[cfg(not(target_os = "linux"))]
use std::time::Instant;

/// The most that is read of a file.
pub(in crate::os) const LONGEST_SMALL: usize = 4096;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::os) struct Status {
    /// The type, as the upper bits of a Unix file's mode.
    pub(in crate::os) mode: u32,
    pub(in crate::os) size: u64,
    pub(in crate::os) device: u64,
    pub(in crate::os) inode: u64,
}

/// The bits of the type, and three types (inode(7)).
const TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
#[cfg(target_os = "linux")]
const SOCKET: u32 = 0o140_000;

impl Status {
    pub(in crate::os) fn is_directory(&self) -> bool {
        self.mode & TYPE == DIRECTORY
    }

    pub(in crate::os) fn is_link(&self) -> bool {
        self.mode & TYPE == LINK
    }

    #[cfg(target_os = "linux")]
    pub(in crate::os) fn is_socket(&self) -> bool {
        self.mode & TYPE == SOCKET
    }

    pub(in crate::os) fn is_regular(&self) -> bool {
        self.mode & TYPE == REGULAR
    }

    /// Whether it is a regular file that is small.
    pub(in crate::os) fn is_small_file(&self) -> bool {
        self.is_regular() && self.size <= LONGEST_SMALL as u64
    }
}

/// Folders of this machine, asked directly.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(in crate::os) struct Files;

#[cfg(not(target_os = "linux"))]
impl Files {
    /// `until` is kept by whoever waits for the thread that asks.
    pub(in crate::os) fn new(_until: Instant) -> Files {
        Files
    }

    /// Returns what a path leads to, or with `follow` what a link at its end leads to.
    #[expect(clippy::unused_self, reason = "it keeps something on Linux")]
    pub(in crate::os) fn status(&mut self, path: &Path, follow: bool) -> Option<Status> {
        let found = if follow { path.metadata() } else { path.symlink_metadata() }.ok()?;
        let kind = found.file_type();
        let mode = match () {
            () if kind.is_dir() => DIRECTORY,
            () if kind.is_file() => REGULAR,
            () if kind.is_symlink() => LINK,
            () => 0,
        };
        Some(Status { mode, size: found.len(), ..Status::default() })
    }

    /// Returns the first of these names that a folder has.
    pub(in crate::os) fn first_of<'a>(&mut self, folder: &Path, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.status(&folder.join(name), false).is_some())
    }

    /// Returns where a link leads.
    #[expect(clippy::unused_self, reason = "it keeps something on Linux")]
    pub(in crate::os) fn link(&mut self, path: &Path) -> Option<PathBuf> {
        path.read_link().ok()
    }

    /// Reads a regular file that is small. Nothing else is opened: a FIFO would wait for a writer.
    pub(in crate::os) fn small_file(&mut self, path: &Path) -> Option<Vec<u8>> {
        use std::io::Read;
        self.status(path, false).filter(Status::is_small_file)?;
        let file = open(path).ok()?;
        // It may have become another one meanwhile.
        file.metadata().ok().filter(|found| found.is_file() && found.len() <= LONGEST_SMALL as u64)?;
        let mut bytes = Vec::new();
        file.take(LONGEST_SMALL as u64 + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() <= LONGEST_SMALL).then_some(bytes)
    }

    /// Whether a process's working directory is the one that this path names here: processes have one root.
    #[expect(clippy::unused_self, reason = "it keeps something on Linux")]
    pub(in crate::os) fn is_working_directory(&mut self, _pid: u32, _path: &Path) -> bool {
        true
    }

    /// Whether something was not answered since this was asked last.
    #[expect(clippy::unused_self, reason = "it keeps something on Linux")]
    pub(in crate::os) fn missed(&mut self) -> Option<String> {
        None
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn open(path: &Path) -> std::io::Result<std::fs::File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::File::open(path)
}
