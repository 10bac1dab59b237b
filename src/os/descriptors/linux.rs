//! The walk through the descriptor tables of all processes for a few wanted sockets.
//!
//! A process takes openat on its `fd` directory, getdents64, and one readlinkat for each descriptor. Nothing is allocated
//! for a descriptor, and no descriptor is ever statted: its file system may not answer. Custom code, because the
//! crate for /proc (procfs) allocates for each descriptor.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::model::compact::CompactCollect as _;
use crate::model::{Error, ErrorKind};
use crate::os::linux_api::proc_path::ProcPath;
use crate::os::parse::linux::proc_fd::{number, socket_inode};
use crate::os::process::sys::proc_handle::ProcHandle;
use crate::os::threads;

/// Fewer processes than this are searched faster than a second thread starts.
const FEW_PROCESSES: usize = 64;
/// A buffer for a few entries of a directory, in bytes.
const FEW_ENTRIES: usize = 256;
/// More threads than this wait for each other in the kernel.
const MOST_THREADS: usize = 4;

/// The most descriptors that a walk has open at once.
const MOST_DESCRIPTORS: i32 = 400;

/// A descriptor of one of the wanted sockets, and the process that has it.
#[derive(Debug)]
pub(in crate::os) struct SocketDescriptor {
    pub(in crate::os) inode: u64,
    pub(in crate::os) process: ProcHandle,
    pub(in crate::os) descriptor: u32,
}

/// A descriptor of an io_uring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) struct Ring {
    pub(in crate::os) pid: u32,
    pub(in crate::os) descriptor: u32,
}

/// The result of a walk.
#[derive(Debug, Default)]
pub(in crate::os) struct Walk {
    pub(in crate::os) found: Vec<SocketDescriptor>,
    /// All processes that /proc listed, ascending.
    pub(in crate::os) pids: Vec<u32>,
    pub(in crate::os) rings: Vec<Ring>,
    /// Processes whose descriptors may not be read.
    pub(in crate::os) refused: Vec<u32>,
    /// Processes whose descriptors could not be read for another reason, with the error.
    pub(in crate::os) failed: Vec<(u32, Errno)>,
}

/// Searches the descriptor tables of all processes for sockets by their inode numbers (ascending).
///
/// # Errors
/// If /proc cannot be listed.
pub(in crate::os) fn walk(wanted: &[u64]) -> Result<Walk, Error> {
    let attempted = || Error::new(ErrorKind::Processes, "cannot list processes in /proc");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::open("/proc", flags, Mode::empty())
        .map_err(|errno| attempted().because(io::Error::from(errno)))?;
    let pids = processes(&proc).map_err(|errno| attempted().because(io::Error::from(errno)))?;
    // The kernel makes room for more than 64 descriptors at once only while a process has one thread; afterwards each
    // step waits for all other processors (expand_fdtable in fs/file.c), which costs more than half of a walk.
    drop(rustix::io::fcntl_dupfd_cloexec(&proc, MOST_DESCRIPTORS));
    let mut whole = in_parallel(&pids, |pid, buffer, walk| search(proc.as_fd(), pid, wanted, buffer, walk));
    whole.failed.sort_by_key(|(pid, _)| *pid);
    whole.pids = pids;
    Ok(whole)
}

/// Finds the processes whose descriptor tables may not be read: one entry of each table shows it.
pub(in crate::os) fn probe_access() -> Result<Walk, Error> {
    let attempted = || Error::new(ErrorKind::Processes, "cannot list processes in /proc");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::open("/proc", flags, Mode::empty())
        .map_err(|errno| attempted().because(io::Error::from(errno)))?;
    let pids = processes(&proc).map_err(|errno| attempted().because(io::Error::from(errno)))?;
    let mut whole = in_parallel(&pids, |pid, buffer, walk| {
        // Nearly every process has descriptor 0, and all descriptors of a process refuse alike.
        let table = ProcPath::process(pid).text("/fd");
        let first = table.text("/0");
        match rustix::fs::readlinkat_raw(&proc, first.as_c_str(), &mut [MaybeUninit::uninit(); 64]) {
            Ok(_) => return,
            Err(Errno::NOENT) => {}
            Err(errno) => return walk.note(pid, errno),
        }
        // A few entries suffice: any descriptor will do.
        let (few, _) = buffer.split_at_mut(FEW_ENTRIES.min(buffer.len()));
        match rustix::fs::openat(&proc, table.as_c_str(), flags, Mode::empty()) {
            Ok(table) => probe_table(pid, &table, few, walk),
            Err(errno) => walk.note(pid, errno),
        }
    });
    whole.pids = pids;
    Ok(whole)
}

fn probe_table(pid: u32, table: &OwnedFd, buffer: &mut [MaybeUninit<u8>], walk: &mut Walk) {
    let mut entries = RawDir::new(table, buffer);
    while let Some(Ok(entry)) = entries.next() {
        if number(entry.file_name()).is_none() {
            continue;
        }
        match rustix::fs::readlinkat_raw(table, entry.file_name(), &mut [MaybeUninit::uninit(); 64]) {
            // Another one may still be there.
            Err(Errno::NOENT) => {}
            Err(errno) => return walk.note(pid, errno),
            Ok(_) => return,
        }
    }
}

/// Searches the descriptor tables of these processes only.
///
/// # Errors
/// If /proc cannot be opened.
pub(in crate::os) fn walk_among(pids: &[u32], wanted: &[u64]) -> Result<Walk, Error> {
    let attempted = || Error::new(ErrorKind::Processes, "cannot open /proc");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::open("/proc", flags, Mode::empty())
        .map_err(|errno| attempted().because(io::Error::from(errno)))?;
    Ok(in_parallel(pids, |pid, buffer, walk| search(proc.as_fd(), pid, wanted, buffer, walk)))
}

/// Calls `each` for every process, on as many threads as are worthwhile.
pub(in crate::os) fn in_parallel(
    pids: &[u32],
    each: impl Fn(u32, &mut [MaybeUninit<u8>], &mut Walk) + Sync,
) -> Walk {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut walk = Walk::default();
        let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
        while let Some(pid) = pids.get(next.fetch_add(1, Ordering::Relaxed)) {
            each(*pid, &mut buffer, &mut walk);
        }
        walk
    };
    let mut whole = Walk::default();
    threads::share(threads_for(pids.len()), worker).into_iter().for_each(|part| whole.add(part));
    whole
}

/// Returns how many threads search so many processes.
pub(in crate::os) fn threads_for(processes: usize) -> usize {
    if processes < FEW_PROCESSES {
        return 1;
    }
    threads::parallelism().min(MOST_THREADS)
}

/// Returns the pids in /proc, ascending.
pub(in crate::os) fn processes(proc: impl AsFd) -> Result<Vec<u32>, Errno> {
    let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
    let mut entries = RawDir::new(proc, &mut buffer);
    let mut pids = Vec::with_capacity(512);
    while let Some(entry) = entries.next() {
        pids.extend(number(entry?.file_name()));
    }
    pids.sort_unstable();
    Ok(pids)
}

/// Searches one process's descriptor table.
fn search(proc: BorrowedFd<'_>, pid: u32, wanted: &[u64], buffer: &mut [MaybeUninit<u8>], walk: &mut Walk) {
    let path = ProcPath::process(pid).text("/fd");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened =
        rustix::io::retry_on_intr(|| rustix::fs::openat(proc, path.as_c_str(), flags, Mode::empty()));
    let table = match opened {
        Ok(table) => table,
        Err(errno) => return walk.note(pid, errno),
    };
    search_table(pid, &table, c"..", wanted, buffer, walk);
}

/// Searches an open descriptor table. `process` is the relative path from there to the process's directory.
pub(in crate::os) fn search_table(
    pid: u32,
    table: &OwnedFd,
    process: &CStr,
    wanted: &[u64],
    buffer: &mut [MaybeUninit<u8>],
    walk: &mut Walk,
) {
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut entries = RawDir::new(table, buffer);
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(errno) => return walk.note(pid, errno),
        };
        let Some(descriptor) = number(entry.file_name()) else { continue };
        let mut link = [MaybeUninit::uninit(); 64];
        let target = match rustix::fs::readlinkat_raw(table, entry.file_name(), &mut link) {
            Ok((target, _)) => target,
            // It was closed since the directory was listed.
            Err(Errno::NOENT) => continue,
            // The directory was listed and its links refuse: the rest of the table will refuse too.
            Err(errno) => return walk.note(pid, errno),
        };
        let Some(inode) = socket_inode(target) else {
            if target == b"anon_inode:[io_uring]" {
                walk.rings.push(Ring { pid, descriptor });
            }
            continue;
        };
        if wanted.binary_search(&inode).is_err() {
            continue;
        }
        // A process often has several of the wanted sockets.
        let process = match walk.found.last() {
            Some(last) if last.process.pid == pid => Some(last.process.clone()),
            _ => match rustix::fs::openat(table, process, directory, Mode::empty()) {
                Ok(directory) => ProcHandle::new(pid, directory.into()),
                Err(errno) => return walk.note(pid, errno),
            },
        };
        walk.found.extend(process.map(|process| SocketDescriptor { inode, process, descriptor }));
    }
}

impl Walk {
    /// Adds the result of another walk.
    pub(in crate::os) fn add(&mut self, other: Walk) {
        self.found.extend(other.found);
        self.rings.extend(other.rings);
        self.refused.extend(other.refused);
        self.failed.extend(other.failed);
    }

    /// Returns those of these inode numbers (ascending) that no process was found to hold, ascending.
    pub(in crate::os) fn missing(&self, wanted: &[u64]) -> Vec<u64> {
        let found: BTreeSet<u64> = self.found.iter().map(|found| found.inode).collect_set();
        wanted.iter().copied().filter(|inode| !found.contains(inode)).collect()
    }

    /// Records why a process could not be read. A process that has ended has no descriptors any more.
    fn note(&mut self, pid: u32, errno: Errno) {
        match errno {
            Errno::NOENT | Errno::SRCH => {}
            Errno::ACCESS | Errno::PERM => self.refused.push(pid),
            _ => self.failed.push((pid, errno)),
        }
    }
}
