//! The bytes of the running kernel's type information: mapped if the kernel allows it (since 6.16), else read.

use std::io::{self, Read};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags};

const PATH: &str = "/sys/kernel/btf/vmlinux";
/// In bytes. A kernel has about 5 MiB.
const LONGEST: u64 = 64 << 20;

/// sysfs (linux/magic.h).
const SYSFS_MAGIC: rustix::fs::FsWord = 0x6265_6572;

/// The type information of the running kernel.
pub(in crate::os) enum Types {
    Mapped(Mapping),
    Read(Vec<u8>),
}

/// Memory of the kernel that never changes.
pub(in crate::os) struct Mapping {
    begin: NonNull<u8>,
    length: usize,
}

impl Types {
    pub(in crate::os) fn read_running_kernel() -> io::Result<Types> {
        let mut file = std::fs::File::open(PATH)?;
        let length = file.metadata()?.len();
        if length > LONGEST {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let length = usize::try_from(length).unwrap_or_default();
        // Another file in its place could change while it is read.
        let is_kernels = rustix::fs::fstatfs(&file).is_ok_and(|system| system.f_type == SYSFS_MAGIC);
        if is_kernels && let Ok(mapping) = Mapping::new(&file, length) {
            return Ok(Types::Mapped(mapping));
        }
        // The kernel returns one page at a time, whatever the size of the read.
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length + 1)?;
        file.by_ref().take(LONGEST).read_to_end(&mut bytes)?;
        Ok(Types::Read(bytes))
    }
}

impl Deref for Types {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Types::Mapped(mapping) => mapping,
            Types::Read(bytes) => bytes,
        }
    }
}

impl Mapping {
    fn new(file: impl AsFd, length: usize) -> io::Result<Mapping> {
        #[expect(unsafe_code, reason = "mapping a file is unsafe in every library")]
        // SAFETY: the kernel chooses a place that nothing else has.
        let begin = unsafe {
            rustix::mm::mmap(std::ptr::null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, file, 0)
        }?;
        let begin = NonNull::new(begin.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { begin, length })
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        #[expect(unsafe_code, reason = "mapped memory becomes a slice")]
        // SAFETY: the mapping has this length until it is dropped, may be read, and shows a section of the kernel's
        // image that is never written: it is checked to be sysfs's, which unlike a file can neither change nor shrink.
        unsafe {
            std::slice::from_raw_parts(self.begin.as_ptr(), self.length)
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "unmapping is unsafe in every library")]
        // SAFETY: this is what mmap gave, and no slice of it outlives it.
        let unmapped = unsafe { rustix::mm::munmap(self.begin.as_ptr().cast(), self.length) };
        debug_assert!(unmapped.is_ok());
    }
}
