//! Files of Windows, which are opened directly.

use std::path::{Path, PathBuf};

pub(in crate::os) use super::direct::{Files, can_make_file, open_file, search_in_time};

/// Opens a file.
pub(super) fn open_without_waiting(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::File::open(path)
}

/// Returns the path of the machine's services file.
#[cfg(feature = "cli")]
pub(in crate::os) fn services_path() -> PathBuf {
    let root = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    PathBuf::from(root).join(r"System32\drivers\etc\services")
}
