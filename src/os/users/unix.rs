//! User names on Unix, from the system's own user database. (sysinfo's list leaves out uids of 65536 and more.)

use nix::unistd::{Uid, User};

use crate::model::Text;
use crate::os::parse::unix::login_defs;
#[cfg(feature = "cli")]
use crate::os::parse::unix::{passwd, sudoers};

/// Returns the name of a user (getpwuid_r(3)).
pub(in crate::os) fn name(uid: u32) -> Option<Text> {
    let user = User::from_uid(Uid::from_raw(uid)).ok()??;
    Some(user.name.as_str().into())
}

/// Returns the users of /etc/passwd (passwd(5)) with their uids. Users of other databases cannot be listed cheaply.
#[cfg(feature = "cli")]
pub(crate) fn local_users() -> Vec<(String, u32)> {
    std::fs::read_to_string("/etc/passwd").map(|file| passwd::users(&file)).unwrap_or_default()
}

/// Returns whether there is a user of that name (getpwnam_r(3)).
pub(in crate::os) fn exists(name: &str) -> bool {
    matches!(User::from_name(name), Ok(Some(_)))
}

/// Returns the effective uid.
pub(in crate::os) fn own() -> Option<u32> {
    Some(Uid::effective().as_raw())
}

/// Returns the home folder of a user.
pub(in crate::os) fn home(uid: u32) -> Option<std::path::PathBuf> {
    Some(User::from_uid(Uid::from_raw(uid)).ok()??.dir)
}

/// The directories in which sudo searches for commands, if /etc/sudoers cannot be read (sudoers(5), secure_path, as
/// Debian and most others set it).
#[cfg(feature = "cli")]
const SECURE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns the path of this program if sudo would not find it by its name, or would find another program of that name.
#[cfg(feature = "cli")]
pub(crate) fn path_for_sudo() -> Option<Text> {
    // A program that was replaced or removed has no path to call it by.
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    let sudoers = std::fs::read_to_string("/etc/sudoers").unwrap_or_default();
    let searched = sudoers::secure_path(&sudoers).unwrap_or(SECURE_PATH);
    let mut found = searched.split(':').map(|folder| std::path::Path::new(folder).join("allears"));
    let first = found.find_map(|path| path.canonicalize().ok());
    (first.as_ref() != Some(&program)).then(|| Text::from(program.as_os_str()))
}

/// Returns UID_MIN of /etc/login.defs (login.defs(5)).
pub(in crate::os) fn first_person() -> Option<u32> {
    login_defs::uid_min(&std::fs::read_to_string("/etc/login.defs").ok()?)
}

/// Returns whether this process runs as root.
pub(in crate::os) fn privileged() -> bool {
    own() == Some(0)
}
