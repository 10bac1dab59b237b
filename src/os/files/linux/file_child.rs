//! A child process that reads files on file systems that may never answer. A thread that waits in the kernel for a dead
//! server cannot be ended, and its process cannot exit; a child that waits can be abandoned.
//!
//! The child is a copy of this process, made by clone(2). It runs no program of its own, because a library must not
//! start the program that it is part of. After a fork of a program with several threads, only async-signal-safe
//! functions may be called, because a thread that is not in the child may hold a lock. Therefore the child allocates
//! nothing, takes no lock, runs no destructor and no signal handler, and never returns from [`serve`]: it makes system
//! calls on memory of its own stack. Of its parent's descriptors it keeps one socket open, so that no pipe or file
//! waits for it.
//!
//! The child ends when its parent closes the socket. While it waits for a file system, SIGALRM ends it, if the file
//! system can be interrupted. Its exit sends no signal (the exit signal is 0), and a program that waits for any of its
//! children does not receive it: only its pidfd is waited for.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat, StatxFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::os::files::status::{LONGEST_SMALL, Status};

/// An operation of the child on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::os) enum Operation {
    Status = 1,
    StatusOfLink = 2,
    ReadLink = 3,
    ReadSmall = 4,
    /// Opens a regular file, which [`Operation::Read`] then reads piece by piece.
    Open = 5,
    Read = 6,
    /// Returns the id of the mount that a path is on (Linux 5.8).
    MountId = 7,
}

/// PATH_MAX, including the NUL.
const LONGEST_PATH: usize = 4096;
const REQUEST: usize = LONGEST_PATH + 1;
/// The length of a reply's head: error, mode, size, device and inode.
const HEAD: usize = 32;
const DATA: usize = 4097;
/// The child's timeout in seconds, if the file system can be interrupted. No caller waits longer.
const CHILD_LIMIT: u32 = 11;

/// A child that reads files.
#[derive(Debug)]
pub(in crate::os) struct Child {
    socket: OwnedFd,
    /// Its pidfd; `None` once it is dropped.
    process: Option<OwnedFd>,
    hangs: bool,
}

/// The child's reply.
#[derive(Debug)]
pub(in crate::os) struct Reply {
    pub(in crate::os) status: Status,
    pub(in crate::os) data: Vec<u8>,
}

/// Why the child returned nothing.
#[derive(Debug)]
pub(in crate::os) enum NoReply {
    /// The file system returned an error.
    Refused(Errno),
    /// It did not answer in time, or the child is gone. No further request may be sent to it.
    Timeout,
}

/// Children that have not been waited for yet, and whether each was abandoned because it hangs.
static LEFT: Mutex<Vec<(OwnedFd, bool)>> = Mutex::new(Vec::new());

impl Child {
    /// Starts a child.
    ///
    /// # Errors
    /// If the system refuses it, or if an earlier one still waits for a file system: there is at most one of those.
    pub(in crate::os) fn start() -> io::Result<Child> {
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|(process, _)| !has_ended(process.as_fd()));
        if left.iter().any(|(_, hangs)| *hangs) {
            return Err(io::Error::other("a process still waits for a file system that does not answer"));
        }
        drop(left);
        // After unshare(CLONE_NEWPID) the child would be the first process of a namespace that ends with it.
        let namespace = |name: &str| std::fs::read_link(format!("/proc/self/ns/{name}")).ok();
        if namespace("pid") != namespace("pid_for_children") {
            return Err(io::Error::other("its children are in another pid namespace"));
        }
        let (own, other) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let process = start(other.as_raw_fd())?;
        Ok(Child { socket: own, process: Some(process), hangs: false })
    }

    /// Sends the child a request, and waits for the reply until `until` at most.
    pub(in crate::os) fn ask(
        &mut self,
        what: Operation,
        path: &Path,
        until: Instant,
    ) -> Result<Reply, NoReply> {
        if self.hangs {
            return Err(NoReply::Timeout);
        }
        let path = path.as_os_str().as_bytes();
        if path.len() >= LONGEST_PATH || path.contains(&0) {
            return Err(NoReply::Refused(Errno::NAMETOOLONG));
        }
        let request = [&[what as u8], path, b"\0"].concat();
        let answer = self.exchange(&request, until);
        self.hangs = answer.is_none();
        let answer = answer.ok_or(NoReply::Timeout)?;
        let (head, data) = answer.split_at_checked(HEAD).ok_or(NoReply::Timeout)?;
        match (
            word(head, 0),
            Status::from_parts(word(head, 4), long(head, 8), long(head, 16), long(head, 24)),
        ) {
            (0, status) => Ok(Reply { status, data: data.to_vec() }),
            (error, _) => {
                Err(NoReply::Refused(Errno::from_raw_os_error(i32::try_from(error).unwrap_or(libc::EIO))))
            }
        }
    }

    fn exchange(&self, request: &[u8], until: Instant) -> Option<Vec<u8>> {
        rustix::net::send(&self.socket, request, SendFlags::NOSIGNAL).ok()?;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).ok().filter(|_| !left.is_zero())?;
            let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
            match poll(&mut polled, Some(&left)) {
                Ok(0) => return None,
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        let mut answer = vec![0; HEAD + DATA];
        let (length, _) = rustix::net::recv(&self.socket, answer.as_mut_slice(), RecvFlags::empty()).ok()?;
        answer.truncate(length);
        (length >= HEAD).then_some(answer)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            LEFT.lock().unwrap_or_else(PoisonError::into_inner).push((process, self.hangs));
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}

/// Returns whether a child has ended, and reaps it if it has.
#[expect(unsafe_code, reason = "rustix does not wait for children without an exit signal")]
fn has_ended(process: BorrowedFd<'_>) -> bool {
    let Ok(id) = libc::id_t::try_from(process.as_raw_fd()) else { return true };
    let flags = libc::WEXITED | libc::WNOHANG | libc::__WALL;
    // SAFETY: the structure is plain data, and waitid writes to nothing else. The pidfd means this child alone.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        // waitid fails if the child was already reaped by other code.
        libc::waitid(libc::P_PIDFD, id, &raw mut info, flags) != 0 || info.si_signo == libc::SIGCHLD
    }
}

/// Creates the child, which serves requests from this socket, and returns its pidfd (Linux 5.2).
#[expect(unsafe_code, reason = "clone and signal masks have no safe form")]
fn start(socket: RawFd) -> io::Result<OwnedFd> {
    if cfg!(target_arch = "s390x") {
        // On s390x clone(2) takes its arguments in another order.
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut process: libc::c_int = -1;
    // SAFETY: the sets are plain data. Signals are blocked while both processes run this code, so that no handler of
    // this program runs in the child. clone without CLONE_VM gives the child its own copy of memory, on the stack that
    // it is on; the kernel writes the pidfd into the parent's number alone. The child never returns.
    let child = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let flags = libc::c_long::from(libc::CLONE_PIDFD);
        let child = libc::syscall(libc::SYS_clone, flags, 0usize, &raw mut process, 0usize, 0usize);
        if child == 0 {
            serve(socket);
        }
        let error = io::Error::last_os_error();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        if child < 0 { Err(error) } else { Ok(()) }
    };
    child?;
    if process < 0 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: the kernel has just created this descriptor for this call, with close-on-exec, and nothing else knows its
    // number.
    Ok(unsafe { OwnedFd::from_raw_fd(process) })
}

/// Serves requests in the child until its parent closes the socket. Async-signal-safe throughout: see the top of this
/// file.
#[expect(unsafe_code, reason = "a forked child may call the system alone")]
fn serve(socket: RawFd) -> ! {
    // SAFETY: all of these are system calls on numbers, and on memory of this function. The socket stays open: nothing
    // below closes it.
    let socket = unsafe {
        libc::prctl(libc::PR_SET_NAME, c"allears-files".as_ptr());
        libc::chdir(c"/".as_ptr());
        close_all_but(socket);
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        let mut alarm: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut alarm);
        libc::sigaddset(&raw mut alarm, libc::SIGALRM);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const alarm, std::ptr::null_mut());
        BorrowedFd::borrow_raw(socket)
    };
    let mut request = [0u8; REQUEST];
    let mut reply = [0u8; HEAD + DATA];
    let mut file = None;
    while let Ok((length, _)) = rustix::net::recv(socket, &mut request, RecvFlags::empty()) {
        let Some((operation, path)) = request.get(..length).and_then(<[u8]>::split_first) else { break };
        let Ok(path) = CStr::from_bytes_with_nul(path) else { break };
        // SAFETY: a system call on a number.
        unsafe { libc::alarm(CHILD_LIMIT) };
        let used = answer(*operation, path, &mut file, &mut reply);
        // SAFETY: as above.
        unsafe { libc::alarm(0) };
        let Some(used) = reply.get(..used) else { break };
        if rustix::net::send(socket, used, SendFlags::NOSIGNAL).is_err() {
            break;
        }
    }
    // SAFETY: it ends this process and runs none of its code.
    unsafe { libc::_exit(0) }
}

/// Closes every descriptor but one.
#[expect(unsafe_code, reason = "descriptors of others are closed by number")]
fn close_all_but(kept: RawFd) {
    let number = libc::c_long::from(kept);
    let last = libc::c_long::from(libc::c_uint::MAX);
    // SAFETY: in the child alone, where nothing uses these descriptors.
    unsafe {
        let below = if number == 0 { 0 } else { libc::syscall(libc::SYS_close_range, 0, number - 1, 0) };
        let above = libc::syscall(libc::SYS_close_range, number + 1, last, 0);
        if below != 0 || above != 0 {
            // Before Linux 5.9.
            (0..65_536).filter(|other| *other != kept).for_each(|other| {
                libc::close(other);
            });
        }
    }
}

/// Runs an operation, writes the reply and returns its length.
fn answer(operation: u8, path: &CStr, file: &mut Option<OwnedFd>, reply: &mut [u8; HEAD + DATA]) -> usize {
    let (head, data) = reply.split_at_mut(HEAD);
    let done = match operation {
        1 => rustix::fs::statat(CWD, path, AtFlags::empty()).map(|stat| (Some(stat), 0)),
        2 => rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map(|stat| (Some(stat), 0)),
        3 => read_link(path, data).map(|length| (None, length)),
        4 => read_small(path, data).map(|(stat, length)| (Some(stat), length)),
        5 => open_regular(path).map(|opened| {
            *file = Some(opened);
            (None, 0)
        }),
        6 => match file {
            Some(file) => rustix::io::read(file, data).map(|length| (None, length)),
            None => Err(Errno::BADF),
        },
        7 => mount_id(path, data).map(|length| (None, length)),
        _ => Err(Errno::INVAL),
    };
    let (error, stat, length) = match done {
        Ok((stat, length)) => (0, stat, length),
        Err(errno) => (errno.raw_os_error(), None, 0),
    };
    let Status { mode, size, device, inode } = stat.as_ref().map_or(Status::default(), Status::from_stat);
    let parts = [&error.to_ne_bytes()[..], &mode.to_ne_bytes(), &size.to_ne_bytes()];
    let more = [&device.to_ne_bytes()[..], &inode.to_ne_bytes()];
    let bytes = parts.into_iter().chain(more).flatten();
    head.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    HEAD + length
}

fn read_link(path: &CStr, data: &mut [u8]) -> Result<usize, Errno> {
    let mut buffer = [MaybeUninit::uninit(); DATA];
    let (target, _) = rustix::fs::readlinkat_raw(CWD, path, &mut buffer)?;
    data.iter_mut().zip(&*target).for_each(|(to, from)| *to = *from);
    Ok(target.len())
}

fn mount_id(path: &CStr, data: &mut [u8]) -> Result<usize, Errno> {
    let status = rustix::fs::statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID)?;
    if status.stx_mask & StatxFlags::MNT_ID.bits() == 0 {
        return Err(Errno::NOSYS);
    }
    let number = status.stx_mnt_id.to_ne_bytes();
    data.iter_mut().zip(number).for_each(|(to, from)| *to = from);
    Ok(number.len())
}

fn open_regular(path: &CStr) -> Result<OwnedFd, Errno> {
    let is_regular = |stat: &Stat| Status::from_stat(stat).is_regular();
    if !is_regular(&rustix::fs::statat(CWD, path, AtFlags::empty())?) {
        return Err(Errno::INVAL);
    }
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
}

/// Reads a regular file that is small. Nothing else is opened: a FIFO would wait for a writer.
pub(in crate::os) fn read_small(path: &CStr, data: &mut [u8]) -> Result<(Stat, usize), Errno> {
    let fits = |stat: &Stat| Status::from_stat(stat).is_small_file();
    if !fits(&rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)?) {
        return Err(Errno::INVAL);
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    // Another file may be at this path by now.
    let stat = rustix::fs::fstat(&file)?;
    if !fits(&stat) {
        return Err(Errno::INVAL);
    }
    let mut length = 0;
    while let Some(rest) = data.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match rustix::io::read(&file, rest)? {
            0 => break,
            read => length += read,
        }
    }
    // One byte more than the limit shows that the file grew.
    if length > LONGEST_SMALL { Err(Errno::FBIG) } else { Ok((stat, length)) }
}

#[cfg(test)]
mod tests;
