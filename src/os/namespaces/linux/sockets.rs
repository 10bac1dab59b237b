//! The network namespace of a socket that another process has open, by a duplicate of its descriptor (pidfd_getfd(2),
//! Linux 5.6, and the request SIOCGSKNS of ioctl(2), Linux 4.10). It is the only way to a namespace that only a socket
//! keeps.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::descriptors::TaskDescriptor;
use crate::os::TableRequest;

/// Opens the network namespace of a socket. The error is `SRCH` if the descriptor is not that socket any more.
///
/// It takes the permission to trace the process, and CAP_NET_ADMIN over the namespace. The duplicate is closed at once, and
/// the socket is not affected.
pub(in crate::os) fn namespace(inode: u64, open: TaskDescriptor) -> Result<OwnedFd, Errno> {
    let descriptor = i32::try_from(open.descriptor).map_err(|_| Errno::BADF)?;
    let pidfd = open_task(open)?;
    let socket = match pidfd_getfd(&pidfd, descriptor, PidfdGetfdFlags::empty()) {
        Err(Errno::BADF) if is_open(inode, open) => return Err(Errno::BADF),
        Err(Errno::BADF) => return Err(Errno::SRCH),
        socket => socket?,
    };
    if rustix::fs::fstat(&socket)?.st_ino != inode {
        return Err(Errno::SRCH);
    }
    // SIOCGSKNS of linux/sockios.h, the same number on every architecture.
    const SIOCGSKNS: libc::c_ulong = 0x894c;
    #[expect(unsafe_code, reason = "rustix has no form of this request")]
    // SAFETY: the request takes no argument and touches no memory of ours.
    let opened = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSKNS as _) };
    if opened < 0 {
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        return Err(Errno::from_raw_os_error(errno));
    }
    #[expect(unsafe_code, reason = "a number becomes a descriptor")]
    // SAFETY: the kernel opened it just now, and nobody else knows it.
    let namespace = unsafe { OwnedFd::from_raw_fd(opened) };
    rustix::io::fcntl_setfd(&namespace, rustix::io::FdFlags::CLOEXEC)?;
    Ok(namespace)
}

/// Opens a pidfd of a thread (Linux 6.9), or of a process.
fn open_task(open: TaskDescriptor) -> Result<OwnedFd, Errno> {
    // PIDFD_THREAD of linux/pidfd.h has the value of O_EXCL.
    let thread_flag = PidfdFlags::from_bits_retain(libc::O_EXCL.cast_unsigned());
    let pid = |number: u32| i32::try_from(number).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH);
    if open.task.is_first() {
        return pidfd_open(pid(open.task.pid)?, PidfdFlags::empty());
    }
    match pidfd_open(pid(open.task.thread)?, thread_flag) {
        // An older kernel: the first thread may have the same descriptors.
        Err(Errno::INVAL) => pidfd_open(pid(open.task.pid)?, PidfdFlags::empty()),
        opened => opened,
    }
}

/// Returns whether the descriptor is still that socket.
pub(in crate::os) fn is_open(inode: u64, open: TaskDescriptor) -> bool {
    let link = rustix::fs::readlink(format!("/proc/{}", open.path()), Vec::with_capacity(32));
    link.is_ok_and(|link| crate::os::parse::linux::proc_fd::socket_inode(link.to_bytes()) == Some(inode))
}

/// Returns whether the request may want a socket, by its protocol.
pub(in crate::os) fn may_be_wanted(open: TaskDescriptor, request: &TableRequest) -> bool {
    let Some(name) = protocol(open) else { return true };
    [
        (request.tcp, &[&b"TCP"[..], b"MPTCP"][..]),
        (request.udp, &[b"UDP"]),
        (request.unix, &[b"UNIX"]),
        (request.sctp_dccp, &[b"SCTP", b"DCCP"]),
    ]
    .iter()
    .any(|(wanted, names)| *wanted && names.iter().any(|known| name.starts_with(known)))
}

/// Returns whether a socket is of a protocol whose sockets are in one of the tables that are read.
pub(in crate::os) fn is_in_a_table(open: TaskDescriptor) -> bool {
    const LISTED: [&[u8]; 4] = [b"TCP", b"MPTCP", b"UDP", b"UNIX"];
    protocol(open).is_none_or(|name| LISTED.iter().any(|known| name.starts_with(known)))
}

/// Returns whether a socket is a Unix socket.
pub(in crate::os) fn is_unix(open: TaskDescriptor) -> bool {
    protocol(open).is_some_and(|name| name.starts_with(b"UNIX"))
}

/// Returns the name of a socket's protocol: the attribute `system.sockprotoname`, which takes the permission to read the
/// link.
fn protocol(open: TaskDescriptor) -> Option<Vec<u8>> {
    let mut name = [0; 32];
    let path = format!("/proc/{}", open.path());
    let length = rustix::fs::getxattr(path, "system.sockprotoname", &mut name).ok()?;
    name.get(..length).map(<[u8]>::to_vec)
}
