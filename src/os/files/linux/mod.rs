//! Reads folders and files of this machine: directly if that is certain not to wait for another machine or another
//! process, otherwise by a child process that can be abandoned.

pub(in crate::os) mod file_child;
pub(in crate::os) mod mounts;

use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::time::Instant;

use rustix::fs::{AtFlags, CWD, Stat};
use rustix::io::Errno;

use super::status::{LONGEST_SMALL, Status, TYPE};
use file_child::{Child, NoReply, Operation, Reply, read_small};
use mounts::{Mounts, OwnView, Route};

/// Returns the path of the machine's services file.
#[cfg(feature = "cli")]
pub(in crate::os) fn services_path() -> PathBuf {
    "/etc/services".into()
}

/// The type of a Unix socket (inode(7)).
const SOCKET: u32 = 0o140_000;

impl Status {
    #[expect(clippy::unnecessary_cast, reason = "the fields have other types on other processors")]
    pub(in crate::os) fn from_stat(stat: &Stat) -> Status {
        Status {
            mode: stat.st_mode as u32,
            size: stat.st_size as u64,
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
        }
    }

    pub(in crate::os) fn from_parts(mode: u32, size: u64, device: u64, inode: u64) -> Status {
        Status { mode, size, device, inode }
    }

    pub(in crate::os) fn is_socket(&self) -> bool {
        self.mode & TYPE == SOCKET
    }
}

/// Reads folders and small files of this machine without waiting for a file system that does not answer.
#[derive(Debug)]
pub(in crate::os) struct Files {
    /// `None` if the mounts cannot be read: then no path is certain to be local.
    mounts: Option<Mounts>,
    /// Whose working directories are compared with paths of this process.
    own_view: OwnView,
    child: Option<Child>,
    until: Instant,
    /// Why no child can be started.
    refused: Option<String>,
    unanswered: bool,
}

impl Files {
    /// Returns a reader that waits for nothing after `until`.
    pub(in crate::os) fn new(until: Instant) -> Files {
        Files {
            mounts: Mounts::read(),
            own_view: OwnView::default(),
            child: None,
            until,
            refused: None,
            unanswered: false,
        }
    }

    /// Returns what is at a path. With `follow`, a link at its end is followed.
    pub(in crate::os) fn status(&mut self, path: &Path, follow: bool) -> Option<Status> {
        match self.route(path, follow) {
            Route::Local(path) => {
                let stat = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
                Some(Status::from_stat(&stat))
            }
            Route::Absent => None,
            Route::Remote => {
                let operation = if follow { Operation::Status } else { Operation::StatusOfLink };
                self.ask(operation, path).map(|reply| reply.status)
            }
        }
    }

    /// Returns the first of these names that a folder has.
    pub(in crate::os) fn first_of<'a>(&mut self, folder: &Path, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.status(&folder.join(name), false).is_some())
    }

    /// Returns the target of a link.
    pub(in crate::os) fn link(&mut self, path: &Path) -> Option<PathBuf> {
        let target = match self.route(path, false) {
            Route::Local(path) => rustix::fs::readlink(path, Vec::new()).ok()?.into_bytes(),
            Route::Absent => return None,
            Route::Remote => self.ask(Operation::ReadLink, path)?.data,
        };
        Some(PathBuf::from(OsString::from_vec(target)))
    }

    /// Reads a regular file that is small, and nothing else.
    pub(in crate::os) fn small_file(&mut self, path: &Path) -> Option<Vec<u8>> {
        match self.route(path, false) {
            Route::Local(path) => {
                let mut bytes = vec![0; LONGEST_SMALL + 1];
                let path = CString::new(path.as_os_str().as_bytes()).ok()?;
                let (_, length) = read_small(&path, &mut bytes).ok()?;
                bytes.truncate(length);
                Some(bytes)
            }
            Route::Absent => None,
            Route::Remote => self.ask(Operation::ReadSmall, path).map(|reply| reply.data),
        }
    }

    /// Returns whether a process's working directory is the one that this path names for this process: in a container
    /// the path may name another one.
    pub(in crate::os) fn is_working_directory(&mut self, pid: u32, path: &Path) -> bool {
        if let Some(known) = self.own_view.is_working_directory(pid, path) {
            return known;
        }
        // What is mounted in that process's namespace is not known for certain.
        let there = self.ask(Operation::Status, &PathBuf::from(format!("/proc/{pid}/cwd")));
        let there = there.map(|reply| (reply.status.device, reply.status.inode));
        there.is_some() && there == self.status(path, true).map(|here| (here.device, here.inode))
    }

    /// Returns why a request was not answered since the last call. `None` if all were.
    pub(in crate::os) fn take_failure(&mut self) -> Option<String> {
        let in_time = || "its file system did not answer in time".to_owned();
        std::mem::take(&mut self.unanswered).then(|| self.refused.clone().unwrap_or_else(in_time))
    }

    pub(in crate::os) fn route(&mut self, path: &Path, follow: bool) -> Route {
        if Instant::now() >= self.until {
            self.unanswered = true;
            return Route::Absent;
        }
        self.mounts.as_mut().map_or(Route::Remote, |mounts| mounts.route(path, follow))
    }

    fn ask(&mut self, operation: Operation, path: &Path) -> Option<Reply> {
        self.ask_for(operation, path)?.ok()
    }

    /// Sends the child a request. `None` if it did not answer.
    pub(in crate::os) fn ask_for(
        &mut self,
        operation: Operation,
        path: &Path,
    ) -> Option<Result<Reply, Errno>> {
        if self.child.is_none() && self.refused.is_none() {
            match Child::start() {
                Ok(child) => self.child = Some(child),
                Err(error) => self.refused = Some(format!("no process can be started to ask it: {error}")),
            }
        }
        match self.child.as_mut().map(|child| child.ask(operation, path, self.until)) {
            Some(Ok(reply)) => Some(Ok(reply)),
            Some(Err(NoReply::Refused(errno))) => Some(Err(errno)),
            Some(Err(NoReply::Timeout)) | None => {
                self.unanswered = true;
                None
            }
        }
    }
}

/// Runs `search` on this thread, and passes its results to `take`. Returns nothing: a child process reads file systems
/// that may not answer, so that none of them blocks this thread.
pub(in crate::os) fn search_in_time<T: Send + 'static>(
    until: Instant,
    search: impl FnOnce(&mut Files, &mut dyn FnMut(T) -> bool) + Send + 'static,
    take: &mut dyn FnMut(T),
) -> Option<String> {
    search(&mut Files::new(until), &mut |found| {
        take(found);
        true
    });
    None
}

/// A file on a file system that may not answer.
struct RemoteFile {
    child: Child,
    /// The unread rest of the last piece.
    rest: io::Cursor<Vec<u8>>,
}

/// The timeout for one piece of a file.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a file for reading, with its length if it is a regular file of a file system that answers. Whatever its file system
/// does, no read waits for longer than ten seconds, and the process can exit at any time.
pub(in crate::os) fn open_file(path: &Path) -> io::Result<(Box<dyn io::Read>, Option<u64>)> {
    let whole = std::path::absolute(path)?;
    let route = Mounts::read().map_or(Route::Remote, |mut mounts| mounts.route(&whole, true));
    if route != Route::Remote {
        let file = std::fs::File::open(path)?;
        let length = super::regular_length(&file);
        return Ok((Box::new(file), length));
    }
    let mut child = Child::start()?;
    piece(&mut child, Operation::Open, &whole)?;
    Ok((Box::new(RemoteFile { child, rest: io::Cursor::default() }), None))
}

fn piece(child: &mut Child, operation: Operation, path: &Path) -> io::Result<Vec<u8>> {
    match child.ask(operation, path, Instant::now() + TIMEOUT) {
        Ok(reply) => Ok(reply.data),
        Err(NoReply::Refused(errno)) => Err(errno.into()),
        Err(NoReply::Timeout) => {
            let what = format!("its file system did not answer within {} s", TIMEOUT.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, what))
        }
    }
}

impl io::Read for RemoteFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.position() == self.rest.get_ref().len() as u64 {
            self.rest = io::Cursor::new(piece(&mut self.child, Operation::Read, Path::new("/"))?);
        }
        self.rest.read(buffer)
    }
}

/// Returns for each of these paths whether it is certain to be on local file systems only, so that a connection to it
/// waits for no file server.
pub(in crate::os) fn certainly_local(paths: &[PathBuf]) -> Vec<bool> {
    let mut mounts = Mounts::read();
    let mut is_local =
        |path: &PathBuf| mounts.as_mut().is_some_and(|mounts| mounts.route(path, true) != Route::Remote);
    paths.iter().map(&mut is_local).collect()
}

/// Returns whether this user can make a file at a path that does not exist yet. `None` if its file system may not
/// answer.
pub(in crate::os) fn can_make_file(path: &Path) -> Option<bool> {
    let parent = path.parent()?;
    if !certainly_local(&[parent.to_owned()]).contains(&true) {
        return None;
    }
    let needed = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    Some(rustix::fs::accessat(CWD, parent, needed, AtFlags::EACCESS).is_ok())
}
