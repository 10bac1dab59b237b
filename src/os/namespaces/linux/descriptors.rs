//! Namespaces that descriptors keep: descriptors of namespaces, and sockets that are in no known socket table, so that their
//! namespace has not been found yet.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::{Task, has_ended};
use crate::model::Error;
use crate::os::descriptors::sys::{in_parallel, probe_access};
use crate::os::linux_api::procfs;
use crate::os::linux_api::thread_list;
use crate::os::parse::linux::namespace_link;
use crate::os::parse::linux::proc_fd::{number, socket_inode};

/// A descriptor of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::os) struct TaskDescriptor {
    pub(in crate::os) task: Task,
    pub(in crate::os) descriptor: u32,
}

impl TaskDescriptor {
    /// Returns its path below /proc: `812/fd/7`.
    pub(in crate::os) fn path(self) -> String {
        format!("{}/fd/{}", self.task, self.descriptor)
    }
}

/// The inode numbers of sockets, ascending.
#[derive(Debug, Default)]
pub(in crate::os) struct ListedSockets {
    /// The sockets in a socket table.
    pub(in crate::os) inodes: Vec<u64>,
    /// The Unix sockets among them with unread messages.
    pub(in crate::os) pending: Vec<u64>,
}

/// The findings in the descriptor tables.
#[derive(Debug, Default)]
pub(in crate::os) struct Descriptors {
    /// Network namespaces by number.
    pub(in crate::os) networks: Vec<(u64, TaskDescriptor)>,
    /// Mount namespaces by number.
    pub(in crate::os) mounts: Vec<(u64, TaskDescriptor)>,
    /// Sockets that are in no socket table, by inode number.
    pub(in crate::os) sockets: Vec<(u64, TaskDescriptor)>,
    /// Unix sockets with unread messages.
    pub(in crate::os) pending: Vec<TaskDescriptor>,
    pub(in crate::os) rings: Vec<TaskDescriptor>,
    /// Processes whose descriptors may not be read.
    pub(in crate::os) refused: Vec<u32>,
    /// Processes whose descriptors could not be read for another reason.
    pub(in crate::os) failed: Vec<(u32, Errno)>,
}

/// Reads the descriptor tables of all these processes, and those of their threads.
pub(in crate::os) fn search(proc: BorrowedFd<'_>, pids: &[u32], listed: &ListedSockets) -> Descriptors {
    let found = Mutex::new(Descriptors::default());
    in_parallel(pids, |pid, buffer, _| {
        let mut own = Descriptors::default();
        own.process(proc, pid, listed, buffer);
        found.lock().unwrap_or_else(PoisonError::into_inner).add(own);
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort();
    found
}

impl Descriptors {
    /// Sorts by number: several descriptors may be the same namespace or socket.
    pub(super) fn sort(&mut self) {
        for numbered in [&mut self.networks, &mut self.mounts, &mut self.sockets] {
            numbered.sort_unstable();
        }
    }

    fn process(
        &mut self,
        proc: BorrowedFd<'_>,
        pid: u32,
        listed: &ListedSockets,
        buffer: &mut [MaybeUninit<u8>],
    ) {
        let mut read = self.table(proc, Task::first(pid), listed, buffer);
        let mut last = pid;
        for thread in super::other_threads(proc, pid) {
            if thread_list::share_descriptors(last, thread) {
                continue;
            }
            last = thread;
            let thread_table = self.table(proc, Task { pid, thread }, listed, buffer);
            // The table of a main thread that has ended refuses, and those of the other threads do not.
            read = read.or(thread_table);
        }
        match read {
            Ok(()) => {}
            Err(errno) if has_ended(errno) => {}
            Err(Errno::ACCESS | Errno::PERM) if is_kernel_thread(pid) => {}
            Err(Errno::ACCESS | Errno::PERM) => self.refused.push(pid),
            Err(errno) => self.failed.push((pid, errno)),
        }
    }

    /// Adds the processes whose descriptors may not be read, or could not be.
    ///
    /// # Errors
    /// If /proc cannot be listed.
    pub(super) fn add_unreadable(&mut self, proc: BorrowedFd<'_>) -> Result<(), Error> {
        let probed = probe_access()?;
        let failed = probed.failed.into_iter().map(|(pid, _)| pid);
        let mut suspects: Vec<u32> = probed.refused.into_iter().chain(failed).collect();
        suspects.sort_unstable();
        suspects.dedup();
        let Descriptors { refused, failed, .. } = search(proc, &suspects, &ListedSockets::default());
        self.refused.extend(refused);
        self.failed.extend(failed);
        Ok(())
    }

    fn table(
        &mut self,
        proc: BorrowedFd<'_>,
        task: Task,
        listed: &ListedSockets,
        buffer: &mut [MaybeUninit<u8>],
    ) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let table = rustix::fs::openat(proc, format!("{task}/fd"), flags, Mode::empty())?;
        let mut entries = RawDir::new(table.as_fd(), buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let Some(descriptor) = number(entry.file_name()) else { continue };
            let mut link = [MaybeUninit::uninit(); 64];
            match rustix::fs::readlinkat_raw(&table, entry.file_name(), &mut link) {
                Ok((target, _)) => self.link(target, TaskDescriptor { task, descriptor }, listed),
                // It was closed since the directory was listed.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn link(&mut self, target: &[u8], found: TaskDescriptor, listed: &ListedSockets) {
        if let Some(inode) = socket_inode(target) {
            if listed.inodes.binary_search(&inode).is_err() {
                self.sockets.push((inode, found));
            } else if listed.pending.binary_search(&inode).is_ok() {
                self.pending.push(found);
            }
        } else if let Some(number) = namespace_link::number(target, b"net:[") {
            self.networks.push((number, found));
        } else if let Some(number) = namespace_link::number(target, b"mnt:[") {
            self.mounts.push((number, found));
        } else if target == b"anon_inode:[io_uring]" {
            self.rings.push(found);
        }
    }

    /// Takes the sockets in further tables from those that are in none.
    pub(super) fn place(&mut self, listed: &ListedSockets) {
        let outside = std::mem::take(&mut self.sockets);
        let is_in = |inodes: &[u64], inode: &u64| inodes.binary_search(inode).is_ok();
        let (placed, outside): (Vec<_>, Vec<_>) =
            outside.into_iter().partition(|(inode, _)| is_in(&listed.inodes, inode));
        let pending = placed.into_iter().filter(|(inode, _)| is_in(&listed.pending, inode));
        self.pending.extend(pending.map(|(_, place)| place));
        self.sockets = outside;
    }

    fn add(&mut self, other: Descriptors) {
        self.networks.extend(other.networks);
        self.mounts.extend(other.mounts);
        self.sockets.extend(other.sockets);
        self.pending.extend(other.pending);
        self.rings.extend(other.rings);
        self.refused.extend(other.refused);
        self.failed.extend(other.failed);
    }
}

/// Returns whether a process is a kernel thread, which has no descriptors.
fn is_kernel_thread(pid: u32) -> bool {
    procfs::stat_of(pid).is_some_and(|stat| stat.kernel)
}
