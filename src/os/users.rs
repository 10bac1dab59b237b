//! User names on Unix, from the system's own user database. (sysinfo's list leaves out uids of 65536 and more.)

use nix::unistd::{Uid, User};

use crate::Text;

/// The name of a user (getpwuid_r(3)).
pub(super) fn name(uid: u32) -> Option<Text> {
    let user = User::from_uid(Uid::from_raw(uid)).ok()??;
    Some(user.name.as_str().into())
}

/// Whether there is a user of that name (getpwnam_r(3)).
pub(super) fn exists(name: &str) -> bool {
    matches!(User::from_name(name), Ok(Some(_)))
}

/// The effective user.
pub(super) fn own() -> Option<u32> {
    Some(Uid::effective().as_raw())
}

/// The home folder of a user.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(super) fn home(uid: u32) -> Option<std::path::PathBuf> {
    Some(User::from_uid(Uid::from_raw(uid)).ok()??.dir)
}

/// A command as one with full rights would type it.
#[cfg(feature = "cli")]
pub(crate) fn with_rights(command: &str) -> String {
    format!("sudo {command}")
}
