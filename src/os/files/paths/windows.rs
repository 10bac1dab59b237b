//! Paths of Windows: valid text without NUL.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::model::Text;

/// Returns the path that a text names. `None` if no path can have that name.
pub(in crate::os) fn from_text(text: &Text) -> Option<PathBuf> {
    text.as_str().filter(|text| !text.contains('\0')).map(PathBuf::from)
}

/// Returns the text as the standard library takes it. U+FFFD stands for what is not valid UTF-16.
pub(super) fn os_str(text: &Text) -> Cow<'_, OsStr> {
    match text.to_string_lossy() {
        Cow::Borrowed(text) => Cow::Borrowed(OsStr::new(text)),
        Cow::Owned(text) => Cow::Owned(OsString::from(text)),
    }
}
