//! Folders of this machine: asked directly if that is certain not to wait for another machine or another process, else
//! through a child process that can be left behind.

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

use super::direct::{LONGEST_SMALL, Status};
pub(in crate::os) use crate::os::table::sys::unix_files::can_make_file;
use file_child::{Child, Nothing, Operation, Reply, read_small};
use mounts::{Mounts, Route};

/// Returns the path of the machine's services file.
#[cfg(feature = "cli")]
pub(in crate::os) fn services_path() -> PathBuf {
    "/etc/services".into()
}

impl Status {
    #[expect(clippy::unnecessary_cast, reason = "the fields have other types on other processors")]
    pub(in crate::os) fn of(stat: &Stat) -> Status {
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
}

/// Folders of this machine.
#[derive(Debug)]
pub(in crate::os) struct Files {
    /// `None` if they cannot be read: then nothing is certain.
    mounts: Option<Mounts>,
    child: Option<Child>,
    until: Instant,
    /// Why no child is asked.
    refused: Option<String>,
    missed: bool,
}

impl Files {
    /// Nothing is waited for after `until`.
    pub(in crate::os) fn new(until: Instant) -> Files {
        Files { mounts: Mounts::read(), child: None, until, refused: None, missed: false }
    }

    /// Returns what a path leads to, or with `follow` what a link at its end leads to.
    pub(in crate::os) fn status(&mut self, path: &Path, follow: bool) -> Option<Status> {
        match self.route(path, follow) {
            Route::Local(path) => {
                let stat = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
                Some(Status::of(&stat))
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

    /// Returns where a link leads.
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

    /// Whether a process's working directory is the one that this path names here: in a container it may name another.
    pub(in crate::os) fn is_working_directory(&mut self, pid: u32, path: &Path) -> bool {
        if let Some(known) = mounts::is_working_directory(pid, path) {
            return known;
        }
        // What is mounted where that process is cannot be known for certain.
        let there = self.ask(Operation::Status, &PathBuf::from(format!("/proc/{pid}/cwd")));
        let there = there.map(|reply| (reply.status.device, reply.status.inode));
        there.is_some() && there == self.status(path, true).map(|here| (here.device, here.inode))
    }

    /// Why something was not answered since this was asked last; `None` if everything was.
    pub(in crate::os) fn missed(&mut self) -> Option<String> {
        let in_time = || "its file system did not answer in time".to_owned();
        std::mem::take(&mut self.missed).then(|| self.refused.clone().unwrap_or_else(in_time))
    }

    pub(in crate::os) fn route(&mut self, path: &Path, follow: bool) -> Route {
        if Instant::now() >= self.until {
            self.missed = true;
            return Route::Absent;
        }
        self.mounts.as_mut().map_or(Route::Remote, |mounts| mounts.route(path, follow))
    }

    fn ask(&mut self, operation: Operation, path: &Path) -> Option<Reply> {
        self.ask_for(operation, path)?.ok()
    }

    /// Has the child do something; `None` if it did not answer.
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
            Some(Err(Nothing::Refused(errno))) => Some(Err(errno)),
            Some(Err(Nothing::Silent)) | None => {
                self.missed = true;
                None
            }
        }
    }
}

/// A file on a file system that may not answer.
struct RemoteFile {
    child: Child,
    /// The last piece, as far as it was not read.
    rest: io::Cursor<Vec<u8>>,
}

/// How long one piece of a file is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens a file for reading. Whatever its file system does, no read waits for longer than ten seconds, and the process
/// can exit at any time.
pub(in crate::os) fn open_file(path: &Path) -> io::Result<Box<dyn io::Read>> {
    let whole = std::path::absolute(path)?;
    let route = Mounts::read().map_or(Route::Remote, |mut mounts| mounts.route(&whole, true));
    if route != Route::Remote {
        return Ok(Box::new(std::fs::File::open(path)?));
    }
    let mut child = Child::start()?;
    piece(&mut child, Operation::Open, &whole)?;
    Ok(Box::new(RemoteFile { child, rest: io::Cursor::default() }))
}

fn piece(child: &mut Child, operation: Operation, path: &Path) -> io::Result<Vec<u8>> {
    match child.ask(operation, path, Instant::now() + PATIENCE) {
        Ok(reply) => Ok(reply.data),
        Err(Nothing::Refused(errno)) => Err(errno.into()),
        Err(Nothing::Silent) => {
            let what = format!("its file system did not answer within {} s", PATIENCE.as_secs());
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

/// Returns for each of these paths whether it is certain to lead nowhere but to local file systems, so that connecting
/// to it waits for no server of files.
pub(in crate::os) fn certainly_local(paths: &[PathBuf]) -> Vec<bool> {
    let mut mounts = Mounts::read();
    let mut is_local =
        |path: &PathBuf| mounts.as_mut().is_some_and(|mounts| mounts.route(path, true) != Route::Remote);
    paths.iter().map(&mut is_local).collect()
}
