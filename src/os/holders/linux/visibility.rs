//! Why a socket has no visible holder: processes that may not be read, processes that are hidden, and what the kernel
//! reports.

mod holder_help;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::candidates::other_listeners::OtherListeners;
use super::candidates::{CandidatePool, CandidateRanking, UnreadableProcess, candidate};
use super::claims;
use super::claims::KernelSocketReports;
use super::in_flight::{InFlight, Receiver, in_flight};
use super::signs::{Signs, Suspects};
use crate::model::compact::CompactCollect as _;
use crate::model::{
    Candidate, Evidence, Gap, GapDetail, GapKind, GapReason, Help, KernelSocket, OpenFilesLimit, Protocol,
    Socket, Text, Unseen, UnseenReason,
};
use crate::os::descriptors::sys::{Walk, threads_for};
use crate::os::linux_api::cgroup;
use crate::os::linux_api::missing_permissions::missing_permissions;
use crate::os::linux_api::pid_namespace;
use crate::os::linux_api::procfs;
use crate::os::linux_api::user_namespace::OverflowUid;
use crate::os::parse::linux::kernel_sockets::Strength;
use crate::os::process::sys::proc_handle::Directory;
use crate::os::{HolderSearch, ProgramWords, Row, SocketHolder, threads, too_many_files};
use holder_help::help;

/// By the cgroup in which a socket was created, and its user.
type PoolsByOrigin = BTreeMap<(Option<u64>, Option<u32>), Rc<CandidatePool>>;

/// What this process may not read, and what explains the sockets without a known descriptor.
#[derive(Default)]
pub(in crate::os) struct Visibility {
    /// The words in the names of programs that serve a port.
    pub(in crate::os) program_words: ProgramWords,
    pub(in crate::os) refused: Vec<UnreadableProcess>,
    failed: usize,
    /// The limit of open files, if that kept processes from being read.
    files_limit: Option<OpenFilesLimit>,
    pub(in crate::os) hidden: bool,
    pub(in crate::os) namespaced: bool,
    pub(in crate::os) closed: Vec<u64>,
    cgroups: BTreeMap<u64, cgroup::Cgroup>,
    /// The members of the cgroups that were asked for.
    members: RefCell<BTreeMap<u64, Rc<[u32]>>>,
    /// The unreadable processes that may hold a socket, by its cgroup and its user.
    pools: RefCell<PoolsByOrigin>,
    overflow: Option<OverflowUid>,
    other_listeners: OnceCell<OtherListeners>,
    /// Processes for which descriptors wait in messages.
    pub(in crate::os) receivers: Vec<Receiver>,
    /// The sockets that may be among those descriptors, by inode.
    in_flight: BTreeMap<u64, InFlight>,
    /// Signs of processes that hold files without a descriptor; `None` if they were not searched for.
    pub(in crate::os) signs: Option<Signs>,
    pub(in crate::os) claims: KernelSocketReports,
    other_claims: BTreeMap<Option<Text>, KernelSocketReports>,
}

impl Visibility {
    /// Adds what the walk could not read, and the cgroups of the rows.
    pub(in crate::os) fn read(&mut self, walk: &mut Walk, rows: &[&Row]) {
        // A kernel thread has no descriptors: nothing is missed if its table may not be read.
        let named = |pid: &u32| {
            let stat = procfs::stat_of(*pid)?;
            // A zombie has no descriptors either, unless it is only the main thread that has ended.
            let ended = matches!(stat.state, 'Z' | 'X') && stat.threads <= 1;
            (!stat.kernel && !ended).then(|| UnreadableProcess::new(*pid, stat))
        };
        walk.refused.sort_unstable();
        walk.refused.dedup();
        let refused = threads::map(&walk.refused, threads_for(walk.refused.len()), named);
        self.refused = refused.into_iter().flatten().collect();
        *self.pools.get_mut() = BTreeMap::new();
        self.failed = walk.failed.len();
        self.files_limit = walk.failed.iter().find_map(|(_, errno)| too_many_files(&(*errno).into()));
        self.hidden = procfs::hides_processes();
        self.namespaced = procfs::is_in_pid_namespace() || pid_namespace::is_own() == Some(false);
        self.overflow = OverflowUid::current();
        let mut ids: Vec<u64> = rows.iter().filter_map(|row| row.cgroup).collect();
        ids.sort_unstable();
        ids.dedup();
        if !ids.is_empty() {
            self.cgroups = cgroup::paths(&ids);
        }
    }

    pub(in crate::os) fn cgroup(&self, row: &Row) -> Option<&cgroup::Cgroup> {
        self.cgroups.get(&row.cgroup?)
    }

    /// Returns the users of a socket within the kernel, by evidence of this strength.
    pub(in crate::os) fn kernel(&self, socket: &Socket, strength: Strength) -> Vec<KernelSocket> {
        let here = match socket.namespace {
            None => self.claims.matching(socket, strength),
            Some(_) => Default::default(),
        };
        match self.other_claims.get(&socket.namespace) {
            Some(claims) if here.is_empty() => claims.matching(socket, strength),
            _ => here,
        }
    }

    /// Reads what interfaces and services of other namespaces use, if those of this one do not explain some socket. It
    /// takes the permission to enter them.
    pub(in crate::os) fn read_other_namespaces<'a>(
        &mut self,
        unexplained: impl Iterator<Item = &'a Row>,
        search: HolderSearch,
    ) {
        let sockets: Vec<&Socket> = unexplained
            .map(|row| &row.socket)
            .filter(|socket| matches!(socket.protocol, Protocol::Tcp | Protocol::Udp))
            .filter(|socket| self.kernel(socket, Strength::Reported).is_empty())
            // An interface's socket has any address.
            .filter(|socket| {
                let address = socket.endpoint.address();
                socket.namespace.is_some() || address.is_some_and(|address| address.is_unspecified())
            })
            .collect();
        let wanted: BTreeSet<Option<Text>> =
            sockets.iter().map(|socket| socket.namespace.clone()).collect_set();
        let protocols: BTreeSet<Protocol> = sockets.iter().map(|socket| socket.protocol).collect_set();
        // Only interfaces that receive UDP are moved.
        let may_be = wanted.iter().any(Option::is_some) || protocols.contains(&Protocol::Udp);
        if may_be && crate::os::privileged() {
            self.other_claims = claims::other_namespaces::claims(&wanted, &protocols, search);
        }
    }

    /// Returns whether the kernel reports that it opened a socket itself.
    pub(in crate::os) fn is_kernel_socket(&self, socket: &Socket) -> bool {
        !self.kernel(socket, Strength::Reported).is_empty()
    }

    /// Returns why a socket must have, or may have, holders that were not found.
    pub(in crate::os) fn unseen(&self, row: &Row, held: &[SocketHolder]) -> Option<Unseen> {
        let socket = &row.socket;
        // Connections without an inode (TIME_WAIT and the like) have outlived their holders.
        let inode = socket.inode?;
        if !held.is_empty() {
            return self.further_holders(row, held);
        }
        let reported = self.kernel(socket, Strength::Reported);
        let fixed = self.kernel(socket, Strength::Fixed);
        let possible = || [fixed.clone(), self.kernel(socket, Strength::Possible)].concat();
        let explained = |reason, help: Option<Help>, candidates| {
            let kernel = if matches!(reason, UnseenReason::Exited | UnseenReason::InFlight) {
                vec![]
            } else {
                possible()
            };
            Some(Unseen { reason, help, candidates, kernel })
        };
        if self.closed.binary_search(&inode).is_ok() {
            return explained(UnseenReason::Exited, Some(Help::HolderEnded), vec![]);
        }
        if !reported.is_empty() {
            return Some(Unseen {
                reason: UnseenReason::Kernel,
                help: None,
                candidates: vec![],
                kernel: reported,
            });
        }
        let Suspects { candidates: mut suspects, strong } = self.suspects(row);
        match self.in_flight.get(&inode) {
            // It is unknown which of the two holds it.
            Some(_) if strong => {
                suspects.extend(self.receivers_of(row));
                return explained(UnseenReason::Unknown, None, suspects);
            }
            None if strong => return explained(UnseenReason::Unknown, None, suspects),
            Some(InFlight::All) => {
                return explained(UnseenReason::InFlight, Some(Help::AfterMessage), self.receivers_of(row));
            }
            Some(InFlight::Some) => {
                return explained(UnseenReason::Unknown, Some(Help::AfterMessages), self.receivers_of(row));
            }
            None => {}
        }
        if let Some(limit) = self.files_limit {
            let help = Help::TooManyFiles { limit };
            return explained(UnseenReason::Unknown, Some(help), vec![]);
        }
        if !self.refused.is_empty() {
            let mut candidates = self.candidates(row);
            // The members of a socket's cgroup are likelier than a process with a ring.
            if candidates.first().is_none_or(|first| first.evidence != Evidence::Cgroup) {
                candidates.splice(0..0, suspects);
            }
            return explained(UnseenReason::Permission, Some(help(socket)), candidates);
        }
        if self.hidden {
            return explained(UnseenReason::HiddenProc, Some(help(socket)), self.members(row));
        }
        if self.namespaced {
            return explained(UnseenReason::PidNamespace, Some(Help::OutsidePidNamespace), vec![]);
        }
        if self.failed > 0 {
            return explained(UnseenReason::Unknown, None, vec![]);
        }
        // Every descriptor table was read, twice, and the socket is still there.
        if !fixed.is_empty() && suspects.is_empty() && self.without_system_calls() == 0 {
            return Some(Unseen {
                reason: UnseenReason::Kernel,
                help: None,
                candidates: vec![],
                kernel: fixed,
            });
        }
        let help = match &self.signs {
            _ if !suspects.is_empty() => None,
            // The system calls that threads wait in may not be read.
            Some(_) if self.without_system_calls() > 0 => Some(help(socket)),
            _ => Some(Help::KernelServices),
        };
        explained(UnseenReason::Unknown, help, suspects)
    }

    /// Returns the number of processes whose descriptors may be read, but not the system calls of their threads.
    fn without_system_calls(&self) -> usize {
        let refused = self.signs.iter().flat_map(|signs| &signs.refused);
        refused.filter(|pid| self.refused.iter().all(|known| known.pid != **pid)).count()
    }

    /// Returns the processes that may hold a socket without a descriptor.
    fn suspects(&self, row: &Row) -> Suspects {
        match &self.signs {
            Some(signs) => signs.suspects(row, &self.members_of(row).unwrap_or_default()),
            None => Suspects::default(),
        }
    }

    /// Returns the members of a socket's cgroup, which are read once. The root cgroup identifies no service.
    fn members_of(&self, row: &Row) -> Option<Rc<[u32]>> {
        let cgroup = self.cgroup(row).filter(|found| found.path != b"/")?;
        let mut known = self.members.borrow_mut();
        Some(known.entry(row.cgroup?).or_insert_with(|| cgroup::members(cgroup).into()).clone())
    }

    /// Returns the processes for which a socket may wait in a message.
    fn receivers_of(&self, row: &Row) -> Vec<Candidate> {
        let members = self.members_of(row);
        let mut candidates: Vec<Candidate> = Vec::new();
        for receiver in self.receivers.iter().filter(|receiver| receiver.can_have(row, members.as_deref())) {
            if candidates.iter().all(|known| known.pid != receiver.candidate.pid) {
                candidates.push(receiver.candidate.clone());
            }
        }
        candidates
    }

    /// Returns whether a search for processes that hold files without a descriptor is useful: it is not for another
    /// user's socket if this user may not read that user's processes.
    pub(in crate::os) fn may_be_without_descriptor(&self, row: &Row) -> bool {
        let own = rustix::process::geteuid().as_raw();
        !self.is_kernel_socket(&row.socket)
            && (crate::os::privileged() || row.socket.uid == Some(own) || self.refused.is_empty())
    }

    /// Finds the sockets without a holder that may be among the descriptors that wait in messages.
    pub(in crate::os) fn add_in_flight(&mut self, rows: &[&Row], missing: &[u64]) {
        if self.receivers.is_empty() {
            return;
        }
        let mut flying: Vec<u64> = Vec::new();
        let mut receivers: Vec<&Receiver> = Vec::new();
        for row in rows {
            let Some(inode) = row.socket.inode.filter(|inode| missing.binary_search(inode).is_ok()) else {
                continue;
            };
            if self.is_kernel_socket(&row.socket) {
                continue;
            }
            let members = self.members_of(row);
            let can = self.receivers.iter().filter(|receiver| receiver.can_have(row, members.as_deref()));
            let before = receivers.len();
            receivers.extend(can);
            if receivers.len() > before {
                flying.push(inode);
            }
        }
        flying.sort_unstable();
        flying.dedup();
        if let Some(found) = in_flight(flying.len(), &receivers) {
            self.in_flight = flying.into_iter().map(|inode| (inode, found)).collect();
        }
    }

    /// Returns the possible further holders of a socket that one user opened and another user's processes hold, as a
    /// server's workers do: the process that opened it may still have it.
    fn further_holders(&self, row: &Row, held: &[SocketHolder]) -> Option<Unseen> {
        let socket = &row.socket;
        let is_openers = |held: &SocketHolder| match socket.uid {
            Some(uid) => held.process.handle().effective_uid() == Some(uid),
            None => socket.unknown_user.is_none(),
        };
        if self.refused.is_empty() || held.iter().any(is_openers) {
            return None;
        }
        let pool = self.pool(row);
        let explained = || Unseen {
            reason: UnseenReason::Permission,
            help: Some(help(socket)),
            candidates: self.choice().candidates(row, &pool),
            kernel: Vec::new(),
        };
        (!pool.is_empty()).then(explained)
    }

    fn choice(&self) -> CandidateRanking<'_> {
        CandidateRanking {
            refused: &self.refused,
            overflow: self.overflow,
            program_words: self.program_words,
            other_listeners: &self.other_listeners,
        }
    }

    /// Returns the unreadable processes that may hold a socket.
    fn pool(&self, row: &Row) -> Rc<CandidatePool> {
        let read = || {
            // The root cgroup identifies no service.
            let cgroup = self.cgroup(row).filter(|found| found.path != b"/");
            let unit = cgroup.and_then(|found| found.path.rsplit(|byte| *byte == b'/').next());
            let members = self.members_of(row).unwrap_or_default();
            Rc::new(self.choice().pool(row.socket.uid, &members, unit))
        };
        let known = self.pools.borrow().get(&(row.cgroup, row.socket.uid)).cloned();
        known.unwrap_or_else(|| {
            let pool = read();
            self.pools.borrow_mut().insert((row.cgroup, row.socket.uid), pool.clone());
            pool
        })
    }

    /// Returns whether an unreadable process may hold it.
    pub(in crate::os) fn may_be_refused(&self, row: &Row) -> bool {
        !self.refused.is_empty() && !self.pool(row).is_empty()
    }

    /// Returns the likeliest unreadable processes. Empty if nothing distinguishes one among many.
    fn candidates(&self, row: &Row) -> Vec<Candidate> {
        self.choice().candidates(row, &self.pool(row))
    }

    /// Returns the members of a socket's cgroup if processes are hidden: their pids can be read even then.
    fn members(&self, row: &Row) -> Vec<Candidate> {
        let members = self.members_of(row).unwrap_or_default();
        let named = |pid: &u32| {
            let pid = *pid;
            let directory = Directory::open(pid).ok()?;
            Some(candidate(pid, directory, Evidence::Cgroup))
        };
        members.iter().filter_map(named).collect()
    }

    pub(in crate::os) fn gaps(&self, failure: Option<String>, missing: bool) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let rights = || Help::Rights(missing_permissions());
        let refused = self.refused.len();
        if refused > 0 {
            let detail = GapDetail::Descriptors(None);
            gaps.push(Gap::new(GapKind::Descriptors, GapReason::Permission, refused, detail, rights()));
        }
        if self.failed > 0 {
            let why = failure.unwrap_or_default();
            let detail = GapDetail::Descriptors(Some(why.as_str().into()));
            gaps.push(Gap::new(GapKind::Descriptors, GapReason::Error, self.failed, detail, None));
        }
        let silent = self.without_system_calls();
        if silent > 0 && missing {
            let detail = GapDetail::SystemCalls;
            gaps.push(Gap::new(GapKind::SystemCalls, GapReason::Permission, silent, detail, rights()));
        }
        if self.hidden {
            let detail = GapDetail::HiddenProcesses;
            gaps.push(Gap::new(GapKind::Processes, GapReason::HiddenProc, 1, detail, rights()));
        }
        gaps.extend(pid_namespace::gap());
        if self.namespaced && missing {
            let detail = GapDetail::OutsideProcesses;
            gaps.push(Gap::new(GapKind::Processes, GapReason::PidNamespace, 1, detail, None));
        }
        gaps
    }
}
