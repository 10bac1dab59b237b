//! The holders of sockets, found in the kernel: a BPF program reports the wanted sockets among all descriptors of all
//! processes. If that is unavailable, the walk through /proc gives the same answer.
//!
//! Custom code, because the BPF crates (libbpf-rs, aya) need a C library or a compiler for BPF, or a program file, to load
//! what is here fifty instructions.

pub(in crate::os) mod filter;
pub(in crate::os) mod program;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Mode, OFlags};

use crate::model::BpfUnavailable;
use crate::os::descriptors::sys::{Ring, SocketDescriptor, Walk};
use crate::os::descriptors::task_files::Program;
use crate::os::linux_api::bpf::calls;
#[cfg(allears_internals)]
use crate::os::parse::linux::btf;
use crate::os::process::sys::proc_handle::ProcHandle;
use filter::Filter;
use program::Record;

/// Searches the descriptor tables of all processes and threads for sockets by their inode numbers (ascending), and for
/// io_urings.
///
/// # Errors
/// If the search is unavailable.
pub(in crate::os) fn search(wanted: &[u64]) -> Result<Walk, BpfUnavailable> {
    let filter = Filter::new(wanted);
    let search = Program {
        wanted: program::WANTED,
        map: filter.bytes(),
        assemble: program::assemble,
        record: program::RECORD,
        parse: program::record,
    };
    let mut records = search.run()?;
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
