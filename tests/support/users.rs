//! The users that the tests run as.

/// An account that owns nothing, present on every Unix.
pub(crate) const NOBODY: u32 = 65_534;

/// Returns whether the tests run with uid 0.
pub(crate) fn is_root() -> bool {
    #[cfg(unix)]
    return nix::unistd::geteuid().is_root();
    #[cfg(not(unix))]
    return false;
}

/// Returns the user to switch to for what an unprivileged user must run: another account for root, else none.
pub(crate) fn ordinary_user() -> Option<u32> {
    is_root().then_some(NOBODY)
}

/// Returns the uid of [`ordinary_user`].
#[cfg(unix)]
pub(crate) fn ordinary_uid() -> u32 {
    ordinary_user().unwrap_or_else(|| nix::unistd::geteuid().as_raw())
}
