//! Users: names, the user of this process, and its privileges.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

use crate::model::Text;

#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(in crate::os) use sys::home;
#[cfg(windows)]
pub(in crate::os) use sys::name_of_sid;
pub(crate) use sys::path_for_rights;
pub(crate) use sys::with_rights;
pub(in crate::os) use sys::{exists, name, own};

/// A user's name, where users are numbers.
pub(crate) fn user_name(uid: u32) -> Option<Text> {
    name(uid)
}

/// Whether this machine knows a user of that name.
pub(crate) fn user_exists(name: &str) -> bool {
    exists(name)
}

/// The user this process runs as, where users are numbers.
pub(crate) fn own_uid() -> Option<u32> {
    own()
}

/// Whether this process has full rights: root, or elevated on Windows.
pub(crate) fn privileged() -> bool {
    sys::privileged()
}
