//! Paths of Unix: any bytes but NUL.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::model::Text;

/// Returns the path that a text names. `None` if no path can have that name.
pub(in crate::os) fn from_text(text: &Text) -> Option<PathBuf> {
    let bytes = text.as_bytes();
    (!bytes.contains(&0)).then(|| PathBuf::from(OsStr::from_bytes(bytes)))
}

/// Returns the text as the standard library takes it.
pub(super) fn os_str(text: &Text) -> Cow<'_, OsStr> {
    Cow::Borrowed(OsStr::from_bytes(text.as_bytes()))
}
