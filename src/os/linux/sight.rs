//! Why nobody was seen to hold a socket: who may not be looked into, who hides, what the kernel says.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::os::fd::AsFd;

use rustix::thread::CapabilitySet;

use super::candidates::{Choice, Elsewhere, Pool, Refused};
use super::pin::Directory;
use super::pinned::{LONGEST_COMMAND, arguments, full_name};
use super::walk::Walk;
use super::{OverflowUid, cgroup, pid_namespace, procfs, user_namespace};
use crate::os::{Held, Row, too_many_files};
use crate::{Candidate, Endpoint, Evidence, Gap, Protocol, Reason, Socket, Target, Text, Unseen, shell};

/// What a walk could not see, and what explains sockets that it did not find.
pub(super) struct Sight {
    pub(super) refused: Vec<Refused>,
    failed: usize,
    /// The limit of open files, if that kept processes from being read.
    files_limit: Option<String>,
    pub(super) hidden: bool,
    pub(super) namespaced: bool,
    pub(super) closed: Vec<u64>,
    cgroups: BTreeMap<u64, cgroup::Found>,
    overflow: Option<OverflowUid>,
    elsewhere: OnceCell<Elsewhere>,
    pub(super) receivers: Vec<Candidate>,
    pub(super) kernel_ports: Vec<u16>,
}

impl Sight {
    pub(super) fn of(walk: &mut Walk, rows: &[&Row], closed: Vec<u64>) -> Sight {
        // Threads of the kernel have no descriptors: nothing is missed where theirs may not be read.
        let named = |pid: &u32| {
            let stat = std::fs::read(format!("/proc/{pid}/stat"))
                .ok()
                .and_then(|bytes| procfs::parse_stat(&bytes))?;
            (!stat.kernel).then(|| Refused::new(*pid, stat))
        };
        walk.refused.sort_unstable();
        walk.refused.dedup();
        let refused: Vec<Refused> = walk.refused.iter().filter_map(named).collect();
        let mut ids: Vec<u64> = rows.iter().filter_map(|row| row.cgroup).collect();
        ids.sort_unstable();
        ids.dedup();
        Sight {
            refused,
            failed: walk.failed.len(),
            files_limit: walk.failed.iter().find_map(|(_, errno)| too_many_files(&(*errno).into())),
            hidden: procfs::hides_processes(),
            namespaced: procfs::is_in_pid_namespace() || pid_namespace::is_own() == Some(false),
            closed,
            cgroups: if ids.is_empty() { BTreeMap::new() } else { cgroup::paths(&ids) },
            overflow: OverflowUid::current(),
            elsewhere: OnceCell::new(),
            receivers: Vec::new(),
            kernel_ports: Vec::new(),
        }
    }

    pub(super) fn cgroup(&self, row: &Row) -> Option<&cgroup::Found> {
        self.cgroups.get(&row.cgroup?)
    }

    /// Whether it is the socket of a tunnel of the kernel's.
    pub(super) fn is_kernels(&self, socket: &Socket) -> bool {
        socket.protocol == Protocol::Udp
            && socket.uid == Some(0)
            && socket.endpoint.port().is_some_and(|port| self.kernel_ports.contains(&port))
    }

    /// Why there must be, or may be, holders of a socket besides those that were seen.
    pub(super) fn unseen(&self, row: &Row, held: &[Held]) -> Option<Unseen> {
        let socket = &row.socket;
        // Connections without an inode (TIME_WAIT and the like) have outlived their holders.
        let inode = socket.inode?;
        if !held.is_empty() {
            return self.unseen_besides(row, held);
        }
        let explained = |reason, help: Option<String>, candidates| {
            Some(Unseen { reason, help: help.map(|help| help.as_str().into()), candidates })
        };
        if self.closed.binary_search(&inode).is_ok() {
            return explained(
                Reason::Exited,
                Some("its holder ended during the look; look again".to_owned()),
                vec![],
            );
        }
        if self.is_kernels(socket) {
            let help = "a tunnel of the kernel receives here; ip -d link shows it".to_owned();
            return explained(Reason::Kernel, Some(help), vec![]);
        }
        if !self.receivers.is_empty() {
            let help = "look again when the message was received".to_owned();
            return explained(Reason::InFlight, Some(help), self.receivers.clone());
        }
        if let Some(limit) = &self.files_limit {
            let help = format!("too many files are open to look into every process: {limit}");
            return explained(Reason::Unknown, Some(help), vec![]);
        }
        if !self.refused.is_empty() {
            return explained(Reason::Permission, Some(help(socket)), self.candidates(row));
        }
        if self.hidden {
            return explained(Reason::HiddenProc, Some(help(socket)), self.members(row));
        }
        if self.namespaced {
            let help = "perhaps a process outside of this pid namespace holds it: ask there".to_owned();
            return explained(Reason::PidNamespace, Some(help), vec![]);
        }
        if self.failed > 0 {
            return explained(Reason::Unknown, None, vec![]);
        }
        // Every process was looked into, twice, and the socket is still there.
        explained(Reason::Kernel, None, vec![])
    }

    /// A socket of one user in the hands of another, as a server's workers have it: who made it may have it still.
    fn unseen_besides(&self, row: &Row, held: &[Held]) -> Option<Unseen> {
        let socket = &row.socket;
        let is_openers = |held: &Held| match socket.uid {
            Some(uid) => held.process.pin().effective_uid() == Some(uid),
            None => socket.unknown_user.is_none(),
        };
        if self.refused.is_empty() || held.iter().any(is_openers) {
            return None;
        }
        let (pool, unit) = self.pool(row);
        let explained = || Unseen {
            reason: Reason::Permission,
            help: Some(help(socket).as_str().into()),
            candidates: self.choice().candidates(row, &pool, unit),
        };
        (!pool.is_empty()).then(explained)
    }

    fn choice(&self) -> Choice<'_> {
        Choice { refused: &self.refused, overflow: self.overflow, elsewhere: &self.elsewhere }
    }

    /// Those of the processes that may not be read that may hold a socket, and the last part of its cgroup's path.
    fn pool(&self, row: &Row) -> (Pool<'_>, Option<&[u8]>) {
        // Being in the root cgroup tells nothing.
        let cgroup = self.cgroup(row).filter(|found| found.path != b"/");
        let members = cgroup.map(cgroup::members).unwrap_or_default();
        let unit = cgroup.and_then(|found| found.path.rsplit(|byte| *byte == b'/').next());
        (self.choice().pool(row, &members), unit)
    }

    /// Whether a process that may not be read may hold it.
    pub(super) fn may_be_refused(&self, row: &Row) -> bool {
        !self.refused.is_empty() && !self.pool(row).0.is_empty()
    }

    /// The likeliest of the processes that may not be read. None if nothing tells one from many.
    fn candidates(&self, row: &Row) -> Vec<Candidate> {
        let (pool, unit) = self.pool(row);
        self.choice().candidates(row, &pool, unit)
    }

    /// The members of a socket's cgroup, where processes are hidden: their pids can be read all the same.
    fn members(&self, row: &Row) -> Vec<Candidate> {
        let cgroup = self.cgroup(row).filter(|found| found.path != b"/");
        let members = cgroup.map(cgroup::members).unwrap_or_default();
        let named = |pid: u32| {
            let directory = Directory::open(pid).ok()?;
            Some(candidate(pid, directory, Evidence::Cgroup))
        };
        members.into_iter().filter_map(named).collect()
    }

    pub(super) fn gaps(&self, failure: Option<String>, missing: bool) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let refused = self.refused.len();
        if refused > 0 {
            let detail = match refused {
                1 => "the descriptors of one process".to_owned(),
                many => format!("the descriptors of {many} processes"),
            };
            gaps.push(Gap::new("descriptors", "permission", refused, detail, Some(&rights())));
        }
        if self.failed > 0 {
            let why = failure.unwrap_or_default();
            let detail = match self.failed {
                1 => format!("the descriptors of one process: {why}"),
                many => format!("the descriptors of {many} processes: {why}"),
            };
            gaps.push(Gap::new("descriptors", "error", self.failed, detail, None));
        }
        if self.hidden {
            let detail = "processes of other users: /proc is mounted with hidepid";
            gaps.push(Gap::new("processes", "hidden-proc", 1, detail, Some(&rights())));
        }
        gaps.extend(pid_namespace::gap());
        if self.namespaced && missing {
            let detail = "processes outside of this pid namespace, if there are any";
            gaps.push(Gap::new("processes", "pid-namespace", 1, detail, None));
        }
        gaps
    }
}

/// A process that may be the one, by its name as its own directory tells it.
pub(super) fn candidate(pid: u32, directory: impl AsFd, evidence: Evidence) -> Candidate {
    let command = procfs::read_at(&directory, "cmdline", LONGEST_COMMAND).unwrap_or_default();
    let comm = procfs::stat(&directory).map(|stat| stat.name).unwrap_or_default();
    Candidate { pid, name: full_name(&comm, None, &arguments(&command)), evidence }
}

/// The one command that shows who holds a socket, and what is missing here where something is there already.
fn help(socket: &Socket) -> String {
    let missing = rights();
    if super::privileged() {
        return missing;
    }
    match (shell::allears_with_rights(&[argument(socket)]), missing == SUDO) {
        (Some(command), true) => command,
        (Some(command), false) => format!("{command} ({missing})"),
        (None, _) => missing,
    }
}

/// The target that names a socket: its port, its path if that is a target by itself, or all Unix sockets.
fn argument(socket: &Socket) -> String {
    match &socket.endpoint {
        Endpoint::Ip { port, .. } => port.to_string(),
        Endpoint::Unix { path } => {
            let path = path.as_ref().and_then(Text::as_str).filter(|path| {
                let targets = Target::parse_list(path).unwrap_or_default();
                matches!(targets.as_slice(), [only] if only.is_unix()) && shell::line(&[path]).is_some()
            });
            path.map_or_else(|| "-x".to_owned(), str::to_owned)
        }
    }
}

const SUDO: &str = "run with sudo to see them";

/// What would let this process read other users' descriptor tables (ptrace(2), access mode checking). Rights are
/// capabilities: neither has every root all of them, nor is everybody else without.
pub(super) fn rights() -> String {
    let held = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let inspect = held.contains(CapabilitySet::SYS_PTRACE);
    let search = held.intersects(CapabilitySet::DAC_READ_SEARCH | CapabilitySet::DAC_OVERRIDE);
    match (inspect, search) {
        (true, true) if user_namespace::current().is_some() => {
            "run allears outside of this user namespace, which has no rights over processes outside of it"
                .to_owned()
        }
        (true, true) => {
            "these processes have more rights than this one, or a security module guards them".to_owned()
        }
        (false, false) if !super::privileged() => SUDO.to_owned(),
        (true, false) => "CAP_DAC_READ_SEARCH is missing here".to_owned(),
        (false, true) => "CAP_SYS_PTRACE is missing here".to_owned(),
        (false, false) => "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are missing here".to_owned(),
    }
}
