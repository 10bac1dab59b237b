//! Network namespaces other than our own: which there are, and how to look into one. The only place where a thread
//! changes its namespace, and none but one made for it ever does.
//!
//! A network namespace exists as long as something keeps it, and each of these is searched: a process or a single thread
//! that is in it, a mount in any mount namespace (`mounted`), a descriptor of it, a socket of it (`descriptors`, `sockets`).
//! The kernel's own list (`listed`) adds to these and replaces none. What only a message under way keeps is a gap.

mod descriptors;
mod listed;
mod mounted;
#[cfg(feature = "cli")]
mod nearby;
mod sockets;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir};
use rustix::io::Errno;
use rustix::path::Arg;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::inet_diag::States;
use super::{inet_diag, io_uring, pid_namespace, procfs, scm_rights, sight, thread_fds, unix_diag, walk};
use crate::os::portable::Table;
use crate::os::{Request, describe_error, threads};
use crate::{Family, Gap, Protocol, Text};
use descriptors::{Descriptors, Listed, Place};
use mounted::Entry;
#[cfg(feature = "cli")]
pub(in crate::os) use nearby::{listening, own_network};

/// Where namespaces are mounted under names: by ip-netns(8), Podman and CNI, and by Docker.
const DIRECTORIES: [&str; 3] = ["/run/netns", "/var/run/netns", "/run/docker/netns"];

/// A network namespace.
#[derive(Debug)]
pub(super) struct Namespace {
    /// Its number. `None` where its processes refuse to tell, and only that it is another one can be seen.
    pub(super) inode: Option<u64>,
    /// `blue` where it is mounted as /run/netns/blue, else `net:[4026532000]`; `pid:812`, by the first process in
    /// it, where its number is not known. Such a one may also be listed under the name it is mounted by.
    pub(super) name: Text,
    /// The processes and threads that were seen in it, ascending.
    pub(super) tasks: Vec<Task>,
    /// Holds it, so that its number stays its own; or why it could not be opened.
    entry: Result<OwnedFd, Errno>,
    /// The inode number of its net/dev in /proc: each namespace has its own, and anyone may see it.
    mark: Option<u64>,
}

impl Namespace {
    /// The directory /proc/PID/net of one of its processes or threads, whose tables may be read also by who may not enter.
    /// `None` where no process is in it any more.
    pub(super) fn proc_net(&self) -> Option<OwnedFd> {
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
    pub(super) fn handle(&self) -> Option<BorrowedFd<'_>> {
        self.entry.as_ref().ok().map(AsFd::as_fd)
    }
}

/// A thread of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Task {
    pub(super) pid: u32,
    pub(super) thread: u32,
}

impl Task {
    /// The first thread of a process, which stands for the process.
    pub(super) fn first(pid: u32) -> Task {
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
    if links.is_ok_and(|links| links <= thread_fds::LINKS_OF_ONE_THREAD) {
        return Vec::new();
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(tasks) = rustix::fs::openat(proc, path, flags, Mode::empty()) else { return Vec::new() };
    let mut threads = thread_fds::threads(&tasks);
    threads.retain(|thread| *thread != pid);
    threads
}

/// The number of the network namespace that this thread is in.
pub(super) fn own() -> Option<u64> {
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
pub(super) fn is_own(pid: u32) -> Option<bool> {
    match number_at(CWD, format!("/proc/{pid}/ns/net")) {
        Ok(number) => Some(number == own()?),
        Err(_) => Some(
            mark(CWD, format!("/proc/{pid}/net/dev")).ok()?
                == mark(CWD, c"/proc/thread-self/net/dev").ok()?,
        ),
    }
}

/// Every network namespace but this thread's own, by name. The request tells which sockets are missed if their namespace
/// cannot be found.
pub(super) fn others(request: &Request) -> (Vec<Namespace>, Vec<Gap>) {
    // A kernel without namespaces has no such file, and no others.
    let Some(own) = own() else { return (Vec::new(), Vec::new()) };
    let mut search = Search { own, ..Search::default() };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listed = rustix::fs::open("/proc", flags, Mode::empty())
        .and_then(|proc| walk::processes(&proc).map(|pids| (proc, pids)));
    if let Ok((proc, pids)) = &listed {
        search.processes(proc.as_fd(), pids);
    }
    search.named_mounts();
    search.kernels_list();
    let places = std::mem::take(&mut search.mount_places);
    search.mounts(places);
    match &listed {
        Ok((proc, pids)) => search.descriptors(proc.as_fd(), pids, request),
        Err(errno) => search.failed.push(("/proc".to_owned(), *errno)),
    }
    search.finish()
}

/// Runs `look` on a thread of its own inside a namespace. No other thread's namespace changes.
///
/// What asks the kernel for sockets or opens /proc/thread-self/net sees the namespace then. /proc/net and
/// /proc/self/net do not: they are those of the process's first thread.
///
/// # Errors
/// If it may not be entered, or if no thread can be started. The calling thread never enters it instead: it may not be
/// allowed to return.
pub(super) fn inside<T: Send>(
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
pub(super) enum NotEntered {
    /// The kernel refused it.
    #[error("{0}")]
    Refused(io::Error),
    /// There is no thread to enter it.
    #[error("no thread can be started: {0}")]
    NoThread(io::Error),
}

/// What was seen so far.
#[derive(Default)]
struct Search {
    own: u64,
    by_number: BTreeMap<u64, Namespace>,
    /// Processes that refuse to tell the number of their namespace, by its mark.
    by_mark: BTreeMap<u64, Vec<Task>>,
    /// Whether mount namespaces are not collected.
    skips_mounts: bool,
    /// Mount namespaces, in which more may be mounted.
    mount_places: BTreeMap<u64, Entry>,
    /// The mount namespaces that were searched.
    mounts_searched: BTreeSet<u64>,
    /// Processes of which nothing can be said.
    refused: usize,
    /// Places that could not be read, and why.
    failed: Vec<(String, Errno)>,
    /// What else may be missing.
    gaps: Vec<Gap>,
}

impl Search {
    /// Adds the namespaces that processes and threads are in.
    fn processes(&mut self, proc: BorrowedFd<'_>, pids: &[u32]) {
        let own_mark = mark(proc, c"thread-self/net/dev").ok();
        for pid in pids {
            self.task(proc, Task::first(*pid), own_mark);
            for thread in other_threads(proc, *pid) {
                self.task(proc, Task { pid: *pid, thread }, own_mark);
            }
        }
    }

    fn task(&mut self, proc: BorrowedFd<'_>, task: Task, own_mark: Option<u64>) {
        if !self.skips_mounts
            && let Ok(number) = number_in(proc, format!("{task}/ns/mnt"), b"mnt:[")
        {
            let path = || Entry::Path(format!("/proc/{task}/ns/mnt"));
            self.mount_places.entry(number).or_insert_with(path);
        }
        let link = format!("{task}/ns/net");
        match number_at(proc, link.as_str()) {
            Ok(number) if number == self.own => {}
            Ok(number) => {
                let namespace = self.by_number.entry(number).or_insert_with(|| unnamed(number));
                namespace.tasks.push(task);
                if namespace.entry.is_err() {
                    namespace.entry = open_namespace(proc, link.as_str(), number);
                }
                if namespace.mark.is_none() {
                    namespace.mark = mark(proc, format!("{task}/net/dev")).ok();
                }
            }
            // Most processes of other users are where we are, and this much anyone may see.
            Err(Errno::ACCESS | Errno::PERM) => match mark(proc, format!("{task}/net/dev")) {
                Ok(mark) if Some(mark) == own_mark => {}
                Ok(mark) => self.by_mark.entry(mark).or_default().push(task),
                Err(errno) if has_ended(errno) => {}
                // The other threads of a process say no more than its first one.
                Err(_) => self.refused += usize::from(task.is_first()),
            },
            Err(errno) if has_ended(errno) => {}
            Err(errno) => self.failed.push((format!("/proc/{link}"), errno)),
        }
    }

    /// Adds a namespace that was opened, or why it was not.
    fn add(&mut self, number: u64, entry: Result<OwnedFd, Errno>) {
        if number == self.own {
            return;
        }
        let namespace = self.by_number.entry(number).or_insert_with(|| unnamed(number));
        if namespace.entry.is_err() {
            namespace.entry = entry;
        }
    }

    /// The numbers of the namespaces that are open, and our own.
    fn known(&self) -> BTreeSet<u64> {
        let open = self.by_number.iter().filter(|(_, namespace)| namespace.entry.is_ok());
        open.map(|(number, _)| *number).chain([self.own]).collect()
    }

    /// Adds what the kernel lists, where it does.
    fn kernels_list(&mut self) {
        let Some((namespaces, failed)) = listed::namespaces() else { return };
        for namespace in namespaces {
            if let Some(number) = number_of(&namespace) {
                self.add(number, Ok(namespace));
            }
        }
        if failed > 0 {
            let detail = match failed {
                1 => "one network namespace that the kernel lists may not be opened".to_owned(),
                many => format!("{many} network namespaces that the kernel lists may not be opened"),
            };
            self.gaps.push(Gap::new("namespaces", "permission", failed, detail, help()));
        }
    }

    /// Adds what is mounted in these mount namespaces.
    fn mounts(&mut self, places: BTreeMap<u64, Entry>) {
        self.mounts_searched.extend(places.keys());
        let mounted = match mounted::search(places, &self.known()) {
            Ok(mounted) => mounted,
            Err(error) => {
                let detail = format!("the mounts of network namespaces: no thread can be started: {error}");
                let help = Some("raise the limit of processes (ulimit -u, pids.max)");
                self.gaps.push(Gap::new("namespaces", "threads", 1, detail, help));
                return;
            }
        };
        for (number, entry) in mounted.namespaces {
            self.add(number, entry);
        }
        let (refused, failed): (Vec<Errno>, Vec<Errno>) =
            mounted.failed.into_iter().partition(|errno| matches!(*errno, Errno::ACCESS | Errno::PERM));
        let whose = |count: usize| match count {
            1 => "the network namespaces that are mounted in one mount namespace".to_owned(),
            many => format!("the network namespaces that are mounted in {many} mount namespaces"),
        };
        if !refused.is_empty() {
            let count = refused.len();
            self.gaps.push(Gap::new("namespaces", "permission", count, whose(count), help()));
        }
        if let Some(errno) = failed.first() {
            let count = failed.len();
            let detail = format!("{}: {}", whose(count), describe_error(&(*errno).into()));
            self.gaps.push(Gap::new("namespaces", "error", count, detail, None));
        }
    }

    /// Adds what only descriptors and sockets keep.
    fn descriptors(&mut self, proc: BorrowedFd<'_>, pids: &[u32], request: &Request) {
        let found = descriptors::search(proc, pids, &self.listed(true));
        for (number, place) in &found.networks {
            if !self.known().contains(number) {
                self.add(*number, open_namespace(proc, place.path(), *number));
            }
        }
        let mut places = BTreeMap::new();
        for (number, place) in &found.mounts {
            if !self.mounts_searched.contains(number) {
                places.insert(*number, Entry::Path(format!("/proc/{}", place.path())));
            }
        }
        if !places.is_empty() {
            self.mounts(places);
        }
        let unplaced = self.sockets(&found, request);
        self.descriptor_gaps(&found, unplaced);
    }

    /// The sockets that are in a table now.
    fn listed(&self, with_pending: bool) -> Listed {
        let mut listed = Listed::default();
        let mut add = |part: Listed| {
            listed.inodes.extend(part.inodes);
            listed.pending.extend(part.pending);
        };
        add(listed_here(with_pending));
        for namespace in self.by_number.values() {
            match inside(namespace, || listed_here(with_pending)) {
                Ok(part) => add(part),
                Err(_) => add(listed_by_proc(namespace)),
            }
        }
        let marked = self.by_mark.iter().map(|(mark, tasks)| by_mark(*mark, tasks.clone()));
        marked.for_each(|namespace| add(listed_by_proc(&namespace)));
        listed.inodes.sort_unstable();
        listed.inodes.dedup();
        listed.pending.sort_unstable();
        listed
    }

    /// Adds the namespaces of sockets that are in no table. Returns how many sockets remain whose namespace is unknown.
    fn sockets(&mut self, found: &Descriptors, request: &Request) -> usize {
        let mut known = self.known();
        let mut unplaced: Vec<(u64, Option<Place>)> = Vec::new();
        for same in found.sockets.chunk_by(|one, other| one.0 == other.0) {
            let mut refused = None;
            for (inode, place) in same {
                match sockets::namespace(*inode, *place) {
                    Ok(namespace) => {
                        refused = None;
                        if let Some(number) = number_of(&namespace).filter(|number| known.insert(*number)) {
                            self.add(number, Ok(namespace));
                        }
                        break;
                    }
                    Err(errno) if has_ended(errno) => {}
                    Err(_) => refused = Some((*inode, Some(*place))),
                }
            }
            unplaced.extend(refused);
        }
        unplaced.retain(|(_, place)| place.is_none_or(|place| sockets::may_be_wanted(place, request)));
        // A socket in a ring is in no descriptor table, and nobody can duplicate it.
        for ring in &found.rings {
            let path = format!("/proc/{}/fdinfo/{}", ring.task, ring.descriptor);
            let info = procfs::read_at(CWD, path, 1 << 22).unwrap_or_default();
            unplaced.extend(io_uring::contents(&info).sockets.into_iter().map(|inode| (inode, None)));
        }
        if unplaced.is_empty() {
            return 0;
        }
        // It may have been opened after the tables were read, or closed after its descriptor was.
        let listed = self.listed(false);
        unplaced.retain(|(inode, place)| {
            listed.inodes.binary_search(inode).is_err()
                && place.is_none_or(|place| sockets::is_open(*inode, place))
        });
        unplaced.sort_unstable();
        unplaced.dedup_by_key(|(inode, _)| *inode);
        unplaced.len()
    }

    fn descriptor_gaps(&mut self, found: &Descriptors, unplaced: usize) {
        if unplaced > 0 {
            let detail = match unplaced {
                1 => {
                    "a socket that a process has open is in no socket table: its network namespace could not \
                      be found"
                        .to_owned()
                }
                many => format!(
                    "{many} sockets that processes have open are in no socket table: their network namespaces \
                     could not be found"
                ),
            };
            self.gaps.push(Gap::new("namespaces", "socket", unplaced, detail, help()));
        }
        // Those of a namespace that is known only by now are among those that were in no table.
        let outside = found.sockets.iter().map(|(_, place)| *place).filter(|place| sockets::is_unix(*place));
        let mut waiting: Vec<(u64, u64)> =
            outside.chain(found.pending.iter().copied()).map(waiting_descriptors).collect();
        waiting.sort_unstable();
        waiting.dedup();
        let waiting: u64 = waiting.into_iter().map(|(_, count)| count).sum();
        if waiting > 0 {
            let detail = match waiting {
                1 => "a descriptor that waits in a message may keep a network namespace".to_owned(),
                many => format!("{many} descriptors that wait in messages may keep network namespaces"),
            };
            let count = usize::try_from(waiting).unwrap_or(usize::MAX);
            let help = Some("look again when the message was received");
            self.gaps.push(Gap::new("namespaces", "in-flight", count, detail, help));
        }
        let whose = |count: usize| match count {
            1 => "network namespaces that only descriptors of one process keep".to_owned(),
            many => format!("network namespaces that only descriptors of {many} processes keep"),
        };
        if !found.refused.is_empty() {
            let count = found.refused.len();
            let help = help_with_descriptors();
            self.gaps.push(Gap::new("namespaces", "permission", count, whose(count), Some(&help)));
        }
        if let Some((_, errno)) = found.failed.first() {
            let count = found.failed.len();
            let detail = format!("{}: {}", whose(count), describe_error(&(*errno).into()));
            self.gaps.push(Gap::new("namespaces", "error", count, detail, None));
        }
        if procfs::hides_processes() {
            let detail = "network namespaces of processes that this /proc hides (hidepid)";
            self.gaps.push(Gap::new("namespaces", "hidden-proc", 1, detail, help()));
        }
        if procfs::is_in_pid_namespace() || pid_namespace::is_own() == Some(false) {
            let detail = "network namespaces of processes outside of this pid namespace, if there are any";
            self.gaps.push(Gap::new("namespaces", "pid-namespace", 1, detail, None));
        }
    }

    /// Adds what is mounted under names, where such mounts usually are.
    fn named_mounts(&mut self) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut known = Vec::new();
        for path in DIRECTORIES {
            match rustix::fs::open(path, flags, Mode::empty()) {
                Ok(directory) => {
                    // /var/run is /run as a rule.
                    let identity = rustix::fs::fstat(&directory).map(|stat| (stat.st_dev, stat.st_ino)).ok();
                    if !known.contains(&identity) {
                        known.push(identity);
                        self.mounts_in(path, directory.as_fd());
                    }
                }
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(errno) => self.failed.push((path.to_owned(), errno)),
            }
        }
    }

    fn mounts_in(&mut self, path: &str, directory: BorrowedFd<'_>) {
        let mut buffer = [MaybeUninit::uninit(); 8 * 1024];
        let mut entries = RawDir::new(directory, &mut buffer);
        let mut names: Vec<CString> = Vec::new();
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) => names.push(entry.file_name().to_owned()),
                Err(errno) => {
                    self.failed.push((path.to_owned(), errno));
                    break;
                }
            }
        }
        // One that has several names goes by the first.
        names.sort_unstable();
        for name in &names {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
                Ok(file) => file,
                Err(Errno::NOENT) => continue,
                Err(errno) => {
                    self.failed.push((format!("{path}/{}", name.to_string_lossy()), errno));
                    continue;
                }
            };
            // A name whose namespace was unmounted is left as an empty file.
            let Some(number) = number_of(&file).filter(|number| *number != self.own) else { continue };
            let namespace = self.by_number.entry(number).or_insert_with(|| unnamed(number));
            if namespace.name == unnamed(number).name {
                namespace.name = name.to_bytes().into();
            }
            if namespace.entry.is_err() {
                namespace.entry = open_namespace(directory, name, number);
            }
        }
    }

    fn finish(mut self) -> (Vec<Namespace>, Vec<Gap>) {
        for namespace in self.by_number.values_mut() {
            let same = namespace.mark.and_then(|mark| self.by_mark.remove(&mark));
            namespace.tasks.extend(same.unwrap_or_default());
            namespace.tasks.sort_unstable();
        }
        let by_mark = self.by_mark.into_iter().map(|(mark, tasks)| by_mark(mark, tasks));
        let mut namespaces: Vec<Namespace> = self.by_number.into_values().chain(by_mark).collect();
        namespaces.sort_by(|a, b| (&a.name, a.inode).cmp(&(&b.name, b.inode)));
        let mut gaps = gaps(self.refused, &self.failed);
        gaps.append(&mut self.gaps);
        (namespaces, gaps)
    }
}

/// A namespace whose processes refuse to tell its number.
fn by_mark(mark: u64, tasks: Vec<Task>) -> Namespace {
    let name = tasks.first().map(|task| format!("pid:{}", task.pid)).unwrap_or_default();
    Namespace { inode: None, name: name.as_str().into(), tasks, entry: Err(Errno::ACCESS), mark: Some(mark) }
}

/// The sockets of the namespace that this thread is in, as far as they are in a table.
fn listed_here(with_pending: bool) -> Listed {
    let mut listed = Listed::default();
    for (protocol, family) in INTERNET {
        let table = Table { protocol, family };
        for states in [States::All, States::Bound] {
            if (protocol, states) == (Protocol::Udp, States::Bound) {
                continue;
            }
            let entries = match inet_diag::sockets(table, states, None) {
                Ok(entries) => entries.into_iter().filter_map(|entry| entry.inode).collect(),
                Err(_) if states == States::All => by_own_net(table),
                // Older kernels list no silent sockets.
                Err(_) => Vec::new(),
            };
            listed.inodes.extend(entries);
        }
    }
    let unix = unix_diag::sockets(true).unwrap_or_default();
    listed.inodes.extend(unix.into_iter().map(|entry| entry.inode));
    if with_pending {
        listed.pending = unix_diag::pending().unwrap_or_default();
    }
    listed
}

/// The tables of TCP and UDP.
const INTERNET: [(Protocol, Family); 4] = [
    (Protocol::Tcp, Family::Ipv4),
    (Protocol::Tcp, Family::Ipv6),
    (Protocol::Udp, Family::Ipv4),
    (Protocol::Udp, Family::Ipv6),
];

/// A table of /proc/net, where netlink does not give it.
fn by_own_net(table: Table) -> Vec<u64> {
    let rows = procfs::own_net().and_then(|directory| procfs::net_sockets(directory, table));
    rows.unwrap_or_default().into_iter().map(|(inode, _)| inode).collect()
}

/// The sockets of a namespace that may not be entered, by the tables of one of its processes.
fn listed_by_proc(namespace: &Namespace) -> Listed {
    let mut listed = Listed::default();
    let Some(directory) = namespace.proc_net() else { return listed };
    for (protocol, family) in INTERNET {
        let rows = procfs::net_sockets(&directory, Table { protocol, family }).unwrap_or_default();
        listed.inodes.extend(rows.into_iter().map(|(inode, _)| inode));
    }
    let unix = procfs::read_at(&directory, "unix", u64::MAX).unwrap_or_default();
    listed.inodes.extend(unix_diag::parse_proc(&unix).into_iter().map(|entry| entry.inode));
    listed
}

/// A Unix socket by its inode number, and how many descriptors wait in it.
fn waiting_descriptors(place: Place) -> (u64, u64) {
    let link = rustix::fs::readlink(format!("/proc/{}", place.path()), Vec::with_capacity(32));
    let inode = link.ok().and_then(|link| walk::socket_inode(link.to_bytes())).unwrap_or(0);
    let path = format!("/proc/{}/fdinfo/{}", place.task, place.descriptor);
    let count = procfs::read_at(CWD, path, 1 << 16).map_or(0, |info| scm_rights::waiting_descriptors(&info));
    (inode, count)
}

/// What helps who is not root.
fn help() -> Option<&'static str> {
    (!super::privileged()).then_some("run with sudo to see them")
}

/// What helps where descriptor tables may not be read.
fn help_with_descriptors() -> String {
    help().map_or_else(sight::rights, str::to_owned)
}

/// What could not be seen, as one gap for what rights would show, and one for what failed otherwise.
fn gaps(refused: usize, failed: &[(String, Errno)]) -> Vec<Gap> {
    let (closed, failed): (Vec<_>, Vec<_>) =
        failed.iter().partition(|(_, errno)| matches!(*errno, Errno::ACCESS | Errno::PERM));
    let mut gaps = Vec::new();
    if refused > 0 || !closed.is_empty() {
        let mut parts = Vec::new();
        match refused {
            0 => {}
            1 => parts.push("the network namespace of one process".to_owned()),
            many => parts.push(format!("the network namespaces of {many} processes")),
        }
        parts.extend(closed.iter().map(|(path, _)| format!("the network namespaces in {path}")));
        gaps.push(Gap::new("namespaces", "permission", refused + closed.len(), parts.join(" and "), help()));
    }
    if let Some((path, errno)) = failed.first() {
        let errno = describe_error(&(*errno).into());
        let detail = match failed.len() {
            1 => format!("the network namespaces in {path}: {errno}"),
            many => format!("the network namespaces in {path} and {} other places: {errno}", many - 1),
        };
        gaps.push(Gap::new("namespaces", "error", failed.len(), detail, None));
    }
    gaps
}

fn unnamed(number: u64) -> Namespace {
    let name = format!("net:[{number}]").as_str().into();
    Namespace { inode: Some(number), name, tasks: Vec::new(), entry: Err(Errno::NOENT), mark: None }
}

/// Opens a namespace, if it still is the one with this number.
fn open_namespace(parent: impl AsFd, path: impl Arg, number: u64) -> Result<OwnedFd, Errno> {
    let entry = rustix::fs::openat(parent, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    if number_of(&entry) == Some(number) { Ok(entry) } else { Err(Errno::STALE) }
}

/// The number of the namespace that is open here. Nothing but namespaces is on this file system (NSFS_MAGIC of the
/// kernel's magic.h). One of another kind mounted among these is not told apart here: it refuses to be entered.
pub(super) fn number_of(file: &OwnedFd) -> Option<u64> {
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
mod tests {
    use std::net::TcpListener;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::thread;

    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    use proptest::prelude::*;
    use rustix::thread::set_thread_res_uid;

    use super::super::procfs;
    use super::*;

    #[test]
    fn links_tell_the_kind() {
        let parse = |link| parse_link(link, b"net:[");
        assert_eq!(parse(c"net:[4026531840]"), Ok(4_026_531_840));
        assert_eq!(parse_link(c"mnt:[7]", b"mnt:["), Ok(7));
        for other in [c"mnt:[4026531840]", c"net:[]", c"net:[1", c"net:[-1]", c"/net:[1]"] {
            assert_eq!(parse(other), Err(Errno::INVAL));
        }
        assert_eq!(parse(c""), Err(Errno::ACCESS), "what may not be seen");
    }

    proptest! {
        #[test]
        fn any_link(bytes: Vec<u8>) {
            let link = CString::new(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).unwrap();
            let _ = parse_link(&link, b"net:[");
        }
    }

    #[test]
    fn gaps_say_what_and_why() {
        assert!(gaps(0, &[]).is_empty());
        let failed = [
            ("/run/docker/netns".to_owned(), Errno::ACCESS),
            ("/run/netns/x".to_owned(), Errno::MFILE),
            ("/run/netns/y".to_owned(), Errno::MFILE),
        ];
        let told: Vec<String> = gaps(2, &failed)
            .iter()
            .map(|gap| format!("{:?} {:?} {} {:?}", gap.what, gap.reason, gap.count, gap.detail))
            .collect();
        let places = "the network namespaces of 2 processes and the network namespaces in /run/docker/netns";
        assert_eq!(told.first(), Some(&format!("\"namespaces\" \"permission\" 3 \"{places}\"")));
        assert!(told[1].starts_with(
            "\"namespaces\" \"error\" 2 \"the network namespaces in /run/netns/x and 1 other places"
        ));
    }

    fn everything() -> Request {
        Request {
            tcp: true,
            udp: true,
            udplite: true,
            rare: true,
            unix: true,
            ipv4: true,
            ipv6: true,
            all: false,
            port: None,
            namespaces: true,
            reader: crate::Reader::Auto,
        }
    }

    /// A namespace with a listener and a process in it.
    struct Stage {
        number: u64,
        listener: TcpListener,
        process: Child,
    }

    impl Stage {
        /// None, and a word about it, where this may not be done.
        fn new() -> Option<Stage> {
            let made = thread::spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).ok()?;
                let listener = TcpListener::bind("0.0.0.0:0").unwrap();
                // It reads from a pipe whose other end is ours, so that it cannot outlive this process.
                let process =
                    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
                Some(Stage { number: own().unwrap(), listener, process })
            });
            let stage = made.join().unwrap();
            if stage.is_none() {
                eprintln!("skipped: needs root");
            }
            stage
        }

        fn pid(&self) -> u32 {
            self.process.id()
        }

        fn port(&self) -> u16 {
            self.listener.local_addr().unwrap().port()
        }
    }

    impl Drop for Stage {
        fn drop(&mut self) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    /// The namespaces in which a process was seen.
    fn with_pid(namespaces: Vec<Namespace>, pid: u32) -> Vec<Namespace> {
        namespaces.into_iter().filter(|namespace| namespace.tasks.contains(&Task::first(pid))).collect()
    }

    fn ports(directory: impl AsFd) -> Vec<u16> {
        let table = procfs::read_at(directory, "tcp", u64::MAX).unwrap();
        procfs::parse_net(&table).into_iter().map(|(_, socket)| socket.local.port()).collect()
    }

    fn own_net() -> OwnedFd {
        rustix::fs::open("/proc/thread-self/net", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    /// Runs on a thread that is an ordinary user's.
    fn as_nobody<T: Send>(look: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let nobody = rustix::process::Uid::from_raw(65534);
            let thread = scope.spawn(move || {
                set_thread_res_uid(nobody, nobody, nobody).unwrap();
                look()
            });
            thread.join().unwrap()
        })
    }

    #[test]
    fn enters_a_namespace_and_leaves_this_thread_where_it_is() {
        let Some(stage) = Stage::new() else { return };
        let before = own();
        let found = with_pid(others(&everything()).0, stage.pid());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].inode, Some(stage.number));
        assert_eq!(found[0].name, format!("net:[{}]", stage.number).as_str().into());
        assert_eq!(inside(&found[0], own).unwrap(), Some(stage.number));
        assert_eq!(inside(&found[0], || ports(own_net())).unwrap(), [stage.port()]);
        assert_eq!(own(), before);
        assert_ne!(before, Some(stage.number));
        // From in there, this one is another.
        let back = inside(&found[0], || others(&everything()).0).unwrap();
        assert!(back.iter().any(|namespace| namespace.inode == before));
        assert!(back.iter().all(|namespace| namespace.inode != Some(stage.number)));
    }

    #[test]
    fn stays_the_namespace_it_was_when_its_processes_are_gone() {
        let Some(mut stage) = Stage::new() else { return };
        let found = with_pid(others(&everything()).0, stage.pid());
        assert!(found[0].proc_net().is_some());
        stage.process.kill().unwrap();
        stage.process.wait().unwrap();
        assert!(found[0].proc_net().is_none());
        assert_eq!(inside(&found[0], own).unwrap(), Some(stage.number));
        assert!(with_pid(others(&everything()).0, stage.pid()).is_empty());
    }

    #[test]
    fn without_rights_tables_are_read_through_a_process() {
        let Some(stage) = Stage::new() else { return };
        let own = own();
        let (namespaces, gaps) = as_nobody(|| others(&everything()));
        assert!(namespaces.iter().all(|namespace| namespace.inode.is_none_or(|inode| Some(inode) != own)));
        assert!(gaps.iter().all(|gap| gap.help == Some("run with sudo to see them".into())), "{gaps:?}");
        let found = with_pid(namespaces, stage.pid());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].inode, None);
        assert_eq!(found[0].name, format!("pid:{}", found[0].tasks[0].pid).as_str().into());
        assert!(as_nobody(|| inside(&found[0], || ()).is_err()));
        assert_eq!(as_nobody(|| ports(found[0].proc_net().unwrap())), [stage.port()]);
    }

    #[test]
    fn mounts_give_names() {
        let Some(stage) = Stage::new() else { return };
        let directory = std::env::temp_dir().join(format!("allears-test-netns-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        for name in ["blue", "indigo", "stale", "own"] {
            std::fs::write(directory.join(name), "").unwrap();
        }
        let search = thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // The mounts are this thread's alone, and go with it.
                unshare(CloneFlags::CLONE_NEWNS).unwrap();
                let none: Option<&str> = None;
                mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
                let bind = |from: &str, name: &str| {
                    mount(Some(Path::new(from)), &directory.join(name), none, MsFlags::MS_BIND, none)
                        .unwrap();
                };
                bind(&format!("/proc/{}/ns/net", stage.pid()), "blue");
                bind(&format!("/proc/{}/ns/net", stage.pid()), "indigo");
                bind("/proc/thread-self/ns/net", "own");
                let mut search = Search { own: own().unwrap(), ..Search::default() };
                let opened = rustix::fs::open(&directory, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
                search.mounts_in("there", opened.unwrap().as_fd());
                search
            });
            thread.join().unwrap()
        });
        std::fs::remove_dir_all(&directory).unwrap();
        let (namespaces, gaps) = search.finish();
        assert!(gaps.is_empty(), "{gaps:?}");
        assert_eq!(namespaces.len(), 1);
        assert_eq!((namespaces[0].name.as_str(), namespaces[0].inode), (Some("blue"), Some(stage.number)));
        assert!(namespaces[0].proc_net().is_none());
        assert_eq!(inside(&namespaces[0], own).unwrap(), Some(stage.number));
    }
}
