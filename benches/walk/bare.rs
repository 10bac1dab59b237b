//! The system calls of a walk and nothing else: nothing is parsed, looked up or kept. The kernel's own time, which no
//! walk of this kind can be faster than.

use std::ffi::CStr;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{Mode, OFlags, RawDir};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// As much as the walk takes at a time.
const BUFFER: usize = 32 * 1024;

/// Reads every link of every descriptor table, on so many threads. Gives the number of processes, of which some may
/// have refused.
pub(crate) fn walk(threads: usize) -> usize {
    let proc = rustix::fs::open("/proc", DIRECTORY, Mode::empty()).expect("/proc is there");
    let mut buffer = [MaybeUninit::uninit(); BUFFER];
    let mut entries = RawDir::new(&proc, &mut buffer);
    let mut tables = Vec::with_capacity(512);
    while let Some(Ok(entry)) = entries.next() {
        tables.extend(table(entry.file_name()));
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        while let Some(table) = tables.get(next.fetch_add(1, Ordering::Relaxed)) {
            read(proc.as_fd(), table, &mut buffer);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(worker);
        }
        worker();
    });
    tables.len()
}

/// `PID/fd`, of the names in /proc that begin as a pid does.
fn table(name: &CStr) -> Option<[u8; 16]> {
    let name = name.to_bytes();
    let mut path = [0; 16];
    let (digits, rest) = path.split_at_mut_checked(name.len())?;
    digits.copy_from_slice(name);
    rest.get_mut(..3)?.copy_from_slice(b"/fd");
    name.first()?.is_ascii_digit().then_some(path)
}

fn read(proc: BorrowedFd<'_>, table: &[u8; 16], buffer: &mut [MaybeUninit<u8>]) {
    let Ok(path) = CStr::from_bytes_until_nul(table) else { return };
    let Ok(table) = rustix::fs::openat(proc, path, DIRECTORY, Mode::empty()) else { return };
    let mut entries = RawDir::new(&table, buffer);
    while let Some(Ok(entry)) = entries.next() {
        if entry.file_name().to_bytes().starts_with(b".") {
            continue;
        }
        let mut link = [MaybeUninit::uninit(); 64];
        if black_box(rustix::fs::readlinkat_raw(&table, entry.file_name(), &mut link)).is_err() {
            return;
        }
    }
}
