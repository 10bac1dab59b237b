//! Descriptor tables that belong to single threads. The walk reads each process's main thread only.

use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::walk::{Walk, in_parallel, number, search_table};

/// A process's `task` directory has two links, and one more for each thread.
pub(in crate::os) const LINKS_OF_ONE_THREAD: libc::nlink_t = 3;

/// Looks for sockets in descriptor tables that belong to single threads.
pub(in crate::os) fn search_threads(pids: &[u32], wanted: &[u64]) -> Walk {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(proc) = rustix::fs::open("/proc", flags, Mode::empty()) else { return Walk::default() };
    in_parallel(pids, |pid, buffer, walk| {
        let tasks = format!("{pid}/task");
        // Most processes have one thread, and this tells without listing them.
        let links = rustix::fs::statat(&proc, tasks.as_str(), AtFlags::empty()).map(|stat| stat.st_nlink);
        if links.is_ok_and(|links| links <= LINKS_OF_ONE_THREAD) {
            return;
        }
        let Ok(tasks) = rustix::fs::openat(&proc, tasks.as_str(), flags, Mode::empty()) else { return };
        let mut last = pid;
        for thread in threads(&tasks) {
            if thread == pid || share_descriptors(last, thread) {
                continue;
            }
            last = thread;
            match rustix::fs::openat(&tasks, format!("{thread}/fd"), flags, Mode::empty()) {
                Ok(table) => {
                    search_table(pid, &table, c"../../..", wanted, buffer, walk);
                    // The directory listed and its links refused: so will the other threads'.
                    if walk.refused.last() == Some(&pid) {
                        return;
                    }
                }
                // Where one thread may not be looked into, no other may be. (Where only the main thread has ended,
                // its own table is refused and the others' are not.)
                Err(Errno::ACCESS) => return,
                Err(_) => {}
            }
        }
    })
}

/// The threads in a process's `task` directory, ascending.
pub(in crate::os) fn threads(tasks: impl AsFd) -> Vec<u32> {
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut entries = RawDir::new(tasks, &mut buffer);
    let mut threads = Vec::new();
    while let Some(Ok(entry)) = entries.next() {
        threads.extend(number(entry.file_name()));
    }
    threads.sort_unstable();
    threads
}

/// Whether two threads have one descriptor table (kcmp(2)). Where that is not told they are taken to have two.
pub(in crate::os) fn share_descriptors(one: u32, other: u32) -> bool {
    const KCMP_FILES: libc::c_int = 2;
    let (Ok(one), Ok(other)) = (libc::pid_t::try_from(one), libc::pid_t::try_from(other)) else {
        return false;
    };
    #[expect(unsafe_code, reason = "neither rustix nor nix has this system call")]
    // SAFETY: kcmp takes five numbers and touches no memory of ours.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, 0, 0) };
    order == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_one_process_share_their_descriptors() {
        let own = rustix::process::getpid().as_raw_nonzero().get().cast_unsigned();
        std::thread::spawn(move || {
            let thread = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
            assert!(share_descriptors(own, thread));
        })
        .join()
        .unwrap();
        assert!(!share_descriptors(own, 1) || own == 1);
    }
}
