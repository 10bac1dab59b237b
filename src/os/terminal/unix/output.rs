//! Standard output, written by the system call itself. The standard library opens /dev/null in place of a descriptor
//! that is closed when the program starts, and ignores EBADF when it writes: in both cases lost output would look as if
//! it had been written.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Whether descriptor 1 was closed when the program started.
static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Runs before `main`, and so before the standard library opens /dev/null. The C library calls what this section lists.
#[used]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[expect(unsafe_code, reason = "nothing else runs before main")]
// SAFETY: the section is an array of pointers to functions that the C library calls once, each without a result; this
// static is one such pointer. The function touches an atomic and calls fcntl, which both need no runtime.
static AT_START: extern "C" fn() = at_start;

#[expect(unsafe_code, reason = "a descriptor that may be closed has no safe form")]
extern "C" fn at_start() {
    // SAFETY: F_GETFD changes nothing, and fails for a descriptor that is not open.
    if unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1 {
        WAS_CLOSED.store(true, Ordering::Relaxed);
    }
}

/// Returns whether the program was started without a standard output.
pub(crate) fn output_is_missing() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}

/// Standard output without a buffer. Every error is reported.
pub(crate) struct Output;

/// Returns standard output.
pub(crate) fn output() -> Output {
    Output
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if output_is_missing() {
            return Err(io::Error::other("standard output is closed"));
        }
        let output = io::stdout();
        loop {
            match rustix::io::write(&output, bytes) {
                // Another process that shares the pipe may have made it non-blocking.
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&output, PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                },
                Err(Errno::INTR) => {}
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
