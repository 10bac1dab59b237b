//! The temporary folder of this test run.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Returns a folder of this run that every user may enter.
pub(crate) fn folder() -> PathBuf {
    let made = FOLDER.get_or_init(|| {
        let name = format!("allears-live-{}", std::process::id());
        let places = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into(), "/dev/shm".into()];
        let made = places.into_iter().find_map(|place| {
            let folder = place.join(&name);
            (open_to_all(&place) && std::fs::create_dir(&folder).is_ok()).then_some(folder)
        });
        made.expect("a place for temporary files that every user may enter")
    });
    made.clone()
}

/// Removes what this run has made: copies of programs, images and containers.
pub(crate) fn clean() {
    #[cfg(unix)]
    super::docker::clean();
    if let Some(folder) = FOLDER.get() {
        let _nothing_depends_on_it = std::fs::remove_dir_all(folder);
    }
}

/// Returns whether every user may reach this path.
#[cfg(unix)]
pub(super) fn open_to_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.ancestors().all(|part| {
        std::fs::metadata(part).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 == 0o001)
    })
}

#[cfg(not(unix))]
pub(super) fn open_to_all(_path: &Path) -> bool {
    true
}
