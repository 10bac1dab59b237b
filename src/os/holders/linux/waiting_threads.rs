//! Threads that wait in a system call on a descriptor that has been closed. The call keeps the file open until it
//! returns, and no descriptor table has it any more.
//!
//! /proc/PID/task/TID/syscall names the call and its arguments (proc(5)); reading it takes the permission to trace the
//! process (PTRACE_MODE_ATTACH_FSCREDS), which Yama denies to most users. /proc/PID/task/TID/wchan names the kernel
//! function in which the thread sleeps; every process that may read the descriptor table may read it.

mod call_numbers;

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::model::WaitingCall;
use crate::os::linux_api::procfs;
use crate::os::linux_api::thread_list::thread_ids;
use crate::os::parse::linux::proc_fd::{number, socket_inode};
use crate::os::parse::linux::syscall_file::{SystemCall, WaitsOn, bits};
use crate::os::parse::linux::wchan;
use crate::os::process::sys::proc_handle::Directory;
use call_numbers::CALL_NUMBERS;

/// The most descriptors of one poll(2) or select(2) that are looked up.
const MOST_POLLED: usize = 1024;
/// The most bytes of a file that names a call.
const LONGEST_CALL: u64 = 512;

/// The waiting threads of one process.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::os) struct Waiting {
    /// The calls that wait on closed descriptors, each once.
    pub(in crate::os) calls: BTreeSet<WaitingCall>,
    /// Whether the call of some thread may not be read.
    pub(in crate::os) refused: bool,
}

/// Reads the calls in which the threads of a process wait on closed descriptors. `listening` holds the inode numbers of
/// listening sockets.
pub(in crate::os) fn waiting(process: &Directory, listening: &BTreeSet<u64>) -> Waiting {
    let mut waiting = Waiting::default();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(tasks) = rustix::fs::openat(process, "task", flags, Mode::empty()) else { return waiting };
    let mut last = None;
    for thread in thread_ids(&tasks) {
        let sleeper = Thread { process, tasks: &tasks, id: thread };
        match procfs::read_at(&tasks, format!("{thread}/syscall"), LONGEST_CALL) {
            Ok(bytes) => waiting.calls.extend(sleeper.by_call(&bytes, listening)),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                waiting.refused = true;
                // If wchan may not be read either, those of the other threads may not.
                match sleeper.by_function(listening, &mut last) {
                    Some(call) => waiting.calls.extend(call),
                    None => return waiting,
                }
            }
            // It has ended.
            Err(_) => {}
        }
    }
    waiting
}

struct Thread<'a> {
    process: &'a Directory,
    tasks: &'a OwnedFd,
    id: u32,
}

impl Thread<'_> {
    /// Returns the call if it waits on a descriptor that is closed or has become another kind of file.
    fn by_call(&self, bytes: &[u8], listening: &BTreeSet<u64>) -> Option<WaitingCall> {
        let call = SystemCall::parse(bytes)?;
        match call.waits_on(&CALL_NUMBERS)? {
            WaitsOn::Descriptor(call, descriptor) => {
                let left = match self.target(descriptor) {
                    DescriptorFile::Closed => true,
                    // If no connection can be accepted from it, the number has been reused.
                    DescriptorFile::Socket(inode) => {
                        call == WaitingCall::Accept && !listening.contains(&inode)
                    }
                    DescriptorFile::Other => call == WaitingCall::Accept,
                    DescriptorFile::Unknown => false,
                };
                (left && self.sleeps_as(call)).then_some(call)
            }
            WaitsOn::File(call, descriptor) => {
                // read(2) and write(2) wait on files of every kind.
                let closed = self.target(descriptor) == DescriptorFile::Closed;
                (closed && self.sleeps_on_a_socket()).then_some(call)
            }
            WaitsOn::Poll { array, count } => {
                let size = count.min(MOST_POLLED).checked_mul(8)?;
                // struct pollfd: the descriptor, the requested events, the returned events.
                let polled = self.memory(array, size)?;
                let closed = |entry: &[u8]| {
                    let descriptor = entry.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
                    let descriptor = descriptor.and_then(|number| u32::try_from(number).ok());
                    descriptor.is_some_and(|number| self.target(number) == DescriptorFile::Closed)
                };
                polled.chunks_exact(8).any(closed).then_some(WaitingCall::Poll)
            }
            WaitsOn::Select { sets, count } => {
                let words = count.min(MOST_POLLED).div_ceil(usize::BITS as usize);
                let size = words.checked_mul(size_of::<usize>())?;
                let closed = |set: u64| {
                    let set = self.memory(set, size).unwrap_or_default();
                    bits(&set).any(|number| self.target(number) == DescriptorFile::Closed)
                };
                sets.into_iter().filter(|set| *set != 0).any(closed).then_some(WaitingCall::Select)
            }
        }
    }

    /// Returns the call by the kernel function in which the thread sleeps, for threads whose arguments may not be read: the
    /// call waits on a closed descriptor if the table has no socket that it could wait on. Returns `None` if the function may
    /// not be read either.
    fn by_function(
        &self,
        listening: &BTreeSet<u64>,
        sockets: &mut Option<BTreeSet<u64>>,
    ) -> Option<Option<WaitingCall>> {
        let function = self.function()?;
        let Some(call) = wchan::call(&function) else { return Some(None) };
        // The threads of a process almost always share one table.
        let sockets = match sockets {
            Some(sockets) => sockets,
            None => sockets.insert(self.sockets()?),
        };
        let has_one = match call {
            WaitingCall::Accept => sockets.iter().any(|inode| listening.contains(inode)),
            _ => !sockets.is_empty(),
        };
        Some((!has_one).then_some(call))
    }

    /// Returns the sockets in the thread's descriptor table.
    fn sockets(&self) -> Option<BTreeSet<u64>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let table = rustix::fs::openat(self.tasks, format!("{}/fd", self.id), flags, Mode::empty()).ok()?;
        let mut buffer = [std::mem::MaybeUninit::uninit(); 16 * 1024];
        let mut entries = RawDir::new(&table, &mut buffer);
        let mut sockets = BTreeSet::new();
        while let Some(entry) = entries.next() {
            let entry = entry.ok()?;
            if number(entry.file_name()).is_none() {
                continue;
            }
            let mut link = [std::mem::MaybeUninit::uninit(); 64];
            match rustix::fs::readlinkat_raw(&table, entry.file_name(), &mut link) {
                Ok((target, _)) => sockets.extend(socket_inode(target)),
                Err(Errno::NOENT) => {}
                Err(_) => return None,
            }
        }
        Some(sockets)
    }

    /// Returns the kernel function in which the thread sleeps, if it is known.
    fn function(&self) -> Option<Vec<u8>> {
        let name = procfs::read_at(self.tasks, format!("{}/wchan", self.id), LONGEST_CALL).ok()?;
        (!name.is_empty() && name != b"0").then_some(name)
    }

    /// Returns whether the thread may sleep in this call of an internet or Unix socket. Kernels without symbols do not name
    /// the function: then it may.
    fn sleeps_as(&self, call: WaitingCall) -> bool {
        self.function().is_none_or(|function| match call {
            WaitingCall::Accept => wchan::may_accept(&function),
            _ => true,
        })
    }

    fn sleeps_on_a_socket(&self) -> bool {
        self.function().is_some_and(|function| wchan::waits_on_socket(&function))
    }

    fn target(&self, descriptor: u32) -> DescriptorFile {
        let mut link = [std::mem::MaybeUninit::uninit(); 64];
        let path = format!("{}/fd/{descriptor}", self.id);
        match rustix::fs::readlinkat_raw(self.tasks, path.as_str(), &mut link) {
            Ok((target, _)) => socket_inode(target).map_or(DescriptorFile::Other, DescriptorFile::Socket),
            Err(Errno::NOENT) => DescriptorFile::Closed,
            Err(_) => DescriptorFile::Unknown,
        }
    }

    /// Reads the thread's memory if it is present: a missing page may come from a file system or a handler (userfaultfd(2))
    /// that never answers.
    fn memory(&self, address: u64, size: usize) -> Option<Vec<u8>> {
        const PRESENT: u64 = 1 << 63;
        let open = |name| {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            rustix::fs::openat(self.process, name, flags, Mode::empty()).map(std::fs::File::from).ok()
        };
        let page = u64::try_from(rustix::param::page_size()).ok()?;
        let last = address.checked_add(u64::try_from(size).ok()?.checked_sub(1)?)?;
        let pages = open("pagemap")?;
        for number in address / page..=last / page {
            let mut entry = [0; 8];
            pages.read_exact_at(&mut entry, number.checked_mul(8)?).ok()?;
            if u64::from_ne_bytes(entry) & PRESENT == 0 {
                return None;
            }
        }
        let mut bytes = vec![0; size];
        open("mem")?.read_exact_at(&mut bytes, address).ok()?;
        Some(bytes)
    }
}

/// The file that a descriptor refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DescriptorFile {
    Closed,
    Socket(u64),
    Other,
    Unknown,
}
