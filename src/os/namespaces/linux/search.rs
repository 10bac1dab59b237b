//! The search for all other network namespaces: by processes and threads, named mounts, the kernel's own list, the mounts of
//! every mount namespace, descriptors and sockets. Whatever could not be searched becomes a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use super::descriptors::{Descriptors, TaskDescriptor};
use super::mount_namespaces::{self, NamespaceHandle};
use super::{
    Namespace, Task, has_ended, listns, net_dev_inode, number_at, number_in, number_of, open_namespace,
    other_threads, own, sockets, task_files,
};
use crate::model::compact::{CompactCollect as _, CompactSort as _};
use crate::model::{Gap, GapDetail, GapKind, GapReason, Help, PrivilegePurpose, Text};
use crate::os::descriptors::sys::processes;
use crate::os::descriptors::task_files::is_worth_a_program;
use crate::os::linux_api::missing_permissions;
use crate::os::linux_api::pid_namespace;
use crate::os::linux_api::procfs;
use crate::os::parse::linux::proc_fd;
use crate::os::{HolderSearch, TableRequest, describe_error};

/// Returns every network namespace except this thread's own, by name. The request names the sockets that are missed if
/// their namespace cannot be found.
pub(in crate::os) fn others(request: &TableRequest) -> (Vec<Namespace>, Vec<Gap>) {
    // A kernel without namespaces has no such file, and no others.
    let Some(own) = own() else { return (Vec::new(), Vec::new()) };
    let mut search = Search::new(own, true);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listed = rustix::fs::open("/proc", flags, Mode::empty())
        .and_then(|proc| processes(&proc).map(|pids| (proc, pids)));
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

/// The state of the search.
#[derive(Default)]
pub(in crate::os) struct Search {
    pub(super) own: u64,
    pub(super) by_number: BTreeMap<u64, Namespace>,
    /// Processes that hide the number of their namespace, by the inode number of its net/dev.
    pub(super) by_net_dev: BTreeMap<u64, Vec<Task>>,
    /// Whether mount namespaces are ignored.
    skips_mounts: bool,
    /// Mount namespaces, in which more may be mounted.
    mount_places: BTreeMap<u64, NamespaceHandle>,
    /// The mount namespaces that were searched.
    mounts_searched: BTreeSet<u64>,
    /// The number of processes whose namespace is unknown.
    refused: usize,
    /// Paths that could not be read, with the error.
    pub(super) failed: Vec<(String, Errno)>,
    /// Further gaps.
    gaps: Vec<Gap>,
}

impl Search {
    /// Begins a search from the namespace with this number. Mount namespaces are collected only with `with_mounts`.
    pub(in crate::os) fn new(own: u64, with_mounts: bool) -> Search {
        Search { own, skips_mounts: !with_mounts, ..Search::default() }
    }

    /// Adds the namespaces that processes and threads are in.
    pub(in crate::os) fn processes(&mut self, proc: BorrowedFd<'_>, pids: &[u32]) {
        let own_net_dev = net_dev_inode(proc, c"thread-self/net/dev").ok();
        for pid in pids {
            self.task(proc, Task::first(*pid), own_net_dev);
            for thread in other_threads(proc, *pid) {
                self.task(proc, Task { pid: *pid, thread }, own_net_dev);
            }
        }
    }

    fn task(&mut self, proc: BorrowedFd<'_>, task: Task, own_net_dev: Option<u64>) {
        let path = task.path();
        if !self.skips_mounts
            && let Ok(number) = number_in(proc, path.text("/ns/mnt").as_c_str(), b"mnt:[")
        {
            let path = || NamespaceHandle::Path(format!("/proc/{task}/ns/mnt"));
            self.mount_places.entry(number).or_insert_with(path);
        }
        let (link, net_dev) = (path.text("/ns/net"), path.text("/net/dev"));
        match number_at(proc, link.as_c_str()) {
            Ok(number) if number == self.own => {}
            Ok(number) => {
                let namespace = self.by_number.entry(number).or_insert_with(|| unnamed(number));
                namespace.tasks.push(task);
                if namespace.entry.is_err() {
                    namespace.entry = open_namespace(proc, link.as_c_str(), number);
                }
                if namespace.net_dev.is_none() {
                    namespace.net_dev = net_dev_inode(proc, net_dev.as_c_str()).ok();
                }
            }
            // Most processes of other users are in this namespace, which every user may see by the inode number.
            Err(Errno::ACCESS | Errno::PERM) => match net_dev_inode(proc, net_dev.as_c_str()) {
                Ok(net_dev) if Some(net_dev) == own_net_dev => {}
                Ok(net_dev) => self.by_net_dev.entry(net_dev).or_default().push(task),
                Err(errno) if has_ended(errno) => {}
                // The other threads of a process reveal no more than its first one.
                Err(_) => self.refused += usize::from(task.is_first()),
            },
            Err(errno) if has_ended(errno) => {}
            Err(errno) => self.failed.push((format!("/proc/{task}/ns/net"), errno)),
        }
    }

    /// Adds a namespace that was opened, or the error of the attempt.
    fn add(&mut self, number: u64, entry: Result<OwnedFd, Errno>) {
        if number == self.own {
            return;
        }
        let namespace = self.by_number.entry(number).or_insert_with(|| unnamed(number));
        if namespace.entry.is_err() {
            namespace.entry = entry;
        }
    }

    /// Returns the numbers of the namespaces that are open, and this thread's own.
    fn known_numbers(&self) -> BTreeSet<u64> {
        let open = self.by_number.iter().filter(|(_, namespace)| namespace.entry.is_ok());
        open.map(|(number, _)| *number).chain([self.own]).collect_set()
    }

    /// Adds the namespaces that the kernel lists, if it has a list.
    fn kernels_list(&mut self) {
        let Some((namespaces, failed)) = listns::namespaces() else { return };
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

    /// Adds the network namespaces that are mounted in these mount namespaces.
    fn mounts(&mut self, places: BTreeMap<u64, NamespaceHandle>) {
        self.mounts_searched.extend(places.keys());
        let mounted = match mount_namespaces::search(places, &self.known_numbers()) {
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

    /// Adds the namespaces that only descriptors and sockets keep.
    fn descriptors(&mut self, proc: BorrowedFd<'_>, pids: &[u32], request: &TableRequest) {
        let in_kernel = self.searched_in_kernel(proc, request.search);
        let found = in_kernel.unwrap_or_else(|| self.walked(proc, pids));
        let known = self.known_numbers();
        for (number, place) in found.networks.iter().filter(|(number, _)| !known.contains(number)) {
            if self.by_number.get(number).is_none_or(|namespace| namespace.entry.is_err()) {
                self.add(*number, open_namespace(proc, place.path(), *number));
            }
        }
        let mut places = BTreeMap::new();
        for (number, place) in &found.mounts {
            if !self.mounts_searched.contains(number) {
                places.insert(*number, NamespaceHandle::Path(format!("/proc/{}", place.path())));
            }
        }
        if !places.is_empty() {
            self.mounts(places);
        }
        let unplaced = self.sockets(&found, request);
        self.descriptor_gaps(&found, unplaced);
    }

    /// Returns what a BPF program finds in the descriptor tables, if that is available and worthwhile.
    fn searched_in_kernel(&self, proc: BorrowedFd<'_>, search: HolderSearch) -> Option<Descriptors> {
        let is_chosen = match search {
            HolderSearch::Walk => false,
            HolderSearch::Auto => is_worth_a_program(),
            HolderSearch::Bpf => true,
        };
        // A socket in a namespace whose number is hidden would seem to be in an unknown one.
        if !is_chosen || !self.by_net_dev.is_empty() {
            return None;
        }
        task_files::search(proc, self.by_number.keys().copied().chain([self.own]))
    }

    /// Adds the namespaces of sockets that are in no table. Returns how many sockets remain whose namespace is unknown.
    fn sockets(&mut self, found: &Descriptors, request: &TableRequest) -> usize {
        let mut known = self.known_numbers();
        let mut unplaced: Vec<(u64, Option<TaskDescriptor>)> = Vec::new();
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
        // A socket in an io_uring is in no descriptor table, and cannot be duplicated.
        for ring in &found.rings {
            let path = format!("/proc/{}/fdinfo/{}", ring.task, ring.descriptor);
            let info = procfs::read_at(CWD, path, 1 << 22).unwrap_or_default();
            unplaced.extend(proc_fd::parse_ring(&info).sockets.into_iter().map(|inode| (inode, None)));
        }
        if unplaced.is_empty() {
            return 0;
        }
        // A socket may have been opened after the tables were read, or closed after its descriptor was.
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

    pub(in crate::os) fn finish(mut self) -> (Vec<Namespace>, Vec<Gap>) {
        for namespace in self.by_number.values_mut() {
            let same = namespace.net_dev.and_then(|net_dev| self.by_net_dev.remove(&net_dev));
            namespace.tasks.extend(same.unwrap_or_default());
            namespace.tasks.sort_unstable();
        }
        let unnumbered = self.by_net_dev.into_iter().map(|(net_dev, tasks)| unnumbered(net_dev, tasks));
        let mut namespaces: Vec<Namespace> = self.by_number.into_values().chain(unnumbered).collect();
        namespaces.compact_sort_by(|a, b| (&a.name, a.inode).cmp(&(&b.name, b.inode)));
        let mut gaps = gaps(self.refused, &self.failed);
        gaps.append(&mut self.gaps);
        (namespaces, gaps)
    }
}

/// Returns a namespace whose processes hide its number.
pub(super) fn unnumbered(net_dev: u64, tasks: Vec<Task>) -> Namespace {
    let name = tasks.first().map(|task| format!("pid:{}", task.pid)).unwrap_or_default();
    Namespace {
        inode: None,
        name: name.as_str().into(),
        tasks,
        entry: Err(Errno::ACCESS),
        net_dev: Some(net_dev),
    }
}

/// Returns the inode number of a Unix socket, and how many descriptors wait in it.
fn waiting_descriptors(place: TaskDescriptor) -> (u64, u64) {
    let link = rustix::fs::readlink(format!("/proc/{}", place.path()), Vec::with_capacity(32));
    let inode = link.ok().and_then(|link| proc_fd::socket_inode(link.to_bytes())).unwrap_or(0);
    let path = format!("/proc/{}/fdinfo/{}", place.task, place.descriptor);
    let count = procfs::read_at(CWD, path, 1 << 16).map_or(0, |info| proc_fd::waiting_descriptors(&info));
    (inode, count)
}

/// Returns what helps a user other than root.
fn help() -> Option<Help> {
    (!crate::os::privileged()).then_some(Help::Privileges(PrivilegePurpose::SeeMany))
}

/// Returns what helps if descriptor tables may not be read.
fn help_with_descriptors() -> Help {
    help().unwrap_or_else(|| Help::Rights(missing_permissions::missing_permissions()))
}

/// Returns the system's text for an error.
fn described(errno: Errno) -> Text {
    describe_error(&errno.into()).as_str().into()
}

/// Returns a gap for what further permissions would show, and one for other failures.
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

pub(super) fn unnamed(number: u64) -> Namespace {
    let name = format!("net:[{number}]").as_str().into();
    Namespace { inode: Some(number), name, tasks: Vec::new(), entry: Err(Errno::NOENT), net_dev: None }
}
