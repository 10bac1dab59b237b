//! The search for every network namespace but our own: by processes and threads, named mounts, the kernel's own list, mounts of
//! every mount namespace, descriptors and sockets. What could not be searched becomes gaps.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::descriptors::{self, Descriptors, Listed, Place};
use super::mounted::{self, Entry};
use super::pid_namespace;
use super::{
    DIRECTORIES, Namespace, Task, has_ended, inside, listed, mark, number_at, number_in, number_of,
    open_namespace, other_threads, own, sockets,
};
use crate::model::{Family, Gap, GapDetail, GapKind, GapReason, Help, Protocol, Purpose, Text};
use crate::os::holders::sys::{io_uring, scm_rights, visibility, walk};
use crate::os::table::netstat2::Table;
use crate::os::table::sys::inet_diag;
use crate::os::table::sys::inet_diag::States;
use crate::os::table::sys::{procfs, unix_diag};
use crate::os::{Request, describe_error};

/// Every network namespace but this thread's own, by name. The request tells which sockets are missed if their namespace
/// cannot be found.
pub(in crate::os) fn others(request: &Request) -> (Vec<Namespace>, Vec<Gap>) {
    // A kernel without namespaces has no such file, and no others.
    let Some(own) = own() else { return (Vec::new(), Vec::new()) };
    let mut search = Search::new(own, true);
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

/// What was seen so far.
#[derive(Default)]
pub(in crate::os) struct Search {
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
    /// Begins a search from the namespace with this number. Mount namespaces are collected only with `with_mounts`.
    pub(in crate::os) fn new(own: u64, with_mounts: bool) -> Search {
        Search { own, skips_mounts: !with_mounts, ..Search::default() }
    }

    /// Adds the namespaces that processes and threads are in.
    pub(in crate::os) fn processes(&mut self, proc: BorrowedFd<'_>, pids: &[u32]) {
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
            self.gaps.push(Gap::new(
                GapKind::Namespaces,
                GapReason::Permission,
                failed,
                GapDetail::ListedNamespaces,
                help(),
            ));
        }
    }

    /// Adds what is mounted in these mount namespaces.
    fn mounts(&mut self, places: BTreeMap<u64, Entry>) {
        self.mounts_searched.extend(places.keys());
        let mounted = match mounted::search(places, &self.known()) {
            Ok(mounted) => mounted,
            Err(error) => {
                let detail = GapDetail::MountsWithoutThread(Text::from_display(error));
                self.gaps.push(Gap::new(
                    GapKind::Namespaces,
                    GapReason::Threads,
                    1,
                    detail,
                    Help::RaiseProcessLimit,
                ));
                return;
            }
        };
        for (number, entry) in mounted.namespaces {
            self.add(number, entry);
        }
        let (refused, failed): (Vec<Errno>, Vec<Errno>) =
            mounted.failed.into_iter().partition(|errno| matches!(*errno, Errno::ACCESS | Errno::PERM));
        if !refused.is_empty() {
            let detail = GapDetail::MountedNamespaces(None);
            self.gaps.push(Gap::new(
                GapKind::Namespaces,
                GapReason::Permission,
                refused.len(),
                detail,
                help(),
            ));
        }
        if let Some(errno) = failed.first() {
            let detail = GapDetail::MountedNamespaces(Some(described(*errno)));
            self.gaps.push(Gap::new(GapKind::Namespaces, GapReason::Error, failed.len(), detail, None));
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
            self.gaps.push(Gap::new(
                GapKind::Namespaces,
                GapReason::Socket,
                unplaced,
                GapDetail::UnplacedSockets,
                help(),
            ));
        }
        // Those of a namespace that is known only by now are among those that were in no table.
        let outside = found.sockets.iter().map(|(_, place)| *place).filter(|place| sockets::is_unix(*place));
        let mut waiting: Vec<(u64, u64)> =
            outside.chain(found.pending.iter().copied()).map(waiting_descriptors).collect();
        waiting.sort_unstable();
        waiting.dedup();
        let waiting: u64 = waiting.into_iter().map(|(_, count)| count).sum();
        if waiting > 0 {
            let count = usize::try_from(waiting).unwrap_or(usize::MAX);
            let detail = GapDetail::WaitingDescriptors;
            self.gaps.push(Gap::new(
                GapKind::Namespaces,
                GapReason::InFlight,
                count,
                detail,
                Help::AfterMessage,
            ));
        }
        if !found.refused.is_empty() {
            let (count, detail) = (found.refused.len(), GapDetail::DescriptorNamespaces(None));
            let help = help_with_descriptors();
            self.gaps.push(Gap::new(GapKind::Namespaces, GapReason::Permission, count, detail, help));
        }
        if let Some((_, errno)) = found.failed.first() {
            let detail = GapDetail::DescriptorNamespaces(Some(described(*errno)));
            self.gaps.push(Gap::new(GapKind::Namespaces, GapReason::Error, found.failed.len(), detail, None));
        }
        if procfs::hides_processes() {
            let detail = GapDetail::HiddenNamespaces;
            self.gaps.push(Gap::new(GapKind::Namespaces, GapReason::HiddenProc, 1, detail, help()));
        }
        if procfs::is_in_pid_namespace() || pid_namespace::is_own() == Some(false) {
            let detail = GapDetail::OutsideNamespaces;
            self.gaps.push(Gap::new(GapKind::Namespaces, GapReason::PidNamespace, 1, detail, None));
        }
    }

    /// Adds what is mounted under names, where such mounts usually are.
    pub(in crate::os) fn named_mounts(&mut self) {
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

    pub(in crate::os) fn mounts_in(&mut self, path: &str, directory: BorrowedFd<'_>) {
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

    pub(in crate::os) fn finish(mut self) -> (Vec<Namespace>, Vec<Gap>) {
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
pub(in crate::os) const INTERNET: [(Protocol, Family); 4] = [
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
fn help() -> Option<Help> {
    (!crate::os::privileged()).then_some(Help::Privileges(Purpose::SeeMany))
}

/// What helps where descriptor tables may not be read.
fn help_with_descriptors() -> Help {
    help().unwrap_or_else(|| Help::Rights(visibility::rights()))
}

/// What the system says of an error.
fn described(errno: Errno) -> Text {
    describe_error(&errno.into()).as_str().into()
}

/// What could not be seen, as one gap for what rights would show, and one for what failed otherwise.
pub(in crate::os) fn gaps(refused: usize, failed: &[(String, Errno)]) -> Vec<Gap> {
    let (closed, failed): (Vec<_>, Vec<_>) =
        failed.iter().partition(|(_, errno)| matches!(*errno, Errno::ACCESS | Errno::PERM));
    let mut gaps = Vec::new();
    if refused > 0 || !closed.is_empty() {
        let folders = closed.iter().map(|(path, _)| path.as_str().into()).collect();
        let (count, detail) =
            (refused + closed.len(), GapDetail::ClosedNamespaces { processes: refused, folders });
        gaps.push(Gap::new(GapKind::Namespaces, GapReason::Permission, count, detail, help()));
    }
    if let Some((path, errno)) = failed.first() {
        let detail = GapDetail::NamedNamespaces { folder: path.as_str().into(), error: described(*errno) };
        gaps.push(Gap::new(GapKind::Namespaces, GapReason::Error, failed.len(), detail, None));
    }
    gaps
}

fn unnamed(number: u64) -> Namespace {
    let name = format!("net:[{number}]").as_str().into();
    Namespace { inode: Some(number), name, tasks: Vec::new(), entry: Err(Errno::NOENT), mark: None }
}
