//! Who holds a socket, and where nobody was seen to: why not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind as IoErrorKind;
use std::os::fd::AsFd;
use std::thread;

use rustix::io::Errno;
use rustix::thread::CapabilitySet;

use super::belonging::belongs_to;
use super::pin::{Directory, Pin};
use super::walk::{Found, Walk, try_doors, walk, walk_among};
use super::{ancestors, bpf, cgroup, deep, procfs, unix_diag};
use crate::os::portable::Table;
use crate::os::{Held, HolderSearch, Holders, Row, Unread};
use crate::{
    Candidate, Error, ErrorKind, Evidence, Family, Gap, Process, Protocol, Reason, Socket, Text, Unseen,
};

/// The most that is kept of a command line. Longer ones exist: the kernel's limit is some 2 MiB.
const LONGEST_COMMAND: u64 = 32 * 1024;
/// With fewer files open on the machine than this a walk is as fast as loading a program.
const WORTH_A_PROGRAM: u64 = 1000;
/// How often a socket that nobody seems to hold is looked for again.
const REPEATS: usize = 2;
/// The kernel keeps 15 bytes of a thread's name.
const LONGEST_COMM: usize = 15;

/// A process that holds a socket.
#[derive(Debug, Clone)]
pub(crate) struct Pinned(Pin);

impl Pinned {
    pub(crate) fn pid(&self) -> u32 {
        self.0.pid
    }

    /// Checks that facts read by pid are this process's, and completes them. False where the process has ended:
    /// nothing is known then of whose facts these are.
    pub(in crate::os) fn confirm(&self, process: &mut Process) -> bool {
        let Some(directory) = self.0.open() else { return false };
        let command = procfs::read_at(&*directory, "cmdline", LONGEST_COMMAND + 1);
        let cgroup = procfs::read_at(&*directory, "cgroup", LONGEST_COMMAND).ok();
        // Read last: where this still answers, the pid has belonged to this process all the time.
        let Some(stat) = procfs::stat(&*directory).filter(|stat| self.0.is(stat)) else { return false };
        process.id.start = Some(stat.start);
        process.parents = ancestors::seed(&stat);
        if let Ok(command) = command {
            process.command = Some(arguments(&command));
        }
        let executable = process.executable.as_ref().map(Text::file_name);
        process.name = full_name(&stat.name, executable, process.command.as_deref().unwrap_or_default());
        let cgroup = cgroup.unwrap_or_default();
        if let Some(path) = cgroup::of_process(&cgroup) {
            (process.service, process.container) = belongs_to(&path);
        }
        if process.container.is_none() {
            process.container = cgroup::of_process_elsewhere(&cgroup).find_map(|path| belongs_to(path).1);
        }
        true
    }
}

/// Pins the process that has this pid now.
pub(in crate::os) fn pin(pid: u32) -> Option<Pinned> {
    Pin::new(pid, Directory::open(pid).ok()?).map(Pinned)
}

/// The arguments, which end in NUL each. A process may have rewritten them to anything.
pub(super) fn arguments(bytes: &[u8]) -> Vec<Text> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    // A title as setproctitle(3) makes it is padded with NULs.
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    bytes.get(..end).unwrap_or_default().split(|byte| *byte == 0).map(Text::from).collect()
}

/// The kernel's 15 bytes, made whole by the program's file or the first argument where one begins with them.
fn full_name(comm: &[u8], executable: Option<&[u8]>, command: &[Text]) -> Text {
    if comm.len() < LONGEST_COMM {
        return comm.into();
    }
    let argument = command.first().map(Text::file_name);
    let whole = [executable, argument].into_iter().flatten().find(|name| name.starts_with(comm));
    whole.unwrap_or(comm).into()
}

/// Cuts command lines that are too long to keep, and says so.
pub(in crate::os) fn shorten_commands(processes: &mut BTreeMap<u32, Process>) -> Option<Gap> {
    let mut cut = 0;
    for process in processes.values_mut() {
        let Some(command) = &mut process.command else { continue };
        let mut room = usize::try_from(LONGEST_COMMAND).unwrap_or(usize::MAX);
        let length: usize = command.iter().map(|argument| argument.as_bytes().len() + 1).sum();
        if length <= room {
            continue;
        }
        cut += 1;
        command.retain_mut(|argument| {
            let kept = argument.as_bytes().get(..room).unwrap_or(argument.as_bytes()).to_vec();
            let keep = room > 0;
            room = room.saturating_sub(kept.len() + 1);
            *argument = kept.into();
            keep
        });
    }
    (cut > 0).then(|| {
        let detail = format!(
            "command lines of {cut} processes are longer than {LONGEST_COMMAND} bytes; the rest is left out"
        );
        Gap::new("command", "too-long", cut, detail, None)
    })
}

/// Who holds exactly these sockets.
pub(in crate::os) fn holders(rows: &[&Row], search: HolderSearch) -> Result<Holders, Error> {
    let mut wanted: Vec<u64> = rows.iter().filter_map(|row| row.socket.inode).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let (searched, meanwhile) = thread::scope(|scope| {
        // Where even the first process refuses, some socket will stay unexplained: what is asked then is asked now.
        let early = search != HolderSearch::Walk
            && bpf::allowed().is_ok()
            && is_worth_it()
            && first_process_refuses();
        let beyond =
            if early { thread::Builder::new().spawn_scoped(scope, beyond_tables).ok() } else { None };
        let searched = begin(rows, &wanted, search);
        (searched, beyond.and_then(|beyond| beyond.join().ok()))
    });
    let Searched { mut walk, mut how, by_program } = searched?;
    let mut missing = walk.missing(&wanted);
    let closed = closed_since(rows, &missing);
    missing.retain(|inode| closed.binary_search(inode).is_err());
    let mut elsewhere = (Vec::new(), Vec::new());
    if !missing.is_empty() && by_program {
        let (doors, asked) = meanwhile.unwrap_or_else(beyond_tables);
        walk.add(doors?);
        elsewhere = asked;
    } else if !missing.is_empty() {
        let threads = thread::scope(|scope| {
            let kernel = thread::Builder::new().spawn_scoped(scope, ask_kernel);
            let threads = deep::search_threads(&walk.pids, &missing);
            elsewhere = kernel.ok().and_then(|asked| asked.join().ok()).unwrap_or_else(ask_kernel);
            threads
        });
        walk.add(threads);
    }
    if !missing.is_empty() {
        deep::search_rings(&walk.rings.clone(), &missing, &mut walk);
        missing = walk.missing(&missing);
    }
    let (pending, ports) = elsewhere;
    let mut sight = Sight::of(&mut walk, rows, closed);
    sight.kernel_ports = ports;
    for _ in 0..REPEATS {
        // What neither the kernel explains nor a process that hides something may have been handed on behind the
        // walk's back.
        let is_missing =
            |row: &Row| row.socket.inode.is_some_and(|inode| missing.binary_search(&inode).is_ok());
        let is_open = |row: &Row| !sight.is_kernels(&row.socket) && sight.candidates(row).is_empty();
        if !rows.iter().any(|row| is_missing(row) && is_open(row)) {
            break;
        }
        if by_program {
            how = "by the BPF iterator task_file, and by a walk through /proc".to_owned();
        }
        walk.found.extend(super::walk::walk(&missing)?.found);
        missing = walk.missing(&missing);
        sight.closed.extend(closed_since(rows, &missing));
        sight.closed.sort_unstable();
        missing.retain(|inode| sight.closed.binary_search(inode).is_err());
    }
    if !missing.is_empty() {
        let named = |process: Pin| Some(candidate(process.pid, &*process.directory()?, Evidence::Message));
        let who = |wanted: &[u64]| match by_program {
            true => bpf::search(wanted).ok(),
            false => super::walk::walk(wanted).ok(),
        };
        sight.receivers = deep::receivers(pending, who).into_iter().filter_map(named).collect();
    }
    let of = join(rows, walk.found);
    let unseen = rows.iter().zip(&of).map(|(row, held)| sight.unseen(row, held)).collect();
    let gaps = sight.gaps(walk.failed.last().map(|(_, errno)| errno.to_string()), !missing.is_empty());
    let mut pids: Vec<u32> = sight.refused.iter().map(|refused| refused.pid).collect();
    pids.extend(walk.failed.iter().map(|(pid, _)| *pid));
    pids.sort_unstable();
    let unread = Unread { pids, others: sight.hidden || sight.namespaced };
    let origins = rows
        .iter()
        .map(|row| sight.cgroup(row).map_or((None, None), |found| belongs_to(&found.path)))
        .collect();
    Ok(Holders { of, unseen, origins, unread, gaps, how })
}

/// What a search found.
struct Searched {
    walk: Walk,
    /// By which way, in a sentence.
    how: String,
    /// Whether a program in the kernel found it. Nothing is known then of who may be looked into from here.
    by_program: bool,
}

/// Looks for the holders of wanted sockets the way that was asked for.
fn begin(rows: &[&Row], wanted: &[u64], search: HolderSearch) -> Result<Searched, Error> {
    let names_pids = rows.iter().any(|row| !row.pids.is_empty());
    let refused = match search {
        HolderSearch::Walk => None,
        // Whoever is named by the table is looked into first, which takes a walk.
        HolderSearch::Auto if names_pids || wanted.is_empty() => None,
        HolderSearch::Auto if !is_worth_it() => Some("few files are open here".to_owned()),
        HolderSearch::Auto | HolderSearch::Bpf => match bpf::search(wanted) {
            Ok(walk) => {
                let how = "by the BPF iterator task_file".to_owned();
                return Ok(Searched { walk, how, by_program: true });
            }
            Err(refusal) if search == HolderSearch::Bpf => {
                let attempted = format!("cannot search for holders by BPF: {refusal}");
                return Err(Error::new(ErrorKind::Unsupported, attempted));
            }
            Err(refusal) => Some(refusal.to_string()),
        },
    };
    let walk = by_walk(rows, wanted)?;
    let why = refused.map_or_else(String::new, |refused| format!(" (not by BPF: {refused})"));
    Ok(Searched { walk, how: format!("by a walk through /proc{why}"), by_program: false })
}

/// Whether so many files are open that a walk takes longer than loading a program does.
fn is_worth_it() -> bool {
    procfs::open_files().is_none_or(|open| open >= WORTH_A_PROGRAM)
}

/// Looks in every process, but first in those that the rows name, so that their word is checked and not taken.
fn by_walk(rows: &[&Row], wanted: &[u64]) -> Result<Walk, Error> {
    let mut named: Vec<u32> = rows.iter().flat_map(|row| row.pids.iter().copied()).collect();
    named.sort_unstable();
    named.dedup();
    let mut found = if named.is_empty() { Walk::default() } else { walk_among(&named, wanted)? };
    let rest = found.missing(wanted);
    if !rest.is_empty() {
        let whole = walk(&rest)?;
        found.pids.clone_from(&whole.pids);
        found.add(whole);
    }
    Ok(found)
}

/// What explains a socket that is in no descriptor table: who may not be looked into, and what the kernel says. Tables
/// of single threads are among those that the program sees; a process that hides from this one may hide from it too.
fn beyond_tables() -> (Result<Walk, Error>, (Vec<u64>, Vec<u16>)) {
    thread::scope(|scope| {
        let kernel = thread::Builder::new().spawn_scoped(scope, ask_kernel);
        let doors = try_doors();
        (doors, kernel.ok().and_then(|asked| asked.join().ok()).unwrap_or_else(ask_kernel))
    })
}

/// Whether the first process may not be looked into.
fn first_process_refuses() -> bool {
    let first = rustix::fs::readlink("/proc/1/fd/0", Vec::new());
    first.is_err_and(|errno| matches!(errno, Errno::ACCESS | Errno::PERM))
}

/// The Unix sockets in which something waits, and the UDP ports that the kernel itself receives on.
fn ask_kernel() -> (Vec<u64>, Vec<u16>) {
    (unix_diag::pending().unwrap_or_default(), deep::kernel_ports())
}

/// Puts what was found to the rows.
fn join(rows: &[&Row], mut found: Vec<Found>) -> Vec<Vec<Held>> {
    found.sort_by_key(|found| (found.inode, found.process.pid, found.descriptor));
    found.dedup_by_key(|found| (found.inode, found.process.pid, found.descriptor));
    let mut by_inode: BTreeMap<u64, Vec<Held>> = BTreeMap::new();
    for found in found {
        let holders = by_inode.entry(found.inode).or_default();
        match holders.last_mut() {
            Some(last) if last.process.pid() == found.process.pid => last.descriptors.push(found.descriptor),
            _ => holders.push(Held {
                process: Pinned(found.process),
                descriptors: vec![found.descriptor],
                evidence: Evidence::Descriptor,
            }),
        }
    }
    let of =
        |row: &&Row| row.socket.inode.and_then(|inode| by_inode.get(&inode)).cloned().unwrap_or_default();
    rows.iter().map(of).collect()
}

/// Those of the missing sockets that are not in the table any more. Ascending.
fn closed_since(rows: &[&Row], missing: &[u64]) -> Vec<u64> {
    let mut open: BTreeMap<(Protocol, Family, bool), Option<BTreeSet<u64>>> = BTreeMap::new();
    let mut closed = Vec::new();
    for row in rows {
        let Some(inode) = row.socket.inode.filter(|inode| missing.binary_search(inode).is_ok()) else {
            continue;
        };
        let table = Table { protocol: row.socket.protocol, family: row.socket.family() };
        // Another namespace's table is not read again from here.
        if row.socket.namespace.is_some() {
            continue;
        }
        let listener = row.socket.is_listener();
        let key = (table.protocol, table.family, listener);
        let listed = open.entry(key).or_insert_with(|| super::table::inodes(table, listener));
        if listed.as_ref().is_some_and(|listed| !listed.contains(&inode)) {
            closed.push(inode);
        }
    }
    closed.sort_unstable();
    closed
}

/// A process whose descriptors may not be read.
struct Refused {
    pid: u32,
    name: Vec<u8>,
}

/// What a walk could not see, and what explains sockets that it did not find.
struct Sight {
    refused: Vec<Refused>,
    failed: usize,
    hidden: bool,
    namespaced: bool,
    closed: Vec<u64>,
    cgroups: BTreeMap<u64, cgroup::Found>,
    receivers: Vec<Candidate>,
    kernel_ports: Vec<u16>,
}

impl Sight {
    fn of(walk: &mut Walk, rows: &[&Row], closed: Vec<u64>) -> Sight {
        // Threads of the kernel have no descriptors: nothing is missed where theirs may not be read.
        let named = |pid: &u32| {
            let stat = std::fs::read(format!("/proc/{pid}/stat"))
                .ok()
                .and_then(|bytes| procfs::parse_stat(&bytes))?;
            (!stat.kernel).then_some(Refused { pid: *pid, name: stat.name })
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
            hidden: hides_processes(),
            namespaced: procfs::is_in_pid_namespace(),
            closed,
            cgroups: if ids.is_empty() { BTreeMap::new() } else { cgroup::paths(&ids) },
            receivers: Vec::new(),
            kernel_ports: Vec::new(),
        }
    }

    fn cgroup(&self, row: &Row) -> Option<&cgroup::Found> {
        self.cgroups.get(&row.cgroup?)
    }

    /// Whether it is the socket of a tunnel of the kernel's.
    fn is_kernels(&self, socket: &Socket) -> bool {
        socket.protocol == Protocol::Udp
            && socket.uid == Some(0)
            && socket.endpoint.port().is_some_and(|port| self.kernel_ports.contains(&port))
    }

    /// Why there must be, or may be, holders of a socket besides those that were seen.
    fn unseen(&self, row: &Row, held: &[Held]) -> Option<Unseen> {
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
        let uid = row.socket.uid?;
        let user = |held: &Held| Some(rustix::fs::fstat(&*held.process.0.open()?).ok()?.st_uid);
        if self.refused.is_empty() || held.iter().any(|held| user(held) == Some(uid)) {
            return None;
        }
        let candidates = self.candidates(row);
        let help = Some(help(&row.socket).as_str().into());
        (!candidates.is_empty()).then_some(Unseen { reason: Reason::Permission, help, candidates })
    }

    /// Of the processes that may not be read: those of the socket's cgroup, or else those of its user.
    fn candidates(&self, row: &Row) -> Vec<Candidate> {
        let named = |refused: &Refused, evidence| {
            let name = full_name(&refused.name, None, &command_of(refused.pid));
            Candidate { pid: refused.pid, name, evidence }
        };
        // Being in the root cgroup tells nothing.
        let cgroup = self.cgroup(row).filter(|found| found.path != b"/");
        let members = cgroup.map(cgroup::members).unwrap_or_default();
        let in_cgroup = self.refused.iter().filter(|refused| members.binary_search(&refused.pid).is_ok());
        let candidates: Vec<Candidate> = in_cgroup.map(|refused| named(refused, Evidence::Cgroup)).collect();
        if !candidates.is_empty() {
            return candidates;
        }
        let Some(uid) = row.socket.uid else { return Vec::new() };
        let of_user = self.refused.iter().filter(|refused| procfs::effective_uid(refused.pid) == Some(uid));
        of_user.map(|refused| named(refused, Evidence::User)).collect()
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

    fn gaps(&self, failure: Option<String>, missing: bool) -> Vec<Gap> {
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
            let detail = format!("the descriptors of {} processes: {why}", self.failed);
            gaps.push(Gap::new("descriptors", "error", self.failed, detail, None));
        }
        if self.hidden {
            let detail = "processes of other users: /proc is mounted with hidepid";
            gaps.push(Gap::new("processes", "hidden-proc", 1, detail, Some(&rights())));
        }
        if self.namespaced && missing {
            let detail = "processes outside of this pid namespace, if there are any";
            gaps.push(Gap::new("processes", "pid-namespace", 1, detail, None));
        }
        gaps
    }
}

/// A process that may be the one, by its name as its own directory tells it.
fn candidate(pid: u32, directory: impl AsFd, evidence: Evidence) -> Candidate {
    let command = procfs::read_at(&directory, "cmdline", LONGEST_COMMAND).unwrap_or_default();
    let comm = procfs::stat(&directory).map(|stat| stat.name).unwrap_or_default();
    Candidate { pid, name: full_name(&comm, None, &arguments(&command)), evidence }
}

fn command_of(pid: u32) -> Vec<Text> {
    let read = Directory::open(pid)
        .ok()
        .and_then(|directory| procfs::read_at(&directory, "cmdline", LONGEST_COMMAND).ok());
    arguments(&read.unwrap_or_default())
}

/// The one command that shows who holds a socket, and what is missing here where something is there already.
fn help(socket: &Socket) -> String {
    match (rights(), socket.endpoint.port()) {
        (missing, _) if super::privileged() => missing,
        (missing, Some(port)) if missing == SUDO => format!("sudo allears {port}"),
        (missing, None) if missing == SUDO => "sudo allears -x".to_owned(),
        (missing, Some(port)) => format!("sudo allears {port} ({missing})"),
        (missing, None) => format!("sudo allears -x ({missing})"),
    }
}

const SUDO: &str = "run with sudo to see them";

/// What would let this process read other users' descriptor tables (ptrace(2), access mode checking). Rights are
/// capabilities: neither has every root all of them, nor is everybody else without.
fn rights() -> String {
    let held = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let inspect = held.contains(CapabilitySet::SYS_PTRACE);
    let search = held.intersects(CapabilitySet::DAC_READ_SEARCH | CapabilitySet::DAC_OVERRIDE);
    match (inspect, search) {
        (true, true) => {
            "these processes have more rights than this one, or a security module guards them".to_owned()
        }
        (false, false) if !super::privileged() => SUDO.to_owned(),
        (true, false) => "CAP_DAC_READ_SEARCH is missing here".to_owned(),
        (false, true) => "CAP_SYS_PTRACE is missing here".to_owned(),
        (false, false) => "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are missing here".to_owned(),
    }
}

/// Whether this /proc hides other users' processes (hidepid): then even the first process is not there.
fn hides_processes() -> bool {
    let first = std::fs::symlink_metadata("/proc/1");
    first.is_err_and(|error| error.kind() == IoErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_end_in_nul() {
        let texts = |parts: &[&str]| parts.iter().map(|part| Text::from(*part)).collect::<Vec<_>>();
        assert_eq!(arguments(b"node\0\0server.js\0"), texts(&["node", "", "server.js"]));
        assert_eq!(arguments(b"nginx: worker\0\0\0\0"), texts(&["nginx: worker"]));
        assert_eq!(arguments(b"title without end"), texts(&["title without end"]));
        assert_eq!(arguments(b""), texts(&[]));
        assert_eq!(arguments(b"\0"), texts(&[]));
    }
}
