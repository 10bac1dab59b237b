//! Memory that runs out: address space before threads are started, and what becomes of the command if an allocation
//! fails.
//!
//! What is optional asks for its memory with `try_reserve` and is left out if there is none. Everything else ends the
//! command with a message and exit status 3 ([`Allocator`], [`exit_where_memory_ends`]), not with SIGABRT as the
//! standard library has it. The library itself installs nothing: a program that uses it has its own allocator.

#[cfg(feature = "cli")]
use std::alloc::{GlobalAlloc, Layout, System};
#[cfg(feature = "cli")]
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Returns whether so many bytes of address space are left: RLIMIT_AS and strict overcommit limit them.
#[cfg(target_os = "linux")]
pub(in crate::os) fn has_room(bytes: usize) -> bool {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
    #[expect(unsafe_code, reason = "mapping memory is unsafe in every library")]
    // SAFETY: the kernel chooses a place that nothing else has; it is returned untouched.
    unsafe {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        match mmap_anonymous(std::ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags) {
            Ok(begin) => munmap(begin, bytes).is_ok(),
            Err(_) => false,
        }
    }
}

/// Returns true: address space is not limited here.
#[cfg(not(target_os = "linux"))]
pub(in crate::os) fn has_room(_bytes: usize) -> bool {
    true
}

/// The size of the last allocation that failed; 0 if none has.
#[cfg(feature = "cli")]
static FAILED: AtomicUsize = AtomicUsize::new(0);
/// Whether a panic was reported: an abort that follows is not for want of memory.
#[cfg(feature = "cli")]
static PANICKED: AtomicBool = AtomicBool::new(false);

/// The system's allocator, which remembers whether it had to refuse.
#[cfg(feature = "cli")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Allocator;

#[cfg(feature = "cli")]
fn noted(memory: *mut u8, layout: Layout) -> *mut u8 {
    if memory.is_null() {
        FAILED.store(layout.size().max(1), Ordering::Relaxed);
    }
    memory
}

#[cfg(feature = "cli")]
#[expect(unsafe_code, reason = "an allocator is unsafe to implement")]
// SAFETY: every call is passed on to the system's allocator as it came, and its result returned as it is.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of this very function.
        noted(unsafe { System.alloc(layout) }, layout)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        noted(unsafe { System.alloc_zeroed(layout) }, layout)
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        noted(unsafe { System.realloc(memory, layout, size) }, layout)
    }
}

/// Has the process exit with `status` and a message if an allocation fails that nothing can be done without.
///
/// The standard library then calls abort(3), which raises SIGABRT: its handler writes the message. Any other abort is
/// left as it is.
#[cfg(all(feature = "cli", unix))]
pub(crate) fn exit_where_memory_ends(status: u8) {
    STATUS.store(status.into(), Ordering::Relaxed);
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICKED.store(true, Ordering::Relaxed);
        told(panic);
    }));
    if !stack_is_there() {
        end_for_want_of_memory();
    }
    #[expect(unsafe_code, reason = "a signal's handler is set in no safe form")]
    // SAFETY: the structure is plain data, all of whose fields may be zero. The handler calls nothing but what
    // signal-safety(7) lists: write, _exit, signal and raise.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = aborted as *const () as libc::sighandler_t;
        // Raised a second time by the handler it has to end the process.
        action.sa_flags = libc::SA_RESETHAND | libc::SA_NODEFER;
        libc::sigaction(libc::SIGABRT, &raw const action, std::ptr::null_mut());
    }
}

/// An abort keeps its meaning here.
#[cfg(all(feature = "cli", not(unix)))]
pub(crate) fn exit_where_memory_ends(_status: u8) {
    let _ = (&FAILED, &PANICKED);
}

#[cfg(all(feature = "cli", unix))]
static STATUS: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(0);

#[cfg(all(feature = "cli", unix))]
extern "C" fn aborted(signal: libc::c_int) {
    if FAILED.load(Ordering::Relaxed) != 0 && !PANICKED.load(Ordering::Relaxed) {
        end_for_want_of_memory();
    }
    #[expect(unsafe_code, reason = "what may be called in a signal's handler is not safe in form")]
    // SAFETY: both functions may be called in a signal's handler.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// Ends the process with a message. It allocates nothing, and may be called in a signal's handler.
#[cfg(all(feature = "cli", unix))]
fn end_for_want_of_memory() -> ! {
    const MESSAGE: &[u8] =
        b"error: there is not enough memory for this answer; raise the limit (ulimit -v, memory.max) or ask for less\n";
    #[expect(unsafe_code, reason = "what may be called in a signal's handler is not safe in form")]
    // SAFETY: both functions may be called in a signal's handler, and the message is valid for its length.
    unsafe {
        libc::write(2, MESSAGE.as_ptr().cast(), MESSAGE.len());
        libc::_exit(STATUS.load(Ordering::Relaxed))
    }
}

/// Where address space is limited the stack may not grow any more when it has to, which would end the process with
/// SIGSEGV: it grows now, as far as it is needed. Returns whether it can.
#[cfg(all(feature = "cli", unix))]
fn stack_is_there() -> bool {
    if rustix::process::getrlimit(rustix::process::Resource::As).current.is_none() {
        return true;
    }
    if !has_room(STACK * 2) {
        return false;
    }
    grow_stack();
    true
}

/// The stack that is needed.
#[cfg(all(feature = "cli", unix))]
const STACK: usize = 512 * 1024;

/// A function of its own: its whole frame is touched on entry, which has to come after the look whether there is room.
#[cfg(all(feature = "cli", unix))]
#[inline(never)]
fn grow_stack() {
    let pages = [0u8; STACK];
    std::hint::black_box(&pages);
}
