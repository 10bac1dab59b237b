//! User names on Unix, from the system's own user database. (sysinfo's list leaves out uids of 65536 and more.)

use nix::unistd::{Uid, User};

use crate::model::Text;

/// Returns the name of a user (getpwuid_r(3)).
pub(in crate::os) fn name(uid: u32) -> Option<Text> {
    let user = User::from_uid(Uid::from_raw(uid)).ok()??;
    Some(user.name.as_str().into())
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
pub(crate) fn path_for_rights() -> Option<Text> {
    // A program that was replaced or removed has no path to call it by.
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    let sudoers = std::fs::read_to_string("/etc/sudoers").unwrap_or_default();
    let searched = secure_path(&sudoers).unwrap_or(SECURE_PATH);
    let mut found = searched.split(':').map(|folder| std::path::Path::new(folder).join("allears"));
    let first = found.find_map(|path| path.canonicalize().ok());
    (first.as_ref() != Some(&program)).then(|| Text::from(program.as_os_str()))
}

/// Returns the value of `secure_path` in a sudoers file.
#[cfg(feature = "cli")]
fn secure_path(sudoers: &str) -> Option<&str> {
    // The last line counts.
    sudoers.lines().rev().find_map(|line| {
        let settings = line.trim_start().strip_prefix("Defaults")?;
        let (before, after) = settings.split_once("secure_path")?;
        let value = after.trim_start().strip_prefix('=')?.trim_start();
        let value = match value.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?,
            None => value.split([',', ' ', '\t']).next()?,
        };
        (!before.trim_end().ends_with('!') && value.starts_with('/')).then_some(value)
    })
}

/// Returns UID_MIN of /etc/login.defs (login.defs(5)).
pub(in crate::os) fn first_person() -> Option<u32> {
    uid_min(&std::fs::read_to_string("/etc/login.defs").ok()?)
}

/// Returns the value of UID_MIN in a login.defs(5).
fn uid_min(definitions: &str) -> Option<u32> {
    let value = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|name| *name == "UID_MIN")?;
        words.next()?.parse().ok()
    };
    // The last line counts.
    definitions.lines().rev().find_map(value)
}

/// Returns whether this process runs as root.
pub(in crate::os) fn privileged() -> bool {
    own() == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_uid_of_a_person_is_configured() {
        for (definitions, uid) in [
            ("UID_MIN\t\t\t 1000\nUID_MAX 60000\n", Some(1000)),
            ("#UID_MIN 1000\nSYS_UID_MIN 100\n", None),
            ("UID_MIN 1000\nUID_MIN 500", Some(500)),
            ("UID_MIN x\n", None),
            ("", None),
        ] {
            assert_eq!(uid_min(definitions), uid, "{definitions}");
        }
    }

    #[test]
    fn the_last_secure_path_counts() {
        for (sudoers, path) in [
            ("", None),
            ("Defaults env_reset\nDefaults\tsecure_path=\"/a:/b\"\n", Some("/a:/b")),
            ("Defaults    secure_path = /sbin:/bin, mail_badpass", Some("/sbin:/bin")),
            ("# Defaults secure_path=/x", None),
            ("Defaults !secure_path", None),
            ("Defaults:dev secure_path=/c\nDefaults secure_path=/d", Some("/d")),
            ("Defaults secure_path=", None),
        ] {
            assert_eq!(secure_path(sudoers), path, "{sudoers}");
        }
    }
}
