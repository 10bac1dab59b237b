//! The last phase: processes that may hold a socket without a descriptor, in a system call of a thread, in a request or
//! a fixed file of an io_uring, or in a mapping. Only sockets that nothing else explains are searched for.

use std::collections::BTreeSet;
use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, RawDir};

use super::candidates::candidate;
use super::mappings::{Mappings, mappings};
use super::waiting_threads::waiting;
use crate::model::compact::{CompactCollect as _, CompactSort as _};
use crate::model::{Candidate, Evidence, Family, Protocol, State, WaitingCall};
use crate::os::Row;
use crate::os::descriptors::sys::{in_parallel, processes};
use crate::os::linux_api::{procfs, unix_diag};
use crate::os::parse::linux::proc_fd::{RingContents, socket_inode};
use crate::os::process::sys::proc_handle::{Directory, ProcHandle};
use crate::os::table::sys as table;
use crate::os::table_request::InetTable;

/// An io_uring that may hold sockets which its fdinfo does not name.
#[derive(Debug)]
pub(in crate::os) struct OpaqueRing {
    pub(in crate::os) process: ProcHandle,
    pub(in crate::os) contents: RingContents,
}

/// The signs of processes that hold files without a descriptor.
#[derive(Debug, Default)]
pub(in crate::os) struct Signs {
    signs: Vec<Sign>,
    /// The processes whose system calls may not be read.
    pub(in crate::os) refused: Vec<u32>,
}

/// A sign that a process holds, or may hold, a socket without a descriptor.
#[derive(Debug)]
struct Sign {
    process: ProcHandle,
    uid: Option<u32>,
    evidence: Evidence,
    sockets: Sockets,
    strength: Strength,
}

/// The sockets that a sign can refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sockets {
    /// This one, by its inode.
    One(u64),
    /// Listeners.
    Listening,
    /// Sockets that receive or send data.
    Carrying,
    /// The sockets of one protocol.
    Protocol(Protocol),
    Any,
}

/// How strongly a sign points to its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// The kernel names the socket.
    Named,
    /// The process holds some socket without a descriptor.
    Hidden,
    /// The process may hold one.
    Possible,
}

/// The processes that may hold a socket without a descriptor.
#[derive(Debug, Default)]
pub(in crate::os) struct Suspects {
    pub(in crate::os) candidates: Vec<Candidate>,
    /// Whether each of them holds some socket without a descriptor, this one or another.
    pub(in crate::os) strong: bool,
}

/// Reads the threads, rings and mappings of all processes.
pub(in crate::os) fn read_signs(rings: &[OpaqueRing]) -> Signs {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let pids = rustix::fs::open("/proc", flags, Mode::empty()).and_then(processes);
    let pids = pids.unwrap_or_default();
    let listening = listening();
    let found = Mutex::new(Signs::default());
    in_parallel(&pids, |pid, _, _| {
        let rings: Vec<&OpaqueRing> = rings.iter().filter(|ring| ring.process.pid == pid).collect();
        let (signs, refused) = signs_of_process(pid, &rings, &listening);
        if !signs.is_empty() || refused {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.signs.extend(signs);
            found.refused.extend(refused.then_some(pid));
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.signs.compact_sort_by_key(|sign| (sign.process.pid, sign.strength, sign.evidence));
    found
}

/// Returns the inode numbers of the listeners in this network namespace.
fn listening() -> BTreeSet<u64> {
    let internet = [Family::Ipv4, Family::Ipv6].map(|family| InetTable { protocol: Protocol::Tcp, family });
    let mut listening: BTreeSet<u64> =
        internet.into_iter().filter_map(|table| table::inodes(table, true)).flatten().collect_set();
    let unix = unix_diag::sockets(false).unwrap_or_default();
    listening.extend(unix.iter().map(|entry| entry.inode));
    listening
}

/// Returns whether a process's mappings can be read without a long wait. Reading waits for a process that changes its
/// mappings, and one in uninterruptible sleep (D) may take long. Most such sleeps are short, so the state is read again.
fn answers_soon(directory: &Directory) -> bool {
    const ATTEMPTS: u32 = 4;
    const BETWEEN: Duration = Duration::from_millis(2);
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            std::thread::sleep(BETWEEN);
        }
        match procfs::stat(directory) {
            Some(stat) if stat.kernel => return false,
            Some(stat) if stat.state != 'D' => return true,
            Some(_) => {}
            None => return false,
        }
    }
    false
}

fn signs_of_process(pid: u32, rings: &[&OpaqueRing], listening: &BTreeSet<u64>) -> (Vec<Sign>, bool) {
    let none = (Vec::new(), false);
    let Ok(directory) = Directory::open(pid) else { return none };
    let calls = waiting(&directory, listening);
    let mapped = if answers_soon(&directory) { mappings(&directory) } else { Mappings::default() };
    let mut seen: Vec<(Evidence, Sockets, Strength)> = Vec::new();
    seen.extend(
        mapped.sockets.iter().map(|inode| (Evidence::Mapping, Sockets::One(*inode), Strength::Named)),
    );
    seen.extend(calls.calls.iter().map(|call| {
        let sockets = match call {
            WaitingCall::Accept => Sockets::Listening,
            WaitingCall::Receive | WaitingCall::Send | WaitingCall::Connect => Sockets::Carrying,
            WaitingCall::Poll | WaitingCall::Select => Sockets::Any,
        };
        (Evidence::WaitsIn(*call), sockets, Strength::Hidden)
    }));
    let ring = |sockets, strength| (Evidence::Ring, sockets, strength);
    let has_rings = mapped.ring || !rings.is_empty();
    let opened = if has_rings { open_descriptors(&directory) } else { OpenDescriptors::default() };
    for contents in rings.iter().map(|ring| &ring.contents) {
        seen.extend(contents.protocols.iter().map(|known| ring(Sockets::Protocol(*known), Strength::Hidden)));
        // Most servers accept by their ring on a socket that is in their table too. One without such a socket hides another.
        let accepts_openly = opened.sockets.iter().any(|inode| listening.contains(inode));
        let accepts = if accepts_openly { Strength::Possible } else { Strength::Hidden };
        seen.extend(contents.accepts().then_some(ring(Sockets::Listening, accepts)));
        seen.extend(contents.transfers().then_some(ring(Sockets::Carrying, Strength::Possible)));
        seen.extend((contents.polls() || contents.busy).then_some(ring(Sockets::Any, Strength::Possible)));
    }
    // Nothing more is known about a ring without a descriptor.
    if mapped.ring && rings.is_empty() && !opened.ring {
        seen.push(ring(Sockets::Any, Strength::Possible));
    }
    if mapped.aio {
        seen.push((Evidence::Aio, Sockets::Any, Strength::Possible));
    }
    let refused = calls.refused;
    let Some(process) = (!seen.is_empty()).then(|| ProcHandle::new(pid, directory)).flatten() else {
        return (Vec::new(), refused);
    };
    let uid = process.effective_uid();
    let sign = |(evidence, sockets, strength)| {
        let process = process.clone();
        Sign { process, uid, evidence, sockets, strength }
    };
    (seen.into_iter().map(sign).collect(), refused)
}

/// The sockets in a process's descriptor table, and whether it has an io_uring.
#[derive(Debug, Default)]
struct OpenDescriptors {
    ring: bool,
    sockets: BTreeSet<u64>,
}

fn open_descriptors(process: &Directory) -> OpenDescriptors {
    let mut opened = OpenDescriptors::default();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(table) = rustix::fs::openat(process, "fd", flags, Mode::empty()) else { return opened };
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut entries = RawDir::new(&table, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let mut link = [MaybeUninit::uninit(); 64];
        let Ok((target, _)) = rustix::fs::readlinkat_raw(&table, entry.file_name(), &mut link) else {
            continue;
        };
        opened.ring |= target == b"anon_inode:[io_uring]";
        opened.sockets.extend(socket_inode(target));
    }
    opened
}

impl Signs {
    /// Returns the processes that may hold a socket: those with the best evidence, and among them those of the socket's user
    /// or cgroup, whose members are given.
    pub(in crate::os) fn suspects(&self, row: &Row, members: &[u32]) -> Suspects {
        let inode = row.socket.inode;
        let concerns = |sign: &&Sign| match sign.sockets {
            Sockets::One(one) => inode == Some(one),
            Sockets::Listening => row.socket.state == State::Listen,
            Sockets::Carrying => row.socket.state != State::Listen,
            Sockets::Protocol(protocol) => protocol == row.socket.protocol,
            Sockets::Any => true,
        };
        let relevant: Vec<&Sign> = self.signs.iter().filter(concerns).collect();
        let Some(best) = relevant.iter().map(|sign| sign.strength).min() else { return Suspects::default() };
        // If the kernel names the socket, there is no doubt. Otherwise a strong sign may refer to another socket.
        let mut chosen = relevant;
        if best == Strength::Named {
            chosen.retain(|sign| sign.strength == best);
        }
        let in_cgroup = |sign: &Sign| members.binary_search(&sign.process.pid).is_ok();
        let of_user = |sign: &Sign| sign.uid.is_some() && sign.uid == row.socket.uid;
        if chosen.iter().any(|sign| in_cgroup(sign)) {
            chosen.retain(|sign| in_cgroup(sign));
        } else {
            let is_strong = |sign: &Sign| sign.strength < Strength::Possible;
            let any_of_user = chosen.iter().any(|sign| is_strong(sign) && of_user(sign));
            chosen.retain(|sign| of_user(sign) || (is_strong(sign) && !any_of_user));
        }
        chosen.compact_sort_by_key(|sign| (sign.strength, sign.evidence, sign.process.pid));
        let mut named: BTreeSet<u32> = BTreeSet::new();
        chosen.retain(|sign| named.insert(sign.process.pid));
        let named =
            |sign: &Sign| Some(candidate(sign.process.pid, &*sign.process.directory()?, sign.evidence));
        let candidates: Vec<Candidate> = chosen.into_iter().filter_map(named).collect();
        Suspects { strong: best < Strength::Possible && !candidates.is_empty(), candidates }
    }
}
