//! Files that are opened directly, on systems that do not report which file systems may not answer.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Instant;

use super::status::{DIRECTORY, LINK, LONGEST_SMALL, REGULAR, Status};
use super::sys;
use crate::os::threads;

/// Reads folders and small files of this machine.
#[derive(Debug)]
pub(in crate::os) struct Files;

impl Files {
    /// Ignores `until`: the caller that waits for the reading thread keeps it.
    pub(in crate::os) fn new(_until: Instant) -> Files {
        Files
    }

    /// Returns what is at a path. With `follow`, a link at its end is followed.
    #[expect(clippy::unused_self, reason = "it has state on Linux")]
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

    /// Returns the target of a link.
    #[expect(clippy::unused_self, reason = "it has state on Linux")]
    pub(in crate::os) fn link(&mut self, path: &Path) -> Option<PathBuf> {
        path.read_link().ok()
    }

    /// Reads a regular file that is small. Nothing else is opened: a FIFO would wait for a writer.
    pub(in crate::os) fn small_file(&mut self, path: &Path) -> Option<Vec<u8>> {
        self.status(path, false).filter(Status::is_small_file)?;
        let file = sys::open_without_waiting(path).ok()?;
        // Another file may be at this path by now.
        file.metadata().ok().filter(|found| found.is_file() && found.len() <= LONGEST_SMALL as u64)?;
        let mut bytes = Vec::new();
        file.take(LONGEST_SMALL as u64 + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() <= LONGEST_SMALL).then_some(bytes)
    }

    /// Returns true: all processes have the same root, so that a path names the same directory in each.
    #[expect(clippy::unused_self, reason = "it has state on Linux")]
    pub(in crate::os) fn is_working_directory(&mut self, _pid: u32, _path: &Path) -> bool {
        true
    }

    /// Returns nothing: every request is answered, or blocks.
    #[expect(clippy::unused_self, reason = "it has state on Linux")]
    pub(in crate::os) fn take_failure(&mut self) -> Option<String> {
        None
    }
}

/// Runs `search` on a detached thread, which is abandoned if a file system hangs, and passes its results to `take` until
/// `until`. Returns why no thread could be started.
pub(in crate::os) fn search_in_time<T: Send + 'static>(
    until: Instant,
    search: impl FnOnce(&mut Files, &mut dyn FnMut(T) -> bool) + Send + 'static,
    take: &mut dyn FnMut(T),
) -> Option<String> {
    let (send, receive) = mpsc::channel();
    let work = move || search(&mut Files::new(until), &mut |found| send.send(found).is_ok());
    if let Err(error) = threads::detach("project", work) {
        return Some(format!("no thread can be started to read it: {error}"));
    }
    while let Ok(found) = receive.recv_timeout(until.saturating_duration_since(Instant::now())) {
        take(found);
    }
    None
}

/// Returns nothing: only Linux finds out whether a file can be made.
pub(in crate::os) fn can_make_file(_path: &Path) -> Option<bool> {
    None
}

/// Opens a file for reading, with its length if it is a regular file.
pub(in crate::os) fn open_file(path: &Path) -> std::io::Result<(Box<dyn Read>, Option<u64>)> {
    let file = std::fs::File::open(path)?;
    let length = super::regular_length(&file);
    Ok((Box::new(file), length))
}
