//! The holders of sockets, found in the kernel: a BPF program runs for each descriptor of each process (iterator
//! `task_file`, Linux 5.8) and reports the wanted sockets. No descriptor table is opened, and none refuses.
//!
//! It takes CAP_BPF and CAP_PERFMON, and a kernel that describes its types (BTF). If anything is missing, [`BpfUnavailable`] is
//! the reason, and the walk through /proc gives the same answer. Nothing stays in the kernel: program, map and iterator exist as
//! long as the descriptors in this module.
//!
//! Custom code, because the BPF crates (libbpf-rs, aya) need a C library or a compiler for BPF, or a program file, to load
//! what is here fifty instructions.

pub(in crate::os) mod filter;
pub(in crate::os) mod program;

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};

use crate::model::{BpfStep, BpfUnavailable, Text};
use crate::os::descriptors::sys::{self as descriptors, Ring, SocketDescriptor, Walk};
use crate::os::linux_api::bpf::{allowed, calls, is_locked_down, types};
use crate::os::linux_api::procfs;
use crate::os::parse::linux::btf;
use crate::os::process::sys::proc_handle::ProcHandle;
use filter::Filter;
use program::Record;

/// From this many open files on the machine an iterator for each process is worthwhile, so that several threads share the
/// work.
const WORTH_THREADS: u64 = 50_000;
/// The bytes of one read.
const BUFFER: usize = 8 * 1024;

/// Searches the descriptor tables of all processes and threads for sockets by their inode numbers (ascending), and for
/// io_urings.
///
/// # Errors
/// If the search is unavailable.
pub(in crate::os) fn search(wanted: &[u64]) -> Result<Walk, BpfUnavailable> {
    allowed()?;
    let failed =
        |step| move |error: io::Error| BpfUnavailable::Failed { step, error: Text::from_display(error) };
    let types = types::Types::read_running_kernel().map_err(failed(BpfStep::ReadTypes))?;
    let layout =
        btf::layout(&types, &program::WANTED).map_err(|fault| failed(BpfStep::LoadProgram)(fault.into()))?;
    drop(types);
    let filter = Filter::new(wanted);
    let map = calls::shared(filter.bytes()).map_err(failed(BpfStep::MakeMap))?;
    let program = program::assemble(&layout, map.as_raw_fd(), filter.bytes().len())
        .ok_or_else(|| failed(BpfStep::LoadProgram)(io::ErrorKind::Unsupported.into()))?;
    let program =
        calls::load(&program, program::LICENCE, layout.function).map_err(|error| match is_locked_down() {
            Some(true) => BpfUnavailable::Lockdown,
            None if error.raw_os_error() == Some(libc::EINVAL) => {
                BpfUnavailable::PerhapsLockdown { error: Text::from_display(error) }
            }
            _ => failed(BpfStep::LoadProgram)(error),
        })?;
    let many = procfs::open_files().is_none_or(|open| open >= WORTH_THREADS);
    let mut records = match many.then(|| by_process(program.as_fd())).flatten() {
        Some(records) => records,
        None => {
            let iterator = calls::iterate(program.as_fd(), None).map_err(failed(BpfStep::MakeIterator))?;
            records(iterator.into()).map_err(failed(BpfStep::ReadIterator))?
        }
    };
    records.retain(|record| record.inode == 0 || wanted.binary_search(&record.inode).is_ok());
    let (rings, sockets): (Vec<Record>, Vec<Record>) =
        records.into_iter().partition(|record| record.inode == 0);
    let rings = rings.iter().map(|ring| Ring { pid: ring.pid, descriptor: ring.descriptor }).collect();
    Ok(Walk { found: descriptors(&sockets), rings, ..Walk::default() })
}

/// Returns whether type information has everything that the program needs.
#[cfg(allears_internals)]
pub(in crate::os) fn understands(types: &[u8]) -> bool {
    btf::layout(types, &program::WANTED).is_ok()
}

/// Runs the program process by process (Linux 6.1) on several threads. Returns `None` if that is unavailable.
fn by_process(program: BorrowedFd<'_>) -> Option<Vec<Record>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::open("/proc", flags, Mode::empty()).ok()?;
    let pids = descriptors::processes(&proc).ok()?;
    let failed = AtomicBool::new(descriptors::threads_for(pids.len()) < 2);
    let found = Mutex::new(Vec::new());
    descriptors::in_parallel(&pids, |pid, _, _| {
        if failed.load(Ordering::Relaxed) {
            return;
        }
        match calls::iterate(program, Some(pid)).and_then(|iterator| records(iterator.into())) {
            Ok(records) if records.is_empty() => {}
            Ok(mut records) => found.lock().unwrap_or_else(PoisonError::into_inner).append(&mut records),
            Err(_) => failed.store(true, Ordering::Relaxed),
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    (!failed.into_inner()).then_some(found)
}

/// Reads an iterator to its end.
fn records(mut iterator: std::fs::File) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut buffer = [0; BUFFER];
    let mut kept = 0;
    loop {
        let read = match iterator.read(buffer.get_mut(kept..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => read,
            // After a million descriptors without a record the kernel expects another read.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                continue;
            }
            Err(error) => return Err(error),
        };
        let end = kept + read;
        let whole = end - end % program::RECORD;
        records.extend(
            buffer.get(..whole).unwrap_or_default().chunks_exact(program::RECORD).filter_map(program::record),
        );
        buffer.copy_within(whole..end, 0);
        kept = end - whole;
    }
    Ok(records)
}

/// Returns the descriptors that the records name. Their processes are verified when facts about them are read.
fn descriptors(records: &[Record]) -> Vec<SocketDescriptor> {
    let tick = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    let mut found: Vec<SocketDescriptor> = Vec::with_capacity(records.len());
    for record in records {
        let process = ProcHandle::started(record.pid, record.start / tick);
        found.push(SocketDescriptor { inode: record.inode, process, descriptor: record.descriptor });
    }
    found
}

/// Returns how many BPF programs choose the socket of each connection in this thread's network namespace (program type
/// `sk_lookup`, Linux 5.9). It takes CAP_NET_ADMIN.
pub(in crate::os) fn socket_lookups() -> io::Result<u32> {
    let namespace =
        rustix::fs::open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    calls::socket_lookups(namespace.as_fd())
}

/// Returns how many BPF programs of this process's cgroup, and of the cgroups above it, decide about binds (program types
/// `cgroup_sock_addr` and `cgroup_sock`; systemd's SocketBindDeny= and Cilium attach such). It takes CAP_NET_ADMIN.
pub(in crate::os) fn bind_hooks(cgroup: BorrowedFd<'_>) -> io::Result<u32> {
    calls::bind_hooks(cgroup)
}
