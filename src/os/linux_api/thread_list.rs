//! The threads of a process, and whether two of them share their descriptors.

use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::fs::RawDir;

use crate::os::parse::linux::proc_fd::number;

/// A process's `task` directory has two links, and one more for each thread.
pub(in crate::os) const LINKS_OF_ONE_THREAD: libc::nlink_t = 3;

/// Returns the threads in a process's `task` directory, ascending.
pub(in crate::os) fn thread_ids(tasks: impl AsFd) -> Vec<u32> {
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut entries = RawDir::new(tasks, &mut buffer);
    let mut threads = Vec::new();
    while let Some(Ok(entry)) = entries.next() {
        threads.extend(number(entry.file_name()));
    }
    threads.sort_unstable();
    threads
}

/// Returns whether two threads have one descriptor table (kcmp(2)). If the kernel refuses to compare them, they are
/// taken to have two.
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
