//! A handle to a process, so that no process with a reused pid is taken for it.
//!
//! It keeps the process's directory in /proc open: once the process has ended, reads through it fail with ESRCH, even if
//! the pid was reused. If there are many, the start in clock ticks stands in for the open directory: a program may
//! often have no more than a thousand files open.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::os::linux_api::procfs;
use crate::os::linux_api::procfs::Stat;

/// The most directories that are kept open at a time.
const MOST_HANDLES: usize = 256;
static HANDLES: AtomicUsize = AtomicUsize::new(0);

/// A process that was found.
#[derive(Debug, Clone)]
pub(in crate::os) struct ProcHandle {
    pub(in crate::os) pid: u32,
    identity: Identity,
}

#[derive(Debug, Clone)]
enum Identity {
    Handle(Arc<Directory>),
    /// Its start, in clock ticks since boot.
    Start(u64),
}

/// The /proc directory of one process, and of no other.
#[derive(Debug)]
pub(in crate::os) struct Directory(OwnedFd);

impl Directory {
    /// Opens the directory of the process that has this pid now.
    pub(in crate::os) fn open(pid: u32) -> Result<Directory, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(format!("/proc/{pid}"), flags, Mode::empty()).map(Directory::from)
    }
}

impl From<OwnedFd> for Directory {
    fn from(directory: OwnedFd) -> Directory {
        HANDLES.fetch_add(1, Ordering::Relaxed);
        Directory(directory)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        HANDLES.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl ProcHandle {
    /// Refers to the process whose directory this is. `None` if it has ended.
    pub(in crate::os) fn new(pid: u32, directory: Directory) -> Option<ProcHandle> {
        let identity = match HANDLES.load(Ordering::Relaxed) {
            0..=MOST_HANDLES => Identity::Handle(Arc::new(directory)),
            _ => Identity::Start(procfs::stat(&directory)?.start),
        };
        Some(ProcHandle { pid, identity })
    }

    /// Refers to a process by its start, in clock ticks since boot. It may have ended since.
    pub(in crate::os) fn started(pid: u32, start: u64) -> ProcHandle {
        ProcHandle { pid, identity: Identity::Start(start) }
    }

    /// Opens the directory of the process that has the pid now; [`ProcHandle::is`] verifies that it is this one.
    pub(in crate::os) fn open(&self) -> Option<Arc<Directory>> {
        match &self.identity {
            Identity::Handle(directory) => Some(Arc::clone(directory)),
            Identity::Start(_) => Directory::open(self.pid).ok().map(Arc::new),
        }
    }

    /// Returns the effective uid of the process that has the pid now.
    pub(in crate::os) fn effective_uid(&self) -> Option<u32> {
        match &self.identity {
            Identity::Handle(directory) => Some(rustix::fs::fstat(&**directory).ok()?.st_uid),
            // This takes one call instead of three, for every holder.
            Identity::Start(_) => procfs::effective_uid(self.pid),
        }
    }

    /// Returns whether what was read through [`ProcHandle::open`] belongs to this process.
    pub(in crate::os) fn is_same_process(&self, stat: &Stat) -> bool {
        match &self.identity {
            Identity::Handle(_) => true,
            Identity::Start(start) => stat.start == *start,
        }
    }

    /// Returns whether the process has certainly ended: false also if that cannot be read.
    pub(in crate::os) fn has_ended(&self) -> bool {
        let is_end = |errno: i32| [Errno::NOENT, Errno::SRCH].contains(&Errno::from_raw_os_error(errno));
        let opened = match &self.identity {
            Identity::Handle(directory) => Ok(Arc::clone(directory)),
            Identity::Start(_) => Directory::open(self.pid).map(Arc::new),
        };
        let stat = opened
            .map_err(std::io::Error::from)
            .and_then(|directory| procfs::read_record(&*directory, "stat", 4096));
        match stat {
            Ok(stat) => procfs::parse_stat(&stat).is_some_and(|stat| !self.is_same_process(&stat)),
            Err(error) => error.raw_os_error().is_some_and(is_end),
        }
    }

    /// Returns the process's directory. `None` if it has ended, even if its pid was reused.
    pub(in crate::os) fn directory(&self) -> Option<Arc<Directory>> {
        match &self.identity {
            Identity::Handle(directory) => Some(Arc::clone(directory)),
            Identity::Start(_) => {
                let directory = self.open()?;
                self.is_same_process(&procfs::stat(&*directory)?).then_some(directory)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_stands_in_for_the_handle() {
        let own = rustix::process::getpid().as_raw_nonzero().get().cast_unsigned();
        let start = procfs::stat(Directory::open(own).unwrap()).unwrap().start;
        assert!(ProcHandle { pid: own, identity: Identity::Start(start) }.directory().is_some());
        assert!(
            ProcHandle { pid: own, identity: Identity::Start(start + 1) }.directory().is_none(),
            "another process of that pid"
        );
    }
}
