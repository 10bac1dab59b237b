//! BPF programs that run for each descriptor of each process, in the kernel (iterator `task_file`, Linux 5.8). No
//! descriptor table is opened, and none refuses. What a program reports is up to the program.
//!
//! It takes CAP_BPF and CAP_PERFMON, and a kernel that describes its types (BTF). If anything is missing, [`BpfUnavailable`]
//! is the reason. Nothing stays in the kernel: program, map and iterator exist as long as the descriptors in this module.

pub(in crate::os) mod program_parts;

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};

use super::sys::{in_parallel, processes, threads_for};
use crate::model::{BpfStep, BpfUnavailable, Text};
use crate::os::linux_api::bpf::assembly::Instruction;
use crate::os::linux_api::bpf::{allowed, calls, is_locked_down, types};
use crate::os::linux_api::procfs;
use crate::os::parse::linux::btf::{self, Layout, Wanted};

/// The licence that the programs declare to the kernel: the helper that writes records is only for programs under the GPL.
const LICENCE: &std::ffi::CStr = c"Dual MIT/GPL";
/// From this many open files on the machine an iterator for each process is worthwhile, so that several threads share the
/// work.
const WORTH_THREADS: u64 = 50_000;
/// The bytes of one read.
const BUFFER: usize = 8 * 1024;
/// With fewer files open on the machine than this, a walk takes no longer than loading a BPF program.
const WORTH_A_PROGRAM: u64 = 1000;

/// Returns whether so many files are open that a walk takes longer than loading a BPF program.
pub(in crate::os) fn is_worth_a_program() -> bool {
    procfs::open_files().is_none_or(|open| open >= WORTH_A_PROGRAM)
}

/// A program for the iterator.
pub(in crate::os) struct Program<'a, R> {
    /// What it needs from the kernel's type information. The function names the iterator to attach to.
    pub(in crate::os) wanted: Wanted<'a>,
    /// The bytes of the map that it reads: a power of two.
    pub(in crate::os) map: &'a [u8],
    /// Assembles it for a kernel of this layout, with the descriptor of the map and the map's size in bytes.
    pub(in crate::os) assemble: fn(&Layout, i32, usize) -> Option<Vec<Instruction>>,
    /// The bytes of a record that it writes.
    pub(in crate::os) record: usize,
    /// Reads such a record.
    pub(in crate::os) parse: fn(&[u8]) -> Option<R>,
}

impl<R: Send> Program<'_, R> {
    /// Runs the program for every descriptor, and returns the records that it wrote.
    ///
    /// # Errors
    /// If it cannot be run.
    pub(in crate::os) fn run(&self) -> Result<Vec<R>, BpfUnavailable> {
        allowed()?;
        let failed =
            |step| move |error: io::Error| BpfUnavailable::Failed { step, error: Text::from_display(error) };
        let types = types::Types::read_running_kernel().map_err(failed(BpfStep::ReadTypes))?;
        let layout =
            btf::layout(&types, &self.wanted).map_err(|fault| failed(BpfStep::LoadProgram)(fault.into()))?;
        drop(types);
        let map = calls::shared(self.map).map_err(failed(BpfStep::MakeMap))?;
        let program = (self.assemble)(&layout, map.as_raw_fd(), self.map.len())
            .ok_or_else(|| failed(BpfStep::LoadProgram)(io::ErrorKind::Unsupported.into()))?;
        let program =
            calls::load(&program, LICENCE, layout.function).map_err(|error| match is_locked_down() {
                Some(true) => BpfUnavailable::Lockdown,
                None if error.raw_os_error() == Some(libc::EINVAL) => {
                    BpfUnavailable::PerhapsLockdown { error: Text::from_display(error) }
                }
                _ => failed(BpfStep::LoadProgram)(error),
            })?;
        let many = procfs::open_files().is_none_or(|open| open >= WORTH_THREADS);
        match many.then(|| self.by_process(program.as_fd())).flatten() {
            Some(records) => Ok(records),
            None => {
                let iterator =
                    calls::iterate(program.as_fd(), None).map_err(failed(BpfStep::MakeIterator))?;
                self.records(iterator.into()).map_err(failed(BpfStep::ReadIterator))
            }
        }
    }

    /// Runs the program process by process (Linux 6.1) on several threads. Returns `None` if that is unavailable.
    fn by_process(&self, program: BorrowedFd<'_>) -> Option<Vec<R>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = rustix::fs::open("/proc", flags, Mode::empty()).ok()?;
        let pids = processes(&proc).ok()?;
        let failed = AtomicBool::new(threads_for(pids.len()) < 2);
        let found = Mutex::new(Vec::new());
        in_parallel(&pids, |pid, _, _| {
            if failed.load(Ordering::Relaxed) {
                return;
            }
            match calls::iterate(program, Some(pid)).and_then(|iterator| self.records(iterator.into())) {
                Ok(records) if records.is_empty() => {}
                Ok(mut records) => {
                    found.lock().unwrap_or_else(PoisonError::into_inner).append(&mut records);
                }
                Err(_) => failed.store(true, Ordering::Relaxed),
            }
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        (!failed.into_inner()).then_some(found)
    }

    /// Reads an iterator to its end.
    fn records(&self, mut iterator: std::fs::File) -> io::Result<Vec<R>> {
        let mut records = Vec::new();
        let mut buffer = [0; BUFFER];
        let mut kept = 0;
        loop {
            let read = match iterator.read(buffer.get_mut(kept..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(read) => read,
                // After a million descriptors without a record the kernel expects another read.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let end = kept + read;
            let whole = end - end % self.record;
            let bytes = buffer.get(..whole).unwrap_or_default();
            records.extend(bytes.chunks_exact(self.record).filter_map(self.parse));
            buffer.copy_within(whole..end, 0);
            kept = end - whole;
        }
        Ok(records)
    }
}
