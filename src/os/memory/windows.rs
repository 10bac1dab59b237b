//! Windows: address space is not limited, and an abort keeps its effect.

#[cfg(feature = "cli")]
use super::allocator::FAILED;

/// Does nothing: an abort keeps its effect on this system.
#[cfg(feature = "cli")]
pub(crate) fn exit_when_out_of_memory(_status: u8) {
    let _ = &FAILED;
}

/// Returns true: address space is not limited.
pub(in crate::os) fn has_room(_bytes: usize) -> bool {
    true
}
