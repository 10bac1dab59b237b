//! Users: their names, the user of this process, and its privileges. Depends on `model` only.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

use crate::model::Text;

#[cfg(unix)]
pub(in crate::os) use sys::home;
#[cfg(windows)]
pub(in crate::os) use sys::name_of_sid;
pub(in crate::os) use sys::{exists, name, own};
#[cfg(feature = "cli")]
pub(crate) use sys::{local_users, path_for_sudo};

/// Returns the name of a user (getpwuid_r(3)). `None` on Windows, where users have no numbers.
pub(crate) fn user_name(uid: u32) -> Option<Text> {
    name(uid)
}

/// Returns whether this machine knows a user of that name (getpwnam_r(3); LookupAccountNameW).
pub(crate) fn user_exists(name: &str) -> bool {
    exists(name)
}

/// Returns the effective uid of this process. `None` on Windows, where users have no numbers.
pub(crate) fn own_uid() -> Option<u32> {
    own()
}

/// Returns the lowest uid of a person (UID_MIN of login.defs(5)); lower ones are those of the system's accounts. `None` if
/// the file does not set it, and on systems without the file.
pub(crate) fn first_person() -> Option<u32> {
    sys::first_person()
}

/// Returns whether this process has full rights: it runs as root, or elevated on Windows.
pub(crate) fn privileged() -> bool {
    sys::privileged()
}
