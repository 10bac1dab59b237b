//! The folder of this user for files of running programs.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Returns a folder that only this user can write to: `/run/user/UID` (pam_systemd(8)), else one of its own below
/// `/tmp`, which is made if it is missing. `None` if neither is safe to use.
pub(super) fn folder() -> Option<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let login = PathBuf::from(format!("/run/user/{uid}"));
    if is_own(&login, uid) {
        return Some(login);
    }
    let own = PathBuf::from(format!("/tmp/allears-{uid}"));
    // If it exists already, it may be another user's.
    let _ = fs::DirBuilder::new().mode(0o700).create(&own);
    is_own(&own, uid).then_some(own)
}

/// Returns whether a path is a folder of this user, and not a link to one, that nobody else can write to.
fn is_own(path: &Path, uid: u32) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|about| about.is_dir() && about.uid() == uid && about.mode() & 0o022 == 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_that_others_can_write_to_is_not_used() {
        let uid = rustix::process::geteuid().as_raw();
        let folder = std::env::temp_dir().join(format!("allears-folder-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (mode, is_used) in [(0o700, true), (0o755, true), (0o777, false), (0o770, false)] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_own(&folder, uid), is_used, "{mode:o}");
        }
        let link = folder.with_extension("link");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(!is_own(&link, uid), "a link may lead elsewhere later");
        assert!(!is_own(&folder, uid + 1), "another user's");
        fs::remove_file(&link).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
