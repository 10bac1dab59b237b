//! The memory of a ring buffer (BPF_MAP_TYPE_RINGBUF; Documentation/bpf/ringbuf.rst in the kernel's sources): a page with
//! the reader's position, a page with the writer's, and the data, twice in a row, so that no record is split.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use rustix::mm::{MapFlags, ProtFlags};

/// Set in a record's length while it is written.
const BUSY: u32 = 1 << 31;
/// Set in a record's length if it is to be skipped.
const DISCARD: u32 = 1 << 30;
/// The length and the offset of the page before each record.
const HEADER: usize = 8;

/// A mapped ring buffer, read by this process alone.
pub(in crate::os) struct Ring {
    consumer: Mapping,
    producer: Mapping,
    page: usize,
    /// The bytes of data: a power of two.
    length: usize,
}

struct Mapping {
    begin: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory belongs to the value, which is its only user in this process.
#[expect(unsafe_code, reason = "a pointer to memory of its own moves with its owner")]
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(map: BorrowedFd<'_>, length: usize, protection: ProtFlags, offset: usize) -> io::Result<Mapping> {
        #[expect(unsafe_code, reason = "mapping memory is unsafe in every library")]
        // SAFETY: the kernel chooses a place that nothing else has.
        let begin = unsafe {
            rustix::mm::mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, map, offset as u64)
        }?;
        let begin = NonNull::new(begin.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { begin, length })
    }

    /// Returns a pointer into the mapping, if `length` bytes are there and it is aligned for a position.
    fn at(&self, offset: usize, length: usize) -> Option<NonNull<u8>> {
        let fits = offset.checked_add(length).is_some_and(|end| end <= self.length);
        #[expect(unsafe_code, reason = "a pointer moves inside of its mapping")]
        // SAFETY: the offset is inside of the mapping.
        (fits && offset.is_multiple_of(HEADER)).then(|| unsafe { self.begin.add(offset) })
    }

    fn position(&self) -> Option<&AtomicUsize> {
        let at = self.at(0, size_of::<AtomicUsize>())?;
        #[expect(unsafe_code, reason = "the kernel and this process share a position")]
        // SAFETY: it is mapped as long as `self`, aligned to a page, and only accessed atomically, here and in the kernel.
        Some(unsafe { at.cast::<AtomicUsize>().as_ref() })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "unmapping is unsafe in every library")]
        // SAFETY: this is what mmap gave, and nothing that points into it outlives it.
        let unmapped = unsafe { rustix::mm::munmap(self.begin.as_ptr().cast(), self.length) };
        debug_assert!(unmapped.is_ok());
    }
}

impl Ring {
    /// Maps a ring buffer of `length` bytes.
    pub(in crate::os) fn new(map: BorrowedFd<'_>, length: usize) -> io::Result<Ring> {
        let page = rustix::param::page_size();
        let both = ProtFlags::READ | ProtFlags::WRITE;
        let consumer = Mapping::new(map, page, both, 0)?;
        let producer = Mapping::new(map, page + 2 * length, ProtFlags::READ, page)?;
        Ok(Ring { consumer, producer, page, length })
    }

    /// Calls `each` with every record that has been written whole, and gives its room back.
    pub(in crate::os) fn drain(&mut self, mut each: impl FnMut(&[u8])) {
        let (Some(consumed), Some(produced)) = (self.consumer.position(), self.producer.position()) else {
            return;
        };
        let mut at = consumed.load(Ordering::Relaxed);
        while at != produced.load(Ordering::Acquire) {
            let offset = self.page + (at & (self.length - 1));
            let Some(header) = self.producer.at(offset, HEADER) else { return };
            #[expect(unsafe_code, reason = "the kernel sets the length when a record is whole")]
            // SAFETY: it is mapped, aligned to 8 bytes, and only accessed atomically.
            let header = unsafe { header.cast::<AtomicU32>().as_ref() }.load(Ordering::Acquire);
            if header & BUSY != 0 {
                return;
            }
            let length = (header & !DISCARD) as usize;
            if header & DISCARD == 0
                && let Some(data) = self.producer.at(offset + HEADER, length)
            {
                #[expect(unsafe_code, reason = "mapped memory becomes a slice")]
                // SAFETY: it is mapped, and the kernel does not write to a whole record before the position has passed it.
                each(unsafe { std::slice::from_raw_parts(data.as_ptr(), length) });
            }
            at = at.wrapping_add((HEADER + length).next_multiple_of(HEADER));
            consumed.store(at, Ordering::Release);
        }
    }
}
