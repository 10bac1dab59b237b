//! The network namespaces that the kernel lists by listns(2), since Linux 6.19. The list omits those that only a socket keeps
//! (observed on 7.3.4), and without permission it has only the caller's own, without an error: a namespace that is not in
//! the list may exist. Custom code, because no crate has this system call.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// listns(2): the same number on every architecture but alpha.
const SYS_LISTNS: libc::c_long = 470;
/// The number of namespaces in one request.
const PART: usize = 256;

/// `struct ns_id_req` of linux/nsfs.h.
#[repr(C)]
struct ListnsRequest {
    size: u32,
    spare: u32,
    /// The last id of the previous part.
    after: u64,
    kind: u32,
    spare_too: u32,
    /// 0 for every user namespace.
    user_namespace: u64,
}

/// `struct file_handle` with `struct nsfs_file_handle` of linux/nsfs.h. A kind and a number of 0 are not compared.
#[repr(C)]
struct Handle {
    bytes: libc::c_uint,
    kind: libc::c_int,
    id: u64,
    namespace_kind: u32,
    number: u32,
}

/// Opens every network namespace that the kernel lists, and returns how many could not be opened. Returns `None` if this
/// kernel has no list, or refuses it.
pub(in crate::os) fn namespaces() -> Option<(Vec<OwnedFd>, usize)> {
    let mut namespaces = Vec::new();
    let mut failed = 0;
    let own =
        rustix::fs::open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    for id in ids().ok()? {
        match open(&own, id) {
            Ok(namespace) => namespaces.push(namespace),
            // It ended meanwhile.
            Err(Errno::STALE | Errno::NOENT) => {}
            Err(_) => failed += 1,
        }
    }
    Some((namespaces, failed))
}

fn ids() -> Result<Vec<u64>, Errno> {
    let mut ids = Vec::new();
    loop {
        let request = ListnsRequest {
            size: 32,
            spare: 0,
            after: ids.last().copied().unwrap_or(0),
            kind: libc::CLONE_NEWNET.cast_unsigned(),
            spare_too: 0,
            user_namespace: 0,
        };
        let mut part = [0_u64; PART];
        #[expect(unsafe_code, reason = "neither rustix nor nix has this system call")]
        // SAFETY: the kernel reads the request, of the size it says, and writes up to PART numbers into `part`.
        let listed = unsafe {
            libc::syscall(SYS_LISTNS, &raw const request, part.as_mut_ptr(), PART, 0 as libc::c_uint)
        };
        let Ok(listed) = usize::try_from(listed) else {
            let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOSYS);
            return Err(Errno::from_raw_os_error(errno));
        };
        ids.extend(part.iter().take(listed));
        if listed < PART {
            return Ok(ids);
        }
    }
}

/// Opens a namespace by its id. `any` is a file of the file system of namespaces.
fn open(any: impl AsFd, id: u64) -> Result<OwnedFd, Errno> {
    const FILEID_NSFS: libc::c_int = 0xf1;
    use std::os::fd::AsRawFd;
    let mut handle = Handle { bytes: 16, kind: FILEID_NSFS, id, namespace_kind: 0, number: 0 };
    #[expect(unsafe_code, reason = "neither rustix nor nix has this system call")]
    // SAFETY: the handle says how many bytes follow its head, and the kernel reads no others.
    let opened = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            any.as_fd().as_raw_fd(),
            &raw mut handle,
            libc::O_RDONLY | libc::O_CLOEXEC,
        )
    };
    match i32::try_from(opened) {
        #[expect(unsafe_code, reason = "a number becomes a descriptor")]
        // SAFETY: the kernel has just opened it for this call, and nothing else knows it.
        Ok(opened) if opened >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(opened) }),
        _ => {
            let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
            Err(Errno::from_raw_os_error(errno))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{number_of, own};
    use super::*;

    #[test]
    fn the_list_has_this_namespace() {
        assert_eq!(size_of::<ListnsRequest>(), 32);
        assert_eq!(size_of::<Handle>(), 24);
        let Some((namespaces, failed)) = namespaces() else {
            eprintln!("skipped: needs Linux 6.19");
            return;
        };
        assert!(failed > 0 || namespaces.iter().any(|namespace| number_of(namespace) == own()));
    }
}
