//! The other network namespaces of the machine: finds them and runs work in one. Only here does a thread change its
//! namespace, and only a thread that was started for it.
//!
//! A network namespace exists as long as something keeps it, and each of these is searched: a process or a single thread
//! in it, a mount in any mount namespace (`named_mounts`, `mount_namespaces`), a descriptor of it, a socket of it
//! (`descriptors`, `listed_sockets`, `sockets`). The kernel's own list (`listns`) adds to these and replaces none. A
//! namespace that only an unread message keeps is a gap.

pub(in crate::os) mod descriptors;
pub(in crate::os) mod listed_sockets;
pub(in crate::os) mod listns;
pub(in crate::os) mod mount_namespaces;
pub(in crate::os) mod named_mounts;
#[cfg(feature = "cli")]
pub(in crate::os) mod nearby;
pub(in crate::os) mod search;
pub(in crate::os) mod sockets;
pub(in crate::os) mod task_files;

use std::borrow::Borrow;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::model::Text;
pub(in crate::os) use crate::os::linux_api::pid_namespace::is_own as pid_namespace_is_own;
use crate::os::linux_api::proc_path::ProcPath;
use crate::os::linux_api::thread_list;
pub(in crate::os) use crate::os::linux_api::user_namespace::current as current_user_namespace;
use crate::os::parse::linux::namespace_link;
use crate::os::threads;
#[cfg(feature = "cli")]
pub(in crate::os) use nearby::{listening_in_other_namespaces, own_network};

pub(in crate::os) use search::others;

/// The most threads that read namespaces at the same time.
const MOST_THREADS: usize = 4;

/// A network namespace.
#[derive(Debug)]
pub(in crate::os) struct Namespace {
    /// Its number. `None` if its processes hide it, so that it is only known to be another namespace.
    pub(in crate::os) inode: Option<u64>,
    /// `blue` if it is mounted as /run/netns/blue, else `net:[4026532000]`; `pid:812`, by the first process in it, if its
    /// number is unknown. Such a namespace may also be listed under the name of its mount.
    pub(in crate::os) name: Text,
    /// The processes and threads in it, ascending.
    pub(in crate::os) tasks: Vec<Task>,
    /// A descriptor that keeps it, so that its number is not reused; or the error of the attempt to open it.
    entry: Result<OwnedFd, Errno>,
    /// The inode number of its net/dev in /proc, which identifies it and is visible to every user.
    net_dev: Option<u64>,
}

impl Namespace {
    /// Opens the directory /proc/PID/net of one of its processes or threads, whose tables are readable without the permission
    /// to enter. Returns `None` if no process is in it any more.
    pub(in crate::os) fn proc_net(&self) -> Option<OwnedFd> {
        self.net_dev?;
        self.tasks.iter().find_map(|task| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = rustix::fs::open(format!("/proc/{task}/net"), flags, Mode::empty()).ok()?;
            // The pid may have been reused, or its process may have moved.
            (net_dev_inode(&directory, c"dev").ok() == self.net_dev).then_some(directory)
        })
    }
}

impl Namespace {
    /// Returns a descriptor of it, if it could be opened.
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
    /// Returns the first thread of a process, which represents the process.
    pub(in crate::os) fn first(pid: u32) -> Task {
        Task { pid, thread: pid }
    }

    fn is_first(self) -> bool {
        self.pid == self.thread
    }

    /// Returns its directory below /proc.
    fn path(self) -> ProcPath {
        let process = ProcPath::process(self.pid);
        if self.is_first() { process } else { process.text("/task/").number(self.thread) }
    }
}

/// The directory below /proc: `812`, `812/task/815`.
impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_first() {
            true => write!(f, "{}", self.pid),
            false => write!(f, "{}/task/{}", self.pid, self.thread),
        }
    }
}

/// Returns the threads of a process except the first one, ascending.
fn other_threads(proc: BorrowedFd<'_>, pid: u32) -> Vec<u32> {
    let path = ProcPath::process(pid).text("/task");
    // Most processes have one thread; the number of links shows that without listing them.
    let links = rustix::fs::statat(proc, path.as_c_str(), AtFlags::empty()).map(|stat| stat.st_nlink);
    if links.is_ok_and(|links| links <= thread_list::LINKS_OF_ONE_THREAD) {
        return Vec::new();
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(tasks) = rustix::fs::openat(proc, path.as_c_str(), flags, Mode::empty()) else {
        return Vec::new();
    };
    let mut threads = thread_list::thread_ids(&tasks);
    threads.retain(|thread| *thread != pid);
    threads
}

/// Returns the number of this thread's network namespace.
pub(in crate::os) fn own() -> Option<u64> {
    number_at(CWD, c"/proc/thread-self/ns/net").ok()
}

/// Returns the number of a process's network namespace, if it may be read.
pub(in crate::os) fn network_namespace(pid: u32) -> Option<u64> {
    match number_at(CWD, format!("/proc/{pid}/ns/net")) {
        Ok(number) => Some(number),
        // If the first thread has ended, another one has the link.
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

/// Returns whether a process is in this thread's network namespace, if that may be read.
pub(in crate::os) fn is_own(pid: u32) -> Option<bool> {
    match number_at(CWD, format!("/proc/{pid}/ns/net")) {
        Ok(number) => Some(number == own()?),
        Err(_) => Some(
            net_dev_inode(CWD, format!("/proc/{pid}/net/dev")).ok()?
                == net_dev_inode(CWD, c"/proc/thread-self/net/dev").ok()?,
        ),
    }
}

/// Runs `work` in each namespace, and returns the results in their order. A few threads go from one namespace to the next;
/// no other thread's namespace changes.
///
/// Requests for sockets and /proc/thread-self/net concern the namespace then. /proc/net and /proc/self/net do not: they are
/// those of the process's first thread.
///
/// A namespace that may not be entered has an error, and so has each if no thread can be started. The calling thread never
/// enters one instead: it might not be allowed to return.
pub(in crate::os) fn in_each<N: Borrow<Namespace> + Sync, T: Send>(
    namespaces: &[N],
    work: impl Fn(&Namespace) -> T + Sync,
) -> Vec<Result<T, NotEntered>> {
    let enter_and_work = |namespace: &N| enter(namespace.borrow()).map(|()| work(namespace.borrow()));
    threads::map_on_new_threads(namespaces, at_once(), enter_and_work).unwrap_or_else(|error| {
        let again = || error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
        namespaces.iter().map(|_| Err(NotEntered::NoThread(again()))).collect()
    })
}

/// Returns how many namespaces are worth reading at the same time.
pub(in crate::os) fn at_once() -> usize {
    threads::parallelism().min(MOST_THREADS)
}

/// Moves this thread into a namespace.
fn enter(namespace: &Namespace) -> Result<(), NotEntered> {
    let refused = |errno: Errno| NotEntered::Refused(errno.into());
    let entry = namespace.entry.as_ref().map_err(|errno| refused(*errno))?;
    move_into_link_name_space(entry.as_fd(), Some(LinkNameSpaceType::Network)).map_err(refused)
}

/// The reason why a namespace was not entered.
#[derive(Debug)]
pub(in crate::os) enum NotEntered {
    /// The kernel refused.
    Refused(io::Error),
    /// There is no thread to enter it.
    NoThread(io::Error),
}

impl std::error::Error for NotEntered {}

impl fmt::Display for NotEntered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotEntered::Refused(error) => error.fmt(f),
            NotEntered::NoThread(error) => write!(f, "no thread can be started: {error}"),
        }
    }
}

/// Opens a namespace, if it is still the one with this number.
fn open_namespace(parent: impl AsFd, path: impl Arg, number: u64) -> Result<OwnedFd, Errno> {
    let entry = rustix::fs::openat(parent, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    if number_of(&entry) == Some(number) { Ok(entry) } else { Err(Errno::STALE) }
}

/// Returns the number of an open namespace. Only namespaces are on this file system (NSFS_MAGIC of the kernel's magic.h).
/// A namespace of another kind is not distinguished here: it cannot be entered.
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

/// Returns the number of a namespace, by the link that names it.
fn number_in(parent: impl AsFd, path: impl Arg, prefix: &[u8]) -> Result<u64, Errno> {
    // Longer than the name of a namespace.
    let mut buffer = [MaybeUninit::uninit(); 64];
    let (link, _) = rustix::fs::readlinkat_raw(parent, path, &mut buffer)?;
    parse_link(link, prefix)
}

/// Returns the number in `net:[4026531840]`. The link is empty if the namespace may not be seen: kernels up to 5.10 report no
/// error then.
fn parse_link(link: &[u8], prefix: &[u8]) -> Result<u64, Errno> {
    match link {
        [] => Err(Errno::ACCESS),
        name => namespace_link::number(name, prefix).ok_or(Errno::INVAL),
    }
}

/// Returns the inode number of a namespace's net/dev.
fn net_dev_inode(parent: impl AsFd, path: impl Arg) -> Result<u64, Errno> {
    rustix::fs::statat(parent, path, AtFlags::empty()).map(|stat| stat.st_ino)
}

/// Returns whether an error means that the process has ended: it is in no namespace any more.
fn has_ended(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::SRCH)
}

#[cfg(test)]
mod tests;
