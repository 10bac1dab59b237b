//! Network namespaces other than our own: which there are, and how to look into one. The only place where a thread
//! changes its namespace, and none but one made for it ever does.
//!
//! A network namespace exists as long as something keeps it, and each of these is searched: a process or a single thread
//! that is in it, a mount in any mount namespace (`mounted`), a descriptor of it, a socket of it (`descriptors`, `sockets`).
//! The kernel's own list (`listed`) adds to these and replaces none. What only a message under way keeps is a gap.

pub(in crate::os) mod descriptors;
pub(in crate::os) mod listed;
pub(in crate::os) mod mounted;
pub(in crate::os) mod nearby;
pub(in crate::os) mod search;
pub(in crate::os) mod sockets;

pub(in crate::os) mod pid_namespace;
pub(in crate::os) mod user_namespace;

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::model::Text;
use crate::os::holders::sys::{thread_tables, walk};
use crate::os::threads;
pub(in crate::os) use nearby::{listening as listening_elsewhere, own_network};
pub(in crate::os) use of_process as network_namespace;
pub(in crate::os) use pid_namespace::is_own as pid_namespace_is_own;

pub(in crate::os) use search::others;

/// Where namespaces are mounted under names: by ip-netns(8), Podman and CNI, and by Docker.
const DIRECTORIES: [&str; 3] = ["/run/netns", "/var/run/netns", "/run/docker/netns"];

/// A network namespace.
#[derive(Debug)]
pub(in crate::os) struct Namespace {
    /// Its number. `None` where its processes refuse to tell, and only that it is another one can be seen.
    pub(in crate::os) inode: Option<u64>,
    /// `blue` where it is mounted as /run/netns/blue, else `net:[4026532000]`; `pid:812`, by the first process in
    /// it, where its number is not known. Such a one may also be listed under the name it is mounted by.
    pub(in crate::os) name: Text,
    /// The processes and threads that were seen in it, ascending.
    pub(in crate::os) tasks: Vec<Task>,
    /// Holds it, so that its number stays its own; or why it could not be opened.
    entry: Result<OwnedFd, Errno>,
    /// The inode number of its net/dev in /proc: each namespace has its own, and anyone may see it.
    mark: Option<u64>,
}

impl Namespace {
    /// The directory /proc/PID/net of one of its processes or threads, whose tables may be read also by who may not enter.
    /// `None` where no process is in it any more.
    pub(in crate::os) fn proc_net(&self) -> Option<OwnedFd> {
        self.mark?;
        self.tasks.iter().find_map(|task| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = rustix::fs::open(format!("/proc/{task}/net"), flags, Mode::empty()).ok()?;
            // The pid may have been given away, or its process may have moved.
            (mark(&directory, c"dev").ok() == self.mark).then_some(directory)
        })
    }
}

impl Namespace {
    /// A descriptor of it, if it could be opened.
    pub(in crate::os) fn handle(&self) -> Option<BorrowedFd<'_>> {
        self.entry.as_ref().ok().map(AsFd::as_fd)
    }
}

/// A thread of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::os) struct Task {
    pub(in crate::os) pid: u32,
    pub(in crate::os) thread: u32,
}

impl Task {
    /// The first thread of a process, which stands for the process.
    pub(in crate::os) fn first(pid: u32) -> Task {
        Task { pid, thread: pid }
    }

    fn is_first(self) -> bool {
        self.pid == self.thread
    }
}

/// Its directory below /proc: `812`, `812/task/815`.
impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_first() {
            true => write!(f, "{}", self.pid),
            false => write!(f, "{}/task/{}", self.pid, self.thread),
        }
    }
}

/// The threads of a process but the first one, ascending.
fn other_threads(proc: BorrowedFd<'_>, pid: u32) -> Vec<u32> {
    let path = format!("{pid}/task");
    // Most processes have one thread, and this tells without listing them.
    let links = rustix::fs::statat(proc, path.as_str(), AtFlags::empty()).map(|stat| stat.st_nlink);
    if links.is_ok_and(|links| links <= thread_tables::LINKS_OF_ONE_THREAD) {
        return Vec::new();
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(tasks) = rustix::fs::openat(proc, path, flags, Mode::empty()) else { return Vec::new() };
    let mut threads = thread_tables::thread_ids(&tasks);
    threads.retain(|thread| *thread != pid);
    threads
}

/// The number of the network namespace that this thread is in.
pub(in crate::os) fn own() -> Option<u64> {
    number_at(CWD, c"/proc/thread-self/ns/net").ok()
}

/// The number of the network namespace that a process is in; `None` if that may not be seen.
pub(in crate::os) fn of_process(pid: u32) -> Option<u64> {
    match number_at(CWD, format!("/proc/{pid}/ns/net")) {
        Ok(number) => Some(number),
        // Where the first thread has ended, another one tells.
        Err(errno) if has_ended(errno) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let proc = rustix::fs::open("/proc", flags, Mode::empty()).ok()?;
            let threads = other_threads(proc.as_fd(), pid);
            threads
                .into_iter()
                .find_map(|thread| number_at(&proc, format!("{}/ns/net", Task { pid, thread })).ok())
        }
        Err(_) => None,
    }
}

/// Whether a process is in the network namespace that this thread is in; `None` where that may not be seen.
pub(in crate::os) fn is_own(pid: u32) -> Option<bool> {
    match number_at(CWD, format!("/proc/{pid}/ns/net")) {
        Ok(number) => Some(number == own()?),
        Err(_) => Some(
            mark(CWD, format!("/proc/{pid}/net/dev")).ok()?
                == mark(CWD, c"/proc/thread-self/net/dev").ok()?,
        ),
    }
}

/// Runs `look` on a thread of its own inside a namespace. No other thread's namespace changes.
///
/// What asks the kernel for sockets or opens /proc/thread-self/net sees the namespace then. /proc/net and
/// /proc/self/net do not: they are those of the process's first thread.
///
/// # Errors
/// If it may not be entered, or if no thread can be started. The calling thread never enters it instead: it may not be
/// allowed to return.
pub(in crate::os) fn inside<T: Send>(
    namespace: &Namespace,
    look: impl FnOnce() -> T + Send,
) -> Result<T, NotEntered> {
    let entry = namespace.entry.as_ref().map_err(|errno| NotEntered::Refused((*errno).into()))?;
    let entered = threads::alone(|| {
        move_into_link_name_space(entry.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(look())
    });
    entered.map_err(NotEntered::NoThread)?.map_err(|errno: Errno| NotEntered::Refused(errno.into()))
}

/// Why a namespace was not entered.
#[derive(Debug, thiserror::Error)]
pub(in crate::os) enum NotEntered {
    /// The kernel refused it.
    #[error("{0}")]
    Refused(io::Error),
    /// There is no thread to enter it.
    #[error("no thread can be started: {0}")]
    NoThread(io::Error),
}

/// Opens a namespace, if it still is the one with this number.
fn open_namespace(parent: impl AsFd, path: impl Arg, number: u64) -> Result<OwnedFd, Errno> {
    let entry = rustix::fs::openat(parent, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    if number_of(&entry) == Some(number) { Ok(entry) } else { Err(Errno::STALE) }
}

/// The number of the namespace that is open here. Nothing but namespaces is on this file system (NSFS_MAGIC of the
/// kernel's magic.h). One of another kind mounted among these is not told apart here: it refuses to be entered.
pub(in crate::os) fn number_of(file: &OwnedFd) -> Option<u64> {
    let filesystem = rustix::fs::fstatfs(file).ok()?;
    if filesystem.f_type != 0x6e73_6673 {
        return None;
    }
    rustix::fs::fstat(file).map(|stat| stat.st_ino).ok()
}

fn number_at(parent: impl AsFd, path: impl Arg) -> Result<u64, Errno> {
    number_in(parent, path, b"net:[")
}

/// The number of a namespace, by the link that names it.
fn number_in(parent: impl AsFd, path: impl Arg, prefix: &[u8]) -> Result<u64, Errno> {
    let link = rustix::fs::readlinkat(parent, path, Vec::with_capacity(32))?;
    parse_link(&link, prefix)
}

/// The number in `net:[4026531840]`. The link is empty if the namespace may not be seen: kernels up to 5.10 report no
/// error then.
fn parse_link(link: &CStr, prefix: &[u8]) -> Result<u64, Errno> {
    match link.to_bytes() {
        [] => Err(Errno::ACCESS),
        name => parse_name(name, prefix).ok_or(Errno::INVAL),
    }
}

fn parse_name(name: &[u8], prefix: &[u8]) -> Option<u64> {
    walk::digits(name.strip_prefix(prefix)?.strip_suffix(b"]")?)
}

/// The inode number of a namespace's net/dev.
fn mark(parent: impl AsFd, path: impl Arg) -> Result<u64, Errno> {
    rustix::fs::statat(parent, path, AtFlags::empty()).map(|stat| stat.st_ino)
}

/// A process that has ended, or is about to, is in no namespace any more.
fn has_ended(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::SRCH)
}

#[cfg(test)]
mod tests;
