//! Requests to the kernel of macOS, and the only unsafe code for it: sysctlbyname(3) and libproc. They return bytes and
//! numbers, which `parse::xnu` reads. Every user may list all processes and read the paths of their programs, but
//! descriptors and starts only of processes of the same user, or as root.

use std::ffi::{CStr, c_int};
use std::io;
use std::mem::offset_of;
use std::ptr;

use nix::errno::Errno;

use crate::os::parse::xnu::{bsd_info, fd_list, socket_fdinfo};

/// `PROC_PIDFDSOCKETINFO` of sys/proc_info.h.
const PROC_PIDFDSOCKETINFO: c_int = 3;
/// The number of attempts for data that grows meanwhile.
const ATTEMPTS: usize = 8;

const _: () = {
    assert!(bsd_info::START_SECONDS == offset_of!(libc::proc_bsdinfo, pbi_start_tvsec));
    assert!(bsd_info::START_MICROSECONDS == offset_of!(libc::proc_bsdinfo, pbi_start_tvusec));
    assert!(bsd_info::SHORT_NAME == offset_of!(libc::proc_bsdshortinfo, pbsi_comm));
};

/// Returns a value of sysctlbyname(3) of any length, and the length that the kernel reported in advance.
pub(in crate::os) fn sysctl(name: &CStr) -> io::Result<(Vec<u8>, usize)> {
    for _ in 0..ATTEMPTS {
        let mut length = 0;
        #[expect(unsafe_code, reason = "the system's own interface")]
        // SAFETY: the name ends in NUL; without a buffer the length alone is written.
        let known = unsafe {
            libc::sysctlbyname(name.as_ptr(), ptr::null_mut(), &raw mut length, ptr::null_mut(), 0)
        };
        if known != 0 {
            return Err(io::Error::last_os_error());
        }
        let reported = length;
        // Room for sockets that are opened meanwhile.
        length += length / 8 + 4096;
        let mut bytes = vec![0_u8; length];
        #[expect(unsafe_code, reason = "the system's own interface")]
        // SAFETY: the buffer is as long as the length that is passed with it; nothing is set.
        let read = unsafe {
            libc::sysctlbyname(name.as_ptr(), bytes.as_mut_ptr().cast(), &raw mut length, ptr::null_mut(), 0)
        };
        if read == 0 {
            bytes.truncate(length);
            return Ok((bytes, reported));
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ENOMEM) {
            return Err(error);
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOMEM))
}

/// Returns the pids of all processes.
pub(in crate::os) fn processes() -> io::Result<Vec<u32>> {
    let mut room = 1024;
    for _ in 0..ATTEMPTS {
        let mut pids: Vec<c_int> = vec![0; room];
        #[expect(unsafe_code, reason = "the system's own interface")]
        // SAFETY: the buffer is as long as the size that is passed with it.
        let count = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast(), size_of_all(&pids)) };
        let count = usize::try_from(count).unwrap_or(0);
        if count == 0 {
            return Err(io::Error::last_os_error());
        }
        if count < room {
            pids.truncate(count);
            return Ok(pids.into_iter().filter_map(|pid| u32::try_from(pid).ok()).collect());
        }
        room *= 2;
    }
    Err(io::Error::from_raw_os_error(libc::ENOMEM))
}

/// Returns the descriptors of a process that are sockets.
pub(in crate::os) fn socket_descriptors(pid: u32) -> io::Result<Vec<c_int>> {
    const ONE: usize = size_of::<libc::proc_fdinfo>();
    // Without a buffer the call returns the needed size.
    let mut room = pid_info(pid, libc::PROC_PIDLISTFDS, &mut [])?;
    for _ in 0..ATTEMPTS {
        let mut bytes = vec![0_u8; room + 16 * ONE];
        Errno::clear();
        let read = match pid_info(pid, libc::PROC_PIDLISTFDS, &mut bytes) {
            // No descriptor is open.
            Err(error) if error.raw_os_error() == Some(0) => 0,
            read => read?,
        };
        if read < bytes.len() {
            bytes.truncate(read);
            return Ok(bytes.chunks_exact(ONE).filter_map(fd_list::socket_number).collect());
        }
        room *= 2;
    }
    Err(io::Error::from_raw_os_error(libc::ENOMEM))
}

/// Returns what the kernel reports about a descriptor of a socket. An error if it is none by now: a buffer that was not
/// written is not read.
pub(in crate::os) fn socket_of(pid: u32, descriptor: c_int) -> io::Result<[u8; socket_fdinfo::LENGTH]> {
    let mut bytes = [0_u8; socket_fdinfo::LENGTH];
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: the buffer is as long as the size that is passed with it, and any bytes are a value of its type.
    let written = unsafe {
        libc::proc_pidfdinfo(
            number(pid)?,
            descriptor,
            PROC_PIDFDSOCKETINFO,
            bytes.as_mut_ptr().cast(),
            size_of_all(&bytes),
        )
    };
    match usize::try_from(written) {
        Ok(written) if written >= bytes.len() => Ok(bytes),
        Ok(0) | Err(_) => Err(io::Error::last_os_error()),
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Returns the start of a process that this user may inspect: seconds and microseconds since 1970.
pub(in crate::os) fn start(pid: u32) -> Option<(u64, u64)> {
    let mut bytes = [0_u8; size_of::<libc::proc_bsdinfo>()];
    let written = pid_info(pid, libc::PROC_PIDTBSDINFO, &mut bytes).ok()?;
    bsd_info::start(&bytes).filter(|_| written == bytes.len())
}

/// Returns the name of any user's process: that of its program's file, or at most 16 bytes if that cannot be read.
pub(in crate::os) fn name(pid: u32) -> Option<Vec<u8>> {
    let program = program(pid).and_then(|path| path.rsplit(|byte| *byte == b'/').next().map(<[u8]>::to_vec));
    program.or_else(|| {
        let mut bytes = [0_u8; size_of::<libc::proc_bsdshortinfo>()];
        pid_info(pid, libc::PROC_PIDT_SHORTBSDINFO, &mut bytes).ok()?;
        bsd_info::short_name(&bytes)
    })
}

/// Returns the path of the program that any user's process runs.
fn program(pid: u32) -> Option<Vec<u8>> {
    let mut path = vec![0_u8; usize::try_from(libc::PROC_PIDPATHINFO_MAXSIZE).ok()?];
    let size = u32::try_from(path.len()).ok()?;
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: the buffer is as long as the size that is passed with it.
    let length = unsafe { libc::proc_pidpath(number(pid).ok()?, path.as_mut_ptr().cast(), size) };
    path.truncate(usize::try_from(length).ok()?);
    (!path.is_empty()).then_some(path)
}

/// Calls proc_pidinfo. A result of 0 is a failure, or an empty answer: then errno is unchanged. An empty buffer
/// requests the needed size.
fn pid_info(pid: u32, kind: c_int, buffer: &mut [u8]) -> io::Result<usize> {
    let start = if buffer.is_empty() { ptr::null_mut() } else { buffer.as_mut_ptr().cast() };
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: the buffer is as long as the size that is passed with it, or null with 0; any bytes may be written to it.
    let written = unsafe { libc::proc_pidinfo(number(pid)?, kind, 0, start, size_of_all(buffer)) };
    match usize::try_from(written) {
        Ok(written) if written > 0 => Ok(written),
        _ => Err(io::Error::last_os_error()),
    }
}

fn number(pid: u32) -> io::Result<c_int> {
    c_int::try_from(pid).map_err(|_beyond| io::Error::from_raw_os_error(libc::ESRCH))
}

/// Returns the size of a buffer in bytes.
fn size_of_all<T>(buffer: &[T]) -> c_int {
    c_int::try_from(size_of_val(buffer)).unwrap_or(0)
}
