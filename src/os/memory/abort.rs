//! The handler of SIGABRT, which reports that memory has run out.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::allocator::FAILED;
use super::has_room;

/// Whether a panic was reported: an abort that follows it is not caused by a failed allocation.
static PANICKED: AtomicBool = AtomicBool::new(false);
/// The exit status if memory runs out.
static STATUS: AtomicI32 = AtomicI32::new(0);
/// The stack that the command needs.
const STACK: usize = 512 * 1024;

/// Makes the process exit with `status` and a message when an allocation fails that it cannot do without.
///
/// The standard library then calls abort(3), which raises SIGABRT: its handler writes the message. Any other abort keeps
/// its effect.
pub(crate) fn exit_when_out_of_memory(status: u8) {
    STATUS.store(status.into(), Ordering::Relaxed);
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICKED.store(true, Ordering::Relaxed);
        previous(panic);
    }));
    if !reserve_stack() {
        exit_out_of_memory();
    }
    #[expect(unsafe_code, reason = "no safe function sets a signal handler")]
    // SAFETY: the structure is plain data, all of whose fields may be zero. The handler calls only what
    // signal-safety(7) lists: write, _exit, signal and raise.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_abort as *const () as libc::sighandler_t;
        // If the handler raises it again, it must end the process.
        action.sa_flags = libc::SA_RESETHAND | libc::SA_NODEFER;
        libc::sigaction(libc::SIGABRT, &raw const action, std::ptr::null_mut());
    }
}

extern "C" fn on_abort(signal: libc::c_int) {
    if FAILED.load(Ordering::Relaxed) != 0 && !PANICKED.load(Ordering::Relaxed) {
        exit_out_of_memory();
    }
    #[expect(unsafe_code, reason = "functions that a signal handler may call have no safe form")]
    // SAFETY: both functions may be called in a signal handler.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// Ends the process with a message. It allocates nothing, and may be called in a signal handler.
fn exit_out_of_memory() -> ! {
    const MESSAGE: &[u8] =
        b"error: there is not enough memory for this answer; raise the limit (ulimit -v, memory.max) or ask for less\n";
    #[expect(unsafe_code, reason = "functions that a signal handler may call have no safe form")]
    // SAFETY: both functions may be called in a signal handler, and the message is valid for its length.
    unsafe {
        libc::write(2, MESSAGE.as_ptr().cast(), MESSAGE.len());
        libc::_exit(STATUS.load(Ordering::Relaxed))
    }
}

/// Grows the stack now to the size that it needs, if address space is limited: otherwise it might not grow when it has
/// to, which would end the process with SIGSEGV. Returns false if there is no room.
fn reserve_stack() -> bool {
    if rustix::process::getrlimit(rustix::process::Resource::As).current.is_none() {
        return true;
    }
    if !has_room(STACK * 2) {
        return false;
    }
    grow_stack();
    true
}

/// Touches a stack frame of the needed size. This is a separate function because its whole frame is touched on entry,
/// which must come after the check for room.
#[inline(never)]
fn grow_stack() {
    let pages = [0u8; STACK];
    std::hint::black_box(&pages);
}
