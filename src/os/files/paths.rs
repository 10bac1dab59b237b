//! Paths of texts: any bytes on Unix, what is valid elsewhere.

use std::path::PathBuf;

use crate::model::Text;

/// The path that a text names. `None` where it cannot be one.
#[cfg(unix)]
pub(in crate::os) fn from_text(text: &Text) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = text.as_bytes();
    (!bytes.contains(&0)).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

/// The path that a text names. `None` where it cannot be one.
#[cfg(not(unix))]
pub(in crate::os) fn from_text(text: &Text) -> Option<PathBuf> {
    text.as_str().filter(|text| !text.contains('\0')).map(PathBuf::from)
}
