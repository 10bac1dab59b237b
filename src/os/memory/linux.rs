//! Address space on Linux, which RLIMIT_AS and strict overcommit limit.

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

#[cfg(feature = "cli")]
pub(crate) use super::abort::exit_when_out_of_memory;

/// Returns whether so many bytes of address space are left.
pub(in crate::os) fn has_room(bytes: usize) -> bool {
    #[expect(unsafe_code, reason = "mapping memory is unsafe in every library")]
    // SAFETY: the kernel chooses an address that nothing else uses; the mapping is returned untouched.
    unsafe {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        match mmap_anonymous(std::ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags) {
            Ok(begin) => munmap(begin, bytes).is_ok(),
            Err(_) => false,
        }
    }
}
