//! Gives up rights that are not needed any more. Depends on nothing.
//!
//! On Linux capabilities belong to threads. What is given up here is given up by the calling thread and by those that it
//! starts later. Nothing here fails: a right that cannot be given up is kept, as if this topic did not exist.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
mod sys;

#[cfg(unix)]
pub(in crate::os) use sys::{confine, confined};

/// Gives up every capability of this thread for good, also those that a program which it runs could get. Files and
/// processes of its user stay within reach.
#[cfg(feature = "cli")]
pub(crate) fn drop_privileges() {
    sys::drop_all();
}

/// Runs `work` without the thread's effective capabilities.
pub(crate) fn without_capabilities<T>(work: impl FnOnce() -> T) -> T {
    sys::lowered(work)
}
