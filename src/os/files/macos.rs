//! Files of macOS, which are opened directly.

use std::path::Path;

use rustix::fs::{Mode, OFlags};

pub(in crate::os) use super::direct::{Files, can_make_file, open_file, search_in_time};

/// Opens a regular file. Does not wait if something else is at the path by now, and follows no link.
pub(super) fn open_without_waiting(path: &Path) -> std::io::Result<std::fs::File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Returns the path of the machine's services file.
#[cfg(feature = "cli")]
pub(in crate::os) fn services_path() -> std::path::PathBuf {
    "/etc/services".into()
}

/// Returns true for each path: this system does not report which file systems may not answer.
pub(in crate::os) fn certainly_local(paths: &[std::path::PathBuf]) -> Vec<bool> {
    vec![true; paths.len()]
}
