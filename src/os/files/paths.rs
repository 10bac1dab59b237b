//! Paths of texts: any bytes on Unix, what is valid elsewhere.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::model::Text;

/// The path that a text names. `None` where it cannot be one.
#[cfg(unix)]
pub(in crate::os) fn from_text(text: &Text) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = text.as_bytes();
    (!bytes.contains(&0)).then(|| PathBuf::from(OsStr::from_bytes(bytes)))
}

/// The path that a text names. `None` where it cannot be one.
#[cfg(not(unix))]
pub(in crate::os) fn from_text(text: &Text) -> Option<PathBuf> {
    text.as_str().filter(|text| !text.contains('\0')).map(PathBuf::from)
}

impl Text {
    /// Returns the text as the standard library takes it. On Windows, U+FFFD stands for what is not valid UTF-16.
    pub fn to_os_str(&self) -> Cow<'_, OsStr> {
        os_str(self)
    }

    /// Returns the text as a path. On Windows, U+FFFD stands for what is not valid UTF-16.
    pub fn to_path(&self) -> Cow<'_, Path> {
        match os_str(self) {
            Cow::Borrowed(text) => Cow::Borrowed(Path::new(text)),
            Cow::Owned(text) => Cow::Owned(PathBuf::from(text)),
        }
    }
}

impl From<&Text> for OsString {
    fn from(text: &Text) -> OsString {
        text.to_os_str().into_owned()
    }
}

impl From<&Text> for PathBuf {
    fn from(text: &Text) -> PathBuf {
        text.to_path().into_owned()
    }
}

#[cfg(unix)]
fn os_str(text: &Text) -> Cow<'_, OsStr> {
    use std::os::unix::ffi::OsStrExt;
    Cow::Borrowed(OsStr::from_bytes(text.as_bytes()))
}

#[cfg(not(unix))]
fn os_str(text: &Text) -> Cow<'_, OsStr> {
    match text.to_string_lossy() {
        Cow::Borrowed(text) => Cow::Borrowed(OsStr::new(text)),
        Cow::Owned(text) => Cow::Owned(OsString::from(text)),
    }
}
