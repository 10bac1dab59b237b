//! The folder of this user for files of running programs.

use std::path::PathBuf;

/// Returns the user's own folder for temporary files (GetTempPath2W).
pub(super) fn folder() -> Option<PathBuf> {
    Some(std::env::temp_dir())
}
