//! The allocator of the command, which records failed allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The size of the last allocation that failed; 0 if none has.
pub(super) static FAILED: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which records that an allocation has failed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allocator;

fn record_failure(memory: *mut u8, layout: Layout) -> *mut u8 {
    if memory.is_null() {
        FAILED.store(layout.size().max(1), Ordering::Relaxed);
    }
    memory
}

#[expect(unsafe_code, reason = "an allocator is unsafe to implement")]
// SAFETY: every call is passed to the system's allocator unchanged, and its result is returned unchanged.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of this very function.
        record_failure(unsafe { System.alloc(layout) }, layout)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        record_failure(unsafe { System.alloc_zeroed(layout) }, layout)
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        record_failure(unsafe { System.realloc(memory, layout, size) }, layout)
    }
}
