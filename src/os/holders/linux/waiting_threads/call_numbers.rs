//! The numbers of system calls on the processor that this program is compiled for, as libc has them.

use crate::os::parse::linux::syscall_file::CallNumbers;

/// The numbers of the calls that can wait on a descriptor.
pub(super) const CALL_NUMBERS: CallNumbers<'_> = CallNumbers {
    accept: &calls::ACCEPT,
    receive: &[libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_recvmmsg],
    send: &[libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_sendmmsg],
    connect: &[libc::SYS_connect],
    read: &[libc::SYS_read, libc::SYS_readv],
    write: &[libc::SYS_write, libc::SYS_writev],
    poll: &calls::POLL,
    select: &calls::SELECT,
};

/// Newer architectures have these calls only in their general forms.
#[cfg(target_arch = "x86_64")]
mod calls {
    pub(super) const ACCEPT: [libc::c_long; 2] = [libc::SYS_accept, libc::SYS_accept4];
    pub(super) const POLL: [libc::c_long; 2] = [libc::SYS_poll, libc::SYS_ppoll];
    pub(super) const SELECT: [libc::c_long; 2] = [libc::SYS_select, libc::SYS_pselect6];
}

#[cfg(any(target_arch = "aarch64", target_arch = "riscv64"))]
mod calls {
    pub(super) const ACCEPT: [libc::c_long; 2] = [libc::SYS_accept, libc::SYS_accept4];
    pub(super) const POLL: [libc::c_long; 1] = [libc::SYS_ppoll];
    pub(super) const SELECT: [libc::c_long; 1] = [libc::SYS_pselect6];
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
mod calls {
    pub(super) const ACCEPT: [libc::c_long; 1] = [libc::SYS_accept4];
    pub(super) const POLL: [libc::c_long; 1] = [libc::SYS_ppoll];
    pub(super) const SELECT: [libc::c_long; 1] = [libc::SYS_pselect6];
}
