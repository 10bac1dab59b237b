//! Address space on systems that do not limit it.

/// Returns true: address space is not limited.
pub(in crate::os) fn has_room(_bytes: usize) -> bool {
    true
}
