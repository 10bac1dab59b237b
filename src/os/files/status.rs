//! The type and identity of a file, for the little that is read of other users' folders.

/// The most bytes that are read of a small file.
pub(in crate::os) const LONGEST_SMALL: usize = 4096;

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::os) struct Status {
    /// The type, as the upper bits of a Unix file's mode.
    pub(in crate::os) mode: u32,
    pub(in crate::os) size: u64,
    pub(in crate::os) device: u64,
    pub(in crate::os) inode: u64,
}

/// The bits of the type, and three types (inode(7)).
pub(super) const TYPE: u32 = 0o170_000;
pub(super) const DIRECTORY: u32 = 0o040_000;
pub(super) const REGULAR: u32 = 0o100_000;
pub(super) const LINK: u32 = 0o120_000;

impl Status {
    pub(in crate::os) fn is_directory(&self) -> bool {
        self.mode & TYPE == DIRECTORY
    }

    pub(in crate::os) fn is_link(&self) -> bool {
        self.mode & TYPE == LINK
    }

    pub(in crate::os) fn is_regular(&self) -> bool {
        self.mode & TYPE == REGULAR
    }

    /// Returns whether it is a regular file that is small.
    pub(in crate::os) fn is_small_file(&self) -> bool {
        self.is_regular() && self.size <= LONGEST_SMALL as u64
    }
}
