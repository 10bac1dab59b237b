//! Address space on macOS, which nothing limits.

#[cfg(feature = "cli")]
pub(crate) use super::abort::exit_when_out_of_memory;

/// Returns true: address space is not limited.
pub(in crate::os) fn has_room(_bytes: usize) -> bool {
    true
}
