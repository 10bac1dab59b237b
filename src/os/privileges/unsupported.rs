//! Systems without capabilities.

#[cfg(feature = "cli")]
pub(in crate::os) fn drop_all() {}

pub(in crate::os) fn lowered<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(unix)]
pub(in crate::os) fn confine(_user: Option<u32>) {}

#[cfg(unix)]
pub(in crate::os) fn confined<T>(_user: Option<u32>, work: impl FnOnce() -> T) -> T {
    work()
}
